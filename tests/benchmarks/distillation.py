"""The loss of a student on soft targets, and its gradient, for each row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pairs import Measure, Pair, call

from tsoft.core.divergence import divergence

ROWS, CLASSES, TAU = 2000, 1000, 4.0


def learn(_: Path) -> tuple[Measure, Measure]:
    """Compare tsoft's measures with a direct implementation.

    The direct formulas lose precision if teacher and student are nearly equal, or if tau is high; tsoft's do not.
    """
    from scipy.special import log_softmax

    teacher, student = np.random.default_rng(1).standard_normal((2, ROWS, CLASSES)) * 4

    def theirs() -> object:
        log_p, log_q = log_softmax(teacher / TAU, -1), log_softmax(student / TAU, -1)
        p = np.exp(log_p)
        return (p * (log_p - log_q)).sum(-1), np.linalg.norm(np.exp(log_q) - p, axis=-1) / TAU

    return call(lambda: divergence(teacher, student, TAU)), call(theirs)


PAIRS: Sequence[Pair] = (
    Pair(f"KL and gradient, {ROWS} × {CLASSES} float64", "direct formulas with scipy", learn, None, "scipy", 7, min),
)
