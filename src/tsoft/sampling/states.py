"""The states of samplers: the last parameter's value before the first draw, and after each draw.

`mirostat` and `adaptive_p` take the values of their sampler's parameters, and the probabilities of the drawn class
before and after the sampler. The sampler must not have removed the class.
"""

from math import log2
from typing import Any


def initial_mu(target: float, mu: float | None) -> float:
    """Return the limit of mirostat before a token: twice the target before the first one.

    >>> initial_mu(5.0, None), initial_mu(5.0, 8.0)
    (10.0, 8.0)
    """
    return 2 * target if mu is None else mu


def initial_mean(target: float, mean: float | None) -> float:
    """Return the mean of adaptive-p before a token: the target before the first one.

    >>> initial_mean(0.5, None), initial_mean(0.5, 0.25)
    (0.5, 0.25)
    """
    return target if mean is None else mean


def mirostat(values: tuple[Any, ...], prob_before: float, prob_after: float) -> float:
    """Return the limit μ after a draw: μ - eta · (surprise in bits - target).

    Source: Basu et al. 2021, "Mirostat", algorithm 2, by llama.cpp's rule, in which the surprise is that among the
    classes that remain.

    >>> mirostat((3.0, 0.1, 6.0), 0.2, 0.25)
    6.1
    """
    target, eta, mu = values
    return float(initial_mu(target, mu) + eta * (log2(prob_after) + target))


def adaptive_p(values: tuple[Any, ...], prob_before: float, prob_after: float) -> float:
    """Return the mean of the drawn probabilities after a draw, in which earlier ones have less and less weight.

    Source: llama.cpp pull request 17927, 2025. Its sum of weights starts at its limit, so the ratio of its weighted sum
    to it is the whole state.

    >>> round(adaptive_p((0.5, 0.9, None), 0.3, 0.25), 4)
    0.48
    """
    target, decay, mean = values
    return float(decay * initial_mean(target, mean) + (1 - decay) * prob_before)
