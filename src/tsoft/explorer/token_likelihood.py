"""The likelihood of tokens, and of texts as the product of their tokens, as text."""

from collections.abc import Callable, Iterable
from math import exp, floor, inf, isnan, log

import numpy as np

from tsoft.charts.style import number_text, prob_text
from tsoft.core.sequence_likelihood import Likelihood
from tsoft.sampling.distributions import Distributions

# The likelihood of a text without tokens, and one of which nothing is known.
CERTAIN = Likelihood(np.zeros(1), np.zeros(1), np.zeros(1))
UNKNOWN = Likelihood(np.full(1, np.nan), np.full(1, np.nan), np.full(1, np.nan))
# The lowest log-probability that is shown without an exponent.
_LOWEST = log(0.00095)


def token_likelihood(distributions: Distributions, index: int) -> Likelihood:
    """Return the likelihood of a class under the distributions of one row at one temperature.

    The bounds are equal where the probability is known.
    """
    low, high = distributions.log_bounds
    ends = (bound[:, 0, index].astype(np.float64) for bound in (low, high, distributions.log_probs))
    return Likelihood(*ends)


def product(likelihoods: Iterable[Likelihood]) -> Likelihood:
    """Return the likelihood of a text from those of its tokens.

    >>> product([Likelihood(*np.log([[0.5], [0.5], [0.5]]))] * 3).probs().low.round(3)
    array([0.125])
    """
    return sum(likelihoods, start=CERTAIN)


def log_prob_text(logprob: float) -> str:
    """Return the probability with this logarithm as a short text, also where a float would underflow to 0.

    >>> log_prob_text(log(0.25)), log_prob_text(-2000.0), log_prob_text(-inf)
    ('0.2500', '2.6e-869', '0')
    """
    if isnan(logprob):
        return "?"
    if logprob == -inf or logprob >= _LOWEST:
        return prob_text(exp(logprob))
    exponent = floor(logprob / log(10))
    mantissa = f"{10 ** (logprob / log(10) - exponent):.1f}"
    return f"1.0e{exponent + 1:03}" if mantissa == "10.0" else f"{mantissa}e{exponent:03}"


def bounded_text(low: float, high: float, text: Callable[[float], str]) -> tuple[str, str]:
    """Return a comparison sign and the text of the upper bound; "=" if the text of the lower bound is the same.

    >>> bounded_text(0.25, 0.5, prob_text), bounded_text(0.5, 0.5, prob_text)
    (('≤', '0.5000'), ('=', '0.5000'))
    """
    return ("=" if text(low) == text(high) else "≤"), text(high)


def likelihood_text(likelihood: Likelihood) -> str:
    """Return a probability for a table: the upper bound after ≤ if only bounds are known, ? if nothing is known.

    >>> likelihood_text(Likelihood(*np.log([[0.25], [0.5], [0.5]]))), likelihood_text(UNKNOWN)
    ('≤0.5000', '?')
    """
    sign, text = bounded_text(float(likelihood.low[0]), float(likelihood.high[0]), log_prob_text)
    return text if sign == "=" else sign + text


def text_measures(likelihood: Likelihood, tokens: int) -> list[str]:
    """Return the measures of a text with some tokens: p, the sequence perplexity, and ln p.

    >>> text_measures(Likelihood(*np.log([[0.25], [0.25], [0.25]])), 2)
    ['p = 0.2500', 'sequence perplexity = 2', 'ln p = -1.3863']
    """
    low, high = float(likelihood.low[0]), float(likelihood.high[0])
    perplexity = likelihood.perplexity(tokens)
    # The highest probability has the lowest perplexity.
    sign, text = bounded_text(float(perplexity.high[0]), float(perplexity.low[0]), _number)
    return [
        "p {} {}".format(*bounded_text(low, high, log_prob_text)),
        f"sequence perplexity {sign.replace('≤', '≥')} {text}",
        "ln p {} {}".format(*bounded_text(low, high, _number)),
    ]


def _number(value: float) -> str:
    return "?" if isnan(value) else number_text(value).replace("inf", "∞")
