"""One writer for the records of every result: tsv, csv, json and jsonl."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input.fields import escape, join_labels, quote
from tsoft.output.number_format import NumberFormat

# A line of more numbers than this is written in parts, so that its text is never in memory as a whole.
LONG_LINE = 1 << 17
# Short texts are written together until they have this many characters.
TOGETHER = 1 << 16


class In(Flag):
    """The formats that show a column."""

    TSV = auto()
    CSV = auto()
    JSON = auto()
    ALL = TSV | CSV | JSON


@dataclass(frozen=True, eq=False)
class Column:
    """A named column: `values` has an element for each record. An array of (records, n) is one array in JSON and
    n columns elsewhere, headed by `labels`; `widths`, (records,), says how many of the n each record has."""

    name: str
    values: Sequence[Any] | Array
    shown: In = In.ALL
    labels: Sequence[str] | None = None
    widths: Array | None = None

    @property
    def heads(self) -> list[str]:
        return [self.name] if self.labels is None else list(self.labels)


@dataclass(frozen=True, eq=False)
class Records:
    """Some of a result's records, in columns. `place` is the source of the first one, for messages. `headed` gives tsv
    a header, too. With `picks`, arrays of indices, the records are those at these indices, in that order."""

    columns: Sequence[Column]
    place: str = ""
    headed: bool = False
    picks: Iterable[Array] | None = None


# The fields of a JSON object in their order. A value that is an iterator of arrays is one array in JSON, and is
# written piece by piece; what follows it is made after it has been written.
Fields = Iterable[tuple[str, Any]]


class Recorded(ABC):
    """A result that can be written as records."""

    @abstractmethod
    def records(self) -> Iterator[Records]:
        """The records of tsv and csv, and of JSON where `objects` does not differ."""

    def objects(self) -> Iterator[Iterable[Mapping[str, Any] | Fields]]:
        """The objects of json and jsonl, in batches of those that come together."""
        for records in self.records():
            columns = [column for column in records.columns if column.shown & In.JSON]
            names = [column.name for column in columns]
            rows = zip(*(column.values for column in columns), strict=True)
            yield (dict(zip(names, values, strict=True)) for values in rows)


def write(result: Recorded, format: str, numbers: NumberFormat) -> Iterator[str | bytes]:
    """The text of a result's records in tsv, csv, json or jsonl, in pieces as they come.

    Raises InputError for records whose columns are not those of csv's header.
    """
    if format in ("json", "jsonl"):
        yield from _objects(result.objects(), numbers, is_array=format == "json")
    elif format == "csv":
        yield from _delimited(result.records(), In.CSV, ",", numbers)
    else:
        yield from _delimited(result.records(), In.TSV, "\t", numbers)


# JSON.


def _objects(
    batches: Iterable[Iterable[Mapping[str, Any] | Fields]], numbers: NumberFormat, *, is_array: bool
) -> Iterator[str]:
    """One object per line. The brackets of an array stay open after an error, so that no reader takes it for whole."""
    start, between, end = ("[\n", ",\n", "") if is_array else ("", "", "\n")
    starts = itertools.chain([start], itertools.repeat(between))
    for batch in batches:
        yield from _joined(
            text for fields in batch for text in itertools.chain([next(starts)], _object(fields, numbers), [end])
        )
    if is_array:
        yield "\n]\n"


def _object(fields: Mapping[str, Any] | Fields, numbers: NumberFormat) -> Iterator[str]:
    """The text of an object, in pieces."""
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

    return orjson.dumps(numbers.json(value), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _joined(texts: Iterable[str]) -> Iterator[str]:
    """The same texts in fewer, longer pieces."""
    waiting: list[str] = []
    length = 0
    for text in texts:
        waiting.append(text)
        length += len(text)
        if length >= TOGETHER:
            yield "".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield "".join(waiting)


# tsv and csv.


def _delimited(chunks: Iterable[Records], shown: In, delimiter: str, numbers: NumberFormat) -> Iterator[str | bytes]:
    header: list[str] | None = None
    for records in chunks:
        columns = [column for column in records.columns if column.shown & shown]
        headed = shown is In.CSV or records.headed
        heads = [head for column in columns for head in column.heads]
        if headed and header is None:
            header = heads
            yield join_labels(heads, delimiter) + "\n"
        elif headed and heads != header:
            problem = f"{records.place}: its classes are not those of the header"
            raise InputError(f"{problem}; --format jsonl takes rows that differ")
        text = quote if headed else escape
        if records.picks is not None:
            yield from _picked(columns, records.picks, delimiter, numbers, text)
        elif len(columns) == 1 and delimiter == "\t" and _is_matrix(columns[0].values):
            yield from _matrix(columns[0], numbers)
        else:
            yield "".join([line + "\n" for line in _lines(columns, delimiter, numbers, text)])


def _is_matrix(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.ndim == 2


def _matrix(column: Column, numbers: NumberFormat) -> Iterator[bytes]:
    """Lines of bare numbers. A very long line is written in parts."""
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
    """The lines at each of the indices. Each line is made once, unless there are more lines than indices."""
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
    """The text of each record's value, or values, in a column."""
    values = column.values
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        if values.ndim == 1:
            return numbers.texts(values)
        return numbers.lines(values, column.widths).decode().replace("\t", delimiter).splitlines()
    values = values.tolist() if isinstance(values, np.ndarray) else values
    # Labels and rows recur.
    cells = {value: _cell(value, numbers, text) for value in set(values)}
    return [cells[value] for value in values]


def _cell(value: Any, numbers: NumberFormat, text: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return numbers.text(value)
    return text(value) if isinstance(value, str) else str(value)
