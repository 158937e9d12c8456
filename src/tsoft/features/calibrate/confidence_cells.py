"""Rows in the order of their confidence, and simulations of which of them a perfectly calibrated model gets right.

In a simulation, a row is right with its confidence as the probability (Broecker & Smith 2007, "Increasing the
reliability of reliability diagrams").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.calibrate.confidence_bins import ROUNDING

# The number of simulated outcomes in a piece.
PIECE_SIZE = 1 << 20
# With more rows than this, a simulation draws the outcomes of rows of similar confidence together.
CELLS = 1 << 11


@dataclass(frozen=True, eq=False)
class ConfidenceCells:
    """Rows in ascending order of confidence, in cells of one row or of several rows of similar confidence.

    `sizes`, (c,), are the numbers of rows, and `confidence`, (c,), their mean confidences. `width_starts` and
    `mass_starts` are the indices of the first cells of the bins of equal width and of equal mass that have rows, and
    `tie_starts` those of the cells with a higher confidence than the cell before. The outcomes that the measures take
    are the numbers of right predictions in each cell, (..., c).
    """

    sizes: Array
    confidence: Array
    width_starts: Array
    mass_starts: Array
    tie_starts: Array

    @property
    def rows(self) -> int:
        return int(self.sizes.sum())

    @cached_property
    def expected(self) -> Array:
        """The mean number of right predictions of a calibrated model in each cell: (c,)."""
        return self.sizes * self.confidence


def confidence_cells(confidences: Array, width_counts: Array, mass_counts: Array, largest: int = 1) -> ConfidenceCells:
    """Return cells of at most `largest` rows, each in one bin.

    confidences: (rows,), in ascending order. width_counts, mass_counts: the number of rows in each bin.

    >>> cells = confidence_cells(np.array([0.5, 0.6, 0.6, 0.9]), np.array([3, 1]), np.array([1, 3]), 2)
    >>> cells.sizes, cells.confidence, cells.width_starts, cells.mass_starts
    (array([1, 2, 1]), array([0.5, 0.6, 0.9]), array([0, 2]), array([0, 1]))
    """
    bin_starts = [np.append(0, counts[counts > 0].cumsum()) for counts in (width_counts, mass_counts)]
    bounds = np.unique(np.concatenate(bin_starts))
    starts = np.concatenate([np.arange(low, high, largest) for low, high in pairwise(bounds)])
    sizes = np.diff(np.append(starts, len(confidences)))
    first = confidences[starts]
    is_higher = np.append(True, np.diff(first) > ROUNDING * first[:-1])
    width_starts, mass_starts = (np.searchsorted(starts, rows[:-1]) for rows in bin_starts)
    mean = np.clip(np.add.reduceat(confidences, starts) / sizes, 0.0, 1.0)
    return ConfidenceCells(sizes, mean, width_starts, mass_starts, np.flatnonzero(is_higher))


def cell_size(rows: int) -> int:
    """Return the number of rows in a cell of a simulation."""
    return -(-rows // CELLS)


def simulated_outcomes(cells: ConfidenceCells, samples: int, generator: np.random.Generator) -> Iterator[Array]:
    """Yield the outcomes of calibrated models, (s, c), in pieces of several models.

    >>> cells = confidence_cells(np.array([1.0, 1.0]), np.array([2]), np.array([2]))
    >>> [outcomes.tolist() for outcomes in simulated_outcomes(cells, 2, np.random.default_rng(1))]
    [[[1, 1], [1, 1]]]
    """
    step = max(1, PIECE_SIZE // len(cells.sizes))
    for first in range(0, samples, step):
        shape = min(step, samples - first), len(cells.sizes)
        yield generator.binomial(cells.sizes, cells.confidence, shape)
