"""Distributions as one array, for the formats of arrays."""

import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.output.distribution_records import Content
from tsoft.sampling.distributions import Distributions


@dataclass(frozen=True, eq=False)
class DistributionArray:
    """Distributions as one array of probabilities or, according to `content`, their logarithms.

    Its axes are those of the rows, the temperatures `taus` if there are several, and the classes. `note` is called with
    each note to the user. `keys` are those of the rows that `same_classes` has yielded, if the rows have keys.
    """

    results: Iterator[Distributions]
    taus: Array
    content: Content
    note: Callable[[str], None]
    keys: list[str | int] = field(default_factory=list)

    def name(self, first: Distributions) -> str:
        """Return the name of the array. That of an API response says if it has only the listed tokens."""
        return ("log_probs" if self.content.log else "probs") + "_listed" * (not first.exact.all())

    def pieces(self, first: Distributions) -> Iterator[Array]:
        """Yield the array in pieces, (rows, temperatures, classes), starting with the first result. A piece of one row
        may have only some of the temperatures; the others follow. All pieces have the type of the first one. Raise
        InputError if a result has other classes, or a type that the first one cannot hold exactly."""
        type = self.cells(first).dtype
        # The header of an .npy, which comes first, has the type.
        return (self.cells(result).astype(type, casting="safe", copy=False) for result in self.same_classes(first))

    def cells(self, result: Distributions) -> Array:
        """Return the numbers of a result, (rows, temperatures, classes)."""
        return self.content.cells(result).swapaxes(0, 1)

    def same_classes(self, first: Distributions) -> Iterator[Distributions]:
        """Yield the results, starting with the first. Raise InputError if a result has other classes, or a type that
        the type of the first one cannot hold exactly."""
        classes, type = (first.block.labels, first.block.logits.shape[1]), first.block.logits.dtype
        next_row = 0
        for result in itertools.chain([first], self.results):
            if (result.block.labels, result.block.logits.shape[1]) != classes:
                problem = f"{result.block.location}: the classes differ from those of the first row"
                raise InputError(f"{problem}; use --format jsonl")
            if not np.can_cast(result.block.logits.dtype, type):
                wider = result.block.logits.dtype
                problem = f"{wider} numbers after {type}, in which they would lose digits"
                raise InputError(
                    f"{result.block.location}: {problem}; list the files of {wider} first, or use --format jsonl"
                )
            # A row with many classes and temperatures has several results.
            if result.block.first_row >= next_row:
                self.keys.extend(result.block.keys or ())
            next_row = result.block.rows.stop
            yield result

    def header(self, first: Distributions, axes: tuple[int, ...]) -> bytes:
        """Return the header of an .npy, with room for any number of rows."""
        taus = () if len(self.taus) == 1 else (len(self.taus),)
        buffer = io.BytesIO()
        header = {
            "descr": np.lib.format.dtype_to_descr(self.content.cells(first).dtype),
            "fortran_order": False,
            "shape": (*axes, *taus, first.block.logits.shape[1]),
        }
        np.lib.format.write_array_header_1_0(buffer, header)
        return buffer.getvalue()

    def rows(self, first: Distributions, numbers: int) -> int:
        """Return the number of rows that `numbers` numbers fill."""
        return int(numbers // (len(self.taus) * first.block.logits.shape[1]))
