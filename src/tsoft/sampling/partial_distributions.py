"""The distributions of a token of an API response, of which the response lists only a part."""

from functools import cached_property

import numpy as np

from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.frozen import frozen
from tsoft.sampling.distributions import Distributions
from tsoft.sampling.partial_chain import PartialMixture, mixtures
from tsoft.sampling.partial_explanation import PartialStage
from tsoft.sampling.partial_row import PartialRow
from tsoft.sampling.step import ChainError


@frozen(eq=False)
class PartialDistributions(Distributions):
    """The distributions of a block with a partial distribution, which has one row.

    The probabilities and the measures are those among the listed classes that may remain. At a temperature at which
    the distribution is `exact`, they are those among all classes. Otherwise `bounds` contain the probabilities.
    """

    @property
    def partial(self) -> PartialDistribution:
        assert self.block.partial
        return self.block.partial

    @property
    def _has_steps(self) -> bool:
        """Whether a chain changes the distribution. Of a token without any known probability, nothing is known."""
        return self.chain is not None and not self.partial.unknown.all()

    @cached_property
    def _mixtures(self) -> list[list[PartialMixture]]:
        """The mixtures before the first step and after each step, at each temperature."""
        assert self.chain
        try:
            return [list(mixtures(self.partial, self.chain.at(tau))) for tau in self.taus.tolist()]
        except ChainError as error:
            error.row = self.block.first_row
            raise

    @cached_property
    def _tempered(self) -> tuple[Array, Array | float]:
        if not self._has_steps:
            return self.block.logits, self.taus
        return np.array([steps[-1].merged_logits for steps in self._mixtures])[:, np.newaxis], 1.0

    def with_stages(self) -> "PartialDistributions":
        """Return these distributions, which have the mixtures of all steps anyway."""
        return self

    @cached_property
    def exact(self) -> Array:
        """Whether all classes that remain are listed and known: (k,) booleans."""
        if not self._has_steps:
            return np.full(len(self.taus), self.partial.unlisted == 0)
        return np.array([steps[-1].is_exact for steps in self._mixtures])

    @cached_property
    def undecided(self) -> Array:
        """The listed classes of which it is not known whether they remain: (k, 1, n) booleans."""
        if not self._has_steps:
            return np.zeros((len(self.taus), *self.block.logits.shape), bool)
        return np.array([steps[-1].undecided for steps in self._mixtures])[:, np.newaxis]

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Bounds on the probability of each listed class among all classes: (k, 1, n) each, NaN if unknown. They are
        the probability itself where the distribution is exact."""
        exact = self.exact[:, np.newaxis, np.newaxis]
        low, high = (np.where(exact, self.probs, np.exp(bound)) for bound in self.log_bounds)
        return low, high

    @cached_property
    def log_bounds(self) -> tuple[Array, Array]:
        """The logarithms of the bounds, which do not underflow."""
        if not self._has_steps:
            bounds = [bound[:, np.newaxis] for bound in self.partial.log_bounds(self.taus)]
            # At the temperature of the server, the bounds are its numbers, whose sum may exceed 1. At any other,
            # rounding may raise a bound above the probability among the listed classes.
            is_applied = (self.taus == self.partial.tau)[:, np.newaxis, np.newaxis]
            low, high = (np.where(is_applied, bound, np.minimum(bound, self.log_probs)) for bound in bounds)
            return low, high
        pairs = (steps[-1].log_bounds for steps in self._mixtures)
        low, high = (np.array(ends)[:, np.newaxis] for ends in zip(*pairs, strict=True))
        exact = self.exact[:, np.newaxis, np.newaxis]
        return np.where(exact, self.log_probs, low), np.where(exact, self.log_probs, high)

    def rank(self, t: int, index: int) -> int | str:
        """Return the rank of a listed class by probability, from 1, before any sampler removes classes; ">N" if more
        than the N listed classes above it may be more probable."""
        row = self._biased_row(t)
        if row is None:
            return self.partial.rank_of(index) or f">{self.partial.more_probable_than(index)}"
        above = int((row.z > row.z[index]).sum())
        return above + 1 if row.unlisted is None or row.precedes[index] else f">{above}"

    def _biased_row(self, t: int) -> PartialRow | None:
        """Return the row after the step of the biases, which alone change the server's order; None without biases."""
        if not self._has_steps:
            return None
        assert self.chain
        steps = self.chain.at(float(self.taus[t]))
        place = next((i for i, step in enumerate(steps) if step.sampler.name == "logit_bias"), None)
        return None if place is None else self._mixtures[t][place + 1].rows[0]

    @cached_property
    def log_sum_exp(self) -> Array:
        """The logarithm of the partition function over all classes; NaN if some are not listed."""
        return super().log_sum_exp if self.partial.unlisted == 0 else np.full((len(self.taus), 1), np.nan)

    def stages(self, t: int, r: int) -> list[PartialStage]:  # type: ignore[override]
        """Return the effect of each step of the chain at a temperature; empty without a chain."""
        if not self._has_steps:
            return []
        assert self.chain
        steps, states = self.chain.at(float(self.taus[t])), self._mixtures[t]
        return [PartialStage(*stage, self.block.logits[r]) for stage in zip(steps, states, states[1:], strict=False)]
