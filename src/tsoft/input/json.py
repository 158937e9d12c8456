"""Reading rows of numbers from JSON: one document, or one value per line.

A row is an array of numbers, an object {label: number}, or a record: an object with an array under the name of a
quantity, such as `logits`, and optionally `labels`. A value is a row, an array of arrays, an array of objects, or the
response of an LLM server.
"""

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError
from tsoft.errors import InputError
from tsoft.input.api_responses import ResponseReader
from tsoft.input.json_problems import TOO_DEEP
from tsoft.input.json_values import Location, described, parsed_json
from tsoft.input.lines import line_batches
from tsoft.input.quantity import ARRAY_QUANTITIES, QUANTITIES, contradiction, to_logits
from tsoft.input.read_options import ReadOptions
from tsoft.input.response_kinds import is_response

# The infinities, which are strings because JSON has no numbers for them.
INFINITIES = {text: float(text) for text in ("inf", "-inf", "+inf", "Infinity", "-Infinity", "+Infinity")}
# JSON writes a mask that is infinite as a string.
JSON_QUANTITIES = {
    name: replace(quantity, mask=f'"{quantity.mask}"') if quantity.mask in INFINITIES else quantity
    for name, quantity in QUANTITIES.items()
}
NumberedLine = tuple[int, bytes]


@dataclass(frozen=True)
class JsonValue:
    """A JSON value, and its location for messages."""

    where: str
    value: Any


@dataclass(frozen=True)
class JsonRow:
    """A row as JSON values. `key` is the name of the numbers in a record; `is_object` is true for {label: number}."""

    where: str
    values: list[Any]
    quantity: str
    labels: tuple[str, ...] | None = None
    key: str | None = None
    is_object: bool = False

    def error(self, problem: str, column: int | None = None) -> InputError:
        """Return an error in this row, and in the number at `column` from 0."""
        place = "" if self.key is None else f": {self.key}"
        if column is not None:
            place += f": {self.labels[column]!r}" if self.is_object and self.labels else f": field {column + 1}"
        return InputError(f"{self.where}{place}: {problem}")


@dataclass(frozen=True)
class RepeatedNames:
    """A JSON object with repeated names."""

    pairs: list[tuple[str, Any]]


# From bytes to JSON values


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a document or, if the first line is a complete value, of each line as it arrives."""
    batches = _numbered_lines(stream, options)
    for batch in batches:
        start = next((i for i, (_, line) in enumerate(batch) if line.strip()), None)
        if start is None:
            continue
        try:
            first = list(_values(batch[start : start + 1], options))
        except InputError as error:
            if not may_continue(batch[start][1]):
                # A text may start with a label in brackets.
                fix = "; if it is not JSON, pass --input-format text" if "after document" in str(error) else ""
                raise InputError(f"{error}{fix}") from None
            document = b"\n".join(line for lines in itertools.chain([batch], batches) for _, line in lines)
            yield from _blocks([[JsonValue(options.source, _parsed(document, options, batch[0][0]))]], options)
        else:
            further = (_values(lines, options) for lines in itertools.chain([batch[start + 1 :]], batches))
            yield from _blocks(itertools.chain([first], further), options)
        return
    raise InputError(f"{options.source}: no logits: the input is empty")


def read_lines(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of JSON lines, as the lines arrive."""
    yield from _blocks((_values(batch, options) for batch in _numbered_lines(stream, options)), options)


def _numbered_lines(stream: BinaryIO, options: ReadOptions) -> Iterator[list[NumberedLine]]:
    """Yield the whole lines that have arrived, numbered from 1, one batch per read."""
    for batch in line_batches(stream, options):
        yield list(enumerate(batch.data.split(b"\n"), batch.number))


def _values(lines: Iterable[NumberedLine], options: ReadOptions) -> Iterator[JsonValue]:
    """Yield the values of the lines that are not blank."""
    for number, line in lines:
        if line.strip():
            yield JsonValue(f"{options.source}:{number}", _parsed(line, options, number))


def _parsed(data: bytes, options: ReadOptions, line: int) -> Any:
    """Parse a text that starts on that line, keeping repeated names. Raise InputError if it is not JSON."""
    value = parsed_json(data, options, line)
    if b":" not in data or data.count(b":") <= _name_count(value):
        return value
    try:
        return _with_repeated_names(data)
    except RecursionError:
        raise options.error(line, TOO_DEEP) from None


def _name_count(value: Any) -> float:
    """Return the number of names in objects {label: number}; inf if there is no object of this kind.

    If the text has more colons than this, names may repeat in it.
    """
    elements = value if isinstance(value, list) else [value]
    objects = [element for element in elements if isinstance(element, dict) and _array_key(element, None) is None]
    if not objects or any(isinstance(next(iter(labels.values()), 0), dict | list) for labels in objects):
        return np.inf
    return sum(map(len, objects))


def _with_repeated_names(data: bytes) -> Any:
    """Parse JSON with a parser that keeps repeated names, since labels may repeat."""

    def from_pairs(pairs: list[tuple[str, Any]]) -> Any:
        names = dict(pairs)
        return names if len(names) == len(pairs) else RepeatedNames(pairs)

    return json.loads(data, object_pairs_hook=from_pairs)


def may_continue(line: bytes) -> bool:
    """Return whether a line that is not JSON may be the start of a document.

    >>> may_continue(b'{"a":'), may_continue(b"[1,]")
    (True, False)
    """
    import orjson

    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        # orjson stops at NaN and Infinity, which may be anywhere in the line.
        return error.pos >= len(line.rstrip().decode("utf-8", "replace")) or b"NaN" in line or b"Infinity" in line
    return True


# From JSON values to rows


def _items(value: JsonValue, options: ReadOptions) -> Iterator[JsonRow | JsonValue]:
    """Yield the rows of a value, and the responses in it."""
    where, content = value.where, value.value
    if isinstance(content, list) and is_response(content):
        yield value
    elif not isinstance(content, list):
        yield from _object(value, options)
    elif content and isinstance(content[0], list):
        for i, values in enumerate(content):
            if not isinstance(values, list):
                raise InputError(f"{where}: row {i}: expected an array, got {described(values)}")
            yield _not_empty(JsonRow(f"{where}: row {i}", values, options.quantity or "logit"))
    elif content and isinstance(content[0], dict | RepeatedNames):
        for i, element in enumerate(content):
            yield from _object(JsonValue(f"{where}: record {i}", element), options)
    else:
        yield _not_empty(JsonRow(where, content, options.quantity or "logit"))


def _not_empty(row: JsonRow) -> JsonRow:
    """Return the row. Raise InputError if it has no numbers."""
    if not row.values:
        raise row.error("empty row; expected at least one number")
    return row


def _object(value: JsonValue, options: ReadOptions) -> Iterator[JsonRow | JsonValue]:
    """Yield the rows of an object: a record or {label: number}; or the object itself if it is a response."""
    content, quantity = value.value, options.quantity or "logit"
    if isinstance(content, RepeatedNames):
        names, values = (list(column) for column in zip(*content.pairs, strict=True))
        yield JsonRow(value.where, values, quantity, tuple(names), is_object=True)
        return
    if not isinstance(content, dict):
        problem = f"expected an array of numbers or an object {{label: number}}, got {described(content)}"
        raise InputError(f"{value.where}: {problem}")
    if is_response(content):
        yield value
    elif key := _array_key(content, options.quantity):
        yield from _record(content, key, value.where, options)
    else:
        yield _not_empty(JsonRow(value.where, list(content.values()), quantity, tuple(content), is_object=True))


def _array_key(record: dict[str, Any], quantity: str | None) -> str | None:
    """Return the name of the array of numbers in a record, preferably one of this quantity; None if it has no array."""
    keys = [key for key in ARRAY_QUANTITIES if isinstance(record.get(key), list)]
    return next((key for key in keys if ARRAY_QUANTITIES[key] == quantity), keys[0] if keys else None)


def _record(record: dict[str, Any], key: str, where: str, options: ReadOptions) -> Iterator[JsonRow]:
    """Yield the row under `key`, or the rows of an array of arrays, with the record's labels."""
    quantity, values = ARRAY_QUANTITIES[key], record[key]
    if options.quantity not in (None, quantity):
        raise InputError(f"{where}: {contradiction(repr(key), quantity, options.quantity)}")
    labels = record.get("labels")
    if labels is not None:
        _check_labels(labels, where)
    names = None if labels is None else tuple(labels)
    has_rows = bool(values) and isinstance(values[0], list)
    for i, row in enumerate(values if has_rows else [values]):
        place = f"{where}: row {i}" if has_rows else where
        if not isinstance(row, list):
            raise InputError(f"{place}: {key}: expected an array, got {described(row)}")
        if names is not None and len(names) != len(row):
            counts = f"{len(row)} {key}, but {len(names)} label{'s' * (len(names) != 1)}"
            raise InputError(f"{place}: {counts}; write one label per class")
        yield _not_empty(JsonRow(place, row, quantity, names, key))


def _check_labels(labels: Any, where: str) -> None:
    """Raise InputError if the labels of a record are not an array of strings."""
    if not isinstance(labels, list):
        raise InputError(f"{where}: labels: expected an array of strings, got {described(labels)}")
    if not set(map(type, labels)) <= {str}:
        i = next(i for i, label in enumerate(labels) if not isinstance(label, str))
        raise InputError(f"{where}: labels: field {i + 1}: expected a string, got {described(labels[i])}")


# From rows to blocks


def _blocks(batches: Iterable[Iterable[JsonValue]], options: ReadOptions) -> Iterator[Block]:
    """Yield blocks of consecutive rows that arrived together and have the same length, quantity and labels."""
    first_row = 0
    reader: ResponseReader | None = None
    for batch in batches:
        items = (item for value in batch for item in _items(value, options))
        for _, group in itertools.groupby(items, _block_key):
            members = list(group)
            rows = [item for item in members if isinstance(item, JsonRow)]
            if rows:
                blocks = iter([_block(rows, first_row, options)])
            else:
                reader = reader or ResponseReader(options, first_row)
                reader.row = first_row
                responses = (item for item in members if isinstance(item, JsonValue))
                blocks = (block for item in responses for block in reader.blocks(Location(item.where), item.value))
            for block in blocks:
                yield block
                first_row += len(block.logits)
    if reader:
        reader.finish(Location(options.source))
    if first_row == 0:
        raise InputError(f"{options.source}: no logits: the input is empty")


def _block_key(item: JsonRow | JsonValue) -> tuple[Any, ...] | None:
    """Return the properties that the rows of one block share; None for a response."""
    return (len(item.values), item.quantity, item.labels) if isinstance(item, JsonRow) else None


def _block(rows: list[JsonRow], first_row: int, options: ReadOptions) -> Block:
    """Return the block of rows that share their length, quantity and labels. Raise InputError."""
    first = rows[0]
    try:
        logits = to_logits(_numbers(rows), JSON_QUANTITIES[first.quantity])
    except LogitsError as error:
        raise rows[error.row].error(error.problem, error.column) from None
    labels = options.class_labels(first.labels, logits.shape[1], first.where)
    origin = Origin(first.quantity, labels_vary=first.labels is not None, source=first.where)
    return Block(logits, labels, first_row, origin)


def _numbers(rows: list[JsonRow]) -> Array:
    """Return the numbers of rows of the same length, (rows, n). Raise InputError."""
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
            if (problem := _problem(value, row.quantity)) is not None:
                raise row.error(problem, column)
    raise AssertionError


def _problem(value: Any, quantity: str) -> str | None:
    """Return the problem with a value of a quantity that is not a number; None if it is a number."""
    if type(value) is int:
        return f"{str(value)[:8]}… is too large; the largest number is 1.8e308" if abs(value) >> 1024 else None
    if type(value) is float or (isinstance(value, str) and value in INFINITIES):
        return None
    fix = f"; {JSON_QUANTITIES[quantity].mask_fix}" if value is None else ""
    return f"expected a number, got {described(value)}{fix}"
