"""The quantities that numbers in an input can be, and how each becomes logits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array, LogitsError

# A server's float32 probability may exceed 1 by about this much.
SLACK = 1e-6


@dataclass(frozen=True)
class Quantity:
    """What numbers are. `noun` names one in messages, `mask` is the number of a class with probability 0, `invalid`
    marks the numbers that are not of this quantity, and `to_logits` converts them."""

    name: str
    noun: str
    mask: str
    invalid: Callable[[Array], Array]
    to_logits: Callable[[Array], Array]


def _log(probs: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(probs)


QUANTITIES = {
    q.name: q
    for q in (
        Quantity("logit", "a logit", "-inf", lambda v: ~(v < np.inf), lambda v: v),
        Quantity("logprob", "a log-probability, which is at most 0", "-inf", lambda v: ~(v <= SLACK), lambda v: v),
        Quantity("prob", "a probability, which is from 0 to 1", "0", lambda v: ~((v >= 0) & (v <= 1 + SLACK)), _log),
        Quantity("energy", "an energy", "+inf", lambda v: ~(v > -np.inf), lambda v: -v),
    )
}


# The names of arrays, in a file of them or in a record, that say what their numbers are, in the order of precedence.
ARRAY_QUANTITIES = {
    "logits": "logit",
    "probs": "prob",
    "probs_listed": "prob",
    "log_probs": "logprob",
    "logprobs": "logprob",
    "energies": "energy",
}


def to_logits(values: Array, quantity: Quantity) -> Array:
    """Numbers of a quantity, (rows, n), as logits. Raises LogitsError for the first number that is not of the
    quantity, and for a row in which every class is masked.

    >>> to_logits(np.array([[1.0, 0.5]]), QUANTITIES["energy"])
    array([[-1. , -0.5]])
    """
    invalid = quantity.invalid(values)
    if invalid.any():
        row, column = (int(i) for i in np.unravel_index(invalid.argmax(), invalid.shape))
        value = float(values[row, column])
        number = {"nan": "NaN", "inf": "+inf"}.get(repr(value), repr(value))
        raise LogitsError(f"{number} is not {quantity.noun}", row, column)
    logits = quantity.to_logits(values)
    masked = np.isneginf(logits.max(axis=1))
    if masked.any():
        raise LogitsError(f"every class is masked ({quantity.mask})", int(masked.argmax()))
    return logits
