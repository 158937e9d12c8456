"""The temperature with the highest mean over problems, with intervals from a bootstrap over problems.

A resample draws the problems with replacement, each with its results at all temperatures, so that the difference
between two temperatures does not contain the difference between problems (Efron & Tibshirani 1993, "An introduction to
the bootstrap", sections 8.3 and 13.3). As the answers to each problem are independent, a resample has the noise of the
problems and that of the answers.
"""

from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array

# The limit on the numbers of a piece of resamples.
_PIECE = 1 << 22
# Means that differ by less tie: rounding may cause the difference.
TIE = 1e-12
_ENDS = (0.025, 0.975)


@dataclass(frozen=True)
class TauChoice:
    """The best temperature for one k.

    `estimates` are the means over the problems at each temperature, (t,), and `low` and `high` the ends of their 95 %
    intervals. `win_shares` are the shares of the resamples in which each temperature is the best. `best` and `next`
    are the indices of the best temperature and the next best, which is None if there is no other. `difference` is the
    mean of the best minus that of the next best, and its 95 % interval. Without resamples, all intervals and shares are
    NaN.
    """

    k: int
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
        """The best temperature, the lowest one of several."""
        return float(self.taus[self.best])

    @property
    def next_tau(self) -> float | None:
        return None if self.next is None else float(self.taus[self.next])

    @property
    def is_distinct(self) -> bool | None:
        """Whether the interval of the difference is above 0; None if there is no interval."""
        return None if np.isnan(self.difference[1]) else bool(self.difference[1] > TIE)


def choose(ks: list[int], taus: Array, values: Array, resamples: int, seed: int) -> list[TauChoice]:
    """Return the best temperature for each k.

    ks: (m,). values: the result of each problem, (m, t, problems). A bootstrap needs two problems.

    >>> solved = np.array([[[0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]]])
    >>> [choice] = choose([1], np.array([0.5, 1.0]), solved, 1000, seed=0)
    >>> choice.tau, choice.estimates, choice.is_distinct
    (1.0, array([0.25, 0.75]), False)
    """
    if values.shape[2] < 2:
        resamples = 0
    means = resampled_means(values, resamples, np.random.default_rng(seed))
    return [_choice(k, taus, values[i].mean(1), means[:, i]) for i, k in enumerate(ks)]


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


def _choice(k: int, taus: Array, estimates: Array, means: Array) -> TauChoice:
    """Return the choice for one k, from the means of the resamples, (resamples, t)."""
    best = int((estimates >= estimates.max() - TIE).argmax())
    others = [i for i in range(len(taus)) if i != best]
    second = max(others, key=lambda i: (estimates[i], -i), default=None)
    difference = (np.nan, np.nan, np.nan)
    if second is not None:
        low, high = ends(means[:, best] - means[:, second]).tolist()
        difference = (float(estimates[best] - estimates[second]), low, high)
    low, high = ends(means)
    return TauChoice(k, taus, estimates, low, high, _win_shares(means), best, second, difference)


def _win_shares(means: Array) -> Array:
    """Return the share of the resamples in which each temperature is the best; a tie counts in equal parts."""
    if not len(means):
        return np.full(means.shape[1], np.nan)
    wins = means >= means.max(1, keepdims=True) - TIE
    return np.asarray((wins / wins.sum(1, keepdims=True)).mean(0))
