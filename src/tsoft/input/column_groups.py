"""Groups of columns with the same classes, such as logit_cat, logit_dog, prob_cat and prob_dog."""

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from tsoft.input import fields
from tsoft.input.class_lookup import common_start
from tsoft.input.quantity import quantity_in

# A table of more columns has those of a vocabulary.
_MAX_COLUMNS = 10_000

# What ends a part that the names of several columns share. Classes have blanks and hyphens, too.
_SEPARATOR = re.compile(r"[_./:|]")
# Of the separators in a name, this many at its start and at its end are considered.
_MAX_SEPARATORS = 4
# Groups of fewer classes with names may be classes, if other columns belong to no group.
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
    separators such as _ end what the names of each group share. Then the classes may also be numbers that count from 0
    or 1, whatever their numbers.

    >>> [(group.start, group.end, *group.columns) for group in class_groups(["cat", "cat_z", "dog", "dog_z"])]
    [('', '', 0, 2), ('', '_z', 1, 3)]
    >>> class_groups(["p_cat", "p_dog", "z_cat", "z_owl"]), class_groups(["1.0", "1.5", "2.0", "2.5"])
    ([], [])
    >>> [group.start for group in class_groups(["obs_0", "obs_1", "obs_2", "q_0", "q_1", "other"])]
    ['obs_', 'q_']
    """
    is_plain = len(names) > _MAX_COLUMNS or all(map(fields.is_number, names))
    found = [] if is_plain else list(_groupings(names))
    # In cat_logit, cat_prob, dog_logit and dog_prob, the groups are the quantities.
    whole = max(found, key=lambda groups: any(group.quantity for group in groups), default=[])
    return whole or ([] if is_plain else _partial_groups(names))


def group_of(names: Sequence[str]) -> ColumnGroup:
    """Return all columns as one group."""
    return ColumnGroup(range(len(names)), *_affixes(names))


def _partial_groups(names: Sequence[str]) -> list[ColumnGroup]:
    """Return groups of columns with the same classes, next to which a few columns belong to no group."""
    places = {name: place for place, name in enumerate(names)}
    alike: dict[Hashable, list[ColumnGroup]] = {}
    for (start, end), classes in _by_affix(names).items():
        group, is_numbered = ColumnGroup([*classes.values()], start, end), fields.count_start([*classes]) is not None
        # Two classes, such as set_alarm, set_timer, stop_alarm and stop_timer, often share the parts of their names.
        are_many = len(classes) >= _MIN_CLASSES or (is_numbered and len(classes) > 1)
        are_adjacent = max(group.columns) - min(group.columns) < len(classes)
        if (are_many and are_adjacent) or (len(classes) > 1 and group.is_known):
            groups = alike.setdefault((None if is_numbered else frozenset(classes), start != ""), [])
            if not groups and group.is_known and classes.keys() <= places.keys():
                groups.append(ColumnGroup([places[name] for name in classes], "", ""))
            groups.append(group)
    found = max((groups for groups in alike.values() if len(groups) > 1), key=_coverage, default=[])
    rest = len(names) - _coverage(found)
    is_small = rest <= max((len(group.columns) for group in found), default=0)
    return found if is_small or any(group.is_known for group in found) else []


def _coverage(groups: Sequence[ColumnGroup]) -> int:
    return len({column for group in groups for column in group.columns})


def _by_affix(names: Sequence[str]) -> dict[tuple[str, str], dict[str, int]]:
    """Return the place of each class for everything that names start or end with, up to a separator."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for place, name in enumerate(names):
        matches = [*_SEPARATOR.finditer(name)]
        for match in matches[:_MAX_SEPARATORS] + matches[_MAX_SEPARATORS:][-_MAX_SEPARATORS:]:
            start, end = name[: match.end()], name[match.start() :]
            if re.search(r"[^\W\d]", start) and name[match.end() :]:
                found.setdefault((start, ""), {})[name[match.end() :]] = place
            if re.search(r"[^\W\d]", end) and name[: match.start()]:
                found.setdefault(("", end), {})[name[: match.start()]] = place
    return found


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
