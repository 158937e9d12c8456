"""The draws of a row beside the counts that the requested settings would give."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.draw_likelihood import TauInterval
from tsoft.core.softmax import Array
from tsoft.features.audit.audit import Audit
from tsoft.features.audit.evidence import DrawnRow
from tsoft.sampling.apply_chains import compute_distributions
from tsoft.sampling.chain import Chain


@dataclass(frozen=True, eq=False)
class DrawnCounts:
    """The counts of a row: `drawn`, (n,), and the number of draws of `unlisted` classes. `tau` is the temperature of
    the expected counts: the requested one or, if that is unknown, the estimate. `interval` is that of this row alone.
    """

    block: Block
    drawn: Array
    unlisted: int
    tau: float
    interval: TauInterval
    chain: Chain

    @property
    def draws(self) -> int:
        """The number of draws of listed classes."""
        return int(self.drawn.sum())

    @cached_property
    def expected(self) -> Array:
        """The expected counts of the listed classes: (n,)."""
        return np.asarray(self.draws * compute_distributions(self.block, np.array([self.tau]), self.chain).probs[0, 0])

    @cached_property
    def order(self) -> Array:
        """The indices of the classes, the most frequent first, then by the expected counts: (n,)."""
        return np.lexsort((-self.expected, -self.drawn))

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a JSON object, which contains only the classes that were drawn."""
        drawn = np.flatnonzero(self.drawn)
        labels = self.block.labels
        return {
            "row": self.block.first_row,
            "draws": self.draws + self.unlisted,
            "unlisted": self.unlisted,
            "tau": self.interval.tau,
            "tau_low": self.interval.low,
            "tau_high": self.interval.high,
            "indices": drawn,
            "labels": None if labels is None else [labels[i] for i in drawn.tolist()],
            "counts": self.drawn[drawn],
            "expected": self.expected[drawn],
        }


def drawn_counts(audit: Audit) -> Iterator[DrawnCounts]:
    """Yield the counts of each row of an audit."""
    requested = audit.requested.tau
    best = audit.interval.tau
    tau = requested if requested is not None else best if best < inf else 1.0
    for r, row in enumerate(audit.evidence.rows):
        yield DrawnCounts(
            row.block, _counts(row), int((row.draws < 0).sum()), tau, audit.row_interval(r), audit.requested.chain
        )


def _counts(row: DrawnRow) -> Array:
    return np.bincount(row.draws[row.draws >= 0], minlength=row.block.logits.shape[1])
