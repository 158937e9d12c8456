"""The horizontal axes of charts, of temperatures or steps, and round numbers for any axis."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, floor, log10

import numpy as np

from tsoft.core.softmax import Array

# Larger numbers are not drawn, since their differences could overflow.
HUGE = 1e300
# Positions that differ by less count as equal, so that a number at a cell's edge falls on the same side in each chart.
CLOSE = 1e-9

Tick = tuple[float, str]


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis of nonnegative numbers, `columns` wide, from the lowest to the highest number
    that it can show. A log axis cannot show 0, and no axis can show inf. A single number is in the middle. The
    `name` is at the right end; the `reference` number has a mark."""

    numbers: Array
    columns: int
    log: bool
    name: str
    reference: float | None = None

    @property
    def margin(self) -> int:
        """The width of the name and the blank before it."""
        return 1 + len(self.name)

    @property
    def reference_column(self) -> int | None:
        return None if self.reference is None else self.column(self.reference)

    @cached_property
    def valid(self) -> Array:
        """A mask of the numbers that the axis can show."""
        finite = self.numbers <= HUGE
        return np.asarray(finite & (self.numbers > 0) if self.log else finite)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest number that the axis can show."""
        numbers = self.numbers[self.valid]
        return float(numbers.min()), float(numbers.max())

    def fractions(self, numbers: Array) -> Array:
        """Return the positions of numbers: 0 at the left end, 1 at the right."""
        low, high = np.log10(self.ends) if self.log else self.ends
        places = np.log10(numbers) if self.log else numbers
        return np.asarray((places - low) / (high - low) if low < high else np.full(np.shape(numbers), 0.5))

    def column(self, value: float) -> int | None:
        """Return the column of a number, or None if it is not on the axis."""
        low, high = self.ends
        if not low <= value <= high:
            return None
        return cell_index(float(self.fractions(np.array([value]))[0]), self.columns)

    def value(self, column: int) -> float:
        """Return the number in the middle of a column."""
        low, high = np.log10(self.ends) if self.log else self.ends
        place = low + (high - low) * (column + 0.5) / self.columns
        return float(10**place if self.log else place)

    def lines(self, left: int, right: int) -> list[str]:
        """Return the line of the axis and the line of its numbers, with `left` columns before them and `right`
        columns, at least the margin, after them."""
        width = left + 1 + self.columns + right
        labels = self._tick_labels(left, width)
        marks = ["─"] * self.columns
        for column in labels:
            marks[column] = "┬"
        if self.reference_column is not None:
            marks[self.reference_column] = "┼"
        numbers = ""
        for column, text in sorted(labels.items()):
            start, _ = _span(left + 1 + column, text, width)
            numbers = numbers.ljust(start) + text
        return [" " * left + "└" + "".join(marks) + f" {self.name}", numbers]

    def _tick_labels(self, left: int, width: int) -> dict[int, str]:
        """Return the numbers under the axis by column: the reference, and as many round numbers as fit with gaps
        between them, without those that would touch the reference."""
        for ticks in self._tick_sets():
            spans = [_span(left + 1 + column, text, width) for column, text in self._by_column(ticks)]
            if all(a[1] + 3 <= b[0] for a, b in pairwise(spans)):
                break
        labels: dict[int, str] = {}
        reference = [] if self.reference is None else [(self.reference, tick_text(self.reference))]
        for column, text in self._by_column([*reference, *ticks]):
            start, stop = _span(left + 1 + column, text, width)
            others = [_span(left + 1 + other, text, width) for other, text in labels.items()]
            if stop <= width and all(stop < first or last < start for first, last in others):
                labels[column] = text
        return labels

    def _by_column(self, ticks: Sequence[Tick]) -> list[tuple[int, str]]:
        """Return the column and the text of each tick that is on the axis."""
        columns = [(self.column(value), text) for value, text in ticks]
        return [(column, text) for column, text in columns if column is not None]

    def _tick_sets(self) -> list[list[Tick]]:
        """Return sets of round numbers on the axis, from the largest set to the smallest, which may not fit either."""
        low, high = self.ends
        if low == high:
            return [[(low, tick_text(low))]]
        if self.log:
            decades = range(floor(log10(low)), ceil(log10(high)) + 1)
            sets = [_in_decades(digits, decades) for digits in ((1, 2, 5), (1, 3))]
            sets += [_in_decades((1,), [d for d in decades if d % n == 0]) for n in (1, 2, 3, 5, 10, 20, 50, 100)]
            if len(self._by_column(sets[0])) > 1:
                return sets
        return [round_ticks(low, high, max_steps) for max_steps in range(max(1, self.columns // 8), 0, -1)]


@dataclass(frozen=True)
class TauAxis(Axis):
    """An axis of temperatures, with a mark at τ = 1."""

    name: str = "τ"
    reference: float | None = 1.0


@dataclass(frozen=True)
class StepAxis(Axis):
    """An axis of the steps of a schedule, with ticks at whole numbers only."""

    name: str = "step"

    def _tick_sets(self) -> list[list[Tick]]:
        return [[tick for tick in ticks if tick[0] == round(tick[0])] for ticks in super()._tick_sets()]


def _in_decades(digits: Sequence[int], decades: Sequence[int]) -> list[Tick]:
    """Return digits times powers of ten, without those that overflow or underflow."""
    values = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
    return [(value, tick_text(value)) for value in values if 0 < value < float("inf")]


def _span(column: int, text: str, width: int) -> tuple[int, int]:
    """Return the first column of a text that is centered under a column, as far as the width allows, and the
    column after the text."""
    start = max(0, min(column - len(text) // 2, width - len(text)))
    return start, start + len(text)


def cell_index(fraction: float, count: int) -> int:
    """Return the index of the cell that contains a fraction, if [0, 1] is divided into `count` equal cells."""
    return min(count - 1, max(0, floor(fraction * count + CLOSE)))


def round_ticks(low: float, high: float, max_steps: int) -> list[Tick]:
    """Return the multiples of a round number from `low` to `high`, at most `max_steps` steps.

    >>> round_ticks(0, 1, 4)
    [(0.0, '0'), (0.25, '0.25'), (0.5, '0.5'), (0.75, '0.75'), (1.0, '1')]
    """
    step = round_step((high - low) / max_steps)
    first, last = ceil(low / step - CLOSE), floor(high / step + CLOSE)
    digits = max(6, ceil(log10(max(abs(low), abs(high), step) / step)) + 2)
    return [(k * step, tick_text(k * step, digits)) for k in range(first, last + 1)]


def round_step(minimum: float) -> float:
    """Return the lowest of 1, 2, 2.5 and 5 times a power of ten that is at least `minimum`."""
    minimum = max(minimum, 1 / HUGE) * (1 - CLOSE)
    power = floor(log10(minimum))
    return next(step for part in (1, 2, 2.5, 5, 10) if (step := float(f"{part}e{power}")) >= minimum)


def tick_text(value: float, digits: int = 6) -> str:
    """Return a number as text, with a short exponent.

    >>> tick_text(2e7), tick_text(1e-8)
    ('2e7', '1e-8')
    """
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{value + 0.0:.{digits}g}")
