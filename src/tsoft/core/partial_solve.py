"""Bounds on the temperature at which the most probable class of a partial distribution reaches a probability.

The probability of the most probable class falls as the temperature rises, and so do both bounds on it. So the
temperatures at which it may have a certain probability are those between the first at which the lower bound is
no longer above this probability, and the last at which the upper bound is not yet below it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np

from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array

# The bounds are rounded by less than this, relative to themselves.
ROUNDING = 1e-12


@dataclass(frozen=True)
class TemperatureRange:
    """The temperatures from `low` to `high`; NaN and a `reason` if there are none."""

    low: float
    high: float
    reason: str | None = None


def top_prob_range(partial: PartialDistribution, index: int, prob: float) -> TemperatureRange:
    """Return the temperatures at which the listed class at `index`, the most probable one, may have a probability.

    >>> partial = PartialDistribution(np.log([0.5, 0.3]), 0, np.log(0.3), classes=4)
    >>> found = top_prob_range(partial, 0, 0.6)
    >>> round(found.low, 3), round(found.high, 3)
    (0.62, 0.686)
    """

    def low(taus: Array) -> Array:
        return np.asarray(np.exp(partial.log_bounds(taus)[0][:, index]) * (1 - ROUNDING))

    def high(taus: Array) -> Array:
        return np.asarray(np.exp(partial.log_bounds(taus)[1][:, index]) * (1 + ROUNDING))

    if (highest := high(np.zeros(1))[0]) < prob:
        return TemperatureRange(np.nan, np.nan, f"the top class's probability is at most {highest:.6g}")
    if (lowest := low(np.array([inf]))[0]) > prob:
        return TemperatureRange(np.nan, np.nan, f"the top class's probability is at least {lowest:.6g}")
    return TemperatureRange(_first(lambda taus: low(taus) <= prob), _last(lambda taus: high(taus) >= prob))


def _last(condition: Callable[[Array], Array]) -> float:
    """Return the last temperature that meets a condition, which holds at 0 and, once false, stays false.

    The bit patterns of the positive floats have the order of the floats.
    """
    first, beyond = 0, _bits(inf) + 1
    while beyond - first > 1:
        # 64 temperatures take little longer than one.
        bits = np.arange(first, beyond, max(1, (beyond - first) // 64))
        is_met = condition(bits.view(np.float64))
        count = len(bits) if is_met.all() else int(is_met.argmin())
        first, beyond = int(bits[count - 1]), int(bits[count]) if count < len(bits) else beyond
    return _float(first)


def _first(condition: Callable[[Array], Array]) -> float:
    """Return the first temperature that meets a condition, which, once true, stays true."""
    if condition(np.zeros(1))[0]:
        return 0.0
    return _float(_bits(_last(lambda taus: ~condition(taus))) + 1)


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.int64))


def _float(bits: int) -> float:
    return float(np.int64(bits).view(np.float64))
