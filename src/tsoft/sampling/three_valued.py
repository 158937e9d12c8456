"""Numbers that are known only up to an interval, and decisions about them that are certain or only possible."""

from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array


@dataclass(frozen=True, eq=False)
class Decision:
    """A decision about each class: whether it is `certain` that the class meets a condition, and whether it is
    `possible`: booleans of the same shape. `&` and `|` follow Kleene's three-valued logic.

    >>> yes, unknown = Decision(np.array([True]), np.array([True])), Decision(np.array([False]), np.array([True]))
    >>> (yes & unknown).certain, (yes | unknown).certain
    (array([False]), array([ True]))
    """

    certain: Array
    possible: Array

    def __and__(self, other: "Decision") -> "Decision":
        return Decision(self.certain & other.certain, self.possible & other.possible)

    def __or__(self, other: "Decision") -> "Decision":
        return Decision(self.certain | other.certain, self.possible | other.possible)


@dataclass(frozen=True, eq=False)
class Range:
    """Numbers from `low` to `high`: arrays of the same shape. A comparison is a `Decision`.

    >>> (Range(np.array([0.1, 0.3]), np.array([0.2, 0.6])) < 0.5).certain
    array([ True, False])
    """

    low: Array
    high: Array

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.high + other.high)

    def __sub__(self, other: "Range") -> "Range":
        low, high = self.low - other.high, self.high - other.low
        # The difference of two infinities may be any number.
        return Range(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))

    def __lt__(self, limit: float) -> Decision:
        return Decision(self.high < limit, self.low < limit)

    def __le__(self, limit: float) -> Decision:
        return Decision(self.high <= limit, self.low <= limit)

    def __ge__(self, limit: float) -> Decision:
        return Decision(self.low >= limit, self.high >= limit)
