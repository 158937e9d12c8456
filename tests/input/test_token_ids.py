"""Reading lists of token ids beside lists of numbers."""

from typing import Any

import pytest

from response_documents import read_json, texts
from tsoft.errors import InputError

# One answer of two tokens, the second of which is the less probable alternative, in the shapes that programs write.
NUMBERS, TOPS = [-0.25, -1.5], [[-0.25, -2.5], [-0.5, -1.5]]
IDS, TOP_IDS = [5, 7], [[5, 6], [8, 7]]
BY_ID = [{"5": -0.25, "6": -2.5}, {"8": -0.5, "7": -1.5}]
OBJECTS = [
    [
        {"token_id": token_id, "token": f"t{token_id}", "logprob": number}
        for token_id, number in zip(*lists, strict=True)
    ]
    for lists in zip(TOP_IDS, TOPS, strict=True)
]
WITHOUT_IDS = [[{"token": entry["token"], "logprob": entry["logprob"]} for entry in entries] for entries in OBJECTS]
LISTED = [[*map(list, zip(*lists, strict=True))] for lists in zip(TOPS, TOP_IDS, strict=True)]
TEXT_KEYS = [{entry["token"]: entry["logprob"] for entry in entries} for entries in WITHOUT_IDS]
WITH_IDS: list[dict[str, Any]] = [
    {"token_ids": IDS, "logprobs": NUMBERS, "top_logprobs": BY_ID},
    {"token_ids": IDS, "log_probs": NUMBERS, "top_logprobs": LISTED},
    {"tokens": IDS, "logprobs": NUMBERS, "topk_indices": TOP_IDS, "topk_logprobs": TOPS},
    {"completion_token_ids": IDS, "topk_indices": TOP_IDS, "topk_logprobs": TOPS},
    {"responseIds": IDS, "topTokenIds": TOP_IDS, "topLogprobs": TOPS},
    {"token_logprobs": NUMBERS, "topk_ids": TOP_IDS, "topk_logprobs": TOPS},
    {"meta_info": {"output_token_logprobs": [[-0.25, 5, None], [-1.5, 7, None]], "output_top_logprobs": BY_ID}},
    {
        "output_token_logprobs_idx": IDS,
        "output_token_logprobs_val": NUMBERS,
        "output_top_logprobs_idx": TOP_IDS,
        "output_top_logprobs_val": TOPS,
    },
    # huggingface/trl, trl/scripts/vllm_serve.py, GenerateResponse.
    {"prompt_ids": [[1, 2, 3]], "completion_ids": [IDS], "logprobs": [TOPS], "logprob_token_ids": [TOP_IDS]},
]
WITH_TEXTS: list[dict[str, Any]] = [
    # ai-dynamo/dynamo, components, backend, sglang_logprobs.py.
    {"token_ids": IDS, "log_probs": NUMBERS, "top_logprobs": OBJECTS, "index": 0},
    {"token_ids": IDS, "logprobs": NUMBERS, "top_logprobs": OBJECTS, "text": "t5t7"},
    {"token_ids": IDS, "top_logprobs": OBJECTS},
    {"token_ids": IDS, "tokens": None, "logprobs": NUMBERS, "top_logprobs": WITHOUT_IDS},
    {"token_logprobs": NUMBERS, "top_logprobs": WITHOUT_IDS},
    # PaLM: cloud.google.com/vertex-ai, "text-bison".
    {"tokens": ["t5", "t7"], "tokenLogProbs": NUMBERS, "topLogProbs": TEXT_KEYS},
    {"tokens": ["t5", "t7"], "token_logprobs": NUMBERS, "top_logprobs_per_token": WITHOUT_IDS},
]


@pytest.mark.parametrize(
    ("record", "prefix"), [(record, "#") for record in WITH_IDS] + [(record, "t") for record in WITH_TEXTS]
)
def test_ids_or_numbers_mark_the_drawn_tokens_among_alternatives(record: dict[str, Any], prefix: str) -> None:
    blocks, notes = read_json(record)
    assert [block.labels for block in blocks] == [tuple(f"{prefix}{i}" for i in ids) for ids in TOP_IDS]
    assert [block.logits[0].tolist() for block in blocks] == TOPS
    assert (texts(blocks), notes) == ([[f"{prefix}5", f"{prefix}7"]], [])


@pytest.mark.parametrize("tops", [OBJECTS, BY_ID, WITHOUT_IDS])
def test_a_drawn_token_that_is_no_alternative_keeps_its_id(tops: list[Any]) -> None:
    blocks, notes = read_json({"token_ids": [5, 50], "logprobs": [-0.25, -3.0], "top_logprobs": tops})
    *_, label = blocks[1].labels or ()
    assert (label, blocks[1].logits[0].tolist(), notes) == ("#50", [-0.5, -1.5, -3.0], [])


def test_keys_are_texts_of_digits_if_no_drawn_token_has_such_an_id() -> None:
    blocks, _ = read_json({"token_ids": [20, 22], "logprobs": NUMBERS, "top_logprobs": BY_ID})
    assert (texts(blocks), blocks[0].labels) == ([["5", "7"]], ("5", "6"))
    drawn = [[-0.25, 20, "5"], [-1.5, 22, "7"]]
    blocks, _ = read_json({"meta_info": {"output_token_logprobs": drawn, "output_top_logprobs": BY_ID}})
    assert (texts(blocks), blocks[0].labels) == ([["5", "7"]], ("5", "6"))


def test_tokens_with_texts_are_read_beside_their_ids() -> None:
    copies = {"output_token_logprobs_val": NUMBERS, "output_token_logprobs_idx": IDS}
    assert texts(read_json({"output_token_logprobs": [[-0.25, 5, "a"], [-1.5, 7, "b"]]} | copies)[0]) == [["a", "b"]]


def test_numbers_of_no_alternative_do_not_mark_the_drawn_tokens() -> None:
    blocks, [note] = read_json({"token_logprobs": [-0.25, -3.0], "top_logprobs": WITHOUT_IDS})
    assert texts(blocks) == [["t5", "t8"]]
    assert "takes the most probable one" in note


@pytest.mark.parametrize(
    "record",
    [
        {"completion_ids": IDS, "logprobs": NUMBERS, "text": "t5t7"},
        {"completion_ids": IDS, "logprobs": [-1.5, -2.5]},
        {"prompt_ids": [1, 2, 3], "completion_ids": IDS, "completion_logprobs": NUMBERS},
        {
            "prompts": [
                {"samples": [{"output_ids": IDS, "output_token_logprobs": NUMBERS, "output_top_logprobs": [None]}]}
            ]
        },
        {"choices": [{"text": "t5t7", "token_ids": IDS, "logprobs": {"token_logprobs": NUMBERS}}]},
    ],
)
def test_ids_under_other_names_are_drawn_tokens(record: dict[str, Any]) -> None:
    assert texts(read_json(record)[0]) == [["#5", "#7"]]


def test_lists_of_lists_of_ids_are_answers() -> None:
    blocks, notes = read_json({"completion_ids": [[5, 7], [6]], "logprobs": [[-0.25, -1.5], [-0.5]]})
    assert (texts(blocks), notes) == ([["#5", "#7"], ["#6"]], [])
    blocks, [note, _] = read_json({"token_ids": [[5, 7], [6]], "logprobs": [[-1.5, -2.5], [-0.5]]})
    assert texts(blocks) == [["#5", "#7"], ["#6"]]
    assert "as those of 2 answers; if they are the alternatives of 2 tokens, call them top_token_ids" in note


def test_the_number_of_ids_must_be_that_of_the_numbers() -> None:
    """The tokens of slime's samples are those of the prompt, too."""
    with pytest.raises(InputError, match="rollout_log_probs: expected one entry per token, 3 in all, got 2"):
        read_json({"tokens": [1, 5, 7], "response": "ab", "rollout_log_probs": NUMBERS})
    with pytest.raises(InputError, match="top_logprobs: expected one entry per token, 1 in all, got 2"):
        read_json({"token_ids": [5], "top_logprobs": OBJECTS})


@pytest.mark.parametrize(
    "row",
    [
        {"output_ids": [5, 6], "logprobs": [-0.6931471805599453, -0.6931471805599453]},
        {"output_ids": [5], "logprobs": [-0.5, -1.5]},
        {"token_indices": [0, 1], "probs": [0.25, 0.75]},
    ],
)
def test_rows_beside_ids_are_rows(row: dict[str, Any]) -> None:
    [block], _ = read_json(row)
    assert block.partial is None


# A list of SGLang, or one of vLLM's engine, saved alone. Each token is [log-probability, id, text].
WHOLE = [[[*entry, None] for entry in entries] for entries in LISTED]


@pytest.mark.parametrize("value", [WHOLE, {"output_top_logprobs": WHOLE}, {"output_top_logprobs": LISTED}])
def test_lists_of_listed_tokens_alone_are_alternatives(value: Any) -> None:
    blocks, [note] = read_json(value)
    assert [block.labels for block in blocks] == [("#5", "#6"), ("#8", "#7")]
    assert [block.logits[0].tolist() for block in blocks] == TOPS
    assert (texts(blocks), "takes the most probable one" in note) == ([["#5", "#8"]], True)


def test_a_list_of_listed_tokens_alone_is_a_text() -> None:
    drawn: list[list[Any]] = [[-0.25, 5, "a"], [-0.5, 7, None]]
    blocks, notes = read_json(drawn)
    assert (texts(blocks), [block.logits.tolist() for block in blocks], notes) == (
        [["a", "#7"]],
        [[[-0.25]], [[-0.5]]],
        [],
    )
    # Their probabilities sum to less than 1.
    blocks, [note] = read_json([[-0.75, 5, "a"], [-1.5, 7, "b"]])
    assert texts(blocks) == [["a", "b"]]
    assert "reads the list as the tokens of a text; if they are the alternatives of one token, write" in note
    answers: list[Any] = [drawn, [[-0.75, 6, "c"]]]
    for value in (answers, {"meta_info": {"output_token_logprobs": answers}}):
        assert texts(read_json(value)[0]) == [["a", "#7"], ["c"]]
    blocks, [note] = read_json({"output_token_logprobs": [[[-0.75, 5, "a"], [-1.5, 7, "b"]], [[-0.75, 6, "c"]]]})
    assert texts(blocks) == [["a", "b"], ["c"]]
    assert "reads the 2 lists of tokens in output_token_logprobs as 2 answers" in note


def test_maps_of_numbers_after_a_null_are_those_of_a_prompt() -> None:
    """The prompt_logprobs of vLLM's engine before 0.4, saved alone."""
    maps = [None, {"15": -7.5, "9": -2.5}, {"2": -1.5}]
    for value in (maps, {"prompt_logprobs": maps, "outputs": []}):
        blocks, [note] = read_json(value)
        assert [block.labels for block in blocks] == [("#15", "#9"), ("#2",)]
        assert (texts(blocks), "takes the first one of each position" in note) == ([["#15", "#2"]], True)
    with pytest.raises(InputError, match="expected a number, got null"):
        read_json([None, {"0": 2.5, "1": -1.5}])


ANSWERS: list[tuple[dict[str, Any], list[str], str]] = [
    ({"first_token_logprobs": {"A": -0.5, " B": -1.5}}, ["A"], "takes the most probable one"),
    ({"answer_logprobs": {"A": -1.5, "B": -0.5}, "completion": "A"}, ["A"], "the text in 'completion' shows"),
    # Scripts trim the text.
    ({"answer_logprobs": {" A": -1.5, "B": -0.5}, "completion": "A"}, [" A"], "the text in 'completion' shows"),
    ({"answer_logprobs": {"A": -1.5, " A": -0.5}, "completion": "A"}, [" A"], "except for whitespace; tsoft takes the"),
    ({"token_ids": [7, 9], "first_token_logprobs": {"5": -0.5, "7": -1.5}}, ["#7"], "as the alternatives of one token"),
    ({"token_ids": [7, 9], "text": "ab", "top_logprobs": {"5": -0.5, "7": -1.5}}, ["#7"], "of the first token"),
]


@pytest.mark.parametrize(("record", "drawn", "problem"), ANSWERS)
def test_a_map_under_any_name_of_log_probabilities_is_one_token(
    record: dict[str, Any], drawn: list[str], problem: str
) -> None:
    for value in (record, {"question": "?", "results": [{"output": record}]}):
        [block], [note] = read_json(value)
        assert (texts([block]), sorted(block.logits[0].tolist())) == ([drawn], [-1.5, -0.5])
        assert "tsoft reads '" in note
        assert problem in note


def test_a_map_beside_tokens_is_no_answer() -> None:
    record = {"content": [{"token": "a", "logprob": -0.5}], "choice_logprobs": {"A": -0.5, "B": -1.5}}
    assert texts(read_json(record)[0]) == [["a"]]


@pytest.mark.parametrize(
    "record",
    [
        {"mean_logprobs": {"a": -0.5, "b": -1.5}},
        {"answer_logprobs": {"a": -0.25, "b": -0.5}},
        {"yes_logprobs": {"a": -0.5, "b": -1.5}, "no_logprobs": {"a": -0.5, "b": -1.5}},
    ],
)
def test_maps_that_may_not_be_one_token_are_refused(record: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(record))}: log-probabilities in an unknown format"):
        read_json(record)
