"""Records with named values: the lines of a table with a header, JSON objects, or the rows of a Parquet or Arrow file.

Tables are read with Python's csv module, as a value may be any text: it may contain a # or, in quotes, a line break.
"""

import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from tsoft.errors import InputError, shortened
from tsoft.input import fields, json_tables
from tsoft.input.formats import FORMATS, detect
from tsoft.input.json import may_continue
from tsoft.input.json_values import Location, Object, as_object, parsed_json
from tsoft.input.limits import read_limited
from tsoft.input.read_options import ReadOptions
from tsoft.input.source import open_input
from tsoft.input.utf8 import decode_text

FORMAT_NAMES = ("text", "tsv", "csv", "json", "jsonl", "parquet", "arrow")


@dataclass(frozen=True)
class NamedRecord:
    """The values of a record by their names, and its location."""

    values: Object
    location: Location


def read_records(name: str, options: ReadOptions, format: str | None = None) -> Iterator[NamedRecord]:
    """Yield the records of a file, or of stdin for `-`. Raise InputError."""
    with open_input(name) as stream:
        detected, stream = (FORMATS[format], stream) if format else detect(stream, name)
        if detected.name in ("parquet", "arrow"):
            yield from _rows(stream, detected.name, options)
            return
        if detected.name not in FORMAT_NAMES:
            raise InputError(
                f"{options.source}: this is {detected.name}, not records; pass csv, tsv, json, jsonl, parquet or arrow"
            )
        data = read_limited(stream, options.longest_document, options.source, "list of records")
    if not data.strip():
        raise InputError(f"{options.source}: no records: the input is empty")
    yield from (_objects if detected.name in ("json", "jsonl") else _lines)(data, options)


def _lines(data: bytes, options: ReadOptions) -> Iterator[NamedRecord]:
    """Yield the lines of a table. Its first line names the columns, and decides what separates them."""
    text = decode_text(data, options.source).removeprefix("\ufeff")
    lines = text.splitlines(keepends=True)
    blank = len(list(itertools.takewhile(lambda line: not line.strip(), lines)))
    delimiter = fields.found_delimiter(lines[blank])
    rows = delimited_rows("".join(lines), delimiter, options) if delimiter else enumerate(map(str.split, lines), 1)
    rows = ((number, row) for number, row in rows if any(row))
    number, header = next(rows)
    names = [name.strip() for name in header]
    repeated = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if repeated is not None:
        raise options.error(number, f"two columns have the name {shortened(repeated)!r}; write each name once")
    if any(map(fields.is_number, names)):
        raise options.error(number, "the first line must name the columns, such as problem,tau,n,correct")
    for number, row in rows:
        if len(row) != len(names):
            raise options.error(number, fields.wrong_field_count(len(row), len(names)))
        yield NamedRecord(dict(zip(names, row, strict=True)), Location(f"{options.source}:{number}"))


def delimited_rows(text: str, delimiter: str, options: ReadOptions) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each line, with its number; of a line with a line break in quotes, the number of its end.
    Raise InputError."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise options.error(reader.line_num, f"not a table: {error}; correct the line, or pass JSON lines") from None


def _objects(data: bytes, options: ReadOptions) -> Iterator[NamedRecord]:
    """Yield the objects of a JSON document or, if the first line is a complete value, of each line."""
    lines = data.split(b"\n")
    first = next(i for i, line in enumerate(lines) if line.strip())
    if may_continue(lines[first]) and not _is_value(lines[first], options):
        yield from _values(parsed_json(data, options, 1), Location(options.source))
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield from _values(parsed_json(line, options, number), Location(f"{options.source}:{number}"))


def _is_value(line: bytes, options: ReadOptions) -> bool:
    """Return whether a line is a JSON value, in which NaN and the infinities may be."""
    try:
        parsed_json(line, options, 1)
    except InputError:
        return False
    return True


def _values(value: Any, location: Location) -> Iterator[NamedRecord]:
    """Yield an object, or the objects of an array or a table."""
    records = json_tables.records(value, location)
    value = value if records is None else records
    if not isinstance(value, list):
        yield NamedRecord(as_object(value, location), location)
        return
    for i, element in enumerate(value):
        place = location.at(f"row {i}")
        yield NamedRecord(as_object(element, place), place)


def _rows(stream: BinaryIO, format: str, options: ReadOptions) -> Iterator[NamedRecord]:
    """Yield the rows of a Parquet or Arrow file."""
    from tsoft.input import arrow

    for i, values in enumerate(arrow.read_rows(stream, format, options)):
        yield NamedRecord(values, Location(options.source, (f"row {i}",)))
