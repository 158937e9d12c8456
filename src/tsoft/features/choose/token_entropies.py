"""The entropy of the tokens of a text from `tsoft generate`, at the temperature at which it was generated.

The text lists the most probable tokens at each position, with their log-probabilities at τ = 1, so the entropy is known
only within bounds unless the list is the whole vocabulary. With s the probability of all unlisted tokens at tau, h the
binary entropy, and H the entropies within both parts,

    H = h(s) + (1 - s) H_listed + s H_unlisted

(Cover & Thomas 2006, "Elements of Information Theory", the chain rule, theorem 2.2.1).
"""

from typing import Any

import numpy as np

from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.input.api_tokens import number_of
from tsoft.input.json_values import Location, Object, as_list, as_object, is_index
from tsoft.input.quantity import SLACK

# The highest sum of rounded probabilities.
_MOST_MASS = 1.001


def text_entropy(values: Object, tau: float, location: Location) -> tuple[float, float] | None:
    """Return bounds on the mean entropy of the tokens of a text, in nats; None for a text without tokens.

    Raise InputError if a position lists no alternatives, or not all of them and the text has no `vocab_size`.
    """
    size = values.get("vocab_size")
    tokens = as_list(values["logprobs"], location.at("logprobs"))
    bounds = [
        entropy_bounds(_partial(token, size if is_index(size) else None, location.at(f"token {i}")), tau)
        for i, token in enumerate(tokens)
    ]
    low, high = np.mean(bounds, axis=0).tolist() if bounds else (np.nan, np.nan)
    return (low, high) if bounds else None


def _partial(token: Any, size: int | None, location: Location) -> PartialDistribution:
    """Return the distribution at a position, without a drawn token that is not among the alternatives."""
    listed = as_list(as_object(token, location).get("top_logprobs"), location.at("top_logprobs"))
    if not listed:
        raise location.error("no alternatives; generate the texts with --top-logprobs 1 or more")
    logprobs = np.array([_logprob(each, location.at("top_logprobs")) for each in listed])
    mass = float(np.exp(logprobs).sum())
    if not 0 < mass <= _MOST_MASS:
        raise location.at("top_logprobs").error(
            f"the probabilities of the alternatives sum to {mass:.4g}; correct them"
        )
    partial = PartialDistribution(logprobs, 0, float(logprobs.min()), classes=size)
    if partial.unlisted is not None and partial.unlisted < 0:
        raise location.error(f"{len(logprobs)} alternatives, but vocab_size is {size}")
    if partial.unlisted is None and partial.max_unlisted_mass > 1e-6:
        raise location.error(
            "the text lists only some of the tokens, and vocab_size is missing; write it into the text"
        )
    return partial


def _logprob(alternative: Any, location: Location) -> float:
    """Return the log-probability of an alternative."""
    number = number_of(as_object(alternative, location).get("logprob"), location)
    if number is None or not number <= SLACK:
        raise location.error("an alternative without a log-probability of at most 0; write its logprob")
    return number


def entropy_bounds(partial: PartialDistribution, tau: float) -> tuple[float, float]:
    """Return a lower and an upper bound on the entropy of a token, in nats, at a temperature above 0.

    >>> partial = PartialDistribution(np.log([0.5, 0.3]), 0, np.log(0.3), classes=4)
    >>> low, high = entropy_bounds(partial, 1.0)
    >>> round(low, 3), round(high, 3)
    (1.03, 1.168)
    """
    top = float(partial.logprobs.max())
    with np.errstate(over="ignore"):
        weights = (partial.logprobs - top) / tau
    total = float(np.logaddexp.reduce(weights))
    probs = np.exp(weights - total)
    listed = float(-(probs @ np.where(probs > 0, weights - total, 0.0)))
    unlisted = partial.unlisted or 0
    if not unlisted or partial.ceiling == -np.inf:
        return listed, listed
    # The logarithms of the unlisted sum of weights, relative to that of the listed ones.
    least, most = (float(each[0]) - total for each in partial.log_unlisted_weights(np.array([tau]), top))
    cap = (partial.ceiling - top) / tau - total
    # No unlisted token is above the cap, so their entropy is at least ln(sum / cap). The whole is concave in s below
    # the cap and rises above it, so the minimum is at an end or at the cap.
    places = {least, most, min(max(cap, least), most)}
    low = min(_entropy(place, listed, max(0.0, place - cap)) for place in places)
    # With the highest possible H_unlisted, ln n, the whole is concave in s, with its maximum at odds of n / exp(H).
    peak = min(max(float(np.log(unlisted)) - listed, least), most)
    return low, _entropy(peak, listed, float(np.log(unlisted)))


def _entropy(log_odds: float, listed: float, unlisted: float) -> float:
    """Return H from the logarithm of s / (1 - s), and the entropies of both parts."""
    if log_odds == -np.inf:
        return listed
    logs: Array = -np.logaddexp(0.0, np.array([-log_odds, log_odds]))
    share, rest = np.exp(logs).tolist()
    return float(share * (unlisted - logs[0]) + rest * (listed - logs[1]))
