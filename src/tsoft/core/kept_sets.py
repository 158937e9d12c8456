"""Sets of classes that no sampler can have removed, as earlier draws show.

A sampler such as top-k, top-p or min-p keeps the most probable classes of each row. A class is certainly kept if a less
probable one of its row was drawn before. Draws from other rows show it as well. Top-k compares ranks, min-p gaps, and
top-p cumulative probabilities. So a class is kept if earlier draws include a class with at least its rank, one with at
least its gap to the most probable class, and one with at least its cumulative probability.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from tsoft.core.draw_likelihood import ConditionalDraws
from tsoft.core.gap_weights import gap_weights
from tsoft.core.softmax import Array

# Top-p may compare cumulative probabilities before the temperature or after it, which is unknown.
TAUS = (0.5, 1.0, 2.0)
# The largest set of a row, and the largest number of classes in the sets of all rows together. They limit the memory.
# Smaller sets are valid as well; fewer draws count then.
_LARGEST_SET, _ALL_CLASSES = 1024, 1 << 18


@dataclass(frozen=True, eq=False)
class DrawnClasses:
    """The `logits` of a row, (n,), -inf for a class that is masked or does not count, with the indices of its `draws`,
    (m,), -1 for a class that does not count. `unlisted` is the probability of all classes that do not count."""

    logits: Array
    draws: Array
    unlisted: float = 0.0


def draws_from_kept_sets(rows: Sequence[DrawnClasses], taus: Sequence[float] = TAUS) -> ConditionalDraws:
    """Return the draws from sets of classes that no sampler can have removed, as the draws before them show.

    The draws of a row are independent, so they are put into a random order, which is always the same.

    taus: the temperatures at which top-p may compare cumulative probabilities; empty if the draws of one row show
    nothing about another.

    >>> draws = draws_from_kept_sets([DrawnClasses(np.array([0.0, 2.0, 1.0]), np.array([2, 1, 2, 0, 2]))])
    >>> draws.gaps, draws.informative
    (array([[0., 1., 2.]]), 3)
    """
    kept = _Kept(np.asarray(taus, np.float64))

    def sizes(row: _Ranked) -> Array:
        # It is unknown which of the classes that tie at the end of a set are kept, unless they were drawn before.
        size = np.maximum(row.shown_before, row.without_tie(kept.size(row)))
        kept.add(row)
        return size

    return _conditional([_Ranked(row, kept.taus) for row in rows], sizes)


def draws_from_all_classes(rows: Sequence[DrawnClasses]) -> ConditionalDraws:
    """Return the draws if no sampler removes a class.

    >>> draws = draws_from_all_classes([DrawnClasses(np.array([0.0, 2.0, 1.0]), np.array([2, 1]))])
    >>> draws.sizes, draws.counts
    (array([[0, 0, 2]]), array([[1, 1, 0]]))
    """
    ranked = [_Ranked(row, np.zeros(0)) for row in rows]
    return _conditional(ranked, lambda row: np.full(len(row.places), len(row.gaps)))


def _conditional(rows: "Sequence[_Ranked]", sizes_of: "Callable[[_Ranked], Array]") -> ConditionalDraws:
    """Return the draws from sets of the most probable classes. `sizes_of` returns the size of each draw's set: (m,)."""
    width = min(_LARGEST_SET, max(16, _ALL_CLASSES // max(1, len(rows))))
    width = min(width, max((len(row.gaps) for row in rows), default=0))
    gaps = np.full((len(rows), width), inf)
    sizes, counts = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
    for r, row in enumerate(rows):
        size = sizes_of(row)
        size = np.where(size > width, row.without_tie(width), size)
        counted = (row.places < size) & ~row.is_unknown
        gaps[r, : len(row.gaps)] = row.gaps[:width]
        sizes[r] = np.bincount(size[counted] - 1, minlength=width)
        counts[r] = np.bincount(row.places[counted], minlength=width)
    used = int(np.flatnonzero(sizes.any(0)).max(initial=-1)) + 1
    return ConditionalDraws(gaps[:, :used], sizes[:, :used], counts[:, :used])


class _Ranked:
    """A row with its classes in the order of their probabilities, and the `places` of its draws in this order, (m,).

    Of classes with the same logit, those that were drawn come first, in the order of their draws: it is unknown which
    of them a sampler keeps. `starts` has, for each class, the place of the first class with the same logit, (n,).
    `cumulative` are the unnormalized cumulative probabilities at each temperature, (taus, n).
    """

    def __init__(self, row: DrawnClasses, taus: Array):
        # Draws may be sorted, which sets that depend on earlier draws would mistake for a trend.
        z, draws = row.logits, np.random.default_rng(0).permutation(row.draws)
        self.is_unknown = draws < 0
        first = np.full(len(z), len(draws))
        np.minimum.at(first, draws[~self.is_unknown], np.flatnonzero(~self.is_unknown))
        order = np.lexsort((first, -z))
        rank = np.empty(len(z), np.int64)
        rank[order] = np.arange(len(z))
        ordered = z[order][: int((z > -inf).sum())]
        with np.errstate(over="ignore"):
            self.gaps = ordered[:1] - ordered
        self.starts = np.searchsorted(self.gaps, self.gaps)
        self.places = np.where(self.is_unknown, 0, rank[draws])
        self.cumulative = gap_weights(self.gaps, taus[:, np.newaxis]).cumsum(-1)
        self._listed = 1.0 - row.unlisted

    @property
    def shown_before(self) -> Array:
        """The number of classes at least as probable as one that was drawn before each draw: (m,)."""
        shown = np.maximum.accumulate(np.where(self.is_unknown, 0, self.places + 1))
        return np.concatenate([np.zeros(1, np.int64), shown[:-1]]) if len(shown) else shown

    def without_tie(self, size: int) -> int:
        """Return the size of the largest set up to this size after which the logits differ."""
        return int(self.starts[size]) if size < len(self.starts) else size

    @property
    def last(self) -> int:
        """The place of the first class that ties with the least probable draw, -1 without a known draw. Engines differ
        in whether they keep classes that tie with a kept one, so the draw shows only that the classes before are kept.
        """
        place = int(self.places[~self.is_unknown].max(initial=-1))
        return int(self.starts[place]) if place >= 0 else -1

    @property
    def shown_cumulative(self) -> Array:
        """The cumulative probability before the least probable draw at each temperature: (taus,)."""
        if self.last == 0:
            return np.zeros(len(self.cumulative))
        return np.asarray(self.cumulative[:, self.last - 1] / self.cumulative[:, -1] * self._listed)


@dataclass
class _Kept:
    """The largest rank, gap and cumulative probability that draws have shown to be kept."""

    taus: Array
    rank: int = 0
    gap: float = -inf
    cumulative: Array = field(default_factory=lambda: np.zeros(0))

    def size(self, row: _Ranked) -> int:
        """Return how many of the most probable classes of a row are kept."""
        if not len(self.taus):
            return 0
        among = min(self.rank, int(np.searchsorted(row.gaps, self.gap, "right")))
        if not among:
            return 0
        # Top-p may follow a top-k or min-p, after which the probabilities of the kept classes are higher.
        before = np.concatenate([np.zeros((len(self.taus), 1)), row.cumulative[:, : among - 1]], axis=1)
        share = before / row.cumulative[:, among - 1 : among]
        return int((share <= self.cumulative[:, np.newaxis]).sum(-1).min())

    def add(self, row: _Ranked) -> None:
        if row.last < 0:
            return
        self.rank = max(self.rank, row.last + 1)
        self.gap = max(self.gap, float(row.gaps[row.last]))
        shown = row.shown_cumulative
        self.cumulative = np.maximum(self.cumulative, shown) if len(self.cumulative) else shown
