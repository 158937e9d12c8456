"""Reading the long form: a header with `label` and a quantity, then one class per line."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError, joined, shortened
from tsoft.input import fields
from tsoft.input.columns import ID, KEY_COLUMNS
from tsoft.input.lines import Line, LineBatch
from tsoft.input.quantity import QUANTITIES, contradiction
from tsoft.input.read_options import ReadOptions
from tsoft.input.row_groups import (
    BlankLines,
    RowGroup,
    blocks,
    header_delimiter,
    not_empty,
    numbers_of,
    plain_columns,
    without_header,
)

# The columns that identify a vector.
VECTOR_KEYS = (*KEY_COLUMNS, ID)


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
    """Read the long form: a header with `label` and a quantity, then one class per line. The columns `row` and `tau`
    identify the vector, and `index` is the class's index."""
    names = fields.split_labels(first.text, options.delimiter)
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
    if options.targets and not set(names) & {"index", *KEY_COLUMNS}:
        problem = "ambiguous: label may be the class of each line or the target of each row"
        fix = f"pass --columns {quantity} if it is the target, or add a column row if it is the class"
        raise options.error(first.number, f"{problem}; {fix}")
    options = replace(options, quantity=quantity)
    groups = LongForm(names, quantity, delimiter, options).groups(without_header(first, batches))
    error = options.error(first.number, "no classes below the header; add one line per class")
    yield from not_empty(blocks(groups, options), error)


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
        seen: set[tuple[str, ...]] = set()
        blanks = BlankLines("classes", "remove it, or add a column row to separate the distributions", self.options)
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

    def _interrupted(self, part: ClassLines) -> InputError:
        """Return the error for a vector that continues after another one."""
        names = [name for name in VECTOR_KEYS if name in self.names]
        key = ", ".join(f"{name} {shortened(text)}" for name, text in zip(names, part.key, strict=True))
        problem = f"a line of {key} after those of another distribution; keep the lines of a distribution together"
        return self.options.error(part.lines[0], problem)

    def _parts(self, batch: LineBatch, blanks: BlankLines) -> Iterator[ClassLines]:
        """Yield the lines of a batch by vector, parsed column by column if they are plain, else line by line. Blank
        lines are errors if no column separates the vectors."""
        plain = None if blanks.seen else self._plain_columns(batch)
        if plain:
            columns, values = plain
            yield from self._by_vector(columns, range(batch.number, batch.number + len(values)), values)
            return
        has_keys = not set(VECTOR_KEYS).isdisjoint(self.names)
        lines = filter(lambda line: line.text, batch.lines()) if has_keys else blanks.without(batch.lines())
        for line in lines:
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
