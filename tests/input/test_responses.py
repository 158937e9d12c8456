"""Reading responses of LLM servers: every format, its errors and its notes."""

import io
import json
import math
import re
from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
import pytest

import tsoft
from cases import each_case
from random_json import random_value
from tool import TESTS, here, here_in_bytes, in_turns, out, run
from tsoft.core.block import Block
from tsoft.errors import InputError, UsageError
from tsoft.input import api_responses
from tsoft.input.formats import by_content, detect
from tsoft.input.labels import Labels
from tsoft.input.read_options import ReadOptions
from tsoft.input.response_kinds import is_response
from tsoft.input.streams import Pieces

DATA = TESTS / "data"
REAL = ("openai-chat", "openai-completions", "llama-server", "llama-server-post-sampling")
VOCABULARY = "49152"

# The formats that servers document, each with two tokens. The second token is the less probable of its two
# alternatives: " a" of " a" and " b", then "\n" of " b" and "\n".


def entry(token: str, logprob: float, *top: tuple[str, float], **more: Any) -> dict[str, Any]:
    """Return a token in OpenAI's format: openai-python, types/chat/chat_completion_token_logprob.py."""
    tops = [{"token": name, "logprob": p, "bytes": list(name.encode())} for name, p in top]
    return {"token": token, "logprob": logprob, "bytes": list(token.encode()), "top_logprobs": tops} | more


ENTRIES = [entry(" a", -0.5, (" a", -0.5), (" b", -1.5)), entry("\n", -2.0, (" b", -0.25), ("\n", -2.0))]


def bare(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the same without bytes, which Ollama may omit: github.com/ollama/ollama-python, ollama/_types.py."""
    return json.loads(re.sub(r'"bytes": \[[^]]*\], |, "bytes": \[[^]]*\]', "", json.dumps(items)))  # type: ignore[no-any-return]


KINDS: dict[str, Any] = {
    "chat": {"object": "chat.completion", "choices": [{"index": 0, "logprobs": {"content": ENTRIES, "refusal": None}}]},
    "refusal": {"choices": [{"index": 0, "logprobs": {"content": None, "refusal": ENTRIES}}]},
    # docs.vllm.ai, "OpenAI-Compatible Server": prompt_logprobs are of the prompt, which was not generated.
    "vllm": {
        "choices": [{"index": 0, "logprobs": {"content": ENTRIES}}],
        "prompt_logprobs": [None, {"1": {"logprob": -1}}],
    },
    # openai-python, types/responses/response_output_text.py.
    "responses": {
        "object": "response",
        "error": None,
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "output_text", "text": " a\n", "logprobs": ENTRIES}]},
        ],
    },
    # openai-python, types/completion_choice.py; the first token of an echoed prompt has no number.
    "completions": {
        "object": "text_completion",
        "choices": [
            {
                "index": 0,
                "text": "Say a\n",
                "logprobs": {
                    "tokens": ["Say", " a", "\n"],
                    "token_logprobs": [None, -0.5, -2.0],
                    "top_logprobs": [None, {" a": -0.5, " b": -1.5}, {" b": -0.25, "\n": -2.0}],
                    "text_offset": [0, 3, 5],
                },
            }
        ],
    },
    # github.com/ggml-org/llama.cpp, tools/server/README.md.
    "llama.cpp": {"index": 0, "content": " a\n", "stop": True, "completion_probabilities": ENTRIES},
    "llama.cpp after sampling": {
        "content": " a\n",
        "stop": True,
        "completion_probabilities": [
            {
                "token": item["token"],
                "id": 7,
                "prob": math.exp(item["logprob"]),
                "top_probs": [
                    {"id": 7 + (top["token"] != item["token"]), "token": top["token"], "prob": math.exp(top["logprob"])}
                    for top in item["top_logprobs"]
                ],
            }
            for item in ENTRIES
        ],
    },
    "llama.cpp before 2025": {
        "content": " a\n",
        "stop": True,
        "completion_probabilities": [
            {
                "content": item["token"],
                "probs": [{"tok_str": t["token"], "prob": math.exp(t["logprob"])} for t in item["top_logprobs"]],
            }
            for item in ENTRIES
        ],
    },
    "ollama": {"model": "m", "response": " a\n", "done": True, "logprobs": bare(ENTRIES)},
    "ollama chat": {"model": "m", "message": {"content": " a\n"}, "done": True, "logprobs": bare(ENTRIES)},
    # github.com/googleapis/python-genai, google/genai/types.py, LogprobsResult.
    "gemini": {
        "candidates": [
            {
                "index": 0,
                "logprobsResult": {
                    "topCandidates": [
                        {
                            "candidates": [
                                {"token": t["token"], "logProbability": t["logprob"]} for t in item["top_logprobs"]
                            ]
                        }
                        for item in ENTRIES
                    ],
                    "chosenCandidates": [
                        {"token": item["token"], "tokenId": 3, "logProbability": item["logprob"]} for item in ENTRIES
                    ],
                },
            }
        ]
    },
    "gemini in Python": {
        "candidates": [
            {
                "logprobs_result": {
                    "top_candidates": [
                        {
                            "candidates": [
                                {"token": t["token"], "log_probability": t["logprob"]} for t in item["top_logprobs"]
                            ]
                        }
                        for item in ENTRIES
                    ],
                    "chosen_candidates": [{"token": i["token"], "log_probability": i["logprob"]} for i in ENTRIES],
                },
            }
        ]
    },
}


def read(data: object, **reading: Any) -> list[Block]:
    """Return the blocks of a JSON value, or of bytes."""
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    return list(api_responses.read(io.BytesIO(content), ReadOptions("FILE", **reading)))


def labels(blocks: list[Block]) -> list[list[str]]:
    return [list(block.labels or ()) for block in blocks]


def chosen(blocks: list[Block]) -> list[str]:
    return [block.labels[block.partial.index] for block in blocks if block.labels and block.partial]


def chat(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "logprobs": {"content": list(entries)}}]} | changes


def stream(*events: object, end: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(event)}\n\n" for event in events) + end).encode()


@each_case("response", KINDS.values())
def test_every_format(response: Any) -> None:
    blocks = read(response)
    assert is_response(response)
    assert labels(blocks) == [[" a", " b"], [" b", "\n"]]
    assert chosen(blocks) == [" a", "\n"]
    assert [block.first_row for block in blocks] == [0, 1]
    for block, logits in zip(blocks, ([-0.5, -1.5], [-0.25, -2.0]), strict=True):
        np.testing.assert_allclose(block.logits, [logits])
        assert block.partial
        assert block.partial.is_sampled == (
            "prob" in json.dumps(response).replace("prob_", "").replace("logprob", "").split('"')
        )


@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str) -> None:
    """The copies here are equal to the responses of a real model and server."""
    original = TESTS.parents[1] / f"shared/data/llm/{name}.json"
    if not original.exists():
        pytest.skip("only its copy is here")
    assert json.loads(original.read_bytes()) == json.loads((DATA / f"{name}.json").read_bytes())
    assert labels(read(original.read_bytes())) == labels(read((DATA / f"{name}.json").read_bytes()))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("openai-chat", ["The", " capital", " of", " France", " is", " Paris", ".", ""]),
        ("openai-completions", [" young", " woman", " named", " Emma", " who", " had"]),
        ("llama-server", [" def", " fib", "_", "fib", "("]),
        ("llama-server-post-sampling", [" blue", ".", " She", " has"]),
    ],
)
def test_real_responses(name: str, text: list[str]) -> None:
    assert chosen(read((DATA / f"{name}.json").read_bytes())) == text
    done = here("compute", "--tau", "0.7", stdin=(DATA / f"{name}.json").read_bytes())
    assert done.returncode == 0
    rows = [[float(number) for number in line.split("\t")] for line in done.stdout.splitlines()]
    assert len(rows) == len(text)
    assert all(sum(row) == pytest.approx(1) for row in rows)


def test_an_unlisted_drawn_token_is_a_class_but_not_a_bound() -> None:
    block = read((DATA / "llama-server-post-sampling.json").read_bytes())[2]
    assert block.partial
    assert block.labels
    assert (len(block.labels), block.partial.index, block.partial.more_probable, block.partial.rank) == (
        13,
        12,
        12,
        None,
    )
    assert block.partial.cap == pytest.approx(block.logits[0, :12].min())
    # vLLM puts the drawn token first, and it may be less probable than unlisted tokens.
    first = read(chat(entry("x", -5.0, ("x", -5.0), ("y", -1.0), ("z", -2.0))))[0]
    assert first.partial
    assert (first.partial.cap, first.partial.rank) == (-2.0, None)


# Streams, arrays, lines


def chunk(*entries: dict[str, Any], index: int = 0) -> dict[str, Any]:
    logprobs = {"content": list(entries)} if entries else None
    choice = {"index": index, "delta": {"content": "…"}, "logprobs": logprobs}
    return {"id": "1", "object": "chat.completion.chunk", "choices": [choice]}


STREAMS = {
    "chat": stream(
        chunk(), chunk(ENTRIES[0]), chunk(ENTRIES[1]), chunk(), {"object": "chat.completion.chunk", "choices": []}
    ),
    "comments": b": ping\n\nevent: x\nid: 3\n" + stream(*map(chunk, ENTRIES)),
    "CRLF and a mark": b"\xef\xbb\xbf" + stream(*map(chunk, ENTRIES)).replace(b"\n", b"\r\n"),
    # html.spec.whatwg.org, "Interpreting an event stream": the lines of an event's data are joined.
    "several lines of data": b"".join(
        b"event: x\n"
        + b"".join(b"data: " + line + b"\n" for line in json.dumps(chunk(e), indent=1).encode().split(b"\n"))
        + end
        for e, end in zip(ENTRIES, (b"\n", b""), strict=True)
    ),
    "no end": stream(*map(chunk, ENTRIES), end=""),
    "after the end": stream(*map(chunk, ENTRIES)) + b"no data",
    "responses": stream(
        {"type": "response.created", "response": {"object": "response", "output": []}},
        *({"type": "response.output_text.delta", "delta": "…", "logprobs": [item]} for item in ENTRIES),
        {"type": "response.output_text.done", "logprobs": ENTRIES},
        {"type": "response.completed", "response": KINDS["responses"]},
        end="",
    ),
    "responses in one": stream({"type": "response.completed", "response": KINDS["responses"]}),
    "llama.cpp": stream(
        *({"content": "…", "stop": False, "completion_probabilities": [item]} for item in ENTRIES),
        {"content": "", "stop": True},
    ),
    "gemini": stream(*({"candidates": [part], "usageMetadata": {}} for part in KINDS["gemini"]["candidates"])),
    "ollama lines": "".join(
        json.dumps(part) + "\n"
        for part in (
            *({"model": "m", "response": "…", "done": False, "logprobs": [item]} for item in ENTRIES),
            {"model": "m", "response": "", "done": True},
        )
    ).encode(),
}


@each_case("data", STREAMS.values())
def test_streams(data: bytes) -> None:
    blocks = read(data)
    assert chosen(blocks) == [" a", "\n"]
    assert [block.partial.text for block in blocks if block.partial] == [0, 0]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps([KINDS["chat"]] * 2).encode(),
        json.dumps([KINDS["chat"]] * 2, indent=1).encode(),
        (json.dumps(KINDS["chat"]) + "\n").encode() * 2,
        b"\n\n" + (json.dumps(KINDS["chat"]) + "\r\n").encode() * 2,
    ],
)
def test_several_responses(data: bytes) -> None:
    blocks = read(data)
    assert [(block.first_row, block.partial.text, block.partial.has_choices) for block in blocks if block.partial] == [
        (0, 0, False),
        (1, 0, False),
        (2, 1, False),
        (3, 1, False),
    ]


def test_a_later_choice_alone_is_one_of_several() -> None:
    response = chat(entry(" a", -0.5, (" a", -0.5)))
    response["choices"][0]["index"] = 1
    [block] = read(response)
    assert block.partial is not None
    assert (block.partial.choice, block.partial.has_choices) == (1, True)


def test_several_choices() -> None:
    response = {"choices": [{"index": i, "logprobs": {"content": ENTRIES}} for i in (1, 0)]}
    choices = [
        (block.partial.choice, block.partial.has_choices, block.partial.text)
        for block in read(response)
        if block.partial
    ]
    assert choices == [(1, True, 0), (1, True, 0), (0, True, 1), (0, True, 1)]
    pieces = read(stream(chunk(ENTRIES[0]), chunk(ENTRIES[0], index=1), chunk(ENTRIES[1]), chunk(ENTRIES[1], index=1)))
    assert [block.partial.text for block in pieces if block.partial] == [0, 1, 0, 1]


def test_a_token_of_a_stream_is_written_as_it_arrives() -> None:
    pieces = [stream(chunk(ENTRIES[0]), end=""), stream(chunk(ENTRIES[1]))]
    first, second = here_in_bytes("compute", stdin=b"".join(pieces)).stdout.splitlines(keepends=True)
    assert in_turns("compute", turns=[(pieces[0], first), (pieces[1], b"")], notes=False) == (0, second)


def test_the_json_reader_recognizes_a_response() -> None:
    """The JSON reader tells responses from rows, and passes on their location and row."""
    for other in ({"logits": [1, 2]}, {"choices": 2.0, "output": 1.0}, {"error": 3}, {"logprobs": [-1.0]}, [1, 2], 1):
        assert not is_response(other)
    assert is_response({"error": {"message": "no"}})
    blocks = list(api_responses.blocks(KINDS["chat"], ReadOptions("FILE"), "FILE:7", 5))
    assert [block.first_row for block in blocks] == [5, 6]
    with pytest.raises(InputError, match=r"FILE:7: the server returned an error: no"):
        list(api_responses.blocks({"error": "no"}, ReadOptions("FILE"), "FILE:7", 0))


def test_content_determines_the_format() -> None:
    """A saved stream is read by this reader, and JSON by the JSON reader."""
    for name, heads in {
        "response": (b'data: {"', b"event: response.created", b"\xef\xbb\xbf  data:"),
        "json": (b'{"id"', b'{\n "choices"', b'[{"choices"'),
    }.items():
        for head in heads:
            assert (format := by_content(head))
            assert format.name == name
    for text in (b"[PAD] 2", b": 2\n, 1\n", b"id: 2\n"):
        assert by_content(text) is None


@pytest.mark.parametrize("start", [": OPENROUTER PROCESSING\n\n", ":\r\n: ping\r\n", "id: 7\nretry: 3000\n"])
def test_a_stream_may_start_with_comments(start: str) -> None:
    """They may arrive long before the first event."""
    events = stream(chat(*ENTRIES))
    done, expected = (here("compute", stdin=data) for data in (start.encode() + events, events))
    assert (done.returncode, done.stdout) == (0, expected.stdout)
    pieces = [*[start.encode()] * 20, events]
    format, _ = detect(io.BufferedReader(Pieces(pieces)), "-")
    assert format.name == "response"


# The names of tokens


def test_different_tokens_have_different_names() -> None:
    """A blank, a line break, the text \\n, part of a character, the replacement character, and an empty token."""
    names = [" ", "\n", "\\n", "", "\ufffd", "\ufffd"]
    tops = [{"token": name, "logprob": -2.0} for name in names]
    tops[4]["bytes"] = [0xE2, 0x80]
    tops.append({"token": "bytes:\\x9c", "logprob": -2.0})
    [block] = read(chat({"token": " ", "logprob": -2.0, "top_logprobs": tops}))
    assert block.labels == (" ", "\n", "\\n", "", "<0xE2><0x80>", "\ufffd", "<0x9C>")
    assert block.names == ["' '", "'\\n'", "'\\\\n'", "''", "'<0xE2><0x80>'", "'\ufffd'", "'<0x9C>'"]


def test_tokens_with_the_same_text_are_distinguished_by_id() -> None:
    tops = [{"token": "\ufffd", "id": i, "logprob": -1.0 - i} for i in range(3)]
    [block] = read(chat({"token": "\ufffd", "id": 2, "logprob": -3.0, "top_logprobs": tops}))
    assert block.partial
    assert block.partial.index == 2
    assert block.names == ["'\ufffd'#0", "'\ufffd'#1", "'\ufffd'#2"]


# Unknown numbers and errors


def test_unknown_is_not_0() -> None:
    """OpenAI writes -9999 for a token whose number it does not return: docs of `logprob`."""
    data = json.dumps(chat(entry("x", -9999.0, (" a", -0.5), (" b", -9999.0)))).encode()
    [block] = read(data)
    assert block.partial
    assert block.labels == (" a", " b", "x")
    assert block.partial.unknown.tolist() == [False, True, True]
    assert (block.partial.cap, block.partial.rank, block.partial.more_probable) == (-0.5, None, 1)
    [record] = map(json.loads, here("compute", "--tau", "2", "-f", "jsonl", "--chosen", stdin=data).stdout.splitlines())
    for key in ("probs_low", "probs_high", "probs_listed"):
        assert record[key][1:] == [None, None]
    assert (record["rank"], record["chosen_listed"], record["text_logprob_high"]) == (">1", None, None)
    assert here("compute", stdin=data).stdout == "1.0\tnan\tnan\n"
    table = here("compute", "-f", "table", "--chosen", stdin=data).stdout
    # The logit, the probability among the listed tokens, and the bounds.
    assert [line.split()[-3:] for line in table.splitlines() if " b'" in line or "› 'x'" in line] == [["?"] * 3] * 2


@pytest.mark.parametrize(
    "number",
    [{}, {"logprob": None}, {"logprob": math.nan}, {"logprob": "NaN"}, {"logprob": -9999}, {"logprob": -3.4028235e38}],
)
def test_an_alternative_without_a_number_is_unknown(number: dict[str, Any]) -> None:
    """JSON has no infinity: pydantic and JavaScript write null for it, llama.cpp the lowest float32."""
    item = entry("a", -0.5, ("a", -0.5), ("b", -1.0)) | {"top_logprobs": [{"token": "c"} | number]}
    first, second = read(chat(item, ENTRIES[1]))
    assert first.partial
    assert (first.labels, first.partial.unknown.tolist(), first.partial.cap) == (("c", "a"), [True, False], math.inf)
    assert second.labels == (" b", "\n")


def test_null_in_the_place_of_a_token_is_a_row_of_which_nothing_is_known() -> None:
    blocks = read({"choices": [{"index": 0, "logprobs": {"content": [ENTRIES[0], None, ENTRIES[1]]}}]})
    assert [block.partial.unknown.all() for block in blocks if block.partial] == [False, True, False]


def test_null_in_legacy_completions_is_unknown() -> None:
    """Only the first token of an echoed prompt has no row."""
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [-1, None], "top_logprobs": [{"a": -1, "c": None}, None]}
    first, second = read({"choices": [{"text": "ab", "logprobs": logprobs}]})
    assert first.partial
    assert second.partial
    assert (first.partial.unknown.tolist(), second.partial.unknown.tolist()) == ([False, True], [True])


UNKNOWN_ROW = json.dumps(chat(ENTRIES[0], {"token": "x", "logprob": -9999, "top_logprobs": []}, ENTRIES[1]))


def test_a_row_of_which_nothing_is_known_is_a_row_of_nulls() -> None:
    done = here("compute", stdin=UNKNOWN_ROW)
    assert (done.returncode, len(done.stdout.splitlines()), done.stdout.splitlines()[1]) == (0, 3, "nan")
    assert "row 1: the response does not contain the probability of the drawn token, nor of any" in done.stderr
    # The mean over the two other rows: e^-0.5 + e^-1.5 = 82.96 %, e^-0.25 + e^-2 = 91.41 %.
    assert "lists at least 82.96 % (row 0), on average 87.18 %" in done.stderr
    done = here("compute", "--chosen", "-f", "jsonl", "--tau", "0,0.5,2,inf", "--vocab-size", "9", stdin=UNKNOWN_ROW)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [rows[i]["text_logprob_high"] is None for i in range(12)] == [False] * 4 + [True] * 8
    for record in rows[4:8]:
        assert (
            record["probs_low"] == record["probs_high"] == record["probs_listed"] == [record["chosen_high"]] == [None]
        )
    table = here("compute", "--chosen", "-f", "table", stdin=UNKNOWN_ROW).stdout
    assert [line.split()[-1] for line in table.splitlines() if re.match(" (log-prob|sequence)", line)] == ["?", "?"]


@pytest.mark.parametrize(
    "command", ["sweep --steps 3", "solve --entropy 0.1 --listed-only", "sample -n 5 --seed 1 --listed-only"]
)
def test_other_commands_skip_a_row_of_which_nothing_is_known(command: str) -> None:
    whole = here(*command.split(), "-f", "csv", stdin=json.dumps(chat(*ENTRIES)))
    done = here(*command.split(), "-f", "csv", stdin=UNKNOWN_ROW)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, len(whole.stdout.splitlines()))
    assert "row 1: tsoft skips the rows without any known probability" in done.stderr
    nothing = here(*command.split(), stdin=json.dumps(chat({"token": "x", "logprob": None})))
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "does not contain the probability of any token" in nothing.stderr


# Contradictions


def completion(token: str, logprob: float | None, tops: Mapping[str, float | None]) -> dict[str, Any]:
    logprobs = {"tokens": [token], "token_logprobs": [logprob], "top_logprobs": [tops]}
    return {"choices": [{"text": token, "logprobs": logprobs}]}


def noted(response: Any) -> tuple[Block, list[str]]:
    notes: list[str] = []
    [block] = read(response, note=notes.append)
    assert block.partial
    return block, notes


def test_the_servers_number_for_the_drawn_token_wins_over_an_alternative_with_its_text() -> None:
    block, [message] = noted(completion("no", -0.25, {"no": -8.5, "yes": -1.75}))
    assert block.labels == ("no", "yes", "no")
    assert block.partial
    assert (block.partial.index, block.partial.rank, block.partial.cap) == (2, 1, -8.5)
    assert block.partial.logprobs.tolist() == [-8.5, -1.75, -0.25]
    assert "the log-probability -0.25, and an alternative with the same text has -8.5" in message
    # The number of an alternative is rounded.
    block, notes = noted(completion("no", -0.2513, {"no": -0.251, "yes": -1.75}))
    assert (block.labels, notes) == (("no", "yes"), [])
    assert block.logits[0, 0] == -0.2513


@pytest.mark.parametrize("identity", [{"id": 7}, {"bytes": [110, 111]}])
def test_two_numbers_of_one_token_are_a_contradiction(identity: dict[str, Any]) -> None:
    tops = [{"token": "no", "logprob": -8.5} | identity, {"token": "yes", "logprob": -1.75}]
    block, [message] = noted(chat({"token": "no", "logprob": -0.25, "top_logprobs": tops} | identity))
    assert block.labels == ("no", "yes")
    assert block.logits.tolist() == [[-0.25, -1.75]]
    assert "two log-probabilities of the drawn token, -0.25, and -8.5 among the alternatives" in message


def test_bytes_of_a_replacement_character_do_not_identify_a_token() -> None:
    """vLLM decodes a part of a character to U+FFFD, and returns the bytes of U+FFFD."""
    part = {"token": "\ufffd", "bytes": [239, 191, 189]}
    block, _ = noted(chat(part | {"logprob": -0.25, "top_logprobs": [part | {"logprob": -3}]}))
    assert block.logits.tolist() == [[-3, -0.25]]


def test_the_number_selects_the_drawn_token_among_alternatives_with_its_text() -> None:
    part = {"token": "\ufffd"}
    tops = [part | {"logprob": -2.001}, part | {"logprob": -2.0}]
    block, notes = noted(chat(part | {"logprob": -2.0, "top_logprobs": tops}))
    assert block.partial
    assert (block.partial.index, block.logits.tolist(), notes) == (1, [[-2.001, -2.0]], [])
    block, [message] = noted(chat(part | {"top_logprobs": tops}))
    assert "several alternatives have the text of the drawn token" in message


def test_a_row_of_probability_0_is_unknown() -> None:
    [block] = read(chat(entry("a", -math.inf, ("a", -math.inf), ("b", -math.inf))))
    assert block.partial
    assert block.partial.unknown.all()


def test_a_list_that_is_not_of_the_most_probable_tokens_has_no_cap() -> None:
    block, [message] = noted(chat(entry("c", -0.25, ("a", -3.0), ("b", -2.0))))
    assert block.partial
    assert block.partial.cap == math.inf
    assert "-0.25 exceeds -3 of an alternative, so the alternatives cannot be the most probable tokens" in message


@pytest.mark.parametrize(("low", "prob"), [(-math.inf, "0"), (-1000, "0"), (-800, "0"), (-60, "8.8e-27")])
def test_a_list_that_ends_in_a_negligible_probability_has_the_cap_of_the_others(low: float, prob: str) -> None:
    """Even 10^12 tokens of e^-60 = 8.756e-27 have less than the rest, 1 - e^-1 - e^-2 = 0.4968. TabbyAPI writes -1000
    for -inf."""
    response = completion("a", -1.0, {"a": -1.0, "b": -2.0, "c": low})
    block, [message] = noted(response)
    assert block.partial
    assert block.partial.cap == -2.0
    assert f"an alternative has probability {prob}, but the listed tokens have only 0.5032" in message
    done = here("compute", "--tau", "2", stdin=json.dumps(response))
    assert (done.returncode, "inf" in done.stderr) == (0, False)


def test_an_alternative_of_probability_0_completes_a_list() -> None:
    for low, cap in ((-math.inf, -math.inf), (-1000, -math.inf), (-800, -800)):
        block, notes = noted(completion("a", 0.0, {"a": 0.0, "b": low}))
        assert block.partial
        assert (block.partial.cap, notes) == (cap, [])


def test_a_sum_rounded_to_less_than_1_needs_no_other_tokens() -> None:
    """0.5 + 0.499995, with an error of 5e-6 in each number, may be 1."""
    tops = {"a": round(math.log(0.5), 5), "b": round(math.log(0.499995), 5), "c": -800}
    done = here("compute", stdin=json.dumps(completion("a", tops["a"], tops)))
    assert (done.returncode, "other tokens must be" in done.stderr) == (0, False)


def test_a_list_that_needs_thousands_of_tied_tokens_is_noted() -> None:
    """1 - e^-1.5768 - e^-8.3893 - e^-8.4753 = 0.79293, in tokens of at most e^-8.3893 = 2.27286e-4: 3488.7 of them."""
    tops = {"no": -8.4753, "yes": -1.5768, "null": -8.3893}
    done = here("compute", stdin=json.dumps(completion("no", -8.4753, tops)))
    assert "sum to 0.2071, so at least 3488 other tokens must be as probable as the least" in done.stderr
    # Many equal tokens are not suspicious.
    flat = {f"t{i}": -9.0 for i in range(5)}
    assert "other tokens must be" not in here("compute", stdin=json.dumps(completion("t0", -9.0, flat))).stderr


ERRORS = {
    "openai": ({"error": {"message": "Incorrect API key", "type": "invalid_request_error"}}, "Incorrect API key"),
    "ollama": ({"error": "model 'x' not found"}, "model 'x' not found"),
    "gemini": ([{"error": {"code": 429, "message": "Quota exceeded", "status": "X"}}], "Quota exceeded"),
    "vllm": ({"object": "error", "message": "no such model", "code": 404}, "no such model"),
    "fastapi": ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
    "code": ({"error": {"code": 500}}, "500"),
    "mistral": ({"message": "Unauthorized", "request_id": "x"}, "Unauthorized"),
}


@pytest.mark.parametrize(("response", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_has_the_servers_message(response: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^FILE: the server returned an error: {message}$"):
        read(response)


def test_an_error_in_a_stream() -> None:
    failed = {"type": "response.failed", "response": {"error": {"message": "overloaded"}}}
    for end in (failed, {"error": {"message": "overloaded"}}):
        with pytest.raises(InputError, match=r"^FILE:3: the server returned an error: overloaded$"):
            read(stream({"type": "response.output_text.delta", "logprobs": [ENTRIES[0]]}, end))


SILENT = {
    "chat": ({"choices": [{"index": 0, "message": {}, "logprobs": None}]}, '"logprobs": true, "top_logprobs": 20'),
    "completions": ({"choices": [{"index": 0, "text": "a"}]}, '"logprobs": 5'),
    "responses": (
        {"object": "response", "output": [{"type": "message", "content": [{"logprobs": []}]}]},
        '"include": ["message.output_text.logprobs"], "top_logprobs": 20',
    ),
    "llama.cpp": ({"content": "a", "stop": True}, '"n_probs": 20'),
    "ollama": ({"model": "m", "response": "a", "done": True}, '"logprobs": true, "top_logprobs": 20'),
    "gemini": ({"candidates": [{"content": {}}]}, '"responseLogprobs": true'),
}


def test_an_api_without_logprobs_is_named() -> None:
    """docs.anthropic.com, "Messages"; docs.aws.amazon.com, "Converse"."""
    anthropic = {"type": "message", "role": "assistant", "content": [{"type": "text"}], "stop_reason": "end_turn"}
    converse = {"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "end_turn", "usage": {}}
    for response, name in ((anthropic, "Anthropic's API"), (converse, "Bedrock's Converse API")):
        assert is_response(response)
        notes: list[str] = []
        with pytest.raises(InputError, match=f"^FILE.*{name} does not return log-probabilities"):
            read(response, note=notes.append)
        assert notes == []
        # A line of a batch, and a log.
        for value in ({"custom_id": "q", "result": {"message": response}}, {"prompt": "q", "response": response}):
            assert is_response(value)
            with pytest.raises(InputError, match=f"{name} does not return log-probabilities; use an API that does"):
                read(value)
            blocks = read([value, chat(ENTRIES[0], object="chat.completion")], note=notes.append)
            assert len(blocks) == 1
            assert notes.pop() == f"FILE: {name} does not return log-probabilities; tsoft skips it"
    # The first event of a stream.
    with pytest.raises(InputError, match="Anthropic's API does not return log-probabilities; use an API that does"):
        read(stream({"type": "message_start", "message": anthropic | {"stop_reason": None}}, {"type": "message_stop"}))


@pytest.mark.parametrize(("response", "advice"), SILENT.values(), ids=SILENT.keys())
def test_a_response_without_logprobs_names_the_request_fields(response: Any, advice: str) -> None:
    with pytest.raises(InputError, match=f"^FILE.*no log-probabilities.*{re.escape(advice)}"):
        read(response)
    with pytest.raises(InputError, match=re.escape(advice)):
        read(stream(response))


TOKEN = r"^FILE: choice 0, token 0 \(' a'\), "
WRONG = {
    "over 0": (entry(" a", 0.5), TOKEN + r"logprob: 0\.5 is not a log-probability; log-probabilities are at most 0$"),
    "over 0 in the list": (entry(" a", -1, (" b", 1e-3)), TOKEN + r"top_logprobs\[0\], logprob: 0\.001 is not"),
    "no token": ({"logprob": -1}, "^FILE: choice 0, token 0, token: missing; expected a string$"),
    "text": (entry(" a", "much"), TOKEN + 'logprob: expected a number, got "much"$'),  # type: ignore[arg-type]
    "truth": (entry(" a", True), TOKEN + "logprob: expected a number, got true$"),
    "not a list": (
        {"token": " a", "logprob": -1, "top_logprobs": "a"},
        TOKEN + 'top_logprobs: expected an object, got "a"$',
    ),
    "bytes": (
        {"token": " a", "logprob": -1, "bytes": [256]},
        TOKEN + "token, bytes: expected an array of whole numbers from 0 to 255",
    ),
    "not an object": (3, "^FILE: choice 0, token 0: expected an object, got 3$"),
    "prob": ({"token": " a", "prob": 1.5, "top_probs": []}, TOKEN + "prob: 1.5 is not a probability"),
}


@each_case(("item", "message"), WRONG.values())
def test_errors_in_a_token(item: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(chat(item))


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        # openai-python turns the bytes of transcriptions into floats: types/audio/transcription.py.
        ({"token": "h\u00e9", "bytes": [104.0, 195.0, 169.0]}, "h\u00e9"),
        # Inspect writes code points for Together: model/_providers/together.py.
        ({"token": "\u4f60", "bytes": [20320]}, "\u4f60"),
        ({"token": "\u00e9", "bytes": [233]}, "\u00e9"),
        ({"token": "\ufffd", "bytes": [195]}, "<0xC3>"),
        # Bytes without a text: autogen_core/models/_types.py, TopLogprob.
        ({"token": None, "bytes": [104, 105]}, "hi"),
        ({"token": "a", "bytes": []}, "a"),
    ],
)
def test_bytes_of_clients(changes: dict[str, Any], label: str) -> None:
    [block] = read(chat(entry("a", -0.5) | changes))
    assert block.labels == (label,)


def test_equal_answers_of_a_sample_and_of_greedy_decoding_are_two_answers() -> None:
    first, other = chat(entry("a", -0.5)), chat(entry("b", -1.5))
    samples = [{"seed": 1, "response": first}, {"seed": 2, "response": other}]
    assert chosen(read({"prompt": "q", "greedy": first, "samples": samples})) == ["a", "a", "b"]
    assert chosen(read({"response": first, "turns": [{"response": first}, {"response": first}]})) == ["a"] * 3


TWICE = "the alternatives contain a token twice; tsoft counts it once"


@pytest.mark.parametrize(
    ("tops", "expected"),
    [
        # vLLM lists a drawn token in its place among the most probable ones, and before them.
        ([{"token": "a", "logprob": -1.5, "id": 5}, {"token": "a", "logprob": -1.5, "id": 5}], [-1.5]),
        ([{"token": "a", "logprob": -1.5}, {"token": "b", "logprob": -2}, {"token": "a", "logprob": -1.5}], [-1.5, -2]),
    ],
)
def test_a_repeated_alternative_counts_once(tops: list[Any], expected: list[float]) -> None:
    notes: list[str] = []
    [block] = read(chat({"token": "a", "logprob": -1.5, "top_logprobs": tops}), note=notes.append)
    assert block.logits.tolist() == [expected]
    assert notes == [f"FILE: choice 0, token 0 ('a'): {TWICE}"]


def test_alternatives_that_share_their_text_alone_are_different_tokens() -> None:
    tops = [{"token": "a", "logprob": p, "id": i} for p, i in ((-1, 5), (-1, 6), (-2, 7))]
    [block] = read(chat({"token": "a", "logprob": -1, "id": 6, "top_logprobs": tops}), note=pytest.fail)
    assert (block.logits.tolist(), block.partial and block.partial.index) == ([[-1, -1, -2]], 1)


def test_tokens_without_text_may_be_different_parts_of_a_character() -> None:
    tops = [{"token": "", "logprob": p, "bytes": []} for p in (-0.5, -1.5, -1.5)]
    notes: list[str] = []
    [block] = read(chat({"token": "", "logprob": -2.5, "bytes": [], "top_logprobs": tops}), note=notes.append)
    assert block.logits.tolist() == [[-0.5, -1.5, -1.5, -2.5]]
    assert "treats them as two tokens" in notes[0]


@pytest.mark.parametrize("name", ["", "\ufffd"])
def test_a_name_that_hides_tokens_bounds_no_unlisted_token(name: str) -> None:
    """llama-cpp-python (llama.py) decodes parts of characters to "", and the last of them overwrites the others."""
    names = {"a": -2.0, name: -3.0, "b": -3.5}
    logprobs = {"tokens": ["a"], "token_logprobs": [-2.0], "top_logprobs": [names]}
    [block] = read({"choices": [{"index": 0, "text": "a", "logprobs": logprobs}]})
    assert block.partial
    assert block.partial.cap == math.inf


def test_numbers_that_json_does_not_have() -> None:
    text = json.dumps(chat(entry(" a", -0.5, (" a", -0.5), (" b", -math.inf), (" c", math.nan))))
    [block] = read(text.replace("NaN", "-Infinity").encode())
    assert block.logits.tolist() == [[-0.5, -math.inf, -math.inf]]


def test_a_logprob_slightly_above_0_is_rounding() -> None:
    [block] = read(chat(entry(" a", 1e-7, (" a", 1e-7), (" b", -17.0))))
    assert block.partial
    _, high = np.exp(block.partial.log_bounds(np.array([1.0])))
    assert (high <= 1).all()


def test_unequal_lists() -> None:
    wrong = {"choices": [{"logprobs": {"tokens": ["a", "b"], "token_logprobs": [-1]}, "text": "ab"}]}
    with pytest.raises(InputError, match="choice 0, token_logprobs: expected one entry per token, 2 in all, got 1"):
        read(wrong)


@each_case(
    "data",
    [b"", b"\n", b"data: [DONE]\n", b"[]", b"2", b'"x"', b"{}", b'{"a": 1}', b'{"choices": [1]}', b"[" * 100_000],
)
def test_input_that_is_not_a_response(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^FILE"):
        read(data)


def test_options_that_a_response_excludes() -> None:
    with pytest.raises(UsageError, match="--labels"):
        read(KINDS["chat"], labels=Labels(("a", "b")))
    with pytest.raises(UsageError):
        read(KINDS["chat"], quantity="energy")
    assert here("compute", "--labels", "a,b", stdin=json.dumps(KINDS["chat"])).returncode == 2


SMALL = [json.dumps(KINDS["chat"]).encode(), json.dumps(KINDS["completions"], indent=1).encode(), STREAMS["responses"]]


@pytest.mark.parametrize("data", SMALL, ids=["chat", "completions", "stream"])
def test_every_truncation_is_an_error(data: bytes) -> None:
    for end in range(0, len(data), len(data) // 200):
        read_or_refuse(data[:end])


def test_a_truncation_is_located() -> None:
    with pytest.raises(InputError, match=r"^FILE:1: not JSON"):
        read(SMALL[0][:100])
    with pytest.raises(InputError, match=r"^FILE:[4-9]: not JSON"):
        read(SMALL[1][:100])


def read_or_refuse(data: bytes) -> None:
    try:
        blocks = read(data)
    except InputError:
        return
    for block in blocks:
        assert block.labels
        assert block.partial
        assert len(block.labels) == block.logits.shape[1] == len(block.partial.logprobs)
        assert np.isfinite(block.logits.max())
        assert block.logits.max() <= 1e-6


KEYS = sorted(set(re.findall(r'"([A-Za-z_]+)":', json.dumps(KINDS) + STREAMS["responses"].decode())))
LEAVES = [None, True, False, -0.5, -9, 1, 0.25, -9999, 300, "a", "\ufffd", "\\", ""]


@pytest.mark.parametrize("form", ["{}\n", "data: {}\n", "[{}]"])
def test_any_json_is_read_or_refused(form: str) -> None:
    random = Random(1)
    for _ in range(60):
        read_or_refuse(form.replace("{}", json.dumps(random_value(random, LEAVES, KEYS))).encode())


def test_any_bytes_are_read_or_refused() -> None:
    random = Random(1)
    pieces = [b"data:", b"{", b"}", b"[", b"]", b'"choices":', b"\n", b"\xff", b"1", b":", b","]
    for _ in range(100):
        read_or_refuse(b"".join(random.choices(pieces, k=random.randint(0, 20))))


# The whole program


def records(*arguments: str, name: str = "openai-chat") -> list[dict[str, Any]]:
    done = here("compute", "-f", "jsonl", "-i", str(DATA / f"{name}.json"), *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_records() -> None:
    rows = records("--tau", "0.5,1,2", "--vocab-size", VOCABULARY)
    assert len(rows) == 24
    for record in rows:
        assert (record["exact"], record["probs"]) == (False, None)
        low, high, among = (np.array(record[f"probs_{end}"]) for end in ("low", "high", "listed"))
        assert (low <= high).all()
        assert (high <= among).all()
        assert low.min() > 0
    first = rows[1]
    assert (first["row"], first["token"], first["choice"], first["labels"][:2]) == (0, "The", 0, ["The", "Paris"])
    assert first["probs_low"] == first["probs_high"]
    assert first["probs_low"][0] == pytest.approx(math.exp(-1.6850967407226562), rel=1e-15)


def test_a_text_has_the_likelihood_that_the_server_reports() -> None:
    """At τ = 1 the log-probability is the sum of the server's log-probabilities."""
    content = json.loads((DATA / "openai-chat.json").read_bytes())["choices"][0]["logprobs"]["content"]
    total = sum(item["logprob"] for item in content)
    last = records("--chosen")[-1]
    assert last["text_logprob_low"] == last["text_logprob_high"] == pytest.approx(total)
    assert last["sequence_perplexity_high"] == pytest.approx(math.exp(-total / len(content)))
    assert [record["rank"] for record in records("--chosen", name="llama-server-post-sampling")] == [1, 1, ">12", 2]


def test_a_temperature_is_undone() -> None:
    """The alternatives of a server that samples at T become those of the model, exactly."""
    raw = np.array([0.0, -1.0, -2.5])
    tempered = tsoft.log_softmax(raw, 0.7)
    response = json.dumps(chat(entry("a", tempered[0], *zip("abc", tempered.tolist(), strict=True))))
    [line] = here("compute", "--applied-tau", "0.7", stdin=response).stdout.splitlines()
    np.testing.assert_allclose([float(p) for p in line.split("\t")], tsoft.softmax(raw), rtol=1e-12)
    at = json.loads(here("compute", "--applied-tau", "0.7", "--tau", "0.7", "-f", "jsonl", stdin=response).stdout)
    assert at["probs_low"] == at["probs_high"]
    assert at["probs_low"] == pytest.approx(np.exp(tempered))


def test_notes() -> None:
    done = here("compute", "-i", str(DATA / "llama-server-post-sampling.json"))
    notes = done.stderr.splitlines()
    assert len(notes) == 4
    assert "the prob fields are probabilities after the server's temperature and samplers" in notes[0]
    assert notes[0].endswith("pass --applied-tau to undo the temperature")
    assert "note: tsv contains the probabilities among the listed tokens alone" in notes[1]
    assert "row 1: the 7 alternatives sum to 1" in notes[2]
    assert "at least 87.14 % (row 0), on average 96.16 %" in notes[3]
    undone = here("compute", "-i", str(DATA / "llama-server-post-sampling.json"), "--applied-tau", "0.8")
    assert "pass --applied-tau" not in undone.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--vocab-size", "5"), "row 0 lists 20 tokens"),
        (
            ("--vocab-size", str(10**20), "--tau", "2"),
            "--vocab-size: expected a whole number from 1 to 1e+12, got 1000",
        ),
        (("--vocab-size", "25"), "cannot have 0.343 of the probability"),
        (("--applied-tau", "0"), "--applied-tau"),
        (("--applied-tau", "nan"), "--applied-tau"),
        (("--chosen", "-f", "tsv"), "--chosen"),
    ],
)
def test_wrong_options(arguments: tuple[str, ...], message: str) -> None:
    done = here("compute", "-i", str(DATA / "openai-chat.json"), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize("option", [("--vocab-size", "9"), ("--applied-tau", "2"), ("--chosen", "-f", "jsonl")])
def test_options_that_only_a_response_has(option: tuple[str, ...]) -> None:
    done = here("compute", "1", "2", *option)
    assert (done.returncode, done.stdout) == (2, "")
    assert option[0] in done.stderr


def test_the_table() -> None:
    table = here("compute", "-i", str(DATA / "openai-chat.json"), "--chosen", "-f", "table", "--show", "3").stdout
    assert table.startswith("row 0 'The'\n")
    assert "\nrow 1 ' capital'\n" in table
    for words in ("listed", "low–high", "› 'The'", "  'Paris'", "… 17 more", "chosen", "rank", "text, 8 tokens"):
        assert words in table
    # Three columns fit, so the second table starts with bounds.
    wide = run("compute", "-i", str(DATA / "llama-server.json"), "--tau", "0.5,2", "-f", "table", COLUMNS="110").stdout
    assert wide.split("row 1")[0].count("nats²") == wide.split("row 1")[0].count("low–high") == 2
    several = json.dumps({"choices": [{"index": i, "logprobs": {"content": ENTRIES}} for i in range(2)]})
    table = here("compute", "-f", "table", "--rows", "4", "--chosen", stdin=several).stdout
    assert "row 3 '\\n' of choice 1\n" in table
    assert "text 1, 2 tokens" in table


def test_other_formats_and_commands() -> None:
    path = str(DATA / "llama-server.json")
    for command in ("sweep --steps 3 -f csv", "sample --seed 1 -f table --listed-only", "sweep --mean --listed-only"):
        done = here(*command.split(), "-i", path)
        assert done.returncode == 0, (command, done.stderr)


def test_logits_that_are_not_a_response_have_no_notes() -> None:
    assert out("compute", "2", "1")


def test_records_read_back() -> None:
    """The probabilities among the listed alternatives are read as a row of probabilities."""
    typed = ("compute", "-i", str(DATA / "llama-server.json"), "--tau", "0.7", "-f")
    done = here("compute", stdin=here(*typed, "jsonl").stdout)
    assert done.stderr.count("not exact; probs_listed are of the listed tokens alone, which tsoft takes for all") == 1
    again = done.stdout
    direct = here(*typed, "tsv").stdout
    for line, expected in zip(again.splitlines(), direct.splitlines(), strict=True):
        assert [float(p) for p in line.split("\t")] == pytest.approx(
            [float(p) for p in expected.split("\t")], rel=1e-12
        )


@each_case(
    "later",
    [
        {"token": "x", "logprob": -0.0234567},
        {"token": "y", "logprob": -5.4321098},
        {"token": "b", "logprob": -0.1234567},
    ],
)
def test_alternatives_of_the_token_before_do_not_change_the_number_of_the_drawn_token(later: dict[str, Any]) -> None:
    """SGLang repeats those of the first token in a piece, also if their probabilities may sum to less than 1:
    serving_chat.py, top_logprobs_idx."""
    tops = ("a", -0.125), ("b", -3.0)
    notes: list[str] = []
    entries = entry("a", -0.125, *tops), *[entry(later["token"], later["logprob"], *tops)] * 2
    first, *others = read(chat(*entries), note=notes.append)
    taus = np.array([0.5, 1.0, 2.0])
    for block in others:
        assert block.partial
        low, high = (bound[:, block.partial.index] for bound in block.partial.log_bounds(taus))
        assert low[1] == high[1] == later["logprob"]
        # The rest may be one token, or so many that their weight at τ = 2 has no bound.
        prob = math.exp(later["logprob"])
        assert np.exp(low) == pytest.approx([prob**2 / (prob**2 + (1 - prob) ** 2), prob, 0.0], abs=1e-6)
    assert first.partial
    assert not first.partial.unknown.any()
    assert "alternatives are those of the previous token, without the drawn token" in notes[0]
    assert notes[1:] == ["FILE: 2 rows have alternatives that contradict the drawn token; tsoft uses only its number"]


def test_equal_alternatives_of_the_first_tokens_of_two_answers_count() -> None:
    """Two answers to one prompt, and an answer whose tokens are in the same list, as those of a unigram model."""
    tops = ("a", -0.5), ("b", -1.5)
    choices = [{"index": i, "logprobs": {"content": [entry(*tops[i], *tops)] * 2}} for i in range(2)]
    notes: list[str] = []
    blocks = read({"choices": choices}, note=notes.append)
    assert notes == []
    assert all(block.partial and block.partial.cap > -math.inf and not block.partial.unknown.any() for block in blocks)


def test_alternatives_that_contradict_the_drawn_token_do_not_scale_its_number() -> None:
    """Together, the probabilities are 0.78 + 0.37 + 0.22."""
    block, [message] = noted(chat(entry("c", -0.25, ("a", -1.0), ("b", -1.5))))
    assert block.partial
    low, high = block.partial.log_bounds(np.array([1.0]))
    np.testing.assert_array_equal(low, [[np.nan, np.nan, -0.25]])
    np.testing.assert_array_equal(high, low)
    assert "the probabilities of the drawn token and of the alternatives sum to 1.37, more than 1" in message


def test_a_drawn_token_among_alternatives_that_sum_to_more_than_1_keeps_its_number() -> None:
    """The alternatives exceed 1 by themselves, as after imprecise arithmetic, so they do not contradict it."""
    [block] = read(chat(entry("a", -0.5, ("a", -0.5), ("b", -0.75))))
    assert block.partial
    for bound in block.partial.log_bounds(np.array([1.0])):
        np.testing.assert_array_equal(bound, [[-0.5, -0.75]])


def test_an_alternative_that_hides_bytes_may_hide_others_in_a_list() -> None:
    """SGLang's lists come from an object keyed by text, and their bytes are those of the text. Two alternatives with
    this text, or their ids, show that the list has all of them."""
    tops = [("a", -0.75), ("\ufffd", -2.5)]
    [alone] = read(chat(entry("a", -0.75, *tops)))
    [twice] = read(chat(entry("a", -0.75, *tops, ("\ufffd", -3.0))))
    with_ids = [{"id": i, "token": token, "logprob": logprob} for i, (token, logprob) in enumerate(tops)]
    [by_id] = read(chat(entry("a", -0.75, id=0, top_logprobs=with_ids)))
    assert [block.partial.cap for block in (alone, twice, by_id) if block.partial] == [math.inf, -3.0, -2.5]


def test_an_alternative_is_not_known_to_be_more_probable_than_a_drawn_one_without_a_number() -> None:
    """A drawn token that is not listed follows the most probable tokens."""
    tops = [{"token": "b", "logprob": -3.0}, {"token": "a", "logprob": None}]
    [listed] = read(chat({"token": "a", "logprob": None, "top_logprobs": tops}))
    [unlisted] = read(chat({"token": "c", "logprob": None, "top_logprobs": tops}))
    assert [block.partial.more_probable for block in (listed, unlisted) if block.partial] == [0, 1]


@pytest.mark.parametrize(
    ("token", "data", "expected"),
    [
        (" b", "IGI=", " b"),
        ("\ufffd", "w7M=", "\ufffd"),
        ("\ufffd", "4oA=", "<0xE2><0x80>"),
        (None, "Lg==", "."),
        ("Lg==", "Lg==", "Lg=="),
        ("", "", ""),
    ],
)
def test_bytes_may_be_base64_or_the_text(token: str | None, data: str, expected: str) -> None:
    """Protobuf's MessageToJson writes base64. A token's text may look like base64."""
    [block] = read(chat({"token": token, "logprob": -0.5, "bytes": data}))
    assert chosen([block]) == [expected]
    if token != "\ufffd":
        with pytest.raises(InputError, match="expected an array of whole numbers from 0 to 255, or these bytes in"):
            read(chat({"token": "odd", "logprob": -0.5, "bytes": data or "b"}))
