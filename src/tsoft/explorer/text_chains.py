"""The chains of samplers for the rows of a text that a model continues."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from tsoft.core.block import Block
from tsoft.errors import UsageError
from tsoft.explorer.live_text import WrittenText
from tsoft.explorer.sampler_state import LogitBiases, SamplerState
from tsoft.models.tokens import NextDistribution
from tsoft.sampling.apply_chains import compute_distributions
from tsoft.sampling.chain import Chain
from tsoft.sampling.distributions import Distributions
from tsoft.sampling.history import History
from tsoft.sampling.step import PartialDistributionError


@dataclass(frozen=True, eq=False)
class TextChains:
    """The chains of the same `samplers` for all rows of texts.

    Row i of a text is the distribution after its first i tokens. `history` returns the tokens before it, and `biases`
    the biases of a block's classes, with an error message if it lacks one of these classes.

    Draws change the states of samplers such as mirostat, so those of a row depend on the tokens before it: they are
    computed as if these samplers had drawn them, even if the user chose a token, or has changed a setting since.
    """

    samplers: SamplerState
    history: Callable[[WrittenText, int], History]
    biases: Callable[[Block], tuple[LogitBiases, str]]
    # The states before the distributions that have been reached. A text that is gone needs no memory.
    _states: WeakKeyDictionary[NextDistribution, tuple[Any, ...]] = field(default_factory=WeakKeyDictionary)

    def chain(self, text: WrittenText, number: int) -> Chain | None:
        """Return the chain for a row.

        Raise UsageError or ChainError if the states are unknown, because a bias or the samplers cannot be applied to a
        row before it.
        """
        biases, _ = self.biases(_block(text, number))
        chain = self.samplers.chain(biases)
        if chain is None:
            return None
        if chain.needs_history:
            chain = chain.with_history(self.history(text, number))
        return chain.with_states(self._states_before(text, number, chain.states)) if chain.has_state else chain

    def distributions(self, text: WrittenText, number: int) -> Distributions:
        """Return the distribution of a row after its chain.

        Raise the same errors as `chain`, UsageError if the row lacks a class that has a bias, and ChainError if a
        sampler removes every class.
        """
        block = _block(text, number)
        _, problem = self.biases(block)
        if problem:
            raise UsageError(problem)
        distributions = compute_distributions(block, np.array([self.samplers.tau]), self.chain(text, number))
        distributions = distributions.with_stages()
        # Applying the chain here raises the error of a sampler that removes every class.
        _ = distributions.kept
        return distributions

    def _states_before(self, text: WrittenText, number: int, initial: tuple[Any, ...]) -> tuple[Any, ...]:
        first = number
        while first > 0 and text.nexts[first] not in self._states:
            first -= 1
        states = self._states[text.nexts[first]] if first else initial
        for i in range(first, number):
            states = self._states[text.nexts[i + 1]] = self._states_after(text, i)
        return states

    def _states_after(self, text: WrittenText, number: int) -> tuple[Any, ...]:
        """Return the states after the draw of the token that follows a row, whose own states are known."""
        distributions = self.distributions(text, number)
        assert distributions.chain
        if not distributions.exact[0]:
            problem = "the alternatives that the server lists do not determine how the next token changes the samplers"
            raise PartialDistributionError(number, problem)
        return distributions.chain.after_draw(distributions.stages(0, 0), text.tokens[number].index).states


def _block(text: WrittenText, number: int) -> Block:
    return replace(text.nexts[number].block, first_row=number)
