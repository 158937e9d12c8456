"""Work on large arrays in threads, one per core. numpy's loops release the interpreter lock."""

from collections.abc import Callable
from typing import TypeVar

from tsoft.core.cores import available_cores

# With fewer numbers per thread, another thread may cost more than it saves, above all on a busy machine.
MIN_PARALLEL_SIZE = 500_000
# Each thread takes this many pieces in turn, so that a thread on a busy core takes fewer of them.
PIECES_PER_THREAD = 4

T = TypeVar("T")


def in_threads(function: Callable[[slice], T], length: int, size: int) -> list[T]:
    """Call a function with consecutive slices of `length` items, and return the results in order.

    `size` decides the number of threads: a softmax of `size` float64 numbers takes about as long as all calls. The
    result of an item must not depend on its slice. If several calls fail, the error of the first slice is raised.

    >>> in_threads(lambda part: sum(range(10)[part]), 10, size=10)
    [45]
    """
    wanted = min(size // MIN_PARALLEL_SIZE, length)
    threads = min(available_cores(), wanted) if wanted > 1 else 1
    if threads == 1:
        return [function(slice(0, length))]
    # The import takes longer than most calls of this function.
    from concurrent.futures import ThreadPoolExecutor

    pieces = min(length, PIECES_PER_THREAD * threads)
    with ThreadPoolExecutor(threads) as pool:
        return list(
            pool.map(function, (slice(length * i // pieces, length * (i + 1) // pieces) for i in range(pieces)))
        )
