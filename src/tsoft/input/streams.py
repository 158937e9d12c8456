"""Streams of bytes: looking at the start of one, making one from pieces, and making one seekable."""

import io
import select
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

from tsoft.errors import InputError

# Some files can only be read with their end at hand, so a piped one is kept in memory, up to this many bytes.
LONGEST_PIPED = 1 << 32
# It is read in blocks, since a read allocates as many bytes as it may return.
_BLOCK = 1 << 20
# Keeping more bytes than this in memory is worth a note.
NOTE_BYTES = 1 << 24


class WaitingFile(io.FileIO):
    """A file that waits for data, even if its descriptor does not block.

    The other processes of a pipe or terminal may set O_NONBLOCK at any time. A read without data would then return
    None, which buffered streams take for the end.
    """

    def readinto(self, buffer: Any) -> int:
        while (count := super().readinto(buffer)) is None:
            select.select([self], [], [])
        return count

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return self.readall()
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(buffer)])

    def readall(self) -> bytes:
        # That of FileIO ends where it would wait; this one calls `read` until the end.
        return io.RawIOBase.readall(self) or b""


class Pieces(io.RawIOBase):
    """A stream of the bytes of an iterable, which are requested as they are read."""

    def __init__(self, pieces: Iterable[bytes | memoryview]):
        self._pieces, self._piece = iter(pieces), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece and (piece := next(self._pieces, None)) is not None:
            self._piece = memoryview(piece)
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count


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


def with_start(stream: BinaryIO, suffices: Callable[[bytes], bool]) -> tuple[bytes, BinaryIO]:
    """Return the first bytes of a stream, and the stream from its start.

    They are the bytes that have arrived, and more until they suffice or the stream ends.
    """
    head = stream.peek() if isinstance(stream, io.BufferedReader) else b""
    if suffices(head):
        return head, stream
    head = b""
    while not suffices(head) and (more := stream.read1(1 << 16)):  # type: ignore[attr-defined]
        head += more
    return head, io.BufferedReader(_Replayed(head, stream))


def seekable(stream: BinaryIO, source: str, kind: str, note: Callable[[str], None]) -> BinaryIO:
    """Return a stream that can seek: the stream itself, or its bytes in memory, with a note if these are many.

    `kind` is what the stream is, for messages. Raise InputError if the bytes are too many.
    """
    if stream.seekable():
        return stream
    data = io.BytesIO()
    while block := stream.read(_BLOCK):
        data.write(block)
        if data.tell() > LONGEST_PIPED:
            limit = f"at most {LONGEST_PIPED >> 30} GB of {kind}"
            raise InputError(f"{source}: tsoft reads {limit} from a pipe; pass -i FILE")
    if data.tell() > NOTE_BYTES:
        note(f"{source}: tsoft keeps all {data.tell() / 1e6:.0f} MB of {kind} in memory; -i FILE avoids this")
    data.seek(0)
    return data
