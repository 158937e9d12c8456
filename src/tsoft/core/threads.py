"""Work on large arrays in threads, one per core. numpy's loops release the interpreter lock."""

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

from tsoft.core.cores import available_cores

# With fewer numbers per thread, another thread may cost more than it saves, above all on a busy machine.
MIN_PARALLEL_SIZE = 300_000
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
    pieces = min(length, PIECES_PER_THREAD * threads)
    slices = [slice(length * i // pieces, length * (i + 1) // pieces) for i in range(pieces)]
    return _in_order(function, slices, threads)


def _in_order(function: Callable[[slice], T], slices: list[slice], threads: int) -> list[T]:
    """Do the same in this thread and others. A pool of threads would take five times as long to start."""
    pending = enumerate(slices)
    results: dict[int, T] = {}
    errors: dict[int, BaseException] = {}

    def work() -> None:
        # The iterator's `next` is one step of the interpreter, so that each item goes to one thread.
        for i, part in pending:
            if errors and min(errors) < i:
                return
            try:
                results[i] = function(part)
            except BaseException as error:
                errors[i] = error

    others = [Thread(target=work) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    if errors:
        raise errors[min(errors)]
    return [results[i] for i in range(len(slices))]
