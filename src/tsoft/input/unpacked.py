"""Unpacking an input as it arrives: the content of a gzip file, and text in UTF-16 or UTF-32 as UTF-8."""

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from tsoft.errors import InputError
from tsoft.input.streams import Pieces, with_start

_GZIP = b"\x1f\x8b"
# Byte order marks. That of UTF-32 starts with that of UTF-16.
_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_FIRST_BYTES, _NEEDED = b"\x1f\xff\xfe\0", 4
# The most bytes to read, or to unpack, at once.
_CHUNK = 1 << 18
# A file that unpacks to more than SMALL_FILE bytes, and to more than LARGEST_RATIO times its size, may be a bomb.
SMALL_FILE, LARGEST_RATIO = 1 << 28, 64


def unpacked(stream: BinaryIO, source: str) -> BinaryIO:
    """Return the content of a stream, as UTF-8 if it starts with the byte order mark of UTF-16 or UTF-32.

    Reading it raises InputError if the gzip file is damaged or may be a bomb, or the text is not in its encoding.

    >>> unpacked(io.BytesIO("2 1".encode("utf-16")), "FILE").read()
    b'2 1'
    """
    head, stream = with_start(stream, _suffices)
    if head.startswith(_GZIP):
        content = io.BufferedReader(Pieces(_gunzipped(stream, source)))
        head, stream = with_start(content, _suffices)
    for mark, encoding in _ENCODINGS.items():
        if head.startswith(mark):
            return io.BufferedReader(Pieces(_as_utf8(stream, encoding, source)))
    return stream


def _suffices(head: bytes) -> bool:
    return bool(head) and (head[:1] not in _FIRST_BYTES or len(head) >= _NEEDED)


def _gunzipped(stream: BinaryIO, source: str) -> Iterator[bytes]:
    """Yield the content of a gzip file, which consists of one or more members, and zeros at the end."""
    import zlib

    packed_size = size = 0
    data = b""
    try:
        while data or (data := stream.read1(_CHUNK)):  # type: ignore[attr-defined]
            packed_size += len(data)
            member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            while not member.eof:
                if not data:
                    data = stream.read1(_CHUNK)  # type: ignore[attr-defined]
                    packed_size += len(data)
                    if not data:
                        raise InputError(f"{source}: the gzip file is cut off; copy it again")
                piece = member.decompress(data, _CHUNK)
                data = member.unconsumed_tail
                size += len(piece)
                if size > max(SMALL_FILE, LARGEST_RATIO * packed_size):
                    problem = f"{packed_size} bytes of gzip unpack to more than {size / 1e9:.1f} GB, like a zip bomb"
                    raise InputError(f"{source}: {problem}; if you trust the file, unpack it with gunzip")
                yield piece
            packed_size -= len(member.unused_data)
            data = member.unused_data.lstrip(b"\0")
            if not data:
                data = _without_zeros(stream)
    except zlib.error as error:
        raise InputError(f"{source}: the gzip file is damaged ({error}); copy it again") from None


def _without_zeros(stream: BinaryIO) -> bytes:
    """Return the next bytes of a stream after zeros; empty at the end."""
    while data := stream.read1(_CHUNK):  # type: ignore[attr-defined]
        if rest := bytes(data).lstrip(b"\0"):
            return rest
    return b""


def _as_utf8(stream: BinaryIO, encoding: str, source: str) -> Iterator[bytes]:
    """Yield a text in this encoding as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while data := stream.read1(_CHUNK):  # type: ignore[attr-defined]
            yield decoder.decode(data).encode()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: not {encoding} text ({error.reason}); save it as UTF-8") from None
