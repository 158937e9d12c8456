"""Which class a target names.

A target is a class's label or its index from 0. If some class's label is a number, every number is a label, both in
text and in arrays of numbers: with the labels 3 and 8, the target 3 is the first class, not the fourth. `#3` is always
an index.
"""

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import shortened
from tsoft.input.fields import is_number, number

# A search for the nearest label among more labels than this would take too long.
MAX_SEARCHED = 10_000


class ClassLookup:
    """Finds the class that a target names, by label or index. `labels` are the classes' labels, None if they have
    none; `classes` is the number of classes."""

    def __init__(self, labels: tuple[str, ...] | None, classes: int):
        self.classes = classes
        self._indices: dict[str, list[int]] = {}
        for index, label in enumerate(labels or ()):
            self._indices.setdefault(label, []).append(index)
        self.by_index = not any(map(is_number, self._indices))

    def index(self, text: str) -> int:
        """Return the index of the class that a text names. Raises ValueError if it names no class, or several.

        >>> lookup = ClassLookup(("cat", "dog"), 2)
        >>> lookup.index("dog"), lookup.index("0"), lookup.index("#1")
        (1, 0, 1)
        >>> ClassLookup(("3", "8"), 2).index("8")
        1
        """
        indices = self._indices.get(text, [])
        if len(indices) == 1:
            return indices[0]
        if indices:
            names = ", ".join(f"#{i}" for i in indices[:10])
            raise ValueError(f"{len(indices)} classes are called {text!r}; use an index instead: {names}")
        digits = text.removeprefix("#")
        if is_number(digits) and (self.by_index or digits != text):
            return int(self.indices(np.array([number(digits)]))[0])
        if not text:
            raise ValueError("empty; write a class's label or index")
        raise ValueError(f"no class is called {shortened(text)!r}{self._hint(text)}")

    def _hint(self, text: str) -> str:
        if not self._indices:
            return f"; the classes have no labels, so use an index from 0 to {self.classes - 1}"
        import difflib  # imported here because only this error needs it

        labels = [label for label in self._indices if label] if len(self._indices) <= MAX_SEARCHED else []
        nearest = difflib.get_close_matches(text, labels, 1)
        return f"; did you mean {shortened(nearest[0])}?" if nearest else ""

    def indices(self, numbers: Array) -> Array:
        """Return numbers, (rows,), as indices. Raises TargetIndexError for the first number that is not an index.

        >>> ClassLookup(None, 3).indices(np.array([2.0, 0.0]))
        array([2, 0])
        """
        invalid = ~((numbers >= 0) & (numbers < self.classes))
        if numbers.dtype.kind == "f":
            invalid |= numbers != np.floor(numbers)
        if invalid.any():
            raise TargetIndexError(self._problem(numbers[invalid.argmax()].item()), int(invalid.argmax()))
        return numbers.astype(np.int64)

    def _problem(self, value: float) -> str:
        if value != value // 1:
            return f"{value:g} is not a class's index; indices are whole numbers from 0 to {self.classes - 1}"
        return f"target {value:.15g} is out of range; indices are 0 to {self.classes - 1}"


class TargetIndexError(ValueError):
    """A target that names no class. `position` is its position from 0."""

    def __init__(self, problem: str, position: int):
        super().__init__(problem)
        self.problem, self.position = problem, position
