"""Columns of logits that count the rows, and are therefore probably keys."""

from collections.abc import Iterator

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import joined, shortened
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions

# In fewer rows, logits may count by chance. Whole numbers in columns without names often do.
_MIN_ROWS, _MANY_ROWS = 3, 10


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
        is_column = block.origin.quantity in ("logit", "energy") and not (block.origin.is_binary or block.partial)
        is_open = is_open and is_column and block.labels == labels and numbers.shape[1] == len(first)
        if is_open:
            counting = counting[_count(numbers[:, counting], first[counting], rows)]
            is_open = 0 < len(counting) < len(first)
        if is_open:
            has_fractions |= _has_fractions(np.delete(numbers[:_MANY_ROWS], counting, axis=1))
        rows += len(numbers)
        has_names = labels is not None and options.labels is None
        if is_open and rows >= (_MIN_ROWS if has_names or has_fractions else _MANY_ROWS):
            is_open = False
            names = [repr(shortened(labels[i])) if labels and has_names else f"class #{i}" for i in counting]
            fix = "pass --columns" if has_names else "remove the column"
            options.note(f"{options.source}: {_reading(names, block.origin.quantity)} the rows; {fix} if that is wrong")
        yield block


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
