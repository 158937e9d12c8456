"""The lines of a text, as they arrive.

A slow producer's first line comes out at once: what has arrived whole leaves in a batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tsoft.formats import fields
from tsoft.formats.read import Reading

CHUNK = 1 << 18


@dataclass(frozen=True)
class Line:
    """A line without its comment and the blanks around it, and its number from 1."""

    number: int
    text: str


def batches_of(stream: BinaryIO, reading: Reading) -> Iterator[list[Line]]:
    """The lines that have arrived whole, a batch a read. A line that is only a comment is left
    out; a blank one is kept, empty. Raises InputError for what is not text."""
    number = 1
    parts: list[bytes] = []
    # read1 gives what there is; read would wait for a whole chunk.
    while chunk := stream.read1(CHUNK):  # type: ignore[attr-defined]
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            parts.append(tail)
            continue
        lines = _decode(b"".join(parts) + head, number, reading).split("\n")
        yield _lines(lines, number, reading)
        number, parts = number + len(lines), [tail]
    if rest := b"".join(parts):
        yield _lines([_decode(rest, number, reading)], number, reading)


def _decode(data: bytes, number: int, reading: Reading) -> str:
    try:
        text = data.decode("utf-8-sig" if number == 1 else "utf-8")
        place = text.find("\0")
        if place < 0:
            return text
        line, problem = text.count("\n", 0, place), "a NUL byte"
    except UnicodeDecodeError as error:
        line, problem = data.count(b"\n", 0, error.start), f"byte 0x{data[error.start]:02x}"
    hint = "; it looks like UTF-16" if b"\0" in data else ""
    raise reading.error(number + line, f"not UTF-8 text: {problem}{hint}") from None


def _lines(texts: list[str], number: int, reading: Reading) -> list[Line]:
    lines = []
    for i, text in enumerate(texts, number):
        said = fields.without_comment(text).strip()
        if "\r" in said:
            raise reading.error(i, "a carriage return inside the line; tr '\\r' '\\n' mends old line ends")
        if said or not text.strip():
            lines.append(Line(i, said))
    return lines
