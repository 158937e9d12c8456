"""The perplexity of a text over temperature, and the temperature at which it is lowest.

With the gaps g_j = max z - z_j before a token y and beta = 1 / tau, the token costs

    -ln p(y) = ln sum_j exp(-beta g_j) + beta g_y        slope: g_y - E[g]

nats; the slope is the derivative with respect to beta. The mean over the tokens is convex in beta. A text has too many
positions to keep the logits of a whole vocabulary for each, so each position is evaluated once, at the Chebyshev nodes
of log beta. The slope of the whole text, or of a resample, is the polynomial through the sums of the slopes at the
nodes. On texts that a language model scores, its zero differs from the exact minimum by a few millionths.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil, exp, inf, log, nan

import numpy as np

from tsoft.core.interval import polynomial_zeros
from tsoft.core.softmax import Array

# The temperatures of the curve, from 1/RANGE to RANGE, and the number of nodes.
RANGE, NODES = 4.0, 32
CURVE_TAUS = np.geomspace(1 / RANGE, RANGE, 41)
_PLACES = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
# The nodes, then both ends.
_BETAS = np.exp(log(RANGE) * np.array([*_PLACES, -1.0, 1.0]))
# The most numbers in a piece of the bootstrap.
_PIECE_SIZE = 1 << 22


@dataclass(frozen=True, eq=False)
class BestTau:
    """The temperature with the lowest perplexity.

    It is 0 or inf if the perplexity falls all the way to that limit, and NaN if it still falls at an end of the curve;
    `reason` is then the cause. `low` and `high` are the ends of its 95 % interval, from `resamples` resamples of blocks
    of `block_length` tokens. They are 0 and inf where a resample falls to an end of the curve; NaN for a text of a
    single block.
    """

    tau: float
    low: float = nan
    high: float = nan
    block_length: int = 0
    resamples: int = 0
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class TauCurve:
    """The cost of each token and its slope, at each node and both ends, (tokens, NODES + 2) each. `gaps`,
    (tokens,), are those of the tokens, and `mean_gaps`, (tokens,), those of all classes."""

    costs: Array
    slopes: Array
    gaps: Array
    mean_gaps: Array

    @cached_property
    def perplexities(self) -> Array:
        """The sequence perplexity at each of CURVE_TAUS, by the polynomial through the costs at the nodes."""
        costs = np.polynomial.chebyshev.chebfit(_PLACES, self.costs[:, :NODES].mean(0), NODES - 1)
        with np.errstate(over="ignore"):
            return np.exp(np.polynomial.chebyshev.chebval(-np.log(CURVE_TAUS) / log(RANGE), costs))


def token_costs(row: Array, index: int) -> tuple[Array, Array, float, float]:
    """Return the costs of a class of a row and their slopes at each node and both ends, its gap and the mean gap.

    >>> costs, slopes, gap, mean_gap = token_costs(np.array([2.0, 0.0]), 1)
    >>> gap, mean_gap, bool(np.isclose(costs[-2], np.log(1 + np.exp(-2 / RANGE)) + 2 / RANGE))
    (2.0, 1.0, True)
    """
    unmasked = row if row.min() > -np.inf else row[row > -np.inf]
    highest = unmasked.max()
    gaps, gap = highest - unmasked, float(highest) - float(row[index])
    sums = np.empty((2, len(_BETAS)))
    weights = np.empty_like(gaps)
    with np.errstate(under="ignore"):
        for k, beta in enumerate(_BETAS.tolist()):
            np.exp(np.multiply(gaps, -beta, out=weights), out=weights)
            sums[:, k] = weights.sum(), weights @ gaps
    return np.log(sums[0]) + _BETAS * gap, gap - sums[1] / sums[0], gap, float(gaps.mean())


def best_tau(curve: TauCurve, resamples: int, generator: np.random.Generator) -> BestTau:
    """Return the temperature with the lowest perplexity, with the percentile interval of a moving-block bootstrap.

    Neighboring tokens depend on one another, so a resample consists of blocks of tokens that start anywhere in the text
    (Liu & Singh 1992, "Moving blocks jackknife and bootstrap capture weak dependence"), with a length of the cube root
    of the number of tokens (Hall, Horowitz & Jing 1995, "On blocking rules for the bootstrap with dependent data").
    Each token counts once, however many windows of the model contain it.
    """
    count = len(curve.slopes)
    tau, reason = _minimum(curve)
    length = ceil(count ** (1 / 3) - 1e-9)
    # All resamples of a single block would be equal.
    if count == length or not resamples:
        return BestTau(tau, reason=reason)
    sums = np.concatenate([np.zeros((1, len(_BETAS))), curve.slopes.cumsum(0)])
    blocks = sums[length:] - sums[:-length]
    blocks_per_text = ceil(count / length)
    taus = np.empty(resamples)
    step = max(1, _PIECE_SIZE // (blocks_per_text * len(_BETAS)))
    for first in range(0, resamples, step):
        part = taus[first : first + step]
        chosen = generator.integers(0, len(blocks), (len(part), blocks_per_text))
        part[:] = _zeros(blocks[chosen].sum(1))
    low, high = np.quantile(taus, [0.025, 0.975], method="inverted_cdf").tolist()
    return BestTau(tau, low, high, length, resamples, reason)


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
