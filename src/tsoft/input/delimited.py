"""Reading delimited text: CSV, TSV, or fields separated by blanks, commas or semicolons.

The first line that is neither blank nor a comment decides the layout (see `_layout`): rows of numbers, a table
with a header, one vector with one class per line, or the long form. Lines are read in batches, as they arrive, so
memory does not grow with the input. A batch of plain numbers is parsed at once. Any other batch is parsed line by
line, which finds the line and field of an error.

Python's csv module does not fit: it supports neither runs of blanks as separators nor comments nor escapes, and it is
several times slower than parsing a batch of numbers at once.
"""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.measures import MEASURES
from tsoft.core.softmax import Array, LogitsError
from tsoft.core.thermodynamics import THERMODYNAMICS
from tsoft.errors import InputError, shortened
from tsoft.input import fast_numbers, fields
from tsoft.input.class_lookup import IGNORED, ClassLookup, TargetIndexError
from tsoft.input.columns import ID, KEY_COLUMNS, STUDENT_MEASURES, TARGET, TARGET_MEASURES, TEACHER_MEASURES
from tsoft.input.labels import Labels
from tsoft.input.lines import Line, LineBatch, line_batches
from tsoft.input.quantity import QUANTITIES, contradiction
from tsoft.input.read_options import ReadOptions
from tsoft.input.table_columns import (
    ROW,
    TAU,
    ColumnError,
    TableColumns,
    decide,
    is_key_name,
    is_target_name,
    whole_number,
)

# Rows whose length changes at least this often become one padded block, not one block per run of equal lengths.
MANY_RUNS = 8
# The columns that identify a vector in the long form, and all of its columns.
VECTOR_KEYS = (*KEY_COLUMNS, ID)
LONG_FORM_COLUMNS = {"label", "index", *VECTOR_KEYS, *QUANTITIES}


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a text. Raise InputError, which names the line and the field."""
    batches = line_batches(stream, options)
    for source_batch in batches:
        batch = source_batch.with_hash_column() if source_batch.number == 1 else source_batch
        first = batch.first()
        if first:
            _note_commented_header(batch, first, options)
            if batch.starts_with_tab(first.number):
                first = _with_unnamed_column(first)
            if options.delimiter and options.delimiter not in first.text:
                options = replace(options, delimiter=None)
            try:
                layout = _layout(first.text, options)
            except fields.FieldError as error:
                raise options.field_error(first.number, error) from None
            rest = batch.since(first.number)
            yield from layout(first, itertools.chain([rest] if rest else [], batches), options)
            return
    raise InputError(f"{options.source}: no logits: the input is empty")


def _note_commented_header(batch: LineBatch, first: Line, options: ReadOptions) -> None:
    """Print a note if the line before the first one is a comment that may be its header."""
    comment = batch.comment_before(first.number)
    if comment is None:
        return
    try:
        names, texts = (fields.split_labels(text, options.delimiter) for text in (comment, first.text))
    except fields.FieldError:
        return
    if len(names) == len(texts) > 1 and not any(map(fields.looks_like_number, names)) and fields.is_number(texts[-1]):
        where = f"{options.source}:{first.number - 1}"
        options.note(f"{where}: tsoft ignores this comment; if it is the header of the columns, remove the #")


def _with_unnamed_column(first: Line) -> Line:
    """Return a first line that starts with a tab, with that tab if the line may be a header without its first name."""
    names = first.text.split("\t")
    is_header = not any(map(fields.looks_like_number, names)) or names == list(map(str, range(len(names))))
    return replace(first, text=f"\t{first.text}") if is_header and len(names) > 1 else first


# Reads the blocks of one layout, from the first line and the batches, which start with that line.
Layout = Callable[[Line, Iterator[LineBatch], ReadOptions], Iterator[Block]]


def _layout(first: str, options: ReadOptions) -> Layout:
    """Return the reader of the layout that the first line decides."""
    if not options.names_columns and _is_long_row(first, options):
        return _read_rows
    names = fields.split_labels(first, options.delimiter)
    numeric = [fields.looks_like_number(name) for name in names]
    if options.names_columns or (options.targets and TARGET in names):
        return _read_table
    if "label" in names and set(names) <= LONG_FORM_COLUMNS and len(names) > 1:
        return _read_long_form
    pairs = [fields.is_pair(name) for name in names]
    if _names_columns(names, numeric, options):
        return _read_table
    if (numeric[-1] and not any(numeric[:-1] + pairs)) or pairs == [True]:
        return _read_vector
    if options.delimiter is not None:
        return _read_rows if all(numeric) else _read_table
    return _read_rows if any(numeric + pairs) else _read_table


def _names_columns(names: list[str], numeric: list[bool], options: ReadOptions) -> bool:
    """Return whether a line is a header although it contains numbers, since its other fields name no classes.

    `id 2` may be a class and its number; pandas writes `,0` above a single column.
    """
    others = [name for name, is_numeric in zip(names, numeric, strict=True) if not is_numeric]
    if len(names) == 2 and numeric[1]:
        return names == ["", "0"]
    is_known = [name == TAU or is_key_name(name) or is_target_name(name, options) for name in others[names[0] == "" :]]
    return len(names) > 1 and bool(others) and all(is_known) and not any(map(fields.is_pair, others))


def _is_long_row(first: str, options: ReadOptions) -> bool:
    """Return whether a line contains only numbers, many of them, with the same separator throughout."""
    separator = next((d for d in ",;\t" if d in first), None)
    is_mixed = separator == "\t" and (" " in first or "\t\t" in first)
    if len(first) < fast_numbers.MIN_BYTES or is_mixed or options.delimiter not in (None, separator):
        return False
    numbers = fast_numbers.parse(first.encode())
    return numbers is not None and len(numbers.values) > 1


# From rows to blocks


@dataclass(frozen=True)
class ParsedRow:
    """One row: the number of its first line, its numbers, their labels if it has any, and the index of its true class
    and its key if columns have them."""

    line: int
    values: list[float]
    labels: tuple[str, ...] | None = None
    target: int | None = None
    key: str | int | None = None


@dataclass(frozen=True, eq=False)
class RowGroup:
    """Rows that were read together and share their labels.

    `values` are the numbers, (rows, n). `lines` has each row's first line. `class_fields` has the field of each class;
    if each class has its own line, `class_lines` has these lines for each row. `labels_vary` is true if the next rows
    may have other labels. Rows of different lengths have `widths`, (rows,), and are masked beyond them. `targets`,
    (rows,), are the indices of the true classes, and `keys` the keys of the rows, if columns have them. With
    `is_column`, a single row may also be one number for each of several rows.
    """

    values: Array
    lines: Sequence[int]
    labels: tuple[str, ...] | None = None
    class_fields: Sequence[int] | None = None
    class_lines: Sequence[Sequence[int]] | None = None
    labels_vary: bool = False
    widths: Array | None = None
    targets: Array | None = None
    keys: Sequence[str | int] | None = None
    is_column: bool = False

    def parts(self) -> "list[RowGroup]":
        """Return smaller groups with the same rows, to find the rows before a wrong one; empty if this is the
        smallest."""
        if self.widths is not None:
            return list(_runs(self.values[_within(self.widths, self.values.shape[1])], self.widths, self.lines))
        if self.class_lines is None or len(self.lines) == 1:
            return []
        return [
            replace(
                self,
                values=self.values[i : i + 1],
                lines=self.lines[i : i + 1],
                class_lines=[class_lines],
                keys=None if self.keys is None else self.keys[i : i + 1],
            )
            for i, class_lines in enumerate(self.class_lines)
        ]

    def block(self, first_row: int, options: ReadOptions) -> Block:
        """Return the rows as a block. Raise LogitsError for a number that is out of range."""
        quantity = options.quantity or "logit"
        where = f"{options.source}:{self.lines[0]}"
        logits, labels = options.logits(self.values, QUANTITIES[quantity], self.labels, where)
        axes = () if self.is_column else None
        is_binary = logits.shape != self.values.shape
        origin = Origin(quantity, axes, self.labels_vary, options.source, self.lines, is_binary)
        return Block(logits, labels, first_row, origin, self.widths, self.targets, keys=self.keys)


def _runs(values: Array, widths: Array, lines: Sequence[int]) -> Iterator[RowGroup]:
    """Yield consecutive rows of the same length as groups. `values` has the numbers of all rows in sequence."""
    starts = np.cumsum(widths) - widths
    bounds = [0, *(np.flatnonzero(np.diff(widths)) + 1).tolist(), len(widths)]
    for first, stop in itertools.pairwise(bounds):
        width, start = int(widths[first]), int(starts[first])
        run = values[start : start + width * (stop - first)].reshape(-1, width)
        yield RowGroup(run, lines[first:stop], class_fields=range(1, width + 1))


def _padded(values: Array, widths: Array, lines: Sequence[int], mask: float) -> RowGroup | None:
    """Return the same rows as one padded group; None if it would take much more memory, or replace few groups."""
    widest = int(widths.max())
    if np.count_nonzero(np.diff(widths)) < MANY_RUNS or widest * len(widths) > 4 * len(values):
        return None
    full = np.full((len(widths), widest), mask)
    full[_within(widths, widest)] = values
    return RowGroup(full, lines, class_fields=range(1, widest + 1), widths=widths)


def _within(widths: Array, widest: int) -> Array:
    """Return which elements of padded rows are numbers: (rows, widest) booleans."""
    return np.asarray(np.arange(widest) < widths[:, np.newaxis])


def _blocks(groups: Iterable[RowGroup], options: ReadOptions, first_row: int = 0) -> Iterator[Block]:
    """Yield the groups as blocks. Raise InputError for the first row that has no softmax."""
    first_width: int | None = None
    for group in groups:
        first_width = first_width or group.values.shape[1]
        try:
            block = group.block(first_row, options.for_width(group.values.shape[1], first_width))
        except LogitsError as error:
            # Yield the rows before the wrong one.
            yield from _blocks(group.parts(), options, first_row)
            row, column = error.row, error.column
            line, field = group.lines[row], None
            if column is not None and group.values.shape[1] == 1:
                column = 0
            if column is not None:
                line = line if group.class_lines is None else group.class_lines[row][column]
                field = None if group.class_fields is None else group.class_fields[column]
            raise options.error(line, error.problem, field) from None
        yield block
        first_row += len(block.logits)


def _not_empty(blocks: Iterator[Block], error: InputError) -> Iterator[Block]:
    """Yield the blocks. Raise the error if there is no block."""
    first = next(blocks, None)
    if first is None:
        raise error
    yield first
    yield from blocks


# One row per line. `row` parses one line. `groups` parses a batch of plain numbers, and returns None for other batches.


class PlainRows:
    """The layout without a header: each line is a row of numbers or of `label=number`."""

    class_fields = None

    def __init__(self, options: ReadOptions):
        self._pads = options.labels is None
        self._mask = float(QUANTITIES[options.quantity or "logit"].mask)

    def row(self, line: Line) -> ParsedRow:
        texts = fields.split(line.text)
        if "=" in line.text and (pairs := fields.split_pairs(texts)):
            labels, values = pairs
            return ParsedRow(line.number, values, labels)
        return ParsedRow(line.number, fields.numbers(texts))

    def groups(self, batch: LineBatch) -> list[RowGroup] | None:
        numbers = batch.numbers()
        if numbers is None:
            return None
        values, widths = numbers
        lines = range(batch.number, batch.number + len(widths))
        if self._pads and (padded := _padded(values, widths, lines, self._mask)):
            return [padded]
        return list(_runs(values, widths, lines))


def plain_columns(batch: LineBatch, width: int, delimiter: str | None) -> list[list[str]] | None:
    """Return the texts of a batch of lines of `width` fields by column; None if it has quotes, escapes or comments, or
    a line with another number of fields."""
    text = batch.plain_text()
    if text is None or delimiter is None or any(special in text for special in '"\\#'):
        return None
    # A tab at either end of a line is stripped as a blank.
    if delimiter == "\t" and any(end in f"\n{text}\n" for end in ("\n\t", "\t\n")):
        return None
    if any(line.count(delimiter) != width - 1 for line in text.split("\n")):
        return None
    cells = list(map(str.strip, text.replace("\n", delimiter).split(delimiter)))
    return [cells[i::width] for i in range(width)]


def numbers_of(texts: Sequence[str]) -> Array | None:
    """Return the numbers that texts stand for; None if one is not a plain number."""
    numbers = fast_numbers.parse("\n".join(texts).encode())
    return numbers.values if numbers and len(numbers.widths) == len(numbers.values) == len(texts) else None


class Table:
    """The layout with a header: each line below it is a row. `lookup` finds the true classes if they are to be read.

    If the targets are in a separate file, those in the table only serve for a comparison, so a target that is no class
    is IGNORED.
    """

    def __init__(self, columns: TableColumns, options: ReadOptions, lookup: ClassLookup | None):
        self.columns, self.options, self.lookup = columns, options, lookup
        self.class_fields = [i + 1 for i in columns.logits]
        self.labels = columns.labels
        # The key of the next row, if the keys count.
        self._next_key: int | None = None
        self._other_lookup = None
        if options.targets and options.targets.separate and columns.unused_targets and len(columns.logits) > 1:
            names = options.labels.names if options.labels else self.labels
            self._other_lookup = ClassLookup(names, len(columns.logits), options.targets.ignored)

    def check_comments(self, batch: LineBatch) -> None:
        """Raise InputError for a comment that looks like a row with a key, such as `#1,2,0`."""
        columns = self.columns
        if 0 in (columns.key, columns.target, *columns.unused_targets) and not columns.counts:
            separators = len(columns.names) - 1
            for number, text in batch.comments():
                if any(text.count(delimiter) == separators for delimiter in ",;\t"):
                    problem = "a line that starts with # is a comment; write the first field in quotes if it is a row"
                    raise self.options.error(number, problem)

    def row(self, line: Line) -> ParsedRow:
        columns, names = self.columns, self.columns.names
        # A key or target may have blanks.
        has_labels = len(columns.logits) < len(names) or '"' in line.text
        texts = _split_row(line.text, self.options.delimiter, len(names)) if has_labels else fields.split(line.text)
        if len(texts) != len(names):
            raise fields.FieldError(fields.wrong_field_count(len(texts), len(names)))
        try:
            values = fields.numbers([texts[i] for i in columns.logits])
        except fields.FieldError as error:
            index = columns.logits[(error.field or 1) - 1]
            raise _not_a_logit(error, names[index], index) from None
        for i in columns.unused_targets:
            self._check_class(texts[i], i)
        key = None if columns.key is None else self._key(texts[columns.key], columns.key)
        return ParsedRow(line.number, values, self.labels, self._target(texts), key)

    def _target(self, texts: list[str]) -> int | None:
        index = self.columns.target
        if self._other_lookup is not None:
            return self._index(texts[self.columns.unused_targets[0]])
        if self.lookup is None or index is None:
            return None
        try:
            return self._index(texts[index])
        except ValueError as error:
            raise fields.FieldError(str(error) + self._target_fix(texts[index], index), index + 1) from None

    def _index(self, text: str) -> int:
        """Return the index of a true class. Raise ValueError if the text names no class, and the class is needed."""
        if self.lookup is not None:
            return self.lookup.index(text)
        assert self._other_lookup
        try:
            return self._other_lookup.index(text)
        except ValueError:
            return IGNORED

    def _target_fix(self, text: str, index: int) -> str:
        """Return how to say what a column is that was taken as the targets, if it may be something else."""
        is_chosen = self.options.targets is not None and self.options.targets.column is not None
        is_other = text and (not fields.is_number(text) or whole_number(text) is None)
        if is_chosen or not is_other:
            return ""
        name = shortened(self.columns.names[index])
        return f"; tsoft reads the column {name!r} as the true classes; pass --target-column or --columns if it is not"

    def _check_class(self, text: str, index: int) -> None:
        """Raise FieldError for a fraction in a column of classes that is not used."""
        if fields.is_number(text) and whole_number(text) is None and not text.isdigit():
            name = shortened(self.columns.names[index])
            problem = (
                f"{shortened(text)!r} is not a class, but tsoft ignores the column {name!r} as one of true classes"
            )
            raise fields.FieldError(f"{problem}; list the columns of the logits with --columns", index + 1)

    def _key(self, text: str, index: int) -> str | int:
        """Return the key of the next row. Raise FieldError if the keys stop counting."""
        if not self.columns.counts:
            return text
        key = whole_number(text)
        if key is None or key != (key if self._next_key is None else self._next_key):
            name = shortened(self.columns.names[index])
            problem = f"expected {self._next_key}, as the column {name!r} counts the rows, got {shortened(text)!r}"
            fix = f"pass --id-column {name!r} if it names the rows, or list the columns of the logits with --columns"
            raise fields.FieldError(f"{problem}; {fix}", index + 1)
        self._next_key = key + 1
        return key

    def groups(self, batch: LineBatch) -> list[RowGroup] | None:
        columns, width = self.columns, len(self.columns.names)
        has_texts = columns.key is not None and not columns.counts
        numbers = None if has_texts else batch.numbers()
        if numbers is None or (numbers.widths != width).any():
            return self._groups_of_texts(batch)
        values = numbers.values.reshape(-1, width)
        if (values[:, columns.unused_targets] % 1 != 0).any():
            return None
        keys = None
        if columns.key is not None:
            keys = self._counted_keys(values[:, columns.key])
            if keys is None:
                return None
        targets = None
        if self.lookup and columns.target is not None:
            if not self.lookup.by_index:
                return None
            try:
                targets = self.lookup.indices(values[:, columns.target])
            except TargetIndexError:
                return None
        elif self._other_lookup and self._other_lookup.by_index:
            with contextlib.suppress(TargetIndexError):
                targets = self._other_lookup.indices(values[:, columns.unused_targets[0]])
        if keys is not None:
            self._next_key = keys.stop
        lines = range(batch.number, batch.number + len(values))
        logits = values if columns.logits == tuple(range(width)) else values[:, columns.logits]
        return [RowGroup(logits, lines, self.labels, self.class_fields, targets=targets, keys=keys)]

    def _groups_of_texts(self, batch: LineBatch) -> list[RowGroup] | None:
        """Return the rows of a batch whose key or targets are texts; None if the batch is not plain."""
        columns = self.columns
        texts = plain_columns(batch, len(columns.names), self.options.delimiter)
        if texts is None:
            return None
        values = [numbers_of(texts[i]) for i in columns.logits]
        if any(column is None for column in values):
            return None
        keys: Sequence[str | int] | None = None if columns.key is None else texts[columns.key]
        if columns.key is not None and columns.counts:
            counts = numbers_of(texts[columns.key])
            keys = None if counts is None else self._counted_keys(counts)
            if keys is None:
                return None
        try:
            for i in columns.unused_targets:
                for text in set(texts[i]):
                    self._check_class(text, i)
            targets = None
            if (self.lookup and columns.target is not None) or self._other_lookup:
                column = columns.unused_targets[0] if columns.target is None else columns.target
                indices = {text: self._index(text) for text in set(texts[column])}
                targets = np.array([indices[text] for text in texts[column]])
        except ValueError:
            return None
        if isinstance(keys, range):
            self._next_key = keys.stop
        lines = range(batch.number, batch.number + len(texts[0]))
        logits = np.column_stack([column for column in values if column is not None])
        return [RowGroup(logits, lines, self.labels, self.class_fields, targets=targets, keys=keys)]

    def _counted_keys(self, values: Array) -> range | None:
        """Return the keys of consecutive rows; None if they do not count."""
        first = values[0] if self._next_key is None else self._next_key
        if not (values == np.arange(len(values)) + first).all() or first % 1 != 0:
            return None
        return range(int(first), int(first) + len(values))


def _not_a_logit(error: fields.FieldError, name: str, index: int) -> fields.FieldError:
    """Return an error in a column of logits, with what to do if the column is something else."""
    fix = f"; if {shortened(name)!r} is not a logit, pass --id-column or --columns"
    problem = f"{error.problem}{'' if error.is_missing or '; did you mean' in error.problem else fix}"
    return fields.FieldError(problem, index + 1, is_missing=error.is_missing)


def _parsed(parser: PlainRows | Table, batches: Iterable[LineBatch], options: ReadOptions) -> Iterator[RowGroup]:
    """Yield the rows of all lines. A blank line between two rows is an error; at the end it is ignored."""
    blank = None
    for batch in batches:
        if isinstance(parser, Table):
            parser.check_comments(batch)
        if not blank and (groups := parser.groups(batch)) is not None:
            yield from groups
            continue
        rows = []
        for line in batch.lines():
            if not line.text:
                blank = blank or line.number
                continue
            if blank:
                raise options.error(blank, "blank line between two rows; remove it")
            try:
                rows.append(parser.row(line))
            except fields.FieldError as error:
                raise options.field_error(line.number, error) from None
        yield from _grouped(rows, parser.class_fields)


def _grouped(rows: list[ParsedRow], class_fields: Sequence[int] | None) -> Iterator[RowGroup]:
    """Yield consecutive rows with the same labels and length as groups."""
    for (width, labels), group in itertools.groupby(rows, lambda row: (len(row.values), row.labels)):
        run = list(group)
        yield RowGroup(
            np.array([row.values for row in run]),
            [row.line for row in run],
            labels,
            class_fields or range(1, width + 1),
            labels_vary=labels is not None and class_fields is None,
            targets=None if run[0].target is None else np.array([row.target for row in run]),
            keys=None if run[0].key is None else [row.key for row in run if row.key is not None],
        )


def _read_rows(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    counts = fields.split_labels(first.text, options.delimiter)
    has_separators = any(separator in first.text for separator in ",;\t")
    may_be_header = has_separators and counts == list(map(str, range(len(counts))))
    for block in _blocks(_parsed(PlainRows(options), batches, options), options):
        if may_be_header and block.rows.stop > 1:
            options.note(
                f"{options.source}:{first.number}: tsoft reads this line, which counts the columns from 0, as a row;"
                " if it is a header, remove it"
            )
        yield block


def _read_table(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    """Read a table: the first line names the columns, and each further line is a row with one number per class."""
    names = fields.split_labels(first.text, options.delimiter)
    # A key or a target may contain another delimiter than that of the header.
    options = replace(options, delimiter=options.delimiter or _delimiter(first))
    seen: list[LineBatch] = []
    second: Line | None = None
    batches = _without_header(first, batches)
    while second is None and (batch := next(batches, None)):
        seen.append(batch)
        second = batch.first()
    if second is None:
        problem = f"{fields.not_a_number(names[0])}; if this line is a header, add a row below it"
        raise options.error(first.number, problem, 1)
    batches = itertools.chain(seen, batches)
    try:
        texts = _split_row(second.text, options.delimiter, len(names))
        if not names[0] and len(texts) == len(names) - 1 and first.text.startswith("\t"):
            # The lines are indented.
            names = names[1:]
        texts = texts if len(texts) == len(names) else fields.split(second.text)
    except fields.FieldError as error:
        raise options.field_error(second.number, error) from None
    try:
        columns = decide(names, texts, options, sorted(written_columns(names, texts, options)))
    except ColumnError as error:
        raise options.error(first.number, str(error)) from None
    if not columns.logits:
        raise options.error(first.number, "the header names no class; add one column per class")
    if 0 in columns.logits and not names[0]:
        problem = "the column has no name; name it, or list the columns of the logits with --columns"
        raise options.error(first.number, problem, 1)
    if len(columns.logits) == 1:
        options = _with_named_quantity(names[columns.logits[0]].lower(), first, options)
    if len(columns.logits) == 1 and options.targets is None and not {ROW, TAU} <= set(names):
        yield from _read_column(columns, batches, options)
        return
    lookup = None
    if columns.target is not None:
        lookup, batches, options = _class_lookup(columns, batches, options)
    yield from _blocks(_parsed(Table(columns, options, lookup), batches, options), options)


def _with_named_quantity(name: str, header: Line, options: ReadOptions) -> ReadOptions:
    """Return the options for a single column of numbers, whose name may say what the numbers are."""
    if name not in QUANTITIES:
        return options
    if options.quantity not in (None, name):
        raise options.error(header.number, contradiction(f"column {name!r}", name, options.quantity or "logit"))
    return replace(options, quantity=name)


def _class_lookup(
    columns: TableColumns, batches: Iterator[LineBatch], options: ReadOptions
) -> tuple[ClassLookup, Iterator[LineBatch], ReadOptions]:
    """Return the lookup of the true classes, and the batches and options for the rows.

    With one logit per row, there are two classes. If the targets name them, but --labels does not, the batches are read
    until both names are known.
    """
    assert options.targets
    assert columns.target is not None
    labels = options.labels.names if options.labels else columns.labels
    ignored = options.targets.ignored
    if len(columns.logits) > 1 or options.labels:
        return ClassLookup(labels, len(columns.logits) if len(columns.logits) > 1 else 2, ignored), batches, options
    seen: list[LineBatch] = []
    names: list[str] = []
    for batch in batches:
        seen.append(batch)
        names = _distinct(names, columns, batch, options)
        if len(names) > 1 or (names and fields.is_number(names[0])):
            break
    batches = itertools.chain(seen, batches)
    if not names or fields.is_number(names[0]):
        return ClassLookup(None, 2, ignored), batches, options
    if len(names) == 1:
        problem = f"every target is {shortened(names[0])!r}; name both classes with --labels NEGATIVE,POSITIVE"
        raise InputError(f"{options.source}: {problem}")
    own = columns.names[columns.logits[0]]
    pair = tuple(sorted(names[:2], key=lambda name: (name == own, name)))
    return ClassLookup(pair, 2, ignored), batches, replace(options, labels=Labels(pair))


def _distinct(names: list[str], columns: TableColumns, batch: LineBatch, options: ReadOptions) -> list[str]:
    """Return the first two distinct targets, some of which are known, except that of the rows to leave out."""
    assert options.targets
    names, ignored, width = list(names), options.targets.ignored, len(columns.names)
    for line in batch.lines():
        try:
            text = next(itertools.islice(_split_row(line.text, options.delimiter, width), columns.target, None), "")
        except fields.FieldError:
            return names
        is_ignored = fields.is_number(text) and ignored is not None and fields.number(text) == ignored
        if text and text not in names and not is_ignored:
            names.append(text)
        if len(names) > 1:
            break
    return names


def _read_column(columns: TableColumns, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    """Read a table with a single column of logits as one vector, whose classes have the keys as labels if these are
    texts."""
    options.note(
        f"{options.source}: the header has one column of logits, {columns.names[columns.logits[0]]!r}, which is read as"
        " one distribution with one class per line"
    )
    groups = list(_parsed(Table(columns, options, None), batches, options))
    values = np.concatenate([group.values for group in groups]).T
    lines = [line for group in groups for line in group.lines]
    keys = [key for group in groups for key in group.keys or ()]
    labels = None if columns.counts or not keys else tuple(map(str, keys))
    group = RowGroup(values, lines[:1], labels, class_lines=[lines], class_fields=[columns.logits[0] + 1] * len(lines))
    yield from _blocks([group], options)


def _delimiter(header: Line) -> str | None:
    """Return the delimiter of a header; None if blanks separate its fields."""
    unquoted = re.sub(r'"[^"]*"', "", header.text)
    return next((delimiter for delimiter in ",;\t" if delimiter in unquoted), None)


def _split_row(text: str, delimiter: str | None, width: int) -> list[str]:
    """Split a row below a header of `width` fields, whose delimiter also separates the fields of the row if it occurs
    there. Blanks may separate numbers."""
    texts = fields.split_labels(text, delimiter if delimiter and delimiter in text else None)
    if len(texts) == width:
        return texts
    numbers = text.replace(delimiter or " ", " ").split()
    return numbers if len(numbers) == width and all(map(fields.is_number, numbers)) else texts


def _without_header(header: Line, batches: Iterator[LineBatch]) -> Iterator[LineBatch]:
    """Yield the batches, which start with the header, without the header."""
    if rest := next(batches).since(header.number + 1):
        yield rest
    yield from batches


def written_columns(names: list[str], first: list[str], options: ReadOptions) -> set[int]:
    """Return the indices of the columns that tsoft writes next to the classes and does not read.

    These are tau, and row if there is tau; an engine after both, unless the `first` row has a number there; and, after
    all keys, the measures.
    """
    if TAU not in names:
        return set()
    written = {names.index(name) for name in (ROW, TAU) if name in names}
    keys = len(written) + (names[:3] == [ROW, ID, TAU])
    is_number = fields.is_number("".join(first[keys : keys + 1]))
    if names[keys : keys + 1] == [KEY_COLUMNS[2]] and len(written) > 1 and not is_number:
        written.add(keys)
        keys += 1
    if len(written) > 1 and max(written) == keys - 1:
        for measures in WRITTEN_MEASURES:
            if tuple(names[keys : keys + len(measures)]) == measures:
                written |= set(range(keys, keys + len(measures)))
                break
    return written - ({names.index(TARGET)} if options.targets and TARGET in names else set())


# The columns that tsoft writes between the keys and the classes. If two start alike, the longer one is first.
WRITTEN_MEASURES = (
    (TARGET, *TEACHER_MEASURES, *STUDENT_MEASURES, *TARGET_MEASURES),
    (TARGET, *TEACHER_MEASURES, *STUDENT_MEASURES),
    (TARGET, *TEACHER_MEASURES),
    (*MEASURES, *THERMODYNAMICS),
    MEASURES,
)


# One vector, one class per line


def _read_vector(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    """Read one vector with one class per line: a number, a label and a number, or `label=number`."""
    has_labels = not fields.is_number(first.text)
    labels: list[str] = []
    values: list[Array] = []
    lines: list[int] = []
    for batch in batches:
        numbers = None if has_labels else batch.numbers()
        if numbers is not None and (numbers.widths == 1).all():
            values.append(numbers.values)
            lines += range(batch.number, batch.number + len(numbers.values))
            continue
        classes = [(_labeled_number(line, has_labels, options), line.number) for line in batch.lines() if line.text]
        labels += [label for (label, _), _ in classes]
        values.append(np.array([value for (_, value), _ in classes]))
        lines += [number for _, number in classes]
    names = tuple(labels) if has_labels else None
    # With targets, a column of numbers without labels may be that of a binary classifier.
    is_column = options.targets is not None and not has_labels
    group = RowGroup(np.concatenate(values)[np.newaxis], lines[:1], names, class_lines=[lines], is_column=is_column)
    yield from _blocks([group], options)


def _labeled_number(line: Line, has_label: bool, options: ReadOptions) -> tuple[str, float]:
    """Return the label and number of a line. The label is empty if the vector has no labels."""
    try:
        is_pair = has_label and fields.is_pair(line.text)
        *label, value = line.text.rsplit("=", 1) if is_pair else fields.split_labels(line.text, options.delimiter)
        if label and not has_label:
            raise fields.FieldError(f"expected one number per line, as in the first line, got {len(label) + 1} fields")
        if has_label and not label:
            raise fields.FieldError(f"expected a label and a number, as in the first line, got {shortened(value)!r}")
        return " ".join(label), fields.numbers([*"0" * len(label), value])[-1]
    except fields.FieldError as error:
        raise options.field_error(line.number, error) from None


# The long form


@dataclass(frozen=True, eq=False)
class ClassLines:
    """Lines of one vector, one class per line.

    `key` identifies the vector. `columns` are the texts of each column by its name. `values` are the numbers, or None
    if they are not parsed yet.
    """

    key: tuple[str, ...]
    lines: Sequence[int]
    columns: dict[str, Sequence[str]]
    values: Array | None = None


def _read_long_form(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    """Read the long form: a header with `label` and a quantity, then one class per line. The columns `row` and `tau`
    identify the vector, and `index` is the class's index."""
    names = fields.split_labels(first.text, options.delimiter)
    repeated = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if repeated is not None:
        raise options.error(first.number, f"the header has two columns called {repeated!r}; remove or rename one")
    quantity = next(filter(QUANTITIES.get, names), None)
    if quantity is None:
        *others, last = QUANTITIES
        raise options.error(first.number, f"the header has no numbers; add a column {', '.join(others)} or {last}")
    if options.quantity is not None and options.quantity != quantity:
        raise options.error(first.number, contradiction(f"column {quantity!r}", quantity, options.quantity))
    delimiter = options.delimiter or _delimiter(first)
    if options.targets and not set(names) & {"index", *KEY_COLUMNS}:
        problem = "ambiguous: label may be the class of each line or the target of each row"
        fix = f"pass --columns {quantity} if it is the target, or add a column row if it is the class"
        raise options.error(first.number, f"{problem}; {fix}")
    options = replace(options, quantity=quantity)
    groups = LongForm(names, quantity, delimiter, options).groups(_without_header(first, batches))
    blocks = _blocks(groups, options)
    yield from _not_empty(blocks, options.error(first.number, "no classes below the header; add one line per class"))


@dataclass(frozen=True)
class LongForm:
    """The long form below its header. `names` are the columns, and `quantity` is the column of numbers. The
    `delimiter` is None if each line determines its delimiter."""

    names: list[str]
    quantity: str
    delimiter: str | None
    options: ReadOptions

    def groups(self, batches: Iterable[LineBatch]) -> Iterator[RowGroup]:
        """Yield the vectors that are complete after each batch. A vector is complete when the next one starts, or at
        the end. The vectors before an error are yielded first."""
        unfinished: list[ClassLines] = []
        for batch in batches:
            vectors: list[RowGroup] = []
            try:
                for part in self._parts(batch):
                    if unfinished and unfinished[0].key != part.key:
                        vectors.append(self._vector(unfinished))
                        unfinished = []
                    unfinished.append(part)
            except InputError:
                yield from _joined(vectors)
                raise
            yield from _joined(vectors)
        if unfinished:
            yield self._vector(unfinished)

    def _parts(self, batch: LineBatch) -> Iterator[ClassLines]:
        """Yield the lines of a batch by vector, parsed column by column if they are plain, else line by line."""
        plain = self._plain_columns(batch)
        if plain:
            columns, values = plain
            yield from self._by_vector(columns, range(batch.number, batch.number + len(values)), values)
            return
        for line in batch.lines():
            if line.text:
                yield from self._by_vector([[text] for text in self._texts(line)], [line.number], None)

    def _by_vector(
        self, columns: Sequence[Sequence[str]], lines: Sequence[int], values: Array | None
    ) -> Iterator[ClassLines]:
        """Yield consecutive lines with the same key."""
        texts = dict(zip(self.names, columns, strict=True))
        key_columns = [texts[name] for name in VECTOR_KEYS if name in texts]
        keys: Iterable[tuple[str, ...]] = (
            zip(*key_columns, strict=True) if key_columns else itertools.repeat((), len(lines))
        )
        start = 0
        for key, group in itertools.groupby(keys):
            stop = start + sum(1 for _ in group)
            part = {name: column[start:stop] for name, column in texts.items()}
            yield ClassLines(key, lines[start:stop], part, None if values is None else values[start:stop])
            start = stop

    def _texts(self, line: Line) -> list[str]:
        """Return the fields of a line. Raise InputError if their number differs from the header's."""
        try:
            texts = fields.split_labels(line.text, self.delimiter)
        except fields.FieldError as error:
            raise self.options.field_error(line.number, error) from None
        if len(texts) != len(self.names):
            raise self.options.error(line.number, fields.wrong_field_count(len(texts), len(self.names)))
        return texts

    def _plain_columns(self, batch: LineBatch) -> tuple[list[list[str]], Array] | None:
        """Return the texts of a batch by column, and its numbers; None if the batch is not plain."""
        columns = plain_columns(batch, len(self.names), self.delimiter)
        if columns is None:
            return None
        values = numbers_of(columns[self.names.index(self.quantity)])
        return None if values is None else (columns, values)

    def _vector(self, parts: list[ClassLines]) -> RowGroup:
        """Return one vector, with its classes in the order of their indices if it has any."""
        lines = [line for part in parts for line in part.lines]
        values = np.concatenate([self._values(part) for part in parts])
        labels = [label for part in parts for label in part.columns["label"]]
        if "index" in self.names:
            texts = [index for part in parts for index in part.columns["index"]]
            indices = self._indices(texts, lines)
            if indices != list(range(len(indices))):
                order = np.argsort(indices, kind="stable").tolist()
                values, lines, labels = values[order], [lines[i] for i in order], [labels[i] for i in order]
                if not any(labels) and indices[order[-1]] >= len(order):
                    # Some classes are missing, so the others keep their indices as names.
                    labels = [texts[i] for i in order]
        names = tuple(labels) if any(labels) else None
        keys = [parts[0].columns[ID][0]] if ID in self.names else None
        return RowGroup(values[np.newaxis], lines[:1], names, class_lines=[lines], labels_vary=True, keys=keys)

    def _values(self, part: ClassLines) -> Array:
        if part.values is not None:
            return part.values
        values = []
        for line, text in zip(part.lines, part.columns[self.quantity], strict=True):
            if not fields.is_number(text):
                raise self.options.field_error(line, fields.number_error(text, self.names.index(self.quantity) + 1))
            values.append(fields.number(text))
        return np.array(values)

    def _indices(self, texts: list[str], lines: list[int]) -> list[int]:
        """Return the index of each class. Raise InputError for an invalid or repeated index."""
        seen: set[str] = set()
        for line, index in zip(lines, texts, strict=True):
            if not (index.isdigit() and index.isascii() and len(index) < 10):
                problem = f"expected a whole number of at least 0, got {shortened(index)!r}"
                raise self.options.error(line, problem, self.names.index("index") + 1)
            if index in seen:
                problem = f"the index {index} repeats; add a column row to separate the vectors"
                raise self.options.error(line, problem, self.names.index("index") + 1)
            seen.add(index)
        return list(map(int, texts))


def _joined(vectors: list[RowGroup]) -> Iterator[RowGroup]:
    """Yield consecutive vectors with the same labels as one group."""
    for (_, labels), group in itertools.groupby(vectors, lambda row: (row.values.shape[1], row.labels)):
        run = list(group)
        values, lines = np.concatenate([row.values for row in run]), [row.lines[0] for row in run]
        class_lines = [numbers for row in run for numbers in row.class_lines or ()]
        keys = None if run[0].keys is None else [key for row in run for key in row.keys or ()]
        yield RowGroup(values, lines, labels, class_lines=class_lines, labels_vary=True, keys=keys)
