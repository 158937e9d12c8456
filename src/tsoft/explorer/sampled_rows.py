"""The rows of the input with their edits and logit biases, after samplers."""

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tsoft.core.block import Block
from tsoft.errors import UsageError
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_rows import ExplorerRow, likelihood
from tsoft.explorer.explorer_state import ExplorerState, Picture
from tsoft.explorer.sampler_state import LogitBiases, SamplerState
from tsoft.explorer.snapshot import Snapshot
from tsoft.sampling.chain import Chain
from tsoft.sampling.sampler_table import BIAS
from tsoft.sampling.step import ChainError

if TYPE_CHECKING:
    from tsoft.explorer.saved_state import SavedState

# Why the user cannot edit an API response.
PARTIAL_EDIT = (
    "An API response lists only some tokens, so the effect of another logit on the rest is unknown, and tsoft does not "
    "edit it."
)


class SampledRows:
    """The rows. Each method depends only on the input and on its arguments, and not on what is on the screen."""

    def __init__(self, explorer_input: ExplorerInput):
        self._input = explorer_input

    @property
    def has_history(self) -> bool:
        """Whether the tokens before a row are known."""
        return self._input.history is not None

    def edit_refusal(self, row: ExplorerRow) -> str:
        """Return the reason why a row cannot be edited; empty if it can."""
        return PARTIAL_EDIT if row.block.partial else ""

    def row(self, picture: Picture) -> tuple[ExplorerRow, str]:
        """Return the row of a picture, and an error message if it lacks a class that has a bias."""
        block = self._block(picture)
        biases, problem = self.biases(block, picture.samplers)
        return self._input.rows.named(picture.number, block, biases), problem

    def _block(self, picture: Picture) -> Block:
        return picture.edit.applied(self._input.rows.block(picture.number))

    def biases(self, block: Block, samplers: SamplerState) -> tuple[LogitBiases, str]:
        """Return the biases of a block's classes, and an error message.

        There are no biases while that sampler is off. An error means that the block lacks a class that has a bias.
        """
        try:
            return self._input.biases(block) if _has_biases(samplers) else (), ""
        except UsageError as error:
            return (), str(error)

    def missing_biases(self, block: Block, samplers: SamplerState) -> Sequence[str]:
        """Return the names of the biases that have no effect on a block, because it lacks their classes."""
        return self._input.missing_biases(block) if _has_biases(samplers) else ()

    def chain(self, number: int, block: Block, biases: LogitBiases, samplers: SamplerState) -> Chain | None:
        """Return the chain of some samplers for a row, with its biases and the tokens before it.

        Raise UsageError if the block has no class for one of the tokens.
        """
        chain = samplers.chain(biases)
        if chain and chain.needs_history:
            assert self._input.history
            chain = chain.with_history(self._input.history.before(block))
        return chain

    def row_chain(self, row: ExplorerRow, samplers: SamplerState) -> Chain | None:
        """Return the chain of some samplers for a row. Raise the same errors as `chain`."""
        return self.chain(row.number, row.block, row.biases, samplers)

    def snapshot(self, row: ExplorerRow, samplers: SamplerState) -> tuple[Snapshot | None, str]:
        """Return a row after some samplers, and an error message if they cannot be applied."""
        try:
            return Snapshot(row, samplers.tau, self.row_chain(row, samplers)), ""
        except (ChainError, UsageError) as error:
            return None, str(error)

    def likelihood(self, picture: Picture) -> float:
        """Return the probability of a row's drawn token or most probable class; 0 if the samplers cannot be applied."""
        # The row itself is not needed, and naming its classes takes long.
        block = self._block(picture)
        biases, _ = self.biases(block, picture.samplers)
        try:
            chain = self.chain(picture.number, block, biases, picture.samplers)
            return likelihood(block, picture.samplers.tau, chain)
        except (ChainError, UsageError):
            return 0.0

    def saved(self, state: ExplorerState) -> "SavedState":
        """Return the rows with a state to save. Raise UnsavableError if a file cannot contain it."""
        from tsoft.explorer.saved_state import SavedState

        rows = self._input.rows
        blocks = tuple(map(rows.block, range(len(rows))))
        # Biases that are off are a part of the state, too.
        biases = tuple(self._all_biases(block) for block in blocks)
        return SavedState(blocks, tuple(rows.titles), biases, state, self._input.bits)

    def _all_biases(self, block: Block) -> LogitBiases:
        with contextlib.suppress(UsageError):
            return self._input.biases(block)
        return ()


def _has_biases(samplers: SamplerState) -> bool:
    setting = samplers.setting(BIAS)
    return setting is not None and samplers.has_effect(setting)
