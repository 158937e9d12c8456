"""Which class a target names.

A target is a class's label or its index from 0. Where some class's label is a number, a number is always a label, in
a text and in an array of numbers alike, so that 3 is not taken for the fourth class; `#3` is always an index.
"""

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import shortened
from tsoft.input.fields import is_number, number


class ClassLookup:
    """Finds the class that a target names, by the labels of the classes, if they have any, and their number."""

    def __init__(self, labels: tuple[str, ...] | None, classes: int):
        self.classes = classes
        self._indices: dict[str, list[int]] = {}
        for index, label in enumerate(labels or ()):
            self._indices.setdefault(label, []).append(index)
        self.by_index = not any(map(is_number, self._indices))

    def index(self, text: str) -> int:
        """The index of the class that a text names. Raises ValueError if it names no class, or several.

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
            raise ValueError(f"{text!r} is the label of {len(indices)} classes: name one by its index, {names}")
        digits = text.removeprefix("#")
        if is_number(digits) and (self.by_index or digits != text):
            return int(self.indices(np.array([number(digits)]))[0])
        if not text:
            raise ValueError("empty; a target is a class's label or its index")
        last = self.classes - 1
        hint = "" if self._indices else f"; the classes have no labels, so that a target is an index, 0 to {last}"
        raise ValueError(f"no class is called {shortened(text)!r}{hint}")

    def indices(self, numbers: Array) -> Array:
        """Numbers, (rows,), as indices. Raises TargetIndexError for the first that is not one.

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
            return f"{value:g} is not a class's index, which is a whole number"
        hint = "; the first class is 0" if value == self.classes else ""
        return f"target {value:.15g} is out of range: the {self.classes} classes are 0 to {self.classes - 1}{hint}"


class TargetIndexError(ValueError):
    """A target that names no class, and its position from 0."""

    def __init__(self, problem: str, position: int):
        super().__init__(problem)
        self.problem, self.position = problem, position
