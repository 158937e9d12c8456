"""A test of fit: whether the draws have the probabilities of some temperature.

Each draw has a set of classes that no sampler can have removed (see `core.kept_sets`), and within it the probabilities
of a softmax. The counts O of the classes are compared with the expected ones, E, at the most likely temperature. With
the covariance V of the counts, (O - E) V^-1 (O - E) is chi-square distributed (Pearson 1900, for sets that differ from
draw to draw). The temperature is estimated from the draws, which makes the statistic smaller. The test does not
subtract a degree of freedom for it, so it is conservative (Chernoff & Lehmann 1954, "The use of maximum likelihood
estimates in chi-square tests for goodness of fit", Annals of Mathematical Statistics 25).
"""

import numpy as np

from tsoft.core.chi_square import ChiSquareTest, chi_square_tail
from tsoft.core.draw_likelihood import ConditionalDraws
from tsoft.core.gap_weights import gap_weights
from tsoft.core.softmax import Array

# Cells with a smaller expected count are pooled. The limit is higher than Cochran's 5, because the p-values that matter
# here are small.
MIN_EXPECTED = 10.0
# The largest number of cells, which limits the size of the covariance matrix.
_MAX_CELLS = 500
# Eigenvalues of V below this share of the largest one are 0, except for rounding.
_RANK_TOLERANCE = 1e-9


def expected_counts(draws: ConditionalDraws, weights: Array) -> Array:
    """Return the expected number of draws of each class of each row, (rows, m), from the relative probabilities of the
    classes, (rows, m)."""
    sums = weights.cumsum(-1)
    share = np.divide(draws.sizes, sums, out=np.zeros_like(sums), where=draws.sizes > 0)
    return np.asarray(weights * _sums_from(share))


def fit_test(draws: ConditionalDraws, tau: float) -> ChiSquareTest | None:
    """Return the test at a temperature, None if there are too few draws for two cells."""
    weights = gap_weights(draws.gaps, tau)
    expected = expected_counts(draws, weights)
    least = max(MIN_EXPECTED, float(expected.sum()) / _MAX_CELLS)
    cells = _cells(expected, least)
    number = int(cells.max(initial=-1)) + 1
    if not number:
        return None
    difference, covariance = np.zeros(number), np.zeros((number, number))
    for r in range(len(cells)):
        is_counted = cells[r] >= 0
        used = np.unique(cells[r][is_counted])
        np.add.at(difference, cells[r][is_counted], (draws.counts[r] - expected[r])[is_counted])
        covariance[np.ix_(used, used)] += _covariance(weights[r], draws.sizes[r], cells[r], used)
    values, vectors = np.linalg.eigh(covariance)
    is_positive = values > _RANK_TOLERANCE * values.max(initial=0.0)
    degrees = int(is_positive.sum())
    if not degrees:
        return None
    statistic = float((((vectors.T @ difference) ** 2)[is_positive] / values[is_positive]).sum())
    return ChiSquareTest(statistic, degrees, chi_square_tail(statistic, degrees))


def _sums_from(values: Array) -> Array:
    """Return the sum of each value and those after it in its row."""
    return np.asarray(values[:, ::-1].cumsum(-1)[:, ::-1])


def _cells(expected: Array, least: float) -> Array:
    """Return the cell of each class, -1 for the remaining ones: (rows, m).

    A class with a large enough expected count is a cell. The others share one with the classes of about the same place
    in their rows, if its expected count is large enough. The number of draws of each row is known, so the counts of its
    cells together tell the count of its other classes, which must not be small either.
    """
    is_large = expected >= least
    for row, large in zip(expected, is_large, strict=True):
        if large.any() and row[~large].sum() < least:
            large[np.where(large, row, np.inf).argmin()] = False
    cells = np.full(expected.shape, -1)
    number = int(is_large.sum())
    cells[is_large] = np.arange(number)
    places = np.log2(np.arange(1, expected.shape[1] + 1)).astype(np.int64)
    for place in np.unique(places):
        small = ~is_large & (places == place)
        if expected[small].sum() >= least:
            cells[small] = number
            number += 1
    # The number of all draws is known, too.
    if number and expected[cells < 0].sum() < least:
        cells[cells == number - 1] = -1
    return cells


def _covariance(weights: Array, sizes: Array, cells: Array, used: Array) -> Array:
    """Return the covariance of the counts of a row in the cells that it has: the sum over its draws of that of one
    draw, diag(p) - p p^T."""
    is_in = cells == used[:, np.newaxis]
    has_draws = sizes > 0
    sums = weights.cumsum()[has_draws]
    probs = (is_in * weights).cumsum(-1)[:, has_draws] / sums
    return np.asarray(np.diag(probs @ sizes[has_draws]) - (probs * sizes[has_draws]) @ probs.T)
