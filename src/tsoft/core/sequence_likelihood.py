"""The likelihood, at another temperature, of a text that a server generated."""

from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Log-probabilities at t temperatures, (t,) each. `low` and `high` are bounds among all classes, NaN if
    unknown; `listed` is the log-probability among the listed alternatives."""

    low: Array
    high: Array
    listed: Array

    def __add__(self, other: "Likelihood") -> "Likelihood":
        return Likelihood(self.low + other.low, self.high + other.high, self.listed + other.listed)

    def probs(self) -> "Likelihood":
        """Return the probabilities instead of their logarithms."""
        return Likelihood(np.exp(self.low), np.exp(self.high), np.exp(self.listed))

    def perplexity(self, tokens: int) -> "Likelihood":
        """Return exp of the negative mean over the tokens, which swaps the bounds. Source: Jelinek, Mercer, Bahl &
        Baker 1977, "Perplexity: a measure of the difficulty of speech recognition tasks".

        >>> likelihood = Likelihood(*np.log([[0.25], [0.5], [1.0]]))
        >>> likelihood.perplexity(2)
        Likelihood(low=array([1.41421356]), high=array([2.]), listed=array([1.]))
        """
        with np.errstate(over="ignore"):
            return Likelihood(np.exp(-self.high / tokens), np.exp(-self.low / tokens), np.exp(-self.listed / tokens))


@dataclass(frozen=True, eq=False)
class ChosenToken:
    """The likelihood of a drawn token, and of the text up to and including it, which has `tokens` tokens."""

    token: Likelihood
    text: Likelihood
    tokens: int
