"""The distributions of a block, in pieces that fit in memory, as each of several chains leaves them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.sampling.distributions import Distributions

if TYPE_CHECKING:
    from tsoft.sampling.chain import Chain


def distributions_of(block: Block, taus: Array, chain: "Chain | None" = None) -> Distributions:
    """A block's distributions, with their thermodynamics where it has an ensemble."""
    if block.ensemble is None:
        return Distributions(block, taus, chain)
    from tsoft.sampling.boltzmann import BoltzmannDistributions

    return BoltzmannDistributions(block, taus, chain)


# A piece holds about so many probabilities.
PIECE = 1 << 21


def distributions(block: Block, taus: Array, chains: "Sequence[Chain | None]" = (None,)) -> Iterator[Distributions]:
    """The distributions of a block, row by row and each at every temperature of every chain, in pieces
    that fit in memory however many rows, classes and temperatures there are."""
    classes = block.logits.shape[1]
    step = max(1, PIECE // (classes * len(taus) * len(chains)))
    for first in range(0, len(block.logits), step):
        rows = block.part(first, first + step)
        at_once = len(taus) if classes * len(taus) <= PIECE else max(1, PIECE // classes)
        if at_once == len(taus):
            found = [distributions_of(rows, taus, chain) for chain in chains]
            yield from found if len(found) == 1 else _by_row(found)
        else:
            # A chain after the other, as in a piece that holds all temperatures.
            for i in range(len(chains)):
                for t in range(0, len(taus), at_once):
                    yield by_chain(rows, taus[t : t + at_once], chains)[i]


def _by_row(found: Sequence[Distributions]) -> Iterator[Distributions]:
    """What several chains leave, each row beside itself. The chains run on all rows at once."""
    for r in range(len(found[0].block.logits)):
        yield from beside([result.row(r) for result in found])


def beside(found: Sequence[Distributions]) -> list[Distributions]:
    """The results of several chains, each of which knows all."""
    return list(found) if len(found) == 1 else [result.compared(tuple(found)) for result in found]


def by_chain(block: Block, taus: Array, chains: "Sequence[Chain | None]") -> list[Distributions]:
    """A block's distributions as each of the chains leaves them, beside each other."""
    return beside([distributions_of(block, taus, chain) for chain in chains])
