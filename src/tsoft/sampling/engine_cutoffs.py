"""The rules of engines by which samplers remove classes, if they differ from those in `cutoffs`."""

from dataclasses import replace
from math import inf, log

import numpy as np

from tsoft.core.softmax import Array, softmax
from tsoft.sampling.cutoffs import (
    Cutoff,
    curvature_cutoff,
    entropy_distance_cutoff,
    nearest_entropy_cutoff,
    top_k,
    typical,
    value_at_rank,
)


def greedy(z: Array) -> Cutoff:
    """Keep the most probable class, the first of those that tie."""
    return top_k(z, 1)


def top_k_and_ties(z: Array, k: float) -> Cutoff:
    """Keep the classes that tie with the k-th, too: transformers and vLLM mask only the logits below the k-th."""
    return replace(top_k(z, k), count=None)


def top_p_from_above(z: Array, p: float) -> Cutoff:
    """Sum from the most probable class down to the first at which the sum is at least p, as llama.cpp does. Its
    normalizer is a running sum, too, whose rounding is noticeable in float32."""
    descending = -np.sort(-z, axis=-1)
    terms = np.exp(descending - descending[..., :1])
    sums = (terms / terms.cumsum(-1)[..., -1:]).cumsum(-1)
    count = np.minimum((sums < p).sum(-1, keepdims=True) + 1, z.shape[-1])
    return Cutoff(z, value_at_rank(descending, count), count, compared=sums, bound=p)


def top_p_and_equal(z: Array, p: float) -> Cutoff:
    """Remove a class if the sum of the classes above it exceeds p, as SGLang does. At equality, it keeps one more
    class."""
    descending = -np.sort(-z, axis=-1)
    probs = softmax(descending)
    above = probs.cumsum(-1) - probs
    count = np.maximum((above <= p).sum(-1, keepdims=True), 1)
    return Cutoff(z, value_at_rank(descending, count), count, compared=above, bound=p)


def top_p_unguarded(z: Array, p: float) -> Cutoff:
    """Keep the classes whose sum from below exceeds 1 - p, as mlx-lm does. It may remove every class, but keeps
    all classes at p = 0."""
    if p == 0:
        return Cutoff(z, z.min(-1, keepdims=True))
    ascending = np.sort(z, axis=-1)
    sums = softmax(ascending).cumsum(-1)
    count = (sums > 1 - p).sum(-1, keepdims=True)
    threshold = np.where(count > 0, value_at_rank(ascending[..., ::-1], np.maximum(count, 1)), inf)
    return Cutoff(z, threshold, count, compared=sums, bound=1 - p)


def min_p_of_logits(z: Array, p: float) -> Cutoff:
    """Compare logits with max z + ln p, as llama.cpp and mlx-lm do."""
    return Cutoff(z, z.max(-1, keepdims=True) + log(p))


def typical_and_ties(z: Array, p: float) -> Cutoff:
    """Keep the classes that tie with the last one, too, as transformers does."""
    return replace(typical(z, p), count=None)


def typical_exceeding(z: Array, p: float) -> Cutoff:
    """Keep classes until their sum exceeds p, as llama.cpp does. At equality, it keeps one more class."""
    return entropy_distance_cutoff(z, p, lambda sums: (sums <= p).sum(-1, keepdims=True) + 1)


def tail_free_exllamav2(z: Array, share: float) -> Cutoff:
    """Ignore classes with a probability below 1e-8, and remove the last of three or more classes in any case, as
    exllamav2 does."""
    cutoff = curvature_cutoff(np.where(softmax(z) >= 1e-8, z, -inf), share, always_removed=1)
    assert cutoff.count is not None
    is_short = (z > -inf).sum(-1, keepdims=True) < 3
    return replace(
        cutoff,
        score=np.where(is_short, z, cutoff.score),
        threshold=np.where(is_short, z.min(-1, keepdims=True), cutoff.threshold),
        count=np.where(is_short, z.shape[-1], cutoff.count),
    )


def typical_exllamav2(z: Array, p: float) -> Cutoff:
    """Remove the class with which the sum reaches p, as exllamav2 does. The rule uses q + ln(q + 1e-10)
    instead of ln q for a probability q, and ignores classes below 1e-8."""
    probs = softmax(z)
    considered = probs >= 1e-8
    terms = probs + np.log(probs + 1e-10)
    expected = np.where(considered, probs * terms, 0).sum(-1, keepdims=True)
    score = np.where(considered, -abs(terms - expected), -inf)
    return nearest_entropy_cutoff(p, score, probs, lambda sums: (sums < p).sum(-1, keepdims=True))


def xtc_above(z: Array, threshold: float) -> Cutoff:
    """Count only classes above the threshold as top choices, and keep all that tie with the least probable of
    them, as mlx-lm does."""
    probs = softmax(z)
    lowest = np.where(probs > threshold, z, inf).min(-1, keepdims=True)
    return Cutoff(np.where(z > -inf, -z, -inf), -lowest, score_name="-logit", compared=probs, bound=threshold)
