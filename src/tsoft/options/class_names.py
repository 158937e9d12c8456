"""The class that a name on the command line selects."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tsoft.errors import UsageError, shortened
from tsoft.options.names import nearest, unknown

if TYPE_CHECKING:
    from tsoft.core.block import Block

# An error lists the names of at most this many classes, and suggests one of at most this many.
MAX_LISTED, MAX_COMPARED = 10, 1000


def class_index(block: "Block", name: str, option: str) -> int | None:
    """Return the index of the class that `name` selects: # and an index, a label, or a label with its index.

    Raise UsageError, which names the `option`, if several classes have the name, or if the first row has no class of
    this name. In other rows, return None for a missing class.
    """
    from tsoft.core.block import class_names

    classes = block.logits.shape[1]
    index = name.removeprefix("#")
    if name.startswith("#") and index.isdecimal() and len(index) < 10:
        indices = [int(index)] if int(index) < classes else []
    else:
        name_lists = (block.labels or (), class_names(block.labels, classes), block.names)
        matches = ([i for i, label in enumerate(labels) if label == name] for labels in name_lists)
        indices = next(filter(None, matches), [])
    if len(indices) == 1:
        return indices[0]
    if indices:
        choices = ", ".join(f"#{i}" for i in indices[:MAX_LISTED]) + ", …" * (len(indices) > MAX_LISTED)
        problem = f"{len(indices)} classes have the label {shortened(name)!r}"
        raise UsageError(f"{option}: {problem}; choose one by its index: {choices}")
    if block.first_row > 0:
        return None
    raise UsageError(f"{option}: {_unknown_class(shortened(name), class_names(block.labels, classes))}")


def _unknown_class(name: str, class_names: Sequence[str]) -> str:
    if len(class_names) <= MAX_LISTED:
        return unknown("class", name, map(shortened, class_names))
    suggestion = nearest(name, class_names) if len(class_names) <= MAX_COMPARED else None
    hint = f"did you mean {shortened(suggestion)!r}? " if suggestion else ""
    return f"unknown class {name!r}; {hint}pass a label, or an index from #0 to #{len(class_names) - 1}"


def named_number(text: str, option: str, metavar: str) -> tuple[str, float]:
    """Return the name and the number of LABEL=NUMBER, split at the last =."""
    from tsoft.input import fields
    from tsoft.input.arguments import decode

    name, equals, number = text.rpartition("=")
    if not equals or not fields.is_number(number):
        raise UsageError(f"{option}: expected {metavar}, got {text!r}")
    return decode(name), fields.number(number)
