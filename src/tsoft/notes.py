"""Notes: messages on stderr that are not errors."""

import contextlib
import sys
from collections.abc import Iterator
from contextvars import ContextVar

from tsoft.errors import visible

# The notes of a job, which the process that started the job prints.
_collected: ContextVar[list[str] | None] = ContextVar("collected", default=None)


def note(message: str) -> None:
    """Print a note on stderr. If that fails, print no more messages, since the result matters more."""
    if (notes := _collected.get()) is not None:
        notes.append(message)
        return
    if sys.stderr is None:
        return
    try:
        print(f"tsoft: note: {visible(message)}", file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = None


@contextlib.contextmanager
def collected_notes() -> Iterator[list[str]]:
    """Collect the notes of the context in a list instead of printing them.

    >>> with collected_notes() as notes:
    ...     note("a note")
    >>> notes
    ['a note']
    """
    token = _collected.set([])
    try:
        notes = _collected.get()
        assert notes is not None
        yield notes
    finally:
        _collected.reset(token)


def are_collected() -> bool:
    """Return whether this is a job of another process, which shows what a user watches."""
    return _collected.get() is not None
