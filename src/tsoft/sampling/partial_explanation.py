"""The step-by-step explanation of a chain on a partial distribution."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.softmax import Array
from tsoft.sampling.partial_chain import PartialMixture
from tsoft.sampling.step import Step


@dataclass(frozen=True, eq=False)
class PartialStage:
    """The effect of a step on a partial distribution: the mixtures `before` and `after` the step. `z` are the logits
    of the listed classes: (n,)."""

    step: Step
    before: PartialMixture
    after: PartialMixture
    z: Array

    @property
    def kept(self) -> Array:
        """The listed classes that remain or are undecided: (n,) booleans."""
        return self.after.kept

    @property
    def undecided(self) -> Array:
        """The listed classes of which it is not known whether they remain: (n,) booleans."""
        return self.after.undecided

    @property
    def may_have_unlisted(self) -> bool:
        """Whether an unlisted class may remain."""
        return self.after.may_have_unlisted

    @property
    def is_removed(self) -> Array:
        """Whether the step certainly removes each listed class: (n,) booleans."""
        return self.before.kept & ~self.kept

    @cached_property
    def removed(self) -> Array:
        """The indices of the listed classes that the step certainly removes, the most probable first."""
        indices = np.flatnonzero(self.is_removed)
        return np.asarray(indices[(-self.z[indices]).argsort(kind="stable")])
