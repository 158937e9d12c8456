"""The first class at which two chains with the same logits and settings differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array
from tsoft.sampling.explanation import RemovingStage, removed_by


@dataclass(frozen=True, eq=False)
class FirstDifference:
    """The first class that one chain keeps and the other removes: its `index`, whether the first chain is the one
    that removes it (`by_first`), and the index of the `step` that removes it."""

    index: int
    by_first: bool
    step: int


def first_difference(
    first: Sequence[RemovingStage], second: Sequence[RemovingStage], logits: Array, undecided: Array | None = None
) -> FirstDifference | None:
    """Return the most probable class that one chain keeps and the other removes, by its logit: (n,) logits, with the
    biases. None if both chains keep the same classes, without regard to those that are `undecided`, (n,) booleans.

    >>> from tsoft.sampling.explanation import explain
    >>> from tsoft.sampling.step import Step
    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> z = np.log([0.5, 0.3, 0.2])
    >>> stages = [explain([Step(SAMPLERS["top_k"], (k,))], z) for k in (1, 2)]
    >>> difference = first_difference(*stages, z)
    >>> difference.index, difference.by_first, difference.step
    (1, True, 0)
    """
    removing_step = np.array([removed_by(stages, len(logits)) for stages in (first, second)])
    differs = (removing_step[0] < 0) != (removing_step[1] < 0)
    differing = np.flatnonzero(differs if undecided is None else differs & ~undecided)
    if not len(differing):
        return None
    index = int(differing[logits[differing].argmax()])
    return FirstDifference(index, bool(removing_step[0, index] >= 0), int(removing_step[:, index].max()))
