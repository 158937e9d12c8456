"""The rules by which samplers remove classes.

Each function takes logits, a float array (..., n) with -inf for a masked class, and the sampler's value. It
returns a `Cutoff`: the score that is compared with a threshold, so that the decision can be explained as
well as applied. The arithmetic is in the dtype of the logits. Probabilities are those of the unmasked
classes, which sum to 1. A rule that would keep no class keeps the most probable one. A rule that compares
each class with a threshold (top_n_sigma, min_p, p_less, epsilon_cutoff, eta_cutoff, top_a) treats classes that
tie alike, and the others keep those with the lowest indices. Numbers that only rounding may separate
count as equal: 0.5 and 0.3 reach the sum 0.8, though the computed probabilities may not.

`samplers` has the public function for each of these, with its explanation and its source.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from tsoft.core.measures import entropy
from tsoft.core.softmax import Array, log_softmax, softmax
from tsoft.sampling.states import initial_mu

# The share of a number by which rounding may change it: a logit or a probability, and a sum for each of its terms. In
# float32, no two numbers are as close, so that the float32 arithmetic of an engine decides by its rounding.
LOGIT_ROUNDING, PROB_ROUNDING, TERM_ROUNDING = 2.0**-49, 2.0**-42, 2.0**-52

# The name of the score that typical-p compares.
DISTANCE = "-|surprise - entropy|"


def exceeds(values: Array, bound: Any) -> Array:
    """Return whether probabilities are above a bound, and not just by rounding."""
    return np.asarray(values > bound + PROB_ROUNDING * abs(bound))


def reaches(values: Array, bound: Any) -> Array:
    """Return whether probabilities are at least a bound, or below it just by rounding."""
    return np.asarray(values >= bound - PROB_ROUNDING * abs(bound))


def sums_exceed(sums: Array, bound: Any) -> Array:
    """Return whether cumulative sums are above a bound, and not just by rounding.

    >>> sums_exceed(np.array([0.7, 0.1]).cumsum(), 0.8)
    array([False, False])
    """
    return np.asarray(sums - _rounding_of_sums(sums) > bound)


def sums_reach(sums: Array, bound: Any) -> Array:
    """Return whether cumulative sums are at least a bound, or below it just by rounding.

    >>> sums_reach(np.array([0.7, 0.1]).cumsum(), 0.8)
    array([False,  True])
    """
    return np.asarray(sums + _rounding_of_sums(sums) >= bound)


def _rounding_of_sums(sums: Array) -> Array:
    """Return how much rounding may change cumulative sums: (..., n)."""
    terms = np.arange(1, sums.shape[-1] + 1, dtype=sums.dtype)
    return np.asarray(sums * (PROB_ROUNDING + TERM_ROUNDING * terms))


def complement(p: float) -> float:
    """Return 1 - p, or above it by as much as rounding may lower it."""
    return 1.0 - p + TERM_ROUNDING


@dataclass(frozen=True, eq=False)
class Cutoff:
    """A decision about which classes to keep: those whose `score`, (..., n), is at least `threshold`, (..., 1).

    With a `count`, (..., 1), the cutoff keeps at most that number of classes; if classes tie at the
    threshold, it keeps those with the lowest indices. `score_name` names the score. `compared` and `bound`
    are the numbers whose comparison determined the threshold, if they are not the score and the threshold.
    With `order_is_rounded`, the arithmetic that computes the score rounds, so in float32 classes may change places.
    """

    score: Array
    threshold: Array
    count: Array | None = None
    score_name: str = "logit"
    compared: Array | None = None
    bound: Array | float | None = None
    order_is_rounded: bool = False

    def apply(self, z: Array) -> Array:
        """Return the logits z with -inf for the removed classes."""
        return np.asarray(np.where(self.kept, z, -inf), z.dtype)

    @property
    def kept(self) -> Array:
        """The classes that stay: (..., n) booleans."""
        kept = self.score >= self.threshold
        if self.count is not None:
            # numpy sums booleans faster as uint32 than as int64.
            excess = kept.sum(-1, keepdims=True, dtype=np.uint32) - self.count
            if (excess > 0).any():
                is_tied = self.score == self.threshold
                # Remove the tied classes with the highest indices.
                kept &= ~is_tied | (is_tied.cumsum(-1) <= is_tied.sum(-1, keepdims=True) - excess)
        return np.asarray(kept)

    @property
    def splits_tie(self) -> Array:
        """Whether the cutoff keeps some classes and removes others with the same score: (...)."""
        is_tied = (self.score == self.threshold) & (self.score > -inf)
        kept = self.kept
        return np.asarray((is_tied & kept).any(-1) & (is_tied & ~kept).any(-1))

    @property
    def slack(self) -> Array:
        """The smallest change that would reverse a decision, in the units of the compared numbers: (...)."""
        if self.compared is None and self.count is not None:
            # Only ranks were compared: the distance from the last kept class to the first removed one.
            kept = self.kept
            last = np.where(kept, self.score, inf).min(-1)
            return np.asarray(last - np.where(kept, -inf, self.score).max(-1))
        compared = self.score if self.compared is None else self.compared
        gaps = abs(compared - (self.threshold if self.bound is None else self.bound))
        return np.asarray(gaps.min(-1, initial=inf))


def probability_cutoff(probs: Array, threshold: Array) -> Cutoff:
    """Keep the classes whose probability is at least a threshold, (..., 1), or below it just by rounding."""
    return _threshold_cutoff(probs, threshold, PROB_ROUNDING * threshold, "probability")


def logit_cutoff(z: Array, gap: Array | float) -> Cutoff:
    """Keep the classes whose logit is at most a gap, (..., 1), below the highest, or lower just by rounding."""
    maximum = z.max(-1, keepdims=True)
    with np.errstate(over="ignore"):
        return _threshold_cutoff(z, maximum - gap, LOGIT_ROUNDING * (abs(maximum) + gap), "logit")


def _threshold_cutoff(score: Array, threshold: Array, rounding: Array, score_name: str) -> Cutoff:
    is_just_below = (score >= threshold - rounding) & (score < threshold)
    if is_just_below.any():
        # The classes are kept by one comparison, with the lowest of these scores.
        threshold = np.minimum(threshold, np.where(is_just_below, score, inf).min(-1, keepdims=True))
    return Cutoff(score, threshold, score_name=score_name)


def top_n_sigma(z: Array, n: float) -> Cutoff:
    """Keep the logits that are at least max z - n sigma.

    >>> top_n_sigma(np.array([4.0, 3.0, 0.0, 0.0]), 1.0).kept
    array([ True,  True, False, False])
    """
    unmasked = z > -inf
    # Scaled by the largest, so that squares do not overflow.
    scale = np.maximum(abs(np.where(unmasked, z, 0)).max(-1, keepdims=True), np.finfo(z.dtype).tiny)
    scaled = np.where(unmasked, z, 0) / scale
    sigma = np.std(scaled, axis=-1, keepdims=True, where=unmasked)
    # Neither the gap nor the threshold overflows in units of the scale.
    cutoff = logit_cutoff(np.where(unmasked, scaled, -inf), n * sigma)
    lowest = np.where(cutoff.kept, z, inf).min(-1, keepdims=True)
    with np.errstate(over="ignore"):
        return Cutoff(z, np.minimum(scale * cutoff.threshold, lowest))


def top_h(z: Array, alpha: float) -> Cutoff:
    """Keep the most probable classes up to a share alpha of the entropy of the 100 most probable.

    >>> top_h(np.array([0.0, 0.0, -1.0, -1.0]), 0.6).kept
    array([ True,  True, False, False])
    """
    descending = -np.sort(-z, axis=-1)[..., :100]
    log_probs = log_softmax(descending)
    terms = -np.exp(log_probs) * np.maximum(log_probs, np.finfo(z.dtype).min)
    sums, bound = terms.cumsum(-1), alpha * entropy(descending)[..., np.newaxis]
    # A class whose probability is 0 adds nothing.
    count = np.maximum((~sums_exceed(sums, bound) & (terms > 0)).sum(-1, keepdims=True), 1)
    return Cutoff(z, value_at_rank(descending, count), count, compared=sums, bound=bound)


def top_k(z: Array, k: float) -> Cutoff:
    """Keep the k most probable classes.

    >>> top_k(np.array([1.0, 3.0, 3.0, 3.0]), 2).kept
    array([False,  True,  True, False])
    """
    count = min(int(k), z.shape[-1])
    return Cutoff(z, _kth_highest(z, count), np.array([count]))


# The k-th highest logit of a long row is searched only among those above the k-th highest maximum of groups of
# this size.
_GROUP = 64


def _kth_highest(z: Array, k: int) -> Array:
    """Return the k-th highest number of each row: (..., 1)."""
    if z.size == z.shape[-1] and k * _GROUP <= z.size:
        z = z.ravel()
        # The k-th highest of the groups' maxima is at most the k-th highest number.
        highest = z[: len(z) - len(z) % _GROUP].reshape(_GROUP, -1).max(0)
        z = z[z >= np.partition(highest, len(highest) - k)[len(highest) - k]]
    position = z.shape[-1] - k
    return np.asarray(np.partition(z, position, axis=-1)[..., [position]])


def top_p(z: Array, p: float) -> Cutoff:
    """Remove the least probable classes whose probabilities sum to at most 1 - p.

    >>> top_p(np.log([0.5, 0.3, 0.2]), 0.6).kept
    array([ True,  True, False])
    """
    ascending = np.sort(z, axis=-1)
    sums = softmax(ascending).cumsum(-1)
    removed = (~sums_exceed(sums, complement(p))).sum(-1, keepdims=True)
    count = np.maximum(z.shape[-1] - removed, 1)
    return Cutoff(z, value_at_rank(ascending[..., ::-1], count), count, compared=sums, bound=1 - p)


def value_at_rank(descending: Array, rank: Array) -> Array:
    """Return the number at a rank, from 1, of each row: (..., 1)."""
    return np.take_along_axis(descending, rank - 1, axis=-1)


def min_p(z: Array, p: float) -> Cutoff:
    """Keep the classes that are at least p times as probable as the most probable one.

    >>> min_p(np.log([0.6, 0.3, 0.1]), 0.2).kept
    array([ True,  True, False])
    """
    probs = softmax(z)
    return probability_cutoff(probs, p * probs.max(-1, keepdims=True))


def p_less(z: Array) -> Cutoff:
    """Keep the classes with a probability of at least the sum of the squared probabilities.

    >>> p_less(np.log([0.4, 0.35, 0.25])).kept
    array([ True,  True, False])
    """
    probs = softmax(z)
    # Rounding may take the sum above the highest probability, if all classes are equally probable.
    threshold = np.minimum((probs**2).sum(-1, keepdims=True), probs.max(-1, keepdims=True))
    return probability_cutoff(probs, threshold)


def typical(z: Array, p: float) -> Cutoff:
    """Keep the classes whose surprise -ln p is nearest the entropy, until they have the probability p.

    >>> typical(np.log([0.5, 0.2, 0.15, 0.15]), 0.2).kept
    array([False,  True, False, False])
    """
    return entropy_distance_cutoff(z, p, lambda sums: (~sums_reach(sums, p)).sum(-1, keepdims=True) + 1)


def entropy_distance_cutoff(z: Array, p: float, count_from_sums: Callable[[Array], Array]) -> Cutoff:
    """Keep the classes whose surprise is nearest the entropy, at least one. `count_from_sums` computes their
    number from the cumulative sums of the probabilities, the nearest class first."""
    log_probs = log_softmax(z)
    # The distance of a masked class is infinite.
    score = _with_equal(-abs(-log_probs - entropy(z)[..., np.newaxis]))
    return nearest_entropy_cutoff(p, score, np.exp(log_probs), count_from_sums)


def _with_equal(score: Array) -> Array:
    """Return scores of which those are equal that only rounding may separate: (..., n)."""
    order = score.argsort(-1)
    ascending = np.take_along_axis(score, order, axis=-1)
    with np.errstate(invalid="ignore"):
        starts = np.diff(ascending) > PROB_ROUNDING * (1 - ascending[..., 1:])
    positions = np.zeros(score.shape, np.intp)
    positions[..., 1:] = np.where(starts, np.arange(1, score.shape[-1]), 0)
    firsts = np.maximum.accumulate(positions, axis=-1)
    equal = np.empty_like(score)
    np.put_along_axis(equal, order, np.take_along_axis(ascending, firsts, axis=-1), axis=-1)
    return equal


def nearest_entropy_cutoff(p: float, score: Array, probs: Array, count_from_sums: Callable[[Array], Array]) -> Cutoff:
    """Keep the classes with the highest score, the negative distance from the entropy, at least one.
    `count_from_sums` computes their number from the cumulative sums of the probabilities, the nearest class
    first."""
    order = np.argsort(-score, axis=-1, kind="stable")
    sums = np.take_along_axis(probs, order, axis=-1).cumsum(-1)
    count = np.clip(count_from_sums(sums), 1, score.shape[-1])
    threshold = np.take_along_axis(score, value_at_rank(order, count), axis=-1)
    return Cutoff(score, threshold, count, score_name=DISTANCE, compared=sums, bound=p, order_is_rounded=True)


def epsilon_cutoff(z: Array, epsilon: float) -> Cutoff:
    """Keep the classes with a probability of at least epsilon.

    >>> epsilon_cutoff(np.log([0.6, 0.3, 0.1]), 0.2).kept
    array([ True,  True, False])
    """
    probs = softmax(z)
    return probability_cutoff(probs, np.minimum(epsilon, probs.max(-1, keepdims=True)))


def eta_cutoff(z: Array, epsilon: float) -> Cutoff:
    """Keep the classes with a probability of at least min(epsilon, sqrt(epsilon) exp(-entropy)).

    >>> eta_cutoff(np.log([0.4, 0.3, 0.2, 0.1]), 0.2).kept
    array([ True,  True,  True, False])
    """
    probs = softmax(z)
    eta = np.minimum(epsilon, epsilon**0.5 * np.exp(-entropy(z)))[..., np.newaxis]
    return probability_cutoff(probs, np.minimum(eta, probs.max(-1, keepdims=True)))


def tail_free(z: Array, share: float) -> Cutoff:
    """Keep the most probable classes up to a share of the curvature of their sorted probabilities.

    >>> tail_free(np.log([0.4, 0.35, 0.15, 0.05, 0.05]), 0.5).kept
    array([ True,  True, False, False, False])
    """
    return curvature_cutoff(z, share)


def curvature_cutoff(z: Array, share: float, always_removed: int = 0) -> Cutoff:
    """Keep the most probable classes up to a share of the absolute second differences of their sorted
    probabilities. If these are all 0 (fewer than three classes, or classes on a line), keep all classes but
    the last `always_removed` ones."""
    descending = -np.sort(-z, axis=-1)
    unmasked_curve = descending[..., 2:] > -inf
    curvature = np.where(unmasked_curve, absolute_curvature(softmax(descending)), 0)
    total = curvature.sum(-1, keepdims=True)
    sums = (curvature / np.where(total > 0, total, 1)).cumsum(-1)
    within = (~sums_exceed(sums, share) & unmasked_curve).sum(-1, keepdims=True)
    unmasked = (z > -inf).sum(-1, keepdims=True)
    count = np.maximum(np.where(total > 0, 1 + within, unmasked - always_removed), 1)
    return Cutoff(z, value_at_rank(descending, count), count, compared=sums, bound=share)


def absolute_curvature(probs: Array) -> Array:
    """Return the absolute second differences of sorted probabilities, (..., n - 2): 0 where only rounding separates
    them from it."""
    curvature = abs(np.diff(probs, 2, axis=-1))
    return np.where(curvature > PROB_ROUNDING * probs[..., : curvature.shape[-1]], curvature, 0)


def top_a(z: Array, a: float) -> Cutoff:
    """Keep the classes with a probability of at least a times the square of the highest.

    >>> top_a(np.log([0.6, 0.3, 0.1]), 0.5).kept
    array([ True,  True, False])
    """
    probs = softmax(z)
    highest = probs.max(-1, keepdims=True)
    return probability_cutoff(probs, np.minimum(a * highest**2, highest))


def xtc(z: Array, threshold: float) -> Cutoff:
    """Remove all but the least probable of the classes with a probability of at least the threshold.

    >>> xtc(np.log([0.5, 0.3, 0.2]), 0.25).kept
    array([False,  True,  True])
    """
    probs = softmax(z)
    unmasked = (z > -inf).sum(-1, keepdims=True)
    top_choices = (reaches(probs, threshold) & (z > -inf)).sum(-1, keepdims=True)
    # The least probable top choice and the classes below it; all classes if there is only one top choice.
    count = np.where(top_choices >= 2, unmasked - top_choices + 1, unmasked)
    ascending = np.sort(np.where(z > -inf, z, inf), axis=-1)
    lowest = np.take_along_axis(ascending, count - 1, axis=-1)
    return Cutoff(np.where(z > -inf, -z, -inf), -lowest, count, score_name="-logit", compared=probs, bound=threshold)


def mirostat(z: Array, target: float, eta: float = 0.1, mu: float | None = None) -> Cutoff:
    """Keep the classes whose surprise is at most mu bits, at least one. By default, mu is twice the target.

    >>> mirostat(np.log([0.5, 0.25, 0.25]), 0.75).kept
    array([ True, False, False])
    """
    probs = softmax(z)
    # No probability reaches 2, and a larger power may overflow.
    lowest = 2.0 ** -max(initial_mu(target, mu), -1.0)
    is_likely = reaches(probs, lowest)
    count = np.maximum(is_likely.sum(-1, keepdims=True), 1)
    # Without a sort, which would take longer than everything else.
    threshold = np.minimum(np.where(is_likely, z, inf).min(-1, keepdims=True), z.max(-1, keepdims=True))
    return Cutoff(z, threshold, count, compared=probs, bound=lowest)
