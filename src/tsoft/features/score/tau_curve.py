"""The perplexity of a text over temperature, and the temperature at which it is lowest.

With the gaps g_j = max z - z_j before a token y and beta = 1 / tau, the token costs

    -ln p(y) = ln sum_j exp(-beta g_j) + beta g_y        slope: g_y - E[g]

nats; the slope is the derivative with respect to beta. The mean over the tokens is convex in beta. A text has too many
positions to keep the logits of a whole vocabulary for each, so each position is evaluated once, at the Chebyshev nodes
of log beta. The slope of the whole text is the polynomial through the sums of the slopes at the nodes. On texts that a
language model scores, its zero differs from the exact minimum by a few millionths.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil, exp, inf, log, nan

import numpy as np

from tsoft.core.interval import NORMAL_QUANTILE, polynomial_zeros
from tsoft.core.softmax import Array

# The temperatures of the curve, from 1/RANGE to RANGE, and the number of nodes.
RANGE, NODES = 4.0, 32
CURVE_TAUS = np.geomspace(1 / RANGE, RANGE, 41)
_PLACES = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
# The nodes, then both ends.
_BETAS = np.exp(log(RANGE) * np.array([*_PLACES, -1.0, 1.0]))


@dataclass(frozen=True, eq=False)
class BestTau:
    """The temperature with the lowest perplexity.

    It is 0 or inf if the perplexity falls all the way to that limit, and NaN if it still falls at an end of the curve;
    `reason` is then the cause. `low` and `high` are the ends of its 95 % interval, with blocks of `block_length`
    tokens. They are 0 and inf where the interval extends beyond an end of the curve.
    """

    tau: float
    low: float
    high: float
    block_length: int
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class TauCurve:
    """The cost of each token, its slope and the variance Var[g], at each node and both ends, (tokens, NODES + 2) each.
    `gaps`, (tokens,), are those of the tokens, and `mean_gaps`, (tokens,), those of all classes."""

    costs: Array
    slopes: Array
    variances: Array
    gaps: Array
    mean_gaps: Array

    @cached_property
    def perplexities(self) -> Array:
        """The sequence perplexity at each of CURVE_TAUS, by the polynomial through the costs at the nodes."""
        costs = np.polynomial.chebyshev.chebfit(_PLACES, self.costs[:, :NODES].mean(0), NODES - 1)
        with np.errstate(over="ignore"):
            return np.exp(np.polynomial.chebyshev.chebval(-np.log(CURVE_TAUS) / log(RANGE), costs))


def token_costs(row: Array, index: int) -> tuple[Array, Array, Array, float, float]:
    """Return the costs of a class of a row, their slopes and the variances Var[g] at each node and both ends, its gap
    and the mean gap.

    >>> costs, slopes, variances, gap, mean_gap = token_costs(np.array([2.0, 0.0]), 1)
    >>> gap, mean_gap, bool(np.isclose(costs[-2], np.log(1 + np.exp(-2 / RANGE)) + 2 / RANGE))
    (2.0, 1.0, True)
    """
    unmasked = row if row.min() > -np.inf else row[row > -np.inf]
    highest = unmasked.max()
    gaps, gap = highest - unmasked, float(highest) - float(row[index])
    squares = gaps * gaps
    sums = np.empty((3, len(_BETAS)))
    weights = np.empty_like(gaps)
    with np.errstate(under="ignore"):
        for k, beta in enumerate(_BETAS.tolist()):
            np.exp(np.multiply(gaps, -beta, out=weights), out=weights)
            sums[:, k] = weights.sum(), weights @ gaps, weights @ squares
    means = sums[1] / sums[0]
    variances = np.maximum(sums[2] / sums[0] - means * means, 0)
    return np.log(sums[0]) + _BETAS * gap, gap - means, variances, gap, float(gaps.mean())


def best_tau(curve: TauCurve) -> BestTau:
    """Return the temperature with the lowest perplexity, with an interval from score tests.

    The slope of a text that was drawn from the model at tau has mean 0 and the variance sum Var[g]. The interval
    contains the temperatures at which the slope is at most 1.96 standard deviations from 0 (Rao 1948, "Large sample
    tests of statistical hypotheses concerning several parameters"). Other texts may vary more, and their neighboring
    tokens depend on one another, so the interval also contains the temperatures that pass with the variance of circular
    blocks of tokens (Politis & Romano 1992, "A circular block-resampling procedure for stationary data"), with a length
    of the cube root of the number of tokens (Hall, Horowitz & Jing 1995, "On blocking rules for the bootstrap with
    dependent data"). Each token counts once, however many windows of the model contain it.
    """
    tau, reason = _minimum(curve)
    length = ceil(len(curve.slopes) ** (1 / 3) - 1e-9)
    deviations = np.sqrt([curve.variances.sum(0), _block_variance(curve.slopes, length)])
    slope = curve.slopes.sum(0)
    low = _zeros(slope - NORMAL_QUANTILE * deviations).min()
    high = _zeros(slope + NORMAL_QUANTILE * deviations).max()
    # Beyond an end of the curve, the end of the interval is unknown.
    return BestTau(tau, min(float(low), RANGE), max(float(high), 1 / RANGE), length, reason)


def _block_variance(values: Array, length: int) -> Array:
    """Return the variance of the sums of values, (tokens, m), from blocks of `length` tokens that start at each token
    and continue at the start of the text: (m,).

    >>> _block_variance(np.array([[1.0], [2.0], [6.0]]), 2)
    array([7.])
    """
    differences = values - values.mean(0)
    sums = np.concatenate([np.zeros_like(values[:1]), differences, differences[: length - 1]]).cumsum(0)
    return np.asarray(((sums[length:] - sums[:-length]) ** 2).sum(0) / length)


def _minimum(curve: TauCurve) -> tuple[float, str | None]:
    """Return the temperature at the minimum, and why it is none of those of the curve."""
    tau = float(_zeros(curve.slopes.sum(0)[np.newaxis])[0])
    if tau == 0:
        if not curve.gaps.any():
            return 0.0, "every token is the most probable one, so the perplexity falls to 1 at τ = 0"
        return nan, f"the perplexity still falls at τ = {1 / RANGE:g}, the lower end of the curve"
    if tau == inf:
        if curve.gaps.mean() >= curve.mean_gaps.mean():
            return inf, "the tokens' logits are no higher than the others' on average, so τ = inf is the best"
        return nan, f"the perplexity still falls at τ = {RANGE:g}, the upper end of the curve"
    return tau, None


def _zeros(slopes: Array) -> Array:
    """Return the temperatures at which slopes at the nodes and the ends, (m, NODES + 2), are zero: (m,). They are 0 and
    inf if the slope has the same sign everywhere."""
    low, high = slopes[:, -2], slopes[:, -1]
    taus = np.exp(-log(RANGE) * polynomial_zeros(_PLACES, slopes[:, :-2]))
    return np.where(low >= 0, inf, np.where(high <= 0, 0.0, taus))


def perplexity(logprob: float, tokens: int) -> float:
    """Return exp of the negative mean log-probability; NaN without tokens.

    Source: Jelinek, Mercer, Bahl & Baker 1977, "Perplexity: a measure of the difficulty of speech recognition tasks".

    >>> round(perplexity(-2.0794, 3), 4)
    2.0
    """
    if not tokens:
        return nan
    return inf if logprob < -700 * tokens else exp(-logprob / tokens)
