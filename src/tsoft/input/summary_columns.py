"""Columns that are the highest, the lowest or the sum of the others, and are therefore probably not classes."""

import numpy as np

from tsoft.core.softmax import Array
from tsoft.input.first_rows import MANY_ROWS, MIN_ROWS, FirstRows
from tsoft.input.read_options import ReadOptions

# Programs that summarize more classes in another column are rare, and sorting so many takes time.
_MOST_CLASSES = 1000
# A sum may have been rounded, but rarely to so few digits.
_ROUNDING = 1e-6


def note_summary_columns(rows: FirstRows, options: ReadOptions) -> None:
    """Print a note if a column with a name is the highest, the lowest or the sum of the others in the first rows."""
    numbers = rows.numbers
    if rows.names is None or not 2 < numbers.shape[1] <= _MOST_CLASSES:
        return
    summary = _summary(numbers[np.isfinite(numbers).all(axis=1)])
    if summary is not None:
        name, column = summary
        rows.note_columns(rows.unnoted([column]), f"it is the {name} of the others in the first rows", options)


def _summary(numbers: Array) -> tuple[str, int] | None:
    """Return what a column is in all rows of (rows, n) numbers, and its index, if no other column is the same."""
    if not len(numbers):
        return None
    ordered = np.sort(numbers, axis=1)
    # The sum of the numbers themselves may overflow.
    scaled = numbers / np.maximum(np.abs(numbers).max(axis=1, keepdims=True), 1)
    total, size = scaled.sum(axis=1, keepdims=True), np.abs(scaled).sum(axis=1, keepdims=True)
    # A column has the highest number of the others if at least two columns have the highest of all.
    summaries = {
        "highest": (numbers == ordered[:, -1:]) & (ordered[:, -1:] == ordered[:, -2:-1]),
        "lowest": (numbers == ordered[:, :1]) & (ordered[:, :1] == ordered[:, 1:2]),
        "sum": np.abs(total - 2 * scaled) <= _ROUNDING * size,
    }
    for name, is_summary in summaries.items():
        found = [int(i) for i in np.flatnonzero(is_summary.all(axis=0))]
        if len(found) == 1 and not _may_be_chance(numbers[:, found[0]]):
            return name, found[0]
    return None


def _may_be_chance(column: Array) -> bool:
    """Return whether a column may be a summary by chance, as whole numbers in a few rows are."""
    different = np.unique(column)
    has_fractions = np.count_nonzero(different % 1) >= MIN_ROWS
    return not has_fractions and (len(different) < MIN_ROWS or len(column) < MANY_ROWS)
