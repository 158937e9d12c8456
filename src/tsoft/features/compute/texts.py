"""The texts that a server drew, token by token."""

from dataclasses import dataclass

import numpy as np

from tsoft.core.sequence_likelihood import ChosenToken, Likelihood
from tsoft.sampling.distributions import Distributions


@dataclass(frozen=True)
class Key:
    """Which of the texts, by whose rules and at which temperatures."""

    text: int
    engine: str | None
    taus: tuple[float, ...]


class Texts:
    """The texts of an input, a token after the other; those of several choices, engines and temperatures may
    come mixed."""

    def __init__(self) -> None:
        self.found: dict[Key, ChosenToken] = {}

    def add(self, result: Distributions) -> ChosenToken:
        """The token that was drawn in a row of a server's response, which goes on a text."""
        key, own = _key(result), likelihood(result)
        before = self.found.get(key)
        self.found[key] = ChosenToken(own, before.text + own, before.tokens + 1) if before else ChosenToken(own, own, 1)
        return self.found[key]

    def last(self, result: Distributions) -> ChosenToken:
        """What was added last of the result's text."""
        return self.found[_key(result)]


def _key(result: Distributions) -> Key:
    assert result.block.partial
    return Key(result.block.partial.text, result.engine, tuple(result.taus.tolist()))


def likelihood(result: Distributions) -> Likelihood:
    """Of the token that was drawn in a row of a server's response."""
    assert result.block.partial
    index = result.block.partial.index
    listed = result.log_probs[:, 0, index]
    if result.block.partial.unknown[index]:
        listed = np.full_like(listed, np.nan)
    bounds = result.log_bounds
    low, high = (np.full_like(listed, np.nan),) * 2 if bounds is None else (bound[:, 0, index] for bound in bounds)
    return Likelihood(low, high, listed)
