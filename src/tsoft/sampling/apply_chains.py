"""The distributions of a block, in pieces that fit in memory, after each of several chains."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.sampling.distributions import Distributions

if TYPE_CHECKING:
    from tsoft.sampling.chain import Chain

# The number of probabilities in a piece.
PIECE_SIZE = 1 << 20


def compute_distributions(block: Block, taus: Array, chain: "Chain | None" = None) -> Distributions:
    """Return the distributions of a block: with thermodynamics if it has an ensemble, with bounds if it is partial.

    Raise RawLogitsError if the chain needs the raw logits, and the block has only their differences.
    """
    if chain is not None:
        chain.require_raw_logits(block)
    if block.partial is not None:
        from tsoft.sampling.partial_distributions import PartialDistributions

        return PartialDistributions(block, taus, chain)
    if block.ensemble is None:
        return Distributions(block, taus, chain)
    from tsoft.sampling.boltzmann import BoltzmannDistributions

    return BoltzmannDistributions(block, taus, chain)


def distribution_pieces(
    block: Block, taus: Array, chains: "Sequence[Chain | None]" = (None,)
) -> Iterator[Distributions]:
    """Yield the distributions of a block in pieces that fit in memory, row by row, for each chain at each
    temperature."""
    classes = block.logits.shape[1]
    step = max(1, PIECE_SIZE // (classes * len(taus) * len(chains)))
    for first in range(0, len(block.logits), step):
        rows = block.part(first, first + step)
        if classes * len(taus) <= PIECE_SIZE:
            yield from _by_row([compute_distributions(rows, taus, chain) for chain in chains])
            continue
        # A row's results have the same order as in a piece with all temperatures: one chain after the other.
        tau_step = max(1, PIECE_SIZE // classes)
        for i in range(len(chains)):
            for t in range(0, len(taus), tau_step):
                yield distributions_by_chain(rows, taus[t : t + tau_step], chains)[i]


def distributions_by_chain(block: Block, taus: Array, chains: "Sequence[Chain | None]") -> list[Distributions]:
    """Return the distributions of a block after each of the chains, each with the others for comparison."""
    return _compare([compute_distributions(block, taus, chain) for chain in chains])


def _by_row(results: Sequence[Distributions]) -> Iterator[Distributions]:
    """Yield the results of several chains row by row. The chains are applied to all rows at once."""
    if len(results) == 1:
        yield results[0]
        return
    for r in range(len(results[0].block.logits)):
        yield from _compare([result.row(r) for result in results])


def _compare(results: Sequence[Distributions]) -> list[Distributions]:
    """Return the results of several chains, each with all of them for comparison."""
    return list(results) if len(results) == 1 else [result.with_comparison(tuple(results)) for result in results]
