"""Numbers as text, in: rows, a header and rows, a class a line, or the long form.

The first line that says something tells which (see `_shape`). The rows that arrive together leave in
one block, so that memory does not grow with the input.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from tsoft.core.block import MEASURES, Block
from tsoft.core.temperature import LogitsError
from tsoft.errors import InputError
from tsoft.formats import fields
from tsoft.formats.lines import Line, batches_of
from tsoft.formats.quantity import QUANTITIES, to_logits
from tsoft.formats.read import Reading

KEYS = ("row", "tau", "engine")


def read(stream: BinaryIO, reading: Reading) -> Iterator[Block]:
    """The blocks of a text. Raises InputError, naming the line and field."""
    batches = batches_of(stream, reading)
    for batch in batches:
        said = [i for i, line in enumerate(batch) if line.text]
        if said:
            first = batch[said[0]]
            if reading.delimiter and reading.delimiter not in first.text:
                reading = replace(reading, delimiter=None)
            try:
                shape = _shape(first.text, reading)
            except fields.FieldError as error:
                raise reading.error(first.number, error.problem, error.field) from None
            yield from shape(itertools.chain([batch[said[0] :]], batches), reading)
            return
    raise InputError(f"{reading.source}: no logits: the input is empty")


@dataclass(frozen=True)
class Row:
    """One row as it was read. For messages: the line it began on and, for each class, the field
    or the line of its number. `varies` says that the next row may have other labels."""

    line: int
    values: list[float]
    labels: tuple[str, ...] | None
    fields: Sequence[int] | None = None
    lines: Sequence[int] | None = None
    varies: bool = False


# A shape reads the lines, the first one included.
Shape = Callable[[Iterable[list[Line]], Reading], Iterator[Block]]


def _shape(first: str, reading: Reading) -> Shape:
    """Which of the shapes a text has, by its first line."""
    names = fields.split_labels(first, reading.delimiter)
    numeric = [fields.looks_like_number(name) for name in names]
    if "label" in names and set(names) <= {"label", "index", *KEYS, *QUANTITIES} and len(names) > 1:
        return _long
    if names[0] in KEYS[:2] and len(names) > 1 and not (len(names) == 2 and numeric[1]):
        return _header
    pairs = [fields.is_pair(name) for name in names]
    if (numeric[-1] and not any(numeric[:-1] + pairs)) or pairs == [True]:
        return _vector
    if reading.delimiter is not None:
        return _rows if all(numeric) else _header
    return _rows if any(numeric + pairs) else _header


def _rows(batches: Iterable[list[Line]], reading: Reading) -> Iterator[Block]:
    """Each line is a row, of numbers or of `label=number`."""

    def row(line: Line) -> Row:
        texts = fields.split(line.text)
        if "=" in line.text and (pair := fields.named(texts)):
            labels, values = pair
        else:
            labels, values = None, fields.numbers(texts)
        return Row(line.number, values, labels, range(1, len(values) + 1), varies=labels is not None)

    return _blocks(_each(row, batches, reading), reading)


def _header(batches: Iterable[list[Line]], reading: Reading) -> Iterator[Block]:
    """The first line names the columns; each further line is a row of as many."""
    batches = iter(batches)
    first, *rest = next(batches)
    names = fields.split_labels(first.text, reading.delimiter)
    following = next((line.text for line in rest if line.text), None)
    keys = _key_columns(names, fields.split_labels(following, reading.delimiter) if following else None)
    classes = [i for i in range(len(names)) if i not in keys]
    labels: tuple[str, ...] | None = tuple(names[i] for i in classes)
    if not classes:
        raise reading.error(first.number, "this header names no class")
    if not names[0]:
        raise reading.error(first.number, "this column has no name; call it row if it numbers the rows", 1)
    if labels == tuple(map(str, range(len(classes)))):
        labels = None

    def row(line: Line) -> Row:
        texts = fields.split(line.text) if '"' not in line.text else fields.split_labels(line.text)
        if len(texts) != len(names):
            raise fields.FieldError(_unequal(len(texts), len(names)))
        try:
            values = fields.numbers([texts[i] for i in classes])
        except fields.FieldError as error:
            raise fields.FieldError(error.problem, classes[(error.field or 1) - 1] + 1) from None
        return Row(line.number, values, labels, [i + 1 for i in classes])

    blocks = _blocks(_each(row, itertools.chain([rest], batches), reading), reading)
    block = next(blocks, None)
    if block is None:
        problem = f"{fields.not_a_number(names[0])} (and no row follows, to make this line a header)"
        raise reading.error(first.number, problem, 1)
    yield block
    yield from blocks


def _vector(batches: Iterable[list[Line]], reading: Reading) -> Iterator[Block]:
    """One vector, a class a line: a number, or a label and a number, or `label=number`."""
    lines = [line for batch in batches for line in batch if line.text]
    bare = fields.is_number(lines[0].text)
    labels, values = [], []
    for line in lines:
        try:
            label, value = _class(line.text, bare, reading.delimiter)
        except fields.FieldError as error:
            raise reading.error(line.number, error.problem, error.field) from None
        labels.append(label)
        values.append(value)
    row = Row(lines[0].number, values, None if bare else tuple(labels), lines=[line.number for line in lines])
    yield from _blocks([[row]], reading)


def _class(line: str, bare: bool, delimiter: str | None) -> tuple[str, float]:
    """The label and the number of a line, the label empty where the numbers are bare."""
    pair = not bare and fields.is_pair(line)
    *label, value = line.rsplit("=", 1) if pair else fields.split_labels(line, delimiter)
    if bare and label:
        raise fields.FieldError(
            "the first line is a number alone, which makes each line a class, but this one has more"
        )
    if not bare and not label:
        raise fields.FieldError("the first line is a label and a number, but this one is not")
    return " ".join(label), fields.numbers([*"0" * len(label), value])[-1]


def _key_columns(names: list[str], following: list[str] | None) -> set[int]:
    """The columns of a header that are not classes. An engine is one after the two others, where the
    line that follows has no number for it; and so are a sweep's measures after all keys."""
    keys = {names.index(key) for key in KEYS[:2] if key in names}
    if tuple(names[:3]) == KEYS and not (following and fields.is_number("".join(following[2:3]))):
        keys.add(2)
    last = len(keys) + len(MEASURES)
    measured = keys == set(range(len(keys))) and tuple(names[len(keys) : last]) == MEASURES
    return keys | set(range(last)) if measured and len(keys) > 1 else keys


def _long(batches: Iterable[list[Line]], reading: Reading) -> Iterator[Block]:
    """A header with `label` and a kind of number, a class a line; the columns `row` and `tau`,
    where there are any, tell one vector from the next, and `index` gives a class its place."""
    batches = iter(batches)
    first, *rest = next(batches)
    names = fields.split_labels(first.text, reading.delimiter)
    delimiter = reading.delimiter or next((d for d in ",;\t" if d in first.text), None)
    if len(set(names)) < len(names) or (quantity := next(filter(QUANTITIES.get, names), None)) is None:
        kinds = ", ".join(QUANTITIES)
        raise reading.error(first.number, f"a header with label needs one of {kinds}, and each name once")
    if reading.quantity is not None and reading.quantity != quantity:
        raise reading.error(first.number, f"this header says {quantity!r}, not {reading.quantity!r}")

    def column(line: Line) -> dict[str, str]:
        try:
            texts = fields.split_labels(line.text, delimiter)
        except fields.FieldError as error:
            raise reading.error(line.number, error.problem, error.field) from None
        if len(texts) != len(names):
            raise reading.error(line.number, _unequal(len(texts), len(names)))
        return dict(zip(names, texts, strict=True))

    def key(pair: tuple[Line, dict[str, str]]) -> list[str | None]:
        return [pair[1].get(name) for name in KEYS]

    lines = (line for batch in itertools.chain([rest], batches) for line in batch if line.text)
    groups = itertools.groupby(((line, column(line)) for line in lines), key)
    rows = ([_long_row(list(group), names.index(quantity), reading)] for _, group in groups)
    blocks = _blocks(rows, replace(reading, quantity=quantity))
    block = next(blocks, None)
    if block is None:
        raise reading.error(first.number, "a header and no classes")
    yield block
    yield from blocks


def _unequal(fields: int, header: int) -> str:
    return f"the header has {header} field{'s' * (header != 1)}, this line {fields}"


def _long_row(group: list[tuple[Line, dict[str, str]]], number: int, reading: Reading) -> Row:
    """The classes of one vector, in the order of their index where that is complete."""
    quantity = [*group[0][1]][number]
    for line, texts in group:
        if not fields.is_number(texts[quantity]):
            raise reading.error(line.number, fields.not_a_number(texts[quantity]), number + 1)
    if "index" in group[0][1]:
        group = _by_index(group, reading)
    labels = tuple(texts["label"] for _, texts in group)
    if not any(labels) and "index" in group[0][1] and int(group[-1][1]["index"]) >= len(group):
        # Some classes are left out: these keep their numbers as their names.
        labels = tuple(texts["index"] for _, texts in group)
    return Row(
        group[0][0].number,
        [fields.number(texts[quantity]) for _, texts in group],
        labels if any(labels) else None,
        lines=[line.number for line, _ in group],
        varies=True,
    )


def _by_index(group: list[tuple[Line, dict[str, str]]], reading: Reading) -> list[tuple[Line, dict[str, str]]]:
    """The classes in the order of their index, which each has for itself."""
    seen: set[str] = set()
    for line, texts in group:
        index = texts["index"]
        if not (index.isascii() and index.isdigit() and len(index) < 10 and index not in seen):
            raise reading.error(line.number, f"index {index!r} is not a number of its own for this class")
        seen.add(index)
    return sorted(group, key=lambda pair: int(pair[1]["index"]))


def _each(row: Callable[[Line], Row], batches: Iterable[list[Line]], reading: Reading) -> Iterator[list[Row]]:
    """The lines as rows. A blank line between two rows is an empty row, which is an error; at the
    end it is nothing."""
    blank = None
    for batch in batches:
        rows = []
        for line in batch:
            if not line.text:
                blank = blank or line.number
                continue
            if blank:
                raise reading.error(blank, "an empty row; remove the line")
            try:
                rows.append(row(line))
            except fields.FieldError as error:
                raise reading.error(line.number, error.problem, error.field) from None
        yield rows


def _blocks(batches: Iterable[list[Row]], reading: Reading) -> Iterator[Block]:
    """The rows that arrived together, in blocks of those with the same labels."""
    first_row = 0
    for batch in batches:
        for _, group in itertools.groupby(batch, lambda row: (len(row.values), row.labels)):
            rows = list(group)
            yield _block(rows, first_row, reading)
            first_row += len(rows)


def _block(rows: list[Row], first_row: int, reading: Reading) -> Block:
    quantity = reading.quantity or "logit"
    try:
        logits = to_logits(np.array([row.values for row in rows]), QUANTITIES[quantity])
    except LogitsError as error:
        row, i = rows[error.row], error.column
        line = row.line if i is None or row.lines is None else row.lines[i]
        field = None if i is None or row.fields is None else row.fields[i]
        raise reading.error(line, error.problem, field) from None
    labels = rows[0].labels
    if reading.labels:
        if labels:
            raise reading.error(rows[0].line, "the classes are named here; leave out --labels")
        try:
            labels = reading.labels.matching(logits.shape[1])
        except ValueError as error:
            raise reading.error(rows[0].line, str(error)) from None
    return Block(logits, labels, first_row, rows[0].varies, quantity)
