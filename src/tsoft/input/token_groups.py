"""Lists of objects with fields that number the answers or the positions of tokens: the rows of a table, or positions
with their alternatives."""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from tsoft.input.json_values import Object, is_index
from tsoft.input.token_shapes import (
    POSITIONS,
    TEXTS,
    are_alternatives,
    are_tokens,
    field,
    may_be_positions,
    names_alternatives,
    names_answer,
)


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


@dataclass(frozen=True)
class Position:
    """The alternatives of one position, and the text of the drawn token, empty if unknown."""

    alternatives: list[Any]
    text: str


def positions_in(values: list[Any]) -> list[Position]:
    """Return the positions that objects describe: each has a list of alternatives, and nothing but its number and the
    text of the drawn token; empty if a value is no such object.

    >>> [position] = positions_in([{"step": 0, "chosen": "a", "top_k": [{"token": "a", "logprob": -0.5}]}])
    >>> position.text
    'a'
    """
    found = []
    for value in values:
        position = _position_in(value) if isinstance(value, dict) else None
        if position is None:
            return []
        found.append(position)
    return found


def _position_in(value: Object) -> Position | None:
    names = [name for name, tops in value.items() if names_alternatives(name) and are_alternatives(tops)]
    if len(names) != 1:
        return None
    [name] = names
    others = {key: other for key, other in value.items() if key != name and other is not None}
    texts = [other for other in others.values() if isinstance(other, str)]
    labels = [field(entry, *TEXTS) for entry in value[name] if entry]
    is_numbered = all(key in POSITIONS and is_index(other) for key, other in others.items() if other not in texts)
    # Gemini's alternatives have no number.
    is_known = is_numbered and len(texts) < 2 and all(text in labels for text in texts)
    return Position(value[name], "".join(texts)) if is_known and (others or name == "candidates") else None
