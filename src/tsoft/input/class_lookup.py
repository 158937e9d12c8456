"""Which class a target names.

A target is a class's label or its index from 0. If some class's label is a number, every number is a label, both in
text and in arrays of numbers: with the labels 3 and 8, the target 3 is the first class, not the fourth. In the same
way, if the labels are logit_0 to logit_11 in any order, the target 3 is logit_3. If their numbers have gaps, a target
that may be an index or the number of another class is an error. `#3` is always an index. If the labels are P_cat and
P_dog, the target cat is P_cat.
"""

import re
from collections.abc import Collection, Sequence

import numpy as np

from tsoft.core.block import class_names
from tsoft.core.softmax import Array
from tsoft.errors import nearest, shortened, unknown
from tsoft.input.fields import is_number, number

# The index of a row's target if the row is to be left out.
IGNORED = -1
# The targets of a binary classifier as text, in the order of the indices.
BOOLEANS = ("false", "true")
# An error lists the names of at most this many classes, and suggests one of at most this many.
MAX_LISTED, MAX_COMPARED = 10, 1000
# A longer number in a label is not that of a class.
_MAX_DIGITS = 9
# The words in the name of a column of numbers, in lower case, that are probably not those of its class.
_QUANTITY_WORDS = {
    *("p", "pr", "prob", "probs", "proba", "probability", "log", "logprob", "logit", "logits", "z", "score", "scores"),
    *("margin", "conf", "confidence", "pred", "predicted", "prediction", "y", "class", "label", "target", "is", "of"),
}
# Of the longest common starts and ends of labels, this many are compared.
_MAX_AFFIXES = 8


def unknown_class(name: str, labels: tuple[str, ...] | None, classes: int, prefix: str = "#") -> str:
    """Return the message for a name that no class has. An index starts with `prefix`.

    >>> unknown_class("dgo", ("cat", "dog"), 2)
    "unknown class 'dgo'; did you mean 'dog'? choose from cat, dog"
    >>> unknown_class("#3", ("cat", "dog"), 2), unknown_class("3", None, 3, prefix="")
    ("unknown class '#3'; use a label, or an index from #0 to #1", "unknown class '3'; use an index from 0 to 2")
    """
    names = class_names(labels, classes)
    if classes == 1:
        return f"unknown class {shortened(name)!r}; the only class is {shortened(names[0]) if labels else prefix + '0'}"
    is_index = name.startswith("#") or (not prefix and is_number(name))
    if labels and classes <= MAX_LISTED and not is_index:
        return unknown("class", shortened(name), map(shortened, names))
    is_comparable = not is_index and classes <= MAX_COMPARED and (labels or prefix)
    suggestion = nearest(name, names) if is_comparable else None
    hint = f"did you mean {shortened(suggestion)!r}? " if suggestion else ""
    indices = f"an index from {prefix}0 to {prefix}{classes - 1}"
    return f"unknown class {shortened(name)!r}; {hint}use {'a label, or ' if labels else ''}{indices}"


def ambiguous_class(name: str, indices: Sequence[int], quote: str = "") -> str:
    """Return the message for a label of several classes, with `quote` around their indices.

    >>> ambiguous_class("cat", (0, 2))
    "2 classes have the label 'cat'; choose one by its index: #0, #2"
    """
    choices = ", ".join(f"{quote}#{i}{quote}" for i in indices[:MAX_LISTED]) + ", …" * (len(indices) > MAX_LISTED)
    return f"{len(indices)} classes have the label {shortened(name)!r}; choose one by its index: {choices}"


def numbers_in(labels: Sequence[str]) -> list[int] | None:
    """Return the numbers in labels that are otherwise equal; None for other labels.

    >>> numbers_in(["logit_0", "logit_10", "logit_2"]), numbers_in(["p(y=7)", "p(y=3)"]), numbers_in(["a1", "b2"])
    ([0, 10, 2], [7, 3], None)
    """
    first, varying = re.split(r"([0-9]+)", labels[0] if labels else ""), set[int]()
    rows = []
    for label in labels:
        parts = re.split(r"([0-9]+)", label)
        rows.append(parts)
        if len(parts) != len(first):
            return None
        varying |= {i for i, (part, other) in enumerate(zip(parts, first, strict=True)) if part != other}
        if len(varying) > 1:
            return None
    # The parts at odd places are numbers.
    place = next(iter(varying), 0)
    is_number = place % 2 == 1 and all(len(parts[place]) <= _MAX_DIGITS for parts in rows)
    return [int(parts[place]) for parts in rows] if is_number else None


def ordered_pair(names: Collection[str], column: str | None) -> tuple[str, str]:
    """Return (negative, positive), the two classes of a binary classifier. The positive class is the one that the
    column of the scores names (`p_dog`, `Dog score`), else the last in alphabetical order.

    >>> ordered_pair(["ok", "defect"], "P(Defect)"), ordered_pair(["spam", "ham"], "ham"), ordered_pair(["b", "a"], "z")
    (('ok', 'defect'), ('spam', 'ham'), ('a', 'b'))
    """
    same = [name for name in names if name == column]
    matching = same or [name for name in names if _names_class(column or "", name)]
    negative, positive = sorted(names, key=lambda name: (matching == [name], name))
    return negative, positive


def are_binary(targets: Collection[str], count: int) -> bool:
    """Return whether different targets may be those of `count` scores of a binary classifier: 0 or -1, and 1, perhaps
    with a negative number for the rows to leave out, or two names. As many different ones as numbers are rather the
    names of classes.

    >>> are_binary({"0", "1", "-100"}, 9), are_binary({"no", "yes"}, 9), are_binary({"0", "7"}, 9)
    (True, True, False)
    >>> are_binary({"0", "1"}, 2)
    False
    """
    if len(targets) == count or not all(map(is_number, targets)):
        return len(targets) == 2 < count
    others = {number(target) for target in targets} - {0, 1}
    return not others or (len(others) == 1 and min(others) < 0)


def _names_class(column: str, label: str) -> bool:
    """Return whether the words in the name of a column are those of a label, and perhaps of a quantity.

    >>> _names_class("p_not_ok", "not ok"), _names_class("p_not_ok", "ok"), _names_class("p_y", "y")
    (True, False, True)
    """
    words, label_words = (re.findall(r"[^\W_]+", text.casefold()) for text in (column, label))
    kept = [word for word in words if word in label_words or word not in _QUANTITY_WORDS]
    return label_words != [] and kept == label_words


def _unclear_indices(numbers: Sequence[int]) -> Array:
    """Return whether each index, (classes,), may also mean another class, which has this number in its label.

    Numbers from 1 in order are those of the indices from 0. No index is clear if the numbers are not in order.

    >>> _unclear_indices([0, 2, 5]), _unclear_indices([1, 2, 3])
    (array([False, False,  True]), array([False, False, False]))
    """
    if [*numbers] != sorted(numbers):
        return np.ones(len(numbers), bool)
    if [*numbers] == [*range(1, len(numbers) + 1)]:
        return np.zeros(len(numbers), bool)
    indices = np.arange(len(numbers))
    return np.asarray(np.isin(indices, numbers) & (indices != np.array(numbers)))


class ClassLookup:
    """Finds the class that a target names, by label or index. `labels` are the classes' labels, None if they have
    none; `classes` is the number of classes. The target `ignored` marks rows to leave out; its index is IGNORED."""

    _quote = ""

    def __init__(self, labels: tuple[str, ...] | None, classes: int, ignored: int | None = None):
        self.classes = classes
        self._labels, self._ignored = labels, ignored
        self._has_zero = False
        self._indices: dict[str, list[int]] = {}
        for index, label in enumerate(labels or ()):
            self._indices.setdefault(label, []).append(index)
        self.by_index = not any(map(is_number, self._indices))
        numbers = numbers_in(labels or ()) if self.by_index else None
        self._by_number = self._unclear = None
        if numbers is not None and sorted(numbers) == list(range(classes)):
            self._by_number = np.argsort(numbers)
        elif numbers is not None:
            self._unclear = _unclear_indices(numbers)

    def index(self, text: str) -> int:
        """Return the index of the class that a text names. Raise ValueError if it names no class, or several.

        >>> lookup = ClassLookup(("cat", "dog"), 2)
        >>> lookup.index("dog"), lookup.index("0"), lookup.index("#1")
        (1, 0, 1)
        >>> ClassLookup(("3", "8"), 2).index("8")
        1
        """
        if self._ignored is not None and is_number(text) and number(text) == self._ignored:
            return IGNORED
        indices = self._indices.get(text, [])
        if len(indices) == 1:
            return indices[0]
        if indices:
            raise ValueError(ambiguous_class(text, indices, self._quote))
        digits = text.removeprefix("#")
        if is_number(digits) and (self.by_index or digits != text):
            find = self.indices if digits == text else self._positions
            return int(find(np.array([number(digits)]))[0])
        if not text:
            raise ValueError("empty; write a class's label or index")
        if matches := self._similar(text):
            if len(matches) > 1:
                raise ValueError(ambiguous_class(text, matches, self._quote))
            return matches[0]
        if text.lower() in BOOLEANS and self.classes == 2 and self.by_index:
            return BOOLEANS.index(text.lower())
        raise ValueError(self._problem(text))

    def _similar(self, text: str) -> list[int]:
        """Return the classes that a text names in another way than by their labels."""
        return []

    def _problem(self, text: str) -> str:
        problem = unknown_class(text, self._labels, self.classes, "" if self.by_index else "#")
        if not self.by_index or not is_number(text):
            return problem
        value = number(text)
        if value == self.classes and not self._has_zero:
            return f"{problem}; the targets seem to start at 1; subtract 1 from each"
        if value == -1 and self.classes == 2 and not self._has_zero:
            fix = "pass --labels=-1,1" if self._labels is None else "write 0 or the label in place of -1"
            problem = f"{problem}; if the classes are -1 and 1, {fix}"
        if value < 0 and value % 1 == 0:
            return f"{problem}; to leave out the rows with this target, pass --ignore-index {value:.0f}"
        return problem

    def indices(self, numbers: Array) -> Array:
        """Return the indices of the classes that numbers, (rows,), name. Raise TargetIndexError for the first number
        that names no class.

        >>> ClassLookup(None, 3).indices(np.array([2.0, 0.0]))
        array([2, 0])
        >>> ClassLookup(("logit_2", "logit_0", "logit_1"), 3).indices(np.array([2.0, 0.0]))
        array([0, 1])
        """
        positions = self._positions(numbers)
        is_class = positions != IGNORED
        if self._by_number is not None:
            return np.where(is_class, self._by_number[positions], IGNORED)
        if self._unclear is not None and (is_unclear := is_class & self._unclear[positions]).any():
            names = ", ".join(repr(shortened(label)) for label in list(self._indices)[:3])
            problem = f"ambiguous: the classes ({names}, …) are numbered, but not in the order 0, 1, 2, …"
            raise TargetIndexError(f"{problem}; write the labels of the classes as targets", int(is_unclear.argmax()))
        return positions

    def _positions(self, numbers: Array) -> Array:
        """Return numbers, (rows,), as indices. Raise TargetIndexError for the first number that is not an index."""
        invalid = ~((numbers >= 0) & (numbers < self.classes))
        if numbers.dtype.kind == "f":
            invalid |= numbers != np.floor(numbers)
        is_ignored = numbers == self._ignored if self._ignored is not None else np.zeros(len(numbers), bool)
        invalid &= ~is_ignored
        if invalid.any():
            position = int(invalid.argmax())
            self._has_zero |= bool((numbers == 0).any())
            raise TargetIndexError(self._problem(f"{numbers[position].item():.15g}"), position)
        self._has_zero |= bool((numbers == 0).any())
        return np.where(is_ignored, IGNORED, np.where(is_ignored, 0, numbers).astype(np.int64))


def _common_affixes(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what all of several labels start with, and what they end with: nothing, or a text up to a separator.

    >>> _common_affixes(["P (cat)", "P (car)"])
    (['', 'P ', 'P ('], ['', ')'])
    """
    start = common_start(labels)
    end = common_start([label[::-1] for label in labels])
    prefixes = [start[:i] for i in range(len(start) + 1) if i == 0 or not start[i - 1].isalnum()]
    suffixes = [end[:i][::-1] for i in range(len(end) + 1) if i == 0 or not end[i - 1].isalnum()]
    return prefixes[-_MAX_AFFIXES:], suffixes[-_MAX_AFFIXES:]


def common_start(texts: Sequence[str]) -> str:
    """Return the text that all of several texts start with; empty for a single text."""
    first, last = (min(texts), max(texts)) if len(texts) > 1 else ("", "")
    size = next((i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), None)
    return first if size is None else first[:size]


class TargetLookup(ClassLookup):
    """Finds the class that a target names, which may leave out what all labels start or end with."""

    # In a table, a # may begin a comment.
    _quote = '"'

    def __init__(self, labels: tuple[str, ...] | None, classes: int, ignored: int | None = None):
        super().__init__(labels, classes, ignored)
        self._prefixes, self._suffixes = _common_affixes(list(self._indices))

    def _similar(self, text: str) -> list[int]:
        """Return the classes whose label is a text with what all labels start and end with, up to a separator, or the
        same number.

        >>> TargetLookup(("P (class=cat)", "P (class=car)"), 2).index("car")
        1
        >>> TargetLookup(("1.0", "2.0"), 2).index("2")
        1
        """
        if is_number(text):
            numbers = ((label, indices) for label, indices in self._indices.items() if is_number(label))
            return [index for label, indices in numbers if number(label) == number(text) for index in indices]
        # Booleans are often written with another capitalization.
        texts = {text, text.capitalize(), text.upper(), text.lower()} if text.lower() in BOOLEANS else {text}
        labels = {start + each + end for start in self._prefixes for end in self._suffixes for each in texts}
        return sorted(index for label in labels for index in self._indices.get(label, []))


class TargetIndexError(ValueError):
    """A target that names no class. `position` is its position from 0."""

    def __init__(self, problem: str, position: int):
        super().__init__(problem)
        self.problem, self.position = problem, position
