"""Streams of bytes: looking at the start of one, making one from pieces, and making one seekable."""

import io
import itertools
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
# More bytes than this of blanks and comments are not the start of a text with numbers.
LONGEST_BLANK = 1 << 26
_CHUNK = 1 << 16


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


def with_start(stream: BinaryIO, suffices: Callable[[bytes], bool]) -> tuple[bytes, BinaryIO]:
    """Return the first bytes of a stream, and the stream from its start.

    They are the bytes that have arrived, and more until they suffice or the stream ends. After many blanks, up to
    LONGEST_BLANK, they are bytes from a later position.
    """
    head = stream.peek() if isinstance(stream, io.BufferedReader) else b""
    if suffices(head):
        return head, stream
    head, blanks, size = b"", [], 0
    while not suffices(head) and size <= LONGEST_BLANK and (more := _read1(stream)):
        head += more
        size += len(more)
        # To look at all blanks again after each read would take quadratic time.
        if len(head) >= _CHUNK and head.isspace():
            blanks.append(head)
            head = b""
    rest = iter(lambda: _read1(stream), b"")
    return head, io.BufferedReader(Pieces(itertools.chain(blanks, [head], rest)))


def _read1(stream: BinaryIO) -> bytes:
    return stream.read1(_CHUNK)  # type: ignore[attr-defined,no-any-return]


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
