"""Averages of measures over rows, which show how the uncertainty of a whole text changes with temperature."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from tsoft.core.fixed_blocks import fixed_blocks
from tsoft.core.softmax import Array


@dataclass(frozen=True, eq=False)
class Average:
    """The mean of a measure over the rows that have it, its standard deviation (these rows are the population) and
    their number, at each of k temperatures: (k,) each."""

    mean: Array
    deviation: Array
    rows: Array


@dataclass(frozen=True, eq=False)
class Averages:
    """The averages of measures over `rows` rows, by the name of the measure."""

    taus: Array
    rows: int
    by_measure: dict[str, Average]


@dataclass(frozen=True, eq=False)
class PartialAverages:
    """Averages of measures over some of the rows: the number of `rows`, the `counts` of rows that have a measure, the
    means over these, 0 without any, and the `roots` of the sums of squared deviations, (measures, k) each."""

    rows: int
    counts: Array
    means: Array
    roots: Array

    def merged(self, other: "PartialAverages") -> "PartialAverages":
        """Return the averages over the rows of both.

        This is the pairwise update of Chan, Golub & LeVeque 1983, "Algorithms for Computing the Sample Variance", eq.
        2.1, with roots, because squares would overflow.
        """
        with np.errstate(all="ignore"):
            total = self.counts + other.counts
            # The difference of equal infinities is 0, not NaN.
            is_zero = (self.counts == 0) | (other.counts == 0) | (other.means == self.means)
            difference = np.where(is_zero, 0.0, other.means - self.means)
            share = np.where(total > 0, other.counts / total, 0.0)
            between = abs(difference) * np.sqrt(self.counts * share)
            roots = _root_sum_squares(np.stack([self.roots, other.roots, between]))
            means = np.where(self.counts == 0, other.means, self.means + difference * share)
        return PartialAverages(self.rows + other.rows, total, means, roots)

    def averages(self, taus: Array, names: Sequence[str]) -> Averages:
        """Return the averages at the temperatures, by the name of the measure."""
        with np.errstate(all="ignore"):
            means = np.where(self.counts == 0, np.nan, self.means)
            deviations = self.roots / np.sqrt(self.counts)
        columns = zip(names, means, deviations, self.counts, strict=True)
        return Averages(taus, self.rows, {name: Average(*average) for name, *average in columns})


def partial_averages(values: Array) -> PartialAverages:
    """Return the averages over a block of rows.

    values: the measures of the rows, (measures, k, rows), NaN if a row does not have a measure (a row of one class has
    no margin).

    >>> partial = partial_averages(np.array([[[1.0, 2.0, np.nan]]]))
    >>> partial.counts, partial.means, partial.roots.round(4)
    (array([[2]]), array([[1.5]]), array([[0.7071]]))
    """
    # In float32, the sums of many rows would have few digits.
    values = values.astype(np.float64, copy=False)
    is_known = ~np.isnan(values)
    counts = is_known.sum(-1)
    with np.errstate(all="ignore"):
        means = np.where(counts > 0, np.nansum(values, -1) / counts, 0.0)
        differences = np.where(is_known, values - means[..., np.newaxis], 0.0)
        return PartialAverages(values.shape[-1], counts, means, _root_sum_squares(np.moveaxis(differences, -1, 0)))


def merge_averages(parts: Iterable[PartialAverages], taus: Array, names: Sequence[str]) -> Averages:
    """Return the mean and the standard deviation of each measure over the rows that have it.

    The parts are merged one after the other, so the same parts in the same order give the same bits.

    >>> parts = [partial_averages(np.array([[[value]]])) for value in (1.0, 2.0)]
    >>> averages = merge_averages(parts, np.array([1.0]), ["perplexity"])
    >>> averages.by_measure["perplexity"].mean, averages.by_measure["perplexity"].deviation
    (array([1.5]), array([0.5]))
    """
    zeros = np.zeros((len(names), len(taus)))
    return reduce(PartialAverages.merged, parts, PartialAverages(0, zeros, zeros, zeros)).averages(taus, names)


def average_measures(blocks: Iterable[Array], taus: Array, names: Sequence[str]) -> Averages:
    """Return the averages over the rows of all blocks, which are as for `partial_averages`, in one pass."""
    return merge_averages(averages_of_blocks(blocks), taus, names)


def averages_of_blocks(blocks: Iterable[Array]) -> Iterator[PartialAverages]:
    """Yield the averages over blocks of a fixed size. `blocks` have the same rows, as for `partial_averages`."""
    for [values] in fixed_blocks((np.moveaxis(block, -1, 0),) for block in blocks):
        yield partial_averages(np.ascontiguousarray(np.moveaxis(values, 0, -1)))


def _root_sum_squares(terms: Array) -> Array:
    """Return the root of the sum of squares along the first axis, without overflow."""
    largest = abs(terms).max(0)
    scale = np.where(largest > 0, largest, 1.0)
    return np.asarray(scale * np.sqrt(((terms / scale) ** 2).sum(0)))
