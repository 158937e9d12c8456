"""A row at one temperature with the current samplers, and its curves over all temperatures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan

import numpy as np

from tsoft.core.softmax import Array
from tsoft.explorer.explorer_rows import ExplorerRow
from tsoft.sampling.apply_chains import compute_distributions
from tsoft.sampling.chain import Chain
from tsoft.sampling.distributions import Distributions
from tsoft.sampling.explanation import Stage, removed_by
from tsoft.sampling.step import ChainError

# The measures, in display order.
SHOWN_MEASURES = ("entropy", "perplexity", "top", "margin", "removed")

# The temperatures of the curves.
CURVE_TAUS = np.geomspace(0.01, 100, 49)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A row at a temperature, after a chain of samplers.

    Raise ChainError if a sampler removes every class.
    """

    row: ExplorerRow
    tau: float
    chain: Chain | None

    def __post_init__(self) -> None:
        _ = self.kept

    @cached_property
    def distributions(self) -> Distributions:
        return compute_distributions(self.row.block, np.array([self.tau]), self.chain).with_stages()

    @property
    def kept(self) -> Array:
        """The classes that are neither masked nor removed: (n,) booleans."""
        return np.asarray(self.distributions.kept[0, 0])

    @cached_property
    def probs(self) -> Array:
        """The probabilities: (n,)."""
        return np.asarray(self.distributions.probs[0, 0])

    @property
    def is_exact(self) -> bool:
        """Whether the probabilities are known exactly, and not only among the alternatives that a response lists."""
        return bool(self.distributions.exact[0])

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Bounds on the probabilities: (n,) each."""
        low, high = self.distributions.bounds
        return low[0, 0], high[0, 0]

    @property
    def can_draw(self) -> bool:
        """Whether classes can be drawn: of a response without samplers, among the listed alternatives."""
        return self.is_exact or self.chain is None

    @property
    def stages(self) -> list[Stage]:
        return self.distributions.stages(0, 0)

    @cached_property
    def removing_steps(self) -> Array:
        """The number of the step that removed each class, -1 for kept or masked classes: (n,)."""
        return removed_by(self.stages, self.row.classes)

    @cached_property
    def tempered_probs(self) -> Array:
        """The probabilities at the temperature without samplers: (n,)."""
        return np.asarray(self.distributions.without_chain.probs[0, 0])

    @property
    def top(self) -> int:
        """The index of the most probable class."""
        return int(self.distributions.top[0, 0])

    @cached_property
    def measures(self) -> tuple[float, ...]:
        """The measures in the order of SHOWN_MEASURES.

        These are the entropy in nats, the perplexity, the highest probability, the margin, and the total probability of
        the removed classes at the temperature before the samplers.
        """
        distributions = self.distributions
        values = (distributions.entropy, distributions.perplexity, distributions.top_prob, distributions.margin)
        removes = self.chain is not None and not self.kept.all()
        removed = float(self.tempered_probs[~self.kept].sum()) if removes else 0.0
        if self.chain is not None and not distributions.without_chain.exact[0]:
            # The unlisted classes may be among the removed ones.
            removed = nan
        return (*(float(value[0, 0]) for value in values), removed)


@dataclass(frozen=True, eq=False)
class TemperatureCurves:
    """A row over CURVE_TAUS: its measures and the probabilities of some classes.

    `measures` has the shape (taus, measures). `probs`, (taus, classes), has the classes at `indices`. Both are NaN at
    temperatures at which a sampler removes every class.
    """

    indices: tuple[int, ...]
    measures: Array
    probs: Array


def unknown_curves(indices: Sequence[int]) -> TemperatureCurves:
    """Return the curves of a row whose chain cannot be applied at any temperature."""
    unknown = np.full((len(CURVE_TAUS), len(SHOWN_MEASURES)), nan)
    return TemperatureCurves(tuple(indices), unknown, np.full((len(CURVE_TAUS), len(indices)), nan))


def temperature_curves(
    row: ExplorerRow, chain: Chain | None, indices: Sequence[int], is_canceled: Callable[[], bool]
) -> TemperatureCurves | None:
    """Return the curves of a row, or None if they are canceled.

    `is_canceled` is called before each temperature.
    """
    curves = unknown_curves(indices)
    for t, tau in enumerate(CURVE_TAUS.tolist()):
        if is_canceled():
            return None
        try:
            snapshot = Snapshot(row, tau, chain)
        except ChainError:
            continue
        curves.measures[t] = snapshot.measures
        curves.probs[t] = snapshot.probs[list(indices)]
    return curves
