"""Reading the long form: a header with `label` and a quantity, then one class per line."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError, joined, shortened
from tsoft.input import fields
from tsoft.input.class_lookup import TargetLookup
from tsoft.input.columns import ID, KEY_COLUMNS, LABEL, TARGET
from tsoft.input.labels import first_repeated, repeats
from tsoft.input.lines import Line, LineBatch
from tsoft.input.quantity import QUANTITIES, contradiction
from tsoft.input.read_options import ReadOptions
from tsoft.input.row_groups import (
    BlankLines,
    RowGroup,
    blocks,
    check_labeled_comments,
    header_delimiter,
    not_empty,
    numbers_of,
    plain_columns,
    without_header,
)
from tsoft.input.table_columns import is_class_number, is_key_name

INDEX = "index"
# The columns that identify a vector. Others with the name of a key may do so, too.
VECTOR_KEYS = (*KEY_COLUMNS, ID)
LONG_FORM_COLUMNS = {LABEL, INDEX, *VECTOR_KEYS, *QUANTITIES}
# Columns in which programs number the lines.
_LINE_NUMBER = re.compile(r"|unnamed: ?\d+|row[\s_.-]?names?|__index_level_\d+__", re.IGNORECASE)


def is_long_form(header: Sequence[str], options: ReadOptions) -> bool:
    """Return whether a header is that of the long form. If tsoft wrote it, its further columns are classes."""
    names, chosen = _known_names(header, options), _chosen(options)
    if LABEL not in names or len(names) < 2 or options.columns.logits is not None or not chosen <= {*header}:
        return False
    others = {*names} - LONG_FORM_COLUMNS
    is_written = {*KEY_COLUMNS[:2]} <= {*names}
    has_numbers = not {*QUANTITIES}.isdisjoint(names)
    are_known = all(name in {TARGET, *chosen} or is_key_name(name) or not name for name in others)
    return chosen.isdisjoint({LABEL, *QUANTITIES}) and (not others or (are_known and has_numbers and not is_written))


def _chosen(options: ReadOptions) -> set[str | None]:
    """Return the columns that options name as the key or the target."""
    return {options.columns.key, options.targets.column if options.targets else None} - {None}


def _known_names(header: Sequence[str], options: ReadOptions) -> list[str]:
    """Return the names of columns, in lower case if they are those of the long form, unless options name them."""
    known, chosen = {TARGET, *LONG_FORM_COLUMNS}, _chosen(options)
    return [name.lower() if name.lower() in known and name not in chosen else name for name in header]


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


def read_long_form(first: Line, batches: Iterator[LineBatch], options: ReadOptions) -> Iterator[Block]:
    """Read the long form: a header with `label` and a quantity, then one class per line. The columns `row` and `tau`,
    and those with the names of keys, identify the vector, and `index` is the class's index."""
    names = _known_names(fields.split_labels(first.text, options.delimiter), options)
    repeated = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if repeated is not None:
        raise options.error(first.number, f"the header has two columns called {repeated!r}; remove or rename one")
    quantities = [name for name in names if name in QUANTITIES]
    if not quantities:
        *others, last = QUANTITIES
        raise options.error(first.number, f"the header has no numbers; add a column {', '.join(others)} or {last}")
    quantity = options.quantity if options.quantity in quantities else quantities[0]
    if ignored := [name for name in quantities if name != quantity]:
        options.note(
            f"{options.source}: tsoft reads the column {quantity!r} and ignores {joined([*map(repr, ignored)])}"
        )
    if options.quantity is not None and options.quantity != quantity:
        raise options.error(first.number, contradiction(f"column {quantity!r}", quantity, options.quantity))
    delimiter = options.delimiter or header_delimiter(first)
    columns = _columns(names, quantity, options)
    problem = "ambiguous: label may be the class of each line or the target of each row"
    key = "pass --id-column" if KEY_COLUMNS[0] in names else "add a column row"
    fix = f"pass --columns {quantity} if it is the target, or {key} if it is the class"
    ambiguous = options.error(first.number, f"{problem}; {fix}")
    if options.targets and columns.target is None and not set(names) & {INDEX, *KEY_COLUMNS}:
        raise ambiguous
    options = replace(options, quantity=quantity)
    form, batches = LongForm(columns, delimiter, options), without_header(first, batches)
    if options.targets is not None or not {*filter(is_key_name, names)} <= {INDEX, *VECTOR_KEYS, options.columns.key}:
        batches = form.checked(batches, ambiguous)
    elif columns.keys == (ID,) and options.columns.key is None:
        batches = form.with_several_classes(batches, ambiguous)
    error = options.error(first.number, "no classes below the header; add one line per class")
    yield from not_empty(blocks(form.groups(batches), options), error)


@dataclass(frozen=True)
class LongColumns:
    """The columns of the long form: all `names`, the one of the numbers, `quantity`, those that identify a vector,
    `keys`, and the `target` if the true classes are to be read."""

    names: list[str]
    quantity: str
    keys: tuple[str, ...]
    target: str | None

    def field(self, name: str) -> int:
        """Return the place of a column in a line, from 1."""
        return self.names.index(name) + 1


def _columns(names: list[str], quantity: str, options: ReadOptions) -> LongColumns:
    """Return the columns of the long form, with a note that names each guess."""
    target = (options.targets.column or TARGET) if options.targets and options.reads_targets else None
    target = target if target in names else None
    others = [name for name in names if name not in {LABEL, INDEX, target, *QUANTITIES}]
    is_certain = options.columns.key is not None or KEY_COLUMNS[0] in names
    certain = {*KEY_COLUMNS, options.columns.key or ID}
    keys = [name for name in others if name in certain or not (is_certain or name == TARGET or _is_of_line(name))]
    guessed = [name for name in keys if name not in (*VECTOR_KEYS, options.columns.key)]
    ignored = [name for name in others if name not in keys]
    parts = [f"{_quoted(guessed)} as the row ids"] if guessed else []
    if target and not (options.targets and options.targets.column):
        parts.append(f"{_quoted([target])} as the true classes")
    actions = [f"reads {joined(parts)}"] * bool(parts) + [f"ignores {_quoted(ignored)}"] * bool(ignored)
    if actions:
        fix = f"pass --columns {quantity} if each line is a row"
        options.note(f"{options.source}: tsoft {' and '.join(actions)}; {fix}")
    return LongColumns(names, quantity, tuple(keys), target)


def _is_of_line(name: str) -> bool:
    """Return whether a column numbers the lines, or contains the class of each line, and so is not a key."""
    return _LINE_NUMBER.fullmatch(name) is not None or is_class_number(name)


def _quoted(names: Sequence[str]) -> str:
    return joined([repr(shortened(name)) if name else "the unnamed column" for name in names])


@dataclass(frozen=True)
class LongForm:
    """The long form below its header. The `delimiter` is None if each line determines its delimiter."""

    columns: LongColumns
    delimiter: str | None
    options: ReadOptions

    def checked(self, batches: Iterator[LineBatch], error: InputError) -> Iterator[LineBatch]:
        """Return the batches. Raise the error if the first vector has a single class, or another error if it continues
        after the others."""
        seen: list[LineBatch] = []

        def parts() -> Iterator[ClassLines]:
            for batch in batches:
                seen.append(batch)
                yield from self._parts(batch, self._blank_lines())

        rest = parts()
        first, second = next(rest, None), next(rest, None)
        while first and second and second.key == first.key and len(first.lines) == 1:
            first, second = replace(first, lines=[*first.lines, *second.lines]), next(rest, None)
        if first and len(first.lines) == 1:
            again = next((part for part in rest if part.key == first.key), None)
            raise self._interrupted(again) if again else error
        return itertools.chain(seen, batches)

    def with_several_classes(self, batches: Iterator[LineBatch], error: InputError) -> Iterator[LineBatch]:
        """Return the batches. Raise the error if there are several vectors, each with a single class."""
        seen: list[LineBatch] = []
        keys: set[tuple[str, ...]] = set()
        for batch in batches:
            seen.append(batch)
            for part in self._parts(batch, self._blank_lines()):
                if len(part.lines) > 1 or part.key in keys:
                    return itertools.chain(seen, batches)
                keys.add(part.key)
        if len(keys) > 1:
            raise error
        return iter(seen)

    def groups(self, batches: Iterable[LineBatch]) -> Iterator[RowGroup]:
        """Yield the vectors that are complete after each batch. A vector is complete when the next one starts, or at
        the end. The vectors before an error are yielded first."""
        unfinished: list[ClassLines] = []
        seen: set[tuple[str, ...]] = set()
        blanks = self._blank_lines()
        for batch in batches:
            vectors: list[RowGroup] = []
            try:
                for part in self._parts(batch, blanks):
                    if unfinished and unfinished[0].key != part.key:
                        seen.add(unfinished[0].key)
                        vectors.append(self._vector(unfinished))
                        unfinished = []
                        if part.key in seen:
                            raise self._interrupted(part)
                    unfinished.append(part)
            except InputError:
                yield from _joined(vectors)
                raise
            yield from _joined(vectors)
        if unfinished:
            yield self._vector(unfinished)

    def _blank_lines(self) -> BlankLines:
        return BlankLines("classes", "remove it, or add a column row to separate the distributions", self.options)

    def _interrupted(self, part: ClassLines) -> InputError:
        """Return the error for a vector that continues after another one."""
        named = zip(self.columns.keys, part.key, strict=True)
        key = ", ".join(f"{name} {shortened(text)}" for name, text in named)
        problem = f"a line of {key} after those of another distribution; keep the lines of a distribution together"
        fix = f", for example by sorting them by {joined(self.columns.keys)}"
        return self.options.error(part.lines[0], problem + fix)

    def _parts(self, batch: LineBatch, blanks: BlankLines) -> Iterator[ClassLines]:
        """Yield the lines of a batch by vector, parsed column by column if they are plain, else line by line. Blank
        lines are errors if no column separates the vectors."""
        plain = None if blanks.seen else self._plain_columns(batch)
        if plain:
            columns, values = plain
            yield from self._by_vector(columns, range(batch.number, batch.number + len(values)), values)
            return
        self._check_comments(batch)
        lines = filter(lambda line: line.text, batch.lines()) if self.columns.keys else blanks.without(batch.lines())
        for line in lines:
            yield from self._by_vector([[text] for text in self._texts(line)], [line.number], None)

    def _check_comments(self, batch: LineBatch) -> None:
        """Raise InputError for a comment that looks like a line whose first field is a label or a key."""
        names, quantity = self.columns.names, self.columns.quantity
        if names[0] not in (INDEX, *KEY_COLUMNS, *QUANTITIES):
            width, number = len(names), names.index(quantity)
            check_labeled_comments(batch, self.delimiter, width, [number], "class", self.options)

    def _by_vector(
        self, columns: Sequence[Sequence[str]], lines: Sequence[int], values: Array | None
    ) -> Iterator[ClassLines]:
        """Yield consecutive lines with the same key."""
        texts = dict(zip(self.columns.names, columns, strict=True))
        key_columns = [texts[name] for name in self.columns.keys]
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
        width = len(self.columns.names)
        if len(texts) != width:
            raise self.options.error(line.number, fields.wrong_field_count(len(texts), width))
        return texts

    def _plain_columns(self, batch: LineBatch) -> tuple[list[list[str]], Array] | None:
        """Return the texts of a batch by column, and its numbers; None if the batch is not plain."""
        columns = plain_columns(batch, len(self.columns.names), self.delimiter)
        if columns is None:
            return None
        values = numbers_of(columns[self.columns.names.index(self.columns.quantity)])
        return None if values is None else (columns, values)

    def _vector(self, parts: list[ClassLines]) -> RowGroup:
        """Return one vector, with its classes in the order of their indices if it has any."""
        lines = [line for part in parts for line in part.lines]
        values = np.concatenate([self._values(part) for part in parts])
        labels = [label for part in parts for label in part.columns[LABEL]]
        if INDEX in self.columns.names:
            texts = [index for part in parts for index in part.columns[INDEX]]
            indices = self._indices(texts, lines)
            if indices != list(range(len(indices))):
                order = np.argsort(indices, kind="stable").tolist()
                values, lines, labels = values[order], [lines[i] for i in order], [labels[i] for i in order]
                if not any(labels) and indices[order[-1]] >= len(order):
                    # Some classes are missing, so the others keep their indices as names.
                    labels = [texts[i] for i in order]
        else:
            self._check_labels(labels, lines)
        names = tuple(labels) if any(labels) else None
        named = [name for name in self.columns.keys if name not in KEY_COLUMNS]
        keys = [", ".join(parts[0].columns[name][0] for name in named)] if named else None
        targets = None if self.columns.target is None else np.array([self._target(parts, names, self.columns.target)])
        return RowGroup(
            values[np.newaxis], lines[:1], names, class_lines=[lines], labels_vary=True, targets=targets, keys=keys
        )

    def _target(self, parts: list[ClassLines], labels: tuple[str, ...] | None, column: str) -> int:
        """Return the index of the true class of a vector, which all its lines name."""
        texts = [text for part in parts for text in part.columns[column]]
        lines = [line for part in parts for line in part.lines]
        line = next((line for line, text in zip(lines, texts, strict=True) if text != texts[0]), lines[0])
        names = self.options.labels.names if self.options.labels else labels
        ignored = self.options.targets.ignored if self.options.targets else None
        try:
            if line != lines[0]:
                raise ValueError(f"the target is not that of line {lines[0]}, which has the same distribution")
            return TargetLookup(names, len(texts), ignored).index(texts[0])
        except ValueError as error:
            raise self.options.error(line, str(error), self.columns.field(column)) from None

    def _values(self, part: ClassLines) -> Array:
        if part.values is not None:
            return part.values
        values = []
        for line, text in zip(part.lines, part.columns[self.columns.quantity], strict=True):
            if not fields.is_number(text):
                error = fields.number_error(text, self.columns.field(self.columns.quantity))
                raise self.options.field_error(line, error)
            values.append(fields.number(text))
        return np.array(values)

    def _check_labels(self, labels: list[str], lines: list[int]) -> None:
        """Raise InputError for the first label that repeats, if the lines are rather those of several vectors."""
        repeated = first_repeated(labels)
        if repeated is not None:
            problem = f"{repeats(labels[repeated])}; add a column row to separate the distributions, or"
            fix = f"index if classes share a label, or pass --columns {self.columns.quantity} if each line is a row"
            raise self.options.error(lines[repeated], f"{problem} {fix}", self.columns.field(LABEL))

    def _indices(self, texts: list[str], lines: list[int]) -> list[int]:
        """Return the index of each class. Raise InputError for an invalid or repeated index."""
        seen: set[str] = set()
        for line, index in zip(lines, texts, strict=True):
            if not (index.isdigit() and index.isascii() and len(index) < 10):
                problem = f"expected a whole number of at least 0, got {shortened(index)!r}"
                raise self.options.error(line, problem, self.columns.field(INDEX))
            if index in seen:
                problem = f"the index {index} repeats; add a column row to separate the vectors"
                raise self.options.error(line, problem, self.columns.field(INDEX))
            seen.add(index)
        return list(map(int, texts))


def _joined(vectors: list[RowGroup]) -> Iterator[RowGroup]:
    """Yield consecutive vectors with the same labels as one group."""
    for (_, labels), group in itertools.groupby(vectors, lambda row: (row.values.shape[1], row.labels)):
        run = list(group)
        values, lines = np.concatenate([row.values for row in run]), [row.lines[0] for row in run]
        class_lines = [numbers for row in run for numbers in row.class_lines or ()]
        keys = None if run[0].keys is None else [key for row in run for key in row.keys or ()]
        parts = [row.targets for row in run if row.targets is not None]
        targets = np.concatenate(parts) if parts else None
        yield RowGroup(values, lines, labels, class_lines=class_lines, labels_vary=True, targets=targets, keys=keys)
