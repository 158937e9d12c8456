"""Averages of measures over rows, which show how the uncertainty of a whole text changes with temperature."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array


@dataclass(frozen=True, eq=False)
class Average:
    """The mean of a measure over the rows and its standard deviation (the rows are the population), at each of
    k temperatures: (k,) each."""

    mean: Array
    deviation: Array


@dataclass(frozen=True, eq=False)
class Averages:
    """The averages of measures over `rows` rows, by the name of the measure."""

    taus: Array
    rows: int
    by_measure: dict[str, Average]


def average_measures(blocks: Iterable[Array], taus: Array, names: Sequence[str]) -> Averages:
    """Return the mean and the standard deviation of each measure over the rows that have it, in one pass.

    blocks: the measures of some rows each, (measures, k, rows), NaN if a row does not have a measure (a row
    of one class has no margin). The blocks are combined by the pairwise update of Chan, Golub & LeVeque 1983,
    "Algorithms for Computing the Sample Variance", eq. 2.1, with roots, because squares would overflow.

    >>> averages = average_measures([np.array([[[1.0]]]), np.array([[[2.0]]])], np.array([1.0]), ["perplexity"])
    >>> averages.by_measure["perplexity"].mean, averages.by_measure["perplexity"].deviation
    (array([1.5]), array([0.5]))
    """
    rows = 0
    counts = np.zeros((len(names), len(taus)))
    mean, root = np.zeros_like(counts), np.zeros_like(counts)
    with np.errstate(all="ignore"):
        for values in blocks:
            count = (~np.isnan(values)).sum(-1)
            block_mean = np.where(count > 0, np.nansum(values, -1) / count, mean)
            total = counts + count
            # The difference of equal infinities is 0, not NaN.
            difference = np.where((counts == 0) | (block_mean == mean), 0.0, block_mean - mean)
            share = np.where(total > 0, count / total, 0.0)
            between = abs(difference) * np.sqrt(counts * share)
            root = _root_sum_squares(np.stack([root, _deviations(values, block_mean), between]))
            mean = np.where(counts == 0, block_mean, mean + difference * share)
            counts, rows = total, rows + values.shape[-1]
        mean[counts == 0] = np.nan
        deviation = root / np.sqrt(counts)
    return Averages(taus, rows, {name: Average(mean[i], deviation[i]) for i, name in enumerate(names)})


def _deviations(values: Array, mean: Array) -> Array:
    """Return the root of the sum of squared deviations over the rows that have the measure."""
    differences = np.where(np.isnan(values), 0.0, values - mean[..., np.newaxis])
    return _root_sum_squares(np.moveaxis(differences, -1, 0))


def _root_sum_squares(terms: Array) -> Array:
    """Return the root of the sum of squares along the first axis, without overflow."""
    largest = abs(terms).max(0)
    scale = np.where(largest > 0, largest, 1.0)
    return np.asarray(scale * np.sqrt(((terms / scale) ** 2).sum(0)))
