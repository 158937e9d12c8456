"""Bare numbers for cut, awk and the shell, out: a line for each row and temperature."""

from collections.abc import Iterable, Iterator

from tsoft.core.block import Distributions
from tsoft.formats.write import Writing


def write(results: Iterable[Distributions], writing: Writing) -> Iterator[str]:
    """The lines of each block's rows, a row at every temperature. The long form has a header."""
    if writing.long:
        from tsoft.formats.csv import write_long

        yield from write_long(results, writing, "\t")
        return
    for result in results:
        values = writing.values(result).swapaxes(0, 1)
        rows = values.reshape(-1, values.shape[-1])
        yield "".join("\t".join(writing.texts(row)) + "\n" for row in rows)
