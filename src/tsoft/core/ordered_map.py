"""A function of each item on all cores, with the results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TypeVar

from tsoft.core.cores import available_cores, busy_cores

T = TypeVar("T")
R = TypeVar("R")

# Each thread needs memory for its item and its scratch arrays.
MOST_THREADS = 8


def ordered_map(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the results of a function in the order of the items, whatever the number of cores.

    The function runs in threads if there are two or more items. At most one item per thread is in memory, and the next
    one. An error of the function comes before an error in reading later items.

    >>> list(ordered_map(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    rest, threads = iter(items), min(available_cores(), MOST_THREADS)
    first = list(islice(rest, 2))
    if len(first) < 2 or threads == 1:
        yield from map(function, chain(first, rest))
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    def alone(item: T) -> R:
        # The function does not start threads on the cores of the other items.
        with busy_cores(threads - 1):
            return function(item)

    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in chain(first, rest):
                if len(pending) == threads:
                    yield pending.popleft().result()
                pending.append(pool.submit(alone, item))
            while pending:
                yield pending.popleft().result()
        except Exception:
            for future in pending:
                future.result()
            raise
        finally:
            for future in pending:
                future.cancel()
