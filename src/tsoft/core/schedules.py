"""Schedules: temperatures that change from one value to another over a number of steps, as in annealing.

Each schedule is a mean of its ends a and b. The weights move from a to b:

    arithmetic  w_a a + w_b b        geometric  a^w_a b^w_b        harmonic  1 / (w_a / a + w_b / b)

Here t = k / (steps - 1), k = 0 ... steps - 1. Both weights are computed directly, not one as 1 minus the other,
so that temperatures near an end that is 0, or far below the other end, are accurate. The ends are exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np

from tsoft.core.softmax import Array

# A function from the first and the last temperature and their number, at least 1, to all temperatures, (steps,).
ScheduleFunction = Callable[[float, float, int], Array]


@dataclass(frozen=True, eq=False)
class TemperatureSchedule:
    """The name of a schedule and its temperatures, (steps,)."""

    schedule: str
    taus: Array


class ScheduleEndError(ValueError):
    """A schedule cannot begin or end with a temperature. `last` is True if it is the end."""

    def __init__(self, tau: float, problem: str, *, last: bool):
        super().__init__(f"{tau:g}: the schedule {problem}")
        self.tau, self.problem, self.last = tau, problem, last


def constant(a: float, b: float, steps: int) -> Array:
    """Return `a` at each of the `steps`. `a` may be 0 or inf; `b` has no effect.

    Raise ScheduleEndError if `a` is negative or NaN.

    >>> constant(2, 1, 3)
    array([2., 2., 2.])
    """
    _check(a, "needs a temperature from 0 to inf", a >= 0.0, last=False)
    return np.full(steps, float(a))


def linear(a: float, b: float, steps: int) -> Array:
    """Return a + (b - a) t: the arithmetic mean with weight t on b. Either end may be 0.

    Raise ScheduleEndError for an end that is negative, NaN or inf.

    >>> linear(4, 0, 5)
    array([4., 3., 2., 1., 0.])
    """
    _check_finite(a, b)
    return _arithmetic(a, b, *_weights(steps))


def cosine(a: float, b: float, steps: int) -> Array:
    """Return b + (a - b) (1 + cos(pi t)) / 2: the arithmetic mean with weight sin^2(pi t / 2) on b. Ends and
    errors are those of `linear`. Source: Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm
    Restarts", eq. 5.

    >>> cosine(4, 0, 5).round(4)
    array([4.    , 3.4142, 2.    , 0.5858, 0.    ])
    """
    _check_finite(a, b)
    return _arithmetic(a, b, *map(_half_wave, _weights(steps)))


def exponential(a: float, b: float, steps: int) -> Array:
    """Return a (b / a)^t: the geometric mean with weight t on b. Each step changes tau by the same factor.

    Raise ScheduleEndError for an end that is not above 0 and finite. Source: Kirkpatrick, Gelatt & Vecchi 1983,
    "Optimization by Simulated Annealing", Science 220.

    >>> exponential(16, 1, 5)
    array([16.,  8.,  4.,  2.,  1.])
    """
    _check_positive(a, last=False)
    _check_positive(b, last=True)
    weight_a, weight_b = _weights(steps)
    return _with_exact_ends(a, b, a**weight_a * b**weight_b)


def inverse_time(a: float, b: float, steps: int) -> Array:
    """Return 1 / (1/a + (1/b - 1/a) t): the harmonic mean with weight t on b, so that 1 / tau is linear. Errors
    are those of `exponential`. Source: Szu & Hartley 1987, "Fast simulated annealing", Physics Letters A 122.

    >>> inverse_time(1, 0.2, 5)
    array([1.        , 0.5       , 0.33333333, 0.25      , 0.2       ])
    """
    return _harmonic(a, b, *_weights(steps))


def logarithmic(a: float, b: float, steps: int) -> Array:
    """Return 1 / (1/a + (1/b - 1/a) ln(1 + k) / ln(steps)): the harmonic mean with that weight on b. Errors are
    those of `exponential`. Source: Geman & Geman 1984, "Stochastic Relaxation, Gibbs Distributions, and the Bayesian
    Restoration of Images", IEEE PAMI 6, section XII.

    >>> logarithmic(1, 0.2, 4)
    array([1.        , 0.33333333, 0.23981247, 0.2       ])
    """
    last = max(2, steps)
    k = np.arange(steps)
    return _harmonic(a, b, -np.log1p((k + 1 - last) / last) / np.log(last), np.log1p(k) / np.log(last))


SCHEDULES: dict[str, ScheduleFunction] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "exponential": exponential,
    "inverse-time": inverse_time,
    "logarithmic": logarithmic,
}


def _weights(steps: int) -> "tuple[Array, Array]":
    """Return 1 - t and t. A single step is at t = 0."""
    last = max(1, steps - 1)
    k = np.arange(steps)
    return (last - k) / last, k / last


def _half_wave(fraction: Array) -> Array:
    """Return sin^2(pi fraction / 2), to full precision near 0 and exact at the middle."""
    return np.where(fraction < 0.5, np.sin(np.pi / 2 * fraction) ** 2, 0.5 + 0.5 * np.sin(np.pi * (fraction - 0.5)))


def _arithmetic(a: float, b: float, weight_a: Array, weight_b: Array) -> Array:
    return _with_exact_ends(a, b, a * weight_a + b * weight_b)


def _harmonic(a: float, b: float, weight_a: Array, weight_b: Array) -> Array:
    """Return the harmonic mean, computed relative to the lower end, because 1 / a may overflow."""
    _check_positive(a, last=False)
    _check_positive(b, last=True)
    low = min(a, b)
    # Non-finite values at the ends are replaced later.
    with np.errstate(divide="ignore", over="ignore"):
        return _with_exact_ends(a, b, low / (weight_a * (low / a) + weight_b * (low / b)))


def _with_exact_ends(a: float, b: float, taus: Array) -> Array:
    """Return the temperatures with exact ends, clipped to the range between them."""
    taus = np.clip(taus, min(a, b), max(a, b))
    taus[-1] = b
    taus[0] = a
    return taus


def _check_finite(a: float, b: float) -> None:
    for tau, last in (a, False), (b, True):
        _check(tau, "needs a finite temperature from 0", 0.0 <= tau < inf, last=last)


def _check_positive(tau: float, *, last: bool) -> None:
    problem = "needs a finite temperature above 0" + ("; linear and cosine reach 0" if tau == 0 else "")
    _check(tau, problem, 0.0 < tau < inf, last=last)


def _check(tau: float, problem: str, is_valid: bool, *, last: bool) -> None:
    # NaN fails every comparison.
    if not is_valid:
        raise ScheduleEndError(tau, problem, last=last)
