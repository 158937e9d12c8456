"""The drawn classes and their counts, with the expected counts."""

from collections import deque

import numpy as np

from tsoft.core.draw import draws
from tsoft.core.softmax import Array

# The number of latest draws whose order is kept.
RECENT_DRAWS = 400
# The number of parts of all classes, per class to find.
_PARTS = 16


class DrawCounts:
    """The draws of a row.

    Each draw is from the distribution at its time. `counts` are the numbers of draws of each class, and `expected` the
    sums of its probabilities. The two stay comparable if a parameter changes between draws.
    """

    def __init__(self, generator: np.random.Generator, classes: int):
        self._generator = generator
        self.counts = np.zeros(classes, np.int64)
        self.expected: Array = np.zeros(classes)
        self.recent: deque[int] = deque(maxlen=RECENT_DRAWS)

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def draw(self, probs: Array, count: int) -> None:
        """Draw `count` more classes with these probabilities: (n,)."""
        for indices in draws(probs, count, self._generator):
            self.counts += np.bincount(indices, minlength=len(self.counts))
            self.recent.extend(indices.tolist())
        self.expected = self.expected + count * (probs / probs.sum(dtype=np.float64))

    def most_frequent(self, limit: int) -> list[int]:
        """Return the classes with the highest drawn or expected counts, in descending order."""
        highest = np.maximum(self.counts, self.expected)
        # Sorting a whole vocabulary takes longer than a frame. At least `limit` classes reach the limit-th highest
        # maximum of some parts, and hardly more.
        part = max(1, len(highest) // (_PARTS * limit))
        maxima = np.sort(np.maximum.reduceat(highest, np.arange(0, len(highest), part)))
        lowest = maxima[-limit] if limit <= len(maxima) else 0.0
        [indices] = np.nonzero((highest >= lowest) & (highest > 0))
        return [int(i) for i in indices[np.argsort(-highest[indices], kind="stable")[:limit]]]
