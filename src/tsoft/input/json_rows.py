"""Rows in JSON values: arrays of numbers, objects {label: number}, and records with such an array."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from tsoft.errors import InputError, listed, shortened, unknown
from tsoft.input import json_tables
from tsoft.input.class_lookup import are_binary
from tsoft.input.columns import FURTHER_TARGET_NAMES, LABEL, TARGET_NAMES
from tsoft.input.json_values import Location, RepeatedNames, described
from tsoft.input.quantity import ARRAY_QUANTITIES, QUANTITIES, SLACK, contradiction, stated_quantity
from tsoft.input.read_options import ReadOptions
from tsoft.input.response_kinds import is_response, text_problem, with_parsed_texts
from tsoft.input.table_columns import (
    MAX_COMPARED,
    MAX_LISTED,
    ROW,
    TAU,
    ColumnError,
    TableColumns,
    decide,
    is_class_number,
    is_key_name,
    is_target_name,
    is_true_class_number,
)
from tsoft.input.token_lists import is_token_list

# The most probable tokens usually have at least this probability together.
_LEAST_LISTED = 0.5
# The log-probabilities of texts sum to less than this, those of classes hardly do.
_LEAST_SUM = 1e-5
_MEASURES = {"mean", "avg", "average", "median", "sum", "total", "min", "max", "std", "count"}


@dataclass(frozen=True)
class JsonValue:
    """A JSON value, and its location for messages."""

    where: str
    value: Any


@dataclass(frozen=True)
class Description:
    """An element that is no response, in an array with responses."""

    where: str
    value: Any


@dataclass(frozen=True)
class JsonRow:
    """A row as JSON values.

    `key` is the name of the numbers in a record; `is_object` is true for {label: number}. `target` is the field of
    the true class and its value, None if the command does not use it. `id` is the row's key. `doubtful` are the labels
    of the classes that may not be logits.
    """

    where: str
    values: list[Any]
    quantity: str
    labels: tuple[str, ...] | None = None
    key: str | None = None
    is_object: bool = False
    target: tuple[str, Any] | None = None
    id: str | int | None = None
    doubtful: frozenset[str] = frozenset()

    def error(self, problem: str, column: int | None = None) -> InputError:
        """Return an error in this row, and in the number at `column` from 0."""
        place = "" if self.key is None else f": {self.key}"
        if column is not None:
            place += f": {self.labels[column]!r}" if self.is_object and self.labels else f": field {column + 1}"
        return InputError(f"{self.where}{place}: {problem}")


# What a JSON value consists of: rows, or responses and what describes them.
JsonItem = JsonRow | JsonValue | Description


class RowReader:
    """Reads the rows of JSON values. It remembers what the fields of objects are, and which fields a note has named."""

    def __init__(self, options: ReadOptions):
        self.options = options
        self._quantity = options.quantity or "logit"
        self._columns: dict[tuple[str, ...], TableColumns] = {}
        self._next_key: int | None = None
        self._ignored: set[str] = set()
        self._noted: set[str] = set()

    def items(self, value: JsonValue) -> Iterator[JsonItem]:
        """Yield the rows of a value, or the responses in it and what describes them."""
        if isinstance(value.value, str):
            # A response that was written as JSON twice.
            value = replace(value, value=with_parsed_texts(value.value))
        where, content = value.where, value.value
        if _has_arrays_of_responses(content):
            for i, element in enumerate(content):
                yield from self.items(JsonValue(f"{where}: record {i}", element))
            return
        if isinstance(content, list) and is_response(content):
            yield value
            return
        forms = self._long_forms(content)
        if forms:
            yield from (self._long_form(form, where) for form in forms)
            return
        if not isinstance(content, list):
            yield from self._object(value)
            return
        if dict in set(map(type, content)) and any(map(_is_response_object, content)):
            for i, element in enumerate(content):
                yield from self._element(JsonValue(f"{where}: record {i}", element))
            return
        if content and isinstance(content[0], dict | RepeatedNames):
            for i, element in enumerate(content):
                yield from self._row_object(JsonValue(f"{where}: record {i}", element))
            return
        if content and isinstance(content[0], str) and (problem := text_problem(content)) is not None:
            raise InputError(f"{where}: {problem}")
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

    def _long_forms(self, content: object) -> list[json_tables.LabeledNumbers]:
        """Return the distributions of a value in the long form, or of an array of them; empty for any other value. In
        rows with a true class each, the classes repeat."""
        if self.options.names_columns:
            return []
        if (form := json_tables.long_form(content)) is not None:
            return [form]
        # The first element decides quickly, since arrays of rows are long.
        if not isinstance(content, list) or not content or json_tables.long_form(content[0]) is None:
            return []
        forms = [json_tables.long_form(value) for value in content]
        known = [form for form in forms if form is not None]
        return known if len(known) == len(forms) else []

    def _long_form(self, form: json_tables.LabeledNumbers, where: str) -> JsonRow:
        """Return the row of a distribution in the long form."""
        quantity, guess = self.options.quantity, ""
        if form.name in QUANTITIES:
            if quantity is not None and quantity != form.name:
                raise InputError(f"{where}: {contradiction(repr(form.name), form.name, quantity)}")
            quantity = form.name
        elif quantity is None:
            outside = next((n for n in form.numbers if isinstance(n, int | float) and not 0 <= n <= 1 + SLACK), None)
            if outside is not None:
                problem = f"{form.name!r} may be a logit or a percentage, since {outside!r} is not a probability"
                fix = f"rename {form.name!r} to logit, or divide percentages by 100"
                raise InputError(f"{where}: {problem}; {fix}")
            quantity, guess = "prob", f", and {form.name!r} as a probability"
        self._note_once(where, f"tsoft reads each label and its number as one class of a distribution{guess}")
        self._note_ignored(form.others, set(), None)
        return JsonRow(where, form.numbers, quantity, tuple(form.labels), is_object=True)

    def _element(self, value: JsonValue) -> Iterator[JsonItem]:
        """Yield an element of an array with responses: a response or a description of one."""
        yield from self._object(value) if _is_response_object(value.value) else [Description(value.where, value.value)]

    def _object(self, value: JsonValue) -> Iterator[JsonRow | JsonValue]:
        """Yield the rows of an object, or the object itself if it is a response."""
        if not _is_response_object(value.value):
            yield from self._row_object(value)
            return
        if self.options.names_columns:
            options = self.options.column_options
            raise InputError(f"{value.where}: an API response has no columns, so {options} do not apply")
        yield value

    def _row_object(self, value: JsonValue) -> Iterator[JsonRow | JsonValue]:
        """Yield the rows of an object that is no response: a record, {label: number}, or a table."""
        content = value.value
        if isinstance(content, RepeatedNames):
            yield self._numbers_by_label(content.pairs, value.where)
            return
        if not isinstance(content, dict):
            problem = f"expected an array of numbers or an object {{label: number}}, got {described(content)}"
            raise InputError(f"{value.where}: {problem}")
        if (records := json_tables.records(content, Location(value.where))) is not None:
            for i, record in enumerate(records):
                yield from self._object(JsonValue(f"{value.where}: row {i}", record))
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
        if {ROW, TAU, LABEL} <= {*names} and self.options.columns.logits is None:
            raise InputError(
                f"{where}: one class per object, with 'tau'; save it as CSV, which tsoft reads in this form"
            )
        columns = self._columns_of(names, content, where)
        if not columns.logits:
            raise InputError(f"{where}: no field is a logit; list the fields of the logits with --columns")
        if problem := self._one_class_problem(columns, content):
            raise InputError(f"{where}: {problem}")
        labels = tuple(names[i] for i in columns.logits)
        return JsonRow(
            where,
            [content[i] for i in columns.logits],
            self._quantity_of(labels, where),
            labels,
            is_object=True,
            target=_target_of(columns, content, where),
            id=None if columns.key is None else self._key(content[columns.key], columns, where),
            doubtful=columns.doubtful,
        )

    def _quantity_of(self, labels: tuple[str, ...], where: str) -> str:
        """Return the quantity of the numbers of an object. The name of a single number may say what it is."""
        quantity = stated_quantity(labels[0]) if len(labels) == 1 else None
        if quantity and self.options.quantity not in (None, quantity):
            raise InputError(f"{where}: {contradiction(repr(labels[0]), quantity, self._quantity)}")
        return quantity or self._quantity

    def _columns_of(self, names: tuple[str, ...], content: list[Any], where: str) -> TableColumns:
        """Return what the fields of an object are, and print the notes on the guesses of the first one with these
        names."""
        if names in self._columns:
            return self._columns[names]
        notes: list[str] = []
        try:
            columns = decide(names, [*map(as_text, content)], replace(self.options, note=notes.append), [])
        except ColumnError as error:
            raise InputError(f"{where}: {error}") from None
        # Strings of digits are texts, which do not count.
        if columns.key is not None and isinstance(content[columns.key], str):
            columns = replace(columns, counts=False)
        # Any other object is about to fail, so its guesses would mislead.
        if any(map(json_tables.is_number, content)) and not self._one_class_problem(columns, content):
            self._columns[names] = columns
            for note in notes:
                self.options.note(note)
        return columns

    def _one_class_problem(self, columns: TableColumns, content: list[Any]) -> str:
        """Return the problem with an object of one number and a label, and the fix; empty for any other object."""
        label = next((content[i] for i in columns.unused_targets if isinstance(content[i], str)), None)
        if len(columns.logits) != 1 or label is None or self.options.columns.logits is not None:
            return ""
        name, value = columns.names[columns.logits[0]], content[columns.logits[0]]
        if isinstance(value, str) and not json_tables.is_number(value):
            return f"{name!r}: expected a number, got {described(value)}"
        problem = f"one number and the label {shortened(label)!r}; the object may be a row or one class"
        fix = f"pass --columns {shortened(name)!r} if it is a row"
        if name == json_tables.SCORE:
            return f"{problem}; {fix}; if a Hugging Face pipeline wrote it, pass top_k=None there to get all classes"
        return f'{problem}; {fix}, or write all classes in one object, such as {{"cat": 2, "dog": 1}}'

    def _key(self, value: Any, columns: TableColumns, where: str) -> str | int:
        """Return the key of an object. Raise InputError if the keys stop counting."""
        assert columns.key is not None
        if columns.counts:
            is_whole = type(value) is int or (type(value) is float and value % 1 == 0)
            expected = value if self._next_key is None else self._next_key
            if not is_whole or value != expected:
                problem = f"expected {expected}, as this field counts the rows, got {described(value)}"
                fix = "pass --id-column if it names the rows, or list the fields of the logits with --columns"
                raise InputError(f"{where}: {columns.names[columns.key]!r}: {problem}; {fix}")
            self._next_key = int(value) + 1
            return int(value)
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise InputError(
                f"{where}: {columns.names[columns.key]!r}: expected a string or an integer, got {described(value)}"
            )
        return value

    def _record(self, record: dict[str, Any], key: str, where: str) -> Iterator[JsonRow]:
        """Yield the row under `key`, or the rows of an array of arrays, with the record's labels."""
        if isinstance(record[key], dict):
            if record.get("labels") is not None:
                raise InputError(f"{where}: {key!r} already names the classes; remove 'labels'")
            if key == "logits" and _may_be_most_probable([*record[key].values()]):
                problem = "the logits are from 0 to 1, in falling order, and sum to less than 1"
                fix = "if they are probabilities, write probs in place of logits"
                self._note_once(where, f"{problem}; {fix}")
            if stated_quantity(key) == "logprob" and self.options.quantity is None and _may_be_measures(record[key]):
                problem = f"{key!r} may be measures of texts, such as a sum, not the log-probabilities of classes"
                raise InputError(f"{where}: {problem}; if they are those of classes, pass --logprobs")
            record = record | {key: [*record[key].values()], "labels": [*record[key]]}
        options, quantity, values = self.options, stated_quantity(key) or "logit", record[key]
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
        has_rows = bool(values) and isinstance(values[0], list)
        is_column = not has_rows and target is not None and self._is_column(target, len(values), names, where)
        rows = values if has_rows else [[value] for value in values] if is_column else [values]
        read_target = target if options.reads_targets else None
        targets = _one_each(read_target, len(rows), has_rows or is_column, where)
        keys = _one_each(ids, len(rows), has_rows or is_column, where)
        for i, (row, row_target, row_key) in enumerate(zip(rows, targets, keys, strict=True)):
            place = f"{where}: row {i}" if has_rows or is_column else where
            if not isinstance(row, list):
                raise InputError(f"{place}: {key}: expected an array, got {described(row)}")
            if (
                names is not None
                and len(names) != len(row)
                and not ((target or options.targets) and (len(names), len(row)) == (2, 1))
            ):
                counts = f"{len(row)} {key}, but {len(names)} label{'s' * (len(names) != 1)}"
                raise InputError(f"{place}: {counts}; write one label per class")
            if row_key is not None and (not isinstance(row_key, str | int) or isinstance(row_key, bool)):
                assert ids
                raise InputError(f"{place}: {ids[0]}: expected a string or an integer, got {described(row_key)}")
            named_target = None if target is None else (target[0], row_target)
            yield _not_empty(JsonRow(place, row, quantity, names, key, target=named_target, id=row_key))

    def _is_column(self, target: tuple[str, Any], size: int, names: tuple[str, ...] | None, where: str) -> bool:
        """Return whether the numbers of a record, `size` of them, are one for each of several rows: there are as many
        targets. Raise InputError if the targets, which the command uses, may also be one-hot, for one row."""
        name, values = target
        is_row = size != 2 and names is not None and len(names) == size
        if not isinstance(values, list) or not len(values) == size > 1 or is_row:
            return False
        is_one_hot = all(value in (0, 1) for value in values) and sum(values) == 1
        if not self.options.reads_targets:
            return not is_one_hot and are_binary({as_text(value) for value in values}, size)
        if is_one_hot:
            problem = f"{name}: ambiguous: this may be one-hot, or one target for each number"
            raise InputError(f"{where}: {problem}; write the index of the class, or the logits as one array per row")
        return True

    def _target_field(self, record: dict[str, Any], where: str) -> tuple[str, Any] | None:
        """Return the field of the true classes and its value: that of --target-column, or `targets`, `labels` if it
        contains integers, `target` or `label`, or, if targets are requested, `y` or `class`, or the number of a class,
        such as `label_id`."""
        options, chosen = self.options, self.options.targets.column if self.options.targets else None
        if chosen is not None:
            return _field("--target-column", chosen, record, where)
        labels = record.get("labels")
        values = labels if isinstance(labels, list) else [labels]
        has_integers = bool(values) and all(type(value) in (int, bool) for value in values)
        names = ["targets", *["labels"] * has_integers, *TARGET_NAMES]
        names += [*FURTHER_TARGET_NAMES] if options.targets else []
        name = next((name for name in names if record.get(name) is not None), None)
        if name is None:
            name = next((name for name in filter(is_true_class_number, record) if record[name] is not None), None)
            if name is not None and options.reads_targets:
                self._note_once(where, f"tsoft reads the field {name!r} as the true classes")
        return None if name is None else (name, record[name])

    def _id_field(self, record: dict[str, Any], where: str) -> tuple[str, Any] | None:
        """Return the field of the key, or keys, and its value: that of an option, or one with the name of a key.

        `row` with `tau` is the number that tsoft writes.
        """
        if self.options.columns.key is not None:
            return _field(self.options.columns.key_option, self.options.columns.key, record, where)
        names = [name for name in record if is_key_name(name) and not (name == ROW and TAU in record)]
        names = [name for name in names if not is_class_number(name)]
        names.sort(key=lambda name: name == ROW)
        kinds = (str, int, list)
        return next(((n, record[n]) for n in names if isinstance(record[n], kinds) and record[n] is not True), None)

    def _note_once(self, where: str, text: str) -> None:
        """Print a note with its location, unless the same text was printed for an earlier value."""
        if text not in self._noted:
            self._noted.add(text)
            self.options.note(f"{where}: {text}")

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
        fields = f"field{'s' * (len(shown) > 1)} {listed(shown, MAX_LISTED)}"
        self.options.note(f"{self.options.source}: tsoft ignores the {fields}")


def _is_response_object(value: object) -> bool:
    return isinstance(value, dict) and is_response(value)


def _has_arrays_of_responses(value: object) -> TypeGuard[list[Any]]:
    """Return whether a value is an array of arrays with responses and other values. Arrays of responses alone, which
    may be streams, and lists of tokens are read as a whole."""
    first = value[0] if isinstance(value, list) and value else None
    if not isinstance(first, list) or dict not in set(map(type, first)) or is_token_list(first):
        return False
    return {*map(_is_response_object, first)} == {True, False}


def _target_of(columns: TableColumns, content: list[Any], where: str) -> tuple[str, Any] | None:
    """Return the field of the true class of an object, and its value, None if the command does not use it. Raise
    InputError for a further field of classes with a fraction."""
    for i in columns.unused_targets:
        name, value = columns.names[i], content[i]
        if isinstance(value, float) and value % 1 != 0:
            problem = f"{name!r}: {value!r} is not a class, but tsoft ignores this field as one of true classes"
            raise InputError(f"{where}: {problem}; list the fields of the logits with --columns")
    if columns.target is not None:
        return columns.names[columns.target], content[columns.target]
    return (columns.names[columns.unused_targets[0]], None) if columns.unused_targets else None


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


def as_text(value: Any) -> str:
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
    None if it has neither. A singular name counts only without another array, since each may be a column of a table."""
    arrays = [key for key, value in record.items() if isinstance(value, list) or _is_vector(value)]
    keys = [key for key in ARRAY_QUANTITIES if key in arrays]
    if not keys:
        keys = [key for key in arrays if stated_quantity(key)]
        others = [key for key in arrays if isinstance(record[key], list) and not _is_beside_rows(key)]
        keys = keys if {*others} <= {*keys[:1]} else []
    return next((key for key in keys if stated_quantity(key) == quantity), keys[0] if keys else None)


def _is_beside_rows(name: str) -> bool:
    """Return whether a name is that of labels, true classes or row ids."""
    names = ("labels", "targets", *TARGET_NAMES, *FURTHER_TARGET_NAMES)
    return name in names or is_key_name(name) or is_true_class_number(name)


def _is_vector(value: Any) -> bool:
    """Return whether a value is an object {label: number}, whose numbers may be wrong."""
    return isinstance(value, dict) and not any(isinstance(number, list | dict) for number in value.values())


def _may_be_most_probable(numbers: list[Any]) -> bool:
    """Return whether numbers look like the probabilities of the most probable tokens, which text-generation-webui calls
    logits (modules/logits.py)."""
    if len(numbers) < 2 or not all(isinstance(number, float) and 0 < number < 1 for number in numbers):
        return False
    return numbers == sorted(numbers, reverse=True) and _LEAST_LISTED <= sum(numbers) < 1


def _may_be_measures(numbers: dict[str, Any]) -> bool:
    """Return whether log-probabilities by name look like those of whole texts, or like the mean of those of tokens."""
    logprobs = [number for number in numbers.values() if isinstance(number, int | float) and number <= 0]
    are_small = len(logprobs) == len(numbers) and sum(map(math.exp, logprobs)) < _LEAST_SUM
    return bool(numbers) and (are_small or {name.lower() for name in numbers} <= _MEASURES)


def _check_labels(labels: Any, where: str) -> None:
    """Raise InputError if the labels of a record are not an array of strings."""
    if not isinstance(labels, list):
        raise InputError(f"{where}: labels: expected an array of strings, got {described(labels)}")
    if not set(map(type, labels)) <= {str}:
        i = next(i for i, label in enumerate(labels) if not isinstance(label, str))
        raise InputError(f"{where}: labels: field {i + 1}: expected a string, got {described(labels[i])}")
