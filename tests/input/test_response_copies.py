"""Streams whose events repeat tokens, and logs that contain an answer several times."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cases import each_case
from response_documents import choice, chunk, end, entry, lines, read, read_json, texts

REPEATED = "the pieces repeat the tokens before them; tsoft reads each once"


def data(*documents: object) -> bytes:
    return b"".join(b"data: " + line + b"\n" for line in lines(*documents).splitlines())


def entries(text: str) -> list[dict[str, Any]]:
    """Return a token for each character, with numbers that differ."""
    return [entry(token, -0.125 * i - 0.25) for i, token in enumerate(text)]


def answer(text: str, **fields: Any) -> dict[str, Any]:
    return {"index": 0, "logprobs": {"content": entries(text)}, "finish_reason": "stop"} | fields


def whole(text: str, **fields: Any) -> dict[str, Any]:
    return {"id": "r1", "object": "chat.completion", "choices": [answer(text)]} | fields


def piece(text: str, i: int, **fields: Any) -> dict[str, Any]:
    """Return the piece of a stream with the token at this index."""
    delta = {"delta": {"content": text[i]}, "logprobs": {"content": entries(text)[i : i + 1]}, "finish_reason": None}
    return {"id": "r1", "object": "chat.completion.chunk", "choices": [answer(text) | delta]} | fields


def output(name: str, text: str, *, finished: bool = False) -> dict[str, Any]:
    """Return a RequestOutput of vLLM's AsyncLLM, which has the whole text so far (RequestOutputKind.CUMULATIVE)."""
    maps = [{str(ord(token)): {"logprob": -0.5, "decoded_token": token}} for token in text]
    completion = {"index": 0, "text": text, "token_ids": [*map(ord, text)], "logprobs": maps}
    reason = "stop" if finished else None
    return {"request_id": name, "outputs": [completion | {"finish_reason": reason}], "finished": finished}


def test_pieces_that_repeat_the_text_so_far_are_read_once() -> None:
    for form in (lines, data, lambda *documents: json.dumps(documents).encode()):
        blocks, [note] = read(form(output("1", "a"), output("1", "ab"), output("1", "abb", finished=True)))
        assert texts(blocks) == [["a", "b", "b"]]
        assert REPEATED in note
    # Two requests at the same time, the second of which begins with the tokens of the first.
    both = [output("1", "a"), output("2", "a"), output("1", "ac"), output("2", "ab"), output("1", "ac", finished=True)]
    assert texts(read(lines(*both))[0]) == [["a", "c"], ["a", "b"]]


def test_pieces_with_several_new_tokens_are_not_repetitions() -> None:
    pieces = [chunk("a"), {"choices": [choice("b", "a", finish_reason=None)]}, end()]
    blocks, notes = read(data(*pieces))
    assert (texts(blocks), notes) == ([["a", "b", "a"]], [])
    # The second piece begins with the same token, which is certain.
    certain = entry("a", 0.0)
    pieces = [
        {"choices": [{"delta": {"content": "a"}, "logprobs": {"content": tokens}, "finish_reason": None}]}
        for tokens in ([certain], [certain, entry("b")])
    ]
    blocks, notes = read(data(*pieces))
    assert (texts(blocks), notes) == ([["a", "a", "b"]], [])
    # The tokens are equal, but not their alternatives.
    other = {"logprobs": {"content": [entry("a") | {"top_logprobs": [entry("a"), entry("x", -1.5)]}, entry("b")]}}
    blocks, notes = read(data(chunk("a"), {"choices": [other | {"index": 0, "finish_reason": None}]}, end()))
    assert (texts(blocks), notes) == ([["a", "a", "b"]], [])


def legacy(*tokens: str) -> dict[str, Any]:
    lists = {"tokens": tokens, "token_logprobs": [0.0] * len(tokens)}
    return {"choices": [{"index": 0, "text": "".join(tokens), "logprobs": lists, "finish_reason": None}]}


def gemini(*tokens: str) -> dict[str, Any]:
    chosen = [{"token": token, "logProbability": 0.0} for token in tokens]
    return {"candidates": [{"logprobsResult": {"chosenCandidates": chosen}}]}


def ollama(*tokens: str) -> dict[str, Any]:
    certain = [entry(token, 0.0) for token in tokens]
    return {"message": {"content": "".join(tokens)}, "done": False, "logprobs": certain}


@each_case("pieces", [["a", "aaa", "ab"], ["a", "aa", "aaa", "aaaa"], ["ab", "aba", "abc"]])
@each_case("form", [legacy, gemini, ollama])
def test_pieces_that_begin_with_equal_certain_tokens_are_new(form: Callable[..., Any], pieces: list[str]) -> None:
    """vLLM with --stream-interval, Gemini, and Ollama send several new tokens in a piece."""
    blocks, notes = read(data(*(form(*piece) for piece in pieces)))
    assert (texts(blocks), notes) == ([[*"".join(pieces)]], [])


def test_certain_tokens_are_repeated_if_a_number_or_a_message_says_so() -> None:
    """SGLang's number of tokens, and DashScope's message."""
    for count in (None, 1, 2):
        pieces = []
        for text in ("a", "ab", "abc"):
            tokens = [[0.0, ord(token), token] for token in text]
            info = {"id": "x", "finish_reason": None, "completion_tokens": count and count * len(text)}
            pieces.append({"text": text, "meta_info": info | {"output_token_logprobs": tokens}})
        blocks, _ = read(data(*pieces))
        assert texts(blocks) == [[*("abc" if count == 1 else "aababc")]]
    for message, expected in (("ab", "ab"), ("aab", "aab")):
        parts = [("a", "a"), (message, "ab")]
        events = [
            {
                "output": {
                    "choices": [
                        {
                            "message": {"content": text},
                            "finish_reason": "null",
                            "logprobs": {"content": [entry(token, 0.0) for token in tokens]},
                        }
                    ]
                },
                "request_id": "q",
            }
            for text, tokens in parts
        ]
        assert texts(read(data(*events))[0]) == [[*expected]]


def test_tokens_in_two_lists_of_one_answer_are_not_repetitions() -> None:
    """The reasoning and the answer may begin with the same token."""
    lists = {"reasoning_content": entries("a"), "content": entries("ab")}
    blocks, [note] = read_json({"choices": [{"index": 0, "logprobs": lists, "finish_reason": "stop"}]})
    assert texts(blocks) == [["a", "a", "b"]]
    assert "as one text, in this order" in note


def test_dashscope_repeats_the_message_until_the_end() -> None:
    """docs.dashscope.cn, without incremental_output. The reason of an unfinished answer is a text."""
    parts = [("a", "null"), ("ab", "null"), ("ab", "stop")]
    events = [
        {"output": {"choices": [answer(text, message={"content": text}, finish_reason=reason)]}, "request_id": "q"}
        for text, reason in parts
    ]
    for form in (data, lines):
        assert texts(read(form(*events))[0]) == [["a", "b"]]


# The events of LangChain's astream_events, of the stream helper of openai-python (lib/streaming/chat/_events.py), and
# of OpenAI's Agents SDK (agents/stream_events.py).
EVENTS: dict[str, list[dict[str, Any]]] = {
    "LangChain": [
        *(
            {"event": "on_chat_model_stream", "data": {"chunk": {"type": "AIMessageChunk", "content": [token]}}}
            for token in entries("aba")
        ),
        {"event": "on_chat_model_end", "data": {"output": {"type": "AIMessage", "content": entries("aba")}}},
    ],
    "tokens": [
        *(
            {
                "type": "logprobs.content.delta",
                "content": entries("aba")[i : i + 1],
                "snapshot": entries("aba"[: i + 1]),
            }
            for i in range(3)
        ),
        {"type": "logprobs.content.done", "content": entries("aba")},
    ],
    "chunks and tokens": [
        event
        for i in range(3)
        for event in (
            {"type": "chunk", "chunk": piece("aba", i), "snapshot": whole("aba"[: i + 1])},
            {
                "type": "logprobs.content.delta",
                "content": entries("aba")[i : i + 1],
                "snapshot": entries("aba"[: i + 1]),
            },
        )
    ],
    "agents": [
        *(
            {"type": "raw_response_event", "data": {"type": "response.output_text.delta", "logprobs": [token]}}
            for token in entries("aba")
        ),
        {"type": "run_item_stream_event", "item": {"content": [{"type": "output_text", "logprobs": entries("aba")}]}},
    ],
}


@pytest.mark.parametrize("events", EVENTS.values(), ids=EVENTS.keys())
def test_events_that_repeat_the_tokens_of_others_are_skipped(events: list[dict[str, Any]]) -> None:
    blocks, [note] = read(lines(*events))
    assert texts(blocks) == [["a", "b", "a"]]
    assert "FILE: tsoft skips the tokens of" in note


@each_case(
    "events",
    [
        [{"type": name, "response": piece("a", 0, id=name)} for name in ("x.done", "y.done")],
        [{"event": name, "data": piece("a", 0, id=name)} for name in ("on_a_stream", "on_a_end")],
        # Without ids, the events are those of two experiments.
        [{"type": name, "delta": {}, "logprobs": {"content": entries("a")}} for name in ("baseline", "treatment")],
    ],
)
def test_events_of_different_answers_are_not_skipped(events: list[dict[str, Any]]) -> None:
    blocks, notes = read(lines(*events))
    assert [token for text in texts(blocks) for token in text] == ["a", "a"]
    assert not any("skips the tokens" in note for note in notes)


def test_events_with_other_tokens_are_not_skipped() -> None:
    """The last token of a reasoning may be the first one of the answer, and both certain."""
    for number in (0.0, -0.5):
        events = [{"type": f"{kind}.delta", "logprobs": [entry("\n", number)]} for kind in ("reasoning", "text")]
        blocks, _ = read(data(*events))
        assert texts(blocks) == [["\n", "\n"]]


STREAM = [
    piece("ab", 0),
    piece("ab", 1),
    {"id": "r1", "object": "chat.completion.chunk", "choices": [end()["choices"][0]]},
]


@each_case(
    "documents",
    [
        [{"chunks": STREAM, "final": whole("ab")}],
        [*STREAM, whole("ab")],
        [{"spans": [{"parent": parent, "outputs": whole("ab")} for parent in (None, "root", "step")]}],
        [{"parent_run_id": parent, "outputs": whole("ab")} for parent in (None, "root")],
        [{"request": whole("ab")}, {"step": {"output": whole("ab")}}],
        [{"trace": {"id": "t", "output": whole("ab"), "observations": [{"id": "o", "output": whole("ab")}]}}],
    ],
)
def test_a_response_with_the_same_id_and_tokens_is_a_copy(documents: list[Any]) -> None:
    blocks, [note] = read(lines(*documents))
    assert texts(blocks) == [["a", "b"]]
    assert "tsoft reads the answers with the id 'r1' and equal tokens as one answer" in note


@each_case(
    "documents",
    [
        # Other ids or times, no ids, and ids of questions.
        [{"runs": [whole("ab"), whole("ab", id="r2")]}],
        [{"runs": [whole("ab", created=i) for i in (1, 2)]}],
        [{"run": whole("ab", created=i)} for i in (1, 2)],
        [{"runs": [whole("ab", id="") for _ in range(2)]}],
        [{"runs": [{"id": "q1", "sample": i, "logprobs": {"content": entries("ab")}} for i in range(2)]}],
        [{"id": "q1", "sample": i, "response": {"logprobs": {"content": entries("ab")}}} for i in range(2)],
        [{"id": "r1", "object": "chat.completion", "choices": [answer("ab"), answer("ab", index=1)]}],
    ],
)
def test_equal_answers_that_may_be_distinct_are_all_read(documents: list[Any]) -> None:
    blocks, notes = read(lines(*documents))
    assert (texts(blocks), notes) == ([["a", "b"]] * 2, [])


@each_case(
    "documents",
    [
        [whole("ab"), whole("ab")],
        [{"seed": i, "response": whole("ab")} for i in range(2)],
        [[{"seed": i, "response": whole("ab")} for i in range(2)]],
        [{"experiment": {"parent": "x", "runs": [{"seed": i, "response": whole("ab")} for i in range(2)]}}],
    ],
)
def test_records_with_the_same_id_and_tokens_are_different_answers(documents: list[Any]) -> None:
    """KoboldCpp gives each response the same id (koboldcpp.py)."""
    blocks, [note] = read(lines(*documents))
    assert texts(blocks) == [["a", "b"]] * 2
    assert "tsoft reads the answers with the id 'r1' and equal tokens as different answers" in note


@each_case(
    "question",
    [{"id": "q1", "choices": ["w", "x"]}, {"id": "q1", "object": "mug"}],
)
def test_the_id_of_a_question_is_that_of_no_response(question: dict[str, Any]) -> None:
    inner = question | {"logprobs": {"content": entries("ab")}}
    blocks, notes = read(lines({"item": inner}, {"other": inner}))
    assert (texts(blocks), notes) == ([["a", "b"]] * 2, [])


def test_a_message_that_repeats_the_pieces_of_an_unfinished_text_is_read_once() -> None:
    message = whole("ab", choices=[answer("ab", message={"content": "ab"})])
    blocks, [note] = read(lines(*STREAM[:2], message))
    assert texts(blocks) == [["a", "b"]]
    assert REPEATED in note


def test_an_id_shared_by_different_answers_is_ignored() -> None:
    runs = [{"run": whole(text)} for text in ("b", "a", "a")]
    for documents in (runs, [{"runs": runs}]):
        blocks, notes = read(lines(*documents))
        assert (texts(blocks), notes) == ([["b"], ["a"], ["a"]], [])


def test_an_object_without_log_probabilities_is_skipped_with_a_note() -> None:
    start = {"event": "on_chat_model_start", "run_id": "a", "data": {"input": {"messages": []}}}
    blocks, [note] = read(lines(start, {"event": "x", "data": whole("a")}))
    assert texts(blocks) == [["a"]]
    assert "no log-probabilities; tsoft skips this object" in note
