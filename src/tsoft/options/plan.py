"""The temperatures and the chains of samplers that the options describe."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from tsoft.errors import UsageError
from tsoft.options.biases import Bias, Biases, remembered
from tsoft.options.output import typed_fields
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.softmax import Array
    from tsoft.options.chain_notes import ChainNotes
    from tsoft.sampling.chain import Chain
    from tsoft.sampling.distributions import Distributions


@dataclass(frozen=True)
class Plan:
    """The temperatures, as typed or from the settings file, and the chains: one per engine, or None without samplers.
    `biases` are numbers to add to the logits of some classes."""

    taus: list[str] | None
    chains: "tuple[Chain | None, ...]" = (None,)
    biases: tuple[Bias, ...] = ()

    @property
    def has_chain(self) -> bool:
        return self.chains != (None,)

    def chains_for(self, block: "Block") -> "tuple[Chain | None, ...]":
        """Return the chains for a block, with the biases of its classes."""
        if not self.biases:
            return self.chains
        biases = self.biases_for(block)
        return tuple(chain and chain.biased(biases) for chain in self.chains)

    @cached_property
    def biases_for(self) -> "Callable[[Block], Biases]":
        """A function that returns the biases of a block's classes, by their indices."""
        return remembered(self._biases_for)

    def _biases_for(self, block: "Block") -> Biases:
        if block.partial is not None:
            self._require_listed(block)
        # With two biases for a class, the second one applies. Typed biases come after those of the settings file.
        values = {bias.index(block): bias.value for bias in self.biases}
        return tuple((index, value) for index, value in values.items() if index is not None)

    def _require_listed(self, block: "Block") -> None:
        """Raise UsageError for a bias of a class that a partial distribution does not list: it would change the
        probabilities of all classes."""
        missing = [bias.name for bias in self.biases if bias.index(block) is None]
        if missing:
            place, names = f"row {block.first_row}", ", ".join(map(repr, missing[:5])) + ", …" * (len(missing) > 5)
            raise UsageError(f"{place}: the response does not list {names}, so a bias cannot be added; remove the bias")

    def results(self, block: "Block", taus: "Array") -> "list[Distributions]":
        """Return a block's distributions after each chain. Raise ChainError if a chain cannot be applied."""
        from tsoft.sampling.apply_chains import distributions_by_chain

        results = distributions_by_chain(block, taus, self.chains_for(block))
        for result in results:
            # Raises the error now, before the caller writes a part of the result.
            replace(result, taus=taus[:1]).kept  # noqa: B018
        return results

    @cached_property
    def _notes(self) -> "ChainNotes":
        from tsoft.options.chain_notes import ChainNotes

        return ChainNotes(self.biases)

    def note(self, block: "Block", taus: "Array") -> None:
        """Print notes about the chains on this block, each kind of note once."""
        self._notes.note(block, self.chains_for(block), taus)

    def noted(self, blocks: "Iterable[Block]", taus: "Array") -> "Iterator[Block]":
        """Yield the blocks. Print the notes about each block first."""
        for block in blocks:
            if self.has_chain:
                self.note(block, taus)
            yield block


def make_plan(
    samplers: SamplerOptions, parameters: ParameterOptions, taus: list[str] | None, *, explain: bool = False
) -> Plan:
    """Return the plan for the options.

    Without a sampler, it has no chain, and the modules of chains are not imported. With `explain`, it always has one,
    which may contain the temperature alone.
    """
    if not explain and not typed_fields(samplers, parameters):
        return Plan(taus)
    from tsoft.options.chains import planned

    return Plan(*planned(samplers, parameters, taus))
