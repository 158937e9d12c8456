"""The step-by-step explanation of a chain: the classes that each step keeps and removes, and its threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from tsoft.core.measures import entropy, most_probable
from tsoft.core.softmax import Array, log_sum_exp, softmax
from tsoft.sampling.cutoffs import DISTANCE, Cutoff
from tsoft.sampling.mixture import Mixture
from tsoft.sampling.step import Step


@dataclass(frozen=True, eq=False)
class Stage:
    """The effect of a step on a row z, (n,) logits: the mixtures `before` and `after` the step. A class counts as
    removed if no component of the mixture keeps it."""

    step: Step
    before: Mixture
    after: Mixture
    z: Array

    @cached_property
    def kept(self) -> Array:
        """The classes that remain: (n,) booleans."""
        return self.after.kept

    @cached_property
    def merged_logits(self) -> Array:
        """Logits of all classes whose softmax is the distribution after the step: (n,)."""
        return self.after.merged_logits

    @property
    def is_removed(self) -> Array:
        """Whether the step removes each class: (n,) booleans."""
        return self.before.kept & ~self.kept

    @cached_property
    def removed(self) -> Array:
        """The indices of the classes that the step removes, the most probable first."""
        indices = np.flatnonzero(self.is_removed)
        return np.asarray(indices[(-self.before.merged_logits[indices]).argsort(kind="stable")])

    @cached_property
    def cut(self) -> float:
        """The probability of the classes that the step removes."""
        before = softmax(self.before.logits)
        columns = slice(None) if self.before.columns is None else self.before.columns
        # A step that is applied at random has more components after it than before it, in the same order.
        return sum(
            weight * float(before[i % len(before)][np.isneginf(logits[columns])].sum())
            for i, (weight, logits) in enumerate(zip(self.after.weights, self.after.full_logits, strict=True))
        )

    @cached_property
    def entropy(self) -> float:
        """The entropy after the step, in nats."""
        return float(entropy(self.merged_logits))

    @cached_property
    def top(self) -> int:
        """The index of the most probable class after the step."""
        return int(most_probable(self.merged_logits, self.z))

    @property
    def threshold(self) -> float | None:
        """The threshold in the condition `keeps`; None if the step has no cutoff."""
        return self._compared[0]

    @property
    def keeps(self) -> str | None:
        """The condition for a class to stay, in words; None if the step has no cutoff."""
        return self._compared[1]

    @cached_property
    def _compared(self) -> tuple[float | None, str | None]:
        before = self.before.full_logits[-1]
        cutoff = step_cutoff(self.step, before)
        threshold, keeps = _condition(cutoff, before)
        return threshold, keeps and keeps + "; at a tie the lower index stays" * bool(
            cutoff and cutoff.splits_tie.any()
        )


# The condition for a class to stay, by the name of the score.
_CONDITIONS = {
    "logit": "p ≥ threshold",
    "-logit": "p ≤ threshold",
    "probability": "p ≥ threshold",
    DISTANCE: "|-ln p - H| ≤ threshold",
}


def explain(steps: Sequence[Step], z: Array) -> list[Stage]:
    """Return the effect of each step on a row, (n,) logits.

    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> [stage] = explain([Step(SAMPLERS["top_k"], (1,))], np.log([0.5, 0.25, 0.25]))
    >>> stage.removed, stage.cut, stage.threshold
    (array([1, 2]), 0.5, 0.5)
    """
    mixture = Mixture(np.asarray(z, np.float64)[np.newaxis])
    stages = []
    for step in steps:
        after = mixture.apply(step)
        stages.append(Stage(step, mixture, after, z))
        mixture = after
    return stages


def step_cutoff(step: Step, z: Array) -> Cutoff | None:
    """Return the cutoff of a step for logits; None if its sampler has none."""
    if not step.sampler.has_cutoff:
        return None
    cutoff: Cutoff = step.sampler.function(z, *step.arguments)
    return cutoff


def _condition(cutoff: Cutoff | None, z: Array) -> tuple[float | None, str | None]:
    """Return the threshold, as a probability if the score is a logit, and the condition in words."""
    if cutoff is None or np.isinf(cutoff.threshold).any():
        return None, None
    threshold = float(cutoff.threshold.item())
    if cutoff.score_name.endswith("logit"):
        logit = -threshold if cutoff.score_name.startswith("-") else threshold
        threshold = float(np.exp(logit - log_sum_exp(z)))
    return abs(threshold), _CONDITIONS[cutoff.score_name]


class RemovingStage(Protocol):
    """A step's effect on a whole or a partial distribution."""

    @property
    def is_removed(self) -> Array:
        """Whether the step removes each class: (n,) booleans."""


def removed_by(stages: Sequence[RemovingStage], classes: int) -> Array:
    """Return the index of the step that removed each of the n classes, -1 for a class that remains: (n,)."""
    steps = np.full(classes, -1)
    for i, stage in enumerate(stages):
        steps[stage.is_removed] = i
    return steps
