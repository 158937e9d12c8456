"""Where two chains part that were given the same logits and the same settings."""

from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array
from tsoft.sampling.explanation import Stage, removed_by


@dataclass(frozen=True, eq=False)
class FirstDifference:
    """The first class that one chain keeps and the other does not: its index, whether it is the `first`
    of the two that removes it, and the number of the step, from 0, that does."""

    index: int
    by_first: bool
    step: int


def first_difference(first: list[Stage], second: list[Stage], logits: Array) -> FirstDifference | None:
    """The earliest step of either chain that removes a class which the other keeps, and of the classes
    that it removes so the one with the highest logit; None where both keep the same.

    >>> from tsoft.sampling.explanation import explained
    >>> from tsoft.sampling.step import Step
    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> z = np.log([0.5, 0.3, 0.2])
    >>> steps = [explained([Step(SAMPLERS["top_k"], (k,))], z) for k in (1, 2)]
    >>> found = first_difference(*steps, z)
    >>> found.index, found.by_first, found.step
    (1, True, 0)
    """
    gone = np.array([removed_by(stages, len(logits)) for stages in (first, second)])
    apart = np.flatnonzero((gone[0] < 0) != (gone[1] < 0))
    if not len(apart):
        return None
    steps = gone.max(0)[apart]
    candidates = apart[steps == steps.min()]
    index = int(candidates[logits[candidates].argmax()])
    return FirstDifference(index, bool(gone[0, index] >= 0), int(steps.min()))
