"""Bare numbers for cut, awk and the shell, out: a line for each row and temperature."""

from collections.abc import Iterable, Iterator

from tsoft.core.block import Distributions
from tsoft.formats.write import Writing


def write(results: Iterable[Distributions], writing: Writing) -> Iterator[str]:
    """A line for each row at each temperature, which a sweep puts first. The long form has a header."""
    if writing.long:
        from tsoft.formats.csv import write_long

        yield from write_long(results, writing, "\t")
        return
    for result in results:
        keys = [text + "\t" for text in writing.texts(result.taus)] if writing.before else [""] * len(result.taus)
        values = writing.values(result).swapaxes(0, 1)
        lines = (key + "\t".join(writing.texts(at)) for row in values for key, at in zip(keys, row, strict=True))
        yield "".join(line + "\n" for line in lines)
