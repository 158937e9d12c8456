"""The samplers of engines that have no cutoff, where they differ from tsoft's: from logits, (..., n), to logits.

`engines` names the version of the source from which each rule is taken.
"""

import heapq
from collections.abc import Callable
from math import inf

import numpy as np

from tsoft.core.softmax import Array, log_softmax, softmax
from tsoft.sampling.adaptive import adaptive_p
from tsoft.sampling.cutoffs import PROB_ROUNDING, TERM_ROUNDING, top_p, xtc
from tsoft.sampling.engine_cutoffs import greedy
from tsoft.sampling.samplers import temperature, unshifted_temperature


def top_p_fitting(z: Array, p: float) -> Array:
    """Keep classes whose probabilities sum to at most p, as ExLlamaV2 does.

    ExLlamaV2 adds the classes in their order and removes the least probable ones whenever the sum exceeds p. So
    the class that crosses p is removed, and a later, less probable one may fit. At least one class stays.
    Classes with a probability below 1e-6 are ignored. With p = 0, all classes stay.
    """
    return _fitting(z, p, lambda probs: np.arange(len(probs)))


def top_p_fitting_descending(z: Array, p: float) -> Array:
    """Add the classes from the most probable one down, as ExLlamaV2 does after top-k, which sorts them."""
    return _fitting(z, p, lambda probs: np.argsort(probs, kind="stable")[::-1])


def _fitting(z: Array, p: float, ordered: Callable[[Array], Array]) -> Array:
    """Keep classes whose probabilities sum to at most p. `ordered` returns the order in which to add them."""
    if p == 0:
        return z
    rows = z.reshape(-1, z.shape[-1])
    out = np.full_like(rows, -inf)
    for row, probs, result in zip(rows, softmax(rows), out, strict=True):
        kept = _fitting_classes(probs, p, ordered(probs))
        result[kept] = row[kept]
    return np.asarray(out.reshape(z.shape))


def _fitting_classes(probs: Array, p: float, order: Array) -> list[int]:
    """Return the indices of the classes that fit, from the probabilities of a row, (n,), added in an order. A sum that
    only rounding may separate from p does not exceed it."""
    kept: list[tuple[float, int]] = []
    total, bound = probs.dtype.type(0), p * (1 + PROB_ROUNDING + TERM_ROUNDING * len(probs))
    for index in order[probs[order] >= 1e-6].tolist():
        prob = probs[index]
        if kept and total > bound and prob < kept[0][0]:
            continue
        heapq.heappush(kept, (prob, index))
        total += prob
        while total > bound and len(kept) > 1:
            total -= heapq.heappop(kept)[0]
    return [index for _, index in kept]


def top_p_sharing(z: Array, p: float) -> Array:
    """Keep all classes that tie with the last one that top-p keeps, as the kernel of ExLlamaV3 1.6.5 does.

    Together they have the weight of those among them that top-p would keep. With p = 0, decode greedily.

    >>> softmax(top_p_sharing(np.log([0.4, 0.2, 0.2, 0.2]), 0.5)).round(3)
    array([0.667, 0.111, 0.111, 0.111])
    """
    if p == 0:
        return greedy(z).apply(z)
    cutoff = top_p(z, p)
    assert cutoff.count is not None
    is_tied = z == cutoff.threshold
    needed = cutoff.count - (z > cutoff.threshold).sum(-1, keepdims=True)
    shared = z + np.log(needed / is_tied.sum(-1, keepdims=True))
    return np.asarray(np.where(z > cutoff.threshold, z, np.where(is_tied, shared, -inf)), z.dtype)


def xtc_averaged(z: Array, probability: float, threshold: float) -> Array:
    """Average the distributions without XTC and with it, as the single step of ExLlamaV3 does."""
    with_xtc = log_softmax(xtc(z, threshold).apply(z))
    with np.errstate(divide="ignore"):
        return np.asarray(
            np.logaddexp(np.log1p(-probability) + log_softmax(z), np.log(probability) + with_xtc), z.dtype
        )


def xtc_lowering(z: Array, threshold: float) -> Array:
    """Lower the top choices by 999 instead of removing them, as KoboldCpp does: adaptive-p brings them back."""
    return np.asarray(np.where(xtc(z, threshold).kept, z, z - 999), z.dtype)


def adaptive_p_from_1e_8(z: Array, target: float, decay: float = 0.9, mean: float | None = None) -> Array:
    """Remove classes with a probability below 1e-8, as ExLlamaV3 does."""
    return np.asarray(np.where(softmax(z) < 1e-8, -inf, adaptive_p(z, target, decay, mean)), z.dtype)


def temperature_or_top(z: Array, tau: float, dynatemp_range: float = 0.0, dynatemp_exponent: float = 1.0) -> Array:
    """Mask all but the first of the most probable classes at temperature 0, as llama.cpp does within the chain."""
    scaled = temperature(z, tau, dynatemp_range, dynatemp_exponent)
    return greedy(scaled).apply(scaled) if tau == 0 and not dynatemp_range else scaled


def unshifted_temperature_or_top(
    z: Array, tau: float, dynatemp_range: float = 0.0, dynatemp_exponent: float = 1.0
) -> Array:
    """Mask all but the first of the most probable classes at temperature 0; do not subtract the highest logit."""
    scaled = unshifted_temperature(z, tau, dynatemp_range, dynatemp_exponent)
    return greedy(scaled).apply(scaled) if tau == 0 and not dynatemp_range else scaled
