"""Where bytes come from and where they go: files, pipes and terminals."""

import contextlib
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import BinaryIO

from tsoft.errors import InputError, OutputError, ReaderGoneError

STDIN = "stdin"
Write = Callable[[str], None]


@contextlib.contextmanager
def reading(name: str) -> Iterator[BinaryIO]:
    """The bytes of a file, or of stdin for `-`. What goes wrong while they are read, too, is an
    InputError."""
    try:
        if name == "-":
            if sys.stdin is None:
                raise InputError(f"{STDIN}: it is closed")
            yield sys.stdin.buffer
        else:
            with open(name, "rb") as stream:
                yield stream
    except OSError as error:
        raise InputError(f"{STDIN if name == '-' else name}: {_reason(error)}") from None


@contextlib.contextmanager
def writing(name: str | None, encoding: str = "utf-8") -> Iterator[Write]:
    """A function that writes text to a file, or to stdout where there is no name, at once. What
    the encoding lacks becomes a question mark.

    A regular file appears whole, when all went well, or not at all. Anything else is written
    straight. What goes wrong is an OutputError, a reader that went away ReaderGoneError.
    """
    if name is None or name == "-":
        if sys.stdout is None:
            raise OutputError("stdout: it is closed")
        yield _writer(sys.stdout.buffer, "stdout", encoding)
        return
    path = os.path.realpath(name)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:
        raise OutputError(f"{name}: {_reason(error)}") from None
    if mode is not None and not stat.S_ISREG(mode):
        with _failing(name), open(path, "wb") as stream:
            yield _writer(stream, name, encoding)
        return
    with _failing(name), _ended_by_signals(), _replacement(path, mode) as stream:
        yield _writer(stream, name, encoding)


@contextlib.contextmanager
def _replacement(path: str, mode: int | None) -> Iterator[BinaryIO]:
    """A hidden file beside `path` that takes its place at the end, or goes."""
    import tempfile

    folder, base = os.path.split(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{base[:100]}.", suffix=".tmp", dir=folder)
    try:
        with open(descriptor, "wb") as stream:
            yield stream
        os.chmod(temporary, _new_file_mode() if mode is None else stat.S_IMODE(mode))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _new_file_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _writer(stream: BinaryIO, name: str, encoding: str) -> Write:
    def write(text: str) -> None:
        with _failing(name):
            stream.write(text.encode(encoding, "replace"))
            stream.flush()

    return write


@contextlib.contextmanager
def _failing(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        raise OutputError(f"{name}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the program as Ctrl-C does, through every `finally`."""

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [(number, signal.signal(number, end)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
