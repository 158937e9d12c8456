"""Samplers that papers define and that no engine here has in its chain.

The constants of p-less, EDT and adaptive temperature are those in ENGINES.md's summary of the papers; the polynomial is
the one in public code for arXiv 2410.01104 as well.
"""

import math

import numpy as np

from sampling.transcriptions.common import FLOAT, Row, entropy, greedy, normalized, softmax, total

POLYNOMIAL = (-0.037, 0.481, -2.3, 4.917, -1.791)


def p_less(logits: Row) -> Row:
    """arXiv 2509.23234: removes what is less probable than Σp², the chance that two draws agree. Ties stay."""
    p = softmax(logits)
    return normalized(np.where(p < total(p * p), FLOAT(0), p))


def p_less_norm(logits: Row) -> Row:
    """arXiv 2509.23234: the same with the threshold (V·Σp² − 1) / (V − 1)."""
    p = softmax(logits)
    size = FLOAT(len(p))
    threshold = (size * total(p * p) - FLOAT(1)) / (size - FLOAT(1))
    return normalized(np.where(p < threshold, FLOAT(0), p))


def edt(logits: Row, temperature: float, theta: float) -> Row:
    """arXiv 2403.14541: the temperature T₀ · 0.8^(θ / H), H the entropy in nats; argmax at H = 0."""
    nats = float(entropy(softmax(logits)))
    tau = temperature * 0.8 ** (theta / nats) if nats > 0 else 0
    return softmax(np.asarray(logits, FLOAT) / FLOAT(tau)) if tau > 0 else greedy(logits)


def adaptive_temperature(logits: Row) -> Row:
    """arXiv 2410.01104: softmax(β z) with β = max(1, polynomial of the entropy in nats) if that exceeds 0.5, else 1."""
    nats = float(entropy(softmax(logits)))
    beta = max(1.0, math.fsum(c * nats ** (4 - i) for i, c in enumerate(POLYNOMIAL))) if nats > 0.5 else 1.0
    return softmax(np.asarray(logits, FLOAT) * FLOAT(beta))
