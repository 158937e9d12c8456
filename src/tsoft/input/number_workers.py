"""Parsing and writing many numbers in several processes.

Inside the context `several_processes`, `parse` and `lines` divide the work of the functions of `fast_numbers` into
parts, once there has been enough work to pay for starting processes. Nothing else differs.
"""

import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.softmax import Array
from tsoft.input import fast_numbers
from tsoft.input.fast_numbers import NumberLines

if TYPE_CHECKING:
    from tsoft.input.workers import Function, Promise, Workers

# The work after which more processes start, in bytes. Their start takes about as long as this work.
START = 1 << 20
# The least work of a process, in bytes.
LEAST = 1 << 15
# The memory that each process shares with the first one.
SHARED = 1 << 25
# It has room for the numbers of a text of this many bytes, each of them of one digit and on its own line, and for the
# text of this many numbers, each of them of 24 characters.
MOST_BYTES, MOST_NUMBERS = SHARED // 8 - 8, SHARED // 25


class _Scope:
    """The work of the contexts that are open in a thread: how many these are, the bytes of work so far, and the
    workers, once they have started."""

    def __init__(self) -> None:
        self.users, self.work = 0, 0
        self.workers: Workers | None = None

    @property
    def processes(self) -> int:
        return self.workers.count + 1 if self.workers else 1

    def parts(self, size: int) -> int:
        """Return into how many parts to divide work of this many bytes; 1 outside the contexts."""
        self.work += size if self.users else 0
        if self.work < START or size < 2 * LEAST:
            return 1
        from tsoft.input.workers import Workers, most_processes

        if self.workers is None and (most := most_processes()) > 1:
            self.workers = Workers(most - 1, SHARED)
        return min(len(self.workers.idle) + 1 if self.workers else 1, size // LEAST)

    def map(self, function: "Function", parts: Sequence[Sequence[Array]]) -> list[Sequence[Array]] | None:
        """Return the results for all parts; None if there is none for one of them."""
        assert self.workers
        results = self.workers.map(function, parts)
        found = [result for result in results if result is not None]
        return found if len(found) == len(results) else None

    def start(self, data: bytes) -> "Promise | None":
        """Let an idle worker parse lines of numbers; None if there is none, or not enough room."""
        if self.workers is None or len(data) > MOST_BYTES:
            return None
        return self.workers.start(_parsed, [np.frombuffer(data, np.uint8)])

    def end(self) -> None:
        """End the workers with the last user."""
        self.users -= 1
        if not self.users:
            workers, self.workers, self.work = self.workers, None, 0
            if workers:
                workers.close()


class _Threads(threading.local):
    """The scope of each thread: two threads cannot use the same workers at once."""

    def __init__(self) -> None:
        self.scope = _Scope()


_thread = _Threads()


@contextlib.contextmanager
def several_processes() -> Iterator[None]:
    """Let `parse` and `lines` use several processes inside this context. Inside another one, they use the same."""
    scope = _thread.scope
    scope.users += 1
    try:
        yield
    finally:
        scope.end()


def processes() -> int:
    """Return how many processes parse and write at the moment."""
    return _thread.scope.processes


def parse(data: bytes) -> NumberLines | None:
    """Parse lines of numbers as `fast_numbers.parse` does."""
    parts = _split(data, _thread.scope.parts(len(data)))
    if len(parts) == 1 or max(map(len, parts)) > MOST_BYTES:
        return fast_numbers.parse(data)
    results = _thread.scope.map(_parsed, [[np.frombuffer(part, np.uint8)] for part in parts])
    return None if results is None else NumberLines(*map(np.concatenate, zip(*results, strict=True)))


def most_ahead() -> int:
    """Return how many texts workers may parse before they are needed. The others can write numbers in the meantime."""
    return _thread.scope.processes // 2


class ParsedAhead:
    """Lines of numbers that a worker may parse before they are needed."""

    def __init__(self, data: bytes):
        self._data, self._promise = data, _thread.scope.start(data)

    def result(self) -> NumberLines | None:
        """Return what `parse` returns for the lines."""
        if self._promise is None:
            return parse(self._data)
        result = self._promise.result()
        return None if result is None else NumberLines(*result)

    def fetch(self) -> None:
        """Wait for the worker, which can do something else then."""
        if self._promise is not None:
            self._promise.result()


def _split(data: bytes, count: int) -> list[bytes]:
    """Split lines into about `count` parts of whole lines, without the newlines between the parts."""
    parts, start = [], 0
    for i in range(1, count):
        end = data.rfind(b"\n", start, len(data) * i // count)
        if end >= 0:
            parts.append(data[start:end])
            start = end + 1
    return [*parts, data[start:]]


def _parsed(data: Array) -> Sequence[Array] | None:
    return fast_numbers.parse(data.tobytes())


def lines(values: Array, widths: Array | None = None, digits: int | None = None) -> bytes | None:
    """Write one line per row as `fast_numbers.lines` does."""
    count = min(_thread.scope.parts(values.nbytes), max(1, len(values)))
    bounds = [len(values) * i // count for i in range(count + 1)]
    slices = [slice(*pair) for pair in itertools.pairwise(bounds)]
    parts = [[values[rows]] if widths is None else [values[rows], widths[rows]] for rows in slices]
    if count == 1 or max(part[0].size for part in parts) > MOST_NUMBERS:
        return fast_numbers.lines(values, widths, digits)
    results = _thread.scope.map(partial(_text, digits=digits), parts)
    return None if results is None else b"".join(text.data for [text] in results)


def _text(values: Array, widths: Array | None = None, *, digits: int | None) -> Sequence[Array] | None:
    text = fast_numbers.lines(values, widths, digits)
    return None if text is None else [np.frombuffer(text, np.uint8)]
