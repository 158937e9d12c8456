"""FlashInfer 0.7.2 (flashinfer-ai/flashinfer), include/flashinfer/sampling.cuh, topk.cuh and flashinfer/sampling.py.

The kernels search a threshold or reject draws; these are the sets that they settle on. Sums on the GPU run in another
order, so a sum within a rounding of p decides either way there.
"""

import numpy as np
from numpy.typing import NDArray

from sampling.transcriptions.common import FLOAT, Row, masked, normalized, total


def mass_above(p: Row, value: np.float32) -> np.float32:
    """The sum of the probabilities that are strictly larger."""
    return total(np.where(p > value, p, FLOAT(0)))


def top_p_keeps(p: Row, limit: float) -> NDArray[np.bool_]:
    """Top-p (TopPSamplingFromProbKernel and Renorm): the mass strictly above is less than p, so ties stay."""
    return np.array([value > 0 and mass_above(p, value) < FLOAT(limit) for value in p])


def top_k_keeps(p: Row, k: int) -> NDArray[np.bool_]:
    """Top-k: fewer than k classes are strictly larger, so ties stay."""
    return np.array([value > 0 and int((p > value).sum()) < k for value in p])


def top_k_mask_logits(z: Row, k: int) -> Row:
    """RadixTopKMaskLogitsKernel: keeps logits of at least the k-th largest."""
    return masked(z, z < np.sort(z)[-min(k, len(z))])


def top_k_renorm(p: Row, k: int) -> Row:
    """RadixTopKRenormProbKernel: keeps probabilities of at least the k-th largest, and renormalizes."""
    return normalized(np.where(p >= np.sort(p)[-min(k, len(p))], p, FLOAT(0)))


def top_p_renorm(p: Row, limit: float) -> Row:
    """TopPRenormProbKernel: top-p, and renormalizes."""
    return normalized(p) if limit >= 1 else normalized(np.where(top_p_keeps(p, limit), p, FLOAT(0)))


def joint(p: Row, k: int, limit: float) -> Row:
    """TopKTopPSamplingFromProbKernel: both conditions on the same probabilities."""
    return normalized(np.where(top_k_keeps(p, k) & top_p_keeps(p, limit), p, FLOAT(0)))


def min_p(p: Row, share: float) -> Row:
    """MinPSamplingFromProbKernel: keeps p ≥ max · share."""
    return normalized(np.where(p >= p.max() * FLOAT(share), p, FLOAT(0)))
