"""The class that a typed name means."""

from typing import TYPE_CHECKING

from tsoft.errors import UsageError, shortened

if TYPE_CHECKING:
    from tsoft.core.block import Block


def class_index(block: "Block", name: str, option: str) -> int | None:
    """The index of the class that `#` and an index, a label, or a label with its index names. Raises UsageError, which
    names the `option`, where several classes or none have the name; in a row after the first, None for none."""
    from tsoft.core.block import class_names

    classes = block.logits.shape[1]
    index = name.removeprefix("#")
    if name.startswith("#") and index.isdecimal() and len(index) < 10:
        indices = [int(index)] if int(index) < classes else []
    else:
        namings = (block.labels or (), class_names(block.labels, classes), block.names)
        named = ([i for i, label in enumerate(labels) if label == name] for labels in namings)
        indices = next(filter(None, named), [])
    if len(indices) == 1:
        return indices[0]
    shown = shortened(name)
    if indices:
        names = ", ".join(f"#{i}" for i in indices[:10])
        raise UsageError(f"{option}: {shown!r} is the label of {len(indices)} classes: name one by its index, {names}")
    if block.first_row > 0:
        return None
    raise UsageError(f"{option}: no class is called {shown!r}; #0 to #{classes - 1} name them by their index")


def named_number(text: str, option: str, metavar: str) -> tuple[str, float]:
    """The name and the number of LABEL=NUMBER, split at the last =."""
    from tsoft.input import fields
    from tsoft.input.arguments import decode

    name, equals, number = text.rpartition("=")
    if not equals or not fields.is_number(number):
        raise UsageError(f"{option}: {text!r} is not {metavar}")
    return decode(name), fields.number(number)
