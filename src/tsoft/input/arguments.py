"""Logits on the command line: each argument is a number or label=number."""

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
    """Numbers from the command line, their labels if they have any, and the place from 1 of each number's argument."""

    numbers: list[float]
    labels: tuple[str, ...] | None
    places: list[int]


def parse_arguments(arguments: list[str], empty_fix: str) -> TypedNumbers:
    """Parse numbers or label=number. Raise UsageError, which names the argument, and has the fix for an empty one."""
    texts: list[str] = []
    places: list[int] = []
    for place, argument in enumerate(arguments, 1):
        pieces = _fields_of_only_argument(argument, empty_fix) if len(arguments) == 1 else [argument]
        if not "".join(pieces).strip():
            raise UsageError(f"argument {place}: empty; {empty_fix}")
        texts += pieces
        places += [place] * len(pieces)
    try:
        labels, numbers = fields.split_pairs(texts) or (None, fields.numbers(texts))
        return TypedNumbers(numbers, tuple(map(decode, labels)) if labels else None, places)
    except fields.FieldError as error:
        index = (error.field or 1) - 1
        raise UsageError(f"argument {places[index]}: {error.explained(empty_fix)}{_hint(texts[index])}") from None


def typed_block(arguments: list[str], quantity: str, labels: Labels | None) -> Block:
    """Return a block of one row. Its labels are `labels` or those of the arguments. Raise UsageError."""
    row = parse_arguments(arguments, QUANTITIES[quantity].mask_fix)
    if row.labels and labels:
        raise UsageError("--labels and LABEL=NUMBER both name the classes; use only one")
    try:
        logits = to_logits(np.array([row.numbers]), QUANTITIES[quantity])
        return Block(logits, labels.matching(len(row.numbers)) if labels else row.labels, origin=Origin(quantity))
    except LogitsError as error:
        where = "" if error.column is None else f"argument {row.places[error.column]}: "
        raise UsageError(f"{where}{error.problem}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def decode(argument: str, name: str = "a label") -> str:
    """Return an argument read as UTF-8, whatever the locale. Raise UsageError, which calls the argument `name`."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeError:
        raise UsageError(f"{name} is not UTF-8 text") from None


def _fields_of_only_argument(argument: str, empty_fix: str) -> list[str]:
    """Return the fields of the only argument, since a shell may pass a whole row as one argument.

    A label may contain blanks, so an argument with labels is split only if each field is label=number.
    """
    try:
        pieces = fields.split(argument)
    except fields.FieldError as error:
        where = "" if error.field is None else f"field {error.field}: "
        raise UsageError(f"argument 1: {where}{error.explained(empty_fix)}") from None
    return [argument] if "=" in argument and not all(map(fields.is_pair, pieces)) else pieces


def _hint(wrong: str) -> str:
    """Return a hint at the likely mistake if the argument `wrong` is not a number."""
    if wrong.startswith(("[", "{")):
        return "; to read JSON, pipe it in, or pass -i FILE"
    return f"; to read the file {wrong!r}, pass -i {wrong}" if os.path.exists(wrong) else ""
