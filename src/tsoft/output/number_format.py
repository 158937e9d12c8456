"""How results are written: what every writer is told, and numbers as text."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from tsoft.core.softmax import Array
from tsoft.input import fast_numbers
from tsoft.sampling.distributions import Distributions, measure_unit


@dataclass(frozen=True)
class NumberFormat:
    """What is written of a result. `digits` None is every digit that reading back needs; `show`
    None is every class; `extras` are the fields that json has besides; a sweep's tsv has τ `before`
    its numbers, and its csv the measures. An array's shape needs all the `taus`; `over` writes at places
    that were written before, where the output is a file; `note` tells the user something that is no error."""

    log: bool = False
    digits: int | None = None
    long: bool = False
    show: int | None = None
    extras: frozenset[str] = frozenset()
    bits: bool = False
    before: bool = False
    taus: Array = field(default_factory=lambda: np.ones(1), compare=False)
    over: Callable[[Iterable[tuple[int, bytes | memoryview]]], None] | None = None
    note: Callable[[str], None] = lambda _: None

    def values(self, distributions: Distributions) -> Array:
        """What stands in the cells: probabilities, or their logarithms; NaN where a server says that it
        does not know one."""
        values = distributions.log_probs if self.log else distributions.probs
        given = distributions.block.partial
        return values if given is None or not given.unknown.any() else np.where(given.unknown, np.nan, values)

    def measures(self, result: Distributions, t: int, r: int) -> list[float]:
        """A row's measures at a temperature, in the order of their names."""
        return [float(getattr(result, name)[t, r] / measure_unit(name, self.bits)) for name in result.measure_names]

    def texts(self, values: Array) -> list[str]:
        """Numbers as the shortest texts that read back exactly, or to so many digits."""
        if self.digits is not None:
            return [f"{value:.{self.digits}g}" for value in values.tolist()]
        if values.dtype != np.float64:
            return fast_numbers.narrow_texts(values)
        return fast_numbers.texts(values) or [fast_numbers.text(value) for value in values.tolist()]

    def lines(self, values: Array, widths: Array | None = None) -> bytes:
        """A line for each row of numbers, with tabs between them. `widths` tells how many there are in
        each, where they differ."""
        found = fast_numbers.lines(values, widths, self.digits)
        if found is None:
            rows = values if widths is None else (row[:width] for row, width in zip(values, widths, strict=True))
            found = "".join("\t".join(self.texts(row)) + "\n" for row in rows).encode()
        return found

    def text(self, value: float) -> str:
        return self.texts(np.array([value]))[0]
