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
    """A token of a text, by its index in the distribution before it, and its number. The text before it has `start`
    characters."""

    distribution: NextDistribution
    index: int
    token: int
    start: int


@dataclass(frozen=True)
class Echo:
    """The lists of an echo: the names of the tokens and the places in the text where they start. `generated` of them
    follow the text."""

    tokens: Sequence[str]
    offsets: Sequence[int]
    generated: int

    def starts(self, text: str) -> list[int]:
        """Return where each token of a text starts in it; -1 for a token that begins every text.

        >>> Echo(["<s>", "The", " cat", "."], [0, 3, 6, 10], 1).starts("The cat")
        [-1, 0, 3]
        """
        names, offsets = self.tokens[: len(self.tokens) - self.generated], self.offsets
        shift = 0 if not names or text.startswith(names[0]) else len(names[0])
        return [offset - shift if i or not shift else -1 for i, offset in enumerate(offsets[: len(names)])]


def echo_in(answer: Any, text: str) -> Echo | None:
    """Return the echo of a text in a response; None if the response has none."""
    try:
        choice = answer["choices"][0]
        lists = choice["logprobs"]
        tokens, offsets, numbers = lists["tokens"], lists["text_offset"], lists["token_logprobs"]
        is_echo = str(choice["text"]).startswith(text) and len(tokens) == len(offsets) == len(numbers)
        generated = answer["usage"]["completion_tokens"]
    except (LookupError, TypeError):
        return None
    is_whole = all(isinstance(token, str) for token in tokens) and all(type(offset) is int for offset in offsets)
    if not (is_echo and is_whole and type(generated) is int and 0 <= generated < len(tokens)):
        return None
    return Echo(tokens, offsets, generated)


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
