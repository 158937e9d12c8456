"""The samplers: pure functions on logits.

Each takes logits, (..., n) with -inf for a masked class, and returns logits of the same shape and dtype,
whose softmax at temperature 1 is the resulting distribution. A sampler that removes classes is a
`Truncation`: a function that returns a `Cutoff`, the score that is compared and its threshold, so that the
decision can be explained as well as applied. The classes that stay keep their logits; at a tie the lower
index stays, and a rule that would keep no class keeps the most probable.

Probabilities are those of the unmasked classes, which sum to 1.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from tsoft.core import measures
from tsoft.core import softmax as core
from tsoft.core.softmax import Array


@dataclass(frozen=True, eq=False)
class Cutoff:
    """The classes that a truncation keeps: those whose `score`, (..., n), is at least `threshold`, (..., 1).
    With a `count`, (..., 1), only that many stay; of those that tie at the threshold, the ones with the lowest
    indices. `compared` and `bound` are the numbers whose comparison decided this, if not these two.
    `score_name` names the score."""

    score: Array
    threshold: Array
    count: Array | None = None
    score_name: str = "logit"
    compared: Array | None = None
    bound: Array | float | None = None

    @property
    def kept(self) -> Array:
        kept = self.score >= self.threshold
        if self.count is not None:
            excess = kept.sum(-1, keepdims=True) - self.count
            if (excess > 0).any():
                is_tied = self.score == self.threshold
                # Of the tied classes, those with the highest indices are removed.
                kept &= ~is_tied | (is_tied.cumsum(-1) <= is_tied.sum(-1, keepdims=True) - excess)
        return np.asarray(kept)

    @property
    def splits_tie(self) -> Array:
        """Whether some classes stay and others with the same score are removed: (...)."""
        is_tied = (self.score == self.threshold) & (self.score > -inf)
        return np.asarray((is_tied & self.kept).any(-1) & (is_tied & ~self.kept).any(-1))

    @property
    def slack(self) -> Array:
        """The smallest change that would reverse a decision, in the units of what was compared: (...)."""
        if self.compared is None and self.count is not None:
            # Only ranks were compared: the distance from the last that stays to the first that is removed.
            kept = self.kept
            last = np.where(kept, self.score, inf).min(-1)
            return np.asarray(last - np.where(kept, -inf, self.score).max(-1))
        compared = self.score if self.compared is None else self.compared
        gaps = abs(compared - (self.threshold if self.bound is None else self.bound))
        return np.asarray(gaps.min(-1, initial=inf))


class Truncation:
    """A sampler that removes classes, made of the function that returns its Cutoff in the dtype of the
    logits. It removes none if its first value is `off`."""

    def __init__(self, cutoff: Callable[..., Cutoff], off: float | None):
        self.cutoff, self.off = cutoff, off
        self.__name__, self.__doc__, self.__module__ = cutoff.__name__, cutoff.__doc__, cutoff.__module__
        self.__wrapped__ = cutoff

    def __call__(self, z: Any, *values: float) -> Array:
        z = core.validate_logits(z)
        if values[:1] == (self.off,):
            return np.asarray(z)
        return np.asarray(np.where(self.cutoff(z.astype(np.float64, copy=False), *values).kept, z, -inf), z.dtype)

    def in_input_dtype(self, z: Array, *values: float) -> Array:
        """The same computed in the dtype of z, as an engine does, not in float64."""
        return np.asarray(np.where(self.cutoff(z, *values).kept, z, -inf), z.dtype)


def truncation(off: float | None = None) -> Callable[[Callable[..., Cutoff]], Truncation]:
    return lambda cutoff: Truncation(cutoff, off)


# Logits this far apart have the same probability to the last bit.
MAX_EQUAL_GAP = 1e-20


def temperature(z: Any, tau: float, dynatemp_range: float = 0.0, exponent: float = 1.0) -> Array:
    """(z - max z) / tau: softmax's own division, with its exact limits at 0 and inf.

    With a range the temperature is dynamic: from tau - range, for a certain distribution, to tau + range,
    for a uniform one, along (H / ln n)^exponent with H the entropy at temperature 1 and n the number of
    unmasked classes.
    Source: kalomaze 2024, llama.cpp pull request 4972 (entropy-based dynamic temperature).

    >>> temperature([2.0, 1.0, 0.0], 0.5)
    array([ 0., -2., -4.])
    >>> temperature([0.0, 0.0, -50.0], 1.0, 0.5).round(3)
    array([  0.   ,   0.   , -44.211])
    """
    z = core.validate_logits(z)
    work = z.astype(core.working_dtype(z.dtype, tau), copy=False)
    maximum = work.max(-1, keepdims=True)
    taus: Any = tau
    if dynatemp_range and tau < inf:
        unmasked = np.maximum((z > -inf).sum(-1, keepdims=True), 2)
        fraction = measures.entropy(z)[..., np.newaxis] / np.log(unmasked)
        low, high = max(0.0, tau - dynatemp_range), min(tau + dynatemp_range, sys.float_info.max)
        taus = low + (high - low) * np.minimum(fraction, 1.0) ** exponent
    with np.errstate(all="ignore"):
        gaps = np.empty_like(work)
        scale = core.subtract_maximum(work, maximum, gaps) if z.size else None
        if tau == inf:
            # The order of the classes stays, which later samplers may depend on.
            range_ = -np.where(z > -inf, gaps, 0.0).min(-1, keepdims=True, initial=0.0)
            scaled = gaps / np.maximum(range_, 1.0) * MAX_EQUAL_GAP
        else:
            scaled = gaps / taus if scale is None else gaps / taus / scale
    # At 0 the quotient would be 0 / 0.
    return np.asarray(np.where(taus == 0, np.where(work == maximum, 0.0, -inf), _clamp(scaled, z)), z.dtype)


def _clamp(x: Array, z: Array) -> Array:
    """x, but not below the lowest finite number, and -inf for the classes that are masked in z."""
    return np.asarray(np.where(z > -inf, np.maximum(x, np.finfo(z.dtype).min), -inf))


def logit_bias(z: Any, biases: tuple[tuple[int, float], ...]) -> Array:
    """z with a number added to some classes' logits, each an (index, bias); -inf bans a class.
    Source: OpenAI's API reference, chat completions, `logit_bias`.

    >>> logit_bias([2.0, 1.0, 0.0], ((0, -1.5), (2, 3.0)))
    array([0.5, 1. , 3. ])
    """
    biased = core.validate_logits(z).copy()
    for index, bias in biases:
        with np.errstate(over="ignore"):
            # The sum may overflow, and inf is not a logit.
            biased[..., index] = np.minimum(biased[..., index] + bias, np.finfo(biased.dtype).max)
    return biased


def smoothing(z: Any, factor: float) -> Array:
    """max z - factor (max z - z)^2: logits near the top move closer to it, those far below move away.
    Source: kalomaze 2024, text-generation-webui pull request 5403 (quadratic sampling).

    >>> smoothing([2.0, 1.5, 0.0], 1.0)
    array([ 2.  ,  1.75, -2.  ])
    """
    z = core.validate_logits(z)
    if factor == 0:
        return np.asarray(z)
    maximum = z.max(-1, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        return _clamp(maximum - factor * (maximum - z) ** 2, z)


@truncation()
def top_n_sigma(z: Array, n: float) -> Cutoff:
    """Keeps the classes whose logit is at least max z - n sigma, with sigma the standard deviation of
    the unmasked logits (as a population). Temperature does not change the classes it keeps.
    Source: Tang, Liu, Xu & Huang 2024, "Top-nσ: Not All Logits Are You Need"; sigma is llama.cpp's.

    >>> top_n_sigma([4.0, 3.0, 0.0, 0.0], 1.0)
    array([  4.,   3., -inf, -inf])
    """
    unmasked = z > -inf
    maximum = z.max(-1, keepdims=True)
    # Scaled by the largest, so that squares do not overflow.
    scale = np.maximum(abs(np.where(unmasked, z, 0)).max(-1, keepdims=True), np.finfo(z.dtype).tiny)
    scaled = np.where(unmasked, z, 0) / scale
    sigma = scale * np.std(scaled, axis=-1, keepdims=True, where=unmasked)
    with np.errstate(over="ignore"):
        return Cutoff(z, maximum - n * sigma)


@truncation()
def top_h(z: Array, alpha: float) -> Cutoff:
    """Keeps the most probable classes, in turn, whose terms -p ln p of the entropy sum to at most alpha
    of the whole; the first in any case. Only the 100 most probable are considered.
    Source: Potraghloo, Azizi, Kundu & Pedram 2025, "Top-H Decoding: Adapting the Creativity and
    Coherence with Bounded Entropy in Text Generation"; the limit of 100 is transformers'
    `TopHLogitsWarper`, whose sum this is.

    >>> top_h([0.0, 0.0, -1.0, -1.0], 0.6)
    array([  0.,   0., -inf, -inf])
    """
    descending = -np.sort(-z, axis=-1)[..., :100]
    log_probs = core.log_softmax(descending)
    terms = -np.exp(log_probs) * np.maximum(log_probs, np.finfo(z.dtype).min)
    sums, bound = terms.cumsum(-1), alpha * measures.entropy(descending)[..., np.newaxis]
    # A class whose probability is 0 adds nothing.
    count = np.maximum(((sums <= bound) & (terms > 0)).sum(-1, keepdims=True), 1)
    return Cutoff(z, value_at_rank(descending, count), count, compared=sums, bound=bound)


@truncation(off=0)
def top_k(z: Array, k: float) -> Cutoff:
    """Keeps the k most probable classes.
    Source: Fan, Lewis & Dauphin 2018, "Hierarchical Neural Story Generation".

    >>> top_k([1.0, 3.0, 3.0, 3.0], 2)
    array([-inf,   3.,   3., -inf])
    """
    count = min(int(k), z.shape[-1])
    return Cutoff(z, _kth(z, count), np.array([count]))


# The k-th highest of a long row is searched only above the k-th highest of the maxima of such chunks.
_CHUNK = 64


def _kth(z: Array, k: int) -> Array:
    """The k-th highest number of each row, (..., 1)."""
    if z.size == z.shape[-1] and k * _CHUNK <= z.size:
        z = z.ravel()
        # The k-th highest of the chunks' maxima is at most the k-th of all.
        highest = z[: len(z) - len(z) % _CHUNK].reshape(-1, _CHUNK).max(1)
        z = z[z >= np.partition(highest, len(highest) - k)[len(highest) - k]]
    position = z.shape[-1] - k
    return np.asarray(np.partition(z, position, axis=-1)[..., [position]])


@truncation(off=1)
def top_p(z: Array, p: float) -> Cutoff:
    """Nucleus sampling: keeps the fewest most probable classes that hold at least p of the mass,
    including the one that crosses p. It sums from below, and drops those that hold at most 1 - p.
    Source: Holtzman, Buys, Du, Forbes & Choi 2020, "The Curious Case of Neural Text Degeneration", section 3;
    transformers' `TopPLogitsWarper` sums as this does.

    >>> top_p(np.log([0.5, 0.3, 0.2]), 0.6).round(2)
    array([-0.69, -1.2 ,  -inf])
    """
    ascending = np.sort(z, axis=-1)
    sums = core.softmax(ascending).cumsum(-1)
    dropped = (sums <= 1 - p).sum(-1, keepdims=True)
    count = np.maximum(z.shape[-1] - dropped, 1)
    return Cutoff(z, value_at_rank(ascending[..., ::-1], count), count, compared=sums, bound=1 - p)


def value_at_rank(descending: Array, count: Array) -> Array:
    """The count-th of each row, (..., 1)."""
    return np.take_along_axis(descending, count - 1, axis=-1)


@truncation(off=0)
def min_p(z: Array, p: float) -> Cutoff:
    """Keeps the classes that are at least p times as probable as the most probable one.
    Source: Nguyen, Baker, Neo, Roush, Kirsch & Shwartz-Ziv 2025, "Turning Up the Heat: Min-p Sampling
    for Creative and Coherent LLM Outputs".

    >>> min_p(np.log([0.6, 0.3, 0.1]), 0.2).round(2)
    array([-0.51, -1.2 ,  -inf])
    """
    probs = core.softmax(z)
    return Cutoff(probs, p * probs.max(-1, keepdims=True), score_name="probability")


@truncation(off=1)
def typical(z: Array, mass: float) -> Cutoff:
    """Locally typical sampling: keeps the fewest classes that hold at least so much of the mass, starting
    with those whose surprise -ln p is nearest the entropy. It may remove the most probable class.
    Source: Meister, Pimentel, Wiher & Cotterell 2023, "Locally Typical Sampling".

    >>> typical(np.log([0.5, 0.2, 0.15, 0.15]), 0.2).round(2)
    array([ -inf, -1.61,  -inf,  -inf])
    """
    return entropy_distance_cutoff(z, mass, lambda sums: (sums < mass).sum(-1, keepdims=True) + 1)


def entropy_distance_cutoff(z: Array, mass: float, count_of: Callable[[Array], Array]) -> Cutoff:
    """The classes whose surprise is nearest the entropy, `count_of(sums)` of them, with the cumulative
    sums of their probabilities, the nearest first; one at least."""
    log_probs = core.log_softmax(z)
    # The distance of a masked class is infinite.
    score = -abs(-log_probs - measures.entropy(z)[..., np.newaxis])
    return count_cutoff(mass, score, np.exp(log_probs), count_of)


def count_cutoff(mass: float, score: Array, probs: Array, count_of: Callable[[Array], Array]) -> Cutoff:
    """The `count_of(sums)` classes nearest the entropy by `score`, one at least; see
    `entropy_distance_cutoff`."""
    order = np.argsort(-score, axis=-1, kind="stable")
    sums = np.take_along_axis(probs, order, axis=-1).cumsum(-1)
    number = np.clip(count_of(sums), 1, score.shape[-1])
    threshold = np.take_along_axis(score, value_at_rank(order, number), axis=-1)
    return Cutoff(score, threshold, number, score_name="-|surprise - entropy|", compared=sums, bound=mass)


@truncation(off=0)
def epsilon_cutoff(z: Array, epsilon: float) -> Cutoff:
    """Keeps the classes with a probability of at least epsilon.
    Source: Hewitt, Manning & Liang 2022, "Truncation Sampling as Language Model Desmoothing",
    section 4.

    >>> epsilon_cutoff(np.log([0.6, 0.3, 0.1]), 0.2).round(2)
    array([-0.51, -1.2 ,  -inf])
    """
    probs = core.softmax(z)
    return Cutoff(probs, np.minimum(epsilon, probs.max(-1, keepdims=True)), score_name="probability")


@truncation(off=0)
def eta_cutoff(z: Array, epsilon: float) -> Cutoff:
    """Keeps the classes with a probability of at least eta = min(epsilon, sqrt(epsilon) exp(-H)), with
    H the entropy.
    Source: Hewitt, Manning & Liang 2022, "Truncation Sampling as Language Model Desmoothing", section 4.

    >>> eta_cutoff(np.log([0.4, 0.3, 0.2, 0.1]), 0.2).round(2)
    array([-0.92, -1.2 , -1.61,  -inf])
    """
    probs = core.softmax(z)
    eta = np.minimum(epsilon, epsilon**0.5 * np.exp(-measures.entropy(z)))[..., np.newaxis]
    return Cutoff(probs, np.minimum(eta, probs.max(-1, keepdims=True)), score_name="probability")


@truncation(off=1)
def tail_free(z: Array, share: float) -> Cutoff:
    """Tail-free sampling: keeps the most probable classes up to where the curve of the sorted
    probabilities has a share of its curvature, the sum of its absolute second differences.
    Source: Bricken 2019, "Tail Free Sampling"; the cut is centred as in text-generation-webui.

    >>> tail_free(np.log([0.4, 0.35, 0.15, 0.05, 0.05]), 0.5).round(2)
    array([-0.92, -1.05,  -inf,  -inf,  -inf])
    """
    return curvature_cutoff(z, share)


def curvature_cutoff(z: Array, share: float, always_removed: int = 0) -> Cutoff:
    """The most probable classes up to that share of the curve's absolute second differences. If there are
    none, of fewer than three classes or classes on a line, all but the `always_removed` last ones."""
    descending = -np.sort(-z, axis=-1)
    remaining = descending[..., 2:] > -inf
    curvature = np.where(remaining, abs(np.diff(core.softmax(descending), 2, axis=-1)), 0)
    total = curvature.sum(-1, keepdims=True)
    sums = (curvature / np.where(total > 0, total, 1)).cumsum(-1)
    within = ((sums <= share) & remaining).sum(-1, keepdims=True)
    unmasked = (z > -inf).sum(-1, keepdims=True)
    count = np.maximum(np.where(total > 0, 1 + within, unmasked - always_removed), 1)
    return Cutoff(z, value_at_rank(descending, count), count, compared=sums, bound=share)


@truncation(off=0)
def top_a(z: Array, a: float) -> Cutoff:
    """Keeps the classes with a probability of at least a times the square of the highest.
    Source: BlinkDL 2022, RWKV-LM's README, "the top-a sampling method".

    >>> top_a(np.log([0.6, 0.3, 0.1]), 0.5).round(2)
    array([-0.51, -1.2 ,  -inf])
    """
    probs = core.softmax(z)
    highest = probs.max(-1, keepdims=True)
    return Cutoff(probs, np.minimum(a * highest**2, highest), score_name="probability")


@truncation()
def xtc(z: Array, threshold: float) -> Cutoff:
    """Exclude top choices: of the classes with a probability of at least the threshold only the least
    probable stays, with all below it. Removes nothing if there are fewer than two.
    Source: p-e-w 2024, text-generation-webui pull request 6335.

    >>> xtc(np.log([0.5, 0.3, 0.2]), 0.25).round(2)
    array([ -inf, -1.2 , -1.61])
    """
    probs = core.softmax(z)
    unmasked = (z > -inf).sum(-1, keepdims=True)
    top_choices = ((probs >= threshold) & (z > -inf)).sum(-1, keepdims=True)
    # The least probable of the top choices and those below it, or all if there is only one.
    count = np.where(top_choices >= 2, unmasked - top_choices + 1, unmasked)
    ascending = np.sort(np.where(z > -inf, z, inf), axis=-1)
    lowest = np.take_along_axis(ascending, count - 1, axis=-1)
    return Cutoff(np.where(z > -inf, -z, -inf), -lowest, count, score_name="-logit", compared=probs, bound=threshold)
