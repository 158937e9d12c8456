"""The average of a sweep's measures over all rows."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tsoft.core.averages import Averages, average_measures
from tsoft.core.block import Block
from tsoft.core.measures import MEASURES
from tsoft.core.softmax import Array
from tsoft.sampling.apply_chains import compute_distributions
from tsoft.sampling.chain import Chain


def row_averages(
    blocks: Iterable[Block],
    taus: Array,
    chain: Callable[[Block], Chain | None] = lambda _: None,
    names: Sequence[str] = MEASURES,
) -> Averages:
    """The averages of measures, by their names, over the rows of all blocks, each block after its chain.

    >>> averages = row_averages([Block(np.array([[0.0, 0.0], [0.0, -np.inf]]))], np.array([1.0]))
    >>> averages.by_measure["perplexity"].mean, averages.by_measure["perplexity"].deviation
    (array([1.5]), array([0.5]))
    """
    results = (compute_distributions(block, taus, chain(block)) for block in blocks)
    return average_measures((np.array([getattr(result, name) for name in names]) for result in results), taus, names)
