"""Numbers as text, in: rows, a header and rows, a class a line, or the long form.

The first line that says something tells which (see `_shape`). The rows that arrive together leave in
one block, so that memory does not grow with the input.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from tsoft.core.block import Block
from tsoft.core.measures import MEASURES
from tsoft.core.softmax import Array
from tsoft.core.thermodynamics import THERMODYNAMICS
from tsoft.errors import InputError
from tsoft.input import fast_numbers, fields
from tsoft.input.columns import KEYS, TARGET
from tsoft.input.lines import Batch, Line, batches_of
from tsoft.input.quantity import QUANTITIES
from tsoft.input.reading import Reading
from tsoft.input.row_blocks import Rows, blocks, padded, runs

if TYPE_CHECKING:
    from tsoft.input.class_lookup import TargetColumn


def read(stream: BinaryIO, reading: Reading) -> Iterator[Block]:
    """The blocks of a text. Raises InputError, naming the line and field."""
    batches = batches_of(stream, reading)
    for batch in batches:
        first = batch.first()
        if first:
            if reading.delimiter and reading.delimiter not in first.text:
                reading = replace(reading, delimiter=None)
            try:
                shape = _shape(first.text, reading)
            except fields.FieldError as error:
                raise reading.error(first.number, error.problem, error.field) from None
            yield from shape(first, batch, batches, reading)
            return
    raise InputError(f"{reading.source}: no logits: the input is empty")


@dataclass(frozen=True)
class Row:
    """One row as it was read: the line it began on, its numbers, their labels where it has some, and the index
    of its true class where that is in a column."""

    line: int
    values: list[float]
    labels: tuple[str, ...] | None = None
    target: int | None = None


# A shape reads the lines: the first that says something, the batch it came in, and those after it.
Shape = Callable[[Line, Batch, Iterator[Batch], Reading], Iterator[Block]]
# What a batch of plain lines of numbers is; None where its lines are to be read one by one.
Table = Callable[[Batch], list[Rows] | None]


def _shape(first: str, reading: Reading) -> Shape:
    """Which of the shapes a text has, by its first line."""
    if _is_long_row(first, reading):
        return _rows
    names = fields.split_labels(first, reading.delimiter)
    numeric = [fields.looks_like_number(name) for name in names]
    if reading.targets and TARGET in names:
        return _header
    if "label" in names and set(names) <= {"label", "index", *KEYS, *QUANTITIES} and len(names) > 1:
        from tsoft.input import long_form

        return long_form.read
    if names[0] in KEYS[:2] and len(names) > 1 and not (len(names) == 2 and numeric[1]):
        return _header
    pairs = [fields.is_pair(name) for name in names]
    if (numeric[-1] and not any(numeric[:-1] + pairs)) or pairs == [True]:
        return _vector
    if reading.delimiter is not None:
        return _rows if all(numeric) else _header
    return _rows if any(numeric + pairs) else _header


def _is_long_row(first: str, reading: Reading) -> bool:
    """Whether a line is many numbers and nothing else, parted in one way."""
    separator = next((d for d in ",;\t" if d in first), None)
    two_ways = separator == "\t" and (" " in first or "\t\t" in first)
    if len(first) < fast_numbers.FEW_BYTES or two_ways or reading.delimiter not in (None, separator):
        return False
    found = fast_numbers.parse(first.encode())
    return found is not None and bool(found[1][0] > 1)


def _rows(first: Line, batch: Batch, batches: Iterator[Batch], reading: Reading) -> Iterator[Block]:
    """Each line is a row, of numbers or of `label=number`."""

    def row(line: Line) -> Row:
        texts = fields.split(line.text)
        if "=" in line.text and (pair := fields.named(texts)):
            return Row(line.number, pair[1], pair[0])
        return Row(line.number, fields.numbers(texts))

    def table(batch: Batch) -> list[Rows] | None:
        found = batch.numbers()
        if found is None:
            return None
        values, widths = found
        lines = range(batch.number, batch.number + len(widths))
        if reading.labels is None and (rows := padded(values, widths, lines, mask)):
            return [rows]
        return list(runs(values, widths, lines))

    mask = float(QUANTITIES[reading.quantity or "logit"].mask)
    rest = batch.since(first.number)
    yield from blocks(_each(row, table, itertools.chain([rest] if rest else [], batches), reading), reading)


def _header(first: Line, batch: Batch, batches: Iterator[Batch], reading: Reading) -> Iterator[Block]:
    """The first line names the columns; each further line is a row of as many."""
    names = fields.split_labels(first.text, reading.delimiter)
    rest = batch.since(first.number + 1)
    following = rest.first() if rest else None
    try:
        keys = _key_columns(names, fields.split_labels(following.text, reading.delimiter) if following else None)
    except fields.FieldError as error:
        raise reading.error(following.number if following else 0, error.problem, error.field) from None
    # In what tsoft writes, which has keys, it is a class of that name.
    of = names.index(TARGET) if TARGET in names and (reading.targets or not keys) else None
    if of is not None and not reading.targets:
        reading.note(f"{reading.source}: the column {TARGET} holds the rows' true classes, and is no class itself")
    classes = [i for i in range(len(names)) if i not in keys and i != of]
    labels: tuple[str, ...] | None = tuple(names[i] for i in classes)
    if not classes:
        raise reading.error(first.number, "this header names no class")
    if not names[0]:
        raise reading.error(first.number, "this column has no name; call it row if it numbers the rows", 1)
    if labels == tuple(map(str, range(len(classes)))):
        labels = None
    places = [i + 1 for i in classes]
    target = _target_column(of, labels, len(classes), reading) if of is not None and reading.targets else None

    def row(line: Line) -> Row:
        # A target may be a label, and that of more than one word.
        labelled = of is not None or '"' in line.text
        texts = fields.split_labels(line.text, reading.delimiter) if labelled else fields.split(line.text)
        if len(texts) != len(names):
            raise fields.FieldError(fields.unequal(len(texts), len(names)))
        try:
            values = fields.numbers([texts[i] for i in classes])
        except fields.FieldError as error:
            raise fields.FieldError(error.problem, classes[(error.field or 1) - 1] + 1) from None
        return Row(line.number, values, labels, target.index(texts) if target else None)

    def table(batch: Batch) -> list[Rows] | None:
        found = batch.numbers()
        if found is None or (found[1] != len(names)).any():
            return None
        values = found[0].reshape(-1, len(names))
        lines = range(batch.number, batch.number + len(values))
        targets = target.indices(values) if target else None
        if target and targets is None:
            return None
        chosen = values[:, classes] if len(classes) < len(names) else values
        return [Rows(chosen, lines, labels, places, targets=targets)]

    batches = itertools.chain([rest] if rest else [], batches)
    found = blocks(_each(row, table, batches, reading, places), reading)
    block = next(found, None)
    if block is None:
        problem = f"{fields.not_a_number(names[0])} (and no row follows, to make this line a header)"
        raise reading.error(first.number, problem, 1)
    yield block
    yield from found


def _target_column(place: int, labels: tuple[str, ...] | None, classes: int, reading: Reading) -> "TargetColumn":
    from tsoft.input.class_lookup import ClassLookup, TargetColumn

    return TargetColumn(place, ClassLookup(reading.labels.names if reading.labels else labels, classes))


def _vector(first: Line, batch: Batch, batches: Iterator[Batch], reading: Reading) -> Iterator[Block]:
    """One vector, a class a line: a number, or a label and a number, or `label=number`."""
    bare = fields.is_number(first.text)
    rest = batch.since(first.number)
    # All have arrived before the first number is looked at.
    parts = [_column(part, bare) for part in itertools.chain([rest] if rest else [], batches)]
    labels: list[str] = []
    values, numbers = [], []
    for part in parts:
        if isinstance(part, list):
            classes = [_class(line, bare, reading) for line in part]
            labels += [label for label, _ in classes]
            values.append(np.array([value for _, value in classes]))
            numbers.append(np.array([line.number for line in part], int))
        else:
            values.append(part[0])
            numbers.append(np.arange(part[1], part[1] + len(part[0])))
    named, lines = None if bare else tuple(labels), np.concatenate(numbers).tolist()
    yield from blocks([[Rows(np.concatenate(values)[np.newaxis], lines[:1], named, class_lines=[lines])]], reading)


def _column(batch: Batch, bare: bool) -> list[Line] | tuple[Array, int]:
    """The lines of a batch that say something; or the number of each, and the first one's line."""
    found = batch.numbers() if bare else None
    if found is not None and (found[1] == 1).all():
        return found[0], batch.number
    return [line for line in batch.lines() if line.text]


def _class(line: Line, bare: bool, reading: Reading) -> tuple[str, float]:
    """The label and the number of a line, the label empty where the numbers are bare."""
    try:
        pair = not bare and fields.is_pair(line.text)
        *label, value = line.text.rsplit("=", 1) if pair else fields.split_labels(line.text, reading.delimiter)
        if bare and label:
            raise fields.FieldError(
                "the first line is a number alone, which makes each line a class, but this one has more"
            )
        if not bare and not label:
            raise fields.FieldError("the first line is a label and a number, but this one is not")
        return " ".join(label), fields.numbers([*"0" * len(label), value])[-1]
    except fields.FieldError as error:
        raise reading.error(line.number, error.problem, error.field) from None


def _key_columns(names: list[str], following: list[str] | None) -> set[int]:
    """The columns of a header that are not classes. An engine is one after the two others, where the
    line that follows has no number for it; and so are a sweep's measures after all keys."""
    keys = {names.index(key) for key in KEYS[:2] if key in names}
    if tuple(names[:3]) == KEYS and not (following and fields.is_number("".join(following[2:3]))):
        keys.add(2)
    if len(keys) > 1 and keys == set(range(len(keys))):
        for measures in _measured("".join(names[len(keys) : len(keys) + 1])):
            last = len(keys) + len(measures)
            if tuple(names[len(keys) : last]) == measures:
                return set(range(last))
    return keys


def _measured(first: str) -> list[tuple[str, ...]]:
    """What stands between the keys and the classes in what tsoft writes, where it begins with this name, the
    most first."""
    if first == TARGET:
        from tsoft.input.columns import OF_STUDENT, OF_TARGETS, OF_TEACHER

        alone = (TARGET, *OF_TEACHER)
        return [(*alone, *OF_STUDENT, *OF_TARGETS), (*alone, *OF_STUDENT), alone]
    return [(*MEASURES, *THERMODYNAMICS), MEASURES]


def _each(
    row: Callable[[Line], Row],
    table: Table,
    batches: Iterable[Batch],
    reading: Reading,
    places: Sequence[int] | None = None,
) -> Iterator[Iterable[Rows]]:
    """The lines as rows, a batch at once where it is plain. A blank line between two rows is an empty
    row, which is an error; at the end it is nothing."""
    blank = None
    for batch in batches:
        if not blank and (found := table(batch)) is not None:
            yield found
            continue
        rows = []
        for line in batch.lines():
            if not line.text:
                blank = blank or line.number
                continue
            if blank:
                raise reading.error(blank, "an empty row; remove the line")
            try:
                rows.append(row(line))
            except fields.FieldError as error:
                raise reading.error(line.number, error.problem, error.field) from None
        yield _grouped(rows, places)


def _grouped(rows: list[Row], places: Sequence[int] | None) -> Iterator[Rows]:
    """Rows in runs of those with the same labels. `places` are their fields, where a header has others."""
    for (width, labels), group in itertools.groupby(rows, lambda row: (len(row.values), row.labels)):
        run = list(group)
        varies = labels is not None and places is None
        values = np.array([row.values for row in run])
        targets = None if run[0].target is None else np.array([row.target for row in run])
        lines = [row.line for row in run]
        yield Rows(values, lines, labels, places or range(1, width + 1), varies=varies, targets=targets)
