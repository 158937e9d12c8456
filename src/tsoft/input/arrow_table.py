"""Reading logits from a table of Arrow's columns: a column of numbers per class, or one column of lists of numbers.

The columns of keys and targets are those of a table in text (see `table_columns`). A column of a structure has the
columns of its fields, with names such as `scores.cat`.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError, validate_logits
from tsoft.errors import InputError, joined, shortened, unknown
from tsoft.input import fields
from tsoft.input.class_lookup import ClassLookup
from tsoft.input.columns import FURTHER_TARGET_NAMES, TARGET_NAMES
from tsoft.input.delimited import LONG_FORM_COLUMNS
from tsoft.input.labels import Labels
from tsoft.input.named_arrays import TARGETS, quantity_of
from tsoft.input.quantity import ARRAY_QUANTITIES, QUANTITIES, contradiction
from tsoft.input.read_options import ColumnOptions, ReadOptions, TargetSource
from tsoft.input.table_columns import ROW, TAU, ColumnError, TableColumns, decide
from tsoft.input.table_reader import written_columns
from tsoft.input.targets import Targets

# The entry in the metadata of a schema for what tsoft writes: the name of the array of the numbers, and the labels.
TSOFT = b"tsoft"
_NULL = "null is not a number; fill it, or write -inf to mask a class (pandas writes NaN as null)"


@dataclass(frozen=True)
class ArrowSource:
    """A table of a schema, whose rows arrive in `batches`. `rows` is their number, None if it is not known."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    rows: int | None


@dataclass(frozen=True)
class Leaf:
    """A column: its name, its type, and its place, which is the index of a column and those of its fields."""

    name: str
    type: pa.DataType
    place: tuple[int, ...]

    def values(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the values of the column in a batch, without dictionaries."""
        array = batch.column(self.place[0])
        for index in self.place[1:]:
            # Unlike `field`, `flatten` masks a field of a null structure.
            array = array.flatten()[index]
        return _plain(array)


def _plain(array: pa.Array) -> pa.Array:
    """Return an array of an extension type as its storage, and one with a dictionary as its values."""
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _plain_type(type: pa.DataType) -> pa.DataType:
    if isinstance(type, pa.BaseExtensionType):
        type = type.storage_type
    return type.value_type if pa.types.is_dictionary(type) else type


def _leaves(schema: pa.Schema) -> list[Leaf]:
    """Return the columns of a schema, with the fields of structures as columns."""

    def within(name: str, type: pa.DataType, place: tuple[int, ...]) -> Iterator[Leaf]:
        type = _plain_type(type)
        if pa.types.is_struct(type):
            for i in range(type.num_fields):
                field = type.field(i)
                yield from within(f"{name}.{field.name}", field.type, (*place, i))
        else:
            yield Leaf(name, type, place)

    return [leaf for i, field in enumerate(schema) for leaf in within(field.name, field.type, (i,))]


def _is_number(type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_decimal(type))


def _is_list(type: pa.DataType) -> bool:
    """Return whether a type is that of lists of numbers."""
    is_list = any(test(type) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))
    return is_list and _is_number(_plain_type(type.value_type))


def read(source: ArrowSource, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a table. Raise InputError."""
    first = next((batch for batch in source.batches if batch.num_rows), None)
    if first is None:
        raise InputError(f"{options.source}: no logits: the table has no rows")
    table = _Table(source, itertools.chain([first], source.batches), first, options)
    leaves, options = _without_index(_leaves(source.schema), source.schema, options)
    try:
        lists = _list_column(leaves, first, options)
        yield from table.lists(lists, leaves, options) if lists else table.columns(leaves, options)
    except ColumnError as error:
        raise InputError(f"{options.source}: {error}") from None


def read_targets(source: ArrowSource, options: ReadOptions) -> Targets:
    """Return the true classes in the only column, or in one with the name of targets, which --targets-key names."""
    leaves = [leaf for leaf in _leaves(source.schema) if not _is_list(leaf.type)]
    requested = options.targets.key if options.targets else None
    names = [leaf.name for leaf in leaves]
    if requested is not None and requested not in names:
        raise InputError(f"{options.source}: {unknown('column', requested, names)}")
    candidates = (TARGETS, *TARGET_NAMES, *FURTHER_TARGET_NAMES) if requested is None else (requested,)
    chosen = next((leaf for name in candidates for leaf in leaves if leaf.name.lower() == name.lower()), None)
    if chosen is None and len(leaves) == 1:
        chosen = leaves[0]
    if chosen is None:
        fix = f"pass --targets-key NAME to choose a column: {', '.join(names)}"
        raise InputError(f"{options.source}: no column is called {TARGETS!r}; {fix}")
    values: list[str] = []
    for batch in source.batches:
        codes, texts = _distinct(chosen.values(batch))
        values += [texts[code] for code in codes.tolist()]
    if not values:
        raise InputError(f"{options.source}: no targets: the table has no rows")
    return Targets(values, options.source, ignored=options.targets.ignored if options.targets else None)


def _without_index(leaves: list[Leaf], schema: pa.Schema, options: ReadOptions) -> tuple[list[Leaf], ReadOptions]:
    """Return the columns, and the options with the index of a pandas table as the key. Ignore further levels of the
    index, with a note."""
    try:
        index = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        return leaves, options
    names = [name for name in index if isinstance(name, str) and any(leaf.name == name for leaf in leaves)]
    if not names or options.columns.key is not None:
        return leaves, options
    if names[1:]:
        options.note(f"{options.source}: tsoft ignores {joined([repr(name) for name in names[1:]])} (the index)")
    leaves = [leaf for leaf in leaves if leaf.name not in names[1:]]
    return leaves, replace(options, columns=replace(options.columns, key=names[0]))


def _list_column(leaves: list[Leaf], first: pa.RecordBatch, options: ReadOptions) -> Leaf | None:
    """Return the column of lists to read; None if the columns of numbers are to be read.

    Raise ColumnError if --key names neither, or if it is not clear which column contains the logits.
    """
    lists, key = [leaf for leaf in leaves if _is_list(leaf.type)], options.key
    if key is not None:
        chosen = [leaf for leaf in lists if leaf.name == key]
        if not chosen and not any(leaf.name.startswith(f"{key}.") for leaf in leaves):
            if any(leaf.name == key for leaf in leaves):
                raise ColumnError(f"--key: {key!r} is not a column of lists of numbers; pass --columns")
            roots = {leaf.name.rsplit(".", i)[0] for leaf in leaves for i in range(leaf.name.count(".") + 1)}
            raise ColumnError(f"--key: {unknown('column', key, sorted(roots))}")
        return chosen[0] if chosen else None
    if options.columns.logits is not None or not lists:
        return None
    named = [leaf for name in ARRAY_QUANTITIES for leaf in lists if leaf.name.rsplit(".", 1)[-1].lower() == name]
    if named:
        return named[0]
    scalars = [leaf for leaf in leaves if _is_number(leaf.type)]
    names = joined([repr(shortened(leaf.name)) for leaf in lists[:5]])
    if len(lists) > 1:
        raise ColumnError(f"several columns contain lists of numbers: {names}; pass --key NAME to choose one")
    if any(pa.types.is_floating(leaf.type) for leaf in scalars):
        problem = f"ambiguous: {names} contains lists of numbers, and other columns contain numbers"
        raise ColumnError(f"{problem}; pass --key {lists[0].name}, or list the columns of the logits with --columns")
    return lists[0]


@dataclass(frozen=True, eq=False)
class _Table:
    """A table, whose batches start with the `first` one, which has rows."""

    source: ArrowSource
    batches: Iterator[pa.RecordBatch]
    first: pa.RecordBatch
    options: ReadOptions

    def lists(self, column: Leaf, leaves: list[Leaf], options: ReadOptions) -> Iterator[Block]:
        """Yield the blocks of a column of lists."""
        if options.columns.logits is not None:
            raise ColumnError("--columns selects columns of numbers, and --key a column of lists; remove one of them")
        name, labels = self._written()
        if column.name != name:
            name, labels = column.name.rsplit(".", 1)[-1].lower(), None
        options = replace(options, quantity=quantity_of(name, options))
        scalars = [leaf for leaf in leaves if leaf != column]
        # No column of a single number is a logit.
        columns = self._decide(scalars, replace(options, columns=replace(options.columns, logits=())))
        width = len(column.values(self.first)[0].as_py() or ())
        if labels is not None and len(labels) != width:
            labels = None
        yield from self._blocks(
            _Rows(columns, scalars, column, labels, self._first_key(columns, scalars), options), width
        )

    def columns(self, leaves: list[Leaf], options: ReadOptions) -> Iterator[Block]:
        """Yield the blocks of a table with a column of numbers per class."""
        if options.key is not None:
            options = _with_prefix(leaves, options)
        names = {leaf.name for leaf in leaves}
        if not options.names_columns and "label" in names and len(names) > 1 and names <= LONG_FORM_COLUMNS:
            problem = "the table has one class per row; save it as CSV, which tsoft reads in this form"
            raise ColumnError(f"{problem}, or with one column per class")
        columns = self._decide(leaves, options)
        if not columns.logits:
            raise ColumnError("no column is a logit; list the columns of the logits with --columns")
        for i in columns.logits:
            if i == 0 and not leaves[i].name:
                raise ColumnError(
                    "the first column has no name; name it, or list the columns of the logits with --columns"
                )
            if not _is_number(leaves[i].type):
                value = shortened(_text(leaves[i].values(self.first)[0].as_py()) or "null")
                problem = f"the column {shortened(leaves[i].name)!r} contains {leaves[i].type}, such as {value!r}"
                raise ColumnError(f"{problem}; if it is not a logit, pass --id-column or --columns")
        name, _ = self._written()
        if name is None and len(columns.logits) == 1:
            quantity = leaves[columns.logits[0]].name.lower()
            if quantity in QUANTITIES:
                if options.quantity not in (None, quantity):
                    raise ColumnError(contradiction(f"the column {quantity!r}", quantity, options.quantity or ""))
                options = replace(options, quantity=quantity)
        elif name is not None:
            options = replace(options, quantity=quantity_of(name, options))
        if len(columns.logits) == 1 and columns.unused_targets and options.targets is None:
            # Next to true classes, one number per row is a binary classifier, also where they are not used.
            options = replace(options, targets=TargetSource(separate=True))
        labels = columns.labels
        if labels and options.key is not None:
            labels = tuple(label.removeprefix(f"{options.key}.") for label in labels)
        rows = _Rows(columns, leaves, None, labels, self._first_key(columns, leaves), options)
        if len(columns.logits) == 1 and options.targets is None and not {ROW, TAU} <= set(columns.names):
            yield from self._one_distribution(rows)
        else:
            yield from self._blocks(rows, len(columns.logits))

    def _written(self) -> tuple[str | None, tuple[str, ...] | None]:
        """Return the name of the array that tsoft wrote, and the labels of its classes; None for other tables."""
        try:
            entry = json.loads((self.source.schema.metadata or {}).get(TSOFT, b"null"))
            labels = entry["labels"]
            return entry["array"], None if labels is None else tuple(map(str, labels))
        except (ValueError, TypeError, KeyError):
            return None, None

    def _decide(self, leaves: Sequence[Leaf], options: ReadOptions) -> TableColumns:
        names = [leaf.name for leaf in leaves]
        texts = [_text(leaf.values(self.first)[0].as_py()) for leaf in leaves]
        return decide(names, texts, options, sorted(written_columns(names, texts, options)))

    def _first_key(self, columns: TableColumns, leaves: Sequence[Leaf]) -> int:
        if columns.key is None or not columns.counts:
            return 0
        return int(leaves[columns.key].values(self.first)[0].as_py())

    def _blocks(self, rows: "_Rows", width: int) -> Iterator[Block]:
        """Yield the rows, the first of which has this number of classes."""
        options, batches = rows.options, self.batches
        if rows.columns.target is not None and width == 1:
            batches, options = rows.with_two_labels(batches)
            rows = replace(rows, options=options)
        first_row = 0
        for batch in batches:
            for values, first, stop in rows.numbers(batch, first_row):
                part = batch.slice(first, stop - first)
                yield rows.block(values, part, first_row + first, width, self.source.rows)
            first_row += batch.num_rows
        if self.source.rows not in (None, first_row):
            raise InputError(f"{options.source}: cut off: {first_row} of {self.source.rows} rows")

    def _one_distribution(self, rows: "_Rows") -> Iterator[Block]:
        """Yield a single column of logits as one distribution, as that of a text."""
        options, columns = rows.options, rows.columns
        options.note(
            f"{options.source}: the table has one column of logits, {columns.names[columns.logits[0]]!r}, which is read"
            " as one distribution with one class per row"
        )
        values: list[Array] = []
        keys: list[str | int] = []
        first_row = 0
        for batch in self.batches:
            values += [part for part, _, _ in rows.numbers(batch, first_row)]
            keys += rows.keys(batch, first_row) or []
            first_row += batch.num_rows
        labels = None if columns.counts or not keys else tuple(map(str, keys))
        column = np.concatenate(values)
        try:
            logits, labels = options.logits(
                validate_logits(column.T), QUANTITIES[options.quantity or "logit"], labels, options.source
            )
        except LogitsError as error:
            where = "" if error.column is None else f": row {error.column}"
            raise InputError(f"{options.source}{where}: {error.problem}") from None
        yield Block(logits, labels, 0, Origin(options.quantity or "logit", ()))


def _with_prefix(leaves: list[Leaf], options: ReadOptions) -> ReadOptions:
    """Return the options with the fields of the structure that --key names as the columns of the logits."""
    if options.columns.logits is not None:
        raise ColumnError("--key and --columns both select the logits; remove one of them")
    names = tuple(leaf.name for leaf in leaves if leaf.name.startswith(f"{options.key}.") and _is_number(leaf.type))
    if not names:
        raise ColumnError(f"--key: {options.key!r} has no fields of numbers")
    return replace(options, columns=ColumnOptions(names, options.columns.key))


@dataclass(frozen=True, eq=False)
class _Rows:
    """The parts of a row: which of the `leaves` are the logits, the key and the target, or the column of `lists` that
    contains the logits; the labels of the classes; and the key of the first row if the keys count."""

    columns: TableColumns
    leaves: Sequence[Leaf]
    lists: Leaf | None
    labels: tuple[str, ...] | None
    first_key: int
    options: ReadOptions

    def numbers(self, batch: pa.RecordBatch, first_row: int) -> Iterator[tuple[Array, int, int]]:
        """Yield the numbers of consecutive rows of one width, (rows, n), and the first and the last row, exclusive."""
        for i in self.columns.unused_targets:
            self._check_classes(self.leaves[i], batch, first_row)
        if self.lists is None:
            leaves = [self.leaves[i] for i in self.columns.logits]
            columns = [_numbers(leaf.values(batch), self._where(leaf, first_row)) for leaf in leaves]
            yield np.column_stack(columns), 0, batch.num_rows
            return
        column, where = self.lists.values(batch), self._where(self.lists, first_row)
        if column.null_count:
            row = first_row + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise InputError(f"{self.options.source}: row {row}: {self.lists.name}: null; expected a list of numbers")
        widths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        flat = _plain(column.flatten())
        if flat.null_count:
            position = int(np.argmax(flat.is_null().to_numpy(zero_copy_only=False)))
            row = int(np.searchsorted(np.cumsum(widths), position, "right"))
            raise InputError(f"{self.options.source}: row {first_row + row}: {self.lists.name}: {_NULL}")
        if not widths.all():
            row = first_row + int(np.argmin(widths))
            raise InputError(f"{self.options.source}: row {row}: {self.lists.name}: the list is empty")
        values, start = _numbers(flat, where), 0
        bounds = [0, *(np.flatnonzero(np.diff(widths)) + 1).tolist(), len(widths)]
        for first, stop in itertools.pairwise(bounds):
            size = int(widths[first]) * (stop - first)
            yield values[start : start + size].reshape(stop - first, -1), first, stop
            start += size

    def _where(self, leaf: Leaf, first_row: int) -> "_Where":
        return _Where(self.options.source, leaf.name, first_row)

    def block(self, values: Array, batch: pa.RecordBatch, first_row: int, width: int, rows: int | None) -> Block:
        """Return rows as a block. `width` is the number of classes of the first row, and `rows` that of all rows."""
        options = self.options
        quantity, labels = options.quantity or "logit", self.labels
        if labels is not None and len(labels) != values.shape[1]:
            labels = None
        try:
            options = options.for_width(values.shape[1], width)
            logits, labels = options.logits(validate_logits(values), QUANTITIES[quantity], labels, options.source)
        except LogitsError as error:
            place = ""
            if error.column is not None:
                column = error.column if values.shape[1] > 1 else 0
                name = self.columns.names[self.columns.logits[column]] if self.lists is None else self.lists.name
                place = f": {shortened(name)!r}" + (f": class #{column}" if self.lists else "")
            raise InputError(f"{options.source}: row {first_row + error.row}{place}: {error.problem}") from None
        origin = Origin(quantity, None if rows is None else (rows,), is_binary=logits.shape != values.shape)
        targets = self._targets(batch, first_row, ClassLookup(labels, logits.shape[1], self._ignored))
        return Block(logits, labels, first_row, origin, targets=targets, keys=self.keys(batch, first_row))

    @property
    def _ignored(self) -> int | None:
        return self.options.targets.ignored if self.options.targets else None

    def _targets(self, batch: pa.RecordBatch, first_row: int, lookup: ClassLookup) -> Array | None:
        """Return the indices of the true classes of the rows, (rows,)."""
        if self.columns.target is None:
            return None
        leaf = self.leaves[self.columns.target]
        codes, texts = _distinct(leaf.values(batch))
        indices = np.empty(len(texts), np.int64)
        for code, text in enumerate(texts):
            try:
                indices[code] = lookup.index(text)
            except ValueError as error:
                row = first_row + int(np.argmax(codes == code))
                raise InputError(f"{self.options.source}: row {row}: {leaf.name!r}: {error}") from None
        return indices[codes]

    def with_two_labels(self, batches: Iterable[pa.RecordBatch]) -> tuple[Iterator[pa.RecordBatch], ReadOptions]:
        """Return the options with the labels of the two classes of a binary classifier, if the targets name them and
        --labels does not. For that, batches are read until both names are known."""
        assert self.columns.target is not None
        leaf, batches = self.leaves[self.columns.target], iter(batches)
        if self.options.labels or _is_number(leaf.type) or pa.types.is_boolean(leaf.type):
            return batches, self.options
        seen: list[pa.RecordBatch] = []
        names: dict[str, None] = {}
        for batch in batches:
            seen.append(batch)
            texts = _distinct(leaf.values(batch))[1]
            names |= dict.fromkeys(text for text in texts if text and text != str(self._ignored))
            if len(names) > 1 or any(map(fields.is_number, names)):
                break
        batches = itertools.chain(seen, batches)
        if any(map(fields.is_number, names)) or {name.lower() for name in names} <= {"true", "false"}:
            return batches, self.options
        if len(names) == 1:
            problem = f"every target is {shortened(next(iter(names)))!r}"
            raise InputError(f"{self.options.source}: {problem}; name both classes with --labels NEGATIVE,POSITIVE")
        own = None if self.lists else self.columns.names[self.columns.logits[0]]
        pair = tuple(sorted(list(names)[:2], key=lambda name: (name == own, name)))
        return batches, replace(self.options, labels=Labels(pair))

    def keys(self, batch: pa.RecordBatch, first_row: int) -> list[str | int] | None:
        """Return the keys of the rows. Raise InputError if keys that count stop counting."""
        if self.columns.key is None:
            return None
        leaf = self.leaves[self.columns.key]
        values = leaf.values(batch).to_pylist()
        if not self.columns.counts:
            return [value if type(value) is int else _text(value) for value in values]
        # The keys count from that of the first row.
        for row, value in enumerate(values, first_row):
            expected = self.first_key + row
            if value != expected:
                problem = (
                    f"expected {expected}, as the column {leaf.name!r} counts the rows, got {_text(value) or 'null'}"
                )
                fix = f"pass --id-column {leaf.name!r} if it names the rows, or list the columns of the logits"
                raise InputError(f"{self.options.source}: row {row}: {problem}; {fix} with --columns")
        return [int(value) for value in values]

    def _check_classes(self, leaf: Leaf, batch: pa.RecordBatch, first_row: int) -> None:
        """Raise InputError for a fraction in a column of classes that is not used."""
        if pa.types.is_floating(leaf.type):
            values = leaf.values(batch).to_numpy(zero_copy_only=False)
            is_fraction = np.nan_to_num(values) % 1 != 0
            if is_fraction.any():
                row = int(is_fraction.argmax())
                problem = (
                    f"{values[row]} is not a class, but tsoft ignores the column {leaf.name!r} as one of true classes"
                )
                fix = "list the columns of the logits with --columns"
                raise InputError(f"{self.options.source}: row {first_row + row}: {problem}; {fix}")


@dataclass(frozen=True)
class _Where:
    """The place of numbers for messages: their file, their column, and the number of the first row."""

    source: str
    name: str
    first_row: int


def _numbers(array: pa.Array, where: _Where) -> Array:
    """Return the numbers of an array. Raise InputError for a null, which is no number."""
    if array.null_count:
        row = where.first_row + int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
        raise InputError(f"{where.source}: row {row}: {shortened(where.name)!r}: {_NULL}")
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _distinct(array: pa.Array) -> tuple[Array, list[str]]:
    """Return the values of an array as indices into a list of their distinct texts. A null is an empty text."""
    encoded = array.dictionary_encode("encode")
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return codes, [_text(value) for value in encoded.dictionary.to_pylist()]


def _text(value: Any) -> str:
    """Return a value as the text that a table in text has in its place.

    >>> _text(3), _text(3.0), _text(0.5), _text(True), _text(None)
    ('3', '3', '0.5', 'true', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value % 1 == 0:
        return f"{value:.0f}"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
