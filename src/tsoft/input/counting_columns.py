"""Columns of logits that count the rows, and are therefore probably keys."""

from collections.abc import Iterator

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import joined, shortened
from tsoft.input.read_options import ReadOptions

# In fewer rows, logits may count by chance.
_MIN_ROWS = 3


def noting_counts(blocks: Iterator[Block], options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a table. Print a note if some of its named columns count the first rows from 0 or 1."""
    rows, labels, first, counting = 0, None, np.empty(0), np.empty(0, np.intp)
    is_open = options.columns.logits is None
    for block in blocks:
        if rows == 0:
            labels, first = block.labels, block.logits[0]
            counting = np.flatnonzero((first == 0) | (first == 1))
        # Another block may have other classes.
        is_column = block.origin.quantity == "logit" and not block.origin.is_binary
        is_open = is_open and is_column and labels is not None and block.labels == labels
        if is_open:
            counting = counting[_count(block.logits[:, counting], first[counting], rows)]
            is_open = 0 < len(counting) < block.logits.shape[1]
        rows += len(block.logits)
        if is_open and rows >= _MIN_ROWS and labels is not None:
            is_open = False
            names = joined([repr(shortened(labels[i])) for i in counting])
            verbs = ("is read as a logit, but counts", "are read as logits, but count")[len(counting) > 1]
            options.note(f"{options.source}: {names} {verbs} the rows; pass --columns if that is wrong")
        yield block


def _count(columns: Array, first: Array, rows: int) -> Array:
    """Return whether each column, (rows, n), counts the rows from its first number, after this many rows."""
    numbers = np.arange(rows, rows + len(columns))[:, np.newaxis]
    return np.asarray((columns == first + numbers).all(axis=0))
