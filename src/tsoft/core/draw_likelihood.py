"""Estimate the temperature at which classes were drawn, also if a sampler removed some classes.

The draws from logits z at a temperature tau are an exponential family in beta = 1 / tau (Wainwright & Jordan 2008,
"Graphical Models, Exponential Families, and Variational Inference", proposition 3.1). A sampler that removes classes
keeps a set K and divides by its probability. Given that a draw is in a set S of classes that are all in K, its
distribution is the softmax over S, whatever else is in K. The likelihood of the draws in S, given that they are there,
is a conditional likelihood (Andersen 1970, "Asymptotic properties of conditional maximum-likelihood estimators",
JRSS B 32), in which K does not occur:

    L(beta) = - beta D - sum over rows of N ln sum_S exp(-beta g)

with the gaps g = max z - z, the sum D of the gaps of the N draws of each row. It is concave, its slope falls from
R(0) - D to -D with R(beta) the sum over rows of N times the mean gap, and its maximum is finite if 0 < D < R(0).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log
from statistics import NormalDist

import numpy as np

from tsoft.core.softmax import Array

# The largest |ln beta|, in units of the gaps, and the number of bisections, after which ends differ by rounding only.
_MAX_LOG, _STEPS = 700.0, 64


@dataclass(frozen=True)
class TauInterval:
    """A temperature with the ends of its confidence interval.

    `tau` is 0 if all draws are at the top of their sets, and inf if their mean gap is no less than that of even draws.
    The interval is then one-sided. Without draws that tell anything, it is from 0 to inf.
    """

    tau: float
    low: float
    high: float

    @property
    def is_one_sided(self) -> bool:
        return self.tau in (0.0, inf)


def likely_tau(gaps: Array, counts: Array, level: float) -> TauInterval:
    """Return the temperature with the highest likelihood, and its likelihood-ratio interval (Wilks 1938, "The
    large-sample distribution of the likelihood ratio for testing composite hypotheses").

    gaps: (rows, m), at least 0, with a 0 in each row; inf for a class outside the set. counts: (rows, m), the number of
    draws of each class. level: the coverage, such as 0.95.

    >>> interval = likely_tau(np.array([[0.0, 1.0]]), np.array([[731, 269]]), 0.95)
    >>> round(interval.tau, 3), round(interval.low, 3), round(interval.high, 3)
    (1.0, 0.876, 1.161)
    """
    is_inside = gaps < inf
    finite = np.where(is_inside, gaps, 0.0)
    sizes = counts.sum(-1)
    unit = float(finite.max(initial=0.0))
    if unit == 0 or not sizes.any():
        return TauInterval(1.0, 0.0, inf)
    finite = finite / unit
    drawn = float((counts * finite).sum())

    def mean_gap(beta: float) -> float:
        weights = np.where(is_inside, np.exp(-beta * finite), 0.0)
        return float((sizes * ((weights * finite).sum(-1) / weights.sum(-1))).sum())

    def log_likelihood(beta: float) -> float:
        if beta == inf:
            ties = (is_inside & (finite == 0)).sum(-1)
            return float(-(sizes * np.log(ties)).sum()) if drawn == 0 else -inf
        weights = np.where(is_inside, np.exp(-beta * finite), 0.0).sum(-1)
        return float(-beta * drawn - (sizes * np.log(weights)).sum())

    if drawn == 0:
        beta = inf
    elif drawn >= mean_gap(0.0):
        beta = 0.0
    else:
        beta = _zero(lambda beta: mean_gap(beta) - drawn, 0.0, inf)
    sides = 1 if beta in (0.0, inf) else 2
    depth = NormalDist().inv_cdf(1 - (1 - level) / sides) ** 2 / 2
    bound = log_likelihood(beta) - depth

    def end(low: float, high: float) -> float:
        """Return where the log-likelihood crosses the bound; the limit on this side if it is above the bound there."""
        limit = low if low == 0 and high == beta else high
        if log_likelihood(limit) >= bound:
            return limit
        sign = 1.0 if limit == high else -1.0
        return _zero(lambda b: sign * (log_likelihood(b) - bound), low, high)

    lowest = 0.0 if beta == 0 else end(0.0, beta)
    highest = inf if beta == inf else end(beta, inf)
    return TauInterval(_tau(beta, unit), _tau(highest, unit), _tau(lowest, unit))


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
