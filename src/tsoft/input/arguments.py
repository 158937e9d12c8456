"""Logits as a person types them: numbers, or label=number, each an argument."""

import os
from dataclasses import dataclass

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import LogitsError
from tsoft.errors import UsageError
from tsoft.input import fields
from tsoft.input.labels import Labels
from tsoft.input.quantity import QUANTITIES, to_logits


@dataclass(frozen=True)
class TypedNumbers:
    """Numbers, their labels where they have some, and the argument that each stands in, from 1."""

    numbers: list[float]
    labels: tuple[str, ...] | None
    places: list[int]


def parse_arguments(arguments: list[str]) -> TypedNumbers:
    """Numbers, or label=number. Raises UsageError, which names the argument."""
    texts: list[str] = []
    places: list[int] = []
    for place, argument in enumerate(arguments, 1):
        parts = _parts(argument) if len(arguments) == 1 else [argument]
        if not "".join(parts).strip():
            raise UsageError(f"argument {place} is empty; a masked class is -inf")
        texts += parts
        places += [place] * len(parts)
    try:
        labels, numbers = fields.split_pairs(texts) or (None, fields.numbers(texts))
        return TypedNumbers(numbers, tuple(map(decode, labels)) if labels else None, places)
    except fields.FieldError as error:
        index = (error.field or 1) - 1
        raise UsageError(f"argument {places[index]}: {error.problem}{_hint(texts, texts[index])}") from None


def typed_block(arguments: list[str], quantity: str, labels: Labels | None) -> Block:
    """One row of typed numbers of that quantity, with these labels or their own. Raises UsageError."""
    row = parse_arguments(arguments)
    if row.labels and labels:
        raise UsageError("the classes are named twice, by --labels and as LABEL=NUMBER")
    try:
        logits = to_logits(np.array([row.numbers]), QUANTITIES[quantity])
        return Block(logits, labels.matching(len(row.numbers)) if labels else row.labels, origin=Origin(quantity))
    except LogitsError as error:
        where = "" if error.column is None else f"argument {row.places[error.column]}: "
        raise UsageError(f"{where}{error.problem}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def decode(argument: str, what: str = "a label") -> str:
    """An argument's bytes as UTF-8, whatever the locale decoded them as. Raises UsageError, which names `what`."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeError:
        raise UsageError(f"{what} is not UTF-8 text") from None


def _parts(argument: str) -> list[str]:
    """The fields of the only argument: a shell may pass several as one. As a label may hold blanks, an argument with
    labels is split only where each part is label=number."""
    try:
        parts = fields.split(argument)
    except fields.FieldError as error:
        where = "" if error.field is None else f"field {error.field}: "
        raise UsageError(f"argument 1: {where}{error.problem}") from None
    return [argument] if "=" in argument and not all(map(fields.is_pair, parts)) else parts


def _hint(texts: list[str], wrong: str) -> str:
    """What may have been meant by arguments of which one is not a number."""
    if 0 < sum("=" in text for text in texts) < len(texts):
        return " (give every class a label, or none)"
    return f"; it is a file: -i {wrong}" if os.path.exists(wrong) else ""
