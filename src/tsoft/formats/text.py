"""Numbers as text, in: rows, a header and rows, a class a line, or the long form.

The first line that says something tells which (see `_shape`). Lines are read as they arrive and
leave in blocks of the rows that arrived together, so that memory does not grow with the input and
a slow producer's first row comes out at once.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from tsoft.core.block import Block
from tsoft.core.temperature import LogitsError
from tsoft.errors import InputError
from tsoft.formats import fields
from tsoft.formats.quantity import QUANTITIES, to_logits
from tsoft.formats.read import Reading

CHUNK = 1 << 18
KEYS = ("row", "tau")


@dataclass(frozen=True)
class Line:
    number: int
    text: str


def read(stream: BinaryIO, reading: Reading) -> Iterator[Block]:
    """The blocks of a text. Raises InputError, naming the line and field."""
    batches = _batches(stream, reading)
    for batch in batches:
        said = [i for i, line in enumerate(batch) if line.text]
        if said:
            rest = itertools.chain([batch[said[0] :]], batches)
            first = batch[said[0]].text
            if reading.delimiter and reading.delimiter not in first:
                reading = replace(reading, delimiter=None)
            yield from _shape(first, reading)(rest, reading)
            return
    raise InputError(f"{reading.source}: no logits: the input is empty")


def _batches(stream: BinaryIO, reading: Reading) -> Iterator[list[Line]]:
    """The lines that have arrived whole, without comments, a batch a read. A line that is only a
    comment is left out; a blank one is kept, empty."""
    number, pending = 1, b""
    parts: list[bytes] = []
    # read1 gives what there is; read would wait for a whole chunk.
    while chunk := stream.read1(CHUNK):  # type: ignore[attr-defined]
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            parts.append(tail)
            continue
        pending, parts = b"".join(parts) + head, [tail]
        lines = _decode(pending, number, reading).split("\n")
        yield _lines(lines, number)
        number += len(lines)
    if rest := b"".join(parts):
        yield _lines([_decode(rest, number, reading)], number)


def _decode(data: bytes, number: int, reading: Reading) -> str:
    try:
        return data.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        line = number + data.count(b"\n", 0, error.start)
        hint = "; it looks like UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        byte = data[error.start]
        raise reading.error(line, f"not UTF-8 text: byte 0x{byte:02x}{hint}") from None


def _lines(texts: list[str], number: int) -> list[Line]:
    lines = ((i, text, fields.without_comment(text)) for i, text in enumerate(texts, number))
    return [Line(i, said.strip()) for i, text, said in lines if said.strip() or not text.strip()]


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
    if "label" in names and any(name in QUANTITIES for name in names):
        return _long
    if names[0] in KEYS and len(names) > 1:
        return _header
    if numeric[-1] and not any(numeric[:-1]):
        return _vector
    if reading.delimiter is not None:
        return _rows if all(numeric) else _header
    is_header = not any(numeric) and fields.named(fields.split(first)) is None
    return _header if is_header else _rows


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
    classes = [i for i, name in enumerate(names) if name not in KEYS]
    labels: tuple[str, ...] | None = tuple(names[i] for i in classes)
    if reading.labels:
        raise reading.error(first.number, "this header names the classes; leave out --labels")
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
    """One vector, a class a line: a number, or a label and a number."""
    lines = [line for batch in batches for line in batch if line.text]
    bare = fields.is_number(lines[0].text)
    labels, values = [], []
    for line in lines:
        *label, value = fields.split_labels(line.text, reading.delimiter)
        if bare and label:
            problem = "the first line is a number alone, which makes each line a class, but this one has more"
            raise reading.error(line.number, problem)
        if not bare and not label:
            raise reading.error(line.number, "the first line is a label and a number, but this one is not")
        if not fields.is_number(value):
            raise reading.error(line.number, fields.not_a_number(value), len(label) + 1)
        labels.append(" ".join(label))
        values.append(fields.number(value))
    row = Row(lines[0].number, values, None if bare else tuple(labels), lines=[line.number for line in lines])
    yield from _blocks([[row]], reading)


def _long(batches: Iterable[list[Line]], reading: Reading) -> Iterator[Block]:
    """A header with `label` and a kind of number, a class a line; the columns `row` and `tau`,
    where there are any, tell one vector from the next, and `index` gives a class its place."""
    batches = iter(batches)
    first, *rest = next(batches)
    names = fields.split_labels(first.text, reading.delimiter)
    delimiter = reading.delimiter or next((d for d in ",;\t" if d in first.text), None)
    quantity = next(name for name in names if name in QUANTITIES)
    if reading.quantity is not None and reading.quantity != quantity:
        raise reading.error(first.number, f"this header says {quantity!r}, not {reading.quantity!r}")

    def column(line: Line) -> dict[str, str]:
        texts = fields.split_labels(line.text, delimiter)
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
    places = [texts.get("index") for _, texts in group]
    if sorted(map(str, places)) == sorted(map(str, range(len(group)))):
        group = sorted(group, key=lambda pair: int(pair[1]["index"]))
    labels = tuple(texts["label"] for _, texts in group)
    return Row(
        group[0][0].number,
        [fields.number(texts[quantity]) for _, texts in group],
        labels if any(labels) else None,
        lines=[line.number for line, _ in group],
        varies=True,
    )


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
    try:
        logits = to_logits(np.array([row.values for row in rows]), QUANTITIES[reading.quantity or "logit"])
    except LogitsError as error:
        row, i = rows[error.row], error.column
        line = row.line if i is None or row.lines is None else row.lines[i]
        field = None if i is None or row.fields is None else row.fields[i]
        raise reading.error(line, error.problem, field) from None
    labels = rows[0].labels
    if reading.labels:
        try:
            labels = reading.labels.matching(logits.shape[1])
        except ValueError as error:
            raise reading.error(rows[0].line, str(error)) from None
    return Block(logits, labels, first_row, rows[0].varies)
