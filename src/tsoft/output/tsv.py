"""Bare numbers for cut, awk and the shell, out: a line for each row and temperature."""

from collections.abc import Iterable, Iterator

import numpy as np

from tsoft.core.softmax import Array
from tsoft.output.number_format import NumberFormat
from tsoft.sampling.distributions import Distributions

# A line of more numbers than this is written in parts.
PART = 1 << 17


def write(results: Iterable[Distributions], writing: NumberFormat) -> Iterator[str | bytes]:
    """A line for each row at each temperature, which a sweep puts first. The long form has a header."""
    if writing.long:
        from tsoft.output.csv import write_long

        yield from write_long(results, writing, "\t")
        return
    for result in results:
        values = writing.values(result).swapaxes(0, 1)
        rows, taus, classes = values.shape
        widths = None if result.block.widths is None else result.block.widths.repeat(taus)
        if rows * taus == 1 and classes > PART and not writing.before:
            yield from _in_parts(values[0, 0], writing)
            continue
        lines = writing.lines(values.reshape(rows * taus, classes), widths)
        if writing.before:
            keys = [text.encode() for text in writing.texts(result.taus)] * rows
            lines = b"".join(map(b"\t".join, zip(keys, lines.splitlines(keepends=True), strict=True)))
        yield lines


def _in_parts(values: Array, writing: NumberFormat) -> Iterator[bytes]:
    """A long line, of which not all is in memory as text."""
    for start in range(0, len(values), PART):
        text = writing.lines(values[np.newaxis, start : start + PART])
        yield text if start + PART >= len(values) else text[:-1] + b"\t"
