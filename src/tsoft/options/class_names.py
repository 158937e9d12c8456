"""The class that a name on the command line selects."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tsoft.errors import UsageError
from tsoft.options.numbers import number

if TYPE_CHECKING:
    from tsoft.core.block import Block


def class_index(block: "Block", name: str, option: str) -> int | None:
    """Return the index of the class that `name` selects: # and an index, a label, or a label with its index.

    Raise UsageError, which names the `option`, if several classes have the name, or if the first row has no class of
    this name. In other rows, return None for a missing class.
    """
    from tsoft.core.block import class_names

    classes = block.logits.shape[1]
    index = name.removeprefix("#")
    if name.startswith("#") and index.isdecimal() and index.isascii() and len(index) < 10:
        indices = [int(index)] if int(index) < classes else []
    else:
        name_lists = (block.labels or (), class_names(block.labels, classes), block.names)
        matches = ([i for i, label in enumerate(labels) if label == name] for labels in name_lists)
        indices = next(filter(None, matches), [])
    if len(indices) == 1:
        return indices[0]
    from tsoft.input.class_lookup import ambiguous_class, unknown_class

    if indices:
        raise UsageError(f"{option}: {ambiguous_class(name, indices)}")
    if block.first_row > 0:
        return None
    raise UsageError(f"{option}: {unknown_class(name, block.labels, classes)}")


def named_number(text: str, option: str, example: str, parse: Callable[[str], float] = number) -> tuple[str, float]:
    """Return the name and the number of LABEL=NUMBER, split at the last =. Raise UsageError, with the example."""
    name, equals, typed = text.rpartition("=")
    try:
        value = parse(typed)
    except ValueError:
        equals = ""
    if not equals:
        raise UsageError(f"{option}: expected LABEL=NUMBER, such as {example}, got {text!r}")
    return name, value
