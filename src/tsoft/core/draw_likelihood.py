"""Estimate the temperature at which classes were drawn, even if a sampler removed some classes.

The draws from logits z at a temperature tau are an exponential family in beta = 1 / tau (Wainwright & Jordan 2008,
"Graphical Models, Exponential Families, and Variational Inference", proposition 3.1). A sampler that removes classes
keeps a set K and divides by its probability. Given that a draw is in a set S of classes that are all in K, its
distribution is the softmax over S, whatever else is in K. The likelihood of the draws in S, given that they are there,
is a conditional likelihood (Andersen 1970, "Asymptotic properties of conditional maximum-likelihood estimators",
JRSS B 32), in which K does not occur:

    L(beta) = - beta D - sum over rows of N ln sum_S exp(-beta g)

with the gaps g = max z - z in S, the number N of draws of each row that are in S, and the sum D of the gaps of all of
them. L is concave. Its slope is R(beta) - D, where R is the sum over rows of N times the mean gap, so its maximum is at
a finite beta above 0 if 0 < D < R(0).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import exp, inf, log
from statistics import NormalDist

import numpy as np

from tsoft.core.softmax import Array

# The largest |ln beta|, in units of the gaps, and the number of bisections, after which ends differ by rounding only.
_MAX_LOG, _STEPS = 700.0, 64


@dataclass(frozen=True)
class TauInterval:
    """A temperature with the ends of its confidence interval.

    `tau` is 0 if all draws are at the top of their sets, and inf if their mean gap is no less than that of uniform
    draws. The interval is then one-sided. If no draw carries information, it is from 0 to inf, and `tau` is 1.
    """

    tau: float
    low: float
    high: float


def likely_tau(gaps: Array, counts: Array, level: float) -> TauInterval:
    """Return the temperature with the highest likelihood, and its likelihood-ratio interval (Wilks 1938, "The
    large-sample distribution of the likelihood ratio for testing composite hypotheses").

    gaps: (rows, m), at least 0, with a 0 in each row; inf for a class outside the set. counts: (rows, m), the number of
    draws of each class. level: the coverage, such as 0.95.

    >>> interval = likely_tau(np.array([[0.0, 1.0]]), np.array([[731, 269]]), 0.95)
    >>> round(interval.tau, 3), round(interval.low, 3), round(interval.high, 3)
    (1.0, 0.876, 1.161)
    """
    unit = float(np.where(gaps < inf, gaps, 0.0).max(initial=0.0))
    if unit == 0 or not counts.any():
        return TauInterval(1.0, 0.0, inf)
    likelihood = _Likelihood(gaps / unit, counts)
    beta = likelihood.best_beta
    sides = 1 if beta in (0.0, inf) else 2
    depth = NormalDist().inv_cdf(1 - (1 - level) / sides) ** 2 / 2
    low, high = likelihood.interval(beta, likelihood.log(beta) - depth)
    return TauInterval(_tau(beta, unit), _tau(high, unit), _tau(low, unit))


@dataclass(frozen=True, eq=False)
class _Likelihood:
    """The likelihood of a beta. `gaps` are at most 1, inf for a class outside the set, and `counts` are the numbers of
    draws: (rows, m) each."""

    gaps: Array
    counts: Array

    @cached_property
    def is_inside(self) -> Array:
        return self.gaps < inf

    @cached_property
    def finite(self) -> Array:
        """The gaps, 0 for a class outside the set: (rows, m)."""
        return np.where(self.is_inside, self.gaps, 0.0)

    @cached_property
    def sizes(self) -> Array:
        """The number of draws of each row: (rows,)."""
        return np.asarray(self.counts.sum(-1))

    @cached_property
    def drawn(self) -> float:
        """D, the sum of the gaps of all draws."""
        return float((self.counts * self.finite).sum())

    def weights(self, beta: float) -> Array:
        return np.where(self.is_inside, np.exp(-beta * self.finite), 0.0)

    def expected(self, beta: float) -> float:
        """Return R, the expected sum of the gaps of all draws."""
        weights = self.weights(beta)
        return float((self.sizes * ((weights * self.finite).sum(-1) / weights.sum(-1))).sum())

    def log(self, beta: float) -> float:
        """Return the logarithm L of the likelihood, with its limit at inf."""
        if beta == inf:
            ties = (self.is_inside & (self.finite == 0)).sum(-1)
            return float(-(self.sizes * np.log(ties)).sum()) if self.drawn == 0 else -inf
        return float(-beta * self.drawn - (self.sizes * np.log(self.weights(beta).sum(-1))).sum())

    @property
    def best_beta(self) -> float:
        """The beta with the highest likelihood, from 0 to inf."""
        if self.drawn == 0:
            return inf
        if self.drawn >= self.expected(0.0):
            return 0.0
        return _zero(lambda beta: self.expected(beta) - self.drawn, 0.0, inf)

    def interval(self, best: float, bound: float) -> tuple[float, float]:
        """Return the ends of the range around the best beta in which the logarithm is at least the bound. An end that
        the range does not reach is the limit, 0 or inf."""
        low, high = 0.0, inf
        if self.log(0.0) < bound:
            low = _zero(lambda beta: bound - self.log(beta), 0.0, best)
        if self.log(inf) < bound:
            high = _zero(lambda beta: self.log(beta) - bound, best, inf)
        return low, high


def _tau(beta: float, unit: float) -> float:
    """Return the temperature of a beta in units of the gaps."""
    return inf if beta == 0 else unit / beta


def _zero(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a falling function of beta crosses 0, by bisection of ln beta."""
    left = log(low) if low > 0 else -_MAX_LOG
    right = log(high) if high < inf else _MAX_LOG
    for _ in range(_STEPS):
        middle = (left + right) / 2
        left, right = (middle, right) if function(exp(middle)) > 0 else (left, middle)
    return exp((left + right) / 2)
