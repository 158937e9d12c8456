"""Bounds on a fitted temperature and on measures, if the logits are known only up to bounds.

Each logit z_c of a row is in an interval [low_c, high_c]. The slope of the log-likelihood of beta = 1 / tau is

    S(beta) = sum over rows of  z_y - E[z]        E[z] = sum_c w_c z_c / sum_c w_c,   w_c = exp(beta z_c)

S falls with beta for any logits, so the largest and the smallest S that the intervals allow fall, too, and their zeros
bound the fitted beta. E is a ratio of sums over the classes. Dinkelbach's method (1967, "On nonlinear fractional
programming", Management Science 13) finds its extremes: with a guess m of the extreme, each term w_c (z_c - m) has its
own extreme. It is lowest at z_c = m - 1 / beta or, if the interval does not contain this, at the nearer end, and
highest at an end.
The y in z_y and the one in E count as independent, so the bounds are valid but not always reached.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf

import numpy as np

from tsoft.core.softmax import Array, softmax

# The names of the measures that have bounds.
BOUNDED = ("nll", "brier", "ece", "accuracy", "mean_confidence")
# The range of ln beta, the number of bisections in it, and the largest number of Dinkelbach's steps, which converge
# quadratically.
_MAX_LOG, _BISECTIONS, _STEPS = 80.0, 60, 50
# Confidences with this relative difference may be equal.
_ROUNDING = 1e-15


@dataclass(frozen=True)
class Bounds:
    """A lower and an upper bound."""

    low: float
    high: float


def tau_bounds(low: Array, high: Array, targets: Array) -> Bounds:
    """Return bounds on the temperature with the least NLL. The logits are between `low` and `high`, (rows, n) each.

    >>> z = np.array([[2.0, 0.0]] * 3)
    >>> bounds = tau_bounds(z, z, np.array([0, 0, 1]))
    >>> bool(np.allclose([bounds.low, bounds.high], 2 / np.log(2)))
    True
    """
    places = np.arange(len(targets)), targets
    # Only differences count, and large ones keep their precision.
    top = high.max(1, keepdims=True)
    low, high = low - top, high - top

    def largest(beta: float) -> float:
        return float((high[places] - _extreme_mean(low, high, beta, is_least=True)).sum())

    def smallest(beta: float) -> float:
        return float((low[places] - _extreme_mean(low, high, beta, is_least=False)).sum())

    return Bounds(_zero(largest), _zero(smallest))


def _zero(slope: Callable[[float], float]) -> float:
    """Return the tau at which a slope that falls with beta is 0: 0 or inf if there is no such temperature."""
    left, right = -_MAX_LOG, _MAX_LOG
    if slope(exp(left)) <= 0:
        return inf
    if slope(exp(right)) >= 0:
        return 0.0
    for _ in range(_BISECTIONS):
        middle = (left + right) / 2
        left, right = (middle, right) if slope(exp(middle)) > 0 else (left, middle)
    return exp(-(left + right) / 2)


def _extreme_mean(low: Array, high: Array, beta: float, *, is_least: bool) -> Array:
    """Return the least or the largest E[z] of each row: (rows,)."""
    mean = _mean(low if is_least else high, beta)
    for _ in range(_STEPS):
        guess = mean[:, np.newaxis]
        if is_least:
            z = np.clip(guess - 1 / beta, low, high)
        else:
            z = np.where(_term(low, beta, guess) > _term(high, beta, guess), low, high)
        last, mean = mean, _mean(z, beta)
        if np.array_equal(last, mean):
            break
    return mean


def _term(z: Array, beta: float, mean: Array) -> Array:
    """Return w (z - mean), which is 0 for a masked class."""
    with np.errstate(invalid="ignore", under="ignore"):
        return np.where(np.isneginf(z), 0.0, np.exp(beta * z) * (z - mean))


def _mean(z: Array, beta: float) -> Array:
    """Return E[z] of each row: (rows,)."""
    with np.errstate(invalid="ignore", under="ignore"):
        weights = np.exp(beta * (z - z.max(1, keepdims=True)))
        return np.asarray(np.where(weights > 0, weights * z, 0.0).sum(1) / weights.sum(1))


def measure_bounds(low: Array, high: Array, targets: Array, tau: float, bins: int) -> dict[str, Bounds]:
    """Return bounds on the measures of the probabilities at a finite temperature above 0, by the names of the measures.

    They are valid for all logits in the intervals together, but no logits need to reach both ends, or all of them.

    >>> z = np.log([[0.9, 0.1], [0.8, 0.2]])
    >>> bounds = measure_bounds(z, np.log([[0.9, 0.1], [0.8, 0.3]]), np.array([0, 1]), 1.0, 15)
    >>> round(bounds["mean_confidence"].low, 4), round(bounds["mean_confidence"].high, 4), bounds["accuracy"]
    (0.8136, 0.85, Bounds(low=0.5, high=0.5))
    """
    least, most = _probabilities(low, high, tau), _probabilities(high, low, tau)
    places = np.arange(len(targets)), targets
    others = np.ones(least.shape, bool)
    others[places] = False
    right = _right_bounds(low, high, places)
    confidence = least.max(1), most.max(1)
    with np.errstate(divide="ignore"):
        nll = -np.log(most[places]), -np.log(least[places])
    brier = [((1 - y[places]) ** 2 + (x**2 * others).sum(1)) for y, x in ((most, least), (least, most))]
    return {
        "nll": _means(*nll),
        "brier": _means(*brier),
        "ece": _ece_bounds(confidence, right, bins),
        "accuracy": _means(*right),
        "mean_confidence": _means(*confidence),
    }


def _means(low: Array, high: Array) -> Bounds:
    return Bounds(float(low.mean()), float(high.mean()))


def _probabilities(own: Array, others: Array, tau: float) -> Array:
    """Return the probability of each class with its logit in `own` and those of the others in `others`: (rows, n)."""
    columns = []
    for c in range(own.shape[1]):
        z = np.concatenate([own[:, c : c + 1], np.delete(others, c, 1)], axis=1)
        columns.append(softmax(z, tau)[:, 0])
    return np.stack(columns, axis=1)


def _right_bounds(low: Array, high: Array, places: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return whether each prediction is certainly right, and whether it may be: (rows,) each, as numbers.

    A row that may tie is neither certainly right nor certainly wrong.
    """
    rival_low, rival_high = low.copy(), high.copy()
    rival_low[places] = rival_high[places] = -np.inf
    is_certain = low[places] > rival_high.max(1)
    is_possible = high[places] >= rival_low.max(1)
    return is_certain.astype(np.float64), is_possible.astype(np.float64)


def _ece_bounds(confidence: tuple[Array, Array], right: tuple[Array, Array], bins: int) -> Bounds:
    """Return bounds on the ECE with bins of equal width. A row that may be in several bins counts with its largest gap
    in any of them."""
    edges = np.arange(bins + 1) / bins
    # A confidence that rounding may have moved across an edge is in both bins.
    places = (
        np.searchsorted(edges * factor, end, "left") for factor, end in zip((1 + _ROUNDING, 1), confidence, strict=True)
    )
    first, last = (np.clip(place - 1, 0, bins - 1) for place in places)
    least, most = right[0] - confidence[1], right[1] - confidence[0]
    is_settled = first == last
    sums = [np.bincount(first[is_settled], gaps[is_settled], bins) for gaps in (least, most)]
    lowest = np.maximum(0.0, np.maximum(sums[0], -sums[1])).sum()
    highest = np.maximum(abs(sums[0]), abs(sums[1])).sum()
    moving = np.maximum(abs(least), abs(most))[~is_settled].sum()
    rows = len(first)
    return Bounds(max(0.0, float(lowest - moving)) / rows, min(1.0, float(highest + moving) / rows))
