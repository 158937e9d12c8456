"""The 95 % confidence intervals of a fitted temperature and of a share."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, exp, inf, log

import numpy as np

from tsoft.core.fit import TemperatureFit, fit_rows
from tsoft.core.labeled_rows import (
    CalibrationError,
    LabeledRows,
    RowPasses,
    StoredRows,
    count_numbers,
    largest_gap,
    row_slopes,
)
from tsoft.core.softmax import Array

# The 97.5 % quantile of the standard normal distribution.
NORMAL_QUANTILE = 1.959963984540054
# The largest number of rows that a bootstrap draws in total. With more rows, the sandwich interval is as good.
MAX_DRAWN = 1 << 28
# The nodes extend this many standard errors of 1 / tau on either side of the fit.
REACH = 6.0
# The largest number of nodes. If more would be needed, the nodes extend only to this factor of 1 / tau.
MAX_NODES, MAX_FACTOR = 128, 8.0
# The interpolation error relative to the slopes is exp(-LOG_ACCURACY), less than their rounding.
LOG_ACCURACY = 32.0
# The limit on the numbers that are evaluated at the nodes.
MAX_EVALUATED = 1 << 30
# The limit on the numbers in all refits outside the nodes. A refit counts as at least MIN_REFIT_SIZE numbers.
MAX_REFITTED, MIN_REFIT_SIZE = 1 << 26, 1 << 17
# The number of counts in a piece.
PIECE_SIZE = 1 << 21


class TooLongError(Exception):
    """The bootstrap would take too long."""


@dataclass(frozen=True)
class Interval:
    """The 95 % confidence interval of a temperature.

    The `method` is "bootstrap" or "sandwich". A bootstrap has a number of `resamples`; for `limits` of them the
    temperature is 0 or inf. If the sandwich replaces the bootstrap, `reason` is the cause.
    """

    low: float
    high: float
    method: str
    resamples: int = 0
    limits: int = 0
    reason: str | None = None


def confidence_interval(
    rows: RowPasses, fit: TemperatureFit, count: int, resamples: int, generator: np.random.Generator
) -> Interval | None:
    """Return the bootstrap interval of a fit to `count` rows.

    Return the sandwich interval if `resamples` is 0, or if the bootstrap would take too long or draw too many rows.
    Return None if the fit has no error.
    """
    if fit.error is None or resamples == 0 or count * resamples > MAX_DRAWN:
        return sandwich(fit)
    try:
        return bootstrap(rows, fit, resamples, generator)
    except TooLongError as error:
        interval = sandwich(fit)
        return interval and replace(interval, reason=str(error))


def sandwich(fit: TemperatureFit) -> Interval | None:
    """Return the interval from the sandwich standard error of log tau, without a pass over the rows; None if the
    fit has no error.

    >>> sandwich(TemperatureFit(1.0, 0.1)).low.__round__(4)
    0.822
    """
    if fit.error is None:
        return None
    reach = min(NORMAL_QUANTILE * fit.error, 700.0)
    return Interval(fit.tau * exp(-reach), fit.tau * exp(reach), "sandwich")


def wilson_interval(shares: Array, counts: Array) -> tuple[Array, Array]:
    """Return the ends of the 95 % interval of each share, which was observed in a number of rows, (b,) each.

    (Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.)

    >>> low, high = wilson_interval(np.array([0.5]), np.array([10]))
    >>> low.round(4), high.round(4)
    (array([0.2366]), array([0.7634]))
    """
    spread = NORMAL_QUANTILE**2 / counts
    center = (shares + spread / 2) / (1 + spread)
    half = np.sqrt(spread * (shares * (1 - shares) + spread / 4)) / (1 + spread)
    return np.maximum(center - half, 0.0), np.minimum(center + half, 1.0)


def bootstrap(rows: RowPasses, fit: TemperatureFit, resamples: int, generator: np.random.Generator) -> Interval:
    """Return the percentile interval of refits to rows drawn with replacement (Efron & Tibshirani 1993, "An
    introduction to the bootstrap", section 13.3).

    Each resample is refitted in full. Its slope with respect to beta = 1 / tau is a weighted sum of the rows' slopes,
    which are evaluated once, at Chebyshev nodes of beta around the fit. The beta of the resample is the zero of the
    polynomial through its slopes at the nodes. If the slope is above 0 at beta = 0, the resample is no better than
    chance, and its temperature is inf. A resample whose beta is outside the nodes is fitted in the same way as the
    rows.

    rows: as for `fit_rows`, two or more rows. There are a few passes, and more for resamples outside
    the nodes. fit: that of the rows, which must not be a limit. Raise TooLongError for too many numbers, and
    for too many resamples outside the nodes.

    >>> rows = StoredRows([LabeledRows(np.array([[1.0, 0.0]] * 30), np.array([0] * 20 + [1] * 10))])
    >>> interval = bootstrap(rows, fit_rows(rows), 200, np.random.default_rng(1))
    >>> bool(interval.low < 1 / np.log(2) < interval.high)
    True
    """
    assert fit.error is not None
    best_beta = fit.unit / fit.tau
    nodes = _chebyshev_nodes(best_beta, fit.error, largest_gap(rows, fit.unit))
    size = count_numbers(rows)
    if size * len(nodes.places) > MAX_EVALUATED:
        raise TooLongError("there are too many numbers for the bootstrap")
    # The ends are not nodes, but are evaluated, too.
    slopes = row_slopes(rows, np.array([*nodes.betas, *nodes.ends, inf]), fit.unit).T
    count = len(slopes)
    taus = np.empty(resamples)
    resamples_at_once = max(1, PIECE_SIZE // count)
    stored: StoredRows | None = None
    remaining_refits = MAX_REFITTED // max(MIN_REFIT_SIZE, size)
    for first in range(0, resamples, resamples_at_once):
        chosen_rows = (generator.integers(0, count, count) for _ in taus[first : first + resamples_at_once])
        counts = np.array([np.bincount(indices, minlength=count) for indices in chosen_rows])
        betas = nodes.zeros(counts.astype(np.float64) @ slopes)
        is_outside = np.isnan(betas)
        remaining_refits -= int(is_outside.sum())
        if remaining_refits < 0:
            raise TooLongError("too many resamples are far from the fit, and refitting each would take too long")
        with np.errstate(divide="ignore", over="ignore"):
            piece_taus = fit.unit / betas
        if is_outside.any():
            stored = stored or StoredRows(list(rows))
            piece_taus[is_outside] = [_refit(stored, row_counts, fit.tau) for row_counts in counts[is_outside]]
        taus[first : first + resamples_at_once] = piece_taus
    # An order statistic: the mean of inf and another number would be inf.
    low, high = np.quantile(taus, [0.025, 0.975], method="inverted_cdf").tolist()
    return Interval(low, high, "bootstrap", resamples, int(np.isin(taus, (0.0, inf)).sum()))


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Chebyshev nodes between two betas, the `ends`. `places` are their positions, from -1 to 1."""

    places: Array
    ends: tuple[float, float]

    @property
    def betas(self) -> Array:
        low, high = self.ends
        return low + (high - low) * (self.places + 1) / 2

    def zeros(self, values: Array) -> Array:
        """Return the betas at which the slopes of m resamples rise through 0: (m,). `values`, (m, nodes + 3), are
        the slopes at the nodes, at both ends and at inf. The beta is 0 if the slope is above 0 at beta = 0, inf if
        it is above 0 nowhere, and NaN if the zero is outside the ends."""
        low, high = self.ends
        slope_low, slope_high, slope_inf = values[:, -3:].T
        betas = low + (high - low) * (polynomial_zeros(self.places, values[:, :-3]) + 1) / 2
        betas = np.where((slope_low < 0) & (slope_high > 0), betas, np.nan)
        betas = np.where((slope_low < 0) & (slope_inf == 0), inf, betas)
        return np.where((low == 0) & (slope_low >= 0) & (slope_high > 0), 0.0, betas)


def _chebyshev_nodes(best_beta: float, error: float, largest_gap: float) -> _Nodes:
    """Return enough nodes to make the polynomial as accurate as the slopes. With gaps up to `largest_gap`, the
    slopes have poles in the complex plane, at ±i pi / gap and beyond. Each node reduces the error by a factor
    that grows with the distance of the nearest pole (Trefethen 2013, "Approximation theory and approximation
    practice", theorem 8.2)."""
    wide = max(0.0, best_beta * (1 - REACH * error)), best_beta * (1 + REACH * error)
    narrow = max(wide[0], best_beta / MAX_FACTOR), min(wide[1], best_beta * MAX_FACTOR)
    ends = wide if _node_count(*wide, largest_gap) <= MAX_NODES else narrow
    count = _node_count(*ends, largest_gap)
    return _Nodes(np.cos(np.pi * (np.arange(count) + 0.5) / count), ends)


def _node_count(low: float, high: float, largest_gap: float) -> int:
    if not low < high < inf:
        # The error or beta is below the smallest number, or beyond the largest.
        return MAX_NODES + 1
    pole = (2j * np.pi / largest_gap - low - high) / (high - low)
    root = (pole * pole - 1) ** 0.5
    factor = max(abs(pole + root), abs(pole - root))
    return ceil(LOG_ACCURACY / log(factor)) if factor > 1 else MAX_NODES + 1


def _refit(rows: StoredRows, counts: Array, default: float) -> float:
    """Fit the temperature to the rows, each repeated by its count. Return the default if the rows determine no
    temperature."""
    try:
        return fit_rows(StoredRows(list(_repeated_rows(rows, counts)))).tau
    except CalibrationError:
        return default


def _repeated_rows(rows: StoredRows, counts: Array) -> Iterator[LabeledRows]:
    first = 0
    for examples in rows:
        row_counts = counts[first : first + len(examples.targets)]
        first += len(row_counts)
        if row_counts.any():
            yield LabeledRows(examples.logits.repeat(row_counts, axis=0), examples.targets.repeat(row_counts))


def polynomial_zeros(nodes: Array, values: Array) -> Array:
    """Return the zeros of the polynomials through `values`, (m, nodes), which are below 0 at -1 and above 0 at 1:
    (m,). The polynomials are evaluated by the barycentric formula (Berrut & Trefethen 2004, "Barycentric
    Lagrange interpolation", eq. 4.2) with the weights of Chebyshev points of the first kind (eq. 5.3).

    >>> nodes = np.cos(np.pi * np.array([1, 3, 5]) / 6)
    >>> polynomial_zeros(nodes, np.array([nodes - 0.25, nodes + 0.9])).round(12)
    array([ 0.25, -0.9 ])
    """
    weights = (-1.0) ** np.arange(len(nodes)) * np.sqrt(1 - nodes**2)
    low: Array = np.full(len(values), -1.0)
    high: Array = np.full(len(values), 1.0)
    for _ in range(60):
        middle = (low + high) / 2
        differences = middle[:, np.newaxis] - nodes
        # At a node the formula is 0 / 0. Very near a node it is accurate.
        terms = weights / np.where(differences == 0, 1e-300, differences)
        below = (terms * values).sum(1) / terms.sum(1) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
