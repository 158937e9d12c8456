"""The input of the explorer: its rows, their biases, and the tokens before them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tsoft.core.block import Block
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.explorer_state import ExplorerState
from tsoft.explorer.sampler_state import LogitBiases, SamplerState
from tsoft.sampling.history import History


@dataclass(frozen=True)
class KnownHistory:
    """The tokens before the rows. `before` returns those before a block's distribution.

    `arguments` are the command-line arguments for them, None if no command can read them. `breaker_arguments` are those
    for the sequence breakers of DRY.
    """

    before: Callable[[Block], History]
    arguments: tuple[str, ...] | None
    breaker_arguments: tuple[str, ...] = ()

    def arguments_for(self, samplers: SamplerState) -> tuple[str, ...]:
        """Return the arguments that have an effect with some samplers."""
        names = [setting.sampler.name for setting in samplers.effective if setting.sampler.needs_history]
        return ((self.arguments or ()) if names else ()) + (self.breaker_arguments if "dry" in names else ())


@dataclass(frozen=True)
class ExplorerInput:
    """The input of the explorer, and its settings.

    The explorer shows `rows` and starts in this `state`. `biases` returns the logit biases of a block's classes, and
    `missing_biases` the names of the biases whose classes the block lacks. `arguments` are the command-line arguments
    for the input; if they are None, a command line has to list the row's logits. `reads_stdin` says that a command with
    these arguments reads stdin. `generator` makes the draws. `bits` selects entropies in bits. `history` is None if the
    tokens before the rows are unknown.
    """

    rows: ExplorerRows
    state: ExplorerState
    biases: Callable[[Block], LogitBiases] = lambda _: ()
    arguments: tuple[str, ...] | None = None
    generator: np.random.Generator = field(default_factory=np.random.default_rng)
    bits: bool = False
    history: KnownHistory | None = None
    reads_stdin: bool = False
    missing_biases: Callable[[Block], Sequence[str]] = lambda _: ()
