"""Reading what each product writes. Each file in tests/data/responses is named for the product and the version whose
source or documentation shows its fields."""

import contextlib
import io
import itertools
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import tsoft
from cases import each_case
from response_documents import choice, chunk, end, entry, lines, read, read_json, texts
from tool import TESTS, here
from tsoft.errors import InputError
from tsoft.input import json as json_reader
from tsoft.input.read_options import ColumnOptions, ReadOptions, TargetSource

FILES = sorted((TESTS / "data/responses").iterdir())
# All files have two tokens: " a" of " a" and " b", then "." of "," and ".". Their log-probabilities:
LOGPROBS = [{" a": -0.5, " b": -1.5}, {",": -0.25, ".": -2.0}]
# Some products do not write the texts, and some no alternatives.
IDS = {"#11": " a", "#12": " b", "#13": ".", "#14": ","}
DRAWN_ALONE = ("cohere", "together-v1-chat-stream")
SKIPPED_PROMPT = "tsoft skips the tokens of the prompt"
FIRST = "tsoft takes the first one of each position"
NOTES = {
    "deepseek-v3.1-reasoning-stream.sse": ["of reasoning_content and content as one text, in this order"],
    "mlx-lm-0.29-chat.json": ["each token is the first of its alternatives, as MLX LM lists them"],
    "sglang-0.4-generate-stream.sse": [SKIPPED_PROMPT],
    "sglang-0.4-generate.json": [SKIPPED_PROMPT],
    "triton-vllm-25.01-generate.json": [FIRST],
    "vllm-0.6-offline.json": [FIRST],
    "vllm-0.6-prompt-logprobs.json": [FIRST],
    "vllm-0.6-request-output.json": [SKIPPED_PROMPT],
    "watsonx-1-generation.json": [SKIPPED_PROMPT],
}


@each_case("path", FILES)
def test_every_product(path: Path) -> None:
    blocks, notes = read(path.read_bytes())
    drawn = [[IDS.get(label, label) for label in text] for text in texts(blocks)]
    assert drawn == [[" a", "."]]
    for block, logprobs in zip(blocks, LOGPROBS, strict=True):
        assert block.labels
        labels = [IDS.get(label, label) for label in block.labels]
        assert sorted(labels) == sorted(logprobs) or (path.name.startswith(DRAWN_ALONE) and labels[0] in logprobs)
        np.testing.assert_allclose(block.logits[0], [logprobs[label] for label in labels])
    expected = NOTES.get(path.name, [])
    assert len(notes) == len(expected)
    assert all(words in note for words, note in zip(expected, notes, strict=True))


def documents_of(path: Path) -> list[Any]:
    data = path.read_text()
    if data.startswith("data:"):
        return [json.loads(line[5:]) for line in data.splitlines() if line.strip() and "[DONE]" not in line]
    return [json.loads(line) for line in data.splitlines()]


FORMS: dict[str, Callable[[list[Any]], str]] = {
    "lines": lambda documents: "".join(json.dumps(document) + "\n" for document in documents),
    "indented": lambda documents: json.dumps(documents if len(documents) > 1 else documents[0], indent=1),
    "data": lambda documents: "".join(f"data: {json.dumps(document)}\n\n" for document in documents),
    "twice": lambda documents: "".join(json.dumps(document) + "\n" for document in documents * 2),
    "in a log": lambda documents: "".join(
        json.dumps({"time": "x", "request": {"tau": 1}, "reply": document}) + "\n" for document in documents
    ),
}
# In a log, the pieces of these streams have nothing in common, and lines of tokens alone have no end.
WITHOUT_IDS = {
    "in a log": (
        *("cohere-v2-chat-stream.jsonl", "gemini-1.5-stream.json", "openai-tokens-as-lines.jsonl"),
        "langchain-0.3-stream.jsonl",
    ),
    "twice": ("openai-tokens-as-lines.jsonl",),
}


PATHS_AND_FORMS = [(path, form) for path in FILES for form in FORMS if path.name not in WITHOUT_IDS.get(form, ())]


@each_case(("path", "form"), PATHS_AND_FORMS)
def test_every_product_in_every_form(path: Path, form: str) -> None:
    blocks, _ = read(FORMS[form](documents_of(path)).encode())
    drawn = [[IDS.get(label, label) for label in text] for text in texts(blocks)]
    assert drawn == [[" a", "."]] * (2 if form == "twice" else 1)


VALUES: list[Any] = [None, True, 0, -1, -0.5, 1.5, "a", "", [], {}, [1], [None], [{}], {"a": -1}, "-inf"]
VALUES += [{"token": "a", "logprob": -1}, [{"token": "a", "logprob": -1}], [[-1, 2, "a"]], {"7": {"logprob": -1}}]


def test_a_response_with_other_values_is_read_or_refused() -> None:
    """Some values anywhere in a product's response are removed or replaced."""
    random = Random(1)
    documents = [document for path in FILES for document in documents_of(path)]
    for _ in range(600):
        document = json.loads(json.dumps(random.choice(documents)))
        for _ in range(random.randint(1, 3)):
            places = list(walk(document))
            if not places:
                break
            node, key = random.choice(places)
            if random.random() < 0.2 and isinstance(node, dict):
                del node[key]
            else:
                node[key] = json.loads(json.dumps(random.choice(VALUES)))
        with contextlib.suppress(InputError):
            for block in read((random.choice(["", "data: "]) + json.dumps(document)).encode())[0]:
                assert not np.isnan(block.logits).any()
                assert np.isfinite(block.logits.max())


def walk(node: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from walk(node[key])


def test_the_fixtures_are_read_by_the_program() -> None:
    """The names of the files, and their first bytes, identify the format."""
    for name in ("tgi-2.3-generate-stream.sse", "cohere-v2-chat-stream.jsonl", "openai-content-list.json"):
        done = here("compute", "-i", str(TESTS / "data/responses" / name))
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)


def test_every_example_of_the_manual_is_read() -> None:
    page = Path(tsoft.__file__).with_name("docs") / "api-responses.md"
    rows = page.read_text(encoding="utf-8").partition("## Formats")[2].partition("- **Texts")[0].splitlines()
    cells = [row.split(" | ")[1].strip("`") for row in rows if row.count(" | ") == 2]
    examples = [cell for cell in cells if cell[:1] in "[{" and "…" not in cell]
    assert len(examples) >= 8
    for example in examples:
        assert read(example.encode())[0]


# One token as most products write it.


def test_lists_beside_the_content_are_read_in_order() -> None:
    """The reasoning was generated before the answer, wherever the object has it."""
    lists = {"content": [entry("c")], "refusal": [entry("r")], "reasoning_content": [entry("t")]}
    blocks, [note] = read_json({"choices": [{"index": 0, "logprobs": lists, "finish_reason": "stop"}]})
    assert texts(blocks) == [["t", "c", "r"]]
    assert "reasoning_content and content and refusal as one text" in note


def test_lists_of_one_name_are_noted_with_their_path() -> None:
    """Cerebras writes the logprobs of the reasoning beside those of the answer."""
    lists = {"logprobs": {"content": [entry("c")]}, "reasoning_logprobs": {"content": [entry("t")]}}
    blocks, [note] = read_json({"choices": [{"index": 0, "finish_reason": "stop"} | lists]})
    assert texts(blocks) == [["t", "c"]]
    assert "reasoning_logprobs.content and logprobs.content as one text, in this order" in note


def test_only_the_reasoning_has_tokens() -> None:
    blocks, notes = read_json({"choices": [{"logprobs": {"content": None, "reasoning_content": [entry("t")]}}]})
    assert (texts(blocks), notes) == ([["t"]], [])


def test_the_prompt_is_read_if_there_is_nothing_else() -> None:
    """The first token of a prompt has no distribution. SGLang's prompt has pairs or triples."""
    prompt = [[None, 1, None], [-1.0, 2, "b"], [-2.0, 3]]
    blocks, notes = read_json({"text": "", "meta_info": {"input_token_logprobs": prompt, "output_token_logprobs": []}})
    assert (texts(blocks), notes) == ([["b", "#3"]], [])
    prefill = [{"id": 1, "text": "<s>", "logprob": None}, {"id": 2, "text": "b", "logprob": -1.0}]
    blocks, notes = read_json({"generated_text": "", "details": {"prefill": prefill, "tokens": []}})
    assert (texts(blocks), notes) == ([["b"]], [])


def test_ids_of_a_vllm_output_mark_the_drawn_tokens() -> None:
    """Without them, the first token of each map is the drawn one, which a note says."""
    maps = [{"1": {"logprob": -2.0}, "2": {"logprob": -1.0, "decoded_token": "b"}}, {"3": {"logprob": -1.0}}]
    blocks, notes = read_json({"outputs": [{"index": 0, "token_ids": [2, 9], "logprobs": maps}]})
    assert (texts(blocks), notes) == ([["b", "#9"]], [])
    assert blocks[1].partial
    assert np.isnan(blocks[1].partial.logprobs[1])
    blocks, [note] = read_json(maps)
    assert texts(blocks) == [["#1", "#3"]]
    assert FIRST in note


def test_the_flat_lists_of_vllm_are_maps() -> None:
    """vllm/logprobs.py, FlatLogprobs: the alternatives of all positions side by side."""
    flat: dict[str, Any] = {
        "start_indices": [0, 2],
        "end_indices": [2, 3],
        "token_ids": [5, 6, 7],
        "logprobs": [-1.5, -0.5, -0.25],
    }
    texts_of_ids = {"decoded_tokens": ["a", "b", None], "ranks": [2, 1, 1]}
    blocks, notes = read_json({"outputs": [{"index": 0, "token_ids": [6, 7], "logprobs": flat | texts_of_ids}]})
    assert ([block.labels for block in blocks], texts(blocks), notes) == ([("a", "b"), ("#7",)], [["b", "#7"]], [])
    assert [block.logits[0].tolist() for block in blocks] == [[-1.5, -0.5], [-0.25]]
    prompt = flat | {"start_indices": [0, 0, 2], "end_indices": [0, 2, 3]}
    blocks, _ = read_json({"prompt_token_ids": [1, 6, 7], "prompt_logprobs": prompt, "outputs": []})
    assert texts(blocks) == [["#6", "#7"]]
    for wrong in ({"logprobs": [-1.5]}, {"end_indices": [2]}, {"start_indices": ["0", 2]}):
        with pytest.raises(InputError, match="logprobs: log-probabilities in an unknown format"):
            read_json({"outputs": [{"token_ids": [6, 7], "logprobs": flat | wrong}]})


def test_ids_mark_the_drawn_tokens_in_maps_of_numbers() -> None:
    """The Response of lmdeploy/messages.py, and the RequestOutput of early vLLM."""
    maps = [{"5": -0.25, "6": -1.5}, {"7": -0.5, "8": None}]
    for answer in ({"text": "No.", "token_ids": [6, 9], "logprobs": maps}, {"token_ids": [6, 9], "logprobs": maps}):
        blocks, notes = read_json(answer)
        assert [block.labels for block in blocks] == [("#5", "#6"), ("#7", "#8", "#9")]
        assert (texts(blocks), notes) == ([["#6", "#9"]], [])
        assert blocks[0].logits.tolist() == [[-0.25, -1.5]]
    prompt = {"prompt_token_ids": [1, 2], "prompt_logprobs": [None, {"2": -3.0, "9": -0.5}]}
    blocks, notes = read_json(prompt | {"outputs": [{"text": "No.", "token_ids": [6, 7], "logprobs": None}]})
    assert (texts(blocks), notes) == ([["#2"]], [])
    blocks, [note] = read_json(prompt | {"outputs": [{"text": "No.", "token_ids": [6, 7], "logprobs": maps}]})
    assert texts(blocks) == [["#6", "#7"]]
    assert SKIPPED_PROMPT in note
    # Without an id among the names, these may be the texts of digits.
    blocks, [note] = read_json({"text": "No.", "token_ids": [20, 22], "logprobs": maps})
    assert texts(blocks) == [["5", "7"]]
    assert "takes the most probable one" in note


def mapped(text: str, logprob: float) -> dict[str, Any]:
    return {"logprob": logprob, "rank": 1, "decoded_token": text}


# Arrow writes the keys of all maps in a column into each of them: huggingface/datasets, issue 6699.
FIRST_MAP = {"5": mapped("N", -0.25), "6": mapped("n", -1.5), "7": None}
FILLED_MAPS = [FIRST_MAP, {"5": {"logprob": None, "rank": None}, "6": None, "7": mapped("o", -0.5)}]
ALL_NULL = dict.fromkeys(FIRST_MAP)


@pytest.mark.parametrize(
    ("document", "labels", "problems"),
    [
        (FILLED_MAPS, [("N", "n"), ("o",)], ["nulls into the maps may have changed their order"]),
        ({"prompt_logprobs": [ALL_NULL, *FILLED_MAPS]}, [("N", "n"), ("o",)], ["nulls into the maps may have"]),
        ({"token_ids": [6, 7], "logprobs": FILLED_MAPS}, [("N", "n"), ("o",)], []),
        (
            {"text": "no", "logprobs": [{"o": None, "N": -0.25, "n": -1.5}, {"o": -0.5, "N": None}]},
            [("o", "N", "n"), ("o", "N")],
            [],
        ),
        (
            {"text": "no", "top_logprobs": [{"N": -0.25, "n": -1.5, "o": None}, {"N": None, "o": -0.5}]},
            [("N", "n", "o"), ("N", "o")],
            [],
        ),
    ],
)
def test_the_nulls_that_arrow_writes_into_maps_are_no_drawn_tokens(
    document: Any, labels: list[tuple[str, ...]], problems: list[str]
) -> None:
    blocks, notes = read_json(document)
    assert [block.labels for block in blocks] == labels
    assert texts(blocks) == [["N" if problems else "n", "o"]]
    logprobs = dict(zip(blocks[0].labels or (), blocks[0].logits[0].tolist(), strict=True))
    assert (logprobs["N"], logprobs["n"]) == (-0.25, -1.5)
    assert len(notes) == len(problems)
    assert all(problem in note for problem, note in zip(problems, notes, strict=True))


def test_a_text_marks_the_drawn_tokens_among_alternatives() -> None:
    tops = [{" blue": -1.5, " b": -0.5}, {"lue": -2.0, ".": -0.25}]
    blocks, notes = read_json({"choices": [{"text": " blue.", "logprobs": {"top_logprobs": tops}}]})
    assert (texts(blocks), notes) == ([[" blue", "."]], [])
    # " blue" is " b" and "lue" only, since each list has a token.
    blocks, notes = read_json({"choices": [{"text": " blue", "logprobs": {"top_logprobs": tops}}]})
    assert (texts(blocks), notes) == ([[" b", "lue"]], [])
    # There are two ways to " abc", and none to "other".
    ambiguous = [{" a": -0.5, " ab": -1.5}, {"bc": -0.5, "c": -1.5}]
    for text, maps in ((" abc", ambiguous), ("other", tops)):
        blocks, [note] = read_json({"choices": [{"text": text, "logprobs": {"top_logprobs": maps}}]})
        assert texts(blocks) == [[max(top, key=top.__getitem__) for top in maps]]
        assert "the response does not contain the drawn token; tsoft takes the most probable one" in note


def test_another_text_beside_alternatives_marks_the_drawn_tokens() -> None:
    """aleph_alpha_client/completion.py, CompletionResult."""
    maps = [{" b": -0.5, " c": -1.5}, {".": -0.25, "!": -2.0}]
    for name, text in (("completion", " c!"), ("completion_tokens", [" c", "!"])):
        blocks, [note] = read_json({"completions": [{"log_probs": maps, name: text}]})
        assert texts(blocks) == [[" c", "!"]]
        assert f"the text in {name!r} shows which tokens were drawn" in note
    # A right answer need not be the drawn one.
    blocks, [note] = read_json({"top_logprobs": maps[:1], "target": " c", "choices_of_user": [" c"]})
    assert texts(blocks) == [[" b"]]
    assert "takes the most probable one" in note
    # One token may be equal to any text, but several are not.
    for name, text, expected in (("gt", " c", [" b"]), ("context", " c", [" b"]), ("raw", " c!", [" c", "!"])):
        blocks, _ = read_json({"top_logprobs": maps[: len(expected)], name: text})
        assert texts(blocks) == [expected]


def test_each_kind_of_guess_has_a_note() -> None:
    records = [{"generated_text": text, "top_logprobs": [{"a": -0.5, "b": -1.5}]} for text in "bcbc"]
    blocks, [spelled, most_probable] = read(lines(*records))
    assert texts(blocks) == [["b"], ["a"], ["b"], ["a"]]
    assert "'generated_text'" in spelled
    assert "most probable" in most_probable


def test_an_object_of_alternatives_is_one_token() -> None:
    for name, tops in (("top_logprobs", {"a": -0.5, "b": -1.5}), ("logprobs", {"b": -1.5, "a": -0.5})):
        blocks, [note] = read_json({"choices": [{name: tops}]})
        assert (texts(blocks), [block.labels for block in blocks]) == ([["a"]], [(*tops,)])
        assert "takes the most probable one" in note
    # More than certain, these are not the alternatives of one token.
    with pytest.raises(InputError, match="log-probabilities in an unknown format"):
        read_json({"choices": [{"logprobs": {"a": -0.25, "b": -0.5}}]})


def test_a_piece_of_several_tokens_has_ids_as_labels() -> None:
    blocks, _ = read_json({"logprobs": [{"text": "ab", "token_ids": [1, 2], "logprobs": [-1.0, -2.0]}]})
    assert texts(blocks) == [["#1", "#2"]]
    with pytest.raises(InputError, match="expected one entry per token, 2 in all, got 1"):
        read_json({"logprobs": [{"text": "ab", "token_ids": [1, 2], "logprobs": [-1.0]}]})
    with pytest.raises(InputError, match="piece 1, token_ids: missing; expected an array"):
        read_json({"logprobs": [{"text": "a", "token_ids": [1], "logprobs": [-1.0]}, {}]})


def test_tokens_and_logprobs_side_by_side_are_a_text_and_not_a_row() -> None:
    for record, tokens in (
        ({"tokens": ["a", "b"], "token_ids": [1, 2]}, ["a", "b"]),
        ({"token_ids": [1, 2]}, ["#1", "#2"]),
    ):
        blocks, [note] = read_json(record | {"logprobs": [-0.5, -0.25]})
        assert texts(blocks) == [tokens]
        assert "as those of successive tokens" in note
    blocks, [note] = read_json({"tokens": ["a", "b"], "log_probs": [-0.5, -0.25]})
    assert texts(blocks) == [["a", "b"]]
    assert "as those of successive tokens" in note
    with pytest.raises(InputError, match="logprobs: expected one entry per token, 2 in all, got 1"):
        read_json({"tokens": ["a", "b"], "logprobs": [-0.5]})


def test_a_list_of_alternatives_alone_is_one_token() -> None:
    """Different tokens whose probabilities sum to at most 1, in any order, as vLLM lists the drawn one first. With
    other numbers, the list is a text."""
    tops = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]
    for value in (tops, tops[::-1], {"top_logprobs": tops}, {"top_logprobs": tops[::-1]}, {"logprobs": tops}):
        [block], [note] = read_json(value)
        assert block.partial
        assert sorted(block.labels or ()) == ["a", "b"]
        assert block.logits[0, block.partial.index] == -0.5
        assert "as the alternatives of one token" in note
    for value in ([tops[0], tops[0]], [tops[0] | {"top_logprobs": []}, tops[1]], {"content": tops}):
        blocks, notes = read_json(value)
        assert (len(texts(blocks)), len(blocks), notes) == (1, 2, [])


def test_a_ranking_may_have_probabilities() -> None:
    """llama.cpp before 2025 in `probs`, and with post_sampling_probs in `top_probs`."""
    for name in ("tok_str", "token"):
        tops = [{name: "a", "prob": 0.75}, {name: "b", "prob": 0.125}]
        for value in (tops, {"probs": tops}, {"top_probs": tops}):
            [block], [note] = read_json(value)
            assert block.partial
            assert (block.labels, block.partial.index, block.partial.is_sampled) == (("a", "b"), 0, True)
            assert block.logits.tolist() == [[math.log(0.75), math.log(0.125)]]
            assert "as the alternatives of one token" in note
        blocks, notes = read_json([tops[0], tops[0]])
        assert (texts(blocks), notes) == ([["a", "a"]], [])


def test_wrong_numbers_in_a_ranking() -> None:
    with pytest.raises(InputError, match="logprob: 1000 is not a log-probability"):
        read_json([{"token": "a", "logprob": 1000}, {"token": "b", "logprob": -1}])


def test_alternatives_of_gemini_without_the_drawn_tokens() -> None:
    top = [{"candidates": [{"token": "a", "logProbability": -0.5}, {"token": "b", "logProbability": -1.5}]}]
    parts = {"content": {"parts": [{"text": "b"}]}}
    blocks, [note] = read_json({"candidates": [parts | {"logprobsResult": {"topCandidates": top}}]})
    assert texts(blocks) == [["a"]]
    assert "takes the most probable one" in note


@pytest.mark.parametrize("token_id", [0, 7])
def test_one_alternative_without_a_text_is_not_a_map_of_numbers(token_id: int) -> None:
    """Gemini leaves out an empty text, and vLLM without a tokenizer has only ids."""
    token = {"tokenId": token_id, "logProbability": -0.25}
    lists = {"topCandidates": [{"candidates": [token]}], "chosenCandidates": [token]}
    ids = {"token_id": token_id, "logprob": -0.25, "rank": 1}
    for logprobs in ({"logprobsResult": lists}, {"logprobs": {"content": [ids | {"top_logprobs": [ids]}]}}):
        [block], notes = read_json({"choices": [logprobs]})
        assert (block.labels, block.logits.tolist(), notes) == ((f"#{token_id}",), [[-0.25]], [])
    # The program llm saves the alternatives as one map, in which these are the texts of tokens.
    llm = {"token": "id", "logprob": -0.25, "top_logprobs": [{"id": -0.25, "logprob": -2.0}]}
    [block], _ = read_json({"choices": [{"logprobs": {"content": [llm]}}]})
    assert block.labels == ("id", "logprob")


def test_an_answer_that_repeats_its_list_is_read_once() -> None:
    """Two answers may be equal."""
    logprobs = {"logprobs": {"content": [entry("a")]}}
    blocks, _ = read_json({"generations": [[{"generation_info": logprobs, "message": logprobs}]] * 2})
    assert texts(blocks) == [["a"], ["a"]]
    blocks, notes = read_json({"text": logprobs, "message": {"kwargs": logprobs}})
    assert (texts(blocks), notes) == ([["a"]], [])


def test_a_copy_of_an_answer_under_another_name_is_read_once() -> None:
    """llama.cpp, tools/server/server-task.cpp: with --verbose, a chat has the tokens of the native response, too."""
    verbose = {"content": "ab", "stop": True, "completion_probabilities": [entry("a"), entry("b")]}
    for order in (1, -1):
        document = dict([("choices", [choice("a", "b")]), ("__verbose", verbose)][::order])
        blocks, notes = read_json(document)
        assert (texts(blocks), notes) == ([["a", "b"]], [])
    # Another list is no copy.
    verbose["completion_probabilities"] = [entry("a"), entry("c")]
    assert len(read_json({"choices": [choice("a", "b")], "__verbose": verbose})[0]) == 4


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_lists_of_one_answer_the_one_with_alternatives_is_read(order: int) -> None:
    """lmdeploy/serve/openai/protocol.py: with return_logprob, a choice of a chat has the ids of its tokens, too."""
    pairs = {"output_token_logprobs": [[-0.5, 11], [-0.5, 12]], "logprobs": {"content": [entry("a"), entry("b")]}}
    answer = dict([("index", 0), ("finish_reason", "stop"), *pairs.items()][::order])
    blocks, notes = read_json({"choices": [answer]})
    assert (texts(blocks), notes) == ([["a", "b"]], [])
    assert [block.labels for block in blocks] == [("a",), ("b",)]
    # With other numbers, these are other tokens.
    answer["output_token_logprobs"] = [[-0.5, 11], [-0.75, 12]]
    assert len(read_json({"choices": [answer]})[0]) == 4


ANSWERS: dict[str, Callable[[str], Any]] = {
    "lists side by side": lambda text: {"tokens": [text], "token_logprobs": [-0.5], "top_logprobs": [{text: -0.5}]},
    "object logprobs": lambda text: {"content": [entry(text)]},
    "answer": lambda text: {"logprobs": {"content": [entry(text)]}, "answer": text},
    "response": lambda text: {"choices": [choice(text, finish_reason="stop")]},
    "array of responses": lambda text: [{"choices": [choice(text)]}],
    "list of tokens": lambda text: [entry(text)],
    "token": entry,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_the_fields_of_an_object_of_answers_are_different_texts(answer: Callable[[str], Any]) -> None:
    """Some of them are equal."""
    answers = {"q1": answer("Yes"), "q2": answer("No"), "q3": answer("Yes")}
    for document in (answers, {"time": "x", "runs": {"tau 0": answers}}):
        blocks, notes = read_json(document)
        assert (texts(blocks), notes) == ([["Yes"], ["No"], ["Yes"]], [])


@pytest.mark.parametrize("answer", [ANSWERS["object logprobs"], ANSWERS["response"]])
def test_fields_with_equal_tokens_are_copies_unless_their_ids_differ(answer: Callable[[str], Any]) -> None:
    blocks, [note] = read_json({"raw": answer("Yes"), "parsed": answer("Yes")})
    assert texts(blocks) == [["Yes"]]
    assert "fields with equal tokens, such as 'raw' and 'parsed', as one answer" in note
    blocks, [note] = read_json({"0.0": answer("Yes"), "1.0": answer("Yes")})
    assert "such as '0.0' and '1.0', as one answer" in note
    blocks, notes = read_json({"q1": answer("Yes") | {"id": "a"}, "q2": answer("Yes") | {"id": "b"}})
    assert (texts(blocks), notes) == ([["Yes"], ["Yes"]], [])


@pytest.mark.parametrize(
    ("document", "expected", "problem"),
    [
        (
            {"base": [entry("a")], "tuned": [entry("a")], "other": [entry("b")]},
            [["a", "b"]],
            "'base' and 'tuned', as one",
        ),
        ({"a token?": [entry("a")], "a list?": [entry("a")]}, [["a"]], "'a token?' and 'a list?', as one"),
        ({"first": [entry("a")], "second": [entry("b")]}, [["a", "b"]], "the tokens of first and second as one text"),
        ({"a?": [entry("a")], "b?": [entry("b")]}, [["a"], ["b"]], None),
        ({"content": [entry("a")], "probs": [entry("a")]}, [["a"]], None),
    ],
)
def test_lists_in_fields_are_parts_copies_or_answers_by_their_names(
    document: Any, expected: list[list[str]], problem: str | None
) -> None:
    blocks, notes = read_json(document)
    assert texts(blocks) == expected
    assert any(problem in note for note in notes) if problem else notes == []


def test_the_fields_of_a_choice_are_one_text() -> None:
    parts = {"first": {"content": [entry("a")]}, "second": {"content": [entry("b")]}}
    blocks, _ = read_json({"choices": [{"index": 0, "message": parts}]})
    assert texts(blocks) == [["a", "b"]]


def test_the_tokens_of_a_draft_model_are_not_those_of_the_answer() -> None:
    """PaddlePaddle/FastDeploy, entrypoints/openai/protocol.py."""
    draft = {"draft_logprobs": {"content": [entry("a"), entry("c"), entry("d")]}}
    blocks, [note] = read_json({"choices": [choice("a", "b", **draft, finish_reason="stop")]})
    assert texts(blocks) == [["a", "b"]]
    assert "tsoft skips the tokens in draft_logprobs, since the answer has a list of tokens" in note


def test_the_raw_output_of_fireworks_repeats_the_tokens() -> None:
    """The package fireworks-ai 1.2, types/shared/raw_output.py. The copy may have other fields or more tokens."""
    raw = {"raw_output": {"completion_logprobs": {"content": [entry("a") | {"token_id": 1}, entry("b")]}}}
    legacy = {"text": "ab", "logprobs": {"tokens": ["a", "b"], "token_logprobs": [-0.5, -0.5]}}
    for answer in (choice("a", "b", **raw), {"index": 0} | legacy | raw):
        blocks, [note] = read_json({"choices": [answer | {"finish_reason": "stop"}]})
        assert texts(blocks) == [["a", "b"]]
        assert "tsoft skips the tokens in raw_output" in note
    pieces = [{"id": "1", "choices": [choice("a", finish_reason=None)]}]
    pieces.append({"id": "1", "choices": [choice("b", finish_reason="stop", **raw)]})
    silent = {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"} | raw]}
    for end_of_stream in (pieces[1:], [{"id": "1", "choices": [choice("b", finish_reason=None)]}, silent]):
        blocks, [note] = read(
            b"".join(b"data: " + line + b"\n" for line in lines(*pieces[:1], *end_of_stream).splitlines())
        )
        assert texts(blocks) == [["a", "b"]]
    # Without another list, it has the tokens.
    blocks, notes = read_json({"choices": [{"index": 0, "logprobs": None} | raw]})
    assert (texts(blocks), notes) == ([["a", "b"]], [])


def test_an_echoed_prompt_of_together_is_skipped() -> None:
    prompt = [{"text": "p", "logprobs": {"tokens": ["p"], "token_logprobs": [-1.0]}}]
    blocks, [note] = read_json({"prompt": prompt, "choices": [choice("a")]})
    assert texts(blocks) == [["a"]]
    assert SKIPPED_PROMPT in note


def test_tokens_with_a_text_and_a_number() -> None:
    """HELM's completions. Elsewhere, these objects could be sentences."""
    tokens = [{"text": "a", "logprob": -0.5}, {"text": "b", "logprob": -1.5}]
    blocks, notes = read_json({"result": {"completions": [{"text": "ab", "logprob": -2.0, "tokens": tokens}]}})
    assert (texts(blocks), notes) == ([["a", "b"]], [])


def test_tokens_of_watsonx_without_alternatives() -> None:
    """ibm.github.io/watsonx-ai-node-sdk, TextGenResult and TextGenTokenInfo."""
    tokens = [{"text": "a", "logprob": -0.5}, {"text": "b", "logprob": -1.5}]
    result = {"generated_text": "ab", "stop_reason": "max_tokens", "generated_tokens": tokens}
    prompt = [{"text": "p"}, {"text": "q", "logprob": -0.5}]
    blocks, [note] = read_json({"results": [result | {"input_tokens": prompt}]})
    assert texts(blocks) == [["a", "b"]]
    assert SKIPPED_PROMPT in note
    pieces = [result | {"generated_tokens": tokens[:1], "stop_reason": "not_finished"}]
    pieces.append(result | {"generated_tokens": tokens[1:]})
    assert texts(read(lines(*({"results": [piece]} for piece in pieces)))[0]) == [["a", "b"]]


def test_maps_of_numbers_under_logprobs() -> None:
    """What Bedrock writes for imported models."""
    blocks, notes = read_json({"generation": "ab", "logprobs": [{"a": -1.5, "x": -0.5}, {"b": -0.5}]})
    assert (texts(blocks), notes) == ([["a", "b"]], [])


def test_alternatives_with_an_id_as_the_token() -> None:
    """What mistral.rs writes: mistralrs-core/src/response.rs, ResponseLogprob, and sampler.rs, TopLogprob."""
    tops = [{"token": 9, "logprob": -0.5, "bytes": "a"}, {"token": 0, "logprob": -1.5, "bytes": "b"}]
    drawn = {"token": "b", "logprob": -1.5, "bytes": [98], "top_logprobs": tops}
    for logprobs in ({"content": [drawn]}, drawn):
        [block], notes = read_json({"choices": [{"index": 0, "logprobs": logprobs}]})
        assert (block.labels, texts([block]), notes) == (("a", "b"), [["b"]], [])
        assert block.logits.tolist() == [[-0.5, -1.5]]
    without_text = drawn | {"top_logprobs": [{"token": 9, "logprob": -0.5, "bytes": None}]}
    [block], _ = read_json({"choices": [{"index": 0, "logprobs": {"content": [without_text]}}]})
    assert block.labels == ("#9", "b")


# run-llama/llama_index, llama_index/core/base/llms/types.py, ChatResponse and LogProb.
LLAMA_INDEX = {
    "message": {"role": "assistant", "blocks": [{"block_type": "text", "text": " a."}]},
    "logprobs": [[{"token": t, "logprob": p, "bytes": []} for t, p in top.items()] for top in LOGPROBS],
    "raw": None,
}


@pytest.mark.parametrize(
    ("changes", "tokens", "guesses"),
    [
        ({}, [" a", "."], []),
        ({"message": {"content": " a."}}, [" a", "."], []),
        ({"message": {}}, [" a", ","], ["takes the most probable one"]),
        ({"message": {"content": "long"}}, [" a", ","], ["takes the most probable one"]),
    ],
)
def test_lists_of_alternatives_under_logprobs_are_successive_tokens(
    changes: dict[str, Any], tokens: list[str], guesses: list[str]
) -> None:
    blocks, notes = read_json(LLAMA_INDEX | changes)
    assert texts(blocks) == [tokens]
    assert [sorted(block.labels or ()) for block in blocks] == [[" a", " b"], [",", "."]]
    assert len(notes) == len(guesses)
    assert all(guess in note for guess, note in zip(guesses, notes, strict=True))


def test_lists_of_one_alternative_are_successive_tokens_if_they_make_up_the_text() -> None:
    lists = [[{"token": token, "logprob": -0.5}] for token in "ab"]
    for text, expected in (("ab", [["a", "b"]]), ("x", [["a"], ["b"]])):
        assert texts(read_json({"text": text, "logprobs": lists})[0]) == expected


def test_lists_that_may_be_alternatives_are_successive_tokens_under_any_name() -> None:
    """Scripts write {"token", "logprob"} of each alternative. A note says so, since they may be different answers."""
    lists: list[Any] = [[{"token": "a", "logprob": -1.5}, {"token": "b", "logprob": -0.5}]] * 2
    strings = [[token | {"logprob": str(token["logprob"])} for token in tokens] for tokens in lists]
    undecided: list[Any] = [{"logprobs": lists}, {"my_logs": lists}, lists, [lists], {"my_logs": strings}]
    for value in undecided:
        blocks, [note] = read_json(value)
        assert texts(blocks) == [["b", "b"]]
        assert [block.labels for block in blocks] == [("a", "b")] * 2
        assert "tsoft reads each list of tokens as the alternatives of one token" in note
        assert 'if a list has the tokens of a text, write it as {"content": […]}' in note
    # What the note recommends.
    assert texts(read_json([{"content": tokens} for tokens in lists])[0]) == [["a", "b"]] * 2
    # The name of the field, or a text or ids beside it, decide.
    decided: list[tuple[Any, list[str]]] = [
        ({"answer_top_k": lists}, ["b", "b"]),
        ({"logprobs_top8": lists, "response": "ab"}, ["a", "b"]),
        ({"lists": lists, "generated_text": "ba"}, ["b", "a"]),
        ({"first_token": lists[0], "pred": "a"}, ["a"]),
        ({"chosen": "a", "top_k": lists[0]}, ["a"]),
        ({"top_5_logprobs": lists[0]}, ["b"]),
    ]
    for value, tokens in decided:
        blocks, [note] = read_json(value)
        assert (texts(blocks), "write it as" in note) == ([tokens], False)
    blocks, notes = read_json({"my_logs": lists[0], "response": "ab"})
    assert (texts(blocks), notes) == ([["a", "b"]], [])
    blocks, notes = read_json({"my_logs": [None, *lists[0]]})
    assert (texts(blocks), notes) == ([["", "a", "b"]], [])


def test_ids_of_drawn_tokens_beside_lists_of_alternatives() -> None:
    """A list of vLLM's SampleLogprobs, written by a script, beside the token_ids."""
    lists = [
        [{"token_id": i, "logprob": -0.25 * i, "decoded_token": text} for i, text in tokens.items()]
        for tokens in ({5: "a", 6: "b"}, {7: "c", 8: ""})
    ]
    blocks, notes = read_json({"token_ids": [6, 8], "logprobs": lists})
    assert (texts(blocks), notes) == ([["b", ""]], [])
    assert [block.labels for block in blocks] == [("a", "b"), ("c", "")]


@pytest.mark.parametrize(
    "values",
    [
        [{"candidates": LOGPROBS[0]}, {"candidates": LOGPROBS[1]}],
        [{"position": 0, "top_k": LOGPROBS[0]}, {"position": 1, "top_k": LOGPROBS[1]}],
        [{"chosen": " b", "alternatives": LOGPROBS[0]}, {"chosen": ".", "alternatives": LOGPROBS[1]}],
    ],
)
def test_objects_with_the_alternatives_of_a_position_each_are_one_text(values: list[dict[str, Any]]) -> None:
    """Those with candidates alone are the topCandidates of Gemini."""
    for value in values:
        name = [*value][-1]
        value[name] = [{"token": token, "logprob": p} for token, p in value[name].items()]
    for document in (values, {"steps": values}):
        blocks, notes = read_json(document)
        expected = [" b", "."] if "chosen" in values[0] else [" a", ","]
        assert (texts(blocks), [block.labels for block in blocks]) == ([expected], [(" a", " b"), (",", ".")])
        assert len(notes) == ("chosen" not in values[0])
        if "chosen" not in values[0]:
            blocks, notes = read_json({"text": " b.", "meta": {"steps": values}})
            assert (texts(blocks), notes) == ([[" b", "."]], [])
    # Without anything else in them, other objects are answers.
    tops = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]
    assert len(texts(read_json([{"top_logprobs": tops}, {"top_logprobs": tops}])[0])) == 2
    # The name decides, even if a server's numbers sum to more than 1.
    [block], _ = read_json({"candidates": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -0.4}]})
    assert block.labels == ("a", "b")


@pytest.mark.parametrize(
    "changes",
    [
        [{"rank": 1}, {"rank": 1}],
        [{"position": 0}, {"position": 1}],
        [{"token": "b"}, {}],
        [{"logprob": -0.5}, {}],
        [{"id": [1]}, {"token": "a", "id": [1]}],
    ],
)
def test_tokens_that_cannot_be_of_one_position_are_a_text(changes: list[dict[str, Any]]) -> None:
    tokens = [{"token": "a", "logprob": -1.5}, {"token": "b", "logprob": -0.5}]
    blocks, notes = read_json({"my_logs": [token | change for token, change in zip(tokens, changes, strict=True)]})
    assert ([len(tokens) for tokens in texts(blocks)], notes) == ([2], [])


def test_lists_under_one_name_are_read_alike() -> None:
    """Those that may be alternatives are texts if another list is one, or in a stream."""
    rare, certain = ([{"token": token, "logprob": number} for token in "ab"] for number in (-1.5, -0.25))
    for lists in ([rare, certain], [certain, rare]):
        blocks, notes = read_json({"results": [{"my_logs": tokens} for tokens in lists]})
        assert (texts(blocks), notes) == ([["a", "b"]] * 2, [])
    blocks, [guess, note] = read(lines(*({"my_logs": tokens} for tokens in (rare, certain, rare))))
    assert texts(blocks) == [["a"], ["a", "b"], ["a", "b"]]
    assert "as the alternatives of one token" in guess
    assert "FILE:2: the list has the tokens of a text, but tsoft has read others under this name" in note
    blocks, notes = read(b"data: " + json.dumps({"my_logs": rare}).encode() + b"\n\n")
    assert (texts(blocks), notes) == ([["a", "b"]], [])


TABLE = [("a", -0.25), ("b", -1.75), ("c", -0.5), ("d", -1.0)]


def rows(**fields: list[Any]) -> list[dict[str, Any]]:
    """Return the tokens of a table with these columns."""
    columns = [dict(zip(fields, values, strict=True)) for values in zip(*fields.values(), strict=True)]
    return [column | {"token": t, "logprob": p} for column, (t, p) in zip(columns, TABLE, strict=True)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reply_index": [1, 1, 1, 2]}, [["a", "b", "c"], ["d"]]),
        ({"sample": [0, 1, 1, 1]}, [["a"], ["b", "c", "d"]]),
        ({"questionId": ["x", "y", "x", "x"]}, [["a", "c", "d"], ["b"]]),
        ({"question_id": [1] * 4, "sample": [0, 0, 0, 1]}, [["a", "b", "c"], ["d"]]),
        ({"question_id": [1] * 4, "token_id": [1, 1, 2, 2]}, [["a", "b", "c", "d"]]),
    ],
)
def test_tokens_in_rows_of_a_table_with_the_number_of_their_answer(
    fields: dict[str, list[Any]], expected: list[list[str]]
) -> None:
    """tidyllm, get_logprobs(), has a column reply_index."""
    tokens = rows(**fields)
    for data in (json.dumps(tokens).encode(), json.dumps({"tokens": tokens}).encode(), lines(*tokens)):
        blocks, notes = read(data)
        assert (sorted(texts(blocks)), notes) == (expected, [])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"position": [0, 0, 1, 1]}, [["a", "c"]]),
        ({"index": [0, 0, 1, 1]}, [["a", "c"]]),
        ({"question_id": [1, 1, 2, 2]}, [["a"], ["c"]]),
    ],
)
def test_alternatives_in_rows_of_a_table(fields: dict[str, list[Any]], expected: list[list[str]]) -> None:
    tokens = rows(**fields)
    blocks, [note] = read_json(tokens)
    assert (texts(blocks), [block.labels for block in blocks]) == (expected, [("a", "b"), ("c", "d")])
    assert "as the alternatives of one token" in note
    _, [note] = read(lines(*tokens))
    assert "the lines may have the alternatives of one token; tsoft reads them as successive tokens" in note


def test_alternatives_may_sum_to_more_than_1_by_rounding() -> None:
    """The largest sum of probabilities whose logarithms round to these is 1.0057 times exp(-0.05)."""
    numbers = [("No", -1.4), ("Yes", -0.3), ("Maybe", -4)]
    [block], _ = read_json([{"token": token, "logprob": number} for token, number in numbers])
    assert block.labels == ("No", "Yes", "Maybe")
    blocks, _ = read_json([{"token": token, "logprob": number - 1e-5} for token, number in numbers])
    assert len(blocks) == 3


def test_lists_of_one_answer_are_alternatives_if_one_token_of_each_makes_up_the_text() -> None:
    """LlamaIndex's completions copy the order of a dictionary: from_openai_completion_logprobs."""
    lists = [[{"token": t, "logprob": p} for t, p in top.items()] for top in ({"x": -1.5, "a": -0.5}, LOGPROBS[1])]
    blocks, notes = read_json({"text": "a.", "raw": None, "logprobs": lists})
    assert (texts(blocks), notes) == ([["a", "."]], [])
    assert [block.labels for block in blocks] == [("x", "a"), (",", ".")]
    # These cannot be alternatives: the tokens repeat, or sum to more than 1.
    repeated = [{"token": "a", "logprob": -1.5}, {"token": "a", "logprob": -0.5}]
    for tokens in (repeated, [{"token": t, "logprob": -0.25} for t in "ab"]):
        assert len(texts(read_json({"text": "aa", "logprobs": [tokens] * 2})[0])) == 2


def test_lists_of_tokens_under_logprobs_are_one_answer_if_the_text_or_an_id_of_the_response_says_so() -> None:
    """vercel/ai, openai-responses-language-model.ts, adds a list per piece of the text."""
    lists = [[entry("a", -0.1)], [entry("b", -0.1), entry("c", -0.1)]]
    for fields in ({"responseId": "r"}, {"text": "abc"}):
        blocks, notes = read_json({"openai": fields | {"logprobs": lists}})
        assert (texts(blocks), notes) == ([["a", "b", "c"]], [])
    # Texts beside them are those of several answers.
    blocks, notes = read_json({"texts": ["a", "bc"], "logprobs": lists})
    assert (texts(blocks), notes) == ([["a"], ["b", "c"]], [])
    # They decide even if the lists may be alternatives.
    rare = [[{"token": token, "logprob": -1.5} for token in pair] for pair in ("ab", "cd")]
    beside: list[tuple[dict[str, Any], list[list[str]]]] = [
        ({"responseId": "r"}, [["a", "b", "c", "d"]]),
        ({"text": "abcd"}, [["a", "b", "c", "d"]]),
        ({"texts": ["ab", "cd"]}, [["a", "b"], ["c", "d"]]),
    ]
    for record, expected in beside:
        blocks, notes = read_json(record | {"logprobs": rare})
        assert (texts(blocks), notes) == (expected, [])
    blocks, [note] = read_json({"openai": {"logprobs": lists}})
    assert texts(blocks) == [["a"], ["b", "c"]]
    assert "as 2 answers; if they are parts of one answer, join them to one array" in note
    _, notes = read_json({"my_logprobs": lists})
    assert notes == [note.replace("logprobs", "my_logprobs")]


@pytest.mark.parametrize("order", [1, -1])
def test_alternatives_beside_the_response_that_has_them_are_read_once(order: int) -> None:
    tokens = [
        {"token": token, "logprob": top[token], "top_logprobs": [{"token": t, "logprob": p} for t, p in top.items()]}
        for token, top in zip((" a", "."), LOGPROBS, strict=True)
    ]
    raw = {"choices": [{"index": 0, "logprobs": {"content": tokens}, "finish_reason": "stop"}]}
    document = dict([*(LLAMA_INDEX | {"raw": raw}).items()][::order])
    blocks, notes = read_json([document, document])
    assert (texts(blocks), notes) == ([[" a", "."]] * 2, [])


# googleapis/go-genai, types.go: `json:"logProbability,omitempty"` leaves out a 0, which certain tokens have.
CERTAIN, RARE = {"token": "a", "tokenId": 1}, {"token": "b", "tokenId": 2, "logProbability": -9.0}


@pytest.mark.parametrize(
    "pair",
    [
        {"chosenCandidates": [CERTAIN, RARE], "topCandidates": [{"candidates": [CERTAIN, RARE]}] * 2},
        {"chosenCandidates": [CERTAIN, CERTAIN], "topCandidates": [{"candidates": [CERTAIN, RARE]}] * 2},
        {"tokens": [{"id": 1, "text": "a"}] * 2, "top_tokens": [[{"id": 1, "text": "a"}, RARE]] * 2},
    ],
)
def test_the_tokens_of_two_lists_may_have_no_number(pair: dict[str, Any]) -> None:
    blocks, [note] = read_json({"candidates": [{"logprobsResult": pair}]})
    assert len(texts(blocks)) == 1
    assert [block.labels for block in blocks] == [("a", "b")] * 2
    assert blocks[0].partial is not None
    np.testing.assert_array_equal(blocks[0].partial.logprobs, [np.nan, -9.0])
    assert "some tokens have no log-probability, so tsoft treats it as unknown" in note


@pytest.mark.parametrize("drawn", [[{"token": "a"}, "b"], [1, 2]])
def test_alternatives_beside_unknown_tokens_are_no_answers(drawn: list[Any]) -> None:
    pair = {"chosenCandidates": drawn, "topCandidates": [[RARE, RARE], [RARE, RARE], 1]}
    with pytest.raises(InputError, match="FILE:1: logprobsResult: log-probabilities in an unknown format"):
        read_json({"question": "q", "logprobsResult": pair})


def test_alternatives_beside_a_copy_of_the_drawn_token_are_one_row() -> None:
    tops = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]
    [block], [note] = read_json({"target_token": tops[0], "top_logprobs": tops})
    assert block.labels == ("a", "b")
    assert "takes the most probable one as drawn" in note


@pytest.mark.parametrize("text", [{}, {"text": " a."}])
@pytest.mark.parametrize("name", ["top_tokens", "top_logprobs"])
def test_objects_beside_lists_of_alternatives_are_one_text(name: str, text: dict[str, Any]) -> None:
    tops = [[{"id": i, "text": t, "logprob": p} for i, (t, p) in enumerate(top.items())] for top in LOGPROBS]
    tokens = [tops[0][0], tops[1][1]]
    blocks, notes = read_json(text | {"tokens": tokens, name: tops})
    assert (texts(blocks), notes) == ([[" a", "."]], [])
    assert [block.labels for block in blocks] == [(" a", " b"), (",", ".")]
    with pytest.raises(InputError, match=f"{name}: expected one entry per token, 2 in all, got 1"):
        read_json(text | {"tokens": tokens, name: tops[:1]})


@pytest.mark.parametrize("name", ["top_logprobs_per_token", "top5Logprobs", "alternatives"])
def test_alternatives_beside_tokens_may_have_another_name(name: str) -> None:
    lists = [[{"token": t, "logprob": p, "rank": i} for i, (t, p) in enumerate(top.items(), 1)] for top in LOGPROBS]
    drawn: dict[str, list[Any]] = {"tokens": [" b", "."], "token_logprobs": [-1.5, -2.0]}
    objects = [{"token": t, "logprob": p} for t, p in zip(*drawn.values(), strict=True)]
    pairs = [{drawn_name: objects, name: lists} for drawn_name in ("tokens", "logprobs", "content", "my_tokens")]
    for record in (drawn | {name: lists}, drawn | {name: LOGPROBS}, *pairs):
        blocks, notes = read_json(record)
        assert (texts(blocks), notes) == ([[" b", "."]], [])
        assert [block.labels for block in blocks] == [(" a", " b"), (",", ".")]
    with pytest.raises(InputError, match=f"{name}: expected one entry per token, 2 in all, got 1"):
        read_json(drawn | {name: lists[:1]})


def test_lists_with_each_token_once() -> None:
    """TabbyAPI writes the names and the values of a dictionary, which cannot repeat a token."""
    tops = [{" a": -0.5, " b": -1.5}, {" b": -0.25, " a": -2.0}, {" a": -1.0, ".": -1.25}]
    logprobs = {"tokens": [" a", " b"], "token_logprobs": [-1.0, -0.25], "top_logprobs": tops}
    blocks, [note] = read_json({"choices": [{"text": " a b a", "logprobs": logprobs}]})
    assert texts(blocks) == [[" a", " b", " a"]]
    assert [block.logits[0].tolist() for block in blocks] == [[-0.5, -1.5], [-0.25, -2.0], [-1.0, -1.25]]
    assert "the list of tokens has each token once" in note
    # Nothing shows which tokens these are.
    for text in ({"text": "other"}, {}):
        with pytest.raises(InputError, match="top_logprobs: expected one entry per token, 2 in all, got 3"):
            read_json({"choices": [text | {"logprobs": logprobs}]})


def test_maps_by_token_of_llama_stack() -> None:
    maps = [{"logprobs_by_token": top} for top in LOGPROBS]
    blocks, notes = read_json({"completion_message": {"role": "assistant", "content": " a."}, "logprobs": maps})
    assert (texts(blocks), notes) == ([[" a", "."]], [])
    assert [block.labels for block in blocks] == [(" a", " b"), (",", ".")]
    blocks, [note] = read_json({"logprobs": maps})
    assert texts(blocks) == [[" a", ","]]
    assert "takes the most probable one" in note


def test_a_string_that_is_the_json_of_a_response_is_read() -> None:
    """The traces of MLflow and Phoenix, and recorded requests."""
    response = json.dumps({"choices": [choice("a", "b", finish_reason="stop")]})
    for document in (
        {"name": "x", "attributes": {"output.value": response, "input.value": '{"logprobs": true}'}},
        {"log": {"entries": [{"response": {"content": {"text": response}}}]}},
        {"custom_id": "q", "response": {"body": response}},
    ):
        blocks, notes = read(lines(document))
        assert (texts(blocks), notes) == ([["a", "b"]], [])
    # It is no answer in a prompt, and beside an answer.
    silent = {"choices": [{"index": 0, "message": {"content": "x"}}]}
    with pytest.raises(InputError, match='add "logprobs": true'):
        read_json(silent | {"messages": [{"role": "user", "content": response}], "prompt": response})
    assert texts(read_json({"choices": [choice("c")], "log": response})[0]) == [["c"]]


def test_an_object_that_powershell_cut_off() -> None:
    with pytest.raises(InputError, match=r"choices\[0\].logprobs: an object that PowerShell cut off; pass -Depth 20"):
        read_json({"choices": [{"index": 0, "logprobs": "@{content=System.Object[]; refusal=}"}]})


def test_the_text_of_a_stream_in_a_string_is_named_in_any_object() -> None:
    """Such as in a HAR file: w3c.github.io/web-performance/specs/HAR."""
    har = {"log": {"entries": [{"response": {"content": {"text": "data: {}\n\ndata: [DONE]\n"}}}]}}
    with pytest.raises(InputError, match=r"log.entries\[0\].response.content.text: the text of a stream in a string"):
        read_json(har)


def test_a_json_text_under_logprobs() -> None:
    value = {"content": [entry("a")]}
    assert texts(read_json({"a": {"logprobs": json.dumps(value)}})[0]) == [["a"]]
    for text in ("[{", "none", "[" * 100_000):
        with pytest.raises(InputError, match="no log-probabilities in logprobs"):
            read_json({"logprobs": text, "n": [1]})


@pytest.mark.parametrize(
    ("value", "path", "what"),
    [
        ([{"7": "Logprob(logprob=-0.5, rank=1)", "2": "Logprob(logprob=-1, rank=2)"}], "7", "an object"),
        ({"text": "a", "logprobs": [{"7": "Logprob(logprob=-0.5, rank=1)"}]}, "logprobs[0].7", "an object"),
        ({"q": "x", "lp": "[{7: Logprob(logprob=-0.5, rank=1)}]"}, "lp", "an object"),
        (["Output(outputs=[Text(text='a', logprobs=[-0.5])])"], "[0]", "an object"),
        ({"q": "x", "logprobs": "[(-0.5, 7, 'a'), (-1.5, 2, 'b')]"}, "logprobs", "tuples"),
    ],
)
def test_what_python_printed_into_a_string_is_named(value: object, path: str, what: str) -> None:
    """As json.dumps(output, default=str) writes objects."""
    with pytest.raises(
        InputError, match=f"{re.escape(path)}: {what} that Python printed; write .* as JSON: json.dumps"
    ):
        read(json.dumps(value).encode())
    # It is no matter in a text beside tokens.
    answer = {"prompt": "Logprob(logprob=-0.5, rank=1)", "logprobs": [entry("a")]}
    assert texts(read(lines(answer))[0]) == [["a"]]


def test_alternatives_under_another_name_are_read() -> None:
    """A list of tokens, or an object with the token's text."""
    tops = entry("a", -0.5)["top_logprobs"] + [{"token": "b", "logprob": -1.5}]
    for others in (tops, {"a": -0.5, "b": -1.5}):
        token = {"token": "a", "logprob": -0.5, "bytes": [97], "others": others}
        for value in ({"tokens": [token]}, token):
            [block], notes = read_json(value)
            assert (block.labels, notes) == (("a", "b"), [])
    # These are no alternatives.
    for others in ([1, 2], {"entropy": 0.5}, [{"name": "a"}]):
        [block], _ = read_json({"logprobs": [{"token": "a", "logprob": -0.5, "others": others}]})
        assert block.labels == ("a",)


def test_names_in_camel_case() -> None:
    token = {"token": "a", "logProbability": -0.5, "topLogprobs": [{"token": "a", "logprob": -0.5, "tokenId": 3}]}
    blocks, _ = read_json({"choices": [{"logprobs": {"content": [token]}}]})
    assert texts(blocks) == [["a"]]


def test_pascal_case_names_are_read() -> None:
    """OpenAI's library for .NET, ChatTokenLogProbabilityDetails, and Google's for Go, genai.LogprobsResultCandidate."""
    tops = [
        {"Token": "a", "LogProbability": -1.5, "TokenID": 3},
        {"Token": "Token", "LogProbability": -0.5, "TokenID": 4},
    ]
    net = {"ContentTokenLogProbabilities": [tops[0] | {"Utf8Bytes": "YQ==", "TopLogProbabilities": tops}]}
    lists = {"TopCandidates": [{"Candidates": tops}], "ChosenCandidates": tops[:1]}
    for value in (net, {"Candidates": [{"Index": 0, "LogprobsResult": lists}]}):
        [block], notes = read_json(value)
        assert (block.labels, block.partial and block.partial.index, notes) == (("a", "Token"), 0, [])


def test_numbers_may_be_strings() -> None:
    token = {"token": "a", "logprob": "-0.5", "top_logprobs": [{"token": "b", "logprob": "-inf"}]}
    [block], _ = read_json({"choices": [{"logprobs": {"content": [token]}}]})
    assert block.logits.tolist() == [[-math.inf, -0.5]]


# The text of an answer


def legacy(text: str, *tokens: str, **fields: Any) -> dict[str, Any]:
    logprobs = {"tokens": [*tokens], "token_logprobs": [-0.5] * len(tokens)}
    return {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": "stop"} | fields


def chat(text: str | None, *tokens: str, **message: Any) -> dict[str, Any]:
    return choice(*tokens, message={"role": "assistant", "content": text} | message, finish_reason="stop")


@pytest.mark.parametrize(
    ("answer", "spelled", "text"),
    [
        (legacy("Hello", "Hi"), "'Hi'", "'Hello'"),
        (chat("Yes.", "Yes", "Yes", "."), "'YesYes.'", "'Yes.'"),
        (chat("Yes.", "<|channel|>", "so", "<|end|>", "Yes", "Yes", "."), "'<|channel|>so<|end|>YesYes.'", "'Yes.'"),
        (legacy("x" * 30 + "a b", *"x" * 30, "a", "a", " b"), f"'…{'x' * 19}aa b'", f"'…{'x' * 19}a b'"),
    ],
)
def test_tokens_that_contradict_the_text_of_an_answer_are_noted(answer: Any, spelled: str, text: str) -> None:
    _, notes = read_json({"choices": [answer]})
    problem = f"the tokens make up {spelled}, but the answer has the text {text}; a token may be wrong or repeated"
    assert notes == [f"FILE:1: {problem}"]
    assert read_json({"choices": [legacy("a", "a"), answer | {"index": 1}]})[1] == [f"FILE:1: choice 1: {problem}"]


@each_case(
    "answer",
    [
        legacy("Yes.", " Yes", ".", "\n"),
        legacy("Yes", "Yes", " STOP"),
        legacy("Is it? Yes.", "Yes", "."),
        legacy("", "Yes"),
        legacy("Yes, it is", "ĠYes", ",", "▁it", "Ġis"),
        legacy("caf\u00e9 \U0001f600", "cafÃ©", " <0xF0><0x9F>", "\\x98\\x80"),
        legacy("\\x1b[0m", "\\", "x", "1", "b", "[", "0m"),
        legacy("a <b>c</b>", "a", " ", "<b>", "c", "</b>", "</s>"),
        legacy("Yes", "#5", "#6"),
        chat("Yes.", "Yes", ".", "<|im_end|>"),
        chat("Yes.", "<think>", "hm", "</think>", "\n\n", "Yes", "."),
        chat("Yes.", "hm", "</", "think", ">\n\n", "Yes", "."),
        chat("Yes.", "hm", "\u25c1/think\u25b7", "Yes", "."),
        chat("Yes. No.", "Yes", ".", "<think>", "hm", "</think>", " No", ".", "<think>", "hm", "</think>"),
        chat("Yes.", "[gMASK]", "sop", "Yes", "."),
        chat("Yes <s>x", "<s>", "Yes", " <s>", "x", "</s>"),
        chat("Yes", "[THINK]", "hm", "[/THINK]", "Yes", "[EOS]"),
        chat("Yes.", "hm", "Yes", ".", reasoning_content="hm"),
        chat("Yes.", "hm", "Yes", ".") | {"reasoning": "hm"},
        chat("A b", "A", "x", "b", tool_calls=[{"id": "x"}]),
        chat(None, "No", refusal="No"),
        choice("Hi", message={"content": [{"type": "text", "text": "Hello"}]}),
        choice("Hi"),
    ],
)
def test_tokens_that_an_answer_writes_in_another_way_are_not_noted(answer: Any) -> None:
    assert read_json({"text": "another", "choices": [answer]})[1] == []


def test_the_tokens_of_a_reasoning_that_the_message_leaves_out_are_not_compared() -> None:
    answer = chat("Yes", "Yes")
    answer["logprobs"]["reasoning_content"] = [entry("hm")]
    blocks, [note] = read_json({"choices": [answer]})
    assert texts(blocks) == [["hm", "Yes"]]
    assert "as one text" in note


def test_the_bytes_of_tokens_are_compared_with_the_text() -> None:
    """Tokens in tekken.json of Mistral start with ASCII and cut a character; a byte may be a token of its own."""
    pieces = [b"N\xc3\xb3", b" v\xe1\xbb", b"\x81", b" (\xe2\x80", b"\x94)"]
    answer = chat(b"".join(pieces).decode() + "A.")
    cut = [entry(piece.decode(errors="replace")) | {"bytes": [*piece], "top_logprobs": []} for piece in pieces]
    answer["logprobs"]["content"] = [*cut, entry("<0x41>"), entry(".")]
    assert read_json({"choices": [answer]})[1] == []
    for wrong in ([*cut[1:2], *cut, entry("A"), entry(".")], [*cut, entry("<0x42>"), entry(".")]):
        answer["logprobs"]["content"] = wrong
        [note] = read_json({"choices": [answer]})[1]
        assert "a token may be wrong or repeated" in note


def test_the_pieces_of_a_stream_are_compared_with_its_tokens() -> None:
    """Servers delay parts of the text, and may write some of it in pieces without tokens."""

    def noted(*pieces: tuple[str, tuple[str, ...]]) -> list[str]:
        events = [choice(*tokens, delta={"content": text}, finish_reason=None) for text, tokens in pieces]
        silent = {"logprobs": None} | {"finish_reason": "stop", "delta": {}}
        choices = [event if event["logprobs"]["content"] else event | {"logprobs": None} for event in events]
        documents = [{"id": "1", "choices": [piece]} for piece in [*choices, {"index": 0} | silent]]
        return read(b"".join(b"data: " + line + b"\n" for line in lines(*documents).splitlines()))[1]

    assert noted(("Y", ("Yes",)), ("es.", (".",))) == []
    assert noted(("lo", ("Hel", "lo"))) == []
    assert noted(("a", ("a",)), ("b", ()), ("c", ("b", "c")), ("d", ()), ("e", ("d", "e"))) == []
    [note] = noted(("Yes", ("Yes",)), (".", ("No",)))
    assert note == (
        "FILE: the tokens make up 'YesNo', but the answer has the text 'Yes.'; a token may be wrong or repeated"
    )


# Batches


def batched(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": f"batch_{name}", "custom_id": name, "response": None, "error": None} | fields


def test_a_failed_request_of_a_batch_is_noted() -> None:
    good = batched("q-1", response={"status_code": 200, "body": {"choices": [choice("a", finish_reason="stop")]}})
    bad = batched("q-2", response={"status_code": 400, "body": {"error": {"message": "too long"}}})
    expired = batched("q-3", error={"code": "batch_expired", "message": "not done in time"})
    blocks, notes = read(lines(bad, good, expired, good))
    assert texts(blocks) == [["a"], ["a"]]
    assert [note.split(": ", 1)[1] for note in notes] == [
        "request 'q-2': the server returned an error: too long; tsoft skips it",
        "request 'q-3': the server returned an error: not done in time; tsoft skips it",
    ]
    with pytest.raises(InputError, match="request 'q-2': the server returned an error: too long"):
        read(lines(bad))


def test_a_failed_request_of_gemini_is_noted() -> None:
    """ai.google.dev/gemini-api/docs/batch-api, and the output files of Vertex AI's batch predictions."""
    logprobs = {"chosenCandidates": [{"token": "a", "logProbability": -0.5}]}
    response = {"candidates": [{"logprobsResult": logprobs, "finishReason": "STOP"}]}
    good, failed = {"key": "q-1", "response": response}, {"key": "q-2", "error": {"code": 3, "message": "bad"}}
    blocks, notes = read(lines(failed, good, failed, good))
    assert texts(blocks) == [["a"], ["a"]]
    problem = "request 'q-2': the server returned an error: bad"
    assert notes == [f"FILE:{i}: {problem}; tsoft skips it" for i in (1, 3)]
    with pytest.raises(InputError, match=problem):
        read(lines(failed))
    request = {"request": {"contents": []}, "processed_time": "x"}
    good, failed = request | {"status": "", "response": response}, request | {"status": "Bad: 400", "response": {}}
    blocks, notes = read(lines(failed, good))
    assert texts(blocks) == [["a"]]
    assert notes == ["FILE:1: the server returned an error: Bad: 400; tsoft skips it"]


@pytest.mark.parametrize(
    ("failed", "problem"),
    [
        (None, "no log-probabilities (null)"),
        ("timeout", 'no log-probabilities ("timeout")'),
        ({"error": {"message": "boom"}}, "the server returned an error: boom"),
    ],
)
def test_a_failed_request_next_to_answers_is_noted(failed: object, problem: str) -> None:
    one, two = ({"choices": [choice(token)]} for token in ("a", "b"))
    for document, count in (
        ({"q1": one, "q2": failed}, 1),
        ({"answers": {"q2": failed, "q1": one}}, 1),
        ({"q1": one, "q3": two, "q2": failed}, 2),
        ({"river": one, "sea": two, "q2": failed}, 2),
    ):
        blocks, notes = read(lines(document))
        assert texts(blocks) == [["a"], ["b"]][:count]
        assert notes == [f"FILE:1: 'q2': {problem}; tsoft skips it"]
    # Other fields next to one answer say nothing about it.
    assert read(lines({"error": None, "user": "x", "answer": one, "usage": None}))[1] == []


def test_a_question_without_an_answer_is_noted() -> None:
    answer = {"choices": [choice("a")]}
    for failed, problem in (
        (None, "the request has no response (null)"),
        ({"error": {"message": "boom"}}, "the server returned an error: boom"),
    ):
        records = [{"q": "x", "response": failed}, {"q": "y", "response": answer}, {"q": "z", "response": failed}]
        for data, places in (
            (json.dumps(records), ["stdin:1: record 0", "stdin:1: record 2"]),
            ("".join(json.dumps(record) + "\n" for record in records), ["stdin:1", "stdin:3"]),
        ):
            done = here("compute", "-f", "csv", "--listed-only", stdin=data)
            assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
            noted = [line for line in done.stderr.splitlines() if "skips" in line]
            assert noted == [f"tsoft: note: {place}: {problem}; tsoft skips it" for place in places]


@pytest.mark.parametrize(
    ("failed", "place", "problem"),
    [
        ({"custom_id": "b", "response": None}, ": request 'b'", "the request has no response (null)"),
        ({"custom_id": "b", "response": None, "error": None}, ": request 'b'", "the request has no response (null)"),
        ({"custom_id": "b", "result": None}, "", "the request has no response (null)"),
        ({"id": "b", "output": None, "attempts": 3}, "", "the request has no response (null)"),
        ({"question": "b", "logprobs": None}, "", "no log-probabilities in logprobs (null)"),
        ({"id": 2, "output": {"answer": "B", "logprobs": []}}, "", "no log-probabilities in output.logprobs (empty)"),
    ],
)
def test_an_answer_without_a_response_or_numbers_is_noted_in_a_log(
    failed: dict[str, Any], place: str, problem: str
) -> None:
    answer = {"id": 1, "logprobs": [entry("a")]}
    for records, line in (([failed, answer], 1), ([answer, failed, answer], 2)):
        blocks, notes = read(lines(*records))
        assert texts(blocks) == [["a"]] * (len(records) - 1)
        [note] = [note for note in notes if "skips" in note]
        assert note.startswith(f"FILE:{line}{place}: {problem}")
    with pytest.raises(InputError, match=re.escape(problem.partition(" (")[0])):
        read(lines(failed))


def test_a_row_with_an_empty_field_is_no_failed_request() -> None:
    """A missing number is an error that names its field."""
    with pytest.raises(InputError, match="'result': expected a number, got null"):
        read(lines({"id": "b", "result": None, "cat": 0.5}))


def test_events_whose_data_are_a_string_are_pieces() -> None:
    """The dictionaries of ServerSentEvent in sse-starlette, with numbers beside the string."""
    pieces = [{"token": {"id": i, "text": text, "logprob": -0.5}} for i, text in enumerate("ab")]
    blocks, _ = read(lines(*({"event": "message", "retry": 3000, "data": json.dumps(piece)} for piece in pieces)))
    assert texts(blocks) == [["a", "b"]]


@pytest.mark.parametrize("failed", [{"id": "r", "outputs": None, "error": "boom"}, {"error": {"message": "boom"}}])
@pytest.mark.parametrize("form", [lines, lambda *records: json.dumps(records).encode()])
def test_an_error_among_answers_is_noted(failed: dict[str, Any], form: Callable[..., bytes]) -> None:
    """An export of runs has them; in a stream, they end it. An error next to an answer says nothing about it."""
    answer = {"q": "x", "response": {"choices": [choice("a", finish_reason="stop")]}}
    for records in ([failed, answer], [answer, failed], [answer | {"error": "1 retry"}, failed]):
        blocks, [note] = read(form(*records))
        assert texts(blocks) == [["a"]]
        assert note.endswith("the server returned an error: boom; tsoft skips it")
    with pytest.raises(InputError, match=r"the server returned an error: boom$"):
        read(data_lines(answer, failed))
    # Ollama's streams are lines.
    with pytest.raises(InputError, match=r"^FILE:2: the server returned an error: boom$"):
        read(lines({"model": "m", "response": "a", "done": False, "logprobs": [entry("a")]}, failed))
    notes: list[str] = []
    with pytest.raises(InputError, match=r"the server returned an error: boom$"):
        list(json_reader.read(io.BytesIO(form(failed, failed)), ReadOptions("FILE", note=notes.append)))
    assert notes == []


@pytest.mark.parametrize("other", [{"spec": {"name": "x"}}, {"type": "summary", "accuracy": 0.5}])
@pytest.mark.parametrize("form", [lines, lambda *records: json.dumps(records).encode()])
def test_an_object_that_describes_responses_is_noted(other: dict[str, Any], form: Callable[..., bytes]) -> None:
    """OpenAI's evals write one before and one after the answers. Without answers, or among rows, it is an error."""
    answer = {"q": "x", "response": {"choices": [choice("a", finish_reason="stop")]}}
    for records in ([other, answer], [answer, other], [other, other, answer]):
        blocks, notes = read(form(*records))
        assert texts(blocks) == [["a"]]
        assert len(notes) == len(records) - 1
        assert all("no log-probabilities; tsoft skips this object among responses" in note for note in notes)
    for records in ([other], [other, {"a": 1.0, "b": 2.0}], [{"a": 1.0, "b": 2.0}, other]):
        with pytest.raises(InputError, match="expected a number, got"):
            read(form(*records))


@pytest.mark.parametrize("other", [{"id": 7}, {"seed": 1, "cost": 0.5}, {"label": "a"}, ["boom", "late"], None, "x", 2])
@pytest.mark.parametrize("position", [0, 1])
def test_in_an_array_with_a_response_only_responses_count(other: object, position: int) -> None:
    """OpenAI's cookbook (api_request_parallel_processor.py) writes [request, response, metadata], or the errors in
    place of the response."""
    answer = {"choices": [choice("a", finish_reason="stop")]}
    record: list[object] = [answer]
    record.insert(position, other)
    shown = "this object" if isinstance(other, dict) else json.dumps(other)
    problem = f"record {position}: no log-probabilities; tsoft skips {shown} among responses"
    for data, places in (
        (lines(record, record), ("FILE:1", "FILE:2")),
        (json.dumps([record, record]).encode(), ("FILE:1: record 0", "FILE:1: record 1")),
    ):
        blocks, notes = read(data)
        assert texts(blocks) == [["a"]] * 2
        assert [note for note in notes if "skips" in note] == [f"{place}: {problem}" for place in places]


@pytest.mark.parametrize("row", [{"seed": 1, "cost": 0.5}, [2.0, 1.0], {"logits": [2.0, 1.0]}])
def test_rows_of_logits_and_responses_in_one_file_are_an_error(row: object) -> None:
    answer = {"choices": [choice("a", finish_reason="stop")]}
    for records in ([row, answer], [answer, row]):
        with pytest.raises(InputError, match=r"^FILE:2: rows of logits and API responses in one source"):
            read(lines(*records))


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        ({"sent": {"prompt": "q", "logprobs": 3}}, "sent.logprobs"),
        ({"contents": [], "generationConfig": {"responseLogprobs": True, "logprobs": 2}}, "generationConfig.logprobs"),
        ({"time": "1", "messages": [], "logprobs": True, "top_logprobs": 0}, "logprobs"),
    ],
)
@pytest.mark.parametrize("form", [lines, lambda *records: json.dumps(records).encode()])
def test_a_request_among_responses_is_noted(request_: dict[str, Any], path: str, form: Callable[..., bytes]) -> None:
    """Its settings have the names of log-probabilities. Without answers, it is an error."""
    answer = {"choices": [choice("a", finish_reason="stop")]}
    problem = f"no log-probabilities, only the setting {path} of a request"
    for records in ([request_, answer], [answer, request_, answer]):
        blocks, [note] = read(form(*records))
        assert texts(blocks) == [["a"]] * (len(records) - 1)
        assert note.endswith(f"{problem}; tsoft skips it")
    with pytest.raises(InputError, match=f"{problem}$"):
        read(form(request_))
    silent = {"choices": [choice("a", finish_reason="stop") | {"logprobs": None}]}
    with pytest.raises(InputError, match='the response has no log-probabilities; add "logprobs": true'):
        read(form({"request": request_, "response": silent}))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"generated_text": "a", "steps": [{"token": "a", "probability": 0.5, "top": []}]}, "steps[0].probability"),
        ({"q": "x", "tokens": [{"token": "a", "prob": 0.5}]}, "tokens[0].prob"),
        ({"q": "x", "alternatives": [[{"token": "a", "p": 0.5}]]}, "alternatives[0][0].p"),
    ],
)
def test_probabilities_of_tokens_are_named(value: object, path: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"{path}: the probability of a token; write its logarithm as logp")):
        read(lines(value))


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("prompt_logprobs", [None, -0.5]),
        ("prompt_logprobs", [{"7": [[8, -0.5]]}]),
        ("topk_prompt_logprobs", [None, [[7, -0.5], [8, -1.5]]]),
    ],
)
def test_a_prompt_in_an_unknown_format_is_skipped_with_a_note(name: str, numbers: object) -> None:
    """Those of Tinker and LightLLM."""
    blocks, notes = read(lines({name: numbers, "logprobs": [entry("a")]}))
    assert texts(blocks) == [["a"]]
    assert notes == [f"FILE:1: {SKIPPED_PROMPT} ({name})"]


def test_an_answer_inside_an_object_needs_the_same_request() -> None:
    record = {"q": "x", "result": {"reply": {"choices": [{"index": 0, "message": {"content": "a"}, "logprobs": None}]}}}
    with pytest.raises(InputError, match='the response has no log-probabilities; add "logprobs": true'):
        read_json(record)


# Whole answers and pieces of streams


DOCUMENTS = {
    "two answers": ([{"choices": [choice("a")]}, {"choices": [choice("b")]}], [["a"], ["b"]]),
    "finished answers with one id": (
        [{"id": "1", "choices": [choice("a", finish_reason="stop")]}] * 2,
        [["a"], ["a"]],
    ),
    "pieces without an id": ([chunk("a"), chunk("b"), end(), chunk("c"), end()], [["a", "b"], ["c"]]),
    "interleaved streams": (
        [chunk("a", id="1"), chunk("b", id="2"), chunk("c", id="1"), end(id="1"), chunk("d", id="2"), end(id="2")],
        [["a", "c"], ["b", "d"]],
    ),
    "the last piece has a token": (
        [chunk("a", id="1"), {"id": "1", "choices": [choice("b", finish_reason="stop")]}, chunk("c", id="1")],
        [["a", "b"], ["c"]],
    ),
    "usage at the end": ([chunk("a", id="1"), end(id="1"), {"id": "1", "choices": [], "usage": {}}], [["a"]]),
    "usage at the end with another id": (
        [chunk("a", id="1"), end(id="1"), {"id": "2", "choices": [], "usage": {}}, chunk("b")],
        [["a"], ["b"]],
    ),
    # learn.microsoft.com, "Use content streaming with Azure OpenAI": the object of some pieces is empty.
    "Azure's pieces about content filters": (
        [
            {"id": "", "object": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
            chunk("a", id="1", object="chat.completion.chunk"),
            {"id": "", "object": "", "choices": []},
            chunk("b", id="1", object="chat.completion.chunk"),
            end(id="1", object="chat.completion.chunk"),
            {"id": "", "object": "", "choices": [{"index": 0, "finish_reason": None}]},
        ],
        [["a", "b"]],
    ),
    "answers with a message are whole": (
        [{"choices": [choice(token, finish_reason=None, message={"content": token})]} for token in "ab"],
        [["a"], ["b"]],
    ),
    "llama.cpp with two answers": (
        [
            {"index": i, "content": "x", "stop": False, "completion_probabilities": [entry(token)]}
            for i, token in ((0, "a"), (1, "b"), (0, "c"))
        ],
        [["a", "c"], ["b"]],
    ),
    "tokens alone": ([entry("a"), entry("b")], [["a", "b"]]),
    # proto-plus, to_dict writes enums as numbers, the default 0, and empty lists: GenerationResponse of Vertex AI.
    "numbers of enums": (
        [
            {"candidates": [{"finish_reason": reason, "logprobs_result": {"chosen_candidates": chosen}}]}
            for reason, chosen in ((0, [{"token": "a", "log_probability": -1}]), (0, [entry("b")]), (2, []))
        ],
        [["a", "b"]],
    ),
    # xai-org/xai-proto, xai/api/v1/chat.proto, GetChatCompletionChunk. The index 0 is left out.
    "answers in an array of another name": (
        [
            {"id": "x", "outputs": [choice(token, delta={"content": token}, index=i) for i, token in enumerate(both)]}
            for both in ("ac", "bd")
        ]
        + [{"id": "x", "outputs": [{"delta": {"content": "e"}, "logprobs": {"content": [entry("e")]}}]}],
        [["a", "b", "e"], ["c", "d"]],
    ),
    # FinishReason in the same file.
    "names of enums": (
        [
            {"choices": [choice(token, finish_reason=reason)]}
            for token, reason in (("a", "REASON_INVALID"), ("b", "REASON_STOP"), ("c", "REASON_STOP"))
        ],
        [["a", "b"], ["c"]],
    ),
}


@each_case("form", ["lines", "array", "data"])
@each_case(("documents", "expected"), DOCUMENTS.values())
def test_pieces_and_whole_answers(documents: list[Any], expected: list[list[str]], form: str) -> None:
    if form == "data":
        data = b"".join(b"data: " + line + b"\n" for line in lines(*documents).splitlines())
        if documents in (DOCUMENTS["two answers"][0], DOCUMENTS["answers with a message are whole"][0]):
            # A stream's lines are pieces until one is finished.
            expected = [["a", "b"]]
    else:
        data = lines(*documents) if form == "lines" else json.dumps(documents).encode()
    assert texts(read(data)[0]) == expected


def test_a_piece_without_choices_lacks_nothing_in_another_object() -> None:
    """The last piece has the usage, and Azure's first one the results of a filter."""
    usage = {"id": "2", "choices": [], "usage": {"total_tokens": 2}}
    filtered = {"id": "", "object": "", "choices": [], "prompt_filter_results": []}
    pieces = [filtered, chunk("a", id="1"), end(id="1"), usage, chunk("b", id="3")]
    blocks, [note] = read(lines(*({"event": "message", "data": piece} for piece in pieces)))
    assert texts(blocks) == [["a"], ["b"]]
    assert note == "FILE:4: the response has no choices; tsoft skips it"


@each_case(
    ("blocked", "problem"),
    [
        (
            {"promptFeedback": {"blockReason": "OTHER"}, "usageMetadata": {}},
            "the server blocked the prompt (blockReason: OTHER)",
        ),
        (
            {"candidates": None, "prompt_feedback": {"block_reason": "SAFETY"}, "usage_metadata": {}},
            "the server blocked the prompt (block_reason: SAFETY)",
        ),
        ({"candidates": [{"finishReason": "SPII"}]}, "the answer has no text (finishReason: SPII)"),
        (
            {"candidates": [{"content": {"parts": None}, "finish_reason": "MAX_TOKENS"}]},
            "the answer has no text (finish_reason: MAX_TOKENS)",
        ),
    ],
)
def test_blocked_answers_of_gemini_are_skipped(blocked: dict[str, Any], problem: str) -> None:
    """ai.google.dev, "PromptFeedback" and "FinishReason"."""
    blocks, notes = read(lines(blocked, GEMINI[1], blocked, GEMINI[1]))
    assert texts(blocks) == [["b"], ["b"]]
    assert notes == [f"FILE:{i}: {problem}; tsoft skips it" for i in (1, 3)]
    batch = {"request": {"contents": []}, "status": "", "response": blocked}
    blocks, notes = read(lines(batch, GEMINI[1], batch))
    assert (texts(blocks), len(notes)) == ([["b"]], 2)
    # With a text, the request lacks a setting.
    with pytest.raises(InputError, match="responseLogprobs"):
        read_json({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "MAX_TOKENS"}]})


def test_pieces_about_content_filters_alone_have_no_logprobs() -> None:
    with pytest.raises(InputError, match="FILE:1: the response has no log-probabilities; add"):
        read(lines(*[{"id": "", "object": "", "choices": []}] * 2))


# A question and its answer: LangChain's messages_to_dict and dumpd, OpenAI's messages, Pydantic AI's all_messages_json.
MESSAGES: dict[str, Callable[[Any], list[Any]]] = {
    "langchain": lambda logprobs: [
        {"type": "human", "data": {"content": "Q", "response_metadata": {}, "type": "human", "example": False}},
        {"type": "ai", "data": {"content": "a", "response_metadata": logprobs, "type": "ai", "id": None}},
    ],
    "langchain dumpd": lambda logprobs: [
        {"lc": 1, "type": "constructor", "id": ["x", name], "kwargs": {"content": "Q", "type": kind} | fields}
        for name, kind, fields in (
            ("HumanMessage", "human", {}),
            ("AIMessageChunk", "AIMessageChunk", {"content": "", "id": "1"}),
            ("AIMessage", "ai", {"id": "2", "response_metadata": logprobs}),
        )
    ],
    "openai": lambda logprobs: [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "a"} | logprobs],
    "pydantic-ai": lambda logprobs: [
        {"parts": [{"content": "Q", "part_kind": "user-prompt"}], "kind": "request"},
        {"parts": [{"content": "a", "part_kind": "text"}], "kind": "response", "provider_details": logprobs},
    ],
}


@pytest.mark.parametrize("form", [lambda messages: json.dumps(messages).encode(), lambda messages: lines(*messages)])
@pytest.mark.parametrize("messages", MESSAGES.values(), ids=MESSAGES.keys())
def test_messages_of_people_have_no_logprobs(
    messages: Callable[[Any], list[Any]], form: Callable[[list[Any]], bytes]
) -> None:
    """The messages of a model without them are noted."""
    known, other = (messages({"logprobs": {"content": [entry(token)]}}) for token in "ab")
    unknown = messages({})
    blocks, notes = read(form([*known, *other]))
    assert (texts(blocks), notes) == ([["a"], ["b"]], [])
    blocks, [note] = read(form([*unknown, *known, *unknown]))
    assert texts(blocks) == [["a"]]
    assert note.endswith("the message has no log-probabilities; tsoft skips it, and others without them")
    with pytest.raises(InputError, match='the response has no log-probabilities; add "logprobs": true'):
        read(form(unknown))


def test_rows_with_the_names_of_messages_are_rows() -> None:
    for row in ({"role": "x", "content": "y", "logits": [2.0, 1.0]}, {"kind": 2.0, "content": 1.0}):
        [block], _ = read_json(row)
        assert block.partial is None
    columns = ColumnOptions(logits=("a", "b"))
    [block], _ = read_json({"type": "x", "content": "y", "a": 2.0, "b": 1.0}, columns=columns)
    assert block.labels == ("a", "b")


@pytest.mark.parametrize("form", [lines, lambda *records: json.dumps(records).encode()])
def test_tokens_with_other_texts_are_answers(form: Callable[..., bytes]) -> None:
    """Without them, or in a stream, they are the tokens of one text."""
    records = [
        entry("a") | {"question": "p", "id": 1},
        entry("b") | {"question": "q", "id": 2},
        entry("c") | {"x": "r"},
    ]
    nested = [{"prompt": str(i), "answer": entry(token)} for i, token in enumerate("abc")]
    for values in (records, nested):
        blocks, [note] = read(form(*values))
        assert texts(blocks) == [["a"], ["b"], ["c"]]
        assert "each token with another text, such as" in note
    assert texts(read_json({"results": records})[0]) == [["a"], ["b"], ["c"]]
    assert read(form(records[0]))[1] == []
    plain = [entry(token) | {"type": "token", "model": "m", "offset": 3} for token in "ab"]
    assert (texts(read(form(*plain))[0]), read(form(*plain))[1]) == ([["a", "b"]], [])
    pieces = [{"request": "x", "token": entry(token), "generated_text": None} for token in "ab"]
    for saved in (pieces, records[:2]):
        data = b"".join(b"data: " + line + b"\n" for line in lines(*saved).splitlines())
        assert texts(read(data)[0]) == [["a", "b"]]


def test_calibrate_reads_each_token_with_a_question_as_a_row() -> None:
    tops = [{"token": token, "logprob": logprob} for token, logprob in (("a", -0.5), ("b", -1.0))]
    records = [
        entry(token) | {"top_logprobs": tops, "question": f"q{i}", "target": target}
        for i, (token, target) in enumerate(zip("abaa", "bbaa", strict=True))
    ]
    arguments = ("calibrate", "--choices", "a,b", "--listed-only", "-f", "csv", "--measures", "accuracy")
    for data in (lines(*records), json.dumps(records).encode()):
        done = here(*arguments, stdin=data)
        names, values = (line.split(",") for line in done.stdout.splitlines()[:2])
        assert dict(zip(names, values, strict=True))["rows"] == "4"


def test_two_saved_streams_are_two_texts() -> None:
    data = b"".join(b"data: " + json.dumps(chunk(token)).encode() + b"\n\ndata: [DONE]\n\n" for token in "ab")
    blocks, notes = read(data)
    assert (texts(blocks), notes) == ([["a"], ["b"]], [])
    _, [note] = read(data + b"< HTTP/1.1 200 OK\n")
    assert "FILE:9: tsoft ignores the lines after the end of the stream" in note


def data_lines(*documents: object) -> bytes:
    return b"".join(b"data: " + line + b"\n\n" for line in lines(*documents).splitlines())


def test_the_pieces_of_a_stream_with_different_ids_are_one_text() -> None:
    """As some proxies and servers write them: litellm, llama.cpp before June 2024."""
    pieces = [chunk("a", id="1"), chunk("b", id="2"), {"id": "3", "choices": []}, chunk("c", id="4"), end(id="5")]
    for end_of_stream in (b"", b"data: [DONE]\n"):
        blocks, [note] = read(data_lines(*pieces) + end_of_stream)
        assert texts(blocks) == [["a", "b", "c"]]
        assert note == "FILE: each piece of the stream has another id; tsoft reads them as one answer"
    # Two streams, whole answers, and streams whose ids repeat.
    two = data_lines(*pieces) + b"data: [DONE]\n" + data_lines(*(piece | {"id": piece["id"] + "x"} for piece in pieces))
    assert texts(read(two)[0]) == [["a", "b", "c"]] * 2
    whole = [{"id": token, "choices": [choice(token, finish_reason="stop")]} for token in "ab"]
    assert (texts(read(data_lines(*whole))[0]), read(data_lines(*whole))[1]) == ([["a"], ["b"]], [])
    three = [chunk(token, id=name) for token, name in zip("abcdef", "123231", strict=True)]
    assert (texts(read(data_lines(*three))[0]), read(data_lines(*three))[1]) == (
        [["a", "f"], ["b", "d"], ["c", "e"]],
        [],
    )


def test_lines_of_pieces_with_different_ids_are_noted() -> None:
    blocks, [note] = read(lines(chunk("a", id="1"), chunk("b", id="2")))
    assert texts(blocks) == [["a"], ["b"]]
    assert "each piece has another id, so tsoft reads each as an answer" in note
    _, [note] = read(lines(*(piece | {"responseId": f"{i}"} for i, piece in enumerate(GEMINI[:1] * 2))))
    assert "remove these fields: jq -c 'del(.. | .responseId?)'" in note
    assert read(lines(*(chunk(token, id=name) for token, name in zip("abc", "121", strict=True))))[1] == []


GEMINI: list[dict[str, Any]] = [
    {"candidates": [{"logprobsResult": {"chosenCandidates": [{"token": "a", "logProbability": -0.5}]}}]},
    {
        "candidates": [
            {"logprobsResult": {"chosenCandidates": [{"token": "b", "logProbability": -0.5}]}, "finishReason": "STOP"}
        ]
    },
]


@pytest.mark.parametrize("name", ["chunks", "events"])
@pytest.mark.parametrize("pieces", [[chunk("a", id="1"), chunk("b", id="1"), end(id="1")], GEMINI, GEMINI[:1]])
def test_an_array_of_pieces_in_an_object_is_a_stream(name: str, pieces: list[Any]) -> None:
    expected = ["a", "b"][: len(pieces)]
    for record in ({"prompt": "p", name: pieces}, {"calls": [{name: pieces}]}):
        blocks, notes = read(lines(record, record))
        assert (texts(blocks), notes) == ([expected] * 2, [])
    blocks, _ = read_json({"target": "a", name: pieces}, targets=TargetSource())
    assert {block.origin.target for block in blocks} == {"a"}


# What contains a piece: an event of a plug-in, an entry of a log, and an object with the raw piece.
WRAPPERS: list[Callable[[Any, int], dict[str, Any]]] = [
    lambda piece, i: {"event": "message", "data": piece},
    lambda piece, i: {"time": f"12:00:0{i}", "log": {"event": {"type": "chunk"}, "chunk": piece}},
    lambda piece, i: {"i": i, "raw": piece},
]
OLLAMA: list[dict[str, Any]] = [{"response": token, "done": token == "b", "logprobs": [entry(token)]} for token in "ab"]
CHUNKS = [chunk("a", id="1"), chunk("b", id="1"), end(id="1")]
LEGACY = [
    {"id": "1", "choices": [{"index": 0, "text": token, "logprobs": logprobs, "finish_reason": reason}]}
    for token, logprobs, reason in (
        ("a", {"tokens": ["a"], "token_logprobs": [-0.5]}, None),
        ("b", {"tokens": ["b"], "token_logprobs": [-0.5]}, None),
        ("", None, "stop"),
    )
]


@each_case("wrapper", WRAPPERS)
@each_case("pieces", [CHUNKS, LEGACY, OLLAMA, [piece | {"responseId": "1"} for piece in GEMINI]])
def test_an_array_of_objects_that_contain_pieces_is_a_stream(
    wrapper: Callable[[Any, int], dict[str, Any]], pieces: list[Any]
) -> None:
    wrapped = [wrapper(piece, i) for i, piece in enumerate(pieces)]
    for end_of_stream in ([], ["[DONE]"], [{"data": "[DONE]"}]):
        blocks, notes = read_json({"model": "m", "events": [*wrapped, *end_of_stream], "usage": {}})
        assert (texts(blocks), notes) == ([["a", "b"]], [])
    assert texts(read(lines(*wrapped))[0]) == [["a", "b"]]


def test_the_innermost_id_decides_which_pieces_make_a_text() -> None:
    first, second, last = CHUNKS
    mixed = [{"success": True, "data": first}, second, {"data": {"data": last}}]
    for form in (lines, data_lines, lambda *documents: json.dumps(documents).encode()):
        blocks, notes = read(form(*mixed))
        assert (texts(blocks), notes) == ([["a", "b"]], [])
    entries = [{"id": f"{i}", "data": piece} for i, piece in enumerate(CHUNKS)]
    assert texts(read(lines(*entries))[0]) == [["a", "b"]]
    # Without an inner id, that of an entry decides, with a note.
    entries = [{"id": f"{i}", "data": piece | {"done": False}} for i, piece in enumerate(OLLAMA)]
    for data in (lines(*entries), json.dumps({"log": entries}).encode()):
        blocks, [note] = read(data)
        assert texts(blocks) == [["a"], ["b"]]
        assert "each piece has another id, so tsoft reads each as an answer" in note
    # The pieces may be the fields of an object, as pandas writes a column.
    assert texts(read_json({"0": first, "1": second})[0]) == [["a", "b"]]


@each_case(
    ("field", "values"),
    [
        ("question", ["Is 2 even?", "Is 3 even?"]),
        ("item_id", [1, 2]),
        ("messages", [[{"role": "user", "content": text}] for text in "xy"]),
    ],
)
def test_answers_to_different_questions_are_different_texts(field: str, values: list[Any]) -> None:
    """Gemini's whole answers without a finish reason look like pieces."""
    records = [{field: value, "model": "m", "response": GEMINI[0]} for value in values]
    for data in (lines(*records), json.dumps(records).encode()):
        blocks, [note] = read(data)
        assert texts(blocks) == [["a"], ["a"]]
        assert f"each piece has another {field}, so tsoft reads each as an answer" in note
    # An id of the whole log is none of a response.
    for log in (lines(*[{"id": "run"} | record for record in records]), json.dumps({"id": "x", "y": records}).encode()):
        assert texts(read(log)[0]) == [["a"], ["a"]]
    # The pieces of one question, and an event in each line of a log, are one text.
    assert texts(read(lines(*[{field: values[0], "response": piece} for piece in GEMINI]))[0]) == [["a", "b"]]
    logged = [{"time": f"2026-01-0{i + 1}", "event": f"e{i}", "data": piece} for i, piece in enumerate(GEMINI)]
    assert texts(read(lines(*logged))[0]) == [["a", "b"]]


def test_answers_that_may_be_pieces_of_one_answer_are_noted() -> None:
    blocks, [note] = read(lines(*GEMINI[:1] * 2))
    assert texts(blocks) == [["a", "a"]]
    assert "tsoft reads responses without an id and a finish reason as the pieces of one answer" in note
    times = [{"createTime": f"2026-01-01T00:00:0{i}Z"} | GEMINI[0] for i in range(2)]
    assert texts(read(lines(*times))[0]) == [["a"], ["a"]]
    # A stream ends with its array.
    blocks, notes = read_json([GEMINI[:1] * 2, GEMINI[:1] * 2])
    assert (texts(blocks), notes) == ([["a", "a"]] * 2, [])


def test_unfinished_answers_in_an_array_are_no_stream() -> None:
    answers = [{"index": i, "token_ids": [i], "logprobs": [{str(i): -0.5}], "finish_reason": None} for i in range(2)]
    assert texts(read_json({"outputs": answers})[0]) == [["#0"], ["#1"]]


def test_events_in_the_lines_of_a_log_repeat_tokens() -> None:
    """The first lines have no log-probabilities at all."""
    whole = {"object": "response", "output": [{"type": "message", "content": [{"logprobs": [entry("a"), entry("b")]}]}]}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {"id": "r"}}]
    events += [{"type": "response.output_text.delta", "logprobs": [entry(token)]} for token in "ab"]
    events += [{"type": "response.completed", "response": whole}]
    records = [{"time": i, "entry": {"event": event}} for i, event in enumerate(events)]
    assert texts(read(lines(*records, *records))[0]) == [["a", "b"]] * 2
    # The event may be the request of an answer.
    request = {"sent": {"type": "response.create"}, "received": {"choices": [choice("a")]}}
    assert texts(read_json(request)[0]) == [["a"]]
    delta, done = TRANSCRIPTIONS["stream"]
    heard_in_log = [{"time": i, "event": event} for i, event in enumerate([heard(delta, "a"), heard(done, "a")])]
    assert texts(read(lines(*heard_in_log))[0]) == [["a"]]


def sglang(count: int, **fields: Any) -> dict[str, Any]:
    return {"text": "x", "meta_info": {"id": "1", "output_token_logprobs": [[-0.5, 7, "x"]] * count} | fields}


def test_the_log_probabilities_of_requested_tokens_are_skipped() -> None:
    """SGLang writes them to meta_info if the request has token_ids_logprob."""
    requested = {"output_token_ids_logprobs": [[[-1.5, 5, None], [-2.5, 6, None]]], "input_token_ids_logprobs": []}
    [block], [note] = read_json(sglang(1, **requested))
    assert block.labels == ("x",)
    assert note == "FILE:1: tsoft skips the log-probabilities of requested tokens (output_token_ids_logprobs)"
    assert read_json(sglang(1, output_token_ids_logprobs=[None], input_token_ids_logprobs=None))[1] == []
    for alone in ({"text": "x", "meta_info": requested}, {"text": "x"} | requested):
        with pytest.raises(InputError, match='add "return_logprob": true, "top_logprobs_num": 20 to the request'):
            read_json(alone)


@pytest.mark.parametrize(
    ("pieces", "count"),
    [
        ([sglang(1), sglang(2), sglang(3)], 3),
        ([sglang(1), sglang(1), sglang(1)], 3),
        ([sglang(1), sglang(2), sglang(2, finish_reason={"type": "stop"})], 2),
        ([sglang(1), sglang(1, finish_reason={"type": "stop"}), sglang(2)], 3),
        # LMDeploy's pieces never repeat tokens: lmdeploy/serve/openai/endpoints/generate.py.
        ([sglang(1, completion_tokens=1), sglang(1, completion_tokens=2, finish_reason={"type": "length"})], 2),
        ([sglang(1, completion_tokens=1), sglang(1, completion_tokens=1, finish_reason={"type": "length"})], 1),
    ],
)
def test_a_piece_that_begins_with_all_tokens_so_far_repeats_them(pieces: list[Any], count: int) -> None:
    """But a text may repeat a token."""
    assert len(read(b"".join(b"data: " + line + b"\n" for line in lines(*pieces).splitlines()))[0]) == count


def test_a_piece_may_have_tokens_of_one_answer_only() -> None:
    answers = [choice("a", finish_reason=None), {"index": 1, "logprobs": None, "finish_reason": None}]
    pieces = [{"id": "1", "choices": answers}, {"id": "1", "choices": [choice("b", index=1, finish_reason="stop")]}]
    assert texts(read(lines(*pieces))[0]) == [["a"], ["b"]]
    with pytest.raises(InputError, match="FILE:1: choice 1: the response has no log-probabilities"):
        read_json({"choices": [choice("a", finish_reason="stop"), {"index": 1, "finish_reason": "stop"}]})


def test_an_unknown_list_in_a_stream_is_an_error() -> None:
    odd = {"object": "chat.completion.chunk", "choices": [{"index": 0, "logprobs": {"odd": [-1]}}]}
    with pytest.raises(InputError, match=r"FILE:2: choices\[0\].logprobs: log-probabilities in an unknown format"):
        read(b"data: " + json.dumps(chunk("a")).encode() + b"\ndata: " + json.dumps(odd).encode())


def test_events_of_the_responses_api_repeat_tokens() -> None:
    """The pieces, the whole text, and the whole response. Each of them may be the only one with tokens."""
    whole = {"object": "response", "output": [{"content": [{"logprobs": [entry("a"), entry("b")]}]}]}
    pieces = [{"type": "response.output_text.delta", "logprobs": [entry(token)]} for token in "ab"]
    silent: list[Any] = [{"type": "response.output_text.delta", "logprobs": []}]
    done = {"type": "response.output_text.done", "logprobs": [entry("a"), entry("b")]}
    end = {"type": "response.completed", "response": whole}
    for events in ([*pieces, done, end], [*silent, done, end], [*silent, end]):
        assert texts(read(lines(*events))[0]) == [["a", "b"]]
        assert texts(read(lines(*events, *events))[0]) == [["a", "b"]] * 2


def test_every_message_of_a_response_is_read_from_its_pieces() -> None:
    """A model that calls a tool may write several messages. The last event of each repeats its tokens."""
    pieces = [
        {"type": f"response.output_text.{kind}", "item_id": message, "logprobs": [*map(entry, tokens)]}
        for message, text in (("m0", "ab"), ("m1", "cd"))
        for kind, tokens in (("delta", text[0]), ("delta", text[1]), ("done", text))
    ]
    created: dict[str, Any] = {"type": "response.created", "response": {"object": "response", "output": []}}
    assert read(lines(created, *pieces))[1] == []
    assert [token for text in texts(read(lines(created, *pieces))[0]) for token in text] == [*"abcd"]
    # A stream that ends too early, and another one.
    for between in ([created], []):
        blocks, notes = read(lines(created, *pieces[:3], *between, *pieces[:2]))
        assert [token for text in texts(blocks) for token in text] == [*"abab"]
        assert notes == []
    assert texts(read(lines(created, pieces[0], created, pieces[2]))[0]) == [["a"], ["a", "b"]]


def test_an_event_with_more_tokens_than_those_before_it_is_noted() -> None:
    """A log may begin in the middle of a stream, and a proxy may remove log-probabilities."""
    whole = {"object": "response", "output": [{"content": [{"logprobs": [entry("a"), entry("b")]}]}]}
    delta, end = {"type": "response.output_text.delta"}, {"type": "response.completed", "response": whole}
    silent: dict[str, Any] = delta | {"logprobs": []}
    done = {"type": "response.output_text.done", "logprobs": [entry("b")]}
    for pieces in ([delta | {"logprobs": [entry("b")]}], [delta | {"logprobs": [entry("b")]}, silent], [done]):
        blocks, [note] = read(lines(*pieces, end))
        assert texts(blocks) == [["b"]]
        assert f"FILE:{len(pieces) + 1}: the last event has 2 tokens, but the pieces" in note
        assert "only 1; tsoft reads the pieces" in note
    assert len(read(lines(delta | {"logprobs": [entry("b")]}, done | {"logprobs": [entry("a"), entry("b")]}))[1]) == 1


# openai-python, types/audio/transcription_text_delta_event.py and
# types/realtime/conversation_item_input_audio_transcription_delta_event.py.
TRANSCRIPTIONS = {
    "stream": ("transcript.text.delta", "transcript.text.done"),
    "realtime": (
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ),
}


def heard(kind: str, *tokens: str, **fields: Any) -> dict[str, Any]:
    """Return an event of a transcription, whose tokens have no alternatives."""
    return {"type": kind, "logprobs": [{"token": token, "logprob": -0.5, "bytes": [97]} for token in tokens]} | fields


@pytest.mark.parametrize(("delta", "done"), TRANSCRIPTIONS.values(), ids=TRANSCRIPTIONS.keys())
def test_the_last_event_of_a_transcription_repeats_its_tokens(delta: str, done: str) -> None:
    events = [heard(delta, "a"), heard(delta, "b"), heard(done, "a", "b")]
    for saved in (lines(*events), b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)):
        assert texts(read(saved)[0]) == [["a", "b"]]
    assert texts(read(lines(*events, *events))[0]) == [["a", "b"]] * 2
    # Only the last event has tokens.
    assert texts(read(lines({"type": delta, "delta": "a"}, heard(done, "a", "b")))[0]) == [["a", "b"]]
    with pytest.raises(InputError, match="the response has no log-probabilities; add"):
        read(lines({"type": delta, "delta": "a"}, {"type": done, "text": "a"}))


@pytest.mark.parametrize(("delta", "done"), TRANSCRIPTIONS.values(), ids=TRANSCRIPTIONS.keys())
def test_the_last_event_of_a_transcription_has_more_tokens_than_its_pieces(delta: str, done: str) -> None:
    blocks, [note] = read(lines(heard(delta, "b"), heard(done, "a", "b"), heard(delta, "c"), heard(done, "c")))
    assert texts(blocks) == [["b"], ["c"]]
    assert "FILE:2: the last event has 2 tokens, but the pieces before it have only 1" in note


def test_items_are_transcribed_at_the_same_time() -> None:
    delta, done = TRANSCRIPTIONS["realtime"]
    events = [heard(delta, "a", item_id="1"), heard(delta, "x", item_id="2"), heard(delta, "b", item_id="1")]
    ends = [heard(done, "a", "b", item_id="1"), heard(done, "x", item_id="2"), heard(done, "y", item_id="3")]
    assert texts(read(lines(*events, *ends))[0]) == [["a", "b"], ["x"], ["y"]]


def test_an_answer_may_have_no_tokens() -> None:
    """An empty list is not a missing one, unless it is the only one."""
    empties: list[Any] = [
        {"choices": [{"index": 0, "logprobs": {"content": []}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "text": "", "logprobs": {"tokens": [], "token_logprobs": []}}]},
        {"text": "", "logprobs": []},
    ]
    for empty in empties:
        assert texts(read(lines(empty, {"choices": [choice("a", finish_reason="stop")]}))[0]) == [["a"]]
        with pytest.raises(InputError, match="no log-probabilities"):
            read(lines(empty))


FILTERED: list[dict[str, Any]] = [
    {"index": 1, "message": {"content": None, "refusal": None}, "finish_reason": "content_filter", "logprobs": None},
    {"index": 1, "text": "", "finish_reason": "content_filter", "logprobs": None},
    {"index": 1, "message": {"role": "assistant", "tool_calls": [], "content": ""}, "finish_reason": "content_filter"},
]


@pytest.mark.parametrize("filtered", FILTERED)
def test_an_answer_without_text_is_noted(filtered: dict[str, Any]) -> None:
    answer, problem = choice("a", finish_reason="stop"), "the answer has no text (finish_reason: content_filter)"
    blocks, [note] = read_json({"choices": [answer, filtered]})
    assert (texts(blocks), note) == ([["a"]], f"FILE:1: choice 1: {problem}; tsoft skips it")
    alone = {"choices": [filtered | {"index": 0}]}
    blocks, [note] = read(lines({"choices": [answer]}, alone, {"choices": [answer]}))
    assert (texts(blocks), note) == ([["a"], ["a"]], f"FILE:2: {problem}; tsoft skips it")
    with pytest.raises(InputError, match=f"^FILE:1: {re.escape(problem)}$"):
        read_json(alone)


@each_case(
    "message",
    [
        {"content": "a"},
        {},
        {"content": ""},
        {"content": None, "refusal": "No"},
        {"content": None, "tool_calls": [{"id": "x"}]},
        {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"content": None, "audio": {"transcript": "a"}},
        {"content": "", "reasoning_content": "a"},
    ],
)
def test_an_answer_that_may_have_tokens_needs_logprobs(message: dict[str, Any]) -> None:
    reasons = ["stop", "length", "tool_calls", *(["content_filter"] * any(message.values()))]
    for reason in reasons:
        silent = {"index": 1, "message": {"role": "assistant"} | message, "finish_reason": reason}
        with pytest.raises(InputError, match='choice 1: the response has no log-probabilities; add "logprobs": true'):
            read_json({"choices": [choice("a"), silent]})


def test_answers_with_equal_numbers_are_different_texts() -> None:
    blocks, _ = read_json({"choices": [choice("a", finish_reason=None), choice("b", finish_reason=None)]})
    assert texts(blocks) == [["a"], ["b"]]


@pytest.mark.parametrize("tops", [None, [None, {"a": -0.5}], [{"p": None}, {"a": -0.5}], [{}, {"a": -0.5}]])
def test_an_echoed_prompt_is_noted(tops: Any) -> None:
    """Its first token may have itself as its only alternative."""
    logprobs = {"tokens": ["p", "a"], "token_logprobs": [None, -0.5], "top_logprobs": tops}
    blocks, [note] = read_json({"choices": [{"text": "pa", "logprobs": logprobs}]})
    assert texts(blocks) == [["a"]]
    assert "the list may start with the prompt" in note


def test_a_replacement_character_in_a_map_hides_other_tokens() -> None:
    """Several tokens can have this text, and the map has room for one, so the lowest number bounds nothing."""
    for label, cap in (("\ufffd", math.inf), ("x", -2.5)):
        tops = {label: -2.5, "a": -0.5}
        logprobs = {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [tops]}
        [block], _ = read_json({"choices": [{"text": "a", "logprobs": logprobs}]})
        assert block.partial
        assert block.partial.cap == cap


def test_the_parts_of_an_answer_make_one_text() -> None:
    """The Responses API has several messages with several parts."""
    parts = [{"type": "output_text", "logprobs": [entry(token)]} for token in "ab"]
    output = [{"type": "message", "content": parts}, {"type": "message", "content": parts[:1]}]
    assert texts(read_json({"object": "response", "output": output})[0]) == [["a", "b", "a"]]


@pytest.mark.parametrize("name", ["output", "content"])
def test_elements_without_a_kind_are_different_answers(name: str) -> None:
    answers = [{"question": f"q{i}", "logprobs": {"content": [entry(token)]}} for i, token in enumerate("ab")]
    blocks, notes = read_json({name: answers})
    assert (texts(blocks), notes) == ([["a"], ["b"]], [])


def test_only_the_events_of_an_inspect_sample_repeat_its_answer() -> None:
    events = [{"model": "m", "choices": [choice("a", "b", finish_reason="stop")]}]
    for document in ({"events": events}, {"run": {"attachments": events}, "id": "x"}):
        assert texts(read_json(document)[0]) == [["a", "b"]]
    sample = {"id": 1, "epoch": 1, "output": {"choices": [choice("c")]}, "events": events}
    assert texts(read_json({"samples": [sample]})[0]) == [["c"]]
    assert texts(read_json({"events": events, "answer": {"choices": [choice("c")]}})[0]) == [["a", "b"], ["c"]]


def test_the_answers_of_text_generation_inference_have_numbers() -> None:
    tokens = [[{"id": i, "text": text, "logprob": -0.5}] for i, text in enumerate("abc")]
    others = [{"generated_text": "", "tokens": tokens[i]} for i in (1, 2)]
    blocks, _ = read_json({"generated_text": "", "details": {"tokens": tokens[0], "best_of_sequences": others}})
    assert texts(blocks) == [["a"], ["b"], ["c"]]
    assert [block.partial.choice for block in blocks if block.partial] == [0, 1, 2]


def test_a_deep_document_is_refused() -> None:
    deep = '{"a": ' * 900 + '{"logprobs": 1}' + "}" * 900
    for form in ("{}", "data: {}\n", "[{}]"):
        with pytest.raises(InputError, match=r"^FILE"):
            read(form.replace("{}", deep, 1).encode())


def test_a_whole_answer_without_logprobs_is_an_error_after_others() -> None:
    with pytest.raises(InputError, match="FILE:2: the response has no log-probabilities"):
        read(lines({"choices": [choice("a", finish_reason="stop")]}, end()))


def test_a_text_with_a_number_is_not_a_token() -> None:
    """It may be a sentence with its log-probability, or with a class's probability."""
    with pytest.raises(InputError, match="FILE:1: logprob: log-probabilities in an unknown format"):
        read_json({"text": "a long sentence", "logprob": -12.5})
    with pytest.raises(InputError, match="'text': expected a number"):
        read_json({"text": "good", "prob": 0.9})
    [block], [note] = read_json({"text": "good", "probs": {"a": 0.5, "b": 0.5}})
    assert (block.labels, block.partial) == (("a", "b"), None)
    assert note == "FILE: tsoft ignores the field 'text'"


@pytest.mark.parametrize(
    ("response", "path"),
    [
        ({"choices": [{"index": 0, "logprobs": {"odd": {"a": -1}}}]}, "choices[0].logprobs"),
        ({"choices": [{"index": 0}], "extra": [{"logprob": -1}]}, "extra[0].logprob"),
        ({"a": {"b": [{"logprob": -1, "rank": 1}]}}, "a.b[0].logprob"),
        ({"TokenLogProbabilities": [{"Word": "a", "LogProbability": -1}]}, "TokenLogProbabilities"),
    ],
)
def test_unknown_log_probabilities_are_named_with_their_path(response: Any, path: str) -> None:
    with pytest.raises(InputError) as error:
        read_json(response)
    problem = f"{path}: log-probabilities in an unknown format; tsoft help api-responses lists the formats"
    assert str(error.value) == f"FILE:1: {problem}"


@pytest.mark.parametrize(
    ("response", "path"),
    [
        # github.com/triton-inference-server/tensorrtllm_backend, the answers of its ensemble.
        (
            {"model_name": "m", "batch_index": 0, "text_output": "ab", "output_log_probs": [-0.5, -1]},
            "output_log_probs",
        ),
        ({"choices": [{"text": "ab", "logprobs": [-0.5, -1]}]}, "choices[0].logprobs"),
        ({"completion_ids": [[5, 6]], "logprobs": [[-0.25]]}, "logprobs"),
        ({"output": "ab", "log_probs": [-0.25, -0.5, None]}, "log_probs"),
        # These may be probabilities of classes, but the classes are tokens.
        ({"generated_tokens": ["a", "b"], "logprobs": [-1.5, -0.5]}, "logprobs"),
    ],
)
def test_log_probabilities_without_tokens_are_an_error(response: Any, path: str) -> None:
    problem = f"{path}: log-probabilities without the tokens that they belong to; add their texts as tokens, or"
    with pytest.raises(InputError, match=f"^FILE:1: {re.escape(problem)}"):
        read_json(response)


@pytest.mark.parametrize(
    "document", [{"id": "1", "output": ["data: {}\n\n"]}, {"choices": [], "output": [{}, "data:{}"]}]
)
def test_a_stream_in_a_string_is_an_error_that_names_it(document: Any) -> None:
    """What RunPod writes for a stream of vLLM."""
    place = re.escape(f"output[{len(document['output']) - 1}]")
    with pytest.raises(InputError, match=f"^FILE:1: {place}: the text of a stream in a string; write the stream"):
        read_json(document)


def test_an_error_field_without_an_error() -> None:
    cases: list[dict[str, Any]] = [{"error": ""}, {"error": {}}, {"error": None}, {"detail": "high"}]
    for fields in cases:
        assert texts(read_json({"choices": [choice("a")]} | fields)[0]) == [["a"]]


@each_case(
    "row",
    [
        {"choices": 2.0, "logprobs": -1.0},
        {"logprob": 1, "top_logprobs": 2},
        {"logits": [2.0, 1.0], "choices": ["A", "B"]},
        {"text": "good", "probs": [0.25, 0.75]},
        {"a": 0.5, "prob": 0.25},
        {"logprobs": [-0.5, -1.0], "labels": ["a", "b"]},
        {"logprobs": [-0.25, -0.5], "labels": ["a", "b"], "text": "good"},
        {"logprobs": [-0.25, -0.5], "target": 1, "text": "good"},
        {"logprobs": [-0.5, -1.0], "text": "good"},
        {"logprobs": [-0.25, -0.5], "id": 3},
        {"probs": [0.75, 0.75], "tokens_used": [1, 2]},
        {"logits": [[2.0, 1.0]], "meta": {"choices": []}},
    ],
)
def test_rows_with_fields_of_responses_are_rows(row: dict[str, Any]) -> None:
    [block], _ = read_json(row)
    assert block.partial is None
    assert block.logits.shape == (1, 2)


# Evaluations


def sample(*numbers: object, contexts: Sequence[str] = (), texts: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
    """Return a sample of lm-evaluation-harness: lm_eval/loggers/evaluation_tracker.py, save_results_samples."""
    texts = texts or ("was big.",) * len(contexts) or "ABC"[: len(numbers)]
    pairs = itertools.zip_longest(contexts, texts, fillvalue="Q:")
    arguments = {f"gen_args_{i}": {"arg_0": context, "arg_1": f" {text}"} for i, (context, text) in enumerate(pairs)}
    responses = [[[number, "False"]] for number in numbers]
    return {"doc_id": 0, "doc": {}, "target": "1", "arguments": arguments, "resps": responses} | fields


def test_a_sample_of_lm_evaluation_harness_is_a_row_of_log_likelihoods() -> None:
    data = lines(sample("-1.5", "-0.5"), sample(-2.0, -0.25, target="A"))
    assert [block.labels for block in read(data)[0]] == [("A", "B")] * 2
    # The answers differ from question to question, so the classes are their places.
    blocks, _ = read(data, targets=TargetSource())
    assert [block.labels for block in blocks] == [None] * 2
    assert [block.logits.tolist() for block in blocks] == [[[-1.5, -0.5]], [[-2.0, -0.25]]]
    assert [block.targets.tolist() for block in blocks if block.targets is not None] == [[1], [0]]
    assert [block.first_row for block in blocks] == [0, 1]


@pytest.mark.parametrize(
    ("document", "target"),
    [
        # doc_to_target of most tasks is an index, whatever the texts are; that of others is the text (api/task.py).
        (sample(-3, -4, -1, target="2", texts="123", acc=1.0), 2),
        (sample(-3, -1, -4, target="2", texts="123", acc=1), 1),
        (sample(-3, -1, -4, target="2", texts="123", acc=0.0), 2),
        (sample(-3, -1, -4, target="3", texts="123", acc=0.0), 2),
        # The answers of winogrande are contexts of one continuation, so only acc tells which one is right.
        (sample(-9, -8, target="was big.", contexts=("Sarah", "Maria"), acc=1.0), 1),
        (sample(-9, -8, target="was big.", contexts=("Sarah", "Maria"), acc=0.0), 0),
    ],
)
def test_the_accuracy_decides_what_an_ambiguous_target_is(document: Any, target: int) -> None:
    [block], notes = read(lines(document), targets=TargetSource())
    assert (block.targets is not None and block.targets.tolist(), notes) == ([target], [])


AMBIGUOUS = "a target may be the index or the text of an answer, and tsoft takes it as the index"
CONTRADICTION = "the target and acc of a sample contradict each other"


@pytest.mark.parametrize(
    ("document", "target", "problem"),
    [
        (sample(-1, -3, -4, target="2", texts="123", acc=0.0), 2, AMBIGUOUS),
        (sample(-1, -3, -4, target="2", texts="123"), 2, AMBIGUOUS),
        (sample(-1, -3, -4, target="2", acc=1.0), 2, CONTRADICTION),
    ],
)
def test_a_doubtful_target_of_a_sample_is_noted_once(document: Any, target: int, problem: str) -> None:
    blocks, notes = read(lines(document, document), targets=TargetSource())
    assert [block.targets.tolist() for block in blocks if block.targets is not None] == [[target]] * 2
    assert notes == [f"FILE:1: {problem}"]


def test_answers_without_the_question_are_no_further_classes() -> None:
    """With acc_mutual_info, the harness computes each answer again without the question (api/task.py)."""
    document = sample(-1, -2, -0.5, -0.25, contexts=("Q", "Q", "", ""), texts=("yes", "no", "yes", "no"), target="0")
    [block], [note] = read(lines(document))
    assert (block.labels, block.logits.tolist()) == (("yes", "no"), [[-1, -2]])
    assert note == (
        "FILE:1: tsoft does not use the log-likelihoods of the answers without the question (acc_mutual_info)"
    )


def test_calibrate_reads_samples() -> None:
    """The odds of the right answer are e^(1/tau), and three of four answers are right: tau = 1 / ln 3."""
    rows = [sample("-1", "-2", target="0")] * 3 + [sample("-1", "-2", target="1")]
    done = here("calibrate", "-f", "json", stdin=lines(*rows))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["tau"] == pytest.approx(1 / math.log(3), rel=1e-6)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (sample("-1", "-2", resps=[["some text"]]), "resps[0]: the sample has no log-likelihoods of answers"),
        (sample("-1", None), "resps[1]: missing; expected a number"),
        (sample("-1", "much"), 'resps[1]: expected a number, got "much"'),
        (
            sample(-1, -2, -3, target="big", contexts=("a", "b", "c"), acc=0.0),
            "target: the answers are contexts, and the sample does not state which of the 3 is right",
        ),
        (sample("-1", "-2", target="5"), "target: '5' is neither the index nor the text of one of 2 answers"),
    ],
)
def test_samples_without_log_likelihoods(document: Any, problem: str) -> None:
    with pytest.raises(InputError) as error:
        read(lines(document), targets=TargetSource())
    assert problem in str(error.value)


def inspect_log(*samples: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", "{}")
        for i, document in enumerate(samples):
            archive.writestr(f"samples/{i}_epoch_1.json", json.dumps(document))
        archive.writestr("header.json", json.dumps({"choices": []}))
    return file.getvalue()


def test_an_inspect_log_is_read_sample_by_sample(tmp_path: Path) -> None:
    """The events repeat the output."""
    samples = [{"id": i, "output": {"choices": [choice(token, stop_reason="stop")]}} for i, token in enumerate("ab")]
    for item in samples:
        item["events"] = [{"output": item["output"]}]
    data = inspect_log(samples[0], {"id": 9, "output": {"choices": [{"stop_reason": "stop"}]}}, samples[1])
    blocks, [note] = read(data)
    assert texts(blocks) == [["a"], ["b"]]
    assert note == "FILE: samples/1_epoch_1.json: the sample has no log-probabilities; tsoft skips it"
    (tmp_path / "log.eval").write_bytes(data)
    assert here("compute", "-i", str(tmp_path / "log.eval")).stdout == "1.0\n1.0\n"
    with pytest.raises(InputError, match=r"samples/0_epoch_1.json: .*run inspect eval with --logprobs"):
        read(inspect_log({"id": 9, "output": {}}))


def test_zip_files_that_are_not_inspect_logs() -> None:
    with pytest.raises(InputError, match="a zip file without a folder samples"):
        read(inspect_log())
    with pytest.raises(InputError, match="not a complete log of Inspect"):
        read(inspect_log({"output": {}})[:80])


def test_each_name_of_log_probabilities_may_be_in_camel_case() -> None:
    """Oracle's Cohere has them outside of the known fields of an answer."""
    tokens = [{"token": token, "likelihood": -0.5} for token in "ab"]
    for name in ("token_likelihoods", "tokenLikelihoods", "outputLogProbs"):
        blocks, _ = read_json({"type": "C", "texts": [{"text": "ab", "likelihood": -1.0, name: tokens}]})
        assert texts(blocks) == [["a", "b"]]
