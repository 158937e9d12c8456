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
# The number of probabilities that are computed at once.
CURVE_PIECE = 1 << 14


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
        """The measures in the order of SHOWN_MEASURES."""
        return tuple(_measures(self.distributions)[0].tolist())


def _measures(distributions: Distributions) -> Array:
    """Return the measures of a row at k temperatures, in the order of SHOWN_MEASURES: (k, measures).

    These are the entropy in nats, the perplexity, the highest probability, the margin, and the total probability of the
    removed classes at the temperature before the samplers.
    """
    measures = np.zeros((len(distributions.taus), len(SHOWN_MEASURES)))
    values = (distributions.entropy, distributions.perplexity, distributions.top_prob, distributions.margin)
    for i, value in enumerate(values):
        measures[:, i] = value[:, 0]
    if distributions.chain is not None:
        before = distributions.without_chain
        removed = zip(before.probs[:, 0], distributions.kept[:, 0], strict=True)
        measures[:, -1] = [probs[~kept].sum() for probs, kept in removed]
        # The unlisted classes may be among the removed ones.
        measures[~before.exact, -1] = nan
    return measures


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

    Few classes have all temperatures in one piece, many classes have one temperature in each. `is_canceled` is called
    before each piece.
    """
    curves = unknown_curves(indices)
    step = max(1, CURVE_PIECE // row.classes)
    for first in range(0, len(CURVE_TAUS), step):
        if is_canceled():
            return None
        _compute_piece(curves, row, chain, slice(first, first + step))
    return curves


def _compute_piece(curves: TemperatureCurves, row: ExplorerRow, chain: Chain | None, piece: slice) -> None:
    """Compute a piece of the curves. A temperature at which a sampler removes every class remains NaN."""
    taus = CURVE_TAUS[piece]
    try:
        distributions = compute_distributions(row.block, taus, chain)
        curves.measures[piece] = _measures(distributions)
        curves.probs[piece] = distributions.probs[:, 0, list(curves.indices)]
    except ChainError:
        # The samplers may keep classes at the other temperatures.
        for t in range(piece.start, piece.start + len(taus)) if len(taus) > 1 else ():
            _compute_piece(curves, row, chain, slice(t, t + 1))
