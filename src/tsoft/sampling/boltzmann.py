"""The distributions of a block of energies, with their thermodynamics."""

from functools import cached_property

import numpy as np

from tsoft.core.measures import MEASURES, most_probable
from tsoft.core.softmax import Array
from tsoft.core.thermodynamics import (
    THERMODYNAMICS,
    Ensemble,
    Thermodynamics,
    level_logits,
    level_probs,
    thermodynamics,
)
from tsoft.frozen import frozen
from tsoft.sampling.distributions import Distributions


@frozen(eq=False)
class BoltzmannDistributions(Distributions):
    """The distributions of a block with an ensemble, at temperatures in kelvin or as kT. Probabilities, the
    highest one and the margin are those of levels; the entropy and the varentropy are those of states."""

    measure_names = (*MEASURES, *THERMODYNAMICS)

    @property
    def ensemble(self) -> Ensemble:
        assert self.block.ensemble
        return self.block.ensemble

    @cached_property
    def kt(self) -> Array:
        """The temperatures as kT in the unit of the energies: (k,)."""
        return np.asarray(self.taus * self.ensemble.k)

    @cached_property
    def _tempered(self) -> tuple[Array, Array | float]:
        if self.ensemble.degeneracy is None:
            return self.block.logits, self.kt
        return level_logits(self.block.logits, self.kt, self.ensemble.degeneracy), 1.0

    @cached_property
    def probs(self) -> Array:
        if self.ensemble.degeneracy is None:
            return super().probs
        return level_probs(self.block.logits, self.kt, self.ensemble.degeneracy)

    @cached_property
    def kept(self) -> Array:
        return np.broadcast_to(self.block.logits > -np.inf, (len(self.taus), *self.block.logits.shape))

    @cached_property
    def top(self) -> Array:
        if self.ensemble.degeneracy is None:
            return super().top
        return most_probable(self._tempered[0], self.block.logits)

    @cached_property
    def thermodynamics(self) -> Thermodynamics:
        return thermodynamics(-self.block.logits, self.kt, self.ensemble.degeneracy)

    @cached_property
    def entropy(self) -> Array:
        return self.thermodynamics.entropy

    @property
    def varentropy(self) -> Array:
        """The heat capacity, since -ln p of a state is E/kT plus a constant."""
        return self.heat_capacity

    @cached_property
    def log_sum_exp(self) -> Array:
        return self.thermodynamics.log_z

    @cached_property
    def log_z(self) -> Array:
        return self.thermodynamics.log_z

    @cached_property
    def free_energy(self) -> Array:
        return self.thermodynamics.free_energy

    @cached_property
    def mean_energy(self) -> Array:
        return self.thermodynamics.mean_energy

    @cached_property
    def heat_capacity(self) -> Array:
        return self.thermodynamics.heat_capacity
