"""One writer for the records of every result: tsv, csv, json and jsonl."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Flag, auto
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import InputError, without_surrogates
from tsoft.frozen import frozen
from tsoft.input.fields import escape, join_labels, quote
from tsoft.input.number_workers import several_processes
from tsoft.output.control_characters import escaped_json
from tsoft.output.number_format import NumberFormat

# A line of more numbers than this is written in parts, so its whole text is never in memory.
LONG_LINE = 1 << 17
# The most bytes to write at once. Linux takes up to four times as long for a file in larger pieces, since they do not
# fit in the cache of a core.
WRITE_BYTES = 1 << 17
# Records with more cells than this are written in parts.
MANY_CELLS = 1 << 18
# Short texts are joined until they have this many characters.
PIECE_LENGTH = 1 << 16


class In(Flag):
    """The formats that show a column."""

    TSV = auto()
    CSV = auto()
    JSON = auto()
    ALL = TSV | CSV | JSON


@frozen(eq=False)
class Column:
    """A named column. `values` has one element per record.

    An array of shape (records, n) is one array in JSON, and n columns in tsv and csv, with the names `labels`.
    `widths`, (records,), is the count of numbers in each record if the records differ.
    """

    name: str
    values: Sequence[Any] | Array
    shown: In = In.ALL
    labels: Sequence[str] | None = None
    widths: Array | None = None

    @property
    def headers(self) -> list[str]:
        return [self.name] if self.labels is None else list(self.labels)

    @property
    def width(self) -> int:
        """The number of cells of a record."""
        return int(self.values.shape[1]) if isinstance(self.values, np.ndarray) and self.values.ndim == 2 else 1

    def part(self, rows: slice) -> "Column":
        """Return the column of some of the records."""
        return replace(self, values=self.values[rows], widths=None if self.widths is None else self.widths[rows])


@frozen(eq=False)
class Records:
    """Some of a result's records, in columns.

    `place` is the location of the first record in the input, for messages. If `headed`, tsv has a header, too. With
    `picks`, arrays of indices, the records are those at these indices, in that order.
    """

    columns: Sequence[Column]
    place: str = ""
    headed: bool = False
    picks: Iterable[Array] | None = None


# The fields of a JSON object in order. A value that is an iterator of arrays becomes one array in JSON, which is
# written piece by piece. The fields after it are computed after it has been written.
Fields = Iterable[tuple[str, Any]]


class Recorded(ABC):
    """A result that can be written as records."""

    @abstractmethod
    def records(self) -> Iterator[Records]:
        """Yield the records for tsv and csv, and for JSON unless `objects` is overridden."""

    def objects(self) -> Iterator[Iterable[Mapping[str, Any] | Fields]]:
        """Yield the objects for json and jsonl, in batches."""
        for records in self.records():
            columns = [column for column in records.columns if column.shown & In.JSON]
            names = [column.name for column in columns]
            rows = zip(*(column.values for column in columns), strict=True)
            yield (dict(zip(names, values, strict=True)) for values in rows)


def write(result: Recorded, format: str, numbers: NumberFormat) -> Iterator[str | bytes]:
    """Yield the text of a result's records in tsv, csv, json or jsonl, in pieces.

    Raise InputError for records whose columns differ from the header's.
    """
    if format in ("json", "jsonl"):
        yield from _objects(result.objects(), numbers, is_array=format == "json")
        return
    shown, delimiter = (In.CSV, ",") if format == "csv" else (In.TSV, "\t")
    with several_processes():
        for text in _delimited(result.records(), shown, delimiter, numbers):
            for start in range(0, len(text), WRITE_BYTES):
                yield text[start : start + WRITE_BYTES]


# JSON


def _objects(
    batches: Iterable[Iterable[Mapping[str, Any] | Fields]], numbers: NumberFormat, *, is_array: bool
) -> Iterator[str]:
    """Yield one object per line. After an error, an array's bracket stays open, so no reader takes it for complete."""
    start, between, end = ("[\n", ",\n", "") if is_array else ("", "", "\n")
    starts = itertools.chain([start], itertools.repeat(between))
    for batch in batches:
        yield from _joined(
            text for fields in batch for text in itertools.chain([next(starts)], _object(fields, numbers), [end])
        )
    if is_array:
        yield "\n]\n"


def _object(fields: Mapping[str, Any] | Fields, numbers: NumberFormat) -> Iterator[str]:
    """Yield the text of an object, in pieces."""
    if isinstance(fields, Mapping):
        yield _dumped(dict(fields), numbers)
        return
    before: dict[str, Any] = {}
    opened = False
    for name, value in fields:
        if not isinstance(value, Iterator):
            before[name] = value
            continue
        head = _dumped(before, numbers)[1:-1]
        yield ("," if opened else "{") + head + "," * bool(head) + f'"{name}":['
        for i, piece in enumerate(value):
            yield "," * bool(i) + _dumped(piece, numbers)[1:-1]
        yield "]"
        before, opened = {}, True
    yield ("," if opened else "{") + _dumped(before, numbers)[1:]


def _dumped(value: Any, numbers: NumberFormat) -> str:
    import orjson

    try:
        data = orjson.dumps(numbers.json(value), option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        _check_texts(value)
        raise
    return escaped_json(data)


def _joined(texts: Iterable[str]) -> Iterator[str]:
    """Yield the same texts in fewer, longer pieces."""
    waiting: list[str] = []
    length = 0
    for text in texts:
        waiting.append(text)
        length += len(text)
        if length >= PIECE_LENGTH:
            yield "".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield "".join(waiting)


# Text


def _check_texts(value: Any) -> None:
    """Raise InputError for the first text in a value that is not Unicode, which no format can contain."""
    if isinstance(value, str):
        if not value.isascii() and (shown := without_surrogates(value)) != value:
            raise InputError(f"the text '{shown}' has a lone surrogate, which is not a character; replace it")
    elif isinstance(value, Mapping):
        _check_texts([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for element in value:
            _check_texts(element)


# tsv and csv


def _delimited(chunks: Iterable[Records], shown: In, delimiter: str, numbers: NumberFormat) -> Iterator[str | bytes]:
    header: list[str] | None = None
    for records in chunks:
        columns = [column for column in records.columns if column.shown & shown]
        headed = shown is In.CSV or records.headed
        headers = [name for column in columns for name in column.headers]
        if headed and header is None:
            header = headers
            _check_texts(headers)
            yield join_labels(headers, delimiter) + "\n"
        elif headed and headers != header:
            problem = f"{records.place}: the classes differ from those in the header"
            raise InputError(f"{problem}; use --format jsonl")
        text = quote if headed else escape
        if records.picks is not None:
            yield from _picked(columns, records.picks, delimiter, numbers, text)
            continue
        for part in _parts(columns):
            if len(part) == 1 and delimiter == "\t" and _is_matrix(part[0].values):
                yield from _matrix(part[0], numbers)
            else:
                yield "".join([line + "\n" for line in _lines(part, delimiter, numbers, text)])


def _parts(columns: Sequence[Column]) -> Iterator[Sequence[Column]]:
    """Yield the same records in parts, whose text is short enough for the memory."""
    # A format may show no column of a record.
    rows, width = (len(columns[0].values), sum(column.width for column in columns)) if columns else (0, 1)
    step = max(1, MANY_CELLS // width)
    for first in range(0, rows, step):
        yield [column.part(slice(first, first + step)) for column in columns]


def _is_matrix(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.ndim == 2


def _matrix(column: Column, numbers: NumberFormat) -> Iterator[bytes]:
    """Yield lines of bare numbers, a very long line in parts."""
    values = np.asarray(column.values)
    if len(values) > 1 or values.shape[1] <= LONG_LINE:
        yield numbers.lines(values, column.widths)
        return
    for start in range(0, values.shape[1], LONG_LINE):
        line = numbers.lines(values[:, start : start + LONG_LINE])
        yield line if start + LONG_LINE >= values.shape[1] else line[:-1] + b"\t"


def _picked(
    columns: Sequence[Column], picks: Iterable[Array], delimiter: str, numbers: NumberFormat, text: Any
) -> Iterator[str]:
    """Yield the lines at the indices. Each line is formatted once, unless there are more lines than indices."""
    lines: Array | None = None
    for indices in picks:
        if lines is None and len(indices) < len(columns[0].values):
            some = [Column(c.name, [c.values[i] for i in indices.tolist()], labels=c.labels) for c in columns]
            yield "".join([line + "\n" for line in _lines(some, delimiter, numbers, text)])
            continue
        if lines is None:
            lines = np.array([line + "\n" for line in _lines(columns, delimiter, numbers, text)], object)
        yield "".join(lines.take(indices).tolist())


def _lines(columns: Sequence[Column], delimiter: str, numbers: NumberFormat, text: Any) -> list[str]:
    return list(
        map(delimiter.join, zip(*(_cells(column, delimiter, numbers, text) for column in columns), strict=True))
    )


def _cells(column: Column, delimiter: str, numbers: NumberFormat, text: Any) -> list[str]:
    """Return the text of each record in a column."""
    values = column.values
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        if values.ndim == 1:
            return numbers.texts(values)
        return numbers.lines(values, column.widths).decode().replace("\t", delimiter).splitlines()
    values = values.tolist() if isinstance(values, np.ndarray) else values
    # Labels and rows repeat, so each distinct value is formatted once.
    cells = {value: _cell(value, numbers, text) for value in set(values)}
    return [cells[value] for value in values]


def _cell(value: Any, numbers: NumberFormat, text: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return numbers.text(value)
    if isinstance(value, str):
        _check_texts(value)
        return str(text(value))
    return str(value)
