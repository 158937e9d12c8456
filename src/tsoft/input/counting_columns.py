"""Columns of logits that count the rows, and are therefore probably keys."""

import shlex
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array
from tsoft.errors import joined, shortened
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions

# In fewer rows, logits may count by chance. Whole numbers in columns without names often do.
MIN_ROWS, MANY_ROWS = 3, 10


def noting_counts(blocks: Iterator[Block], options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of an input. Print a note if some columns of its numbers count the first rows from 0 or 1."""
    rows, labels, first, counting = 0, None, np.empty(0), np.empty(0, np.intp)
    is_open, has_fractions = options.columns.logits is None, False
    for block in blocks:
        numbers = -block.logits if block.origin.quantity == "energy" else block.logits
        if rows == 0:
            labels, first = block.labels, numbers[0]
            counting = np.flatnonzero((first == 0) | (first == 1))
        # Another block may have other classes.
        is_open = is_open and has_columns(block) and block.labels == labels and numbers.shape[1] == len(first)
        if is_open:
            counting = counting[_count(numbers[:, counting], first[counting], rows)]
            is_open = 0 < len(counting) < len(first)
        if is_open:
            has_fractions |= _has_fractions(np.delete(numbers[:MANY_ROWS], counting, axis=1))
        rows += len(numbers)
        has_names = labels is not None and options.labels is None
        if is_open and rows >= (MIN_ROWS if has_names or has_fractions else MANY_ROWS):
            is_open = False
            _note(counting, labels if has_names else None, block.origin, options)
        yield block


def has_columns(block: Block) -> bool:
    """Return whether a block has the columns of a table or of an array."""
    return block.origin.quantity in ("logit", "energy") and not (block.origin.is_binary or block.partial)


def column_names(columns: Iterable[int], labels: Sequence[str] | None) -> list[str]:
    """Return the names of columns for messages; their indices without labels."""
    return [f"class #{i}" if labels is None else repr(shortened(labels[i])) for i in columns]


def column_fix(has_names: bool) -> str:
    """Return what to do about a column that may not contain logits."""
    return "pass --columns" if has_names else "remove the column"


def _note(counting: Array, labels: Sequence[str] | None, origin: Origin, options: ReadOptions) -> None:
    """Print a note on the columns that count, except those that another note has named."""
    columns = [i for i in counting if labels is None or labels[i] not in origin.doubtful]
    if columns:
        fix = f"{column_fix(labels is not None)} if that is wrong"
        if labels is not None and len(columns) == 1:
            noun, name = QUANTITIES[origin.quantity].noun, labels[columns[0]]
            fix = f"if it is not {noun}, pass --id-column {shlex.quote(name)}"
        options.note(f"{options.source}: {_reading(column_names(columns, labels), origin.quantity)} the rows; {fix}")


def _reading(names: list[str], quantity: str) -> str:
    """Return how tsoft reads columns, and what they do."""
    if len(names) == 1:
        return f"tsoft reads {names[0]} as {QUANTITIES[quantity].noun}, but it counts"
    return f"tsoft reads {joined(names)} as {QUANTITIES[quantity].plural}, but they count"


def _has_fractions(numbers: Array) -> bool:
    return bool((numbers[np.isfinite(numbers)] % 1 != 0).any())


def _count(columns: Array, first: Array, rows: int) -> Array:
    """Return whether each column, (rows, n), counts the rows from its first number, after this many rows."""
    numbers = np.arange(rows, rows + len(columns))[:, np.newaxis]
    return np.asarray((columns == first + numbers).all(axis=0))
