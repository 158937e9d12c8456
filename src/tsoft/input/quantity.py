"""What the numbers that come in are, and how each kind becomes logits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array, LogitsError

# A server's float32 sum of probabilities may pass 1 by about this much.
SLACK = 1e-6


@dataclass(frozen=True)
class Quantity:
    """A kind of number: `wrong` marks what is not one, `noun` says what would be, `to_logits`
    turns it into a logit, and `mask` is how a class is written that can never be drawn."""

    name: str
    noun: str
    mask: str
    wrong: Callable[[Array], Array]
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


# The names of arrays, in a file of them or in a record, that tell the kind of their numbers; the first
# that is there counts.
KEYS = {
    "logits": "logit",
    "probs": "prob",
    "probs_listed": "prob",
    "log_probs": "logprob",
    "logprobs": "logprob",
    "energies": "energy",
}


def to_logits(values: Array, quantity: Quantity) -> Array:
    """(rows, n) numbers of a kind as logits. Raises LogitsError for the first that is not of the
    kind, and for a row in which every class is masked.

    >>> to_logits(np.array([[1.0, 0.5]]), QUANTITIES["energy"])
    array([[-1. , -0.5]])
    """
    wrong = quantity.wrong(values)
    if wrong.any():
        row, column = (int(i) for i in np.unravel_index(wrong.argmax(), wrong.shape))
        value = float(values[row, column])
        number = {"nan": "NaN", "inf": "+inf"}.get(repr(value), repr(value))
        raise LogitsError(f"{number} is not {quantity.noun}", row, column)
    logits = quantity.to_logits(values)
    masked = np.isneginf(logits.max(axis=1))
    if masked.any():
        raise LogitsError(f"every class is masked ({quantity.mask})", int(masked.argmax()))
    return logits
