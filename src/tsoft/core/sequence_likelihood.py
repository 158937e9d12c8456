"""How likely a text that a server drew would have been at another temperature."""

from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Log-probabilities at t temperatures, (t,) each: the `low` and the `high` are of all classes, NaN where
    these are not known, and `listed` is among the listed alternatives."""

    low: Array
    high: Array
    listed: Array

    def __add__(self, other: "Likelihood") -> "Likelihood":
        return Likelihood(self.low + other.low, self.high + other.high, self.listed + other.listed)

    def probs(self) -> "Likelihood":
        """The probabilities themselves."""
        return Likelihood(np.exp(self.low), np.exp(self.high), np.exp(self.listed))

    def perplexity(self, tokens: int) -> "Likelihood":
        """exp of the negative mean over so many tokens, so that low and high change their places. Source:
        Jelinek, Mercer, Bahl & Baker 1977, "Perplexity: a measure of the difficulty of speech recognition
        tasks".

        >>> one = Likelihood(*np.log([[0.25], [0.5], [1.0]]))
        >>> one.perplexity(2)
        Likelihood(low=array([1.41421356]), high=array([2.]), listed=array([1.]))
        """
        with np.errstate(over="ignore"):
            return Likelihood(np.exp(-self.high / tokens), np.exp(-self.low / tokens), np.exp(-self.listed / tokens))


@dataclass(frozen=True, eq=False)
class ChosenToken:
    """What becomes of a token that was drawn, and of its text up to it: `tokens` of them."""

    token: Likelihood
    text: Likelihood
    tokens: int
