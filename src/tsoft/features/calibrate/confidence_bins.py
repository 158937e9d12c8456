"""Bins of rows by their confidence, for reliability diagrams and calibration errors."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.calibrate.chance import UNKNOWN, Chance

# Confidences with at most this relative difference count as equal, because it can be due to rounding.
ROUNDING = 1e-15


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of confidence, from low to high.

    `edges` are (b + 1,). A bin contains the confidences above its lower edge up to and including its upper edge, so a
    confidence of exactly 1 has a bin. `counts` are the numbers of rows, `confidence` and `accuracy` the means, NaN for
    an empty bin: (b,) each. `requested` is the requested number of bins; there are fewer bins of equal mass if
    confidences tie. `chance` is the ECE by chance with these bins.
    """

    edges: Array
    counts: Array
    confidence: Array
    accuracy: Array
    requested: int
    chance: Chance = UNKNOWN

    @property
    def is_merged(self) -> bool:
        """Whether there are fewer bins than requested."""
        return len(self.counts) < self.requested

    @cached_property
    def gaps(self) -> Array:
        """|accuracy - confidence| of each bin, 0 for an empty bin: (b,)."""
        return np.where(self.counts > 0, abs(self.accuracy - self.confidence), 0.0)

    @property
    def ece(self) -> float:
        """The expected calibration error."""
        return float((self.counts * self.gaps).sum() / self.counts.sum())

    @property
    def mce(self) -> float:
        """The maximum calibration error."""
        return float(self.gaps.max())


def equal_widths(bins: int) -> Array:
    """Return the edges of bins of equal width."""
    return np.arange(bins + 1) / bins


def equal_masses(confidences: Array, bins: int) -> Array:
    """Return the edges of bins with numbers of confidences that are as equal as possible.

    The confidences are in ascending order. Equal ones share a bin; if this makes another bin empty, there are fewer
    bins.

    >>> equal_masses(np.array([0.3, 0.5, 0.7, 0.9]), 2)
    array([0. , 0.5, 1. ])
    >>> equal_masses(np.array([0.3, 0.9, 0.9, 0.9]), 2)
    array([0., 1.])
    """
    places = np.arange(1, bins) * len(confidences) // bins
    # Confidences that differ only by rounding share an end. No bin starts at the highest confidence.
    ends = np.flatnonzero(np.diff(confidences) > ROUNDING * confidences[:-1])
    beyond = np.searchsorted(ends, places[places > 0] - 1)
    return np.concatenate([[0.0], np.unique(confidences[ends[beyond[beyond < len(ends)]]]), [1.0]])


def bin_places(probs: Array, edges: Array) -> Array:
    """Return the index of the bin of each probability.

    >>> bin_places(np.array([0.0, 0.5, 0.6, 1.0]), equal_widths(2))
    array([0, 0, 1, 1])
    """
    # Rounding may move a probability beyond the edge that it equals, even beyond 1. A probability of 0 is in the first
    # bin, which has no bin below.
    return np.searchsorted(edges * (1 + ROUNDING), probs, "left").clip(1, len(edges) - 1) - 1


def binned(confidences: Array, right: Array, edges: Array, requested: int) -> Bins:
    """Return the bins of rows with these confidences and shares of right predictions."""
    places = bin_places(confidences, edges)
    counts = np.bincount(places, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (np.bincount(places, values, len(edges) - 1) / counts for values in (confidences, right))
    return Bins(edges, counts, confidence, accuracy, requested)
