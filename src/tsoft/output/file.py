"""Writing to stdout or to a file, which appears whole or not at all."""

import contextlib
import io
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from types import FrameType
from typing import BinaryIO

from tsoft.errors import OutputError, ReaderGoneError
from tsoft.frozen import frozen
from tsoft.output.control_characters import printable
from tsoft.output.encodings import encoded
from tsoft.output.temporary_file import temporary_file

_UMASK_LOCK = threading.Lock()
# Where to keep the files that will appear together; None if each appears by itself.
_waiting_files: ContextVar[contextlib.ExitStack | None] = ContextVar("waiting_files", default=None)


@contextlib.contextmanager
def _as_output_error(name: str) -> Iterator[None]:
    """Turn an OSError inside the context into an OutputError, or a ReaderGoneError if it is a closed pipe."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        folder = os.path.dirname(name)
        if isinstance(error, FileNotFoundError) and folder and not os.path.lexists(folder):
            raise OutputError(f"{name}: the folder {folder} does not exist; create it first") from None
        raise OutputError(f"{name}: {error.strerror or error}") from None


@frozen
class OutputStream:
    """Writes text or bytes without buffering. Characters that the encoding lacks become look-alikes or escapes."""

    stream: BinaryIO
    name: str
    encoding: str = "utf-8"
    is_file: bool = False

    def __call__(self, text: str | bytes | memoryview) -> None:
        with _as_output_error(self.name):
            self.stream.write(encoded(text, self.encoding) if isinstance(text, str) else text)
            self.stream.flush()

    def lines(self, pieces: Iterable[str | bytes]) -> None:
        """Write lines without colors, in pieces. On a terminal, control characters in their labels become escapes."""
        is_terminal = self.stream.isatty()
        for piece in pieces:
            self(printable(piece if isinstance(piece, str) else piece.decode()) if is_terminal else piece)

    def overwrite_start(self, data: bytes) -> None:
        """Overwrite the start of a file."""
        with _as_output_error(self.name):
            self.stream.seek(0)
            self.stream.write(data)
            self.stream.flush()


@contextlib.contextmanager
def open_output(name: str | None, encoding: str = "utf-8") -> Iterator[OutputStream]:
    """Open a stream to a file, or to stdout if `name` is None.

    A regular file appears whole at the end, or not at all after an error. Anything else is written directly. Raises
    OutputError, or ReaderGoneError if the reader has closed the pipe.
    """
    descriptor = _descriptor(name)
    if descriptor == 1 and (sys.stdout is None or sys.stdout.closed):
        raise OutputError("stdout: closed; write to a file with -o FILE")
    with _as_output_error(name or "stdout"):
        if descriptor is not None or not _is_regular(str(name)):
            # Use a new stream for stdout, too: an unbuffered sys.stdout may write only part of the data, silently.
            to = str(name) if descriptor is None else descriptor
            with open(to, "wb", closefd=descriptor is None) as stream, _abandoned(stream):
                yield OutputStream(stream, name or "stdout", encoding)
        else:
            with _replacement(str(name)) as file:
                yield OutputStream(file, str(name), encoding, is_file=True)


@contextlib.contextmanager
def files_together() -> Iterator[None]:
    """Let the files that are written in the context appear together at its end, or not at all after an error."""
    with contextlib.ExitStack() as stack:
        token = _waiting_files.set(stack)
        try:
            yield
        finally:
            _waiting_files.reset(token)


def is_terminal(name: str | None) -> bool:
    """Return whether the file with this name, or stdout if `name` is None, is a terminal."""
    descriptor = _descriptor(name)
    if descriptor is not None:
        return os.isatty(descriptor)
    try:
        if not stat.S_ISCHR(os.stat(str(name)).st_mode):
            return False
        descriptor = os.open(str(name), os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
    except OSError:
        return False
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)


def _descriptor(name: str | None) -> int | None:
    """Return the descriptor that a name such as /dev/stdout stands for, else None. Opening that name would truncate a
    file that stdout is redirected to."""
    if name in (None, "-"):
        return 1
    match = re.fullmatch(r"/(?:dev|proc/self)/(?:fd/([0-9]{1,9})|(stdout|stderr))", str(name))
    return match and int(match[1] or {"stdout": 1, "stderr": 2}[match[2]])


def _is_regular(name: str) -> bool:
    """Return whether the file is, or will be, a regular file. The name of a folder may end in a slash."""
    try:
        return stat.S_ISREG(os.stat(name).st_mode)
    except FileNotFoundError:
        return not name.endswith("/")


@contextlib.contextmanager
def _replacement(name: str) -> Iterator[BinaryIO]:
    """Open a hidden file next to the file `name`, which it replaces at the end, or at that of `files_together`, and
    whose mode it keeps. After an error it is removed."""
    path = os.path.realpath(name)
    is_complete = False

    def finish(error: type[BaseException] | None, *_: object) -> None:
        try:
            if error is None and is_complete:
                with _as_output_error(name):
                    os.replace(temporary, path)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    with contextlib.ExitStack() as own:
        stack = _waiting_files.get() or own
        stack.enter_context(ended_by_signals())
        descriptor, temporary = stack.enter_context(temporary_file(path))
        stack.push(finish)
        with open(descriptor, "wb") as stream:
            yield stream
        try:
            mode = stat.S_IMODE(os.stat(path).st_mode)
        except FileNotFoundError:
            mode = 0o666 & ~_umask()
        os.chmod(temporary, mode)
        is_complete = True


def _umask() -> int:
    """Return the bits that the modes of new files lack. They can only be read by setting them, and a worker of a
    cluster may write several files at the same time, each in a thread."""
    with _UMASK_LOCK:
        mask = os.umask(0)
        os.umask(mask)
    return mask


@contextlib.contextmanager
def _abandoned(stream: io.BufferedWriter) -> Iterator[None]:
    """Discard the rest of the stream's buffer after an error, so that closing the stream does not write it. A
    descriptor such as that of stderr stays open."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            stream.raw.close()
        raise


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the program as Ctrl-C does, through every `finally`. A thread other than the main one
    cannot set the handlers of signals, and leaves them as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [(number, signal.signal(number, end)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
