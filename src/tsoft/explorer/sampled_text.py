"""The rows of a text that a model continues, after samplers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tsoft.core.block import Block
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_rows import ExplorerRow
from tsoft.explorer.explorer_state import ExplorerState
from tsoft.explorer.live_text import LiveText, WrittenText
from tsoft.explorer.sampled_rows import SampledRows
from tsoft.explorer.sampler_state import LogitBiases, SamplerState
from tsoft.explorer.text_chains import TextChains
from tsoft.models.text_history import TextHistory
from tsoft.sampling.chain import Chain
from tsoft.sampling.history import History

if TYPE_CHECKING:
    from tsoft.explorer.saved_state import SavedState

# The maximum number of different samplers whose states are kept: those on the screen, of the second engine, of the mark
# and of waiting draws.
MAX_CHAINS = 4


class SampledText(SampledRows):
    """The rows. The samplers of a row depend on the tokens of the text before it."""

    def __init__(self, explorer_input: ExplorerInput, live: LiveText, breakers: Sequence[bytes]):
        super().__init__(explorer_input)
        self._live = live
        self._text_history = TextHistory(live.model, live.prompt_length, breakers)
        # The chains of the samplers that were used last.
        self._known_chains: list[TextChains] = []

    @property
    def has_history(self) -> bool:
        return True

    def edit_refusal(self, row: ExplorerRow) -> str:
        return "The model computes these logits, so tsoft does not edit them. Enter on a class adds it to the text."

    def chain(self, number: int, block: Block, biases: LogitBiases, samplers: SamplerState) -> Chain | None:
        """Return the chain for a row, with the tokens of the text before it, and with the states after their draws."""
        return self.chains(samplers).chain(self._live.continuation, number)

    def chains(self, samplers: SamplerState) -> TextChains:
        """Return the chains of some samplers, from a cache."""
        known = next((chains for chains in self._known_chains if chains.samplers == samplers), None)
        if known is None:
            known = TextChains(samplers, self._tokens_before, lambda block: self.biases(block, samplers))
        others = [chains for chains in self._known_chains if chains is not known]
        self._known_chains = [known, *others][:MAX_CHAINS]
        return known

    def _tokens_before(self, text: WrittenText, number: int) -> History:
        tokens = self._live.all_tokens(text)[: self._live.prompt_length + number]
        return self._text_history.before(text.nexts[number], tokens)

    def saved(self, state: ExplorerState) -> "SavedState":
        from tsoft.explorer.saved_state import UnsavableError

        if any(samplers.has_state for samplers in state.all_samplers):
            problem = "a saved state does not contain how the tokens of the text change the samplers"
            raise UnsavableError(f"{problem}; switch mirostat and adaptive_p off, or save the numbers as .json")
        return super().saved(state)
