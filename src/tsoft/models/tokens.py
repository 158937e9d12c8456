"""Tokens, and the distribution of the next token."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array, log_sum_exp

# A text, as the numbers of its tokens.
Tokens = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class NextDistribution:
    """A model's distribution of the token after a text.

    `block` has one row, whose classes are tokens. `tokens`, (n,), are the token numbers of the classes; None if the
    class indices are the token numbers. `caveat` is a note to the user on what is not known; empty if there is nothing.
    """

    block: Block
    tokens: Array | None = None
    caveat: str = ""

    def token(self, index: int) -> int:
        """Return the token number of a class."""
        return index if self.tokens is None else int(self.tokens[index])

    @cached_property
    def _log_sum_exp(self) -> float:
        return float(log_sum_exp(self.block.logits[0]))

    def logprob(self, index: int) -> float:
        """Return the log-probability of a class under the model, at τ = 1 and before samplers.

        >>> round(NextDistribution(Block(np.zeros((1, 4)))).logprob(2), 4)
        -1.3863
        """
        if self.block.partial is not None:
            return float(self.block.partial.logprobs[index])
        return float(self.block.logits[0, index]) - self._log_sum_exp

    def rank(self, index: int) -> int | str:
        """Return the rank of a class by probability under the model, from 1; ">N" if more than the N listed classes
        above it may be more probable.

        >>> NextDistribution(Block(np.array([[0.1, 0.5, 0.3, 0.5]]))).rank(2)
        3
        """
        partial = self.block.partial
        if partial is not None:
            return partial.rank_of(index) or f">{partial.more_probable_than(index)}"
        row = self.block.logits[0]
        return int((row > row[index]).sum()) + 1

    def best(self, count: int) -> list[tuple[int, float]]:
        """Return the `count` most probable classes under the model, each with its log-probability.

        The most probable class is first. Ties are in class order. The list is shorter if the model has fewer classes.

        >>> [index for index, _ in NextDistribution(Block(np.array([[0.1, 0.5, -np.inf, 0.5]]))).best(4)]
        [1, 3, 0]
        """
        if count not in self._best:
            self._best[count] = self._most_probable(count) if count else []
        return self._best[count]

    @cached_property
    def _best(self) -> dict[int, list[tuple[int, float]]]:
        """Results by count, which each text of a beam search needs again."""
        return {}

    def _most_probable(self, count: int) -> list[tuple[int, float]]:
        row = self.block.logits[0]
        # Partition first: to sort a whole vocabulary for a few tokens would take longer.
        threshold = -np.partition(-row, count - 1)[count - 1] if count < len(row) else -np.inf
        indices = np.flatnonzero((row >= threshold) & (row > -np.inf))
        falling = indices[(-row[indices]).argsort(kind="stable")][:count].tolist()
        return [(index, self.logprob(index)) for index in falling]
