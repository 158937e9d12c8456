"""The temperatures and the chains of samplers that the options describe."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from tsoft.errors import UsageError
from tsoft.frozen import frozen
from tsoft.options.biases import Bias, Biases, missing_names, remembered
from tsoft.options.chosen_formats import typed_fields
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.softmax import Array
    from tsoft.options.chain_notes import ChainNotes
    from tsoft.options.history_options import TextSource
    from tsoft.options.token_names import TokenNames
    from tsoft.sampling.chain import Chain
    from tsoft.sampling.distributions import Distributions
    from tsoft.sampling.history import History


@frozen
class Plan:
    """The temperatures, as typed or from the settings file, and the chains: one per engine, or None without samplers.
    `biases` are numbers to add to the logits of some classes, and `breakers` the sequence breakers of DRY. `history`
    are the tokens before the distribution, unless the command knows them."""

    taus: list[str] | None
    chains: "tuple[Chain | None, ...]" = (None,)
    biases: tuple[Bias, ...] = ()
    breakers: tuple[bytes, ...] = ()
    history: "TokenNames | None" = None

    @property
    def has_chain(self) -> bool:
        return self.chains != (None,)

    @property
    def needs_history(self) -> bool:
        """Whether a chain depends on the tokens before the distribution."""
        return any(chain is not None and chain.needs_history for chain in self.chains)

    def chains_for(self, block: "Block", history: "History | None" = None) -> "tuple[Chain | None, ...]":
        """Return the chains for a block, with the biases of its classes and the tokens before its distribution."""
        chains = self.chains
        if self.biases:
            biases = self.biases_for(block)
            chains = tuple(chain and chain.biased(biases) for chain in chains)
        if self.needs_history:
            if history is None:
                assert self.history
                history = self._history_for(block)
            chains = tuple(chain and chain.with_history(history) for chain in chains)
        return chains

    @cached_property
    def _history_for(self) -> "Callable[[Block], History]":
        """A function that returns the tokens before a distribution as classes of its block."""
        assert self.history
        return remembered(self.history.history)

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
        missing = missing_names(self.biases, block)
        if missing:
            place, names = f"row {block.first_row}", ", ".join(map(repr, missing[:5])) + ", …" * (len(missing) > 5)
            raise UsageError(f"{place}: the response does not list {names}, so a bias cannot be added; remove the bias")

    def results(self, block: "Block", taus: "Array", history: "History | None" = None) -> "list[Distributions]":
        """Return a block's distributions after each chain. Raise ChainError if a chain cannot be applied."""
        from tsoft.sampling.apply_chains import distributions_by_chain

        results = distributions_by_chain(block, taus, self.chains_for(block, history))
        for result in results:
            # Raises the error now, before the caller writes a part of the result.
            replace(result, taus=taus[:1]).kept  # noqa: B018
        return results

    @cached_property
    def _notes(self) -> "ChainNotes":
        from tsoft.options.chain_notes import ChainNotes

        return ChainNotes(self.biases, self.history)

    def note(self, block: "Block", chains: "tuple[Chain | None, ...]", taus: "Array") -> None:
        """Print notes about the plan's chains on this block, each kind of note once."""
        self._notes.note(block, chains, taus)

    def noted(self, blocks: "Iterable[Block]", taus: "Array", history: "History | None" = None) -> "Iterator[Block]":
        """Yield the blocks. Print the notes about each block first."""
        for block in blocks:
            if self.has_chain:
                self.note(block, self.chains_for(block, history), taus)
            yield block


def make_plan(
    samplers: SamplerOptions,
    parameters: ParameterOptions,
    taus: list[str] | None,
    *,
    explain: bool = False,
    text: "TextSource | None" = None,
) -> Plan:
    """Return the plan for the options.

    Without a sampler, it has no chain, and the modules of chains are not imported. With `explain`, it always has one,
    which may contain the temperature alone. `text` is where the tokens before the distribution come from; None for a
    command that knows them.
    """
    if not explain and not typed_fields(samplers, parameters):
        if text:
            text.refuse()
        return Plan(taus)
    from tsoft.options.chains import planned

    return Plan(*planned(samplers, parameters, taus, text))
