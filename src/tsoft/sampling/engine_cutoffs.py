"""The rules of engines by which samplers remove classes, where they differ from those in `cutoffs`.

As there, each function takes logits, (..., n), and the sampler's value, and returns a `Cutoff`. `engines` names the
version of the source from which each rule is taken.
"""

from dataclasses import replace
from math import inf, log

import numpy as np

from tsoft.core.softmax import Array, softmax
from tsoft.sampling.cutoffs import (
    Cutoff,
    absolute_curvature,
    complement,
    curvature_cutoff,
    entropy_distance_cutoff,
    epsilon_cutoff,
    eta_cutoff,
    exceeds,
    logit_cutoff,
    min_p,
    nearest_entropy_cutoff,
    sums_exceed,
    sums_reach,
    top_k,
    top_p,
    typical,
    value_at_rank,
)


def greedy(z: Array) -> Cutoff:
    """Keep the most probable class, the first of those that tie."""
    return top_k(z, 1)


def top_k_and_ties(z: Array, k: float) -> Cutoff:
    """Keep the classes that tie with the k-th, too: transformers and vLLM mask only the logits below the k-th."""
    return replace(top_k(z, k), count=None)


def top_k_and_ties_above_1(z: Array, k: float) -> Cutoff:
    """Keep the classes that tie with the k-th, too, but decode greedily with k = 1, as ExLlamaV3 and SGLang's
    FlashInfer path do."""
    return greedy(z) if k == 1 else top_k_and_ties(z, k)


def top_3000(z: Array) -> Cutoff:
    """Keep the 3000 most probable classes, as KoboldCpp does before most samplers."""
    return top_k(z, 3000)


def top_p_from_above(z: Array, p: float) -> Cutoff:
    """Sum from the most probable class down to the first at which the sum is at least p, as llama.cpp does. Its
    normalizer is a running sum, too, whose rounding is noticeable in float32."""
    descending = -np.sort(-z, axis=-1)
    terms = np.exp(descending - descending[..., :1])
    sums = (terms / terms.cumsum(-1)[..., -1:]).cumsum(-1)
    count = np.minimum((~sums_reach(sums, p)).sum(-1, keepdims=True) + 1, z.shape[-1])
    return Cutoff(z, value_at_rank(descending, count), count, compared=sums, bound=p)


def top_p_and_equal(z: Array, p: float) -> Cutoff:
    """Remove a class if the sum of the classes above it exceeds p, as SGLang does. At equality, it keeps one more
    class."""
    descending = -np.sort(-z, axis=-1)
    above = _sum_above(descending)
    count = np.maximum((~sums_exceed(above, p)).sum(-1, keepdims=True), 1)
    return Cutoff(z, value_at_rank(descending, count), count, compared=above, bound=p)


def top_p_and_ties(z: Array, p: float) -> Cutoff:
    """Keep a class if the more probable ones sum to less than p, as FlashInfer and mlx-lm 0.32.2 do."""
    descending = -np.sort(-z, axis=-1)
    above = _sum_above(descending)
    count = np.maximum((~sums_reach(above, p)).sum(-1, keepdims=True), 1)
    return Cutoff(z, value_at_rank(descending, count), compared=above, bound=p)


def _sum_above(descending: Array) -> Array:
    """Return the sum of the probabilities before each class, from logits in descending order: (..., n)."""
    probs = softmax(descending)
    return np.asarray(probs.cumsum(-1) - probs)


def top_p_and_ties_or_all(z: Array, p: float) -> Cutoff:
    """Keep all classes if p is 0, as mlx-lm 0.32.2 does."""
    return top_p_and_ties(z, p) if p else _everything(z)


def top_p_or_all(z: Array, p: float) -> Cutoff:
    """Keep all classes if p is 0, as Ollama's MLX runner does."""
    return top_p(z, p) if p else _everything(z)


def epsilon_cutoff_below_1(z: Array, epsilon: float) -> Cutoff:
    """Keep all classes if epsilon is 1, as transformers does."""
    return epsilon_cutoff(z, epsilon) if epsilon < 1 else _everything(z)


def eta_cutoff_below_1(z: Array, epsilon: float) -> Cutoff:
    """Keep all classes if epsilon is 1, as transformers does."""
    return eta_cutoff(z, epsilon) if epsilon < 1 else _everything(z)


def min_p_below_1(z: Array, p: float) -> Cutoff:
    """Keep all classes if p is 1, as ExLlamaV2 does."""
    return min_p(z, p) if p < 1 else _everything(z)


def _everything(z: Array) -> Cutoff:
    return Cutoff(z, np.full_like(z[..., :1], -inf))


def top_p_within(z: Array, p: float) -> Cutoff:
    """Remove the class at which the sum exceeds p, as the single step of ExLlamaV3 1.4.1 does."""
    descending = -np.sort(-z, axis=-1)
    sums = softmax(descending).cumsum(-1)
    count = np.maximum((~sums_exceed(sums, p)).sum(-1, keepdims=True), 1)
    return Cutoff(z, value_at_rank(descending, count), count, compared=sums, bound=p)


def top_p_below(z: Array, p: float) -> Cutoff:
    """Remove the class at which the sum exceeds p, and those that tie with it, as the kernel of ExLlamaV3 1.4.1 does.
    The classes that tie at the top stay."""
    descending = -np.sort(-z, axis=-1)
    sums = softmax(descending).cumsum(-1)
    ends_tie = np.append(descending[..., 1:] < descending[..., :-1], np.ones_like(z[..., :1], bool), axis=-1)
    within = np.where(~sums_exceed(sums, p) & ends_tie, np.arange(1, z.shape[-1] + 1), 1)
    return Cutoff(z, value_at_rank(descending, within.max(-1, keepdims=True)), compared=sums, bound=p)


def top_p_unguarded(z: Array, p: float) -> Cutoff:
    """Keep the classes whose sum from below exceeds 1 - p, as mlx-lm does. It may remove every class, but keeps
    all classes at p = 0."""
    if p == 0:
        return _everything(z)
    ascending = np.sort(z, axis=-1)
    sums = softmax(ascending).cumsum(-1)
    count = sums_exceed(sums, complement(p)).sum(-1, keepdims=True)
    threshold = np.where(count > 0, value_at_rank(ascending[..., ::-1], np.maximum(count, 1)), inf)
    return Cutoff(z, threshold, count, compared=sums, bound=1 - p)


def min_p_of_logits(z: Array, p: float) -> Cutoff:
    """Compare logits with max z + ln p, as llama.cpp and mlx-lm do."""
    return logit_cutoff(z, -log(p))


def typical_and_ties(z: Array, p: float) -> Cutoff:
    """Keep the classes that tie with the last one, too, as transformers does."""
    return replace(typical(z, p), count=None)


def typical_exceeding(z: Array, p: float) -> Cutoff:
    """Keep classes until their sum exceeds p, as llama.cpp does. At equality, it keeps one more class."""
    return entropy_distance_cutoff(z, p, lambda sums: (~sums_exceed(sums, p)).sum(-1, keepdims=True) + 1)


def tail_free_exllamav2(z: Array, share: float) -> Cutoff:
    """Ignore classes with a probability below 1e-8, and remove the last of three or more classes in any case, as
    ExLlamaV2 does. With a share of 0, keep all."""
    if share == 0:
        return _everything(z)
    cutoff = curvature_cutoff(np.where(softmax(z) >= 1e-8, z, -inf), share, always_removed=1)
    assert cutoff.count is not None
    is_short = (z > -inf).sum(-1, keepdims=True) < 3
    return replace(
        cutoff,
        score=np.where(is_short, z, cutoff.score),
        threshold=np.where(is_short, z.min(-1, keepdims=True), cutoff.threshold),
        count=np.where(is_short, z.shape[-1], cutoff.count),
    )


def tail_free_always(z: Array, share: float) -> Cutoff:
    """Remove the last class in any case, as text-generation-webui does. Masked classes count."""
    descending = -np.sort(-z, axis=-1)
    curvature = absolute_curvature(softmax(descending))
    total = curvature.sum(-1, keepdims=True)
    sums = (curvature / np.where(total > 0, total, 1)).cumsum(-1)
    count = np.where(total > 0, 1 + (~sums_exceed(sums, share)).sum(-1, keepdims=True), z.shape[-1] - 1)
    count = np.maximum(count, 1)
    return Cutoff(z, value_at_rank(descending, count), count, compared=sums, bound=share)


def tail_free_koboldcpp(z: Array, share: float) -> Cutoff:
    """Keep as many classes as second differences precede the one at which the cumulative share exceeds `share`, at
    least one, as KoboldCpp does. If none exceeds it, or with two classes, keep all. If the sum of all differences is
    at most 1e-6, they have equal shares."""
    descending = -np.sort(-z, axis=-1)
    unmasked = (z > -inf).sum(-1, keepdims=True)
    is_curve = descending[..., 2:] > -inf
    curvature = np.where(is_curve, absolute_curvature(softmax(descending)), 0)
    total = curvature.sum(-1, keepdims=True)
    is_flat = total <= 1e-6
    shares = np.where(is_flat, is_curve / np.maximum(unmasked - 2, 1), curvature / np.where(is_flat, 1, total))
    sums = shares.cumsum(-1)
    is_beyond = sums_exceed(sums, share) & is_curve & (np.arange(sums.shape[-1]) >= 1)
    first = is_beyond.argmax(-1, keepdims=True) if sums.shape[-1] else np.zeros_like(unmasked)
    count = np.where(is_beyond.any(-1, keepdims=True), first, unmasked)
    return Cutoff(z, value_at_rank(descending, count), count, compared=sums, bound=share)


def top_n_sigma_of_sample(z: Array, n: float) -> Cutoff:
    """Take the standard deviation of a sample, in which a masked class counts as 0, as text-generation-webui does."""
    with np.errstate(over="ignore"):
        sigma = np.std(np.where(z > -inf, z, 0), axis=-1, keepdims=True, ddof=min(1, z.shape[-1] - 1))
        return logit_cutoff(z, n * sigma)


def typical_exllamav2(z: Array, p: float) -> Cutoff:
    """Remove the class with which the sum reaches p, as ExLlamaV2 does. The rule uses q + ln(q + 1e-10)
    instead of ln q for a probability q, and ignores classes below 1e-8."""
    probs = softmax(z)
    considered = probs >= 1e-8
    terms = probs + np.log(probs + 1e-10)
    expected = np.where(considered, probs * terms, 0).sum(-1, keepdims=True)
    score = np.where(considered, -abs(terms - expected), -inf)
    return nearest_entropy_cutoff(p, score, probs, lambda sums: (~sums_reach(sums, p)).sum(-1, keepdims=True))


def xtc_above(z: Array, threshold: float) -> Cutoff:
    """Count only classes above the threshold as top choices, and keep all that tie with the least probable of
    them, as mlx-lm does."""
    probs = softmax(z)
    lowest = np.where(exceeds(probs, threshold), z, inf).min(-1, keepdims=True)
    return Cutoff(np.where(z > -inf, -z, -inf), -lowest, score_name="-logit", compared=probs, bound=threshold)
