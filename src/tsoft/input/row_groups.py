"""Rows of numbers from a text, and the blocks that they become."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError
from tsoft.errors import InputError
from tsoft.input import fast_numbers, fields
from tsoft.input.lines import Line, LineBatch
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions

# Rows whose length changes at least this often become one padded block, not one block per run of equal lengths.
MANY_RUNS = 8


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
    (rows,), are the indices of the true classes, and `keys` the keys of the rows, if columns have them.
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

    def parts(self) -> "list[RowGroup]":
        """Return smaller groups with the same rows, to find the rows before a wrong one; empty if this is the
        smallest."""
        if self.widths is not None:
            return list(runs(self.values[_within(self.widths, self.values.shape[1])], self.widths, self.lines))
        if self.class_lines is None or len(self.lines) == 1:
            return []
        return [
            replace(
                self,
                values=self.values[i : i + 1],
                lines=self.lines[i : i + 1],
                class_lines=[class_lines],
                targets=None if self.targets is None else self.targets[i : i + 1],
                keys=None if self.keys is None else self.keys[i : i + 1],
            )
            for i, class_lines in enumerate(self.class_lines)
        ]

    def block(self, first_row: int, options: ReadOptions) -> Block:
        """Return the rows as a block. Raise LogitsError for a number that is out of range."""
        quantity = options.quantity or "logit"
        where = f"{options.source}:{self.lines[0]}"
        logits, labels = options.logits(self.values, QUANTITIES[quantity], self.labels, where)
        is_binary = logits.shape != self.values.shape
        origin = Origin(quantity, None, self.labels_vary, options.source, self.lines, is_binary)
        return Block(logits, labels, first_row, origin, self.widths, self.targets, keys=self.keys)


def runs(values: Array, widths: Array, lines: Sequence[int]) -> Iterator[RowGroup]:
    """Yield consecutive rows of the same length as groups. `values` has the numbers of all rows in sequence."""
    starts = np.cumsum(widths) - widths
    bounds = [0, *(np.flatnonzero(np.diff(widths)) + 1).tolist(), len(widths)]
    for first, stop in itertools.pairwise(bounds):
        width, start = int(widths[first]), int(starts[first])
        run = values[start : start + width * (stop - first)].reshape(-1, width)
        yield RowGroup(run, lines[first:stop], class_fields=range(1, width + 1))


def padded(values: Array, widths: Array, lines: Sequence[int], mask: float) -> RowGroup | None:
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


def blocks(groups: Iterable[RowGroup], options: ReadOptions, first_row: int = 0) -> Iterator[Block]:
    """Yield the groups as blocks. Raise InputError for the first row that has no softmax."""
    first_width: int | None = None
    for group in groups:
        first_width = first_width or group.values.shape[1]
        try:
            block = group.block(first_row, options.for_width(group.values.shape[1], first_width))
        except LogitsError as error:
            # Yield the rows before the wrong one.
            yield from blocks(group.parts(), options, first_row)
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


def not_empty(blocks: Iterator[Block], error: InputError) -> Iterator[Block]:
    """Yield the blocks. Raise the error if there is no block."""
    first = next(blocks, None)
    if first is None:
        raise error
    yield first
    yield from blocks


class RowParser(Protocol):
    """Parses the rows of a layout. `class_fields` are the fields of the classes, None if they vary."""

    class_fields: Sequence[int] | None

    def row(self, line: Line) -> ParsedRow:
        """Parse one line. Raise FieldError."""

    def groups(self, batch: LineBatch) -> list[RowGroup] | None:
        """Parse a batch of plain lines; return None for another batch."""

    def check_comments(self, batch: LineBatch) -> None:
        """Raise InputError for a comment that looks like a row."""


@dataclass
class BlankLines:
    """Blank lines, which are errors between two lines with numbers, and ignored at the end. `between` are the things
    that they separate, and `fix` is what to do. `seen` is the first blank line, which may still be at the end."""

    between: str
    fix: str
    options: ReadOptions
    seen: int | None = None

    def without(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield the lines that are not blank. Raise InputError for a blank line before one of them."""
        for line in lines:
            if not line.text:
                self.seen = self.seen or line.number
                continue
            if self.seen:
                raise self.options.error(self.seen, f"blank line between two {self.between}; {self.fix}")
            yield line


def parsed_groups(parser: RowParser, batches: Iterable[LineBatch], options: ReadOptions) -> Iterator[RowGroup]:
    """Yield the rows of all lines. A blank line between two rows is an error; at the end it is ignored."""
    blanks = BlankLines("rows", "remove it", options)
    for batch in batches:
        parser.check_comments(batch)
        if not blanks.seen and (groups := parser.groups(batch)) is not None:
            yield from groups
            continue
        rows = []
        for line in blanks.without(batch.lines()):
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


def plain_columns(batch: LineBatch, width: int, delimiter: str | None) -> list[list[str]] | None:
    """Return the texts of a batch of lines of `width` fields by column; None if it has quotes, escapes or comments, or
    a line with another number of fields."""
    text = batch.plain_text()
    if text is None or delimiter is None or any(special in text for special in '"\\#'):
        return None
    # The slower parser finds decimal commas.
    if delimiter == "," and (";" in text or "\t" in text):
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


def check_labeled_comments(
    batch: LineBatch, delimiter: str | None, width: int, numbers: Sequence[int], noun: str, options: ReadOptions
) -> None:
    """Raise InputError for a comment that looks like the line of a class or a row, as `noun` calls it: `#,1`, with
    `width` fields, some of which are numbers."""
    for line, text in batch.comments():
        if fields.is_pair(text) and width == 2 and len(text.split()) == 1:
            fix = f"write {fields.quote(text.rpartition('=')[0])} and the number, with a space between them,"
        elif _has_numbers(text, delimiter, width, numbers):
            fix = "write the first field in quotes"
        else:
            continue
        raise options.error(line, f"a line that starts with # is a comment; {fix} if it is a {noun}")


def _has_numbers(text: str, delimiter: str | None, width: int, numbers: Sequence[int]) -> bool:
    """Return whether a text has `width` fields, of which the first has no blanks, and these are numbers."""
    try:
        texts = fields.split_labels(text, delimiter)
    except fields.FieldError:
        return False
    return len(texts) == width and " " not in texts[0] and all(fields.is_number(texts[i]) for i in numbers)


def header_delimiter(header: Line) -> str | None:
    """Return the delimiter of a header; None if blanks separate its fields."""
    return fields.found_delimiter(header.text)


def without_header(header: Line, batches: Iterator[LineBatch]) -> Iterator[LineBatch]:
    """Yield the batches, which start with the header, without the header."""
    if rest := next(batches).since(header.number + 1):
        yield rest
    yield from batches
