"""The lines of JSON texts, which may be values or the lines of one document."""

import itertools
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from tsoft.errors import InputError
from tsoft.input.limits import size_text
from tsoft.input.lines import Skipped, line_batches
from tsoft.input.read_options import ReadOptions

NumberedLine = tuple[int, bytes]


def numbered_lines(stream: BinaryIO, options: ReadOptions) -> Iterator[list[NumberedLine]]:
    """Yield the whole lines that have arrived, numbered from 1, one batch per read, without blank batches at the
    start. Raise InputError for a line that is longer than a document may be."""
    batches, skipped = line_batches(stream, options, options.longest_document), Skipped(options)
    for batch in batches:
        if batch.data.strip():
            batches = itertools.chain([batch], batches)
            break
        skipped.add(batch.data)
    for batch in batches:
        yield list(enumerate(batch.data.split(b"\n"), batch.number))


def joined_lines(batches: Iterable[list[NumberedLine]], options: ReadOptions) -> bytes:
    """Return the text of all lines, a document. Raise InputError if it is too long."""
    parts: list[bytes] = []
    size = 0
    for batch in batches:
        parts.append(b"\n".join(line for _, line in batch))
        size += len(parts[-1]) + 1
        if size > options.longest_document:
            problem = f"the JSON document is larger than {size_text(options.longest_document)}"
            fix = f"write one row per line, use .npy, or pass {options.longer_lines}"
            raise InputError(f"{options.source}: {problem}; {fix}")
    return b"\n".join(parts)
