"""What each step of a chain keeps and removes, and at which threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.measures import entropy, most_probable
from tsoft.core.softmax import Array, log_sum_exp, softmax
from tsoft.sampling.chain import Branch, applied, left, merged, start
from tsoft.sampling.samplers import Cutoff, Truncation
from tsoft.sampling.step import Step


@dataclass(frozen=True, eq=False)
class Stage:
    """A step on a row z, (n,) logits, between the branches `before` and `after` it. What is told of it is
    worked out when it is asked for. After a sampler that is applied by chance the distribution is the
    mixture, and a class is gone when it is gone from every branch."""

    step: Step
    before: tuple[Branch, ...]
    after: tuple[Branch, ...]
    z: Array

    @cached_property
    def kept(self) -> Array:
        """The classes that are left: (n,) booleans."""
        return left(self.after)

    @cached_property
    def mixture(self) -> Array:
        """Logits of all classes whose softmax is the distribution after it: (n,)."""
        return merged(self.after)

    @property
    def gone(self) -> Array:
        """The indices of the classes that it removes, as given."""
        return np.flatnonzero(left(self.before) & ~self.kept)

    @cached_property
    def removed(self) -> Array:
        """The same, the most probable first."""
        gone = self.gone
        return np.asarray(gone[(-merged(self.before)[gone]).argsort(kind="stable")])

    @cached_property
    def cut(self) -> float:
        """The mass that it takes away."""
        # Each branch has become the one or two that its place in the list says.
        grown = len(self.after) // len(self.before)
        return sum(
            branch.weight * float(softmax(self.before[i // grown].whole)[np.isneginf(branch.whole)].sum())
            for i, branch in enumerate(self.after)
        )

    @cached_property
    def entropy(self) -> float:
        """The distribution's after it, in nats."""
        return float(entropy(self.mixture))

    @cached_property
    def top(self) -> int:
        """The index of the class that is most probable after it."""
        return int(most_probable(self.mixture, self.z))

    @property
    def threshold(self) -> float | None:
        """The number in `keeps`; None where it compares nothing."""
        return self._compared[0]

    @property
    def keeps(self) -> str | None:
        """What a class must be to stay, in words; None where it compares nothing."""
        return self._compared[1]

    @cached_property
    def _compared(self) -> tuple[float | None, str | None]:
        before = self.before[-1].whole
        limit = cutoff_of(self.step, before)
        threshold, keeps = _threshold(limit, before)
        return threshold, keeps and keeps + ", of ties the first" * bool(limit and limit.splits_tie.any())


# What a score is compared as, where it is a person who reads it.
_KEEPS = {
    "logit": "p ≥ threshold",
    "-logit": "p ≤ threshold",
    "probability": "p ≥ threshold",
    "-|surprise - entropy|": "|-ln p - H| ≤ threshold",
}


def explained(steps: Sequence[Step], z: Array) -> list[Stage]:
    """Each step on a row, (n,) logits.

    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> [stage] = explained([Step(SAMPLERS["top_k"], (1,))], np.log([0.5, 0.25, 0.25]))
    >>> stage.removed, stage.cut, stage.threshold
    (array([1, 2]), 0.5, 0.5)
    """
    branches = start(np.asarray(z, np.float64))
    stages = []
    for step in steps:
        after = applied([step], branches)
        stages.append(Stage(step, branches, after, z))
        branches = after
    return stages


def cutoff_of(step: Step, z: Array) -> Cutoff | None:
    """What a step compares, where it does."""
    function = step.sampler.function
    return function.limit(z, *step.values[step.sampler.by_chance :]) if isinstance(function, Truncation) else None


def _threshold(limit: Cutoff | None, z: Array) -> tuple[float | None, str | None]:
    """What is compared, as a probability where the score is a logit."""
    if limit is None or np.isinf(limit.least).any():
        return None, None
    least = float(limit.least.item())
    if limit.of == "probability":
        return least, _KEEPS[limit.of]
    value = abs(least)
    if limit.of.endswith("logit"):
        value = float(np.exp((-least if limit.of.startswith("-") else least) - log_sum_exp(z)))
    return value, _KEEPS[limit.of]


def removed_by(stages: Sequence[Stage], classes: int) -> Array:
    """The step that removed each of the n classes, counted from 0, and -1 for those that are left: (n,)."""
    found = np.full(classes, -1)
    for i, stage in enumerate(stages):
        found[stage.gone] = i
    return found
