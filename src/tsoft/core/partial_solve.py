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

    def bounds(tau: float) -> tuple[float, float]:
        low, high = (float(np.exp(bound[0, index])) for bound in partial.log_bounds(np.array([tau])))
        return low * (1 - ROUNDING), high * (1 + ROUNDING)

    if bounds(0.0)[1] < prob:
        return TemperatureRange(np.nan, np.nan, f"the top class's probability is at most {bounds(0.0)[1]:.6g}")
    if bounds(inf)[0] > prob:
        return TemperatureRange(np.nan, np.nan, f"the top class's probability is at least {bounds(inf)[0]:.6g}")
    return TemperatureRange(_first(lambda tau: bounds(tau)[0] <= prob), _last(lambda tau: bounds(tau)[1] >= prob))


def _last(condition: Callable[[float], bool]) -> float:
    """Return the last temperature that meets a condition, which holds at 0 and, once false, stays false.

    The bit patterns of the positive floats have the order of the floats.
    """
    first, beyond = 0, _bits(inf) + 1
    while beyond - first > 1:
        middle = (first + beyond) // 2
        first, beyond = (middle, beyond) if condition(_float(middle)) else (first, middle)
    return _float(first)


def _first(condition: Callable[[float], bool]) -> float:
    """Return the first temperature that meets a condition, which, once true, stays true."""
    if condition(0.0):
        return 0.0
    return _float(_bits(_last(lambda tau: not condition(tau))) + 1)


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.int64))


def _float(bits: int) -> float:
    return float(np.int64(bits).view(np.float64))
