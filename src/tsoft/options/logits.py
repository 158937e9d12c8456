"""From what was typed to blocks of logits and a list of temperatures."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import LogitsError, log_sum_exp
from tsoft.errors import UsageError
from tsoft.input import fields
from tsoft.input.formats import FORMATS, by_content, by_name
from tsoft.input.quantity import QUANTITIES, to_logits
from tsoft.input.read_options import ReadOptions
from tsoft.input.source import STDIN, open_input, with_head
from tsoft.notes import note
from tsoft.options import response_notes
from tsoft.options.input import LogitsOptions
from tsoft.options.temperatures import pieces

if TYPE_CHECKING:
    from tsoft.input.labels import Labels


def blocks(
    options: LogitsOptions,
    taus: list[str] | None,
    *,
    ragged: bool = False,
    targets: bool = False,
    names: "Labels | None" = None,
    say: Callable[[str], None] = note,
) -> Iterator[Block]:
    """The blocks of what was typed, of a file or of stdin. `ragged` ones may have rows that differ in
    length. `targets` asks for those that come with the rows; `names` are what --labels gives, where it has been
    read, since a pipe is read once; `say` is told what is no error."""
    quantity = _quantity(options)
    names = names or labels(options.labels)
    if options.logits:
        if options.file is not None:
            raise UsageError("logits are typed and --input names a file; which is it?")
        if options.key is not None:
            raise UsageError(_KEY)
        found: Iterator[Block] = iter([_typed(options.logits, quantity or "logit", names)])
    else:
        if options.file == "":
            raise UsageError("--input needs a file's name")
        file = options.file or "-"
        if file == "-" and "-" in pieces(taus):
            raise UsageError("--tau - reads stdin, so logits come as arguments or from a file: -i FILE")
        if options.file is None and (sys.stdin is None or sys.stdin.isatty()):
            raise UsageError(
                "no logits: type them (tsoft compute 2 1 0.5 0.1), pipe them in, or name a file with -i FILE"
            )
        found = _read(file, options, quantity, names, targets, say)
    even = found if ragged else (part for block in found for part in block.split_by_width())
    return _weighed(response_notes.completed(even, options), say)


def labels(text: str | None) -> "Labels | None":
    """What --labels names."""
    if text is None:
        return None
    from tsoft.input.labels import parse

    return parse(text)


def _quantity(options: LogitsOptions) -> str | None:
    asked = {"energy": options.energies, "prob": options.probs, "logprob": options.logprobs}
    chosen = [name for name, on in asked.items() if on]
    if len(chosen) > 1:
        raise UsageError("the numbers are one of --energies, --probs and --logprobs")
    return chosen[0] if chosen else None


@dataclass(frozen=True)
class Typed:
    """Numbers that were typed, the labels that they have, and which argument each is, from 1."""

    numbers: list[float]
    labels: tuple[str, ...] | None
    places: list[int]


def typed(arguments: list[str]) -> Typed:
    """Numbers, or label=number."""
    texts: list[str] = []
    places: list[int] = []
    for place, argument in enumerate(arguments, 1):
        parts = _parts(argument) if len(arguments) == 1 else [argument]
        if not "".join(parts).strip():
            raise UsageError(f"argument {place} is empty; a masked class is -inf")
        texts += parts
        places += [place] * len(parts)
    try:
        found = fields.split_pairs(texts)
        own, values = found if found else (None, fields.numbers(texts))
        return Typed(values, tuple(map(decoded, own)) if own else None, places)
    except fields.FieldError as error:
        at = (error.field or 1) - 1
        raise UsageError(f"argument {places[at]}: {error.problem}{_hint(texts, texts[at])}") from None


def _typed(arguments: list[str], quantity: str, names: "Labels | None") -> Block:
    """One row of numbers or of label=number."""
    row = typed(arguments)
    if row.labels and names:
        raise UsageError("the classes are named twice, by --labels and as LABEL=NUMBER")
    try:
        logits = to_logits(np.array([row.numbers]), QUANTITIES[quantity])
        return Block(logits, names.matching(len(row.numbers)) if names else row.labels, quantity=quantity)
    except LogitsError as error:
        where = "" if error.column is None else f"argument {row.places[error.column]}: "
        raise UsageError(f"{where}{error.problem}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def _hint(texts: list[str], wrong: str) -> str:
    """What may have been meant by arguments of which one is not a number."""
    if 0 < sum("=" in text for text in texts) < len(texts):
        return " (give every class a label, or none)"
    return f"; it is a file: -i {wrong}" if os.path.exists(wrong) else ""


def decoded(argument: str, what: str = "a label") -> str:
    """An argument as UTF-8, whatever the locale took its bytes for; `what` it is, for the message where it is none."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeError:
        raise UsageError(f"{what} is not UTF-8 text") from None


def _parts(argument: str) -> list[str]:
    """What the only argument holds: a shell may pass several as one. A label may hold blanks, so
    that labelled ones are parted only where each is whole."""
    try:
        parts = fields.split(argument)
    except fields.FieldError as error:
        where = "" if error.field is None else f"field {error.field}: "
        raise UsageError(f"argument 1: {where}{error.problem}") from None
    return [argument] if "=" in argument and not all(map(fields.is_pair, parts)) else parts


_KEY = "--key names an array of an .npz file, and this input is none"


def _read(
    file: str,
    options: LogitsOptions,
    quantity: str | None,
    names: "Labels | None",
    targets: bool,
    say: Callable[[str], None],
) -> Iterator[Block]:
    source = STDIN if file == "-" else file
    with open_input(file) as bytes_:
        asked = options.input_format
        chosen = FORMATS[asked] if asked else by_name(file)
        if not chosen or (not asked and chosen.name == "text"):
            head, bytes_ = with_head(bytes_)
            chosen = by_content(head) or FORMATS["text"]
        if options.key is not None and not chosen.keys:
            raise UsageError(_KEY)
        reading = ReadOptions(source, quantity, names, chosen.delimiter, options.key, targets, say)
        yield from chosen.reader()(bytes_, reading)


def _weighed(found: Iterator[Block], say: Callable[[str], None]) -> Iterator[Block]:
    """The blocks, with a word at the first row whose probabilities do not sum to 1."""
    said = False
    for block in found:
        if said or block.partial or block.quantity not in ("prob", "logprob"):
            yield block
            continue
        mass = np.exp(log_sum_exp(block.logits))
        off = abs(mass - 1) > 1e-3
        if off.any():
            row = int(off.argmax())
            say(
                f"row {block.rows[row]}: the probabilities sum to {mass[row]:.4g}, not to 1;"
                " the result is shared out among the listed classes alone"
            )
            said = True
        yield block
