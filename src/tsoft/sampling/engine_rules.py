"""The rules of engines that are not those of the table of samplers."""

import heapq
from dataclasses import replace
from math import inf, log
from typing import Any

import numpy as np

from tsoft.core import softmax as core
from tsoft.core.softmax import Array
from tsoft.sampling.samplers import (
    Bend,
    Cutoff,
    first_to,
    nearest_entropy,
    nth,
    temperature,
    top_k,
    truncation,
    typical,
)


@truncation()
def greedy(z: Array) -> Cutoff:
    """Keeps the most probable class, of those that tie the first."""
    return top_k.limit(z, 1)


@truncation()
def top_k_and_ties(z: Array, k: float) -> Cutoff:
    """Keeps those as probable as the k-th too: transformers and vLLM mask what is below its logit."""
    return replace(top_k.limit(z, k), count=None)


@truncation()
def top_p_from_above(z: Array, p: float) -> Cutoff:
    """llama.cpp's sum runs from the most probable class on, up to the first at which it is p or more. The
    sum by which it divides is rounded term by term as well, which in float32 is seen."""
    falling = -np.sort(-z, axis=-1)
    terms = np.exp(falling - falling[..., :1])
    sums = (terms / terms.cumsum(-1)[..., -1:]).cumsum(-1)
    count = np.minimum((sums < p).sum(-1, keepdims=True) + 1, z.shape[-1])
    return Cutoff(z, nth(falling, count), count, compared=sums, bound=p)


@truncation()
def top_p_and_equal(z: Array, p: float) -> Cutoff:
    """SGLang drops a class where the sum of those above it is over p: at equality one more stays."""
    falling = -np.sort(-z, axis=-1)
    probs = core.softmax(falling)
    above = probs.cumsum(-1) - probs
    count = np.maximum((above <= p).sum(-1, keepdims=True), 1)
    return Cutoff(z, nth(falling, count), count, compared=above, bound=p)


@truncation()
def top_p_unguarded(z: Array, p: float) -> Cutoff:
    """mlx-lm keeps what has a sum from below of over 1 - p, which may be nothing; 0 is off."""
    if p == 0:
        return Cutoff(z, z.min(-1, keepdims=True))
    rising = np.sort(z, axis=-1)
    sums = core.softmax(rising).cumsum(-1)
    count = (sums > 1 - p).sum(-1, keepdims=True)
    least = np.where(count > 0, nth(rising[..., ::-1], np.maximum(count, 1)), inf)
    return Cutoff(z, least, count, compared=sums, bound=1 - p)


def top_p_what_fits(z: Any, p: float) -> Array:
    """exllamav2 goes through the classes in their order and holds those whose sum is at most p: when one
    more is too much, the least probable go. So the class that crosses p is dropped, and a later, less
    probable one may fit. Classes under 1e-6 are not looked at; one stays in any case."""
    z = core.validate_logits(z)
    rows = z.reshape(-1, z.shape[-1])
    out = np.full_like(rows, -inf)
    for row, probs, result in zip(rows, core.softmax(rows), out, strict=True):
        held = _what_fits(probs, p)
        result[held] = row[held]
    return np.asarray(out.reshape(z.shape))


def _what_fits(probs: Array, p: float) -> list[int]:
    held: list[tuple[float, int]] = []
    total = probs.dtype.type(0)
    # After top-k the classes come with the most probable first, which finds the same.
    for index in np.flatnonzero(probs >= 1e-6).tolist():
        prob = probs[index]
        if held and total > p and prob < held[0][0]:
            continue
        heapq.heappush(held, (prob, index))
        total += prob
        while total > p and len(held) > 1:
            total -= heapq.heappop(held)[0]
    return [index for _, index in held]


@truncation()
def min_p_of_logits(z: Array, p: float) -> Cutoff:
    """llama.cpp and mlx-lm compare logits with max z + ln p."""
    return Cutoff(z, z.max(-1, keepdims=True) + log(p))


@truncation()
def typical_and_ties(z: Array, mass: float) -> Cutoff:
    """transformers keeps what is as near the entropy as the class that crosses the mass."""
    return replace(typical.limit(z, mass), count=None)


@truncation()
def typical_over(z: Array, mass: float) -> Cutoff:
    """llama.cpp goes on where the sum is just the mass: it has to be over it."""
    return nearest_entropy(z, mass, lambda sums: (sums <= mass).sum(-1, keepdims=True) + 1)


@truncation()
def tail_free_exllamav2(z: Array, share: float) -> Cutoff:
    """exllamav2 does not look at classes under 1e-8, and drops the last of three or more in any case."""
    if (z > -inf).sum(-1).max() < 3:
        return Cutoff(z, z.min(-1, keepdims=True))
    bend = Bend.of(np.where(core.softmax(z) >= 1e-8, z, -inf), share)
    return bend.limit(np.maximum(np.where(bend.whole > 0, 1 + bend.within, bend.left - 1), 1))


@truncation()
def typical_exllamav2(z: Array, mass: float) -> Cutoff:
    """exllamav2 drops the class that crosses the mass, and in the place of ln p it has p + ln(p + 1e-10);
    classes under 1e-8 are not looked at."""
    probs = core.softmax(z)
    seen = probs >= 1e-8
    terms = probs + np.log(probs + 1e-10)
    middle = np.where(seen, probs * terms, 0).sum(-1, keepdims=True)
    score = np.where(seen, -abs(terms - middle), -inf)
    return first_to(mass, score, probs, lambda sums: (sums < mass).sum(-1, keepdims=True))


@truncation()
def xtc_over(z: Array, threshold: float) -> Cutoff:
    """mlx-lm's top choices are over the threshold, and of these all stay that tie with the least."""
    probs = core.softmax(z)
    least = np.where(probs > threshold, z, inf).min(-1, keepdims=True)
    return Cutoff(np.where(z > -inf, -z, -inf), -least, of="-logit", compared=probs, bound=threshold)


def temperature_or_top(z: Any, tau: float, dynatemp_range: float = 0.0, exponent: float = 1.0) -> Array:
    """llama.cpp masks all but the first of the most probable at temperature 0, inside the chain."""
    scaled = temperature(z, tau, dynatemp_range, exponent)
    return greedy(scaled) if tau == 0 and not dynatemp_range else scaled
