"""The lines of a text, in the batches in which they arrive.

A batch is what one read returns, up to its last newline, so that a slow producer's first line is read at once.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tsoft.input import fast_numbers, fields
from tsoft.input.read_options import ReadOptions

CHUNK = 1 << 18


@dataclass(frozen=True)
class Line:
    """A line without its comment and the blanks around it. `number` counts from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class LineBatch:
    """Lines that arrived together, as bytes without the last newline, and the number of the first line."""

    data: bytes
    number: int
    options: ReadOptions

    @property
    def count(self) -> int:
        return self.data.count(b"\n") + 1

    def lines(self) -> Iterator[Line]:
        """The lines, blank ones among them, but without those that hold only a comment. Raises InputError at the
        first line that is not UTF-8 text."""
        for number, data in enumerate(self.data.split(b"\n"), self.number):
            line = decoded(data, self.options, number)
            text = fields.without_comment(line).strip()
            if "\r" in text:
                raise self.options.error(
                    number, "a carriage return inside the line; tr '\\r' '\\n' mends old line ends"
                )
            if text or not line.strip():
                yield Line(number, text)

    def first(self) -> Line | None:
        """The first line that is not blank."""
        return next((line for line in self.lines() if line.text), None)

    def since(self, number: int) -> "LineBatch | None":
        """The lines from the one with this number on; None if the batch ends before it."""
        *before, rest = self.data.split(b"\n", number - self.number)
        return LineBatch(rest, number, self.options) if len(before) == number - self.number else None

    def plain_text(self) -> str | None:
        """The text, with newlines as the only line ends; None if it is not text, or too short to matter."""
        data = self.data.replace(b"\r\n", b"\n").removesuffix(b"\r")
        if len(data) < fast_numbers.FEW_BYTES or b"\r" in data or b"\0" in data:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            return None

    def numbers(self) -> fast_numbers.NumberLines | None:
        """The numbers of the lines; None if these hold anything else, or few numbers."""
        return fast_numbers.parse(self.data) if len(self.data) >= fast_numbers.FEW_BYTES else None


def decoded(data: bytes, options: ReadOptions, number: int = 1) -> str:
    """The text of lines, of which the first has that number. Raises InputError at the first byte that is not UTF-8
    text."""
    try:
        text = data.decode()
        if "\0" not in text:
            return text
        position, problem = data.index(0), "a NUL byte"
    except UnicodeDecodeError as error:
        position, problem = error.start, f"byte 0x{data[error.start]:02x}"
    hint = "; it looks like UTF-16" if b"\0" in data else ""
    raise options.error(number + data.count(b"\n", 0, position), f"not UTF-8 text: {problem}{hint}")


def line_batches(stream: BinaryIO, options: ReadOptions) -> Iterator[LineBatch]:
    """The whole lines that have arrived, one batch per read."""
    number = 1
    parts: list[bytes] = []
    # read1 returns what is available; read would wait for a whole chunk.
    while chunk := stream.read1(CHUNK):  # type: ignore[attr-defined]
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            parts.append(tail)
            continue
        batch = LineBatch(_without_mark(b"".join([*parts, head]), number), number, options)
        yield batch
        number, parts = number + batch.count, [tail]
    if rest := b"".join(parts):
        yield LineBatch(_without_mark(rest, number), number, options)


def _without_mark(data: bytes, number: int) -> bytes:
    """Data that begins on that line, without a byte order mark in the first."""
    return data.removeprefix(codecs.BOM_UTF8) if number == 1 else data
