"""Processes that compute functions of arrays, since Python runs only one thread at a time.

A worker is a fork of this process. It gets arrays and returns arrays in memory that it shares with this process; only
their places go through a pipe. A worker ends when its pipe is closed, so none outlives this process.
"""

import contextlib
import gc
import mmap
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from multiprocessing import current_process, get_context
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np

from tsoft.core.cores import VARIABLE, available_cores
from tsoft.core.softmax import Array
from tsoft.errors import TsoftError

# A function of arrays that returns arrays. It returns None for arrays that it is not made for.
Function = Callable[..., Sequence[Array] | None]

# Each process needs memory, and more of them would hardly be faster, since one of them reads and writes.
_MOST = 8
# A worker that has not ended after this many seconds is killed.
_PATIENCE = 5.0


class WorkerError(TsoftError):
    """A worker ended before it returned a result."""


def most_processes() -> int:
    """Return how many processes may work at the same time: one if this system cannot fork a process safely."""
    # The libraries of macOS may crash in a forked process. A daemon must not start processes.
    can_fork = hasattr(os, "fork") and sys.platform != "darwin" and not current_process().daemon
    return min(available_cores(), _MOST) if can_fork else 1


class Workers:
    """A number of workers. `close` ends them. Each has `shared` bytes for the arrays of a part, or for those of its
    result."""

    def __init__(self, count: int, shared: int):
        self._workers: list[_Worker] = []
        for _ in range(count):
            self._workers.append(_Worker(shared, self._workers))

    @property
    def count(self) -> int:
        return len(self._workers)

    @property
    def idle(self) -> "list[_Worker]":
        return [worker for worker in self._workers if worker.promise is None]

    def start(self, function: Function, arrays: Sequence[Array]) -> "Promise | None":
        """Let an idle worker compute a function of arrays, and return the promise of its result; None if all are
        busy."""
        worker = next(iter(self.idle), None)
        if worker is None:
            return None
        worker.send(function, arrays)
        worker.promise = Promise(worker)
        return worker.promise

    def map(self, function: Function, parts: Sequence[Sequence[Array]]) -> list[Sequence[Array] | None]:
        """Return the results of a function of the arrays of each part. This process computes the last one itself, and
        each idle worker at most one. The arrays of a result are valid until the next call.

        Raise WorkerError if a worker ended.
        """
        try:
            busy = list(zip(self.idle[: len(parts) - 1], parts[:-1], strict=True))
            for worker, arrays in busy:
                worker.send(function, arrays)
            last = function(*parts[-1])
            return [*(worker.result() for worker, _ in busy), last]
        except BaseException:
            # Another worker may still be busy, so its next result would be an old one.
            self.close()
            raise

    def close(self) -> None:
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.join()
        self._workers = []


class _Worker:
    """A worker, the pipe to it, and the memory that it shares. `others` are the workers that have started before."""

    def __init__(self, shared: int, others: "Sequence[_Worker]"):
        context = get_context("fork")
        self.promise: Promise | None = None
        self._memory = mmap.mmap(-1, shared)
        self.connection, theirs = context.Pipe()
        # The worker has copies of the ends of all pipes. It would not notice that this process is gone with its own.
        ends = [self.connection, *(worker.connection for worker in others)]
        self._process = context.Process(target=_serve, args=(theirs, ends, self._memory), daemon=True)
        # Ctrl-C reaches all processes of a terminal, and only this one acts on it: the worker keeps the blocked mask.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with warnings.catch_warnings():
                # A fork may deadlock on a lock that another thread holds. The worker uses none of those.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()

    def send(self, function: Function, arrays: Sequence[Array]) -> None:
        with contextlib.suppress(OSError):
            self.connection.send((function, _put(self._memory, arrays)))

    def result(self) -> Sequence[Array] | None:
        try:
            result = self.connection.recv()
        except (EOFError, OSError):
            raise WorkerError(self._problem()) from None
        if isinstance(result, Exception):
            raise result
        return None if result is None else _taken(self._memory, result)

    def _problem(self) -> str:
        self.join()
        code = self._process.exitcode or 0
        way = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        fix = "to use a single process, set TSOFT_CORES=1"
        return f"a process that tsoft had started {way}, perhaps because memory was short; {fix}"

    def join(self) -> None:
        self._process.join(_PATIENCE)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()


class Promise:
    """The result of a function, which a worker computes in the meantime."""

    def __init__(self, worker: _Worker):
        self._worker: _Worker | None = worker
        self._arrays: Sequence[Array] | None = None

    def result(self) -> Sequence[Array] | None:
        """Return the result. Wait until the worker has it. Raise WorkerError if the worker ended."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            arrays = worker.result()
            # The worker may put other arrays there now.
            self._arrays = None if arrays is None else [array.copy() for array in arrays]
            worker.promise = None
        return self._arrays


class _ArrayPlace(NamedTuple):
    """The place of an array in shared memory."""

    dtype: str
    shape: tuple[int, ...]
    offset: int


def _put(memory: mmap.mmap, arrays: Sequence[Array]) -> list[_ArrayPlace]:
    """Copy arrays to shared memory, and return their places."""
    places, offset = [], 0
    for array in arrays:
        places.append(_ArrayPlace(array.dtype.str, array.shape, offset))
        np.ndarray(array.shape, array.dtype, memory, offset)[...] = array
        # Numbers of 8 bytes are aligned.
        offset += -(-array.nbytes // 8) * 8
    return places


def _taken(memory: mmap.mmap, places: Sequence[_ArrayPlace]) -> list[Array]:
    """Return the arrays at these places, which are valid until others are put there."""
    return [np.ndarray(place.shape, place.dtype, memory, place.offset) for place in places]


def _serve(connection: Connection, others: Sequence[Connection], memory: mmap.mmap) -> None:
    """Compute one result after the other, until the pipe is closed."""
    for other in others:
        other.close()
    # The handlers are those of the first process, which removes files.
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.environ[VARIABLE] = "1"
    # A collection would write to memory that is shared as long as nobody writes to it.
    gc.disable()
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, places = connection.recv()
            result: object
            try:
                arrays = function(*_taken(memory, places))
                result = None if arrays is None else _put(memory, arrays)
            except Exception as error:
                result = error
            connection.send(result)
