"""The rows that a figure shows, and their headings."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from tsoft.core.block import Block
from tsoft.errors import shortened, visible

T = TypeVar("T")


def first_of(batches: Iterable[tuple[int, Callable[[int], T]]], count: int, note: Callable[[str], None]) -> list[T]:
    """Return the first rows of batches, each a number of rows and a function that returns one of them by its index.
    `note` is called with the number of the other rows."""
    rows: list[T] = []
    total = 0
    for size, row in batches:
        total += size
        rows += [row(index) for index in range(min(size, count - len(rows)))]
    if total > count:
        note(f"the figure shows {count} of {total} rows; --rows N shows more")
    return rows


def heading(block: Block) -> str:
    """Return the heading of a row: its number and, if it has one, its key."""
    key = "" if block.keys is None else f": {visible(shortened(str(block.keys[0])))}"
    return f"row {block.first_row}{key}"
