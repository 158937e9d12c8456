"""What an audit reads: known distributions, and the classes that were drawn from them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array

# Index of a draw that the row does not list.
UNLISTED = -1
# Engines compute in float32, and a difference of this size in a logit may move a class across a cutoff.
ROUNDING = 1e-3


@dataclass(frozen=True, eq=False)
class DrawnRow:
    """One distribution and the draws from it.

    `block` has one row: the logits at temperature 1, or the partial distribution of a response. `draws` are the indices
    of the drawn classes in the order in which they were drawn, (m,); UNLISTED is a class that the row does not list.
    """

    block: Block
    draws: Array

    @cached_property
    def logits(self) -> Array:
        """The logits of the row's classes: (n,) float64, -inf for a class that is masked or has no known
        probability."""
        logits = self.block.logits[0].astype(np.float64, copy=False)
        return np.where(np.isnan(logits), -np.inf, logits)


@dataclass(frozen=True, eq=False)
class Evidence:
    """The rows of an audit. A logit may differ from the one that the server used by up to `noise`."""

    rows: tuple[DrawnRow, ...]
    noise: float = ROUNDING

    @property
    def draws(self) -> int:
        """The number of all draws."""
        return sum(len(row.draws) for row in self.rows)
