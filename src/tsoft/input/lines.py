"""The lines of a text, as they arrive.

A slow producer's first line comes out at once: what has arrived whole leaves in a batch.
"""

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tsoft.core.softmax import Array
from tsoft.input import fast_numbers, fields
from tsoft.input.reading import Reading

CHUNK = 1 << 18


@dataclass(frozen=True)
class Line:
    """A line without its comment and the blanks around it, and its number from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Batch:
    """Lines that have arrived together, as bytes without the last one's end, and the first one's
    number. What is not text is an error when they are asked for."""

    data: bytes
    number: int
    reading: Reading

    @property
    def count(self) -> int:
        return self.data.count(b"\n") + 1

    def lines(self) -> list[Line]:
        """The lines. One that is only a comment is left out; a blank one is kept, empty."""
        return list(_lines(_decode(self.data, self.number, self.reading).split("\n"), self.number, self.reading))

    def first(self) -> Line | None:
        """The first line that says something."""
        odd = not self.data.isascii() or b"\0" in self.data or b"\r" in self.data.replace(b"\r\n", b"\n")
        lines = self.lines() if odd else _lines(_parted(self.data), self.number, self.reading)
        return next((line for line in lines if line.text), None)

    def since(self, number: int) -> "Batch | None":
        """The lines from the one of that number on; None where that comes after them."""
        start = 0
        for _ in range(number - self.number):
            start = self.data.find(b"\n", start) + 1
            if not start:
                return None
        return Batch(self.data[start:], number, self.reading)

    def plain_text(self) -> str | None:
        """The text, its lines parted by newlines alone; None where it is none, or too short to matter."""
        data = self.data.replace(b"\r\n", b"\n").removesuffix(b"\r")
        if len(data) < fast_numbers.FEW_BYTES or b"\r" in data or b"\0" in data:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            return None

    def numbers(self) -> tuple[Array, Array] | None:
        """The numbers of plain lines, and how many each has; None where these are not plain, or few."""
        return fast_numbers.parse(self.data) if len(self.data) >= fast_numbers.FEW_BYTES else None


def batches_of(stream: BinaryIO, reading: Reading) -> Iterator[Batch]:
    """The lines that have arrived whole, a batch a read."""
    number = 1
    parts: list[bytes] = []
    # read1 gives what there is; read would wait for a whole chunk.
    while chunk := stream.read1(CHUNK):  # type: ignore[attr-defined]
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            parts.append(tail)
            continue
        batch = Batch(_unmarked(b"".join([*parts, head]), number), number, reading)
        yield batch
        number, parts = number + batch.count, [tail]
    if rest := b"".join(parts):
        yield Batch(_unmarked(rest, number), number, reading)


def _unmarked(data: bytes, number: int) -> bytes:
    return data.removeprefix(codecs.BOM_UTF8) if number == 1 else data


def _parted(data: bytes) -> Iterator[str]:
    """The lines of plain text, each only when it is asked for."""
    start = 0
    while (stop := data.find(b"\n", start)) >= 0:
        yield data[start:stop].decode()
        start = stop + 1
    yield data[start:].decode()


def _decode(data: bytes, number: int, reading: Reading) -> str:
    try:
        text = data.decode()
        place = text.find("\0")
        if place < 0:
            return text
        line, problem = text.count("\n", 0, place), "a NUL byte"
    except UnicodeDecodeError as error:
        line, problem = data.count(b"\n", 0, error.start), f"byte 0x{data[error.start]:02x}"
    hint = "; it looks like UTF-16" if b"\0" in data else ""
    raise reading.error(number + line, f"not UTF-8 text: {problem}{hint}") from None


def _lines(texts: Iterable[str], number: int, reading: Reading) -> Iterator[Line]:
    for i, text in enumerate(texts, number):
        said = fields.without_comment(text).strip()
        if "\r" in said:
            raise reading.error(i, "a carriage return inside the line; tr '\\r' '\\n' mends old line ends")
        if said or not text.strip():
            yield Line(i, said)
