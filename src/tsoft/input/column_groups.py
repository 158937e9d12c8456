"""Groups of columns with the same classes, such as logit_cat, logit_dog, prob_cat and prob_dog."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tsoft.input import fields
from tsoft.input.class_lookup import common_start
from tsoft.input.quantity import quantity_in

# A table of more columns has those of a vocabulary.
_MAX_COLUMNS = 10_000

# Separators that may end a common prefix. Blanks and hyphens occur inside class names.
_SEPARATOR = re.compile(r"[_./:|]")
# Only the first and last four separators of a name are tried.
_MAX_SEPARATORS = 4
# Two classes with names, such as set_alarm, set_timer, stop_alarm and stop_timer, share parts too often by chance, so a
# group needs three if other columns belong to no group.
_MIN_CLASSES = 3

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

    @property
    def is_known(self) -> bool:
        """Whether the names say what the numbers are."""
        return self.quantity is not None or self.is_of_targets


def class_groups(names: Sequence[str]) -> list[ColumnGroup]:
    """Return groups of columns that have the same two or more classes; empty if there are no such groups.

    The columns of a group are consecutive, or those of all groups alternate. Further columns may belong to no group if
    separators such as _ end what the names of each group share. Then numbered groups (obs_0, obs_1, q_0) count as alike
    even if their sizes differ.

    >>> [(group.start, group.end, *group.columns) for group in class_groups(["cat", "cat_z", "dog", "dog_z"])]
    [('', '', 0, 2), ('', '_z', 1, 3)]
    >>> class_groups(["p_cat", "p_dog", "z_cat", "z_owl"]), class_groups(["1.0", "1.5", "2.0", "2.5"])
    ([], [])
    >>> [group.start for group in class_groups(["obs_0", "obs_1", "obs_2", "q_0", "q_1", "other"])]
    ['obs_', 'q_']
    """
    is_plain = len(names) > _MAX_COLUMNS or all(map(fields.is_number, names))
    if is_plain:
        return []
    # In cat_logit, cat_prob, dog_logit and dog_prob, the groups are the quantities.
    complete = max(_groupings(names), key=lambda groups: any(group.quantity for group in groups), default=[])
    return complete or _partial_groups(names)


def as_one_group(names: Sequence[str]) -> ColumnGroup:
    """Return all columns as one group."""
    return ColumnGroup(range(len(names)), *_affixes(names))


def _partial_groups(names: Sequence[str]) -> list[ColumnGroup]:
    """Return groups of columns with the same classes, next to which a few columns belong to no group."""
    families = [groups for groups in _families(names).values() if len(groups) > 1]
    largest = max(families, key=_coverage, default=[])
    ungrouped = len(names) - _coverage(largest)
    are_few = ungrouped <= max((len(group.columns) for group in largest), default=0)
    return largest if are_few or any(group.is_known for group in largest) else []


def _coverage(groups: Sequence[ColumnGroup]) -> int:
    """Return how many columns belong to a group."""
    return len({column for group in groups for column in group.columns})


@dataclass(frozen=True)
class _Family:
    """What groups that are alike have in common: their classes, None if these are numbers that count, and whether a
    prefix or a suffix names each group."""

    classes: frozenset[str] | None
    has_prefixes: bool


def _families(names: Sequence[str]) -> dict[_Family, list[ColumnGroup]]:
    """Return the groups of columns that are alike."""
    places = {name: place for place, name in enumerate(names)}
    families: dict[_Family, list[ColumnGroup]] = {}
    for group, classes in _candidates(names):
        family = _Family(None if _are_numbers(classes) else frozenset(classes), group.start != "")
        if family not in families:
            # The names of another group may be the classes alone: cat and dog next to cat_prob and dog_prob.
            is_plain_group = group.is_known and places.keys() >= set(classes)
            families[family] = [ColumnGroup([places[name] for name in classes], "", "")] if is_plain_group else []
        families[family].append(group)
    return families


def _candidates(names: Sequence[str]) -> Iterator[tuple[ColumnGroup, list[str]]]:
    """Yield groups of columns whose names share a start or an end, unless by chance, and the classes of each."""
    for (start, end), places in _by_affix(names).items():
        classes, columns = [*places], [*places.values()]
        group = ColumnGroup(columns, start, end)
        are_adjacent = max(columns) - min(columns) < len(columns)
        are_many = len(classes) >= _MIN_CLASSES or _are_numbers(classes)
        if len(classes) > 1 and (group.is_known or (are_many and are_adjacent)):
            yield group, classes


def _are_numbers(classes: list[str]) -> bool:
    """Return whether classes are numbers that count from 0 or 1."""
    return fields.count_start(classes) is not None


def _by_affix(names: Sequence[str]) -> dict[tuple[str, str], dict[str, int]]:
    """Return the place of each class for everything that names start or end with, up to a separator."""
    classes: dict[tuple[str, str], dict[str, int]] = {}
    for place, name in enumerate(names):
        for match in _separators(name):
            start, end = name[: match.end()], name[match.start() :]
            if re.search(r"[^\W\d]", start) and name[match.end() :]:
                classes.setdefault((start, ""), {})[name[match.end() :]] = place
            if re.search(r"[^\W\d]", end) and name[: match.start()]:
                classes.setdefault(("", end), {})[name[: match.start()]] = place
    return classes


def _separators(name: str) -> list[re.Match[str]]:
    """Return the first and the last separators in a name."""
    matches = [*_SEPARATOR.finditer(name)]
    return matches if len(matches) <= 2 * _MAX_SEPARATORS else matches[:_MAX_SEPARATORS] + matches[-_MAX_SEPARATORS:]


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
        classes_of_part = {text[len(start) : len(text) - len(end)] for text in texts}
        if len(classes_of_part) < len(part) or "" in classes_of_part or (classes and classes_of_part != classes):
            return
        classes = classes_of_part
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
