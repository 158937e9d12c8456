"""`next` and `generate` with a server whose replies are damaged: their bytes, their JSON, their HTTP."""

import collections
import contextlib
import gzip
import json
import math
import os
import random
import re
import shlex
import socket
import threading
from collections.abc import Iterator
from typing import Any

import inputs
import tool
from outcomes import Outcome, problem_of
from tsoft.models import http

# A server may repeat it, but no message may.
KEY = "sk-fuzz-3141592653589793"
# tsoft's shortest. A reply that never comes costs a run this long.
TIMEOUT = 0.1
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    1e308,
    -1e308,
    10**400,
    "",
    "nan",
    [],
    {},
    [[]],
    [None],
    {"": None},
    "\ud800",
    "x" * 999,
]
VALUES += ["\x1b[31m\x07", float("nan"), float("inf"), -float("inf"), -9999.0, 1e-300, KEY, {"error": {"message": KEY}}]
STATUSES = [100, 101, 103, 200, 201, 204, 206, 301, 303, 304, 307, 308, 400, 401, 404, 418, 422, 429, 500, 503, 999]
LOCATIONS = [
    "",
    "/",
    "/v1/completions",
    "//",
    "http://",
    "http://example.invalid/",
    "\\",
    "?",
    "http://[",
    "é",
    "file:///x",
]
HEADERS = [
    "Content-Length: -1",
    "Content-Length: 5",
    "Content-Length: 99999999999999999999",
    "Content-Length: x",
    "Content-Encoding: gzip",
    "Content-Encoding: gzip, gzip, identity",
    "Content-Encoding: br",
    "Content-Type: text/html; charset=utf-16",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: x",
    "Retry-After: 0",
    "Retry-After: 1e400",
    "Retry-After: -1",
    "Retry-After: Mon, 99 Foo 2026 00:00:00 GMT",
    "Connection: close",
    "Set-Cookie: \xff=\x01",
    "no colon",
    " folded",
    "X: " + "y" * 70_000,
]


def run(rng: random.Random) -> Outcome:
    """Run one command in this process with a server of its own."""
    command = rng.choice(["next", "generate"])
    options = ["--chat"] * (rng.random() < 0.5) + ["--remote-model", "m"] * (rng.random() < 0.3)
    if command == "generate":
        options += ["--max-tokens", rng.choice("123")]
        drawn = rng.choice([[], ["-n", "3"], ["--tau", "0.5,2"], ["--stop", " t"], ["--top-p", "0.9"]])
        options += ["--greedy", "--beams", "3"] if rng.random() < 0.2 else ["--seed", "1", *drawn]
    formats = ["json", "jsonl", "csv", "tsv", "table"]
    options += rng.choice([[], ["-f", rng.choice(formats)], ["--top-logprobs", "2"]])
    has_key = rng.random() < 0.5
    with _serving(rng.random()) as port, _key(has_key):
        url = f"http://127.0.0.1:{port}/v1"
        arguments = [command, "the", "--endpoint", url, "--timeout", str(TIMEOUT), *options]
        done = tool.here_in_bytes(*arguments)
    problem = problem_of(done, arguments) or _stderr_problem(done.stderr, KEY if has_key else None)
    if problem:
        problem += f"\n    tsoft {shlex.join(arguments)}"
    return Outcome(command, done.returncode, problem)


def _stderr_problem(stderr: bytes, key: str | None) -> str:
    text = stderr.decode(errors="replace")
    if key and key in text:
        return f"the key is in a message: {text[:300]}"
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text):
        return f"control characters in a message: {text[:300]!r}"
    return ""


@contextlib.contextmanager
def _key(is_set: bool) -> Iterator[None]:
    """Set the key, and do not wait between retries."""
    backoff, http.BACKOFF = http.BACKOFF, 0.0
    if is_set:
        os.environ["OPENAI_API_KEY"] = KEY
    try:
        yield
    finally:
        http.BACKOFF = backoff
        os.environ.pop("OPENAI_API_KEY", None)


@contextlib.contextmanager
def _serving(seed: float) -> Iterator[int]:
    """Run a server in threads and yield its port.

    A reply depends on the seed, on the request, and on how often it came before, but not on the order of different
    requests, which is random.
    """
    counts: collections.Counter[bytes] = collections.Counter()
    open_sockets: list[socket.socket] = []

    def answer(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, ValueError):
            stream = client.makefile("rb")
            while line := stream.readline():
                length = 0
                while (header := stream.readline()).strip():
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                request = line + stream.read(length)
                counts[request] += 1
                data, is_kept = reply(random.Random(f"{seed} {request!r} {counts[request]}"), line.decode())
                client.sendall(data)
                if not is_kept:
                    break

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                open_sockets.append(client)
                threading.Thread(target=answer, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            for used in [listener, *open_sockets]:
                with contextlib.suppress(OSError):
                    used.shutdown(socket.SHUT_RDWR)
            thread.join()


def reply(rng: random.Random, request_line: str) -> tuple[bytes, bool]:
    """Return the bytes that the server sends after a request, and whether it then keeps the connection open."""
    # Many replies are valid, so that texts of several tokens are damaged late, too.
    kind = rng.choice(["valid"] * 4 + ["bytes", "json", "json", "json", "http", "http"])
    value = valid_value(rng, request_line)
    if kind == "json":
        for _ in range(rng.randint(1, 3)):
            value = _damaged_value(rng, value)
    body = json.dumps(value, ensure_ascii=rng.random() < 0.9).encode(errors="replace")
    if kind == "bytes":
        body = inputs.mutated(rng, body)
    if kind == "http":
        return _damaged_response(rng, body)
    return _response(200, [f"Content-Length: {len(body)}"], body), True


def valid_value(rng: random.Random, request_line: str) -> dict[str, Any]:
    """Return a valid response to a request, in one of the forms of real servers."""
    if request_line.startswith("GET"):
        return {"object": "list", "data": [{"id": "m"}, {"id": "other"}]}
    tokens = rng.sample([" the", " a", ".", "", "</s>", "é", "<0xE2>", "\ufffd", " cat", "\n"], rng.randint(2, 6))
    weights = sorted((rng.random() + 1e-3 for _ in tokens), reverse=True)
    logprobs = [float(math.log(weight / sum(weights) / 1.05)) for weight in weights]
    tops = [
        {"token": token, "logprob": log, "bytes": list(token.encode())}
        for token, log in zip(tokens, logprobs, strict=True)
    ]
    sampled = rng.choice(tops)
    finish = rng.choice(["length", "stop"])
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": finish,
        "logprobs": {"content": [sampled | {"top_logprobs": tops}]},
    }
    if "chat" in request_line:
        choice["message"] = {"role": "assistant", "content": sampled["token"]}
    else:
        choice["text"] = sampled["token"]
        if rng.random() < 0.5:
            choice["logprobs"] = {
                "text_offset": [0],
                "tokens": [sampled["token"]],
                "token_logprobs": [sampled["logprob"]],
                "top_logprobs": [dict(zip(tokens, logprobs, strict=True))],
            }
    return {"id": "1", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}


def _damaged_value(rng: random.Random, value: Any) -> Any:
    """Return a copy of a JSON value in which one value, at a random place, is replaced, removed or repeated."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
        return rng.choice(VALUES)
    if isinstance(value, list):
        i = rng.randrange(len(value))
        change = rng.choice([[], [value[i]] * 2, [rng.choice(VALUES)], *[[_damaged_value(rng, value[i])]] * 4])
        return value[:i] + change + value[i + 1 :]
    key = rng.choice(list(value))
    rest = {name: item for name, item in value.items() if name != key}
    if rng.random() < 0.15:
        return rest
    return rest | {rng.choice([key] * 9 + ["error"]): _damaged_value(rng, value[key])}


def _damaged_response(rng: random.Random, body: bytes) -> tuple[bytes, bool]:
    kind = rng.randrange(10)
    length = f"Content-Length: {len(body)}"
    if kind == 0:
        return b"", rng.random() < 0.2
    if kind == 1:
        return inputs.mutated(rng, _response(200, [length], body)), rng.random() < 0.2
    if kind == 2:
        data = _response(200, [length], body)
        return data[: rng.randrange(len(data))], False
    if kind == 3:
        refusal = json.dumps(
            {"error": {"message": rng.choice([f"wrong key {KEY}", "no logprobs", "model required", ""])}}
        )
        data = rng.choice([body, refusal.encode(), f"<p>{KEY}".encode()])
        return _response(rng.choice(STATUSES), [f"Content-Length: {len(data)}"], data), True
    if kind == 4:
        location = f"Location: {rng.choice(LOCATIONS)}"
        return _response(rng.choice([301, 302, 303, 307, 308]), [location, "Content-Length: 0"], b""), True
    if kind == 5:
        chunks = _chunks(rng, body)
        if rng.random() < 0.7:
            chunks = inputs.mutated(rng, chunks)
        return _response(200, ["Transfer-Encoding: chunked"], chunks), False
    if kind == 6:
        packed = gzip.compress(body, mtime=0)
        packed = inputs.mutated(rng, packed) if rng.random() < 0.7 else packed
        return _response(200, ["Content-Encoding: gzip", f"Content-Length: {len(packed)}"], packed), True
    if kind == 7:
        lines = [
            rng.choice(["HTTP/1.1 ", "HTTP/9.9 200", "HTTP/1.1 200", "200 OK", "\x00", "HTTP/1.1 -1 x", "z" * 70_000])
        ]
        return "\r\n".join([*lines, length, "", ""]).encode() + body, False
    extra = rng.sample(HEADERS, rng.randint(1, 3))
    status = rng.choice([200, 200, 429, 503, 404])
    return _response(status, [length, *extra] if rng.random() < 0.5 else extra, body), rng.random() < 0.2


def _chunks(rng: random.Random, body: bytes) -> bytes:
    data, place = b"", 0
    while place < len(body):
        piece = body[place : place + rng.randint(1, 200)]
        data += b"%x\r\n%s\r\n" % (len(piece), piece)
        place += len(piece)
    return data + b"0\r\n\r\n"


def _response(status: int, headers: list[str], body: bytes) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} X", *headers, "", ""]).encode("utf-8") + body
