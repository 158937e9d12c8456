"""How likely a text that a server drew would have been at another temperature."""

from dataclasses import dataclass

import numpy as np

from tsoft.core.block import Distributions
from tsoft.core.temperature import Array


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Log-probabilities at t temperatures, (t,) each: the `low` and the `high` are of all classes, NaN where
    these are not known, and `given` is among the given alternatives."""

    low: Array
    high: Array
    given: Array

    def __add__(self, other: "Likelihood") -> "Likelihood":
        return Likelihood(self.low + other.low, self.high + other.high, self.given + other.given)

    def probs(self) -> "Likelihood":
        """The probabilities themselves."""
        return Likelihood(np.exp(self.low), np.exp(self.high), np.exp(self.given))

    def perplexity(self, tokens: int) -> "Likelihood":
        """exp of the negative mean over so many tokens, so that low and high change their places. Source:
        Jelinek, Mercer, Bahl & Baker 1977, "Perplexity: a measure of the difficulty of speech recognition
        tasks".

        >>> one = Likelihood(*np.log([[0.25], [0.5], [1.0]]))
        >>> one.perplexity(2)
        Likelihood(low=array([1.41421356]), high=array([2.]), given=array([1.]))
        """
        with np.errstate(over="ignore"):
            return Likelihood(np.exp(-self.high / tokens), np.exp(-self.low / tokens), np.exp(-self.given / tokens))


@dataclass(frozen=True, eq=False)
class Chosen:
    """What becomes of a token that was drawn, and of its text up to it: `tokens` of them."""

    token: Likelihood
    text: Likelihood
    tokens: int


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
        self.found: dict[Key, Chosen] = {}

    def add(self, result: Distributions) -> Chosen:
        """The token that was drawn in a row of a server's response, which goes on a text."""
        key, own = _key(result), likelihood(result)
        before = self.found.get(key)
        self.found[key] = Chosen(own, before.text + own, before.tokens + 1) if before else Chosen(own, own, 1)
        return self.found[key]

    def last(self, result: Distributions) -> Chosen:
        """What was added last of the result's text."""
        return self.found[_key(result)]


def _key(result: Distributions) -> Key:
    assert result.block.given
    return Key(result.block.given.text, result.engine, tuple(result.taus.tolist()))


def likelihood(result: Distributions) -> Likelihood:
    """Of the token that was drawn in a row of a server's response."""
    assert result.block.given
    index = result.block.given.index
    given = result.log_probs[:, 0, index]
    if result.block.given.unknown[index]:
        given = np.full_like(given, np.nan)
    bounds = result.log_bounds
    low, high = (np.full_like(given, np.nan),) * 2 if bounds is None else (bound[:, 0, index] for bound in bounds)
    return Likelihood(low, high, given)
