"""Rows of numbers as JSON: one document, or one value per line.

A row is an array of numbers, an object with a number for each label, or a record: an object with an array under a
name that says what its numbers are, and maybe `labels`. A value is one of these, an array of arrays, an array of
objects, or the response of an LLM server.
"""

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError
from tsoft.errors import InputError, shortened
from tsoft.input.api_responses import Location, ResponseReader, is_response, parsed_json
from tsoft.input.lines import line_batches
from tsoft.input.quantity import ARRAY_QUANTITIES, QUANTITIES, to_logits
from tsoft.input.read_options import ReadOptions

# Numbers that JSON does not have, as strings.
INFINITIES = {text: float(text) for text in ("inf", "-inf", "+inf", "Infinity", "-Infinity", "+Infinity")}
NumberedLine = tuple[int, bytes]


@dataclass(frozen=True)
class JsonValue:
    """A JSON value, and where it stands, for messages."""

    where: str
    value: Any


@dataclass(frozen=True)
class JsonRow:
    """A row as it stands in JSON. `key` is the name in a record that the numbers stand under; `is_object` says that
    the row is an object with a number for each label."""

    where: str
    values: list[Any]
    quantity: str
    labels: tuple[str, ...] | None = None
    key: str | None = None
    is_object: bool = False

    def error(self, problem: str, column: int | None = None) -> InputError:
        place = "" if self.key is None else f": {self.key}"
        if column is not None:
            place += f": {self.labels[column]!r}" if self.is_object and self.labels else f": field {column + 1}"
        return InputError(f"{self.where}{place}: {problem}")


@dataclass(frozen=True)
class RepeatedNames:
    """An object in which a name repeats."""

    pairs: list[tuple[str, Any]]


# From bytes to JSON values


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """The blocks of a document or, where the first line is a value by itself, of each line as it arrives."""
    batches = _numbered_lines(stream, options)
    for batch in batches:
        start = next((i for i, (_, line) in enumerate(batch) if line.strip()), None)
        if start is None:
            continue
        try:
            first = list(_values(batch[start : start + 1], options))
        except InputError as error:
            if not may_continue(batch[start][1]):
                # Text may begin with a label in brackets.
                hint = "; --input-format text takes it for text" if "after document" in str(error) else ""
                raise InputError(f"{error}{hint}") from None
            document = b"\n".join(line for lines in itertools.chain([batch], batches) for _, line in lines)
            yield from _blocks([[JsonValue(options.source, _parsed(document, options, batch[0][0]))]], options)
        else:
            further = (_values(lines, options) for lines in itertools.chain([batch[start + 1 :]], batches))
            yield from _blocks(itertools.chain([first], further), options)
        return
    raise InputError(f"{options.source}: no logits: the input is empty")


def read_lines(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """The blocks of JSON lines, of each line as it arrives."""
    yield from _blocks((_values(batch, options) for batch in _numbered_lines(stream, options)), options)


def _numbered_lines(stream: BinaryIO, options: ReadOptions) -> Iterator[list[NumberedLine]]:
    """The whole lines that have arrived, each with its number from 1, one batch per read."""
    for batch in line_batches(stream, options):
        yield list(enumerate(batch.data.split(b"\n"), batch.number))


def _values(lines: Iterable[NumberedLine], options: ReadOptions) -> Iterator[JsonValue]:
    """The values of the lines that are not blank."""
    for number, line in lines:
        if line.strip():
            yield JsonValue(f"{options.source}:{number}", _parsed(line, options, number))


def _parsed(data: bytes, options: ReadOptions, line: int) -> Any:
    """The value of a text that begins on that line, with names that repeat. Raises InputError for what is not JSON."""
    value = parsed_json(data, options, line)
    if b":" not in data or data.count(b":") <= _name_count(value):
        return value
    try:
        return _with_repeated_names(data)
    except RecursionError:
        raise options.error(line, "it is nested too deep") from None


def _name_count(value: Any) -> float:
    """How many names the objects of labels have, of which some may repeat in the text; inf where no object is one
    of labels."""
    elements = value if isinstance(value, list) else [value]
    objects = [element for element in elements if isinstance(element, dict) and _array_key(element, None) is None]
    if not objects or any(isinstance(next(iter(labels.values()), 0), dict | list) for labels in objects):
        return np.inf
    return sum(map(len, objects))


def _with_repeated_names(data: bytes) -> Any:
    """The value again, from a parser that keeps names that repeat, as labels may."""

    def from_pairs(pairs: list[tuple[str, Any]]) -> Any:
        names = dict(pairs)
        return names if len(names) == len(pairs) else RepeatedNames(pairs)

    return json.loads(data, object_pairs_hook=from_pairs)


def may_continue(line: bytes) -> bool:
    """Whether a line that is not JSON by itself may be the beginning of a document.

    >>> may_continue(b'{"a":'), may_continue(b"[1,]")
    (True, False)
    """
    import orjson

    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        # NaN and Infinity, at which orjson stops, may stand anywhere.
        return error.pos >= len(line.rstrip().decode("utf-8", "replace")) or b"NaN" in line or b"Infinity" in line
    return True


# From JSON values to rows


def _items(value: JsonValue, options: ReadOptions) -> Iterator[JsonRow | JsonValue]:
    """The rows of a value, and the responses in it."""
    where, content = value.where, value.value
    if not isinstance(content, list):
        yield from _object(value, options)
    elif content and isinstance(content[0], list):
        for i, values in enumerate(content):
            if not isinstance(values, list):
                raise InputError(f"{where}: row {i}: {_shown(values)} is not an array")
            yield _not_empty(JsonRow(f"{where}: row {i}", values, options.quantity or "logit"))
    elif content and isinstance(content[0], dict | RepeatedNames):
        for i, element in enumerate(content):
            yield from _object(JsonValue(f"{where}: record {i}", element), options)
    else:
        yield _not_empty(JsonRow(where, content, options.quantity or "logit"))


def _not_empty(row: JsonRow) -> JsonRow:
    if not row.values:
        raise row.error("an empty row")
    return row


def _object(value: JsonValue, options: ReadOptions) -> Iterator[JsonRow | JsonValue]:
    """The rows of an object: of a response, of a record, or of labels with their numbers."""
    content, quantity = value.value, options.quantity or "logit"
    if isinstance(content, RepeatedNames):
        names, values = (list(column) for column in zip(*content.pairs, strict=True))
        yield JsonRow(value.where, values, quantity, tuple(names), is_object=True)
        return
    if not isinstance(content, dict):
        raise InputError(f"{value.where}: {_shown(content)} is not a row: logits are an array or an object")
    if is_response(content):
        yield value
    elif key := _array_key(content, options.quantity):
        yield from _record(content, key, value.where, options)
    else:
        yield _not_empty(JsonRow(value.where, list(content.values()), quantity, tuple(content), is_object=True))


def _array_key(record: dict[str, Any], quantity: str | None) -> str | None:
    """The name in a record that its numbers stand under: one of this quantity, if there is any."""
    keys = [key for key in ARRAY_QUANTITIES if isinstance(record.get(key), list)]
    return next((key for key in keys if ARRAY_QUANTITIES[key] == quantity), keys[0] if keys else None)


def _record(record: dict[str, Any], key: str, where: str, options: ReadOptions) -> Iterator[JsonRow]:
    """The row under a key, or the rows of an array of arrays, and their labels."""
    quantity, values = ARRAY_QUANTITIES[key], record[key]
    if options.quantity not in (None, quantity):
        raise InputError(f"{where}: {key} are {quantity!r}, not {options.quantity!r}")
    labels = record.get("labels")
    if labels is not None and not (isinstance(labels, list) and set(map(type, labels)) <= {str}):
        raise InputError(f"{where}: labels are not an array of strings")
    names = None if labels is None else tuple(labels)
    has_rows = bool(values) and isinstance(values[0], list)
    for i, row in enumerate(values if has_rows else [values]):
        place = f"{where}: row {i}" if has_rows else where
        if not isinstance(row, list):
            raise InputError(f"{place}: {key}: {_shown(row)} is not an array")
        if names is not None and len(names) != len(row):
            raise InputError(f"{place}: {len(row)} {key}, but {len(names)} labels")
        yield _not_empty(JsonRow(place, row, quantity, names, key))


# From rows to blocks


def _blocks(batches: Iterable[Iterable[JsonValue]], options: ReadOptions) -> Iterator[Block]:
    """The rows of values that arrived together, consecutive rows that are alike in one block."""
    first_row = 0
    reader: ResponseReader | None = None
    for batch in batches:
        items = (item for value in batch for item in _items(value, options))
        for _, group in itertools.groupby(items, _block_key):
            alike = list(group)
            rows = [item for item in alike if isinstance(item, JsonRow)]
            if rows:
                blocks = iter([_block(rows, first_row, options)])
            else:
                reader = reader or ResponseReader(options, first_row)
                reader.row = first_row
                responses = (item for item in alike if isinstance(item, JsonValue))
                blocks = (block for item in responses for block in reader.blocks(Location(item.where), item.value))
            for block in blocks:
                yield block
                first_row += len(block.logits)
    if reader:
        reader.finish(Location(options.source))
    if first_row == 0:
        raise InputError(f"{options.source}: no logits: the input is empty")


def _block_key(item: JsonRow | JsonValue) -> tuple[Any, ...] | None:
    """What the rows of one block share; None for a response."""
    return (len(item.values), item.quantity, item.labels) if isinstance(item, JsonRow) else None


def _block(rows: list[JsonRow], first_row: int, options: ReadOptions) -> Block:
    first = rows[0]
    try:
        logits = to_logits(_numbers(rows), QUANTITIES[first.quantity])
    except LogitsError as error:
        raise rows[error.row].error(error.problem, error.column) from None
    labels = options.class_labels(first.labels, logits.shape[1], first.where)
    origin = Origin(first.quantity, labels_vary=first.labels is not None, source=first.where)
    return Block(logits, labels, first_row, origin)


def _numbers(rows: list[JsonRow]) -> Array:
    """The numbers of rows of one length: (rows, n)."""
    values = [row.values for row in rows]
    types = set(map(type, itertools.chain.from_iterable(values)))
    if str in types:
        values = [[INFINITIES.get(v, v) if type(v) is str else v for v in row] for row in values]
        types = set(map(type, itertools.chain.from_iterable(values)))
    if types <= {int, float}:
        with contextlib.suppress(OverflowError):
            return np.array(values, np.float64)
    for row in rows:
        for column, value in enumerate(row.values):
            if (problem := _problem(value)) is not None:
                raise row.error(problem, column)
    raise AssertionError


def _problem(value: Any) -> str | None:
    """Why a value is not a number; None if it is one."""
    if type(value) is int:
        return f"{str(value)[:8]}… is beyond the largest number, 1.8e308" if abs(value) >> 1024 else None
    if type(value) is float or (isinstance(value, str) and value in INFINITIES):
        return None
    return f"{_shown(value)} is not a number" + ('; a masked class is "-inf"' if value is None else "")


def _shown(value: Any) -> str:
    """A value in a message."""
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict | RepeatedNames):
        return "an object"
    return shortened(json.dumps(value, ensure_ascii=False))
