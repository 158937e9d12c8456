"""Reading whole files up to a limit: stdin and devices may not end."""

from collections.abc import Iterator
from typing import BinaryIO

from tsoft.errors import InputError

_BLOCK = 1 << 20


def size_text(size: int) -> str:
    """Return a number of bytes, a multiple of 2**20, in words.

    >>> size_text(64 << 20), size_text(1 << 30)
    ('64 MB', '1 GB')
    """
    return f"{size >> 30} GB" if size % (1 << 30) == 0 else f"{size >> 20} MB"


def read_limited(stream: BinaryIO, limit: int, source: str, kind: str) -> bytes:
    """Return the rest of a stream. Raise InputError for more than `limit` bytes, a multiple of 2**20, which `kind`
    names: a text, or a list of labels."""
    data = read_at_most(stream, limit + 1)
    check_size(len(data), limit, source, kind)
    return data


def check_size(size: int, limit: int, source: str, kind: str) -> None:
    """Raise InputError for more bytes than the limit, as `read_limited` does."""
    if size > limit:
        raise InputError(f"{source}: the {kind} is larger than {size_text(limit)}; pass a shorter one")


def read_at_most(stream: BinaryIO, count: int) -> bytes:
    """Return the next `count` bytes of a stream, or fewer at its end.

    >>> import io
    >>> read_at_most(io.BytesIO(b"cat"), 2)
    b'ca'
    """
    return b"".join(_blocks(stream, count))


def _blocks(stream: BinaryIO, count: int) -> Iterator[bytes]:
    # A single read would allocate memory for all bytes that may come.
    while count > 0 and (block := stream.read(min(count, _BLOCK))):
        count -= len(block)
        yield block
