"""The rows of two inputs, in pairs, and those to leave out."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError, shortened
from tsoft.input.class_lookup import IGNORED, numbers_in
from tsoft.notes import note

_SAME_ROWS = "both need the same rows"


def paired_rows(
    first: Iterator[Block], second: Iterator[Block], source: str, names: tuple[str, str]
) -> Iterator[tuple[Block, Block]]:
    """Yield the rows of the first input in blocks, each with a block of the same rows of the second.

    source: the file of the second input, and names: those of both inputs, for messages. Raise InputError if the
    inputs differ in their number of rows.
    """
    pending: Block | None = None
    for block in first:
        start = 0
        while start < len(block.logits):
            pending = pending or next(second, None)
            if pending is None:
                raise InputError(_difference(source, names[1], block.rows[start], names[0]))
            count = min(len(block.logits) - start, len(pending.logits))
            yield block.part(start, start + count), pending.part(0, count)
            pending = pending.part(count, len(pending.logits)) if count < len(pending.logits) else None
            start += count
    pending = pending or next(second, None)
    if pending is not None:
        raise InputError(_difference(source, names[0], pending.first_row, names[1]))


def noting_equal_logits(pairs: Iterator[tuple[Block, Block]], message: str) -> Iterator[tuple[Block, Block]]:
    """Yield the pairs of blocks. At the end, print a note with this message if the logits of both are the same in every
    row, as those of one file that was passed twice."""
    are_equal = True
    for first, second in pairs:
        are_equal = are_equal and np.array_equal(first.logits, second.logits)
        yield first, second
    if are_equal:
        note(message)


def _difference(source: str, shorter: str, rows: int, longer: str) -> str:
    return f"{source}: {shorter} has {rows} row{'s' * (rows != 1)}, but {longer} has more; {_SAME_ROWS}"


def checked_rows(first: Block, second: Block, names: tuple[str, str]) -> Block:
    """Return the first of two blocks of the same rows, with the true classes of the second if only that one has them.

    names: those of both inputs, for messages. Raise InputError if the keys or the true classes show that the rows
    differ.
    """
    _check_keys(first, second, names)
    _check_targets(first, second, names)
    return _with_targets(first, second)


def _check_keys(first: Block, second: Block, names: tuple[str, str]) -> None:
    """Raise InputError if the rows have different keys."""
    if first.keys is None or second.keys is None or list(first.keys) == list(second.keys):
        return
    # One format has the key 7 as a number, and another one as text.
    rows = zip(first.rows, map(str, first.keys), map(str, second.keys), strict=True)
    different = next(((row, a, b) for row, a, b in rows if a != b), None)
    if different is None:
        return
    row, key, other = different
    ids = f"{shortened(key)!r} in {names[0]} and {shortened(other)!r} in {names[1]}"
    raise InputError(f"row {row}: the row id is {ids}; put the rows of both in the same order")


def _check_targets(first: Block, second: Block, names: tuple[str, str]) -> None:
    """Raise InputError if the rows have different true classes, because they are then different rows.

    If only one block names its classes, these are in the order of the other one's.
    """
    if first.targets is None or second.targets is None:
        return
    are_named = first.labels is not None and second.labels is not None
    targets = [
        [block.labels[index] if are_named and block.labels and index >= 0 else index for index in indices.tolist()]
        for block, indices in ((first, first.targets), (second, second.targets))
    ]
    differing = next((i for i, (a, b) in enumerate(zip(*targets, strict=True)) if a != b), None)
    if differing is not None:
        a, b = ("not one of the classes" if some[differing] == IGNORED else repr(some[differing]) for some in targets)
        problem = f"the true class, or the next token, is {a} in {names[0]} and {b} in {names[1]}"
        raise InputError(f"row {first.rows[differing]}: {problem}; both need the same rows")


def _with_targets(block: Block, other: Block) -> Block:
    """Return a block with the true classes of another one with the same rows, if only that one has them."""
    if block.targets is not None or other.targets is None or block.partial is not None:
        return block
    targets = other.targets
    if block.labels is not None and other.labels is not None:
        # Different classes are an error later.
        places = {label: index for index, label in enumerate(block.labels)}
        labels = other.labels
        targets = np.array([places.get(labels[i], i) if i >= 0 else i for i in targets.tolist()], np.int64)
    return replace(block, targets=targets)


def order_note(first: Block, second: Block, names: tuple[str, str]) -> str | None:
    """Return the note that only one of two blocks names its classes, which are then those of both in their order; None
    if both do, or neither.

    names: those of both inputs. Raise InputError if the classes are named by numbers that are not in order.
    """
    if bool(first.labels) == bool(second.labels):
        return None
    block, (named, other) = (first, names) if first.labels else (second, names[::-1])
    assert block.labels
    numbers = numbers_in(block.labels)
    if numbers is not None and numbers != sorted(numbers):
        listed = ", ".join(repr(shortened(label)) for label in block.labels[:3])
        problem = (
            f"{named} has numbered classes that are not in order ({listed}, …), and {other} has classes without names"
        )
        raise InputError(f"{block.location}: {problem}; name the classes of both")
    return f"only {named} names its classes, so tsoft takes those of both in their order"


def kept_runs(targets: Array | None, rows: int) -> list[tuple[int, int]]:
    """Return the first index and the end of each run of rows whose target is not to be left out.

    >>> kept_runs(np.array([1, -1, 0, 2]), 4), kept_runs(None, 4)
    ([(0, 1), (2, 4)], [(0, 4)])
    """
    if targets is None or not (targets == IGNORED).any():
        return [(0, rows)]
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], targets != IGNORED, [False]]))).reshape(-1, 2)
    return [(int(first), int(stop)) for first, stop in bounds]
