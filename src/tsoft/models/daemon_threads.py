"""Work that waits, such as requests to a server, in threads that do not keep the program from ending."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_daemon_threads(
    work: Callable[[T], R], items: Sequence[T], threads: int, seconds: float | None = None
) -> list[R]:
    """Return the results of the work on each item, running `threads` at a time.

    Return immediately on an error or on Ctrl-C: the threads are daemons, which end with the program. Raise
    TimeoutError if no result arrives for `seconds`.
    """
    results = dict(as_completed(work, items, threads, seconds))
    return [results[i] for i in range(len(items))]


def as_completed(
    work: Callable[[T], R], items: Sequence[T], threads: int, seconds: float | None = None
) -> Iterator[tuple[int, R]]:
    """Yield the index of each item and the result of the work on it, as they arrive, running `threads` at a time.

    An error of the work is raised here. No item starts after that, nor after the caller has closed the iterator.
    """
    waiting, done = queue.SimpleQueue[int](), queue.SimpleQueue[tuple[int, R | Exception]]()
    for i in range(len(items)):
        waiting.put(i)

    def run() -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                i = waiting.get_nowait()
                try:
                    done.put((i, work(items[i])))
                except Exception as error:
                    done.put((i, error))
                    return

    for _ in range(min(threads, len(items))):
        threading.Thread(target=run, daemon=True).start()
    try:
        for _ in range(len(items)):
            try:
                i, result = done.get(timeout=seconds)
            except queue.Empty:
                raise TimeoutError from None
            if isinstance(result, Exception):
                raise result
            yield i, result
    finally:
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.get_nowait()
