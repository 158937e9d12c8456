"""The turning point of the entropy over temperature: TURN.

Let H(tau) be the mean entropy of the tokens of texts that were generated at tau. TURN chooses the lowest temperature of
the grid, except its ends, at which ln H is convex: where its second derivative is above 0. For a majority vote, that is
the temperature; for the best of several answers, TURN adds 0.1 (Du, Yang & Welleck 2025, "Optimizing Temperature for
Language Models with Multi-Sample Inference", arXiv 2502.05234, algorithm 1). As in the authors' code, a derivative is
that of numpy.gradient, applied twice. Where no such temperature exists, their code returns the last but one, and tsoft
reports that there is none. (github.com/StigLidu/TURN, predict.py, calc_turning_point and AGGREGATION_ADAPTOR.)
"""

from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.choose.temperature_choice import resampled_means

# What TURN adds to the turning point for the best of several answers.
BEST_OF_N = 0.1
FEWEST_TAUS = 3


@dataclass(frozen=True)
class TurningPoint:
    """The turning point of the mean entropy over temperature.

    `taus` are the temperatures, (t,), `entropies` bounds on the mean entropy, (2, t), and `curvatures` bounds on the
    second derivative of its logarithm, (2, t). `first` is the lowest temperature that may be the turning point, and
    `last` the highest; inf stands for one beyond the grid. `low` and `high` are the ends of the 95 % interval from a
    bootstrap over problems, NaN without one.
    """

    taus: Array
    entropies: Array
    curvatures: Array
    first: float
    last: float
    low: float = np.nan
    high: float = np.nan

    @property
    def tau(self) -> float | None:
        """The turning point; None if there is none, or if the bounds leave it open."""
        return self.first if self.first == self.last < np.inf else None

    @property
    def is_open(self) -> bool:
        """Whether the bounds leave the turning point open."""
        return self.first < self.last


def turning_point(taus: Array, entropies: Array, resamples: int, seed: int) -> TurningPoint:
    """Return the turning point of entropies, in nats.

    taus: ascending and finite, (t,) with three or more. entropies: a lower and an upper bound for each problem,
    (2, t, problems), above 0.

    >>> taus = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.2])
    >>> entropies = np.exp([-3, -2.2, -1.6, -1.2, -0.4, 0.6])
    >>> turning_point(taus, np.tile(entropies[:, np.newaxis], (2, 1, 1)), 0, seed=0).tau
    0.8
    """
    means = entropies.mean(2)
    curvatures = _curvatures(taus, np.log(means))
    first, last = _first_convex(taus, curvatures[::-1])
    low = high = np.nan
    if resamples and entropies.shape[2] > 1:
        resampled = resampled_means(entropies, resamples, np.random.default_rng(seed))
        points = _first_convex(taus, _curvatures(taus, np.log(np.moveaxis(resampled, 1, 0)))[::-1])
        # The quantiles are temperatures of the grid, as the mean of inf and another one would be inf.
        low = float(np.quantile(points[0], 0.025, method="inverted_cdf"))
        high = float(np.quantile(points[1], 0.975, method="inverted_cdf"))
    return TurningPoint(taus, means, curvatures, float(first), float(last), low, high)


def _curvatures(taus: Array, logs: Array) -> Array:
    """Return bounds on the second derivatives, (2, ..., t), from those on the logarithms, (2, ..., t).

    A derivative is a weighted sum, so its lower bound takes the lower bounds of the terms with positive weights.
    """
    weights = np.gradient(np.gradient(np.eye(len(taus)), taus, axis=0), taus, axis=0).T
    low, high = logs
    positive, negative = np.maximum(weights, 0), np.minimum(weights, 0)
    if np.array_equal(low, high):
        # Rounding would make the two sums differ.
        return np.stack([low @ weights] * 2)
    return np.stack([low @ positive + high @ negative, high @ positive + low @ negative])


def _first_convex(taus: Array, curvatures: Array) -> Array:
    """Return the lowest temperature with a curvature, (..., t), above 0, without the ends; inf if there is none:
    (...)."""
    convex = curvatures[..., 1:-1] > 0
    return np.where(convex.any(-1), taus[1:-1][convex.argmax(-1)], np.inf)


def turning_text(point: TurningPoint) -> str:
    """Return the turning point and its interval as a sentence.

    >>> nothing = np.full((2, 3), -1.0)
    >>> turning_text(TurningPoint(np.array([0.5, 1.0, 1.5]), nothing, nothing, np.inf, np.inf))
    'no turning point: ln(entropy) is concave up to τ = 1.5'
    """

    def end(tau: float) -> str:
        return f"{tau:.6g}" if tau < np.inf else f"above {point.taus[-1]:.6g}"

    interval = "" if np.isnan(point.low) else f", 95 % interval {end(point.low)} to {end(point.high)}"
    if point.tau is not None:
        return f"turning point τ = {end(point.tau)} (best of n: {point.tau + BEST_OF_N:.6g}){interval}"
    if point.is_open:
        return f"turning point from τ = {end(point.first)} to {end(point.last)}: the bounds leave it open"
    return f"no turning point: ln(entropy) is concave up to τ = {point.taus[-1]:.6g}{interval}"
