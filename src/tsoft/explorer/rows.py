"""The rows that are explored: where each is, and how its classes are ordered and called."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

import numpy as np

from tsoft.core.block import Block, class_names
from tsoft.core.softmax import Array, softmax
from tsoft.errors import visible
from tsoft.explorer.sampler_state import Biases
from tsoft.sampling.chain import Chain
from tsoft.sampling.distributions import Distributions, descending_order
from tsoft.sampling.samplers import logit_bias

# Of so many classes the numbers may be typed.
TYPED = 32


@dataclass(frozen=True, eq=False)
class Row:
    """One row, as a block. `biases` are what a chain adds to its logits, where that is on."""

    number: int
    block: Block
    names: Sequence[str]
    biases: Biases = ()

    @property
    def classes(self) -> int:
        return len(self.names)

    @property
    def is_short(self) -> bool:
        """Whether its numbers are so few that they can be typed."""
        return self.block.partial is None and self.classes <= TYPED

    @cached_property
    def logits(self) -> Array:
        """With the biases: (n,)."""
        logits = self.block.logits[0]
        return logit_bias(logits, self.biases) if self.biases else logits

    @cached_property
    def order(self) -> Array:
        """The classes' indices, the most probable first: (n,)."""
        return descending_order(self.logits, np.zeros(self.classes))

    @cached_property
    def ranks(self) -> Array:
        """Each class's place in that order, from 1: (n,)."""
        ranks = np.empty(self.classes, np.int64)
        ranks[self.order] = np.arange(1, self.classes + 1)
        return ranks

    @cached_property
    def at_one(self) -> Array:
        """The probabilities at τ = 1 without any sampler: (n,)."""
        return np.asarray(softmax(self.block.logits)[0])

    def is_unknown(self, index: int) -> bool:
        """Whether a server did not say how probable a class is."""
        return self.block.partial is not None and bool(self.block.partial.unknown[index])

    def name(self, index: int) -> str:
        """What a class is called, as a terminal may show it."""
        return visible(self.names[index])

    def word(self, index: int) -> str:
        """A class as a piece of text: its label, where that is to be seen."""
        label = visible(self.block.labels[index]).strip() if self.block.labels else ""
        return label or self.name(index)

    def matching(self, text: str) -> Array:
        """The indices of the classes with a text in their names, in any case of its letters."""
        wanted = text.casefold()
        return np.array([i for i, name in enumerate(self.names) if wanted in name.casefold()], np.int64)


class Rows:
    """The rows of blocks, which are kept. `titles`, where there are any, are what the rows are called."""

    def __init__(self, blocks: Sequence[Block], titles: Sequence[str] = ()):
        self.titles = titles
        self._blocks = list(blocks)
        self._ends = list(accumulate(len(block.logits) for block in blocks))
        self._names = lru_cache(4)(class_names)

    def __len__(self) -> int:
        return self._ends[-1]

    def append(self, block: Block) -> None:
        """One block more."""
        self._blocks.append(block)
        self._ends.append(len(self) + len(block.logits))

    def cut(self, blocks: int) -> None:
        """Only the first so many blocks."""
        del self._blocks[blocks:], self._ends[blocks:]

    def block(self, number: int) -> Block:
        """A row, from 0, as a block of its own."""
        at = bisect_right(self._ends, number)
        block = self._blocks[at]
        within = number - (self._ends[at] - len(block.logits))
        return block.part(within, within + 1)

    def row(self, number: int, biases: Biases = ()) -> Row:
        block = self.block(number)
        # A vocabulary's names take longer to make than all that a key has to do.
        names = self._names(block.labels, block.logits.shape[1], quoted=block.partial is not None)
        return Row(number, block, names, biases)

    @cached_property
    def tokens(self) -> list[str] | None:
        """What the rows' drawn tokens are, where all are a server's."""
        found = [self._token(block) for block in self._blocks]
        return [token for token in found if token is not None] if None not in found else None

    def begins(self, number: int) -> bool:
        """Whether a row is the first of one of several texts."""
        texts = [block.partial and block.partial.text for block in (self.block(max(0, number - 1)), self.block(number))]
        return texts[0] != texts[1]

    @staticmethod
    def _token(block: Block) -> str | None:
        return None if block.partial is None or block.labels is None else block.labels[block.partial.index]

    def likelihood(self, number: int, tau: float, chain: Chain | None) -> float:
        """The probability of a row's drawn token, else of its most probable class."""
        block = self.block(number)
        found = Distributions(block, np.array([tau]), chain)
        if block.partial is None:
            return float(found.top_prob[0, 0])
        return float(found.probs[0, 0, block.partial.index])
