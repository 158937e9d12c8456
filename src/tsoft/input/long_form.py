"""The long form of a text, in: a header with `label` and a kind of number, and a class a line.

The columns `row` and `tau`, where there are any, tell one vector from the next, and `index` gives a
class its place.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input import fast_numbers, fields
from tsoft.input.columns import KEYS
from tsoft.input.lines import Batch, Line
from tsoft.input.quantity import QUANTITIES
from tsoft.input.reading import Reading
from tsoft.input.row_blocks import Rows, blocks


@dataclass(frozen=True, eq=False)
class Classes:
    """Lines of one vector: their numbers, the text of each in the columns that tell vectors apart and
    in the others, and the values, None where these are still to be read from their texts."""

    keys: tuple[str, ...]
    lines: Sequence[int]
    columns: dict[str, Sequence[str]]
    values: Array | None = None


@dataclass(frozen=True)
class Header:
    """The names of the columns, the one of the numbers, and what parts them; None is each line's affair."""

    names: tuple[str, ...]
    quantity: str
    delimiter: str | None

    def classes(
        self, columns: Sequence[Sequence[str]], lines: Sequence[int], values: Array | None
    ) -> Iterator[Classes]:
        """The lines by vector."""
        of = dict(zip(self.names, columns, strict=True))
        keys = [of[name] for name in KEYS if name in of]
        count, start = len(lines), 0
        for key, group in itertools.groupby(zip(*keys, strict=True) if keys else itertools.repeat((), count)):
            stop = start + sum(1 for _ in group)
            part = {name: texts[start:stop] for name, texts in of.items()}
            yield Classes(key, lines[start:stop], part, None if values is None else values[start:stop])
            start = stop


def read(first: Line, batch: Batch, batches: Iterator[Batch], reading: Reading) -> Iterator[Block]:
    """The blocks of the lines after the header, which is the first."""
    header = _header(first, reading)
    rest = batch.since(first.number + 1)
    batches = itertools.chain([rest] if rest else [], batches)
    found = blocks(_vectors(batches, header, reading), replace(reading, quantity=header.quantity))
    block = next(found, None)
    if block is None:
        raise reading.error(first.number, "a header and no classes")
    yield block
    yield from found


def _header(first: Line, reading: Reading) -> Header:
    names = fields.split_labels(first.text, reading.delimiter)
    delimiter = reading.delimiter or next((d for d in ",;\t" if d in first.text), None)
    if len(set(names)) < len(names) or (quantity := next(filter(QUANTITIES.get, names), None)) is None:
        kinds = ", ".join(QUANTITIES)
        raise reading.error(first.number, f"a header with label needs one of {kinds}, and each name once")
    if reading.quantity is not None and reading.quantity != quantity:
        raise reading.error(first.number, f"this header says {quantity!r}, not {reading.quantity!r}")
    return Header(tuple(names), quantity, delimiter)


def _vectors(batches: Iterable[Batch], header: Header, reading: Reading) -> Iterator[list[Rows]]:
    """The vectors that are whole after each batch. The last one is when the next begins, or the end has
    come; one with something wrong in it comes after those before."""
    open_: list[Classes] = []
    for batch in batches:
        whole: list[Rows] = []
        try:
            for part in _parts(batch, header, reading):
                if open_ and open_[0].keys != part.keys:
                    whole.append(_row(open_, header, reading))
                    open_ = []
                open_.append(part)
        except InputError:
            yield _joined(whole)
            raise
        yield _joined(whole)
    if open_:
        yield [_row(open_, header, reading)]


def _parts(batch: Batch, header: Header, reading: Reading) -> Iterator[Classes]:
    """The classes of a batch by vector, its columns at once where it is plain, else line by line."""
    found = _columns(batch, header)
    if found:
        columns, values = found
        yield from header.classes(columns, range(batch.number, batch.number + len(values)), values)
        return
    for line in batch.lines():
        if line.text:
            yield from header.classes([[text] for text in _texts(line, header, reading)], [line.number], None)


def _texts(line: Line, header: Header, reading: Reading) -> list[str]:
    try:
        texts = fields.split_labels(line.text, header.delimiter)
    except fields.FieldError as error:
        raise reading.error(line.number, error.problem, error.field) from None
    if len(texts) != len(header.names):
        raise reading.error(line.number, fields.unequal(len(texts), len(header.names)))
    return texts


def _columns(batch: Batch, header: Header) -> tuple[list[list[str]], Array] | None:
    """The texts of a batch column by column, and its numbers; None where it has quotes, escapes or
    comments, or is not all fields and numbers."""
    text, delimiter, width = batch.plain_text(), header.delimiter, len(header.names)
    if text is None or delimiter is None or any(odd in text for odd in '"\\#'):
        return None
    # A tab at a line's end is a blank around it.
    if delimiter == "\t" and any(end in f"\n{text}\n" for end in ("\n\t", "\t\n")):
        return None
    count = text.count("\n") + 1
    if any(line.count(delimiter) != width - 1 for line in text.split("\n")):
        return None
    cells = list(map(str.strip, text.replace("\n", delimiter).split(delimiter)))
    columns = [cells[i::width] for i in range(width)]
    found = fast_numbers.parse("\n".join(columns[header.names.index(header.quantity)]).encode())
    return (columns, found[0]) if found is not None and len(found[1]) == count == len(found[0]) else None


def _row(parts: list[Classes], header: Header, reading: Reading) -> Rows:
    """The classes of one vector, in the order of their index where that is complete."""
    lines = [line for part in parts for line in part.lines]
    values = np.concatenate([_values(part, header, reading) for part in parts])
    labels = [label for part in parts for label in part.columns["label"]]
    if "index" in header.names:
        texts = [index for part in parts for index in part.columns["index"]]
        indices = _indices(texts, lines, reading)
        if indices != list(range(len(indices))):
            order = np.argsort(indices, kind="stable").tolist()
            values, lines, labels = values[order], [lines[i] for i in order], [labels[i] for i in order]
            if not any(labels) and indices[order[-1]] >= len(order):
                # Some classes are left out: these keep their numbers as their names.
                labels = [texts[i] for i in order]
    named = tuple(labels) if any(labels) else None
    return Rows(values[np.newaxis], lines[:1], named, class_lines=[lines], varies=True)


def _values(part: Classes, header: Header, reading: Reading) -> Array:
    if part.values is not None:
        return part.values
    values = []
    for line, text in zip(part.lines, part.columns[header.quantity], strict=True):
        if not fields.is_number(text):
            raise reading.error(line, fields.not_a_number(text), header.names.index(header.quantity) + 1)
        values.append(fields.number(text))
    return np.array(values)


def _indices(texts: list[str], lines: list[int], reading: Reading) -> list[int]:
    """The place of each class, which it has for itself."""
    digits, lengths = "".join(texts), list(map(len, texts))
    if digits.isascii() and digits.isdigit() and min(lengths) > 0 and max(lengths) < 10 and len({*texts}) == len(texts):
        return list(map(int, texts))
    seen: set[str] = set()
    for line, index in zip(lines, texts, strict=True):
        if not (index.isascii() and index.isdigit() and len(index) < 10 and index not in seen):
            raise reading.error(line, f"index {index!r} is not a number of its own for this class")
        seen.add(index)
    raise AssertionError(texts)


def _joined(rows: list[Rows]) -> list[Rows]:
    """Vectors one after the other that have the same labels, in one."""
    found = []
    for (_, labels), group in itertools.groupby(rows, lambda row: (row.values.shape[1], row.labels)):
        run = list(group)
        values, lines = np.concatenate([row.values for row in run]), [row.lines[0] for row in run]
        of = [line for row in run for line in row.class_lines or ()]
        found.append(Rows(values, lines, labels, class_lines=of, varies=True))
    return found
