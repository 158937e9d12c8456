"""Hidden temporary files next to the file that they will replace. The next run removes those of killed runs."""

import contextlib
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".tsoft.tmp"
_keeps_abandoned: ContextVar[bool] = ContextVar("keeps_abandoned", default=False)


@contextlib.contextmanager
def temporary_file(path: str) -> Iterator[tuple[int, str]]:
    """Create a file in the folder of `path`, and yield its descriptor and its name. It is locked until the end of the
    context, even if the descriptor is closed. Files for the same `path` that no run has locked are removed first."""
    folder, base = os.path.split(path)
    # The name of a file has at most 255 bytes, and a character up to 4.
    prefix = f".{base[:50]}."
    if not _keeps_abandoned.get():
        _remove_abandoned(folder, re.escape(prefix))
    descriptor, name = _created(folder, prefix)
    # A lock lasts until all copies of its descriptor are closed, or the process ends for any reason.
    lock = os.dup(descriptor)
    try:
        yield descriptor, name
    finally:
        os.close(lock)


def _created(folder: str, prefix: str) -> tuple[int, str]:
    """Create a locked file. Without locks, on Windows or some network drives, the file of a killed run stays."""
    import tempfile

    while True:
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=folder)
        if fcntl is None:
            return descriptor, name
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another run may have removed the file before it was locked.
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        os.close(descriptor)


@contextlib.contextmanager
def abandoned_files_kept() -> Iterator[None]:
    """Keep the files of killed runs in the context, in which many files are written to one folder. To list that folder
    for each of them would take a time that grows with the square of their number."""
    token = _keeps_abandoned.set(True)
    try:
        yield
    finally:
        _keeps_abandoned.reset(token)


def remove_all_abandoned(folder: str) -> None:
    """Remove all files in a folder that no run has locked."""
    _remove_abandoned(folder, r"\..+\.")


def _remove_abandoned(folder: str, start: str) -> None:
    """Remove the files that no run has locked, and whose names start with this pattern."""
    if fcntl is None:
        return
    pattern = re.compile(start + "[a-z0-9_]{8}" + re.escape(_SUFFIX), re.DOTALL)
    with contextlib.suppress(OSError):
        for name in filter(pattern.fullmatch, os.listdir(folder)):
            _remove_unlocked(os.path.join(folder, name))


def _remove_unlocked(name: str) -> None:
    """Remove a file unless a run has locked it, or it belongs to another user."""
    with contextlib.suppress(OSError):
        descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name)
        finally:
            os.close(descriptor)
