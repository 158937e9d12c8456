"""The rows to explore: their blocks, and the order and the names of their classes."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

import numpy as np

from tsoft.core.block import Block, class_names
from tsoft.core.softmax import Array, softmax
from tsoft.errors import visible
from tsoft.explorer.sampler_state import LogitBiases
from tsoft.sampling.apply_chains import compute_distributions
from tsoft.sampling.chain import Chain
from tsoft.sampling.distributions import descending_order
from tsoft.sampling.samplers import logit_bias

# A command line lists the logits of at most this many classes.
MAX_TYPED = 32


@dataclass(frozen=True, eq=False)
class ExplorerRow:
    """One row, as a block. A chain adds the `biases` to its logits if that sampler is on."""

    number: int
    block: Block
    names: Sequence[str]
    biases: LogitBiases = ()

    @property
    def classes(self) -> int:
        return len(self.names)

    @property
    def is_short(self) -> bool:
        """Whether a command line can list the row's logits."""
        return self.block.partial is None and self.classes <= MAX_TYPED

    @property
    def listed_part(self) -> str:
        """What the title of curves or draws adds: of an API response, they are those of the listed tokens alone."""
        return " (listed)" if self.block.partial is not None else ""

    @property
    def quantity(self) -> str:
        """The kind of the numbers of the classes."""
        return "energy" if self.block.origin.quantity == "energy" else "logit"

    @property
    def mask(self) -> str:
        """The number that masks a class."""
        return "inf" if self.quantity == "energy" else "-inf"

    @cached_property
    def logits(self) -> Array:
        """The logits with the biases: (n,)."""
        logits = self.block.logits[0]
        return logit_bias(logits, self.biases) if self.biases else logits

    @cached_property
    def order(self) -> Array:
        """The class indices, the most probable class first: (n,)."""
        return descending_order(self.logits, np.zeros(self.classes))

    @cached_property
    def ranks(self) -> Array:
        """The rank of each class in that order, from 1: (n,)."""
        ranks = np.empty(self.classes, np.int64)
        ranks[self.order] = np.arange(1, self.classes + 1)
        return ranks

    @cached_property
    def probs_at_one(self) -> Array:
        """The probabilities at τ = 1 without samplers: (n,)."""
        if self.block.partial is None:
            return np.asarray(softmax(self.block.logits)[0])
        # At the temperature of the server, both bounds are the probability.
        _, high = self.block.partial.log_bounds(np.array([1.0]))
        return np.asarray(np.nan_to_num(np.exp(high[0])))

    def is_unknown(self, index: int) -> bool:
        """Return whether an API response lacks the probability of a class."""
        return self.block.partial is not None and bool(self.block.partial.unknown[index])

    def name(self, index: int) -> str:
        """Return the name of a class, with control characters escaped."""
        return visible(self.names[index])

    def word(self, index: int) -> str:
        """Return a class as a piece of text: its label, or its name if the label has nothing visible."""
        label = visible(self.block.labels[index]).strip() if self.block.labels else ""
        return label or self.name(index)

    def matching(self, text: str) -> Array:
        """Return the indices of the classes whose names, as the screen shows them, contain a text, ignoring case."""
        folded = visible(text).casefold()
        names = map(visible, self.names)
        return np.array([i for i, name in enumerate(names) if folded in name.casefold()], np.int64)

    def listing(self, text: str, *, input_order: bool) -> Array:
        """Return the indices of the classes whose names contain a text.

        They are in input order, or the most probable class comes first.
        """
        order = np.arange(self.classes) if input_order else self.order
        return order[np.isin(order, self.matching(text))] if text else order


class ExplorerRows:
    """The rows of some blocks. `titles` are the names of the rows, if they have names."""

    def __init__(self, blocks: Sequence[Block], titles: Sequence[str] = ()):
        self.titles = titles
        self._blocks = list(blocks)
        self._ends = list(accumulate(len(block.logits) for block in blocks))
        # Naming the classes of a whole vocabulary takes longer than everything else after a key press.
        self._names = lru_cache(4)(class_names)

    def __len__(self) -> int:
        return self._ends[-1]

    def append(self, block: Block) -> None:
        """Add the rows of a block."""
        self._blocks.append(block)
        self._ends.append(len(self) + len(block.logits))

    def truncate(self, count: int) -> None:
        """Keep only the first `count` blocks."""
        del self._blocks[count:], self._ends[count:]

    def block(self, number: int) -> Block:
        """Return a row, counted from 0, as a block."""
        position = bisect_right(self._ends, number)
        block = self._blocks[position]
        within = number - (self._ends[position] - len(block.logits))
        return block.part(within, within + 1)

    def row(self, number: int, biases: LogitBiases = ()) -> ExplorerRow:
        return self.named(number, self.block(number), biases)

    def named(self, number: int, block: Block, biases: LogitBiases = ()) -> ExplorerRow:
        """Return a block as the row with this number."""
        names = self._names(block.labels, block.logits.shape[1], quoted=block.partial is not None)
        return ExplorerRow(number, block, names, biases)

    @cached_property
    def drawn_tokens(self) -> list[str] | None:
        """The tokens that a server sampled; None unless every block is from an API response."""
        tokens = [
            block.labels[block.partial.index]
            for block in self._blocks
            if block.partial is not None and block.labels is not None
        ]
        return tokens if len(tokens) == len(self._blocks) else None

    def starts_text(self, number: int) -> bool:
        """Return whether a row is the first one of a text."""
        blocks = self.block(max(0, number - 1)), self.block(number)
        before, text = (block.partial and block.partial.text for block in blocks)
        return before != text


def likelihood(block: Block, tau: float, chain: Chain | None) -> float:
    """Return the probability of the token that a server sampled, or else of the most probable class.

    The block has one row.
    """
    distributions = compute_distributions(block, np.array([tau]), chain)
    if block.partial is None:
        return float(distributions.top_prob[0, 0])
    return float(distributions.probs[0, 0, block.partial.index])
