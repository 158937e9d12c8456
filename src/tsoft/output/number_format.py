"""Writing numbers as text."""

from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.frozen import frozen
from tsoft.input import fast_numbers, number_workers


@frozen
class NumberFormat:
    """A format for numbers: `digits` significant digits or, if None, the shortest text that reads back exactly."""

    digits: int | None = None

    def text(self, value: float) -> str:
        return self.texts(np.array([value]))[0]

    def texts(self, values: Array) -> list[str]:
        """Return the text of each number, (n,)."""
        if self.digits is not None:
            return [f"{value:.{self.digits}g}" for value in values.tolist()]
        if values.dtype != np.float64:
            return fast_numbers.narrow_texts(values)
        return fast_numbers.texts(values) or [fast_numbers.text(value) for value in values.tolist()]

    def lines(self, values: Array, widths: Array | None = None) -> bytes:
        """Return one line per row of numbers, (rows, n), with tabs between the numbers. `widths`, (rows,), is the count
        of numbers in each row if the rows differ."""
        lines = number_workers.lines(values, widths, self.digits)
        if lines is None:
            rows = values if widths is None else (row[:width] for row, width in zip(values, widths, strict=True))
            lines = "".join("\t".join(self.texts(row)) + "\n" for row in rows).encode()
        return lines

    def json(self, value: Any) -> Any:
        """Return a value that orjson can write.

        Infinities become strings, since JSON has no numbers for them, and NaN becomes null, also inside arrays, lists
        and dictionaries. Other values do not change.
        """
        if isinstance(value, dict):
            return {name: self.json(element) for name, element in value.items()}
        if isinstance(value, list | tuple) and value and not isinstance(value[0], str):
            return [self.json(element) for element in value]
        if isinstance(value, np.ndarray):
            exact = value.dtype.kind in "iub" or (self.digits is None and np.isfinite(value).all())
            return np.ascontiguousarray(value) if exact else [self.json(element) for element in value]
        if not isinstance(value, float | np.floating):
            return value
        if not np.isfinite(value):
            return None if np.isnan(value) else repr(float(value))
        return float(value) if self.digits is None else float(self.text(float(value)))
