"""The axes that charts share, of temperatures above all, and round numbers for any."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, floor, log10

import numpy as np

from tsoft.core.softmax import Array

# Numbers beyond this are not drawn: their differences could overflow.
HUGE = 1e300
# Positions this close are one: a number that is a cell's edge falls on the same side in every chart.
CLOSE = 1e-9

Tick = tuple[float, str]


@dataclass(frozen=True)
class Axis:
    """Numbers from 0 along so many columns: from the lowest to the highest that can be drawn, in
    equal steps of them or of their logarithms. On a log axis 0 has no place, inf on none. A single
    number stands in the middle, and nothing beside it. The axis has a name, and a line at what is `marked`."""

    numbers: Array
    columns: int
    log: bool
    name: str
    marked: float | None = None

    @property
    def margin(self) -> int:
        """The columns that its name takes on the right."""
        return 1 + len(self.name)

    @property
    def mark(self) -> int | None:
        """The column of what is marked."""
        return None if self.marked is None else self.column(self.marked)

    @cached_property
    def drawn(self) -> Array:
        """Which numbers have a place."""
        finite = self.numbers <= HUGE
        return np.asarray(finite & (self.numbers > 0) if self.log else finite)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest number that have a place."""
        numbers = self.numbers[self.drawn]
        return float(numbers.min()), float(numbers.max())

    def fractions(self, numbers: Array) -> Array:
        """Where numbers of the axis are: 0 at the left end, 1 at the right."""
        low, high = np.log10(self.ends) if self.log else self.ends
        places = np.log10(numbers) if self.log else numbers
        return np.asarray((places - low) / (high - low) if low < high else np.full(np.shape(numbers), 0.5))

    def column(self, value: float) -> int | None:
        """The column of a number, None if it is not on the axis."""
        low, high = self.ends
        if not low <= value <= high:
            return None
        return cell(float(self.fractions(np.array([value]))[0]), self.columns)

    def value(self, column: int) -> float:
        """The number in the middle of a column."""
        low, high = np.log10(self.ends) if self.log else self.ends
        place = low + (high - low) * (column + 0.5) / self.columns
        return float(10**place if self.log else place)

    def lines(self, left: int, right: int) -> list[str]:
        """The axis and its numbers, after `left` columns and before `right`, at least its margin."""
        width = left + 1 + self.columns + right
        placed = self._placed(left, width)
        marks = ["─"] * self.columns
        for column in placed:
            marks[column] = "┬"
        if self.mark is not None:
            marks[self.mark] = "┼"
        numbers = ""
        for column, text in sorted(placed.items()):
            numbers = numbers.ljust(_start(left + 1 + column, text, width)) + text
        return [" " * left + "└" + "".join(marks) + f" {self.name}", numbers]

    def _placed(self, left: int, width: int) -> dict[int, str]:
        """The numbers by their columns: the closest of the round steps that leaves gaps between
        all, and what is marked, which those give way to that it would touch."""
        for ticks in self._steps():
            spans = [_span(left + 1 + column, text, width) for column, text in self._at(ticks)]
            if all(a[1] + 3 <= b[0] for a, b in pairwise(spans)):
                break
        taken: dict[int, str] = {}
        marked = [] if self.marked is None else [(self.marked, number(self.marked))]
        for column, text in [*self._at(marked), *self._at(ticks)]:
            start, stop = _span(left + 1 + column, text, width)
            others = [_span(left + 1 + other, text, width) for other, text in taken.items()]
            if stop <= width and all(stop < first or last < start for first, last in others):
                taken[column] = text
        return taken

    def _at(self, ticks: Sequence[Tick]) -> list[tuple[int, str]]:
        places = [(self.column(value), text) for value, text in ticks]
        return [(column, text) for column, text in places if column is not None]

    def _steps(self) -> list[list[Tick]]:
        """Sets of round numbers on the axis, ever fewer of them; the last may not fit."""
        low, high = self.ends
        if low == high:
            return [[(low, number(low))]]
        if self.log:
            decades = range(floor(log10(low)), ceil(log10(high)) + 1)
            found = [_in_decades(digits, decades) for digits in ((1, 2, 5), (1, 3))]
            found += [_in_decades((1,), [d for d in decades if d % n == 0]) for n in (1, 2, 3, 5, 10, 20, 50, 100)]
            if len(self._at(found[0])) > 1:
                return found
        return [round_ticks(low, high, most) for most in range(max(1, self.columns // 8), 0, -1)]


@dataclass(frozen=True)
class TauAxis(Axis):
    """Temperatures, where τ = 1 is what the model learned."""

    name: str = "τ"
    marked: float | None = 1.0


@dataclass(frozen=True)
class StepAxis(Axis):
    """The steps of a schedule, which are whole numbers."""

    name: str = "step"

    def _steps(self) -> list[list[Tick]]:
        return [[tick for tick in ticks if tick[0] == round(tick[0])] for ticks in super()._steps()]


def _in_decades(leading: Sequence[int], decades: Sequence[int]) -> list[Tick]:
    """Digits times powers of ten, without those that no float holds."""
    every = [float(f"{digit}e{decade}") for decade in decades for digit in leading]
    return [(tau, number(tau)) for tau in every if 0 < tau < float("inf")]


def _start(column: int, text: str, width: int) -> int:
    """Where a text starts that stands under a column, within the width."""
    return max(0, min(column - len(text) // 2, width - len(text)))


def _span(column: int, text: str, width: int) -> tuple[int, int]:
    start = _start(column, text, width)
    return start, start + len(text)


def cell(fraction: float, cells: int) -> int:
    """The cell, of so many between 0 and 1, that a fraction falls into."""
    return min(cells - 1, max(0, floor(fraction * cells + CLOSE)))


def round_ticks(low: float, high: float, most: int) -> list[Tick]:
    """Multiples of a round number from `low` to `high`, at most `most` steps of it.

    >>> round_ticks(0, 1, 4)
    [(0.0, '0'), (0.25, '0.25'), (0.5, '0.5'), (0.75, '0.75'), (1.0, '1')]
    """
    step = round_step((high - low) / most)
    first, last = ceil(low / step - CLOSE), floor(high / step + CLOSE)
    digits = max(6, ceil(log10(max(abs(low), abs(high), step) / step)) + 2)
    return [(k * step, number(k * step, digits)) for k in range(first, last + 1)]


def round_step(least: float) -> float:
    """The lowest of 1, 2, 2.5 and 5 times a power of ten that is not below `least`."""
    least = max(least, 1 / HUGE) * (1 - CLOSE)
    power = floor(log10(least))
    return next(step for part in (1, 2, 2.5, 5, 10) if (step := float(f"{part}e{power}")) >= least)


def number(value: float, digits: int = 6) -> str:
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{value + 0.0:.{digits}g}")
