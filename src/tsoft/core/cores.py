"""The number of cores that tsoft uses."""

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar

from tsoft.errors import UsageError

# The environment variable that limits the number of cores, also for the processes that this one starts.
VARIABLE = "TSOFT_CORES"

_busy = ContextVar("_busy", default=0)


def available_cores() -> int:
    """Return the number of cores to use: the value of the environment variable TSOFT_CORES or, without it, the number
    of cores that this process may run on.

    Raise UsageError for a value that is not a whole number from 1.

    >>> available_cores() >= 1
    True
    """
    return max(1, _cores() - _busy.get())


@contextlib.contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Count some cores as not available inside this context, because other threads keep them busy. One core always
    remains.

    >>> with busy_cores(1000):
    ...     available_cores()
    1
    """
    token = _busy.set(_busy.get() + count)
    try:
        yield
    finally:
        _busy.reset(token)


def _cores() -> int:
    if text := os.environ.get(VARIABLE):
        if not (text.isascii() and text.isdigit() and int(text)):
            raise UsageError(f"{VARIABLE}: expected a whole number from 1, got {text!r}")
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
