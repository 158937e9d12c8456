"""Lists of token ids in responses, which stand next to lists of numbers.

The words of a name say whether its ids are those of the drawn tokens (token_ids, output_ids, completion_ids) or of
their alternatives (topk_indices, top_token_ids). Programs write them under many names:

- github.com: huggingface/trl, trl/scripts/vllm_serve.py (completion_ids, logprob_token_ids);
  sgl-project/sglang, managers/io_struct.py (output_token_logprobs_val and output_token_logprobs_idx);
  ai-dynamo/dynamo, components, backend (token_ids, log_probs, top_logprobs).
"""

import functools
import re
from collections.abc import Callable
from typing import Any

from tsoft.input.json_values import Object, is_index
from tsoft.input.token_shapes import (
    FLAT,
    NUMBER_LISTS,
    PAIRS,
    are_at_most_certain,
    are_paired,
    field,
    has_tokens_of_one_position,
    is_numbers,
    names_alternatives,
)

# The last words of a name of ids, and of a name of log-probabilities.
_IDS, _POSITIONS, _VALUES = {"ids"}, {"idx", "idxs", "indices"}, {"val", "vals", "values"}
# The other words of the names of drawn tokens.
_DRAWN = {*("token", "tokens", "output", "completion", "response", "answer", "new", "rollout", "decode")}
_DRAWN |= {"generated", "generation", "sampled", "chosen", "selected", "drawn"}
# Words in the names of the tokens of a prompt.
_PROMPT = {"prompt", "input", "prefill"}


@functools.lru_cache(4096)
def _words(name: str) -> tuple[str, ...]:
    """Return the words of a name, in lower case.

    >>> _words("topkTokenIds"), _words("rollout_log_probs")
    (('topk', 'token', 'ids'), ('rollout', 'logprobs'))
    """
    name = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return tuple(re.sub("log_prob", "logprob", name).split("_"))


def is_name_of_ids(name: str) -> bool:
    """Return whether a field with this name has the ids of drawn tokens. Indices may be positions in a text.

    >>> [is_name_of_ids(name) for name in ("completion_ids", "prompt_ids", "token_indices", "token_logprobs_idx")]
    [True, False, False, True]
    """
    *words, last = _words(name)
    others = {*words} - {"logprobs"}
    return bool(others) and others <= _DRAWN and last in (_IDS if len(others) == len(words) else _IDS | _POSITIONS)


def _is_name_of_numbers(name: str) -> bool:
    """Return whether a field with this name has the log-probabilities of drawn tokens.

    >>> [_is_name_of_numbers(name) for name in ("rollout_log_probs", "ref_logprobs", "output_token_logprobs_val")]
    [True, False, True]
    """
    return _are_logprobs(name) and {*_words(name)} <= _DRAWN | _VALUES | {"logprobs"}


def _is_name_of_alternatives(name: str) -> bool:
    return names_alternatives(name) and _PROMPT.isdisjoint(_words(name))


def drawn_ids(record: Object) -> Any:
    """Return the ids of the drawn tokens that are in an object, or of those of several answers; None without them."""
    name = _first(record, is_name_of_ids, _are_ids_or_lists) or _first(record, "tokens".__eq__, _are_ids_or_lists)
    return record[name] if name else None


def numbers_name(record: Object, is_value: Callable[[list[Any]], bool] = is_numbers) -> str | None:
    """Return the name of the log-probabilities of drawn tokens in an object, as it is spelled; None without them."""
    known = {name: record[name] for name in NUMBER_LISTS if name in record}
    return _first(known, bool, is_value) or _first(record, _is_name_of_numbers, is_value)


def tops_beside(record: Object) -> tuple[str, list[Any]] | None:
    """Return the name and the value of the list of alternatives in an object, one entry per token; None without one.
    From ids and numbers side by side, each alternative is [log-probability, id].

    >>> tops_beside({"topk_ids": [[5, 6]], "topk_logprobs": [[-0.5, -1.5]]})
    ('topk_logprobs', [[[-0.5, 5], [-1.5, 6]]])
    """
    name = _first(record, _is_name_of_tops, _are_tops)
    if name is not None:
        return name, record[name]
    ids_name = _first(record, _is_name_of_ids_of_alternatives, _are_lists_of_ids)
    ids = record[ids_name] if ids_name else []

    def are_numbers_of_ids(values: list[Any]) -> bool:
        return _is_list_of_lists(values) and all(map(is_numbers, values)) and [*map(len, values)] == [*map(len, ids)]

    numbers_name = _first(record, _is_name_of_tops, are_numbers_of_ids)
    numbers_name = numbers_name or _first(record, _are_logprobs, are_numbers_of_ids)
    if numbers_name is None:
        return None
    pairs = zip(record[numbers_name], ids, strict=True)
    return numbers_name, [[[*pair] for pair in zip(*lists, strict=True)] for lists in pairs]


def _are_tops(values: list[Any]) -> bool:
    return any(values) and all(not top or has_tokens_of_one_position(top) for top in values)


def _is_name_of_tops(name: str) -> bool:
    """Return whether a field with this name has alternatives and their log-probabilities.

    >>> [_is_name_of_tops(name) for name in ("top_logprobs_per_token", "topTokens", "input_top_logprobs")]
    [True, True, False]
    """
    return _is_name_of_alternatives(name) and _words(name)[-1] not in _IDS | _POSITIONS


def _is_name_of_ids_of_alternatives(name: str) -> bool:
    """Return whether a field with this name has the ids of alternatives, such as TRL's logprob_token_ids."""
    words = _words(name)
    return words[-1] in _IDS | _POSITIONS and (_is_name_of_alternatives(name) or "logprob" in words)


def _are_logprobs(name: str) -> bool:
    """Return whether a field with this name has log-probabilities."""
    return [word for word in _words(name) if word not in _VALUES][-1:] == ["logprobs"]


def is_text_piece(value: object) -> bool:
    """Return whether a value is a piece of text with the ids and the numbers of several tokens, without their texts and
    their alternatives.

    >>> is_text_piece({"text": "ab", "token_ids": [5, 6], "logprobs": [-0.5, -1.5]})
    True
    """
    if not isinstance(value, dict) or FLAT in value or value.get("tokens") is not None:
        return False
    has_numbers = numbers_name(value) is not None and _are_ids(drawn_ids(value))
    if not has_numbers or not isinstance(value.get("text"), str | None) or tops_beside(value) is not None:
        return False
    return not any(are_paired(field(value, drawn), field(value, tops)) for drawn, tops in PAIRS)


def answers_of_batch(record: Object) -> list[Object] | None:
    """Return the answers whose ids and numbers are in lists of lists of one object, such as TRL's; None for any other
    object.

    >>> answers_of_batch({"completion_ids": [[5], [6]], "logprobs": [[-0.5], [-1.5]]})
    [{'completion_ids': [5], 'logprobs': [-0.5]}, {'completion_ids': [6], 'logprobs': [-1.5]}]
    """
    ids, name = drawn_ids(record), numbers_name(record, _is_list_of_lists)
    if name is None or not _are_lists_of_ids(ids) or [*map(len, ids)] != [*map(len, record[name])]:
        return None
    lists = {key: value for key, value in record.items() if isinstance(value, list) and len(value) == len(ids)}
    return [record | {key: value[i] for key, value in lists.items()} for i in range(len(ids))]


def may_be_positions(record: Object) -> bool:
    """Return whether the lists of a batch may be the alternatives of successive tokens instead of answers: their name
    does not say that their ids are those of an answer, and no list sums to more than 1."""
    name = numbers_name(record, _is_list_of_lists) if "token_ids" in record else None
    return name is not None and all(map(is_numbers, record[name])) and all(map(are_at_most_certain, record[name]))


def separate_ids(count: int) -> str:
    """Return the note on lists of ids that tsoft reads as different answers."""
    problem = f"tsoft reads the {count} lists in token_ids as those of {count} answers"
    return f"{problem}; if they are the alternatives of {count} tokens, call them top_token_ids and top_logprobs"


def _first(record: Object, is_name: Callable[[str], bool], is_value: Callable[[list[Any]], bool]) -> str | None:
    """Return the name of the first list in an object whose name and value are as these functions require."""
    names = (
        name
        for name, value in record.items()
        if value and isinstance(value, list) and is_name(name) and is_value(value)
    )
    return next(names, None)


def _are_ids(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_index, value))


def _is_list_of_lists(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(inner, list) for inner in value)


def _are_lists_of_ids(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_are_ids, value))


def _are_ids_or_lists(value: object) -> bool:
    return _are_ids(value) or _are_lists_of_ids(value)
