"""Opening an input: a file or stdin."""

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from tsoft.errors import InputError, joined
from tsoft.input.streams import WaitingFile, with_start
from tsoft.input.unpacked import unpacked

STDIN = "stdin"

# The first characters of a number, and how many bytes are enough to recognize any format.
_NUMBER, _NEEDED = b"+-.0123456789", 256
# The start of a stream of server-sent events may be many comments, with which a server keeps a connection open. The
# first event identifies it.
_COMMENTS, _NEEDED_COMMENTS = (b":", b"id:", b"retry:"), 4096
_EVENTS = (b"\ndata:", b"\nevent:")


def with_head(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """Return enough of a stream's first bytes to recognize its format, and the stream from its start.

    If the stream starts with a line or a number, only the bytes that have arrived are read, without waiting for more.
    """
    return with_start(stream, _suffices)


def _suffices(head: bytes) -> bool:
    """Return whether these bytes are enough to recognize the format."""
    text, is_binary = head.lstrip(), b"\0" in head
    if text.startswith(_COMMENTS) and not is_binary and not any(start in text for start in _EVENTS):
        return len(text) >= _NEEDED_COMMENTS
    is_line = bool(text) and (text[:1] in _NUMBER or b"\n" in text) and not is_binary
    return is_line or len(text) >= _NEEDED


def stdin_conflict(readers: Sequence[str]) -> str:
    """Return the message for several options that read stdin."""
    return f"only one of {joined(readers)} can read stdin; pass files or arguments for the others"


@contextlib.contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    """Open a file, or stdin for `-`, as bytes: the content of a gzip file, and UTF-16 text as UTF-8.

    Turns an OSError inside the context into an InputError.
    """
    source = STDIN if name == "-" else name
    try:
        if name == "-":
            if sys.stdin is None:
                raise InputError(f"{STDIN}: closed; read a file with -i FILE")
            file = WaitingFile(sys.stdin.fileno(), closefd=False)
        else:
            file = WaitingFile(name)
        with io.BufferedReader(file) as stream:
            yield unpacked(stream, source)
    except OSError as error:
        raise InputError(f"{source}: {error.strerror or error}") from None
