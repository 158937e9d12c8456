"""The classes that were drawn, and the counts to expect."""

from collections import deque

import numpy as np

from tsoft.core.draw import draws
from tsoft.core.softmax import Array

# The number of draws that are kept in their order.
RECENT_DRAWS = 400


class DrawCounts:
    """Draws of a row, each from the distribution of its moment: `counts` are the classes' and `expected`
    the sums of their probabilities, so that the two stay comparable if a parameter changes between draws."""

    def __init__(self, generator: np.random.Generator, classes: int):
        self._generator = generator
        self.counts = np.zeros(classes, np.int64)
        self.expected: Array = np.zeros(classes)
        self.recent: deque[int] = deque(maxlen=RECENT_DRAWS)

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def draw(self, probs: Array, count: int) -> None:
        """Draws `count` more classes with these probabilities: (n,)."""
        for indices in draws(probs, count, self._generator):
            self.counts += np.bincount(indices, minlength=len(self.counts))
            self.recent.extend(indices.tolist())
        self.expected = self.expected + count * (probs / probs.sum(dtype=np.float64))

    def most_frequent(self, limit: int) -> list[int]:
        """The classes with the highest counts, drawn or expected, in falling order."""
        highest = np.maximum(self.counts, self.expected)
        indices = np.argsort(-highest, kind="stable")[:limit]
        return [int(i) for i in indices if highest[i] > 0]
