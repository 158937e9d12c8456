"""The samplers of engines whose rules differ from those in the table of samplers."""

import heapq
from dataclasses import replace
from math import inf, log
from typing import Any

import numpy as np

from tsoft.core import softmax as core
from tsoft.core.softmax import Array
from tsoft.sampling.samplers import (
    Cutoff,
    count_cutoff,
    curvature_cutoff,
    entropy_distance_cutoff,
    temperature,
    top_k,
    truncation,
    typical,
    value_at_rank,
)


@truncation()
def greedy(z: Array) -> Cutoff:
    """Keeps the most probable class, the first of those that tie."""
    return top_k.cutoff(z, 1)


@truncation()
def top_k_and_ties(z: Array, k: float) -> Cutoff:
    """transformers and vLLM mask what is below the k-th logit, and so keep the classes that tie with it."""
    return replace(top_k.cutoff(z, k), count=None)


@truncation()
def top_p_from_above(z: Array, p: float) -> Cutoff:
    """llama.cpp sums from the most probable class down to the first at which the sum is p or more. The
    sum by which it divides is rounded term by term too, which is noticeable in float32."""
    descending = -np.sort(-z, axis=-1)
    terms = np.exp(descending - descending[..., :1])
    sums = (terms / terms.cumsum(-1)[..., -1:]).cumsum(-1)
    count = np.minimum((sums < p).sum(-1, keepdims=True) + 1, z.shape[-1])
    return Cutoff(z, value_at_rank(descending, count), count, compared=sums, bound=p)


@truncation()
def top_p_and_equal(z: Array, p: float) -> Cutoff:
    """SGLang drops a class if the sum of those above it exceeds p: at equality one more stays."""
    descending = -np.sort(-z, axis=-1)
    probs = core.softmax(descending)
    above = probs.cumsum(-1) - probs
    count = np.maximum((above <= p).sum(-1, keepdims=True), 1)
    return Cutoff(z, value_at_rank(descending, count), count, compared=above, bound=p)


@truncation()
def top_p_unguarded(z: Array, p: float) -> Cutoff:
    """mlx-lm keeps the classes whose sum from below exceeds 1 - p, possibly none; 0 is off."""
    if p == 0:
        return Cutoff(z, z.min(-1, keepdims=True))
    ascending = np.sort(z, axis=-1)
    sums = core.softmax(ascending).cumsum(-1)
    count = (sums > 1 - p).sum(-1, keepdims=True)
    threshold = np.where(count > 0, value_at_rank(ascending[..., ::-1], np.maximum(count, 1)), inf)
    return Cutoff(z, threshold, count, compared=sums, bound=1 - p)


def top_p_what_fits(z: Any, p: float) -> Array:
    """exllamav2 goes through the classes in their order and keeps those whose sum is at most p: when one
    more exceeds it, the least probable are removed. So the class that crosses p is dropped, and a later,
    less probable one may fit. Classes below 1e-6 are ignored; one stays in any case."""
    z = core.validate_logits(z)
    rows = z.reshape(-1, z.shape[-1])
    out = np.full_like(rows, -inf)
    for row, probs, result in zip(rows, core.softmax(rows), out, strict=True):
        kept = _fitting_classes(probs, p)
        result[kept] = row[kept]
    return np.asarray(out.reshape(z.shape))


def _fitting_classes(probs: Array, p: float) -> list[int]:
    kept: list[tuple[float, int]] = []
    total = probs.dtype.type(0)
    # After top-k the classes come with the most probable first, which gives the same result.
    for index in np.flatnonzero(probs >= 1e-6).tolist():
        prob = probs[index]
        if kept and total > p and prob < kept[0][0]:
            continue
        heapq.heappush(kept, (prob, index))
        total += prob
        while total > p and len(kept) > 1:
            total -= heapq.heappop(kept)[0]
    return [index for _, index in kept]


@truncation()
def min_p_of_logits(z: Array, p: float) -> Cutoff:
    """llama.cpp and mlx-lm compare logits with max z + ln p."""
    return Cutoff(z, z.max(-1, keepdims=True) + log(p))


@truncation()
def typical_and_ties(z: Array, mass: float) -> Cutoff:
    """transformers also keeps the classes as near the entropy as the one that crosses the mass."""
    return replace(typical.cutoff(z, mass), count=None)


@truncation()
def typical_over(z: Array, mass: float) -> Cutoff:
    """llama.cpp keeps one more class at equality: the sum has to exceed the mass."""
    return entropy_distance_cutoff(z, mass, lambda sums: (sums <= mass).sum(-1, keepdims=True) + 1)


@truncation()
def tail_free_exllamav2(z: Array, share: float) -> Cutoff:
    """exllamav2 ignores classes below 1e-8, and drops the last of three or more in any case."""
    cutoff = curvature_cutoff(np.where(core.softmax(z) >= 1e-8, z, -inf), share, always_removed=1)
    assert cutoff.count is not None
    few = (z > -inf).sum(-1, keepdims=True) < 3
    return replace(
        cutoff,
        score=np.where(few, z, cutoff.score),
        threshold=np.where(few, z.min(-1, keepdims=True), cutoff.threshold),
        count=np.where(few, z.shape[-1], cutoff.count),
    )


@truncation()
def typical_exllamav2(z: Array, mass: float) -> Cutoff:
    """exllamav2 drops the class that crosses the mass, and uses p + ln(p + 1e-10) instead of ln p; it
    ignores classes below 1e-8."""
    probs = core.softmax(z)
    considered = probs >= 1e-8
    terms = probs + np.log(probs + 1e-10)
    expected = np.where(considered, probs * terms, 0).sum(-1, keepdims=True)
    score = np.where(considered, -abs(terms - expected), -inf)
    return count_cutoff(mass, score, probs, lambda sums: (sums < mass).sum(-1, keepdims=True))


@truncation()
def xtc_over(z: Array, threshold: float) -> Cutoff:
    """mlx-lm's top choices exceed the threshold, and all that tie with the least of them stay."""
    probs = core.softmax(z)
    lowest = np.where(probs > threshold, z, inf).min(-1, keepdims=True)
    return Cutoff(np.where(z > -inf, -z, -inf), -lowest, score_name="-logit", compared=probs, bound=threshold)


def temperature_or_top(z: Any, tau: float, dynatemp_range: float = 0.0, exponent: float = 1.0) -> Array:
    """llama.cpp masks all but the first of the most probable classes at temperature 0, within the chain."""
    scaled = temperature(z, tau, dynatemp_range, exponent)
    return greedy(scaled) if tau == 0 and not dynatemp_range else scaled
