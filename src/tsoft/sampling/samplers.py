"""The samplers: pure functions on logits.

Each takes logits, (..., n) with -inf for a class that is masked, and gives logits of the same shape
and dtype, whose softmax at temperature 1 is what it leaves. A sampler that removes classes is a
`Truncation`: a function that says which score is compared and how high it has to be, so that what it
keeps can be explained as well as applied. The classes that stay keep their logits; at a tie the lower
index stays, and where a rule would leave none, the most probable do.

Probabilities are those of the classes that are left, which sum to 1. All is worked in the width of the
logits: the chain gives float64.
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
    """What a truncation keeps: the classes whose `score`, (..., n), is at least `least`, (..., 1). Where
    there is a `count`, (..., 1), so many stay, of those that tie at `least` the ones with the lowest
    indices. `compared` and `bound` are the numbers that decided it, where they are not these two.
    `of` names the score."""

    score: Array
    least: Array
    count: Array | None = None
    of: str = "logit"
    compared: Array | None = None
    bound: Array | float | None = None

    @property
    def keep(self) -> Array:
        keep = self.score >= self.least
        if self.count is not None:
            excess = keep.sum(-1, keepdims=True) - self.count
            if (excess > 0).any():
                tied = self.score == self.least
                # Of those tied, the last in the order of the classes go.
                keep &= ~tied | (tied.cumsum(-1) <= tied.sum(-1, keepdims=True) - excess)
        return np.asarray(keep)

    @property
    def splits_tie(self) -> Array:
        """Whether of classes with the same score some stay and some go: (...)."""
        at = (self.score == self.least) & (self.score > -inf)
        return np.asarray((at & self.keep).any(-1) & (at & ~self.keep).any(-1))

    @property
    def slack(self) -> Array:
        """How near a class came to be decided otherwise, in the units of what was compared: (...)."""
        if self.compared is None and self.count is not None:
            # Only the ranks were compared: how far the last that stays is from the first that goes.
            keep = self.keep
            last = np.where(keep, self.score, inf).min(-1)
            return np.asarray(last - np.where(keep, -inf, self.score).max(-1))
        compared = self.score if self.compared is None else self.compared
        gaps = abs(compared - (self.least if self.bound is None else self.bound))
        return np.asarray(gaps.min(-1, initial=inf))


class Truncation:
    """A sampler that removes classes, made of the function that gives its Limit in the width of the logits.
    At `off` it removes none."""

    def __init__(self, limit: Callable[..., Cutoff], off: float | None):
        self.limit, self.off = limit, off
        self.__name__, self.__doc__, self.__module__ = limit.__name__, limit.__doc__, limit.__module__
        self.__wrapped__ = limit

    def __call__(self, z: Any, *values: float) -> Array:
        z = core.validate_logits(z)
        if values[:1] == (self.off,):
            return np.asarray(z)
        return np.asarray(np.where(self.limit(z.astype(np.float64, copy=False), *values).keep, z, -inf), z.dtype)

    def in_width(self, z: Array, *values: float) -> Array:
        """The same worked in the width of z, as an engine does."""
        return np.asarray(np.where(self.limit(z, *values).keep, z, -inf), z.dtype)


def truncation(off: float | None = None) -> Callable[[Callable[..., Cutoff]], Truncation]:
    return lambda limit: Truncation(limit, off)


# Logits this far apart have the same probability to the last bit.
ALMOST_0 = 1e-20


def temperature(z: Any, tau: float, dynatemp_range: float = 0.0, exponent: float = 1.0) -> Array:
    """(z - max z) / tau: softmax's own division, with its exact limits at 0 and inf.

    With a range the temperature is dynamic: from tau - range, for a distribution that is sure, to
    tau + range, for a uniform one, along (H / ln n)^exponent with H the entropy at temperature 1 and n
    the number of classes that are left.
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
        left = np.maximum((z > -inf).sum(-1, keepdims=True), 2)
        share = measures.entropy(z)[..., np.newaxis] / np.log(left)
        coldest, hottest = max(0.0, tau - dynatemp_range), min(tau + dynatemp_range, sys.float_info.max)
        taus = coldest + (hottest - coldest) * np.minimum(share, 1.0) ** exponent
    with np.errstate(all="ignore"):
        gaps = np.empty_like(work)
        part = core.subtract_maximum(work, maximum, gaps) if z.size else None
        if tau == inf:
            # The order stays, which what comes after may look at.
            farthest = -np.where(z > -inf, gaps, 0.0).min(-1, keepdims=True, initial=0.0)
            scaled = gaps / np.maximum(farthest, 1.0) * ALMOST_0
        else:
            scaled = gaps / taus if part is None else gaps / taus / part
    # The limit at 0, where the quotient is 0 / 0.
    return np.asarray(np.where(taus == 0, np.where(work == maximum, 0.0, -inf), _within(scaled, z)), z.dtype)


def _within(x: Array, z: Array) -> Array:
    """x without what is below every number but for the classes that are masked in z."""
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
            # The sum of two of the largest numbers would be no logit.
            biased[..., index] = np.minimum(biased[..., index] + bias, np.finfo(biased.dtype).max)
    return biased


def smoothing(z: Any, factor: float) -> Array:
    """max z - factor (max z - z)^2: logits near the top draw together, those far below it fall away.
    Source: kalomaze 2024, text-generation-webui pull request 5403 (quadratic sampling).

    >>> smoothing([2.0, 1.5, 0.0], 1.0)
    array([ 2.  ,  1.75, -2.  ])
    """
    z = core.validate_logits(z)
    if factor == 0:
        return np.asarray(z)
    maximum = z.max(-1, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        return _within(maximum - factor * (maximum - z) ** 2, z)


@truncation()
def top_n_sigma(z: Array, n: float) -> Cutoff:
    """Keeps the classes whose logit is at least max z - n sigma, with sigma the standard deviation of
    the logits (of those that are left, as a population). No temperature changes what is kept.
    Source: Tang, Liu, Xu & Huang 2024, "Top-nσ: Not All Logits Are You Need"; sigma is llama.cpp's.

    >>> top_n_sigma([4.0, 3.0, 0.0, 0.0], 1.0)
    array([  4.,   3., -inf, -inf])
    """
    left = z > -inf
    maximum = z.max(-1, keepdims=True)
    # In parts of the largest, whose square does not overflow.
    unit = np.maximum(abs(np.where(left, z, 0)).max(-1, keepdims=True), np.finfo(z.dtype).tiny)
    parts = np.where(left, z, 0) / unit
    sigma = unit * np.std(parts, axis=-1, keepdims=True, where=left)
    with np.errstate(over="ignore"):
        return Cutoff(z, maximum - n * sigma)


@truncation()
def top_h(z: Array, alpha: float) -> Cutoff:
    """Keeps the most probable classes, in turn, whose terms -p ln p of the entropy sum to at most alpha
    of the whole; the first in any case. Only the 100 most probable are looked at.
    Source: Potraghloo, Azizi, Kundu & Pedram 2025, "Top-H Decoding: Adapting the Creativity and
    Coherence with Bounded Entropy in Text Generation"; the limit of 100 is transformers'
    `TopHLogitsWarper`, whose sum this is.

    >>> top_h([0.0, 0.0, -1.0, -1.0], 0.6)
    array([  0.,   0., -inf, -inf])
    """
    falling = -np.sort(-z, axis=-1)[..., :100]
    log_probs = core.log_softmax(falling)
    terms = -np.exp(log_probs) * np.maximum(log_probs, np.finfo(z.dtype).min)
    sums, bound = terms.cumsum(-1), alpha * measures.entropy(falling)[..., np.newaxis]
    # A class whose probability is 0 adds nothing.
    count = np.maximum(((sums <= bound) & (terms > 0)).sum(-1, keepdims=True), 1)
    return Cutoff(z, nth(falling, count), count, compared=sums, bound=bound)


@truncation(off=0)
def top_k(z: Array, k: float) -> Cutoff:
    """Keeps the k most probable classes.
    Source: Fan, Lewis & Dauphin 2018, "Hierarchical Neural Story Generation".

    >>> top_k([1.0, 3.0, 3.0, 3.0], 2)
    array([-inf,   3.,   3., -inf])
    """
    count = min(int(k), z.shape[-1])
    return Cutoff(z, _kth(z, count), np.array([count]))


# Of each so many numbers of a long row the highest is found before the k-th.
_PART = 64


def _kth(z: Array, k: int) -> Array:
    """The k-th highest number of each row, (..., 1)."""
    if z.ndim == 1 and k * _PART <= len(z):
        # Of the parts' maxima the k-th is at most the k-th of all: what is below it is not looked at.
        highest = z[: len(z) - len(z) % _PART].reshape(-1, _PART).max(1)
        z = z[z >= np.partition(highest, len(highest) - k)[len(highest) - k]]
    place = z.shape[-1] - k
    return np.asarray(np.partition(z, place, axis=-1)[..., [place]])


@truncation(off=1)
def top_p(z: Array, p: float) -> Cutoff:
    """Nucleus sampling: keeps the fewest most probable classes that hold at least p of the mass. The
    class that crosses p stays; it is found from below, as those are dropped that hold together no more
    than 1 - p.
    Source: Holtzman, Buys, Du, Forbes & Choi 2020, "The Curious Case of Neural Text Degeneration", section 3;
    transformers' `TopPLogitsWarper` sums as this does.

    >>> top_p(np.log([0.5, 0.3, 0.2]), 0.6).round(2)
    array([-0.69, -1.2 ,  -inf])
    """
    rising = np.sort(z, axis=-1)
    sums = core.softmax(rising).cumsum(-1)
    dropped = (sums <= 1 - p).sum(-1, keepdims=True)
    count = np.maximum(z.shape[-1] - dropped, 1)
    return Cutoff(z, nth(rising[..., ::-1], count), count, compared=sums, bound=1 - p)


def nth(falling: Array, count: Array) -> Array:
    """The count-th of each row, (..., 1)."""
    return np.take_along_axis(falling, count - 1, axis=-1)


@truncation(off=0)
def min_p(z: Array, p: float) -> Cutoff:
    """Keeps the classes that are at least p times as probable as the most probable one.
    Source: Nguyen, Baker, Neo, Roush, Kirsch & Shwartz-Ziv 2025, "Turning Up the Heat: Min-p Sampling
    for Creative and Coherent LLM Outputs".

    >>> min_p(np.log([0.6, 0.3, 0.1]), 0.2).round(2)
    array([-0.51, -1.2 ,  -inf])
    """
    probs = core.softmax(z)
    return Cutoff(probs, p * probs.max(-1, keepdims=True), of="probability")


@truncation(off=1)
def typical(z: Array, mass: float) -> Cutoff:
    """Locally typical sampling: keeps the fewest classes that hold at least so much of the mass, those
    first whose surprise -ln p is nearest the entropy. The most probable class may go.
    Source: Meister, Pimentel, Wiher & Cotterell 2023, "Locally Typical Sampling".

    >>> typical(np.log([0.5, 0.2, 0.15, 0.15]), 0.2).round(2)
    array([ -inf, -1.61,  -inf,  -inf])
    """
    return nearest_entropy(z, mass, lambda sums: (sums < mass).sum(-1, keepdims=True) + 1)


def nearest_entropy(z: Array, mass: float, count: Callable[[Array], Array]) -> Cutoff:
    """The classes whose surprise is nearest the entropy, as many as `count` makes of the sums of their
    probabilities, the nearest first; one at least."""
    log_probs = core.log_softmax(z)
    # A masked class is farthest.
    score = -abs(-log_probs - measures.entropy(z)[..., np.newaxis])
    return first_to(mass, score, np.exp(log_probs), count)


def first_to(mass: float, score: Array, probs: Array, count: Callable[[Array], Array]) -> Cutoff:
    """The classes with the highest score, as many as `count` makes of the sums of their probabilities."""
    order = np.argsort(-score, axis=-1, kind="stable")
    sums = np.take_along_axis(probs, order, axis=-1).cumsum(-1)
    number = np.clip(count(sums), 1, score.shape[-1])
    least = np.take_along_axis(score, nth(order, number), axis=-1)
    return Cutoff(score, least, number, of="-|surprise - entropy|", compared=sums, bound=mass)


@truncation(off=0)
def epsilon_cutoff(z: Array, epsilon: float) -> Cutoff:
    """Keeps the classes with a probability of at least epsilon.
    Source: Hewitt, Manning & Liang 2022, "Truncation Sampling as Language Model Desmoothing",
    section 4.

    >>> epsilon_cutoff(np.log([0.6, 0.3, 0.1]), 0.2).round(2)
    array([-0.51, -1.2 ,  -inf])
    """
    probs = core.softmax(z)
    return Cutoff(probs, np.minimum(epsilon, probs.max(-1, keepdims=True)), of="probability")


@truncation(off=0)
def eta_cutoff(z: Array, epsilon: float) -> Cutoff:
    """Keeps the classes with a probability of at least eta = min(epsilon, sqrt(epsilon) exp(-H)), with
    H the entropy: the surer the distribution, the less it cuts.
    Source: Hewitt, Manning & Liang 2022, "Truncation Sampling as Language Model Desmoothing", section 4.

    >>> eta_cutoff(np.log([0.4, 0.3, 0.2, 0.1]), 0.2).round(2)
    array([-0.92, -1.2 , -1.61,  -inf])
    """
    probs = core.softmax(z)
    eta = np.minimum(epsilon, epsilon**0.5 * np.exp(-measures.entropy(z)))[..., np.newaxis]
    return Cutoff(probs, np.minimum(eta, probs.max(-1, keepdims=True)), of="probability")


@truncation(off=1)
def tail_free(z: Array, share: float) -> Cutoff:
    """Tail-free sampling: keeps the most probable classes up to where the curve of the sorted
    probabilities has bent by so much of its whole bend, the sum of its absolute second differences.
    Source: Bricken 2019, "Tail Free Sampling"; the cut is centred as in text-generation-webui.

    >>> tail_free(np.log([0.4, 0.35, 0.15, 0.05, 0.05]), 0.5).round(2)
    array([-0.92, -1.05,  -inf,  -inf,  -inf])
    """
    bend = Bend.of(z, share)
    # Of fewer than three classes, or where all are on a line, there is no bend.
    return bend.limit(np.where(bend.whole > 0, 1 + bend.within, bend.left))


@dataclass(frozen=True, eq=False)
class Bend:
    """How the curve of the sorted probabilities bends: the logits, `falling`; the parts of its `whole`
    bend up to each class, `sums`, (..., n - 2), of which `within` are at most the `share`; how many
    classes are `left`."""

    z: Array
    share: float
    falling: Array
    sums: Array
    whole: Array
    within: Array
    left: Array

    @classmethod
    def of(cls, z: Array, share: float) -> "Bend":
        falling = -np.sort(-z, axis=-1)
        left = (z > -inf).sum(-1, keepdims=True)
        there = falling[..., 2:] > -inf
        bends = np.where(there, abs(np.diff(core.softmax(falling), 2, axis=-1)), 0)
        whole = bends.sum(-1, keepdims=True)
        sums = (bends / np.where(whole > 0, whole, 1)).cumsum(-1)
        return cls(z, share, falling, sums, whole, ((sums <= share) & there).sum(-1, keepdims=True), left)

    def limit(self, count: Array) -> Cutoff:
        return Cutoff(self.z, nth(self.falling, count), count, compared=self.sums, bound=self.share)


@truncation(off=0)
def top_a(z: Array, a: float) -> Cutoff:
    """Keeps the classes with a probability of at least a times the square of the highest.
    Source: BlinkDL 2022, RWKV-LM's README, "the top-a sampling method".

    >>> top_a(np.log([0.6, 0.3, 0.1]), 0.5).round(2)
    array([-0.51, -1.2 ,  -inf])
    """
    probs = core.softmax(z)
    highest = probs.max(-1, keepdims=True)
    return Cutoff(probs, np.minimum(a * highest**2, highest), of="probability")


@truncation()
def xtc(z: Array, threshold: float) -> Cutoff:
    """Exclude top choices: of the classes with a probability of at least the threshold only the least
    probable stays, with all below it. Where there are fewer than two, nothing goes.
    Source: p-e-w 2024, text-generation-webui pull request 6335.

    >>> xtc(np.log([0.5, 0.3, 0.2]), 0.25).round(2)
    array([ -inf, -1.2 , -1.61])
    """
    probs = core.softmax(z)
    left = (z > -inf).sum(-1, keepdims=True)
    above = ((probs >= threshold) & (z > -inf)).sum(-1, keepdims=True)
    # The least probable of those above, and what is below it; nothing is excluded where it is alone.
    count = np.where(above >= 2, left - above + 1, left)
    rising = np.sort(np.where(z > -inf, z, inf), axis=-1)
    least = np.take_along_axis(rising, count - 1, axis=-1)
    return Cutoff(np.where(z > -inf, -z, -inf), -least, count, of="-logit", compared=probs, bound=threshold)
