"""The temperature with the highest mean over problems, with intervals from a bootstrap over problems.

A resample draws the problems with replacement, each with its results at all temperatures, so that the difference
between two temperatures does not contain the difference between problems (Efron & Tibshirani 1993, "An introduction to
the bootstrap", sections 8.3 and 13.3). As the answers to each problem are independent, a resample has the noise of the
problems and that of the answers.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.draw import Rng, as_generator, whole_number
from tsoft.core.library_arguments import real_array
from tsoft.core.softmax import Array

# The limit on the numbers of a piece of resamples.
_PIECE = 1 << 22
# Means that differ by less tie: rounding may cause the difference.
TIE = 1e-12
_ENDS = (0.025, 0.975)


@dataclass(frozen=True, eq=False)
class TemperatureChoice:
    """The best of several temperatures. The result of `tsoft.best_temperature`.

    Attributes
    ----------
    taus : ndarray
        The temperatures, (t,).
    estimates : ndarray
        The mean over the problems at each temperature, (t,).
    low, high : ndarray
        The ends of the 95 % interval of each mean, (t,), NaN without resamples.
    win_shares : ndarray
        The share of the resamples in which each temperature is the best, (t,), NaN without resamples.
    best : int
        The index of the best temperature; if several tie, of the first.
    next : int or None
        The index of the next best temperature; if several tie, of the first. None if there is no other.
    difference : tuple of float
        The mean of the best minus that of the next best, and the ends of its 95 % interval.
    """

    taus: Array
    estimates: Array
    low: Array
    high: Array
    win_shares: Array
    best: int
    next: int | None
    difference: tuple[float, float, float]

    @property
    def tau(self) -> float:
        """The best temperature."""
        return float(self.taus[self.best])

    @property
    def next_tau(self) -> float | None:
        return None if self.next is None else float(self.taus[self.next])

    @property
    def is_clear(self) -> bool | None:
        """Whether the interval of the difference is above 0; None if there is no interval."""
        return None if np.isnan(self.difference[1]) else bool(self.difference[1] > TIE)


def best_temperature(
    taus: ArrayLike, values: ArrayLike, *, resamples: int = 1000, rng: Rng = None
) -> TemperatureChoice:
    """Choose the temperature with the highest mean over problems.

    Parameters
    ----------
    taus : array_like, shape (t,)
        The temperatures, from 0 to inf.
    values : array_like, shape (t, problems)
        The result for each problem at each temperature, such as pass@k. Higher is better.
    resamples : int, default 1000
        The number of bootstrap samples of the problems for the intervals; 0 for no intervals.
    rng : int or numpy.random.Generator, optional
        A seed, or the generator for the resamples. By default the seed comes from the operating system.

    Returns
    -------
    TemperatureChoice
        The best temperature and the next best, the means with their intervals, and the interval of the difference. A
        single problem has no intervals.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, or a temperature or `resamples` is out of range.

    See Also
    --------
    pass_at_k : the probability that one of k answers is correct
    majority_at_k : the probability that the majority of k answers is correct

    Notes
    -----
    Each resample draws the problems with replacement, with their values at all temperatures. The intervals are those of
    percentiles [1]_. As the best temperature is chosen on the same values, its mean is too high on average.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, sections 8.3 and 13.3.

    Examples
    --------
    >>> import tsoft
    >>> correct = [[4, 0, 0, 0], [2, 1, 1, 1]]              # of four answers to four problems at two temperatures
    >>> choice = tsoft.best_temperature([0.2, 0.8], tsoft.pass_at_k(4, correct, 2), rng=0)
    >>> choice.tau, choice.estimates.round(4)
    (0.8, array([0.25  , 0.5833]))
    """
    grid, results = real_array("taus", taus), real_array("values", values)
    if results.ndim != 2 or grid.shape != results.shape[:1] or 0 in results.shape:
        raise ValueError(f"values must have the shape (taus, problems), got {results.shape} for {grid.shape} taus")
    if not np.isfinite(results).all():
        raise ValueError("values must be finite")
    if not (grid >= 0).all():
        raise ValueError("taus must be from 0 to inf")
    means = resampled_means(results, checked_resamples(resamples, results.shape[1]), as_generator(rng))
    estimates = results.mean(1)
    best = int((estimates >= estimates.max() - TIE).argmax())
    others = [i for i in range(len(grid)) if i != best]
    highest = max(estimates[others], default=np.nan)
    second = next((i for i in others if estimates[i] >= highest - TIE), None)
    difference = (np.nan, np.nan, np.nan)
    if second is not None:
        low, high = ends(means[:, best] - means[:, second]).tolist()
        distance = float(estimates[best] - estimates[second])
        difference = (distance if distance > TIE else 0.0, low, high)
    low, high = ends(means)
    return TemperatureChoice(grid, estimates, low, high, _win_shares(means), best, second, difference)


def checked_resamples(resamples: int, problems: int) -> int:
    """Return the number of resamples of problems, 0 for a single one. Raise ValueError if it is not a whole number from
    0."""
    count = whole_number("resamples", resamples)
    return count if problems > 1 else 0


def resampled_means(values: Array, resamples: int, generator: np.random.Generator) -> Array:
    """Return the means of values, (..., problems), over the problems of each resample: (resamples, ...)."""
    problems = values.shape[-1]
    flat = values.reshape(-1, problems)
    pieces = []
    for first in range(0, resamples, size := max(1, _PIECE // problems)):
        counts = generator.multinomial(problems, np.full(problems, 1 / problems), min(size, resamples - first))
        pieces.append(counts @ flat.T / problems)
    means = np.concatenate(pieces) if pieces else np.empty((0, len(flat)))
    return np.asarray(means.reshape(-1, *values.shape[:-1]))


def ends(values: Array) -> Array:
    """Return the ends of the 95 % percentile interval of values, (resamples, ...): (2, ...), NaN without resamples."""
    return np.quantile(values, _ENDS, axis=0) if len(values) else np.full((2, *values.shape[1:]), np.nan)


def _win_shares(means: Array) -> Array:
    """Return the share of the resamples in which each temperature is the best; a tie counts in equal parts."""
    if not len(means):
        return np.full(means.shape[1], np.nan)
    wins = means >= means.max(1, keepdims=True) - TIE
    return np.asarray((wins / wins.sum(1, keepdims=True)).mean(0))
