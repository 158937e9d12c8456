"""What is seen of a row at the present settings, and over all temperatures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan

import numpy as np

from tsoft.core.softmax import Array
from tsoft.explorer.rows import Row
from tsoft.sampling.chain import Chain
from tsoft.sampling.distributions import Distributions
from tsoft.sampling.errors import AllRemovedError
from tsoft.sampling.explanation import Stage, removed_by

# The measures that are shown, as their numbers are called.
MEASURES = ("entropy", "perplexity", "top", "margin", "cut")

# The temperatures of curves and spark lines.
TAUS = np.geomspace(0.01, 100, 49)
# So many classes, the most probable ones, have a curve.
CURVES = 5


@dataclass(frozen=True, eq=False)
class Seen:
    """A row at a temperature, as a chain leaves it."""

    row: Row
    tau: float
    chain: Chain | None

    @cached_property
    def result(self) -> Distributions:
        return Distributions(self.row.block, np.array([self.tau]), self.chain)

    @cached_property
    def probs(self) -> Array:
        """(n,)."""
        return np.asarray(self.result.probs[0, 0])

    @property
    def stages(self) -> list[Stage]:
        return self.result.stages(0, 0)

    @cached_property
    def removers(self) -> Array:
        """The number of the step that removed each class, -1 where none did: (n,)."""
        return removed_by(self.stages, self.row.classes)

    @cached_property
    def alone(self) -> Array:
        """The probabilities at the temperature without any sampler: (n,)."""
        return np.asarray(self.result.without_chain.probs[0, 0])

    @property
    def top(self) -> int:
        return int(self.result.top[0, 0])

    @cached_property
    def measures(self) -> tuple[float, ...]:
        """In the order of MEASURES: entropy in nats, perplexity, the highest probability, margin, and the
        mass at the temperature of what is removed."""
        found = self.result
        numbers = (found.entropy, found.perplexity, found.top_prob, found.margin)
        return (*(float(number[0, 0]) for number in numbers), self._cut)

    @property
    def _cut(self) -> float:
        if self.chain is None:
            return 0.0
        gone = ~self.result.kept[0, 0]
        return float(self.alone[gone].sum()) if gone.any() else 0.0


def seen(row: Row, tau: float, chain: Chain | None) -> Seen | AllRemovedError:
    """What is seen, or why there is nothing: a sampler may remove every class."""
    found = Seen(row, tau, chain)
    try:
        found.result.kept  # noqa: B018
    except AllRemovedError as error:
        return error
    return found


@dataclass(frozen=True, eq=False)
class Course:
    """How a row goes over TAUS: the measures, (taus, measures), and the probabilities of the classes at
    `indices`, (taus, classes). NaN is where no class is left."""

    indices: tuple[int, ...]
    measures: Array
    probs: Array


def course(row: Row, chain: Chain | None, indices: Sequence[int], gives_up: Callable[[], bool]) -> Course | None:
    """The course of a row, one temperature after the other; None where it is given up on the way."""
    measures = np.full((len(TAUS), len(MEASURES)), nan)
    probs = np.full((len(TAUS), len(indices)), nan)
    for t, tau in enumerate(TAUS.tolist()):
        if gives_up():
            return None
        found = seen(row, tau, chain)
        if isinstance(found, Seen):
            measures[t] = found.measures
            probs[t] = found.probs[list(indices)]
    return Course(tuple(indices), measures, probs)
