"""What an audit reads: known distributions, and the classes that were drawn from them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.block import Block
from tsoft.core.gap_weights import gap_weights
from tsoft.core.softmax import Array

# The index of a draw that the row does not list.
UNLISTED = -1
# Engines compute in float32, and a difference of this size in a logit may move a class across a cutoff.
ROUNDING = 1e-3
# The logarithm of the smallest normal number.
_LOWEST = -708.0


@dataclass(frozen=True, eq=False)
class DrawnRow:
    """One distribution and the draws from it.

    `block` has one row: the logits at temperature 1, or the partial distribution of a response. `draws` are the indices
    of the drawn classes in the order in which they were drawn, (m,); UNLISTED is a class that the row does not list.
    `has_chosen` is true if the row lists its only draw also if that is not among the most probable classes.
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
        """The classes that the row lists whichever was drawn: (n,) booleans. These are all with a known probability,
        without the least probable one if that may be listed only because it was drawn."""
        known = self.logits > -np.inf
        if self.has_chosen:
            known &= self.logits > self.logits[known].min(initial=np.inf)
        return known

    @cached_property
    def counted_draws(self) -> Array:
        """The draws of classes that are counted, UNLISTED for the others: (m,)."""
        if not len(self.logits):
            return np.full_like(self.draws, UNLISTED)
        return np.where((self.draws >= 0) & self.is_counted[self.draws], self.draws, UNLISTED)

    @cached_property
    def counted_logits(self) -> Array:
        """The logits, -inf for a class that is not counted: (n,)."""
        return np.where(self.is_counted, self.logits, -np.inf)

    @property
    def unlisted(self) -> float:
        """The highest probability of the classes that are not counted, at temperature 1."""
        if self.block.partial is None:
            return 0.0
        return max(0.0, 1.0 - float(np.exp(self.logits[self.is_counted]).sum()))

    def unlisted_at(self, tau: float) -> float:
        """About the probability of the classes that are not counted at a temperature: as if each was as probable as
        possible."""
        logprobs = self.logits[self.is_counted]
        if not self.unlisted or not len(logprobs):
            return float(self.unlisted > 0)
        gaps = logprobs.max() - logprobs
        weights = gap_weights(gaps, tau)
        # This many classes with the lowest probability of the list have the rest.
        number = self.unlisted / np.exp(logprobs.min()) if logprobs.min() > _LOWEST else np.inf
        rest = number * weights.min() if weights.min() else 0.0
        return float(rest / (weights.sum() + rest)) if rest < np.inf else 1.0


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
