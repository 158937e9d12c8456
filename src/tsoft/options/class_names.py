"""Which class is meant by a name that was typed."""

from typing import TYPE_CHECKING

from tsoft.errors import UsageError, shortened

if TYPE_CHECKING:
    from tsoft.core.block import Block


def index_of(block: "Block", name: str, option: str) -> int | None:
    """The index of the class that # and the index itself, a label, or a label with its index names.
    The first row has to have it; in a later one it may be missing. `option` is who asks."""
    from tsoft.core.block import class_names

    classes = block.logits.shape[1]
    index = name.removeprefix("#")
    if name.startswith("#") and index.isdecimal() and len(index) < 10:
        found = [int(index)] if int(index) < classes else []
    else:
        names = class_names(block.labels, classes)
        found = [i for i, label in enumerate(block.labels or ()) if label == name]
        found = found or [i for i, label in enumerate(names) if label == name]
        found = found or [i for i, label in enumerate(block.names) if label == name]
    if len(found) == 1:
        return found[0]
    shown = shortened(name)
    if found:
        named = ", ".join(f"#{i}" for i in found[:10])
        raise UsageError(f"{option}: {shown!r} is the label of {len(found)} classes: name one by its index, {named}")
    if block.first_row > 0:
        return None
    raise UsageError(f"{option}: no class is called {shown!r}; #0 to #{classes - 1} name them by their index")


def named_number(text: str, option: str, metavar: str) -> tuple[str, float]:
    """LABEL=NUMBER, parted at the last =."""
    from tsoft.input import fields
    from tsoft.options.logits import decoded

    name, equals, number = text.rpartition("=")
    if not equals or not fields.is_number(number):
        raise UsageError(f"{option}: {text!r} is not {metavar}")
    return decoded(name), fields.number(number)
