"""Reading logits from a table of Arrow's columns: a column of numbers per class, or one column of lists of numbers.

The columns of keys and targets are those of a table in text (see `table_columns`). A column of a structure has the
columns of its fields, with names such as `scores.cat`.
"""

import itertools
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError, validate_logits
from tsoft.errors import InputError, exclusive, joined, shortened, unknown
from tsoft.input.arrow_columns import (
    Leaf,
    classes_of,
    is_list_of_numbers,
    is_list_of_texts,
    is_number_type,
    leaf_columns,
    text_of,
)
from tsoft.input.arrow_rows import TableRows
from tsoft.input.column_fixes import text_column_fix
from tsoft.input.columns import FURTHER_TARGET_NAMES, TARGET_NAMES
from tsoft.input.labels import first_repeated, key_labels, repeats
from tsoft.input.long_form import is_long_form
from tsoft.input.named_arrays import LABELS, TARGETS, quantity_of
from tsoft.input.quantity import ARRAY_QUANTITIES, QUANTITIES, stated_quantity
from tsoft.input.read_options import ColumnOptions, ReadOptions, TargetSource
from tsoft.input.table_columns import (
    ROW,
    TAU,
    ColumnError,
    TableColumns,
    decide,
    with_named_classes,
    with_stated_quantity,
)
from tsoft.input.table_reader import written_columns
from tsoft.input.targets import Targets

# The entry in the metadata of a schema for what tsoft writes: the name of the array of the numbers, and the labels.
TSOFT = b"tsoft"


@dataclass(frozen=True)
class ArrowSource:
    """A table of a schema, whose rows arrive in `batches`. `rows` is their number, None if it is not known."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    rows: int | None


def read(source: ArrowSource, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a table. Raise InputError."""
    first = next((batch for batch in source.batches if batch.num_rows), None)
    if first is None:
        raise InputError(f"{options.source}: no logits: the table has no rows")
    table = _Table(source, itertools.chain([first], source.batches), first, options)
    leaves, options = _without_index(leaf_columns(source.schema), source.schema, options)
    options = replace(options, key=options.key.among(_roots(leaves)))
    try:
        lists = _list_column(leaves, first, options)
        yield from table.lists(lists, leaves, options) if lists else table.columns(leaves, options)
    except ColumnError as error:
        raise InputError(f"{options.source}: {error}") from None


def read_targets(source: ArrowSource, options: ReadOptions) -> Targets:
    """Return the true classes in the only column, or in one with the name of targets, which --targets-key names."""
    leaves = [leaf for leaf in leaf_columns(source.schema) if not is_list_of_numbers(leaf.type)]
    names = [leaf.name for leaf in leaves]
    key = (options.targets or TargetSource()).key.among(names)
    requested = key.name
    if requested is not None and requested not in names:
        raise InputError(f"{options.source}: {unknown('column', requested, names)}")
    candidates = (TARGETS, *TARGET_NAMES, *FURTHER_TARGET_NAMES) if requested is None else (requested,)
    chosen = next((leaf for name in candidates for leaf in leaves if leaf.name.lower() == name.lower()), None)
    if chosen is None and len(leaves) == 1:
        chosen = leaves[0]
    if chosen is None:
        fix = f"pass {key.option} NAME to choose a column: {', '.join(names)}"
        raise InputError(f"{options.source}: no column is called {TARGETS!r}; {fix}")
    values: list[str] = []
    for batch in source.batches:
        codes, texts = classes_of(chosen, batch, options.source)
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
    lists, key, option = (
        [leaf for leaf in leaves if is_list_of_numbers(leaf.type)],
        options.key.name,
        options.key.option,
    )
    if key is not None:
        chosen = [leaf for leaf in lists if leaf.name == key]
        if not chosen and not any(leaf.name.startswith(f"{key}.") for leaf in leaves):
            if any(leaf.name == key for leaf in leaves):
                raise ColumnError(f"{option}: {key!r} is not a column of lists of numbers; pass --columns")
            raise ColumnError(f"{option}: {unknown('column', key, sorted(_roots(leaves)))}")
        return chosen[0] if chosen else None
    if options.columns.logits is not None or not lists:
        return None
    named = [leaf for name in ARRAY_QUANTITIES for leaf in lists if leaf.name.rsplit(".", 1)[-1].lower() == name]
    if named:
        return named[0]
    scalars = [leaf for leaf in leaves if is_number_type(leaf.type)]
    names = joined([repr(shortened(leaf.name)) for leaf in lists[:5]])
    if len(lists) > 1:
        raise ColumnError(f"several columns contain lists of numbers: {names}; pass {option} NAME to choose one")
    if stated_quantity(lists[0].name.rsplit(".", 1)[-1]) is None and any(
        pa.types.is_floating(leaf.type) for leaf in scalars
    ):
        problem = f"ambiguous: {names} contains lists of numbers, and other columns contain numbers"
        raise ColumnError(f"{problem}; pass {option} {lists[0].name}, or list the columns of the logits with --columns")
    return lists[0]


def _roots(leaves: list[Leaf]) -> set[str]:
    """Return the names of the columns, and of the structures that contain them."""
    return {leaf.name.rsplit(".", i)[0] for leaf in leaves for i in range(leaf.name.count(".") + 1)}


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
            option = options.key.option
            raise ColumnError(exclusive(option, "--columns", reason=f"the column of {option} has lists"))
        name, labels = self._written()
        if column.name != name:
            name, labels = column.name.rsplit(".", 1)[-1], None
        options = replace(options, quantity=quantity_of(name, options))
        width = len(column.values(self.first)[0].as_py() or ())
        label_lists = self._label_lists(leaves, width) if options.labels is None and labels is None else None
        scalars = [leaf for leaf in leaves if leaf not in (column, label_lists)]
        options = _with_named_targets(scalars, options)
        # No column of a single number is a logit.
        columns = self._decide(scalars, replace(options, columns=replace(options.columns, logits=())))
        if columns.unused_targets:
            options = options.next_to_targets()
        if labels is not None and len(labels) != width:
            labels = None
        first_key = self._first_key(columns, scalars)
        yield from self._blocks(TableRows(columns, scalars, column, labels, first_key, options, label_lists), width)

    def _label_lists(self, leaves: list[Leaf], width: int) -> Leaf | None:
        """Return the column of lists of strings called `labels`, if the first row has as many strings as numbers,
        `width`."""
        for leaf in leaves:
            if leaf.name.rsplit(".", 1)[-1].lower() == LABELS and is_list_of_texts(leaf.type):
                return leaf if len(leaf.values(self.first)[0].as_py() or ()) == width else None
        return None

    def columns(self, leaves: list[Leaf], options: ReadOptions) -> Iterator[Block]:
        """Yield the blocks of a table with a column of numbers per class."""
        prefix = options.key.name
        if prefix is not None:
            options = _with_prefix(leaves, options)
        if is_long_form([leaf.name for leaf in leaves], options):
            problem = "the table has one class per row; save it as CSV, which tsoft reads in this form"
            fix = "or with one column per class; if label is the target, list the columns of the logits with --columns"
            raise ColumnError(f"{problem}, {fix}")
        options = with_named_classes([leaf.name for leaf in leaves], self._first_texts(leaves), options)
        columns = self._decide(leaves, options)
        if not columns.logits:
            raise ColumnError("no column is a logit; list the columns of the logits with --columns")
        self._check_logits(columns, leaves)
        name, _ = self._written()
        if name is not None:
            options = replace(options, quantity=quantity_of(name, options))
        elif len(columns.logits) == 1:
            options = with_stated_quantity(columns.names[columns.logits[0]], options)
            options = options.of_single_scores(columns.names[columns.logits[0]])
        if columns.unused_targets:
            options = options.next_to_targets()
        labels = columns.labels
        if labels and prefix is not None:
            labels = tuple(label.removeprefix(f"{prefix}.") for label in labels)
        rows = TableRows(columns, leaves, None, labels, self._first_key(columns, leaves), options)
        if len(columns.logits) == 1 and options.targets is None and not {ROW, TAU} <= set(columns.names):
            # Labels need not count.
            yield from self._one_distribution(replace(rows, columns=replace(columns, counts=False)))
        else:
            yield from self._blocks(rows, len(columns.logits))

    def _check_logits(self, columns: TableColumns, leaves: list[Leaf]) -> None:
        """Raise ColumnError for a column of logits that contains no numbers, or has no name."""
        for leaf in (leaves[i] for i in columns.logits):
            if leaf.place == (0,) and not leaf.name:
                fix = "name it, or list the columns of the logits with --columns"
                raise ColumnError(f"the first column has no name; {fix}")
            if is_list_of_numbers(leaf.type):
                option = self.options.key.option
                problem = f"{shortened(leaf.name)!r} is a column of lists"
                raise ColumnError(f"{problem}; select it with {option} {shlex.quote(leaf.name)} instead of --columns")
            if not is_number_type(leaf.type):
                value = shortened(text_of(leaf.values(self.first)[0].as_py()) or "null")
                problem = f"the column {shortened(leaf.name)!r} contains {leaf.type}, such as {value!r}"
                raise ColumnError(problem + self._fix(columns, leaves))

    def _fix(self, columns: TableColumns, leaves: list[Leaf]) -> str:
        """Return the fix for a column without numbers, in a table that may have responses in a column, to be added to
        the problem."""
        others = (leaves[i] for i in columns.logits if not is_number_type(leaves[i].type))
        if any("logprob" in f"{leaf.type} {leaf.values(self.first)[0].as_py()}" for leaf in others):
            to_json = "to_json('FILE.jsonl', orient='records', lines=True)"
            return f"; for responses, save the table as JSON lines: pandas.read_parquet('FILE').{to_json}"
        values = {i: leaves[i].values(self.first)[0].as_py() for i in columns.logits}
        return text_column_fix(
            columns.names,
            {i: value for i, value in values.items() if isinstance(value, str)},
            {i: str(values[i]) for i in columns.logits if is_number_type(leaves[i].type)},
            has_key=columns.key is not None,
            needs_target=self.options.reads_targets and columns.target is None,
        )

    def _written(self) -> tuple[str | None, tuple[str, ...] | None]:
        """Return the name of the array that tsoft wrote, and the labels of its classes; None for other tables."""
        try:
            entry = json.loads((self.source.schema.metadata or {}).get(TSOFT, b"null"))
            labels = None if entry["labels"] is None else tuple(map(str, entry["labels"]))
            # A lone surrogate is not text, so tsoft did not write these labels.
            "".join(labels or ()).encode()
            return str(entry["array"]), labels
        except (ValueError, TypeError, KeyError):
            return None, None

    def _first_texts(self, leaves: Sequence[Leaf]) -> list[str]:
        """Return the values of the first row as texts."""
        return [text_of(leaf.values(self.first)[0].as_py()) for leaf in leaves]

    def _decide(self, leaves: Sequence[Leaf], options: ReadOptions) -> TableColumns:
        names, texts = [leaf.name for leaf in leaves], self._first_texts(leaves)
        columns = decide(names, texts, options, sorted(written_columns(names, texts, options)))
        # Strings of digits are texts, which do not count.
        counts = columns.counts and columns.key is not None and is_number_type(leaves[columns.key].type)
        return replace(columns, counts=counts)

    def _first_key(self, columns: TableColumns, leaves: Sequence[Leaf]) -> int:
        if columns.key is None or not columns.counts:
            return 0
        return int(leaves[columns.key].values(self.first)[0].as_py())

    def _blocks(self, rows: TableRows, width: int) -> Iterator[Block]:
        """Yield the rows, the first of which has this number of classes."""
        options, batches = rows.options, self.batches
        if rows.columns.target is not None and width == 1:
            batches, options = rows.with_two_labels(batches)
            rows = replace(rows, options=options)
        first_row = 0
        for batch in batches:
            for values, first, stop in rows.numbers(batch, first_row):
                same_width = batch.slice(first, stop - first)
                for part, start, end in rows.with_one_list_of_labels(same_width, first_row + first, values.shape[1]):
                    same_labels, row = same_width.slice(start, end - start), first_row + first + start
                    yield part.block(values[start:end], same_labels, row, width, self.source.rows)
            first_row += batch.num_rows
        if self.source.rows not in (None, first_row):
            raise InputError(f"{options.source}: cut off: {first_row} of {self.source.rows} rows")

    def _one_distribution(self, rows: TableRows) -> Iterator[Block]:
        """Yield a single column of logits as one distribution, as that of a text."""
        options, columns = rows.options, rows.columns
        numbers, name = QUANTITIES[options.quantity or "logit"].plural, columns.names[columns.logits[0]]
        reading = f"the table has one column of {numbers}, {name!r}"
        options.note(f"{options.source}: {reading}, which is read as one distribution with one class per row")
        values: list[Array] = []
        keys: list[str | int] = []
        first_row = 0
        for batch in self.batches:
            values += [part for part, _, _ in rows.numbers(batch, first_row)]
            keys += rows.keys(batch, first_row) or []
            first_row += batch.num_rows
        labels = key_labels(keys)
        if labels and (repeated := first_repeated(labels)) is not None:
            fix = "if these are the classes of several distributions, save one column per class"
            raise InputError(f"{options.source}: row {repeated}: {repeats(labels[repeated])}; {fix}")
        column = np.concatenate(values)
        try:
            logits, labels = options.logits(
                validate_logits(column.T), QUANTITIES[options.quantity or "logit"], labels, options.source
            )
        except LogitsError as error:
            where = "" if error.column is None else f": row {error.column}"
            raise InputError(f"{options.source}{where}: {error.problem}") from None
        yield Block(logits, labels, 0, Origin(options.quantity or "logit", ()))


def _with_named_targets(scalars: list[Leaf], options: ReadOptions) -> ReadOptions:
    """Return the options with the column `targets`, or `labels` if it has integers, as that of the true classes."""
    names = [
        leaf.name
        for leaf in scalars
        if leaf.name == TARGETS or (leaf.name == LABELS and pa.types.is_integer(leaf.type))
    ]
    if not names or options.targets is None or options.targets.column is not None:
        return options
    return replace(options, targets=replace(options.targets, column=max(names)))


def _with_prefix(leaves: list[Leaf], options: ReadOptions) -> ReadOptions:
    """Return the options with the fields of the structure that --key names as the columns of the logits."""
    if options.columns.logits is not None:
        raise ColumnError(exclusive(options.key.option, "--columns", reason="both select the logits"))
    start = f"{options.key.name}."
    names = tuple(leaf.name for leaf in leaves if leaf.name.startswith(start) and is_number_type(leaf.type))
    if not names:
        raise ColumnError(f"{options.key.option}: {options.key.name!r} has no fields of numbers")
    return replace(options, columns=ColumnOptions(names, options.columns.key))
