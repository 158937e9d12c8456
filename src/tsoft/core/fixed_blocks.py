"""Rows in blocks of a fixed size, so that sums over the blocks do not depend on how the rows arrived."""

from collections.abc import Iterable, Iterator

import numpy as np

from tsoft.core.softmax import Array

# How many numbers a block has, if its rows are not longer.
BLOCK_NUMBERS = 1 << 18


def fixed_blocks(parts: Iterable[tuple[Array, ...]]) -> Iterator[tuple[Array, ...]]:
    """Yield the same rows in blocks of a number of rows that depends only on the size of the first row.

    parts: arrays with the same number of rows, (rows, ...) each. The rows of a block are contiguous in memory, because
    the order of numpy's sums depends on that, too.

    >>> blocks = fixed_blocks([(np.zeros((200_000, 1)),), (np.ones((100_000, 1)),)])
    >>> [len(block) for [block] in blocks]
    [262144, 37856]
    """
    step = 0
    waiting: list[tuple[Array, ...]] = []
    for part in parts:
        step = step or max(1, BLOCK_NUMBERS // max(1, part[0][0].size))
        first, missing = 0, step - sum(len(arrays[0]) for arrays in waiting)
        while len(part[0]) - first >= missing:
            yield _joined([*waiting, tuple(array[first : first + missing] for array in part)])
            first, missing, waiting = first + missing, step, []
        if first < len(part[0]):
            waiting.append(tuple(array[first:] for array in part))
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[tuple[Array, ...]]) -> tuple[Array, ...]:
    if len(parts) == 1:
        return tuple(map(np.ascontiguousarray, parts[0]))
    return tuple(map(np.concatenate, zip(*parts, strict=True)))
