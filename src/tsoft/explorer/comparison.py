"""The comparison of the distribution on the screen with the marked one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.measures import total_variation
from tsoft.core.softmax import Array
from tsoft.explorer.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class Comparison:
    """The present snapshot and the marked one. Classes that only one of them has have the probability 0 in the other.

    The classes are compared by their positions, so both need the same names, as far as both have classes.
    """

    present: Snapshot
    marked: Snapshot

    @cached_property
    def is_possible(self) -> bool:
        """Whether both distributions are known exactly, and have the same classes, except added ones."""
        count = min(self.present.row.classes, self.marked.row.classes)
        names = (snapshot.row.names for snapshot in (self.present, self.marked))
        first, second = names
        # Comparing the names of a whole vocabulary takes long, and both are usually the same object.
        same_names = first is second or list(first[:count]) == list(second[:count])
        return self.present.is_exact and self.marked.is_exact and same_names

    @property
    def ghost(self) -> Array:
        """The marked probabilities of the present classes: (n,)."""
        return _padded(self.marked.probs, self.present.row.classes, 0.0)[: self.present.row.classes]

    @property
    def total_variation(self) -> float:
        """Half the sum of |p - q|."""
        count = max(self.present.row.classes, self.marked.row.classes)
        p, q = (_padded(snapshot.probs, count, 0.0) for snapshot in (self.present, self.marked))
        return float(total_variation(p, q))

    @property
    def divergence(self) -> float:
        """The Kullback-Leibler divergence in nats: the sum of p ln(p / q), with p the present and q the marked
        probabilities. It is inf if a class with p > 0 has q = 0.
        """
        probs = np.asarray(self.present.probs, np.float64)
        # Classes without probability add nothing, and their logarithms may be infinite. Copying all classes takes time.
        possible = slice(len(probs)) if probs.all() else np.flatnonzero(probs)
        log_p = np.asarray(self.present.distributions.log_probs_among(possible)[0, 0], np.float64)
        log_q = _padded(np.asarray(self.marked.distributions.log_probs[0, 0], np.float64), len(probs), -np.inf)
        # Rounding may make the sum of equal distributions negative.
        return max(0.0, float((probs[possible] * (log_p - log_q[possible])).sum()))


def _padded(values: Array, count: int, value: float) -> Array:
    return values if count <= len(values) else np.append(values, np.full(count - len(values), value))
