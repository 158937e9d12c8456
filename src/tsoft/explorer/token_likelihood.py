"""The likelihood of tokens, and of texts as the product of their tokens, as text."""

from collections.abc import Callable, Iterable
from math import exp, floor, inf, isinf, isnan, log

import numpy as np
from rich.cells import cell_len

from tsoft.charts.style import number_text, prob_text
from tsoft.core.sequence_likelihood import Likelihood
from tsoft.explorer.key_line import fitting
from tsoft.explorer.paint import short_number
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


def likelihood_text(likelihood: Likelihood) -> str:
    """Return a probability for a table: the upper bound after ≤ if only bounds are known, ? if nothing is known.

    >>> likelihood_text(Likelihood(*np.log([[0.25], [0.5], [0.5]]))), likelihood_text(UNKNOWN)
    ('≤0.5000', '?')
    """
    low, high = (log_prob_text(float(bound[0])) for bound in (likelihood.low, likelihood.high))
    return high if low == high else f"≤{high}"


def measures_line(start: str, likelihood: Likelihood, tokens: int, width: int) -> str:
    """Return a line with the measures of a text of some tokens that fit: p, the sequence perplexity, and ln p.

    >>> quarter = Likelihood(*np.log([[0.25], [0.25], [0.25]]))
    >>> measures_line("text:", quarter, 2, 60)
    'text: p 0.2500  sequence perplexity 2.000  ln p -1.3863'
    >>> measures_line("text:", quarter, 2, 40)
    'text: p 0.2500  perplexity 2.000'
    """
    low, high = float(likelihood.low[0]), float(likelihood.high[0])
    perplexity = likelihood.perplexity(tokens)
    prob = f"{start} p {likelihood_text(likelihood)}"
    # The highest probability has the lowest perplexity.
    lowest, highest = (_number(float(bound[0]), short_number) for bound in (perplexity.low, perplexity.high))
    bounded = f"perplexity {'≥' * (lowest != highest)}{lowest}"
    name = "sequence " * (cell_len(prob) + len("  sequence ") + len(bounded) <= width)
    logs = _number(low, number_text), _number(high, number_text)
    words = [prob, name + bounded, f"ln p {'≤' * (logs[0] != logs[1])}{logs[1]}"]
    return fitting(words, max(width, cell_len(prob)))


def _number(value: float, text: Callable[[float], str]) -> str:
    return "?" if isnan(value) else f"{'-' * (value < 0)}∞" if isinf(value) else text(value)
