"""Measures averaged over rows: how a whole text's uncertainty moves with temperature."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.block import Block
from tsoft.core.measures import MEASURES
from tsoft.core.softmax import Array
from tsoft.sampling.apply_chains import compute_distributions

if TYPE_CHECKING:
    from tsoft.sampling.chain import Chain


@dataclass(frozen=True, eq=False)
class Average:
    """A measure's mean over the rows at each of k temperatures, and its standard deviation
    (of the rows as a population): each (k,)."""

    mean: Array
    deviation: Array


@dataclass(frozen=True, eq=False)
class Averages:
    """The averages of every measure over `rows` rows, by the measure's name."""

    taus: Array
    rows: int
    of: dict[str, Average]


def averages(
    blocks: Iterable[Block],
    taus: Array,
    chain_of: "Callable[[Block], Chain | None]" = lambda _: None,
    measures: Sequence[str] = MEASURES,
) -> Averages:
    """The mean and the spread of each of the measures over the rows of all blocks that have it (a row of
    one class has no margin), in one pass. Blocks are joined by the pairwise update of Chan, Golub
    & LeVeque 1983, "Algorithms for Computing the Sample Variance", eq. 2.1, in roots, since squares
    overflow.

    >>> found = averages([Block(np.array([[0.0, 0.0], [0.0, -np.inf]]))], np.array([1.0]))
    >>> found.of["perplexity"].mean, found.of["perplexity"].deviation
    (array([1.5]), array([0.5]))
    """
    results = (compute_distributions(block, taus, chain_of(block)) for block in blocks)
    return averaged((np.array([getattr(result, name) for name in measures]) for result in results), taus, measures)


def averaged(found: Iterable[Array], taus: Array, measures: Sequence[str]) -> Averages:
    """The same of measures by these names, (measures, k, rows) of each block, NaN where a row has none."""
    rows = 0
    counts = np.zeros((len(measures), len(taus)))
    mean, root = np.zeros_like(counts), np.zeros_like(counts)
    with np.errstate(all="ignore"):
        for values in found:
            count = (~np.isnan(values)).sum(-1)
            middle = np.where(count > 0, np.nansum(values, -1) / count, mean)
            joined = counts + count
            # Infinities that are equal are not apart.
            apart = np.where((counts == 0) | (middle == mean), 0.0, middle - mean)
            share = np.where(joined > 0, count / joined, 0.0)
            root = _root(np.stack([root, _deviations(values, middle), abs(apart) * np.sqrt(counts * share)]))
            mean = np.where(counts == 0, middle, mean + apart * share)
            counts, rows = joined, rows + values.shape[-1]
        mean[counts == 0] = np.nan
        deviation = root / np.sqrt(counts)
    return Averages(taus, rows, {name: Average(mean[i], deviation[i]) for i, name in enumerate(measures)})


def _deviations(found: Array, middle: Array) -> Array:
    """The root of the sum of squares around the middle, over the rows that have the measure."""
    apart = np.where(np.isnan(found), 0.0, found - middle[..., np.newaxis])
    return _root(np.moveaxis(apart, -1, 0))


def _root(terms: Array) -> Array:
    """The root of the sum of squares along the first axis, without their overflow."""
    largest = abs(terms).max(0)
    scale = np.where(largest > 0, largest, 1.0)
    return np.asarray(scale * np.sqrt(((terms / scale) ** 2).sum(0)))
