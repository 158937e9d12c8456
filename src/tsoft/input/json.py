"""Reading rows of numbers from JSON: one document, or one value per line.

A row is an array of numbers, an object {label: number}, or a record: an object with an array under the name of a
quantity, such as `logits`, and optionally `labels`, the true class, and a key. A value is a row, an array of arrays, an
array of objects, or the response of an LLM server.
"""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError
from tsoft.errors import InputError, joined, shortened, unknown
from tsoft.input import fields
from tsoft.input.api_responses import ResponseReader
from tsoft.input.class_lookup import TargetLookup
from tsoft.input.columns import FURTHER_TARGET_NAMES, TARGET_NAMES
from tsoft.input.json_lines import NumberedLine, joined_lines, numbered_lines
from tsoft.input.json_values import Location, RepeatedNames, described, parsed_rows
from tsoft.input.labels import Labels
from tsoft.input.quantity import ARRAY_QUANTITIES, QUANTITIES, contradiction
from tsoft.input.read_options import ReadOptions
from tsoft.input.response_kinds import is_response
from tsoft.input.table_columns import (
    MAX_COMPARED,
    MAX_LISTED,
    ROW,
    TAU,
    ColumnError,
    TableColumns,
    decide,
    is_key_name,
    is_target_name,
)

# The infinities, which are strings because JSON has no numbers for them.
INFINITIES = {text: float(text) for text in ("inf", "-inf", "+inf", "Infinity", "-Infinity", "+Infinity")}
# JSON writes a mask that is infinite as a string.
JSON_QUANTITIES = {
    name: replace(quantity, mask=f'"{quantity.mask}"') if quantity.mask in INFINITIES else quantity
    for name, quantity in QUANTITIES.items()
}


@dataclass(frozen=True)
class JsonValue:
    """A JSON value, and its location for messages."""

    where: str
    value: Any


@dataclass(frozen=True)
class JsonRow:
    """A row as JSON values.

    `key` is the name of the numbers in a record; `is_object` is true for {label: number}. `target` is the field of
    the true class and its value, and `id` is the row's key, if it has them.
    """

    where: str
    values: list[Any]
    quantity: str
    labels: tuple[str, ...] | None = None
    key: str | None = None
    is_object: bool = False
    target: tuple[str, Any] | None = None
    id: str | int | None = None

    def error(self, problem: str, column: int | None = None) -> InputError:
        """Return an error in this row, and in the number at `column` from 0."""
        place = "" if self.key is None else f": {self.key}"
        if column is not None:
            place += f": {self.labels[column]!r}" if self.is_object and self.labels else f": field {column + 1}"
        return InputError(f"{self.where}{place}: {problem}")


# From bytes to JSON values


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a document or, if the first line is a complete value, of each line as it arrives."""
    batches = numbered_lines(stream, options)
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
            document = joined_lines(itertools.chain([batch], batches), options)
            yield from _blocks([[JsonValue(options.source, parsed_rows(document, options, batch[0][0]))]], options)
        else:
            further = (_values(lines, options) for lines in itertools.chain([batch[start + 1 :]], batches))
            yield from _blocks(itertools.chain([first], further), options)
        return
    raise InputError(f"{options.source}: no logits: the input is empty")


def read_lines(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of JSON lines, as the lines arrive."""
    yield from _blocks((_values(batch, options) for batch in numbered_lines(stream, options)), options)


def _values(lines: Iterable[NumberedLine], options: ReadOptions) -> Iterator[JsonValue]:
    """Yield the values of the lines that are not blank."""
    for number, line in lines:
        if line.strip():
            yield JsonValue(f"{options.source}:{number}", parsed_rows(line, options, number))


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
    return False


# From JSON values to rows


class RowReader:
    """Reads the rows of JSON values. It remembers what the fields of objects are, and which fields a note has named."""

    def __init__(self, options: ReadOptions):
        self.options = options
        self._quantity = options.quantity or "logit"
        self._columns: dict[tuple[str, ...], TableColumns] = {}
        self._next_key: int | None = None
        self._ignored: set[str] = set()

    def items(self, value: JsonValue) -> Iterator[JsonRow | JsonValue]:
        """Yield the rows of a value, and the responses in it."""
        where, content = value.where, value.value
        if isinstance(content, list) and is_response(content):
            yield value
            return
        if not isinstance(content, list):
            yield from self._object(value)
            return
        if content and isinstance(content[0], dict | RepeatedNames):
            for i, element in enumerate(content):
                yield from self._object(JsonValue(f"{where}: record {i}", element))
            return
        if self.options.names_columns:
            options = self.options.column_options
            raise InputError(f"{where}: an array has no names, so {options} do not apply; remove them")
        if content and isinstance(content[0], list):
            for i, values in enumerate(content):
                if not isinstance(values, list):
                    raise InputError(f"{where}: row {i}: expected an array, got {described(values)}")
                yield _not_empty(JsonRow(f"{where}: row {i}", values, self._quantity))
        else:
            yield _not_empty(JsonRow(where, content, self._quantity))

    def _object(self, value: JsonValue) -> Iterator[JsonRow | JsonValue]:
        """Yield the rows of an object: a record or {label: number}; or the object itself if it is a response."""
        content = value.value
        if isinstance(content, RepeatedNames):
            yield self._numbers_by_label(content.pairs, value.where)
            return
        if not isinstance(content, dict):
            problem = f"expected an array of numbers or an object {{label: number}}, got {described(content)}"
            raise InputError(f"{value.where}: {problem}")
        if is_response(content):
            if self.options.names_columns:
                options = self.options.column_options
                raise InputError(f"{value.where}: an API response has no columns, so {options} do not apply")
            yield value
        elif key := _array_key(content, self.options.quantity):
            yield from self._record(content, key, value.where)
        else:
            yield _not_empty(self._numbers_by_label(list(content.items()), value.where))

    def _numbers_by_label(self, pairs: list[tuple[str, Any]], where: str) -> JsonRow:
        """Return the row of an object {label: number}, which may also have a key and a true class."""
        names, content = tuple(name for name, _ in pairs), [value for _, value in pairs]
        # The names in a vocabulary are tokens.
        is_plain = (not names or len(names) > MAX_COMPARED) and not self.options.names_columns
        if is_plain and not any(is_key_name(name) or is_target_name(name, self.options) for name in names):
            return JsonRow(where, content, self._quantity, names, is_object=True)
        if names not in self._columns:
            try:
                texts = [_text(value) for value in content]
                decided = decide(names, texts, self.options, [])
            except ColumnError as error:
                raise InputError(f"{where}: {error}") from None
            # Strings of digits are texts, which do not count.
            has_texts = decided.key is not None and isinstance(content[decided.key], str)
            self._columns[names] = replace(decided, counts=False) if has_texts else decided
        columns = self._columns[names]
        if not columns.logits:
            raise InputError(f"{where}: no field is a logit; list the fields of the logits with --columns")
        labels = tuple(names[i] for i in columns.logits)
        label = next((content[i] for i in columns.unused_targets if isinstance(content[i], str)), None)
        if len(labels) == 1 and label is not None and not self.options.reads_targets:
            problem = f"one number and the label {shortened(label)!r}, but expected the numbers of all classes"
            raise InputError(f'{where}: {problem}; write one object per row, such as {{"cat": 2, "dog": 1}}')
        target = None if columns.target is None else (names[columns.target], content[columns.target])
        for i in columns.unused_targets:
            value = content[i]
            if isinstance(value, float) and value % 1 != 0:
                problem = f"{names[i]!r}: {value!r} is not a class, but tsoft ignores this field as one of true classes"
                raise InputError(f"{where}: {problem}; list the fields of the logits with --columns")
        key = None if columns.key is None else self._key(content[columns.key], names, where)
        values, quantity = [content[i] for i in columns.logits], self._quantity
        if len(labels) == 1 and labels[0].lower() in QUANTITIES:
            # The name of a single number may say what it is.
            quantity = labels[0].lower()
            if self.options.quantity not in (None, quantity):
                raise InputError(f"{where}: {contradiction(repr(labels[0]), quantity, self._quantity)}")
        return JsonRow(where, values, quantity, labels, is_object=True, target=target, id=key)

    def _key(self, value: Any, names: tuple[str, ...], where: str) -> str | int:
        """Return the key of an object. Raise InputError if the keys stop counting."""
        columns = self._columns[names]
        assert columns.key is not None
        if columns.counts:
            is_whole = type(value) is int or (type(value) is float and value % 1 == 0)
            expected = value if self._next_key is None else self._next_key
            if not is_whole or value != expected:
                problem = f"expected {expected}, as this field counts the rows, got {described(value)}"
                fix = "pass --id-column if it names the rows, or list the fields of the logits with --columns"
                raise InputError(f"{where}: {names[columns.key]!r}: {problem}; {fix}")
            self._next_key = int(value) + 1
            return int(value)
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise InputError(
                f"{where}: {names[columns.key]!r}: expected a string or an integer, got {described(value)}"
            )
        return value

    def _record(self, record: dict[str, Any], key: str, where: str) -> Iterator[JsonRow]:
        """Yield the row under `key`, or the rows of an array of arrays, with the record's labels."""
        if isinstance(record[key], dict):
            if record.get("labels") is not None:
                raise InputError(f"{where}: {key!r} already names the classes; remove 'labels'")
            record = record | {key: [*record[key].values()], "labels": [*record[key]]}
        options, quantity, values = self.options, ARRAY_QUANTITIES[key], record[key]
        if options.quantity not in (None, quantity):
            raise InputError(f"{where}: {contradiction(repr(key), quantity, options.quantity)}")
        if options.columns.logits is not None:
            raise InputError(
                f"{where}: --columns selects fields with one number each, and {key!r} has several; remove it"
            )
        if record.get("exact") is False and key != "logits":
            listed = f"{key} are of the listed tokens alone, which tsoft takes for all tokens"
            options.note(f"{options.source}: the records of an API response are not exact; {listed}")
        target = self._target_field(record, where)
        labels = None if target and target[0] == "labels" else record.get("labels")
        if labels is not None:
            _check_labels(labels, where)
        names = None if labels is None else tuple(labels)
        ids = self._id_field(record, where)
        self._note_ignored(record, {key, "labels" if labels is not None else None, ids and ids[0]}, target)
        target = target if options.reads_targets else None
        is_column = target is not None and isinstance(target[1], list) and len(target[1]) == len(values) > 1
        has_rows = bool(values) and isinstance(values[0], list)
        if is_column and not has_rows:
            _refuse_one_hot(target, where)
        rows = values if has_rows else [[value] for value in values] if is_column else [values]
        targets = _one_each(target, len(rows), has_rows or is_column, where)
        keys = _one_each(ids, len(rows), has_rows or is_column, where)
        for i, (row, row_target, row_key) in enumerate(zip(rows, targets, keys, strict=True)):
            place = f"{where}: row {i}" if has_rows or is_column else where
            if not isinstance(row, list):
                raise InputError(f"{place}: {key}: expected an array, got {described(row)}")
            if (
                names is not None
                and len(names) != len(row)
                and not (options.targets and (len(names), len(row)) == (2, 1))
            ):
                counts = f"{len(row)} {key}, but {len(names)} label{'s' * (len(names) != 1)}"
                raise InputError(f"{place}: {counts}; write one label per class")
            if row_key is not None and (not isinstance(row_key, str | int) or isinstance(row_key, bool)):
                assert ids
                raise InputError(f"{place}: {ids[0]}: expected a string or an integer, got {described(row_key)}")
            named_target = None if target is None else (target[0], row_target)
            yield _not_empty(JsonRow(place, row, quantity, names, key, target=named_target, id=row_key))

    def _target_field(self, record: dict[str, Any], where: str) -> tuple[str, Any] | None:
        """Return the field of the true classes and its value: that of --target-column, or `targets`, `labels` if it
        contains integers, `target` or `label`, or, if targets are requested, `y` or `class`."""
        options, chosen = self.options, self.options.targets.column if self.options.targets else None
        if chosen is not None:
            return _field("--target-column", chosen, record, where)
        labels = record.get("labels")
        has_integers = isinstance(labels, list) and bool(labels) and all(type(v) in (int, bool) for v in labels)
        names = ["targets", *["labels"] * has_integers, *TARGET_NAMES]
        names += FURTHER_TARGET_NAMES if options.targets else ()
        return next(((name, record[name]) for name in names if record.get(name) is not None), None)

    def _id_field(self, record: dict[str, Any], where: str) -> tuple[str, Any] | None:
        """Return the field of the key, or keys, and its value: that of an option, or one with the name of a key.

        `row` with `tau` is the number that tsoft writes.
        """
        if self.options.columns.key is not None:
            return _field(self.options.columns.key_option, self.options.columns.key, record, where)
        names = [name for name in record if is_key_name(name) and not (name == ROW and TAU in record)]
        names.sort(key=lambda name: name == ROW)
        kinds = (str, int, list)
        return next(((n, record[n]) for n in names if isinstance(record[n], kinds) and record[n] is not True), None)

    def _note_ignored(self, record: dict[str, Any], used: set[str | None], target: tuple[str, Any] | None) -> None:
        """Print a note that names the fields that tsoft does not read and that no note has named yet, except those of
        a record that tsoft wrote."""
        if {ROW, TAU} <= record.keys() or {"prompt", "model"} <= record.keys():
            return
        if target and self.options.reads_targets:
            used = {*used, target[0]}
        names = [name for name in record if name not in used and name not in self._ignored and record[name] is not None]
        if not names:
            return
        self._ignored |= set(names)
        shown = [f"{shortened(n)!r} (true classes)" if target and n == target[0] else repr(shortened(n)) for n in names]
        more = f" and {len(shown) - MAX_LISTED} more" * (len(shown) > MAX_LISTED)
        listed = ", ".join(shown[:MAX_LISTED]) + more if more else joined(shown)
        self.options.note(f"{self.options.source}: tsoft ignores the field{'s' * (len(shown) > 1)} {listed}")


def _refuse_one_hot(target: tuple[str, Any] | None, where: str) -> None:
    """Raise InputError for an array of targets that may also be one-hot, for one row."""
    if target and all(value in (0, 1) for value in target[1]) and sum(target[1]) == 1:
        problem = f"{target[0]}: ambiguous: this may be one-hot, or one target for each number"
        raise InputError(f"{where}: {problem}; write the index of the class, or the logits as one array per row")


def _field(option: str, name: str, record: dict[str, Any], where: str) -> tuple[str, Any]:
    if name not in record:
        raise InputError(f"{where}: {option}: {unknown('field', shortened(name), map(shortened, record))}")
    return name, record[name]


def _one_each(field: tuple[str, Any] | None, rows: int, are_several: bool, where: str) -> list[Any]:
    """Return the value of a field for each row of a record."""
    if field is None:
        return [None] * rows
    name, value = field
    if not isinstance(value, list):
        if are_several and rows > 1:
            raise InputError(f"{where}: {name}: expected one value for each of {rows} rows, got {described(value)}")
        return [value] * rows
    if len(value) != rows:
        raise InputError(f"{where}: {name}: {len(value)} values, but {rows} row{'s' * (rows != 1)}; write one per row")
    return value


def _text(value: Any) -> str:
    """Return a JSON value as the field of a table."""
    if isinstance(value, str):
        return value
    return described(value) if value is None or isinstance(value, bool | list | dict) else repr(value)


def _not_empty(row: JsonRow) -> JsonRow:
    """Return the row. Raise InputError if it has no numbers."""
    if not row.values:
        raise row.error("empty row; expected at least one number")
    return row


def _array_key(record: dict[str, Any], quantity: str | None) -> str | None:
    """Return the name of the array of numbers in a record, or of its {label: number}, preferably one of this quantity;
    None if it has neither."""
    keys = [key for key in ARRAY_QUANTITIES if isinstance(value := record.get(key), list) or _is_vector(value)]
    return next((key for key in keys if ARRAY_QUANTITIES[key] == quantity), keys[0] if keys else None)


def _is_vector(value: Any) -> bool:
    """Return whether a value is an object {label: number}, whose numbers may be wrong."""
    return isinstance(value, dict) and not any(isinstance(number, list | dict) for number in value.values())


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
    first_row, first_width = 0, 0
    reader: ResponseReader | None = None
    row_reader, targets = RowReader(options), TargetReader(options)
    all_items = ((item for value in batch for item in row_reader.items(value)) for batch in batches)
    for items in targets.complete(all_items):
        for _, group in itertools.groupby(items, _block_key):
            members = list(group)
            rows = [item for item in members if isinstance(item, JsonRow)]
            if rows:
                first_width = first_width or len(rows[0].values)
                blocks = iter([_block(rows, first_row, targets, first_width)])
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
    if not isinstance(item, JsonRow):
        return None
    return len(item.values), item.quantity, item.labels, item.target is None, item.id is None


def _block(rows: list[JsonRow], first_row: int, targets: "TargetReader", first_width: int) -> Block:
    """Return the block of rows that share their length, quantity and labels. Raise InputError."""
    first = rows[0]
    options = targets.options_for(rows)
    try:
        options = options.for_width(len(first.values), first_width)
        numbers = _numbers(rows)
        logits, labels = options.logits(numbers, JSON_QUANTITIES[first.quantity], first.labels, first.where)
    except LogitsError as error:
        column = error.column if error.column is None or len(first.values) > 1 else 0
        raise rows[error.row].error(error.problem, column) from None
    is_binary = logits.shape != numbers.shape
    origin = Origin(first.quantity, None, first.labels is not None, first.where, is_binary=is_binary)
    indices = targets.indices(rows, labels, logits.shape[1]) if first.target else None
    keys = None if first.id is None else [row.id for row in rows if row.id is not None]
    return Block(logits, labels, first_row, origin, targets=indices, keys=keys)


class TargetReader:
    """Finds the true classes of rows. With one number per row, the first two labels that targets name are those of the
    two classes, unless --labels names them."""

    def __init__(self, options: ReadOptions):
        self._options = options
        self._has_targets: bool | None = None

    def complete(self, batches: Iterable[Iterable[JsonRow | JsonValue]]) -> Iterator[Iterable[JsonRow | JsonValue]]:
        """Yield the batches, of which the first ones are joined until both classes of a binary classifier are known."""
        if not self._options.reads_targets:
            yield from batches
            return
        pending: list[JsonRow | JsonValue] = []
        for batch in batches:
            pending += batch
            if pending and not self._needs_more(pending):
                yield pending
                pending = []
        if pending:
            yield pending

    def _needs_more(self, items: list[JsonRow | JsonValue]) -> bool:
        rows = [item for item in items if isinstance(item, JsonRow) and item.target and len(item.values) == 1]
        if self._options.labels or len(rows) < len(items) or (rows[0].labels is not None and len(rows[0].labels) == 2):
            return False
        names = self._names(rows)
        return len(names) < 2 and not any(map(fields.is_number, names))

    def _names(self, rows: list[JsonRow]) -> set[str]:
        """Return the distinct targets of rows, except that of the rows to leave out."""
        ignored = self._options.targets and self._options.targets.ignored
        return {_text(row.target[1]) for row in rows if row.target} - {str(ignored)}

    def options_for(self, rows: list[JsonRow]) -> ReadOptions:
        """Return the options for a block of rows, with the labels of a binary classifier."""
        options, first = self._options, rows[0]
        if self._has_targets is None:
            self._has_targets = first.target is not None
        if self._has_targets != (first.target is not None):
            problem = (
                "no target, although the first row has one" if self._has_targets else "a target, unlike the first row"
            )
            raise InputError(f"{first.where}: {problem}; write one for each row")
        if options.targets is None or first.target is None or len(first.values) != 1 or options.labels:
            return options
        if first.labels is not None and len(first.labels) == 2:
            return options
        names = self._names(rows)
        if any(map(fields.is_number, names)) or names <= {"true", "false"}:
            return options
        if len(names) != 2:
            problem = f"the targets name {len(names)} class{'es' * (len(names) != 1)}, but a binary classifier has two"
            raise InputError(f"{first.where}: {problem}; name both with --labels NEGATIVE,POSITIVE")
        own = first.labels[0] if first.labels else None
        pair = tuple(sorted(names, key=lambda name: (name == own, name)))
        self._options = replace(options, labels=Labels(pair))
        return self._options

    def indices(self, rows: list[JsonRow], labels: tuple[str, ...] | None, classes: int) -> Array:
        """Return the indices of the rows' true classes, (rows,). Raise InputError."""
        assert self._options.targets
        lookup = TargetLookup(labels, classes, self._options.targets.ignored)
        indices = np.empty(len(rows), np.int64)
        for i, row in enumerate(rows):
            assert row.target
            name, value = row.target
            try:
                if value is None or isinstance(value, list | dict):
                    raise ValueError(f"expected a class's label or index, got {described(value)}")
                indices[i] = lookup.index(_text(value))
            except ValueError as error:
                raise InputError(f"{row.where}: {name}: {error}") from None
        return indices


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
                is_array = row.is_object and isinstance(value, list)
                fix = "; if it has the numbers of all classes, call it logits or probs" if is_array else ""
                raise row.error(problem + fix, column)
    raise AssertionError


def _problem(value: Any, quantity: str) -> str | None:
    """Return the problem with a value of a quantity that is not a number; None if it is a number."""
    if type(value) is int:
        return f"{str(value)[:8]}… is too large; the largest number is 1.8e308" if abs(value) >> 1024 else None
    if type(value) is float or (isinstance(value, str) and value in INFINITIES):
        return None
    fix = f"; {JSON_QUANTITIES[quantity].mask_fix}" if value is None else ""
    return f"expected a number, got {described(value)}{fix}"
