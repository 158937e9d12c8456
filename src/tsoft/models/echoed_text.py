"""The tokens of a text that a server repeats with their log-probabilities, which OpenAI's completions call `echo`.

vLLM and llama-cpp-python support it. A request also generates a token, because llama-cpp-python takes a limit of 0 for
no limit. vLLM lists the token that begins every text, too, and llama-cpp-python does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tsoft.core.block import Block
from tsoft.models.tokens import NextDistribution

# The log-probabilities of two requests differ by less than this, even if a server computes them in another order.
_CLOSE = 0.5


@dataclass(frozen=True, eq=False)
class EchoedToken:
    """A token of a text, by its number, and the distribution before it with its index in that; None for the first
    token of all, which nothing precedes. The text before it has `start` characters."""

    token: int
    start: int
    distribution: NextDistribution | None = None
    index: int = 0


@dataclass(frozen=True)
class Echo:
    """The lists of an echo: the names of the tokens, and the numbers of characters before them."""

    tokens: Sequence[str]
    offsets: Sequence[int]

    def starts(self, text: str) -> list[int]:
        """Return where each token of a text starts in it; -1 for a token that begins every text, and no number for the
        tokens after the text.

        >>> Echo(["<s>", "The", " cat", "."], [0, 3, 6, 10]).starts("The cat")
        [-1, 0, 3]
        """
        if not self.tokens or text.startswith(self.tokens[0]):
            return [offset for offset in self.offsets if offset < len(text)]
        shift = len(self.tokens[0])
        return [-1, *(offset - shift for offset in self.offsets[1:] if offset - shift < len(text))]


def echo_in(answer: Any, text: str) -> Echo | None:
    """Return the echo of a text in a response; None if the response has none."""
    try:
        choice = answer["choices"][0]
        lists = choice["logprobs"]
        tokens, offsets, numbers = lists["tokens"], lists["text_offset"], lists["token_logprobs"]
        is_echo = str(choice["text"]).startswith(text) and len(tokens) == len(offsets) == len(numbers)
    except (LookupError, TypeError):
        return None
    is_whole = all(isinstance(token, str) for token in tokens) and all(type(offset) is int for offset in offsets)
    return Echo(tokens, offsets) if is_echo and is_whole and list(offsets) == sorted(offsets) else None


def agree(first: NextDistribution, second: NextDistribution) -> bool:
    """Return whether two lists of the same distribution agree on the most probable token and its log-probability."""
    names = [_logprobs(distribution.block) for distribution in (first, second)]
    for one, other in (names, reversed(names)):
        best = max(one, key=lambda name: one[name])
        if best not in other or abs(other[best] - one[best]) > _CLOSE:
            return False
    return True


def _logprobs(block: Block) -> dict[str, float]:
    """Return the log-probabilities of the listed tokens by their names."""
    assert block.labels
    assert block.partial
    return dict(zip(block.labels, block.partial.logprobs.tolist(), strict=True))
