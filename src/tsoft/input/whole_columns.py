"""Columns of logits with whole numbers next to columns with fractions, which are probably predictions or the like."""

from collections.abc import Iterator

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import listed
from tsoft.input.counting_columns import MANY_ROWS, MIN_ROWS, column_fix, column_names, has_columns
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions

# A note is wrong for at most this share of the tables whose columns all have the same share of whole numbers.
_LEVEL = 0.01
_MAX_LISTED = 8


def noting_whole_columns(blocks: Iterator[Block], options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of an input. Print a note if some columns have only whole numbers in the first rows, although
    the others have fractions."""
    first: list[Block] = []
    is_open, rows = options.columns.logits is None, 0
    for block in blocks:
        if is_open:
            first.append(block.part(0, min(len(block.logits), MANY_ROWS - rows)))
            rows += len(first[-1].logits)
            is_open = _is_column(block, first[0]) and rows < MANY_ROWS
            if rows == MANY_ROWS:
                _note(first, options)
        yield block
    if is_open and first:
        _note(first, options)


def _is_column(block: Block, first: Block) -> bool:
    """Return whether each logit of a block is in the column of the same class in the first one."""
    return has_columns(block) and block.labels == first.labels and block.logits.shape[1] == first.logits.shape[1]


def _note(blocks: list[Block], options: ReadOptions) -> None:
    """Print a note on the columns of the first rows that have only whole numbers."""
    if not all(_is_column(block, blocks[0]) for block in blocks):
        return
    numbers, labels = np.concatenate([block.logits for block in blocks]), blocks[0].labels
    has_names = labels is not None and options.labels is None
    if len(numbers) < (MIN_ROWS if has_names else MANY_ROWS):
        return
    columns = [int(i) for i in _whole_columns(numbers)]
    if labels and has_names:
        columns = [i for i in columns if labels[i] not in blocks[0].origin.doubtful]
    if columns:
        names = column_names(columns, labels if has_names else None)
        quantity = QUANTITIES[blocks[0].origin.quantity]
        kind, verb = (quantity.noun, "it has") if len(columns) == 1 else (quantity.plural, "they have")
        reading = f"tsoft reads {listed(names, _MAX_LISTED)} as {kind}, but {verb} only whole numbers in the first rows"
        options.note(f"{options.source}: {reading}; {column_fix(has_names)} if that is wrong")


def _whole_columns(numbers: Array) -> Array:
    """Return the columns of (rows, n) numbers that have only whole ones, if chance is no explanation.

    A class whose logit is always the same may be masked, or the one that the others are compared with. A column that
    counts the rows has another note.
    """
    is_finite = np.isfinite(numbers)
    is_whole = np.where(is_finite, numbers, 0.5) % 1 == 0
    others = (is_finite & ~is_whole).any(axis=0)
    counts = (numbers == numbers[0] + np.arange(len(numbers))[:, np.newaxis]).all(axis=0) & np.isin(numbers[0], (0, 1))
    found = np.flatnonzero(is_whole.all(axis=0) & (numbers != numbers[0]).any(axis=0) & ~counts)
    share = (is_whole[:, others].sum() + 1) / (is_finite[:, others].sum() + 2)
    is_unlikely = numbers.shape[1] * share ** len(numbers) < _LEVEL
    return found if len(found) <= np.count_nonzero(others) and is_unlikely else found[:0]
