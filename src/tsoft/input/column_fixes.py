"""What to do about columns that contain no logits: the options that name them, with their values."""

import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase

from tsoft.errors import shortened
from tsoft.input.class_lookup import TargetLookup
from tsoft.input.column_groups import ColumnGroup, as_one_group
from tsoft.input.odd_columns import may_include_results

# A message lists at most this many columns.
_MOST_LISTED = 8


def text_column_fix(
    names: Sequence[str], texts: dict[int, str], classes: dict[int, str], *, has_key: bool, needs_target: bool
) -> str:
    """Return what to do about the columns with `texts` in the place of logits, next to those of the `classes`, whose
    values are numbers, to be added to a problem; empty without such classes.

    has_key: whether another column names the rows. needs_target: whether no column has the true classes, which the
    command reads.

    >>> text_column_fix(["image", "cat", "dog"], {0: "a.jpg"}, {1: "2", 2: "1"}, has_key=False, needs_target=False)
    "; if 'image' names the rows, pass --id-column image; or list the logits with --columns 'cat,dog'"
    >>> numbers = {0: "0.5", 1: "1.5", 3: "7"}
    >>> text_column_fix(["cat", "dog", "gold", "n"], {2: "dog"}, numbers, has_key=False, needs_target=True)
    "; if 'gold' has the true classes, pass --target-column gold; or list the logits with --columns"
    """
    if not classes:
        return ""
    columns = list(texts)
    target = next((i for i in columns if _is_class(texts[i], [names[j] for j in classes])), None)
    key = next((i for i in columns if i != target), None)
    fixes = []
    if key is not None and not has_key:
        fixes.append(f"if {shortened(names[key])!r} names the rows, pass --id-column {shlex.quote(names[key])}")
    if needs_target and (target := key if target is None else target) is not None:
        fixes.append(
            f"if {shortened(names[target])!r} has the true classes, pass --target-column {shlex.quote(names[target])}"
        )
    numbers = [names[i] for i in classes]
    are_logits = not may_include_results(numbers, [*classes.values()])
    listing = selection(names, as_one_group(numbers), [*classes]) if are_logits else "--columns"
    return "; ".join(["", *fixes, f"{'or ' * bool(fixes)}list the logits with {listing}"])


def _is_class(text: str, names: Sequence[str]) -> bool:
    """Return whether a text names a class of the columns with these names."""
    try:
        TargetLookup(tuple(names), len(names)).index(text)
    except ValueError:
        return False
    return True


def selection(names: Sequence[str], group: ColumnGroup, columns: Sequence[int]) -> str:
    """Return the option that lists the columns of a group, if their names make that possible in a short text."""
    selected, pattern = [names[i] for i in columns], f"{group.start}*{group.end}"
    if len(set(names)) < len(names) and any(names.count(name) > 1 for name in selected):
        return "--columns after you rename the columns of the same name"
    if [i for i, name in enumerate(names) if fnmatchcase(name, pattern)] == sorted(columns):
        return f"--columns {pattern!r}"
    return f"--columns {','.join(selected)!r}" if len(selected) <= _MOST_LISTED else "--columns"
