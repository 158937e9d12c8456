"""The evidence of an audit: known distributions, and the classes that were drawn from them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array

# The index of a draw that the row does not list.
UNLISTED = -1
# Engines compute in float32, and a difference of this size in a logit may move a class across a cutoff.
ROUNDING = 1e-3
# More classes than any model has, if their number is unknown.
MANY_CLASSES = 1 << 20


@dataclass(frozen=True, eq=False)
class DrawnRow:
    """One distribution and the draws from it.

    `block` has one row: the logits at temperature 1, or the partial distribution of a response. `draws` are the indices
    of the drawn classes in the order in which they were drawn, (m,); UNLISTED is a class that the row does not list.
    `has_chosen` is true if the row lists its only draw even if that is not among the most probable classes.
    """

    block: Block
    draws: Array
    has_chosen: bool = False

    @cached_property
    def logits(self) -> Array:
        """The logits of the row's classes: (n,) float64, -inf for a class that is masked or has no known
        probability."""
        logits = self.block.logits[0].astype(np.float64, copy=False)
        return np.where(np.isnan(logits), -np.inf, logits)

    @cached_property
    def order(self) -> Array:
        """The indices of the classes, the most probable first: (n,)."""
        return (-self.logits).argsort(kind="stable")

    @cached_property
    def is_counted(self) -> Array:
        """The classes that the row lists whichever class was drawn: (n,) booleans. These are all classes with a known
        probability, except the least probable one if it may be listed only because it was drawn."""
        known = self.logits > -np.inf
        if self.has_chosen:
            known &= self.logits > self.logits[known].min(initial=np.inf)
        return known

    @cached_property
    def counted_draws(self) -> Array:
        """The draws, UNLISTED for those of classes that are not counted: (m,)."""
        if not len(self.logits):
            return np.full_like(self.draws, UNLISTED)
        return np.where((self.draws >= 0) & self.is_counted[self.draws], self.draws, UNLISTED)

    @cached_property
    def counted_logits(self) -> Array:
        """The logits, -inf for a class that is not counted: (n,)."""
        return np.where(self.is_counted, self.logits, -np.inf)

    @cached_property
    def _counted(self) -> PartialDistribution:
        """The partial distribution of a response with only the counted classes listed."""
        assert self.block.partial
        counted = self.block.partial.listing(np.flatnonzero(self.is_counted))
        return replace(counted, classes=counted.classes or MANY_CLASSES)

    @property
    def unlisted(self) -> float:
        """The highest probability of the classes that are not counted, at temperature 1."""
        if self.block.partial is None:
            return 0.0
        return max(0.0, 1.0 - float(np.exp(self.logits[self.is_counted]).sum()))

    def unlisted_bounds(self, tau: float, noise: float = 0.0) -> tuple[float, float]:
        """Return the lowest and the highest possible probability of the classes that are not counted, at a
        temperature. `noise` is the error of the log-probabilities."""
        if self.block.partial is None or tau == 0:
            return 0.0, 0.0
        if tau == np.inf or not self.is_counted.any():
            return 0.0, 1.0
        partial = self._counted
        top = float(partial.logprobs.max())
        powers = np.array([[tau / partial.tau]])
        with np.errstate(under="ignore", over="ignore"):
            listed = np.logaddexp.reduce((partial.logprobs - top) / powers[0])
            low, high = (
                float(np.exp(-np.logaddexp(0.0, listed - weight[0, 0])))
                for weight in (
                    _shifted(partial, noise).log_unlisted_weights(powers, top + noise)[0],
                    _shifted(partial, -noise).log_unlisted_weights(powers, top - noise)[1],
                )
            )
        return low, high


def _shifted(partial: PartialDistribution, noise: float) -> PartialDistribution:
    return replace(partial, logprobs=partial.logprobs + noise, cap=partial.cap + noise) if noise else partial


@dataclass(frozen=True, eq=False)
class Evidence:
    """The rows of an audit.

    A logit may differ from the one that the server used by up to `noise`. With `may_be_tempered`, the log-probabilities
    of a response may be those after the temperature.
    """

    rows: tuple[DrawnRow, ...]
    noise: float = ROUNDING
    may_be_tempered: bool = False

    @property
    def draws(self) -> int:
        """The number of all draws."""
        return sum(len(row.draws) for row in self.rows)
