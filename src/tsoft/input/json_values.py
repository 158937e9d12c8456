"""What a JSON value says: rows of numbers, labelled or not.

A row is an array of numbers, an object of a number for each label, or a record: an object with an array
under a name that tells what its numbers are, and maybe `labels`. A value is one of these, an array of
arrays, or an array of objects.
"""

import functools
import importlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array, LogitsError
from tsoft.errors import InputError, shortened
from tsoft.input.lines import batches_of
from tsoft.input.quantity import KEYS, QUANTITIES, to_logits
from tsoft.input.reading import Reading

# What JSON cannot hold, as a string.
INFINITIES = {"inf", "-inf", "+inf", "Infinity", "-Infinity", "+Infinity"}
Line = tuple[int, bytes]


@dataclass(frozen=True)
class Value:
    """A JSON value, and where it stands, for messages."""

    where: str
    value: Any


@dataclass(frozen=True)
class Row:
    """A row as it stands in JSON. `key` is the name that its numbers stand under; of an object of
    labels `named` is true."""

    where: str
    values: list[Any]
    quantity: str
    labels: tuple[str, ...] | None = None
    key: str | None = None
    named: bool = False

    def error(self, problem: str, column: int | None = None) -> InputError:
        at = "" if self.key is None else f": {self.key}"
        if column is not None:
            at += f": {self.labels[column]!r}" if self.named and self.labels else f": field {column + 1}"
        return InputError(f"{self.where}{at}: {problem}")


@dataclass(frozen=True)
class Repeated:
    """An object some of whose names repeat."""

    pairs: list[tuple[str, Any]]


def lines(stream: BinaryIO, reading: Reading) -> Iterator[list[Line]]:
    """The lines that have arrived whole, each with its number from 1, a batch a read."""
    for batch in batches_of(stream, reading):
        yield list(enumerate(batch.data.split(b"\n"), batch.number))


def parsed(data: bytes, reading: Reading, line: int = 1) -> Any:
    """The value that a text is, which begins on that line. Raises InputError for what is not JSON, but
    for NaN and the infinities that Python and JavaScript write."""
    import orjson

    try:
        value = orjson.loads(data)
        return _with_repeated(data) if b":" in data and data.count(b":") > _names(value) else value
    except orjson.JSONDecodeError as error:
        problem, at = error.msg, error.lineno
        deep = "depth" in problem or "recursion" in problem.lower()
    except RecursionError:
        raise reading.error(line, "it is nested too deep") from None
    if not deep and (b"Infinity" in data or b"NaN" in data):
        try:
            return json.loads(data)
        except json.JSONDecodeError as error:
            problem, at = error.msg, error.lineno
        except RecursionError:
            deep = True
        except ValueError:
            problem = "a number that is too long"
    problem = "it is nested too deep" if deep else f"not JSON: {problem}"
    raise reading.error(line + at - 1, problem)


def _names(value: Any) -> float:
    """How many names the objects of labels have. Those of other values do not matter."""
    elements = value if isinstance(value, list) else [value]
    maps = [element for element in elements if isinstance(element, dict) and _key(element, None) is None]
    if not maps or any(isinstance(next(iter(found.values()), 0), dict | list) for found in maps):
        return np.inf
    return sum(map(len, maps))


def _with_repeated(data: bytes) -> Any:
    """The same value again, from a parser that keeps a name that repeats. Labels may."""

    def kept(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        return found if len(found) == len(pairs) else Repeated(pairs)

    return json.loads(data, object_pairs_hook=kept)


def may_go_on(line: bytes) -> bool:
    """Whether a line that is no JSON by itself may be the beginning of some.

    >>> may_go_on(b'{"a":'), may_go_on(b"[1,]")
    (True, False)
    """
    import orjson

    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        # What only Python's parser takes stands anywhere.
        return error.pos >= len(line.rstrip().decode("utf-8", "replace")) or b"NaN" in line or b"Infinity" in line
    return True


def blocks(batches: Iterable[Iterable[Value]], reading: Reading) -> Iterator[Block]:
    """The rows of what arrived together, in blocks of those that are alike."""
    first_row = 0
    # What has been seen of responses so far.
    source: Any = None
    for batch in batches:
        items = (item for value in batch for item in _items(value, reading))
        for _, group in itertools.groupby(items, _alike):
            alike = list(group)
            rows = [item for item in alike if isinstance(item, Row)]
            if rows:
                found: Iterable[Block] = [_block(rows, first_row, reading)]
            else:
                source = source or _source(reading, first_row)
                found = _of_responses([item for item in alike if isinstance(item, Value)], source, first_row)
            for block in found:
                yield block
                first_row += len(block.logits)
    if source:
        source.finish(_responses().Place(reading.source))
    if first_row == 0:
        raise InputError(f"{reading.source}: no logits: the input is empty")


def _alike(item: Row | Value) -> tuple[Any, ...] | None:
    """What rows of one block share; None for a response."""
    return (len(item.values), item.quantity, item.labels) if isinstance(item, Row) else None


def _source(reading: Reading, first_row: int) -> Any:
    return _responses().Source(reading, first_row)


def _of_responses(responses: list[Value], source: Any, first_row: int) -> Iterator[Block]:
    """The rows of responses, which come after so many others."""
    source.row = first_row
    for response in responses:
        yield from source.blocks(_responses().Place(response.where), response.value)


@functools.cache
def _responses() -> Any:
    """What knows the responses of servers, where it is there."""
    try:
        return importlib.import_module("tsoft.input.responses")
    except ModuleNotFoundError:
        return None


def _items(value: Value, reading: Reading) -> Iterator[Row | Value]:
    """The rows of a value, and the responses among them."""
    where, found = value.where, value.value
    if not isinstance(found, list):
        yield from _object(value, reading)
    elif found and isinstance(found[0], list):
        yield from _rows(found, where, reading)
    elif found and isinstance(found[0], dict | Repeated):
        for i, element in enumerate(found):
            yield from _object(Value(f"{where}: record {i}", element), reading)
    else:
        yield _row(Row(where, found, reading.quantity or "logit"))


def _rows(found: list[Any], where: str, reading: Reading) -> Iterator[Row]:
    for i, values in enumerate(found):
        if not isinstance(values, list):
            raise InputError(f"{where}: row {i}: {_said(values)} is not an array")
        yield _row(Row(f"{where}: row {i}", values, reading.quantity or "logit"))


def _row(row: Row) -> Row:
    if not row.values:
        raise row.error("an empty row")
    return row


def _object(value: Value, reading: Reading) -> Iterator[Row | Value]:
    """The rows of an object: of a response, a record, or labels with their numbers."""
    found, quantity = value.value, reading.quantity or "logit"
    if isinstance(found, Repeated):
        names, values = (list(column) for column in zip(*found.pairs, strict=True))
        yield Row(value.where, values, quantity, tuple(names), named=True)
        return
    if not isinstance(found, dict):
        raise InputError(f"{value.where}: {_said(found)} is not a row: logits are an array or an object")
    responses = _responses()
    if responses and responses.is_response(found):
        yield value
    elif key := _key(found, reading.quantity):
        yield from _record(found, key, value.where, reading)
    else:
        yield _row(Row(value.where, list(found.values()), quantity, tuple(found), named=True))


def _key(found: dict[str, Any], quantity: str | None) -> str | None:
    """The name in a record under which its numbers stand: one of the kind that is asked for, if any is."""
    there = [key for key in KEYS if isinstance(found.get(key), list)]
    return next((key for key in there if KEYS[key] == quantity), there[0] if there else None)


def _record(found: dict[str, Any], key: str, where: str, reading: Reading) -> Iterator[Row]:
    """The row under a key, or the rows of an array of arrays, and their labels."""
    quantity, values = KEYS[key], found[key]
    if reading.quantity not in (None, quantity):
        raise InputError(f"{where}: {key} are {quantity!r}, not {reading.quantity!r}")
    labels = found.get("labels")
    if labels is not None and not (isinstance(labels, list) and set(map(type, labels)) <= {str}):
        raise InputError(f"{where}: labels are not an array of strings")
    names = None if labels is None else tuple(labels)
    several = bool(values) and isinstance(values[0], list)
    for i, row in enumerate(values if several else [values]):
        at = f"{where}: row {i}" if several else where
        if not isinstance(row, list):
            raise InputError(f"{at}: {key}: {_said(row)} is not an array")
        if names is not None and len(names) != len(row):
            raise InputError(f"{at}: {len(row)} {key}, but {len(names)} labels")
        yield _row(Row(at, row, quantity, names, key))


def _block(rows: list[Row], first_row: int, reading: Reading) -> Block:
    first = rows[0]
    try:
        logits = to_logits(_numbers(rows), QUANTITIES[first.quantity])
    except LogitsError as error:
        raise rows[error.row].error(error.problem, error.column) from None
    labels = first.labels
    if reading.labels:
        if labels:
            raise InputError(f"{first.where}: the classes are named here; leave out --labels")
        try:
            labels = reading.labels.matching(logits.shape[1])
        except ValueError as error:
            raise InputError(f"{first.where}: {error}") from None
    return Block(logits, labels, first_row, first.labels is not None, first.quantity, source=first.where)


def _numbers(rows: list[Row]) -> Array:
    """The numbers of rows of one length."""
    values = [row.values for row in rows]
    kinds = set(map(type, itertools.chain.from_iterable(values)))
    if str in kinds:
        values = [_with_infinities(row) if str in set(map(type, row.values)) else row.values for row in rows]
        kinds.discard(str)
    try:
        if kinds <= {int, float}:
            return np.array(values, np.float64)
    except OverflowError:
        pass
    for row in rows:
        for column, value in enumerate(row.values):
            if (problem := _problem(value)) is not None:
                raise row.error(problem, column)
    raise AssertionError


def _with_infinities(row: Row) -> list[Any]:
    """A row's numbers, some of which are infinities in quotes."""
    texts = {value for value in row.values if isinstance(value, str)}
    if not texts <= INFINITIES:
        column = next(i for i, v in enumerate(row.values) if isinstance(v, str) and v not in INFINITIES)
        raise row.error(f"{_said(row.values[column])} is not a number", column)
    numbers = {text: float(text) for text in texts}
    return [numbers[value] if isinstance(value, str) else value for value in row.values]


def _problem(value: Any) -> str | None:
    """Why a value is not a number, where it is none."""
    if type(value) is int:
        return f"{str(value)[:8]}… is beyond the largest number, 1.8e308" if abs(value) >> 1024 else None
    if type(value) is float or (isinstance(value, str) and value in INFINITIES):
        return None
    return f"{_said(value)} is not a number" + ('; a masked class is "-inf"' if value is None else "")


def _said(value: Any) -> str:
    """A value in a message."""
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict | Repeated):
        return "an object"
    return shortened(json.dumps(value, ensure_ascii=False))
