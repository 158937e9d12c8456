"""The samplers of engines that have no cutoff: from logits, (..., n), to logits."""

import heapq
from math import inf

import numpy as np

from tsoft.core.softmax import Array, softmax
from tsoft.sampling.engine_cutoffs import greedy
from tsoft.sampling.samplers import temperature


def top_p_fitting(z: Array, p: float) -> Array:
    """Keep classes whose probabilities sum to at most p, as exllamav2 does.

    exllamav2 adds the classes in their order and removes the least probable ones whenever the sum exceeds p. So
    the class that crosses p is removed, and a later, less probable one may fit. At least one class stays.
    Classes with a probability below 1e-6 are ignored.
    """
    rows = z.reshape(-1, z.shape[-1])
    out = np.full_like(rows, -inf)
    for row, probs, result in zip(rows, softmax(rows), out, strict=True):
        kept = _fitting_classes(probs, p)
        result[kept] = row[kept]
    return np.asarray(out.reshape(z.shape))


def _fitting_classes(probs: Array, p: float) -> list[int]:
    kept: list[tuple[float, int]] = []
    total = probs.dtype.type(0)
    # After top-k, exllamav2 has the classes in descending order, which gives the same result.
    for index in np.flatnonzero(probs >= 1e-6).tolist():
        prob = probs[index]
        if kept and total > p and prob < kept[0][0]:
            continue
        heapq.heappush(kept, (prob, index))
        total += prob
        while total > p and len(kept) > 1:
            total -= heapq.heappop(kept)[0]
    return [index for _, index in kept]


def temperature_or_top(z: Array, tau: float, dynatemp_range: float = 0.0, dynatemp_exponent: float = 1.0) -> Array:
    """Mask all but the first of the most probable classes at temperature 0, as llama.cpp does within the chain."""
    scaled = temperature(z, tau, dynatemp_range, dynatemp_exponent)
    return greedy(scaled).apply(scaled) if tau == 0 and not dynatemp_range else scaled
