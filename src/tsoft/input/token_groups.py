"""Lists of tokens that are rows of a table, with fields that number their answers or their positions."""

from collections import defaultdict
from collections.abc import Hashable
from typing import Any

from tsoft.input.json_values import Object, is_index
from tsoft.input.token_shapes import POSITIONS, are_tokens, may_be_positions, names_answer


def answer_key(token: Object) -> tuple[tuple[str, Hashable], ...]:
    """Return the fields of a token that number its answer, and their values.

    >>> answer_key({"reply_index": 1, "token": "a", "logprob": -0.5, "rank": 1})
    (('reply_index', 1),)
    """
    return tuple((name, value) for name, value in token.items() if names_answer(name, value))


def answers_in(values: list[Any]) -> list[list[Object]]:
    """Return the tokens of each answer, if fields of the tokens number several answers; else no list."""
    if not (values and isinstance(values[0], dict) and answer_key(values[0])) or not _are_rows(values):
        return []
    groups = defaultdict[Hashable, list[Object]](list)
    for token in values:
        groups[answer_key(token)].append(token)
    return [*groups.values()] if len(groups) > 1 else []


def alternatives_in(values: list[Any]) -> list[list[Object]]:
    """Return the alternatives of each position, if a field of the tokens numbers positions and has a number twice; else
    no list."""
    # An index may be that of an answer.
    names = (name for name in (*POSITIONS, "index") if values and isinstance(values[0], dict) and name in values[0])
    for name in names:
        groups = defaultdict[int, list[Object]](list)
        if _are_rows(values) and all(is_index(token.get(name)) for token in values):
            for token in values:
                groups[token[name]].append(token)
        if len(groups) > 1 and may_be_positions([*groups.values()]):
            return [*groups.values()]
    return []


def _are_rows(values: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in values) and are_tokens(values)
