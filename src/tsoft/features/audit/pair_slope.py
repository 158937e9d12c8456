"""The slope of one response's log-probabilities against another's.

A softmax at temperature tau has log p_i = z_i / tau - log Z. The unknown log Z is the same for all tokens of a
position, so only differences within a position count. If two responses come from the same logits at the temperatures
tau_A and tau_B, the differences of B are tau_A / tau_B times those of A, whatever classes a sampler removed in either.

The slope starts from the weighted median of the slopes of all pairs of tokens (Theil 1950; Sen 1968, "Estimates of the
regression coefficient based on Kendall's tau", JASA 63; the weights are the differences, as in Jaeckel 1972), which
outliers hardly move. Numbers farther than the noise from it are outliers. Least squares on the others, with one
constant per position, then give the slope and, by Student's t, an interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import atan, cos, inf, nan, pi, sin, sqrt

import numpy as np

from tsoft.core.softmax import Array

# The level of every statement about a slope.
LEVEL = 1e-6
# The largest of many normally distributed residuals is hardly above this many standard deviations. With few numbers,
# for which the quantile is larger, none is above the noise.
LARGEST = 6.0
# The weighted median uses at most this many tokens of a position.
MAX_TOKENS = 32
# Above this number of degrees of freedom, the quantile is that of this number, which is slightly larger.
MAX_DEGREES = 200


@dataclass(frozen=True)
class SlopeFit:
    """The slope of B's log-probabilities against A's, and an interval at LEVEL.

    `scatter` is the standard deviation of the residuals, `margin` is what a residual hardly exceeds, and `residual` is
    the largest one, all in the units of the flatter distribution. `explained` is the share of the variance that the
    line explains. `numbers` in `positions` were used; `outliers` of them deviate by more than the noise.
    """

    slope: float
    low: float
    high: float
    scatter: float
    margin: float
    residual: float
    explained: float
    numbers: int
    positions: int
    outliers: int

    @property
    def inverse(self) -> "SlopeFit":
        """The fit with A and B exchanged."""
        low, high = (1 / self.high, 1 / self.low if self.low > 0 else inf)
        return replace(self, slope=1 / self.slope, low=low, high=high)


def fit_slope(
    first: Sequence[Array], second: Sequence[Array], errors: tuple[float, float], noise: float
) -> SlopeFit | None:
    """Fit the slope to the finite log-probabilities of the same tokens in A and in B, one array per position.

    errors: the largest rounding error of a number in A and in B. noise: the largest deviation that is no outlier.
    Return None if the numbers determine no slope above 0.

    >>> first = [np.array([-0.5, -1.5, -2.5, -3.0]), np.array([-1.0, -1.2, -4.0, -5.0])]
    >>> fit = fit_slope(first, [2 * numbers + 0.3 for numbers in first], (0.0, 0.0), 0.1)
    >>> round(fit.slope, 9), round(fit.residual, 9)
    (2.0, 0.0)
    """
    spreads = [sum(float(((numbers - numbers.mean()) ** 2).sum()) for numbers in side) for side in (first, second)]
    if min(spreads, default=0.0) == 0.0:
        return None
    # The noise of the abscissa biases the slope, the less the larger its spread is.
    if spreads[1] > spreads[0]:
        fit = _fit(second, first, errors[::-1], noise)
        return fit and fit.inverse
    return _fit(first, second, errors, noise)


def _fit(xs: Sequence[Array], ys: Sequence[Array], errors: tuple[float, float], noise: float) -> SlopeFit | None:
    start = median_slope(xs, ys)
    if not start > 0:
        return None
    deviations = np.concatenate([_deviations(x, y, start) for x, y in zip(xs, ys, strict=True)])
    is_close = np.abs(deviations) <= noise
    groups = np.repeat(np.arange(len(xs)), [len(x) for x in xs])[is_close]
    x, y = (_centered(np.concatenate(side)[is_close], groups) for side in (xs, ys))
    square, positions = float(x @ x), len(np.unique(groups))
    degrees = len(x) - positions - 1
    if square == 0.0 or degrees < 1:
        return None
    slope = float(x @ y) / square
    residuals = y - slope * x
    scatter = sqrt(float(residuals @ residuals) / degrees)
    quantile = t_quantile(degrees)
    rounding = float(errors[1] + slope * errors[0])
    # Rounding errors need not be independent, so their worst case is added.
    reach = quantile * scatter / sqrt(square) + rounding * float(np.abs(x).sum()) / square
    if not slope > 0:
        return None
    return SlopeFit(
        slope,
        max(0.0, slope - reach),
        slope + reach,
        scatter,
        min(quantile * scatter, max(noise, LARGEST * scatter)) + rounding,
        float(np.abs(deviations).max()),
        1.0 - float(residuals @ residuals) / max(float(y @ y), 1e-300),
        len(deviations),
        positions,
        int((~is_close).sum()),
    )


def median_slope(xs: Sequence[Array], ys: Sequence[Array]) -> float:
    """Return the weighted median of the slopes of all pairs of tokens of a position; NaN without such a pair.

    >>> median_slope([np.array([0.0, 1.0, 3.0])], [np.array([0.0, 0.5, 1.5])])
    0.5
    """
    slopes, weights = [], []
    for x, y in zip(xs, ys, strict=True):
        some = np.argsort(x)[np.unique(np.linspace(0, len(x) - 1, min(len(x), MAX_TOKENS)).round().astype(int))]
        i, j = np.triu_indices(len(some), 1)
        run = x[some][j] - x[some][i]
        is_apart = run > 0
        slopes.append((y[some][j] - y[some][i])[is_apart] / run[is_apart])
        weights.append(run[is_apart])
    slope, weight = np.concatenate(slopes), np.concatenate(weights)
    if not len(slope):
        return nan
    order = np.argsort(slope)
    sums = weight[order].cumsum()
    return float(slope[order][np.searchsorted(sums, sums[-1] / 2)])


def _deviations(x: Array, y: Array, slope: float) -> Array:
    """Return the deviations of a position's numbers from a line through their median."""
    offsets = y - slope * x
    return np.asarray(offsets - np.median(offsets))


def _centered(values: Array, groups: Array) -> Array:
    """Return the values minus the mean of their group."""
    counts = np.bincount(groups)
    means = np.bincount(groups, values) / np.maximum(counts, 1)
    return np.asarray(values - means[groups])


@cache
def t_quantile(degrees: int, level: float = LEVEL) -> float:
    """Return the number that the absolute value of Student's t exceeds with the probability `level`.

    >>> round(t_quantile(10, 0.05), 6)
    2.228139
    """
    low, high = 0.0, 1.0
    while _t_tail(high, degrees) > level:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_tail(middle, degrees) > level else (low, middle)
    return high


def _t_tail(t: float, degrees: int) -> float:
    """Return P(|t| >= a number). Source: Abramowitz & Stegun 1964, 26.7.3 and 26.7.4."""
    degrees = min(degrees, MAX_DEGREES)
    angle = atan(t / sqrt(degrees))
    odd = degrees % 2
    term, total = (cos(angle) if odd else 1.0), 0.0
    for k in range(degrees // 2):
        total += term
        term *= cos(angle) ** 2 * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    inside = 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
    return 1.0 - inside
