"""Logits on the command line: each argument is a number or label=number, or all together are JSON."""

import io
import itertools
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import LogitsError
from tsoft.errors import InputError, UsageError, exclusive, shortened
from tsoft.frozen import frozen
from tsoft.input import fields
from tsoft.input.quantity import QUANTITIES, to_logits

if TYPE_CHECKING:
    from tsoft.input.labels import Labels
    from tsoft.input.read_options import TargetSource


# Words that are no numbers, but may be meant for something else.
_HINTS = {"help": "; for the options, pass --help", "-": "; to read stdin, pass -i -"}


@frozen
class TypedNumbers:
    """Numbers from the command line, their labels if they have any, and the place from 1 of each number's argument."""

    numbers: list[float]
    labels: tuple[str, ...] | None
    places: list[int]


def parse_arguments(arguments: list[str], empty_fix: str) -> TypedNumbers:
    """Parse numbers or label=number. Raise UsageError, which names the argument, and has the fix for an empty one."""
    texts: list[str] = []
    places: list[int] = []
    if len(arguments) > 1 and all(argument.endswith(",") for argument in arguments[:-1]):
        # A pasted list: 2, 1, 0.5
        arguments = [*(argument.removesuffix(",") for argument in arguments[:-1]), arguments[-1]]
    for place, typed in enumerate(arguments, 1):
        # A label may end in a blank, as in 'the =1', but rarely does so in 'cat = 1'.
        argument = fields.with_tight_pairs(typed) if "= " in typed else typed
        pieces = _fields_of_only_argument(argument, empty_fix) if len(arguments) == 1 else [argument]
        if not "".join(pieces).strip():
            raise UsageError(f"argument {place}: empty; {empty_fix}")
        texts += pieces
        places += [place] * len(pieces)
    try:
        labels, numbers = fields.split_pairs(texts) or (None, fields.numbers(texts))
        return TypedNumbers(numbers, tuple(labels) if labels else None, places)
    except fields.FieldError as error:
        index = (error.field or 1) - 1
        raise UsageError(f"argument {places[index]}: {error.explained(empty_fix)}{_hint(texts[index])}") from None


def typed_block(
    arguments: list[str], quantity: str, labels: "Labels | None", targets: "TargetSource | None" = None
) -> Block:
    """Return a block of one row, or of the rows of JSON, which the reader takes as rows with `targets`. Its labels are
    `labels` or those of the arguments. Raise UsageError."""
    if _are_json(arguments):
        return _json_block(arguments, quantity, labels, targets)
    row = parse_arguments(arguments, QUANTITIES[quantity].mask_fix)
    if row.labels and labels:
        raise UsageError(exclusive("--labels", "LABEL=NUMBER", reason="both name the classes"))
    try:
        logits = to_logits(np.array([row.numbers]), QUANTITIES[quantity])
        return Block(logits, labels.matching(len(row.numbers)) if labels else row.labels, origin=Origin(quantity))
    except LogitsError as error:
        where = "" if error.column is None else f"argument {row.places[error.column]}: "
        raise UsageError(f"{where}{error.problem}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def _are_json(arguments: list[str]) -> bool:
    """Return whether the arguments are JSON, which a shell may have split at its blanks. A label such as [PAD]=2 may
    start with a bracket, too."""
    return re.match(r'\s*(?![^"\s]*=)[\[{]', arguments[0]) is not None


def _json_block(arguments: list[str], quantity: str, labels: "Labels | None", targets: "TargetSource | None") -> Block:
    """Return the block of JSON. Raise UsageError."""
    from tsoft.input.json import read
    from tsoft.input.read_options import ReadOptions
    from tsoft.notes import note

    _check_syntax(arguments)
    source = "the JSON"
    # None accepts a record of another quantity, such as {"probs": [...]}, as from a file.
    options = ReadOptions(source, None if quantity == "logit" else quantity, labels, targets=targets, note=note)
    try:
        blocks = list(read(io.BytesIO(" ".join(arguments).encode()), options))
    except InputError as error:
        # Arguments rarely have several lines.
        raise UsageError(str(error).replace(f"{source}:1:", f"{source}:", 1)) from None
    if len(blocks) > 1 and any(block.labels or block.partial for block in blocks):
        raise UsageError("the JSON has several rows with different labels; pipe it in")
    return _padded(blocks)


def _padded(blocks: list[Block]) -> Block:
    """Return the rows of blocks without labels as one block, in which shorter rows are padded."""
    if len(blocks) == 1:
        return blocks[0]
    widths = np.concatenate([np.full(len(block.logits), block.logits.shape[1]) for block in blocks])
    logits = np.full((len(widths), widths.max()), -np.inf)
    for block in blocks:
        logits[block.first_row : block.first_row + len(block.logits), : block.logits.shape[1]] = block.logits
    return replace(blocks[0], logits=logits, widths=widths)


def _check_syntax(arguments: list[str]) -> None:
    """Raise UsageError, which names the argument and its text at the error, if the arguments are not JSON."""
    import json

    try:
        json.loads(" ".join(arguments))
    except json.JSONDecodeError as error:
        # Each argument but the first has a blank before it.
        ends = list(itertools.accumulate(len(argument) + 1 for argument in arguments))
        place = next((i for i, end in enumerate(ends) if error.pos < end), len(arguments) - 1)
        rest = arguments[place][max(0, error.pos - (ends[place] - len(arguments[place]) - 1)) :]
        where = f"at {shortened(rest, 20)!r}" if rest else "at its end"
        if not rest and place == len(arguments) - 1:
            raise UsageError(f"argument {place + 1}: incomplete JSON: a closing ] or }} is missing") from None
        problem = "text after the end" if error.msg == "Extra data" else error.msg.replace("Expecting", "expected")
        fix = "put JSON in single quotes, with commas between its numbers"
        raise UsageError(f"argument {place + 1}: not JSON {where}: {problem}; {fix}") from None
    except (RecursionError, ValueError):
        # The reader names these problems: JSON that is nested too deep, and numbers with too many digits.
        return


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
    if wrong in _HINTS:
        return _HINTS[wrong]
    if wrong.startswith(("[", "{")):
        return "; write the numbers without brackets"
    label, _, number = wrong.partition(":")
    if label and fields.is_number(number):
        return f"; did you mean {label}={number}?"
    return f"; to read {wrong!r}, pass -i {wrong}" if os.path.exists(wrong) else ""
