"""Tokens, and the distribution of the next one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array, log_sum_exp

# A text as the numbers of its tokens.
Tokens = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class NextDistribution:
    """A model's distribution of the token after a text: a block of one row, whose classes are tokens. `tokens`, (n,),
    are the classes' token numbers; None if these are the class indices."""

    block: Block
    tokens: Array | None = None

    def token(self, index: int) -> int:
        """The token number of a class."""
        return index if self.tokens is None else int(self.tokens[index])

    @cached_property
    def _log_sum_exp(self) -> float:
        return float(log_sum_exp(self.block.logits[0]))

    def logprob(self, index: int) -> float:
        """The log-probability of a class under the model, at τ = 1 and before any sampler.

        >>> round(NextDistribution(Block(np.zeros((1, 4)))).logprob(2), 4)
        -1.3863
        """
        if self.block.partial is not None:
            return float(self.block.partial.logprobs[index])
        return float(self.block.logits[0, index]) - self._log_sum_exp

    def best(self, count: int) -> list[tuple[int, float]]:
        """The `count` most probable classes under the model, fewer if there are not as many, each with its
        log-probability, the most probable first; ties in the order of the classes.

        >>> [index for index, _ in NextDistribution(Block(np.array([[0.1, 0.5, -np.inf, 0.5]]))).best(4)]
        [1, 3, 0]
        """
        if count not in self._best:
            self._best[count] = self._most_probable(count) if count else []
        return self._best[count]

    @cached_property
    def _best(self) -> dict[int, list[tuple[int, float]]]:
        """Results by count: each text of a beam needs them."""
        return {}

    def _most_probable(self, count: int) -> list[tuple[int, float]]:
        row = self.block.logits[0]
        # Partition first: sorting a whole vocabulary for a few tokens would take longer.
        least = -np.partition(-row, count - 1)[count - 1] if count < len(row) else -np.inf
        indices = np.flatnonzero((row >= least) & (row > -np.inf))
        falling = indices[(-row[indices]).argsort(kind="stable")][:count].tolist()
        return [(index, self.logprob(index)) for index in falling]
