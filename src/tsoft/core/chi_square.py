"""Pearson's chi-square test of whether counts agree with a distribution.

    X = sum_i (O_i - E_i)^2 / E_i        p = P(chi-square with k - 1 degrees of freedom >= X)

(Pearson 1900, "On the criterion that a given system of deviations ...", Philosophical Magazine 50).
"""

from dataclasses import dataclass
from math import erfc, exp, lgamma, log, sqrt

import numpy as np

from tsoft.core.softmax import Array

# Classes with a smaller expected count are pooled into one cell (Cochran 1954, "Some methods for
# strengthening the common chi-square tests", Biometrics 10).
MIN_EXPECTED = 5.0


@dataclass(frozen=True)
class ChiSquareTest:
    """The result of Pearson's test: the `statistic`, its `degrees` of freedom, and the `p_value`, the probability
    that true draws differ at least as much. A p-value below 0.001 occurs by chance once in a thousand samples."""

    statistic: float
    degrees: int
    p_value: float


def goodness_of_fit(counts: Array, probs: Array) -> ChiSquareTest | None:
    """Test whether counts, (n,), agree with probabilities, (n,). Classes with an expected count below 5 share a
    cell. Return None if there is only one cell, which always agrees.

    >>> goodness_of_fit(np.array([7, 13]), np.array([0.5, 0.5]))  # doctest: +ELLIPSIS
    ChiSquareTest(statistic=1.8, degrees=1, p_value=0.17971249...)
    >>> goodness_of_fit(np.array([3, 1]), np.array([0.5, 0.5]))
    """
    observed, expected = _pooled_cells(counts, counts.sum() * (probs / probs.sum(dtype=np.float64)))
    if len(expected) < 2:
        return None
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return ChiSquareTest(statistic, len(expected) - 1, chi_square_tail(statistic, len(expected) - 1))


def _pooled_cells(counts: Array, expected: Array) -> tuple[Array, Array]:
    """Return the observed and expected counts of the cells. Rare classes share a cell. If its expected count is
    still too small, it is merged with the rarest of the other cells."""
    rare = expected < MIN_EXPECTED
    pooled = counts[rare].sum(), expected[rare].sum()
    counts, expected = counts[~rare], expected[~rare]
    if pooled[1] >= MIN_EXPECTED or not len(expected):
        return np.append(counts, pooled[0]), np.append(expected, pooled[1])
    rarest = expected.argmin()
    counts[rarest] += pooled[0]
    expected[rarest] += pooled[1]
    return counts, expected


def chi_square_tail(statistic: float, degrees: int) -> float:
    """Return P(chi-square with an integer number of degrees of freedom >= statistic).

    With y = statistic / 2 it is a finite sum of exp(-y) y^s / Gamma(s + 1): for even degrees over s = 0, 1, ...
    below degrees / 2, and for odd degrees over s = 1/2, 3/2, ... plus erfc(sqrt(y)). The terms are computed as
    logarithms, because y^s overflows; the relative error is below 1e-13 times the statistic or the degrees.
    Source: Abramowitz & Stegun 1964, "Handbook of Mathematical Functions", 26.4.4 and 26.4.5.

    >>> round(chi_square_tail(3.841458820694124, 1), 12), chi_square_tail(0, 8)
    (0.05, 1.0)
    """
    if statistic <= 0:
        return 1.0
    y, odd = statistic / 2, degrees % 2
    odd_term = erfc(sqrt(y)) if odd else 0.0
    if degrees == 1:
        return odd_term
    powers = np.arange(degrees // 2) + odd / 2
    first = powers[0] * log(y) - y - lgamma(powers[0] + 1)
    logs = first + np.append(0.0, (log(y) - np.log(powers[1:])).cumsum())
    highest = logs.max()
    return min(1.0, odd_term + exp(highest) * float(np.exp(logs - highest).sum()))
