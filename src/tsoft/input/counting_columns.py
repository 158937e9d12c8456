"""Columns of logits that count the rows, and are therefore probably row ids."""

import shlex

import numpy as np

from tsoft.core.softmax import Array
from tsoft.input.first_rows import MANY_ROWS, MIN_ROWS, FirstRows
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions


def note_counting_columns(rows: FirstRows, options: ReadOptions) -> None:
    """Print a note if some columns, but not all, count the first rows from 0 or 1."""
    counts = are_counting(rows.numbers)
    others = rows.numbers[:, ~counts]
    has_fractions = bool((others[np.isfinite(others)] % 1 != 0).any())
    is_long = len(others) >= (MANY_ROWS if rows.names is None and not has_fractions else MIN_ROWS)
    columns = rows.unnoted(np.flatnonzero(counts)) if rows.may_be_whole and others.size and is_long else []
    fix = ""
    if rows.names is not None and len(columns) == 1:
        noun = QUANTITIES[rows.origin.quantity].noun
        fix = f"if it is not {noun}, pass --id-column {shlex.quote(rows.names[columns[0]])}"
    rows.note_columns(columns, f"{'it counts' if len(columns) == 1 else 'they count'} the rows", options, fix)


def are_counting(numbers: Array) -> Array:
    """Return whether each column of (rows, n) numbers counts the rows from 0 or 1: (n,) booleans.

    >>> are_counting(np.array([[1, 0.5], [2, 1.5]]))
    array([ True, False])
    """
    counts = numbers[0] + np.arange(len(numbers))[:, np.newaxis]
    return np.asarray((numbers == counts).all(axis=0) & np.isin(numbers[0], (0, 1)))
