"""Where bytes come from and where they go: files, pipes and terminals."""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from tsoft.errors import InputError, OutputError, ReaderGoneError

STDIN = "stdin"


# What begins like a format that its content tells, and how much of it tells.
_TELLING, _ENOUGH = b"\x93P{[de\xef", 8


def with_head(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The first bytes of a stream, as many as tell what it is where they tell it at all, and the stream
    from its start. A first line of numbers is not waited for beyond its first read."""
    head = stream.peek() if isinstance(stream, io.BufferedReader) else b""
    if _tells(head):
        return head, stream
    head = b""
    while not _tells(head) and (more := stream.read1(1 << 16)):  # type: ignore[attr-defined]
        head += more
    return head, io.BufferedReader(_Again(head, stream))


def _tells(head: bytes) -> bool:
    said = head.lstrip()
    return bool(said) and (said[:1] not in _TELLING or len(said) >= _ENOUGH or b"\n" in said)


class _Again(io.RawIOBase):
    """What was read of a stream, and then the rest of it."""

    def __init__(self, head: bytes, stream: BinaryIO):
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or self._stream.read1(len(buffer))  # type: ignore[attr-defined]
        self._head = self._head[len(data) :] if self._head else b""
        buffer[: len(data)] = data
        return len(data)


@contextlib.contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
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
def _failing(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        raise OutputError(f"{name}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
