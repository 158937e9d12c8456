"""Reading the lines of a text in batches, as they arrive.

A batch is the data that one read returns, up to the last newline, so tsoft reads a slow producer's first line at once.
"""

import codecs
import re
import select
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from tsoft.errors import InputError, shortened
from tsoft.input import fast_numbers, fields, number_workers
from tsoft.input.limits import size_text
from tsoft.input.read_options import ReadOptions
from tsoft.input.streams import LONGEST_BLANK
from tsoft.input.utf8 import decode_text

CHUNK = 1 << 18
# Larger batches would only need more memory.
MOST_CHUNKS = 3
# After a read of fewer bytes, the next ones have probably not arrived yet. A full pipe has twice as many.
MUCH = 1 << 15
# The first character of a line that is neither blank nor only a comment, or of an error of a spreadsheet.
_CONTENT = re.compile(rb"^[^\S\n]*(?:[^\s#]|#[A-Za-z])", re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """A line without its comment and surrounding blanks. `number` counts from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class LineBatch:
    """Lines that arrived together. `data` is their bytes without the last newline; `number` is the first line's number,
    from 1. A worker may parse their numbers `ahead`."""

    data: bytes
    number: int
    options: ReadOptions
    ahead: number_workers.ParsedAhead | None = None

    @property
    def count(self) -> int:
        return self.data.count(b"\n") + 1

    def lines(self) -> Iterator[Line]:
        """Yield the lines, including blank ones, but not those with only a comment. Raise InputError at the first line
        that is not UTF-8 text."""
        for number, data in enumerate(self.data.split(b"\n"), self.number):
            line = decode_text(data, self.options.source, number)
            content = fields.without_comment(line)
            if content != line:
                self._check_comment(content, line[len(content) :], number)
            text = content.strip()
            if "\r" in text:
                raise self.options.error(
                    number, "carriage return inside the line; convert the line endings with tr '\\r' '\\n'"
                )
            if text or not line.strip():
                yield Line(number, text)

    def _check_comment(self, content: str, comment: str, number: int) -> None:
        """Raise InputError for a comment after a separator, which would leave an empty field. Readers of `label=number`
        have an error of their own."""
        is_tab_separated = "\t" in content.strip() and comment[1:2] != " "
        separators = (",", ";", "\t") if is_tab_separated else (",", ";")
        if content.strip() and content.rstrip(" ").endswith(separators) and not fields.is_pair(comment.strip()):
            text = shortened(re.split("[,;\t]", comment)[0].strip())
            raise self.options.error(number, f"{text!r} starts a comment; if it is a field, write it in quotes")

    def comments(self) -> Iterator[tuple[int, str]]:
        """Yield the lines that are only a comment, with their numbers."""
        if b"#" in self.data:
            for number, data in enumerate(self.data.split(b"\n"), self.number):
                text = data.decode(errors="replace").strip()
                if text and not fields.without_comment(text):
                    yield number, text

    def comment_before(self, number: int) -> str | None:
        """Return the text of the comment that is the line before line `number`; None if there is no comment."""
        return next((text.lstrip("#").strip() for line, text in self.comments() if line == number - 1), None)

    def is_blank(self) -> bool:
        """Return whether all lines are blank or only a comment. May be False for a comment that is not ASCII."""
        return self.data.isascii() and b"\0" not in self.data and not _CONTENT.search(self.data)

    def with_hash_column(self) -> "LineBatch":
        """Return the same lines, except that a first line such as `#,cat,dog` is a header without its first name, and
        not a comment."""
        return replace(self, data=self.data[1:], ahead=None) if re.match(rb"#[,;\t]", self.data) else self

    def first(self) -> Line | None:
        """Return the first line that is not blank, if there is one."""
        return next((line for line in self.lines() if line.text), None)

    def starts_with_tab(self, number: int) -> bool:
        """Return whether line `number` starts with a tab, which the text of a line does not show."""
        return self.data.split(b"\n", number - self.number + 1)[number - self.number].startswith(b"\t")

    def since(self, number: int) -> "LineBatch | None":
        """Return the lines from line `number` on; None if the batch ends before it."""
        *before, rest = self.data.split(b"\n", number - self.number)
        return LineBatch(rest, number, self.options) if len(before) == number - self.number else None

    def plain_text(self) -> str | None:
        """Return the text with newlines as the only line ends; None if it is not text, or too short for the faster
        parser to pay off."""
        data = self.data.replace(b"\r\n", b"\n").removesuffix(b"\r")
        if len(data) < fast_numbers.MIN_BYTES or b"\r" in data or b"\0" in data:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            return None

    def numbers(self) -> fast_numbers.NumberLines | None:
        """Return the numbers of the lines; None if the lines contain anything else, or few numbers."""
        if len(self.data) < fast_numbers.MIN_BYTES:
            return None
        return number_workers.parse(self.data) if self.ahead is None else self.ahead.result()


def line_batches(stream: BinaryIO, options: ReadOptions, longest: int | None = None) -> Iterator[LineBatch]:
    """Yield the whole lines that have arrived, one batch per read. Raise InputError for a line of more than `longest`
    bytes, by default that of the options."""
    number = 1
    parts: list[bytes] = []
    size, longest = 0, longest or options.longest_line
    # These have arrived, and workers parse them.
    waiting: deque[tuple[LineBatch, number_workers.ParsedAhead]] = deque()
    try:
        while chunk := _arrived(stream):
            head, newline, tail = chunk.rpartition(b"\n")
            size += chunk.find(b"\n") if newline else len(chunk)
            if size > longest:
                problem = f"the line is longer than {size_text(longest)}"
                raise options.error(number, f"{problem}; write one row per line, or pass {options.longer_lines}")
            if newline:
                batch = LineBatch(_without_mark(b"".join([*parts, head]), number), number, options)
                number, parts, size = number + batch.count, [], len(tail)
                if waiting and len(waiting) == number_workers.most_ahead():
                    # The worker that parsed the first one can parse this one while the first one is in use.
                    waiting[0][1].fetch()
                ahead = number_workers.ParsedAhead(batch.data)
                waiting.append((replace(batch, ahead=ahead), ahead))
            parts.append(tail)
            # What has arrived is used before the next read may wait.
            while waiting and (len(waiting) > number_workers.most_ahead() or not _has_more(stream)):
                yield from _used(*waiting.popleft())
    except (OSError, InputError):
        for each in waiting:
            yield from _used(*each)
        raise
    for each in waiting:
        yield from _used(*each)
    if rest := b"".join(parts):
        yield LineBatch(_without_mark(rest, number), number, options)


def _used(batch: LineBatch, ahead: number_workers.ParsedAhead) -> Iterator[LineBatch]:
    """Yield a batch. Afterwards, the worker that parsed its numbers is idle, even if nobody needed them."""
    yield batch
    ahead.fetch()


def _arrived(stream: BinaryIO) -> bytes:
    """Return the bytes that have arrived, more of them if several processes share the work. Wait for the first one."""
    # read1 returns the available bytes; read would wait for a whole chunk.
    chunk: bytes = stream.read1(CHUNK)  # type: ignore[attr-defined]
    chunks, size = [chunk], len(chunk)
    most = CHUNK * min(number_workers.processes(), MOST_CHUNKS)
    while size < most and len(chunk) >= MUCH and _has_more(stream):
        chunk = stream.read1(CHUNK)  # type: ignore[attr-defined]
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _has_more(stream: BinaryIO) -> bool:
    """Return whether the next read does not wait, as far as the system knows it."""
    try:
        return bool(select.select([stream], [], [], 0)[0])
    except (OSError, ValueError):
        # There is no descriptor, or the system cannot ask about it.
        return False


class Skipped:
    """Counts the blank lines and comments before another line. A stream of them may not end."""

    def __init__(self, options: ReadOptions):
        self._options, self._bytes = options, 0

    def add(self, lines: bytes) -> None:
        """Add one or more lines. Raise InputError if there are too many bytes."""
        self._bytes += len(lines) + 1
        if self._bytes > LONGEST_BLANK:
            problem = f"no numbers in the first {LONGEST_BLANK >> 20} MB, only blank lines or comments"
            raise InputError(f"{self._options.source}: {problem}; remove them")


def _without_mark(data: bytes, number: int) -> bytes:
    """Return data that starts on line `number`, without a byte order mark at the start of line 1."""
    return data.removeprefix(codecs.BOM_UTF8) if number == 1 else data
