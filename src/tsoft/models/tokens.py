"""Tokens, the pieces that a language model reads and writes a text in, and what it says of the next."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array, log_sum_exp

# A text as its tokens' numbers.
Tokens = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Next:
    """What a model says of the token after a text: a block of one row, whose classes are tokens. `tokens`,
    (n,), are their numbers, None where these are the classes' indices."""

    block: Block
    tokens: Array | None = None

    def token(self, index: int) -> int:
        """The number of the token that a class is."""
        return index if self.tokens is None else int(self.tokens[index])

    @cached_property
    def _log_sum_exp(self) -> float:
        return float(log_sum_exp(self.block.logits[0]))

    def logprob(self, index: int) -> float:
        """A class's log-probability under the model, at τ = 1 and before any sampler.

        >>> round(Next(Block(np.zeros((1, 4)))).logprob(2), 4)
        -1.3863
        """
        if self.block.partial is not None:
            return float(self.block.partial.logprobs[index])
        return float(self.block.logits[0, index]) - self._log_sum_exp

    def best(self, count: int) -> list[tuple[int, float]]:
        """The most probable classes under the model, as many as there are of so many, each with its
        log-probability, in falling order; those that are equal as given.

        >>> [index for index, _ in Next(Block(np.array([[0.1, 0.5, -np.inf, 0.5]]))).best(4)]
        [1, 3, 0]
        """
        if count not in self._found:
            self._found[count] = self._best(count) if count else []
        return self._found[count]

    @cached_property
    def _found(self) -> dict[int, list[tuple[int, float]]]:
        """Those that have been worked out: each of a beam's texts asks for them."""
        return {}

    def _best(self, count: int) -> list[tuple[int, float]]:
        row = self.block.logits[0]
        # A few of many classes are found without all being sorted.
        least = -np.partition(-row, count - 1)[count - 1] if count < len(row) else -np.inf
        indices = np.flatnonzero((row >= least) & (row > -np.inf))
        falling = indices[(-row[indices]).argsort(kind="stable")][:count].tolist()
        return [(index, self.logprob(index)) for index in falling]


def token_label(piece: bytes) -> str:
    """What a token is called: its text, or where it is a part of a character, which no text can be, its
    bytes.

    >>> token_label(b" Paris"), token_label(b"\\xe2\\x80")
    (' Paris', '<0xE2><0x80>')
    """
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "".join(f"<0x{byte:02X}>" for byte in piece)
