"""Columns of logits with whole numbers next to columns with fractions, which are probably predictions or the like; or
a single column with fractions, which is probably a score next to labels."""

import numpy as np

from tsoft.core.softmax import Array
from tsoft.input.counting_columns import are_counting
from tsoft.input.first_rows import MANY_ROWS, MIN_ROWS, FirstRows
from tsoft.input.read_options import ReadOptions

# A note is wrong for at most this share of the tables whose columns all have the same share of whole numbers.
_LEVEL = 0.01


def note_whole_columns(rows: FirstRows, options: ReadOptions) -> None:
    """Print a note if some columns have only whole numbers in the first rows, although the others have fractions; or on
    the only one with fractions, since each of several others may be a label."""
    is_long = len(rows.logits) >= (MANY_ROWS if rows.names is None else MIN_ROWS)
    if is_long and rows.may_be_whole:
        whole, others = _whole_columns(rows.numbers)
        if len(whole) <= len(others):
            columns = rows.unnoted(whole)
            reason = "it has" if len(columns) == 1 else "they have"
        else:
            columns, reason = rows.unnoted(others) if len(others) == 1 else [], "the others have"
        rows.note_columns(columns, f"{reason} only whole numbers in the first rows", options)


def _whole_columns(numbers: Array) -> tuple[Array, Array]:
    """Return the columns of (rows, n) numbers that have only whole ones, if chance is no explanation, and those with
    fractions.

    A class whose logit is always the same may be masked, or the one that the others are compared with. A column that
    counts the rows has another note.
    """
    is_finite = np.isfinite(numbers)
    is_whole = np.where(is_finite, numbers, 0.5) % 1 == 0
    others = (is_finite & ~is_whole).any(axis=0)
    found = np.flatnonzero(is_whole.all(axis=0) & (numbers != numbers[0]).any(axis=0) & ~are_counting(numbers))
    share = (is_whole[:, others].sum() + 1) / (is_finite[:, others].sum() + 2)
    is_unlikely = numbers.shape[1] * share ** len(numbers) < _LEVEL
    return (found if is_unlikely else found[:0]), np.flatnonzero(others)
