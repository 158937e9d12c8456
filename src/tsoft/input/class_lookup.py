"""Which class a target names.

A target is a class's label or its index from 0. Where some class's label is itself a number, only labels
are meant, in a text and in an array of numbers alike, so that no 3 is taken for the fourth class; `#3` is
always an index.
"""

from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import shortened
from tsoft.input.fields import FieldError, is_number, number


class ClassLookup:
    """Which of so many classes a text names."""

    def __init__(self, labels: tuple[str, ...] | None, classes: int):
        self.classes = classes
        self._of: dict[str, list[int]] = {}
        for index, label in enumerate(labels or ()):
            self._of.setdefault(label, []).append(index)
        self.by_index = not any(map(is_number, self._of))

    def index(self, text: str) -> int:
        """Raises ValueError with what is wrong.

        >>> naming = ClassLookup(("cat", "dog"), 2)
        >>> naming.index("dog"), naming.index("0"), naming.index("#1")
        (1, 0, 1)
        >>> ClassLookup(("3", "8"), 2).index("8")
        1
        """
        found = self._of.get(text, [])
        if len(found) == 1:
            return found[0]
        if found:
            named = ", ".join(f"#{i}" for i in found[:10])
            raise ValueError(f"{text!r} is the label of {len(found)} classes: name one by its index, {named}")
        digits = text.removeprefix("#")
        if is_number(digits) and (self.by_index or digits != text):
            return int(self.indices(np.array([number(digits)]))[0])
        if not text:
            raise ValueError("empty; a target is a class's label or its index")
        known = (
            "" if self._of else f"; the classes have no labels, so that a target is an index, 0 to {self.classes - 1}"
        )
        raise ValueError(f"no class is called {shortened(text)!r}{known}")

    def indices(self, numbers: Array) -> Array:
        """Numbers as indices. Raises ValueError for the first that is none.

        >>> ClassLookup(None, 3).indices(np.array([2.0, 0.0]))
        array([2, 0])
        """
        wrong = ~((numbers >= 0) & (numbers < self.classes))
        if numbers.dtype.kind == "f":
            wrong |= numbers != np.floor(numbers)
        if wrong.any():
            raise TargetIndexError(self._problem(numbers[wrong.argmax()].item()), int(wrong.argmax()))
        return numbers.astype(np.int64)

    def _problem(self, value: float) -> str:
        if value != value // 1:
            return f"{value:g} is not a class's index, which is a whole number"
        hint = "; the first class is 0" if value == self.classes else ""
        return f"target {value:.15g} is out of range: the {self.classes} classes are 0 to {self.classes - 1}{hint}"


class TargetIndexError(ValueError):
    """A target that is none, by its place from 0."""

    def __init__(self, problem: str, place: int):
        super().__init__(problem)
        self.problem, self.place = problem, place


@dataclass(frozen=True)
class TargetColumn:
    """The column of a text, from 0, that holds the targets."""

    place: int
    naming: ClassLookup

    def index(self, texts: list[str]) -> int:
        """The target in a line's fields. Raises FieldError."""
        try:
            return self.naming.index(texts[self.place])
        except ValueError as error:
            raise FieldError(str(error), self.place + 1) from None

    def indices(self, values: Array) -> Array | None:
        """The targets in lines of numbers; None where these are to be read one by one."""
        try:
            return self.naming.indices(values[:, self.place]) if self.naming.by_index else None
        except TargetIndexError:
            return None
