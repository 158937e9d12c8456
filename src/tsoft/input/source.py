"""Opening an input: a file or stdin."""

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from tsoft.errors import InputError, joined

STDIN = "stdin"


# The first bytes of the formats that tsoft recognizes by their content, and how many bytes it needs for that.
_FIRST_BYTES, _NEEDED = b"\x93P{[de\xef", 8


def with_head(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """Return enough of a stream's first bytes to recognize its format, and the stream from its start.

    If the stream starts with a number, only the bytes that have arrived are read, without waiting for more.
    """
    head = stream.peek() if isinstance(stream, io.BufferedReader) else b""
    if _suffices(head):
        return head, stream
    head = b""
    while not _suffices(head) and (more := stream.read1(1 << 16)):  # type: ignore[attr-defined]
        head += more
    return head, io.BufferedReader(_Replayed(head, stream))


def _suffices(head: bytes) -> bool:
    """Return whether these bytes are enough to recognize the format."""
    text = head.lstrip()
    return bool(text) and (text[:1] not in _FIRST_BYTES or len(text) >= _NEEDED or b"\n" in text)


def stdin_conflict(readers: Sequence[str]) -> str:
    """Return the message for several options that read stdin."""
    return f"only one of {joined(readers)} can read stdin; pass files or arguments for the others"


class _Replayed(io.RawIOBase):
    """A stream from its start: the bytes that were already read, then the rest."""

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
    """Open a file, or stdin for `-`, as bytes. Turns an OSError inside the context into an InputError."""
    try:
        if name == "-":
            if sys.stdin is None:
                raise InputError(f"{STDIN}: closed; read a file with -i FILE")
            yield sys.stdin.buffer
        else:
            with open(name, "rb") as stream:
                yield stream
    except OSError as error:
        raise InputError(f"{STDIN if name == '-' else name}: {error.strerror or error}") from None
