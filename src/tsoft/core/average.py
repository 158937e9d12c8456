"""Measures averaged over rows: how a whole text's uncertainty moves with temperature."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tsoft.core.block import MEASURES, Block, Distributions
from tsoft.core.temperature import Array


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


def averages(blocks: Iterable[Block], taus: Array) -> Averages:
    """The mean and the spread of each measure over the rows of all blocks, in one pass, joining
    blocks by the pairwise update. Source: Chan, Golub & LeVeque 1983, "Algorithms for Computing
    the Sample Variance", eq. 2.1.

    >>> found = averages([Block(np.array([[0.0, 0.0], [0.0, -np.inf]]))], np.array([1.0]))
    >>> found.of["perplexity"].mean, found.of["perplexity"].deviation
    (array([1.5]), array([0.5]))
    """
    rows = 0
    mean = np.zeros((len(MEASURES), len(taus)))
    squares = np.zeros_like(mean)
    with np.errstate(invalid="ignore"):
        for block in blocks:
            result = Distributions(block, taus)
            found = np.array([getattr(result, name) for name in MEASURES])
            count = found.shape[-1]
            apart = found.mean(-1) - mean
            joined = rows + count
            squares += ((found - found.mean(-1, keepdims=True)) ** 2).sum(-1) + apart**2 * rows * count / joined
            mean += apart * count / joined
            rows = joined
        deviation = np.sqrt(squares / max(rows, 1))
    return Averages(taus, rows, {name: Average(mean[i], deviation[i]) for i, name in enumerate(MEASURES)})
