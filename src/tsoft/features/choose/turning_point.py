"""The turning point of the entropy over temperature: TURN.

Let H(tau) be the mean entropy of the tokens of texts that were generated at tau. TURN chooses the lowest temperature of
the grid, except its ends, at which ln H is convex: where its second derivative is above 0. For a majority vote, that is
the temperature; for the best of several answers, TURN adds 0.1 (Du, Yang & Welleck 2025, "Optimizing Temperature for
Language Models with Multi-Sample Inference", arXiv 2502.05234, algorithm 1). As in the authors' code, a derivative is
that of numpy.gradient, applied twice. Where no such temperature exists, their code returns the last but one, and tsoft
reports that there is none. (github.com/StigLidu/TURN, predict.py, calc_turning_point and AGGREGATION_ADAPTOR.)
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.draw import Rng, as_generator
from tsoft.core.library_arguments import real_array
from tsoft.core.softmax import Array
from tsoft.features.choose.temperature_choice import checked_resamples, resampled_means

# What TURN adds to the turning point for the best of several answers.
BEST_OF_N = 0.1
FEWEST_TAUS = 3
# A curvature is rounding if it is smaller than this, relative to the terms of its sum.
_ROUNDING = 2**-45
# The sum of larger weights of the logarithms could overflow.
_LARGEST_WEIGHT = 1e300


@dataclass(frozen=True, eq=False)
class TurningPoint:
    """The turning point of the mean entropy over temperature. The result of `tsoft.turning_point`.

    Attributes
    ----------
    taus : ndarray
        The temperatures, (t,).
    entropies, curvatures : ndarray
        Bounds on the mean entropy and on the second derivative of its logarithm, (2, t) each. They are equal if the
        entropies are known.
    first, last : float
        The lowest and the highest temperature that may be the turning point; inf is above the highest temperature.
    low, high : float
        The ends of the 95 % interval, NaN without resamples.
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


def turning_point(taus: ArrayLike, entropies: ArrayLike, *, resamples: int = 1000, rng: Rng = None) -> TurningPoint:
    """Find the turning point of the entropy over temperature, by the rule of TURN.

    Parameters
    ----------
    taus : array_like, shape (t,)
        Three or more temperatures above 0, finite and ascending.
    entropies : array_like, shape (t,) or (t, problems)
        The mean entropy of the tokens of texts that were generated at each temperature, for each problem.
    resamples : int, default 1000
        The number of bootstrap samples of the problems for the interval; 0 for no interval.
    rng : int or numpy.random.Generator, optional
        A seed, or the generator for the resamples. By default the seed comes from the operating system.

    Returns
    -------
    TurningPoint
        Its `tau` is the lowest temperature, without the ends, at which the logarithm of the mean entropy is convex;
        None if there is none. TURN chooses it for a majority vote, and adds 0.1 for the best of n answers.

    Raises
    ------
    ValueError
        If there are fewer than three temperatures, they do not ascend, or an entropy is not above 0.

    See Also
    --------
    best_temperature : the temperature with the best results
    entropy : the entropy of a distribution

    References
    ----------
    .. [1] W. Du, Y. Yang and S. Welleck, "Optimizing Temperature for Language Models with Multi-Sample Inference",
       2025, algorithm 1.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.turning_point([0.2, 0.4, 0.6, 0.8, 1.0, 1.2], [0.05, 0.11, 0.2, 0.3, 0.67, 1.8]).tau
    0.8
    """
    grid, values = real_array("taus", taus), real_array("entropies", entropies)
    values = values[:, np.newaxis] if values.ndim == 1 else values
    if values.ndim != 2 or grid.shape != values.shape[:1] or 0 in values.shape:
        raise ValueError(f"entropies must have the shape (taus, problems), got {values.shape} for {grid.shape} taus")
    is_ascending = len(grid) >= FEWEST_TAUS and grid[0] > 0 and grid[-1] < np.inf and (np.diff(grid) > 0).all()
    if not is_ascending:
        raise ValueError(f"taus must be at least {FEWEST_TAUS} temperatures above 0, finite and ascending")
    if not ((values > 0) & (values < np.inf)).all():
        raise ValueError("entropies must be finite and above 0")
    return turning_point_within(grid, np.stack([values, values]), resamples, as_generator(rng))


def turning_point_within(taus: Array, bounds: Array, resamples: int, generator: np.random.Generator) -> TurningPoint:
    """Return the turning point from a lower and an upper bound on the entropy of each problem, (2, t, problems), whose
    means are above 0.

    Raise ValueError for temperatures so close together that the derivatives overflow.
    """
    means = bounds.mean(2)
    curvatures = _curvatures(taus, np.log(means))
    # The earliest turning point is that of the highest curvatures.
    first, last = _first_convex(taus, curvatures[::-1])
    low = high = np.nan
    if resamples := checked_resamples(resamples, bounds.shape[2]):
        resampled = resampled_means(bounds, resamples, generator)
        points = _first_convex(taus, _curvatures(taus, np.log(np.moveaxis(resampled, 1, 0)))[::-1])
        # The quantiles are temperatures of the grid, as the mean of inf and another one would be inf.
        low = float(np.quantile(points[0], 0.025, method="inverted_cdf"))
        high = float(np.quantile(points[1], 0.975, method="inverted_cdf"))
    return TurningPoint(taus, means, curvatures, float(first), float(last), low, high)


def _curvatures(taus: Array, logs: Array) -> Array:
    """Return bounds on the second derivatives, (2, ..., t), from those on the logarithms, (2, ..., t).

    A derivative is a weighted sum, so its lower bound takes the lower bounds of the terms with positive weights.
    """
    with np.errstate(all="ignore"):
        weights = np.gradient(np.gradient(np.eye(len(taus)), taus, axis=0), taus, axis=0).T
    if not (abs(weights) < _LARGEST_WEIGHT).all():
        raise ValueError("the temperatures are too close together")
    low, high = logs
    positive, negative = np.maximum(weights, 0), np.minimum(weights, 0)
    if np.array_equal(low, high):
        # Rounding would make the two sums differ.
        curvatures = low @ weights
        # Of a straight line, rounding would leave curvatures of both signs.
        curvatures[abs(curvatures) <= _ROUNDING * (abs(low) @ abs(weights))] = 0
        return np.stack([curvatures] * 2)
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
