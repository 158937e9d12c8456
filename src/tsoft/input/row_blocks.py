"""Rows of numbers as they were read, and the blocks that they become."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array, LogitsError
from tsoft.input.quantity import QUANTITIES, to_logits
from tsoft.input.reading import Reading

# So many runs of rows of the same length are worth a block of rows that differ.
MANY_RUNS = 8


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that were read together and share their labels. For messages: the line that each began on,
    and the field of each class or, where it has a line of its own, that. `varies` says that the next
    rows may have other labels. Rows that differ in length have `widths`, and what is beyond is masked.
    `targets` are the indices of the true classes, where these are in a column."""

    values: Array
    lines: Sequence[int]
    labels: tuple[str, ...] | None = None
    fields: Sequence[int] | None = None
    class_lines: Sequence[Sequence[int]] | None = None
    varies: bool = False
    widths: Array | None = None
    targets: Array | None = None

    def pieces(self) -> "list[Rows]":
        """What comes out one by one where something is wrong with one of them."""
        if self.widths is not None:
            return list(runs(self.values[_within(self.widths, self.values.shape[1])], self.widths, self.lines))
        if self.class_lines is None or len(self.lines) == 1:
            return []
        each = zip(self.values, self.lines, self.class_lines, strict=True)
        return [Rows(row[np.newaxis], [line], self.labels, None, [of], self.varies) for row, line, of in each]


def runs(values: Array, widths: Array, lines: Sequence[int]) -> Iterator[Rows]:
    """The rows of numbers that stand in one line, in runs of the same length."""
    starts = np.cumsum(widths) - widths
    bounds = [0, *(np.flatnonzero(np.diff(widths)) + 1).tolist(), len(widths)]
    for first, stop in itertools.pairwise(bounds):
        width, start = int(widths[first]), int(starts[first])
        run = values[start : start + width * (stop - first)].reshape(-1, width)
        yield Rows(run, lines[first:stop], fields=range(1, width + 1))


def padded(values: Array, widths: Array, lines: Sequence[int], mask: float) -> Rows | None:
    """The same in one, where that does not take much more room and there would be many runs."""
    widest = int(widths.max())
    if np.count_nonzero(np.diff(widths)) < MANY_RUNS or widest * len(widths) > 4 * len(values):
        return None
    full = np.full((len(widths), widest), mask)
    full[_within(widths, widest)] = values
    return Rows(full, lines, fields=range(1, widest + 1), widths=widths)


def _within(widths: Array, widest: int) -> Array:
    return np.asarray(np.arange(widest) < widths[:, np.newaxis])


def blocks(batches: Iterable[Iterable[Rows]], reading: Reading, first_row: int = 0) -> Iterator[Block]:
    """The rows as blocks. Raises InputError for the first that has no softmax."""
    for rows in itertools.chain.from_iterable(batches):
        try:
            block = _block(rows, first_row, reading)
        except LogitsError as error:
            if pieces := rows.pieces():
                # Those before the wrong one come out.
                yield from blocks([pieces], reading, first_row)
            row, i = error.row, error.column
            line = rows.lines[row] if i is None or rows.class_lines is None else rows.class_lines[row][i]
            field = None if i is None or rows.fields is None else rows.fields[i]
            raise reading.error(line, error.problem, field) from None
        yield block
        first_row += len(block.logits)


def _block(rows: Rows, first_row: int, reading: Reading) -> Block:
    quantity = reading.quantity or "logit"
    logits = to_logits(rows.values, QUANTITIES[quantity])
    labels = rows.labels
    if reading.labels:
        if labels:
            raise reading.error(rows.lines[0], "the classes are named here; leave out --labels")
        try:
            labels = reading.labels.matching(logits.shape[1])
        except ValueError as error:
            raise reading.error(rows.lines[0], str(error)) from None
    return Block(
        logits,
        labels,
        first_row,
        rows.varies,
        quantity,
        widths=rows.widths,
        targets=rows.targets,
        source=reading.source,
        lines=rows.lines,
    )
