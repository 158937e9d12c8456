"""Groups of columns with the same classes, such as logit_cat, logit_dog, prob_cat and prob_dog."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tsoft.input import fields
from tsoft.input.class_lookup import common_start
from tsoft.input.quantity import quantity_in

# A table of more columns has those of a vocabulary.
_MAX_COLUMNS = 10_000

# What the names of one-hot targets have before or after the class.
_TARGETS = ("true", "truth", "target", "label", "y", "gt", "actual", "onehot", "one_hot", "is")


@dataclass(frozen=True)
class ColumnGroup:
    """Columns, by their places, whose names are `start`, the name of a class, and `end`."""

    columns: Sequence[int]
    start: str
    end: str

    @property
    def quantity(self) -> str | None:
        """What the names call the numbers; None if they do not say it."""
        return quantity_in(self.start) or quantity_in(self.end)

    @property
    def is_of_targets(self) -> bool:
        """Whether the names call the numbers targets."""
        return any(word.strip("_.:- ").lower() in _TARGETS for word in (self.start, self.end))


def class_groups(names: Sequence[str]) -> list[ColumnGroup]:
    """Return groups of all columns that have the same two or more classes; empty if there are no such groups.

    The columns of a group are consecutive, or those of all groups alternate.

    >>> [(group.start, group.end, *group.columns) for group in class_groups(["cat", "cat_z", "dog", "dog_z"])]
    [('', '', 0, 2), ('', '_z', 1, 3)]
    >>> class_groups(["p_cat", "p_dog", "z_cat", "z_owl"]), class_groups(["1.0", "1.5", "2.0", "2.5"])
    ([], [])
    """
    is_plain = len(names) > _MAX_COLUMNS or all(map(fields.is_number, names))
    found = [] if is_plain else list(_groupings(names))
    # In cat_logit, cat_prob, dog_logit and dog_prob, the groups are the quantities.
    return max(found, key=lambda groups: any(group.quantity for group in groups), default=[])


def group_of(names: Sequence[str]) -> ColumnGroup:
    """Return all columns as one group."""
    return ColumnGroup(range(len(names)), *_affixes(names))


def _groupings(names: Sequence[str]) -> Iterator[list[ColumnGroup]]:
    """Yield all groupings, the one with the fewest groups first."""
    places = range(len(names))
    for count in range(2, len(names) // 2 + 1):
        size, rest = divmod(len(names), count)
        if rest == 0:
            yield from _grouping(names, [places[i * size : (i + 1) * size] for i in range(count)])
            yield from _grouping(names, [places[i::count] for i in range(count)])


def _grouping(names: Sequence[str], parts: Sequence[Sequence[int]]) -> Iterator[list[ColumnGroup]]:
    """Yield the parts of the columns as groups if they have the same classes."""
    groups: list[ColumnGroup] = []
    classes: set[str] = set()
    for part in parts:
        texts = [names[i] for i in part]
        start, end = _affixes(texts)
        found = {text[len(start) : len(text) - len(end)] for text in texts}
        if len(found) < len(part) or "" in found or (classes and found != classes):
            return
        classes = found
        groups.append(ColumnGroup(part, start, end))
    yield groups


def _affixes(texts: Sequence[str]) -> tuple[str, str]:
    """Return what all of several texts start and end with, up to a separator, or before a number.

    >>> _affixes(["P(cat)", "P(car)"]), _affixes(["z0", "z1"]), _affixes([" cat", " dog"])
    (('P(', ')'), ('z', ''), ('', ''))
    """
    start = common_start(texts)
    while start and start[-1].isalnum() and (start[-1].isdigit() or not all(_has_digit(t, len(start)) for t in texts)):
        start = start[:-1]
    end = common_start([text[len(start) :][::-1] for text in texts])[::-1]
    while end and end[0].isalnum():
        end = end[1:]
    return (start, end) if any(map(str.isalnum, start + end)) else ("", "")


def _has_digit(text: str, place: int) -> bool:
    return text[place : place + 1].isdigit()
