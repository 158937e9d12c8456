"""What was drawn, and how often each class was to be expected."""

from collections import deque

import numpy as np

from tsoft.core.draw import draws
from tsoft.core.softmax import Array

# So many of the last draws are kept as text.
LAST = 400


class Tally:
    """Draws of a row, each from the distribution of its moment: `counts` are the classes' and `expected`
    the sums of their probabilities, so that turning a knob between draws keeps the two comparable."""

    def __init__(self, generator: np.random.Generator, classes: int):
        self._generator = generator
        self.counts = np.zeros(classes, np.int64)
        self.expected: Array = np.zeros(classes)
        self.last: deque[int] = deque(maxlen=LAST)

    @property
    def size(self) -> int:
        return int(self.counts.sum())

    def draw(self, probs: Array, size: int) -> None:
        """Draws so many more, with these probabilities: (n,)."""
        for piece in draws(probs, size, self._generator):
            self.counts += np.bincount(piece, minlength=len(self.counts))
            self.last.extend(piece.tolist())
        self.expected = self.expected + size * (probs / probs.sum(dtype=np.float64))

    def most(self, number: int) -> list[int]:
        """The classes that were drawn or expected most often, the most frequent first."""
        either = np.maximum(self.counts, self.expected)
        places = np.argsort(-either, kind="stable")[:number]
        return [int(i) for i in places if either[i] > 0]
