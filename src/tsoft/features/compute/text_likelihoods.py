"""The likelihoods of the texts that a server drew, token by token."""

from typing import NamedTuple

import numpy as np

from tsoft.core.sequence_likelihood import ChosenToken, Likelihood
from tsoft.sampling.distributions import Distributions


class TextKey(NamedTuple):
    """A text, by its number, with the rules of an engine and the temperatures."""

    text: int
    engine: str | None
    taus: tuple[float, ...]


class TextLikelihoods:
    """The likelihoods of the texts of an input, as far as it has been read. Tokens of different texts may
    alternate."""

    def __init__(self) -> None:
        # The last token of each text, with the likelihood of the text up to it.
        self.last_tokens: dict[TextKey, ChosenToken] = {}

    def add(self, result: Distributions) -> ChosenToken:
        """Add the token that the server drew in a row of its response to its text."""
        key, likelihood = _key(result), token_likelihood(result)
        text, tokens = likelihood, 1
        if previous := self.last_tokens.get(key):
            text, tokens = previous.text + likelihood, previous.tokens + 1
        self.last_tokens[key] = ChosenToken(likelihood, text, tokens)
        return self.last_tokens[key]

    def last(self, result: Distributions) -> ChosenToken | None:
        """Return the token that was last added to the result's text; None before the first one, as in a figure or a
        page, which do not show it."""
        return self.last_tokens.get(_key(result))


def _key(result: Distributions) -> TextKey:
    assert result.block.partial
    return TextKey(result.block.partial.text, result.engine, tuple(result.taus.tolist()))


def token_likelihood(result: Distributions) -> Likelihood:
    """Return the likelihood of the token that the server drew in a row of its response."""
    assert result.block.partial
    index = result.block.partial.index
    listed = result.log_probs[:, 0, index]
    if result.block.partial.unknown[index]:
        listed = np.full_like(listed, np.nan)
    bounds = result.log_bounds
    low, high = (np.full_like(listed, np.nan),) * 2 if bounds is None else (bound[:, 0, index] for bound in bounds)
    return Likelihood(low, high, listed)
