"""The rows of two inputs, in pairs, and those to leave out."""

from collections.abc import Iterator

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input.class_lookup import IGNORED

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


def _difference(source: str, shorter: str, rows: int, longer: str) -> str:
    return f"{source}: {shorter} has {rows} row{'s' * (rows != 1)}, but {longer} has more; {_SAME_ROWS}"


def kept_runs(targets: Array | None, rows: int) -> list[tuple[int, int]]:
    """Return the first index and the end of each run of rows whose target is not to be left out.

    >>> kept_runs(np.array([1, -1, 0, 2]), 4), kept_runs(None, 4)
    ([(0, 1), (2, 4)], [(0, 4)])
    """
    if targets is None or not (targets == IGNORED).any():
        return [(0, rows)]
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], targets != IGNORED, [False]]))).reshape(-1, 2)
    return [(int(first), int(stop)) for first, stop in bounds]
