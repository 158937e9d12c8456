"""Rows of logits that look like probabilities or percentages."""

import numpy as np

from tsoft.core.softmax import Array

# Numbers from 0 to 1 look like probabilities if they sum to 1 within SUM_TOLERANCE, and those from 0 to 100 like
# percentages within PERCENT_TOLERANCE, relative to 100. For numbers rounded to one of these numbers of DECIMALS, the
# tolerance is the sum of their rounding errors if that is larger, up to MOST_ROUNDING.
SUM_TOLERANCE, PERCENT_TOLERANCE, MOST_ROUNDING, DECIMALS = 0.02, 0.005, 0.25, (1, 2, 3)


def count_probabilities(z: Array, decimals: tuple[int, ...] = DECIMALS) -> int:
    """Count the rows of numbers, (rows, n), from 0 to 1 that sum to 1, up to rounding by half a unit of the last
    decimal.

    >>> count_probabilities(np.array([[0.7, 0.3], [0.7, 0.4], [2, -1]]))
    2
    """
    candidates = z[(z >= 0).all(1)]
    return _count(candidates[candidates.max(1) <= 1], decimals, SUM_TOLERANCE)


def count_percentages(z: Array, decimals: tuple[int, ...] = DECIMALS) -> int:
    """Count the rows of numbers, (rows, n), from 0 to 100 that sum to 100, up to rounding, and are not all at most 1.
    The `decimals` are those of the hundredths.

    >>> count_percentages(np.array([[70.2, 29.8], [70, 30], [0.7, 0.3], [70, -30]]))
    2
    """
    candidates = z[(z >= 0).all(1)]
    largest = candidates.max(1)
    percentages = candidates[(largest > 1) & (largest <= 100)].astype(np.float64)
    return _count(percentages / 100, decimals, PERCENT_TOLERANCE)


def are_one_hot(z: Array) -> bool:
    """Return whether all numbers are 0 or 1, or all are 0 or 100. These are more likely logits than certain
    distributions."""
    return bool(((z == 0) | (z == (100 if (z > 1).any() else 1))).all())


def _count(candidates: Array, decimals: tuple[int, ...], tolerance: float) -> int:
    """Count the rows that sum to 1."""
    if not len(candidates):
        return 0
    candidates = candidates.astype(np.float64)
    digits = next((k for k in decimals if (abs(candidates - candidates.round(k)) < 1e-3 * 10.0**-k).all()), None)
    rounding = 0.0 if digits is None else min(candidates.shape[1] * 10.0**-digits / 2, MOST_ROUNDING)
    # The factor admits a sum at the limit.
    return int((abs(candidates.sum(1) - 1) < max(tolerance, rounding * 1.001)).sum())
