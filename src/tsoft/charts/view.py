"""The screen on which a result is drawn, and the options for drawing it."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tsoft.charts.legend import Legend
from tsoft.core.softmax import Array
from tsoft.errors import visible

# The largest width, even if COLUMNS is larger.
MAX_WIDTH = 1000


@dataclass(frozen=True)
class Screen:
    """The width of the output in columns, and whether it shows colors."""

    width: int
    color: bool

    @classmethod
    def of_stdout(cls) -> "Screen":
        """Return the screen of stdout, by its size and by COLUMNS, NO_COLOR, FORCE_COLOR and TERM."""
        environ = os.environ
        is_terminal = sys.stdout is not None and sys.stdout.isatty() and environ.get("TERM") != "dumb"
        color = bool(environ.get("FORCE_COLOR")) or is_terminal
        width = shutil.get_terminal_size().columns - _look_alike_columns()
        return cls(min(max(20, width), MAX_WIDTH), color and not environ.get("NO_COLOR"))


def _look_alike_columns() -> int:
    """Return the columns to keep free for look-alikes, such as tau for τ, if the encoding of stdout lacks τ."""
    encoding = sys.stdout.encoding if sys.stdout is not None else "utf-8"
    try:
        "τ".encode(encoding)
    except UnicodeEncodeError:
        return 4
    return 0


@dataclass(frozen=True, eq=False)
class ClassSelection:
    """The indices of the classes that are shown, in display order, and of the rest, which share one line."""

    shown: Array
    rest: Array

    def labels(self, names: Sequence[str], rest: str = "… {} more") -> list[str]:
        """Return the names of the shown classes, with control characters escaped, and a label for a rest."""
        return [visible(names[i]) for i in self.shown] + [rest.format(len(self.rest))] * bool(len(self.rest))

    def values(self, values: Array) -> Array:
        """Return the values, (..., n), of the shown classes, and the sum over a rest."""
        shown = values[..., self.shown]
        rest = values[..., self.rest].sum(-1, keepdims=True)
        return np.concatenate([shown, rest], -1) if len(self.rest) else shown


@dataclass(frozen=True)
class View:
    """The options for showing a result.

    `show` limits the classes of a row; with more, the most probable are shown and the rest share one line.
    `sort` orders classes by probability, not as in the input. `bits` shows entropy in bits, not nats; `digits`
    is the number of significant digits; `log` shows logarithms in place of probabilities. `legend` collects
    the measures and marks as they are drawn.
    """

    screen: Screen
    show: int = 20
    sort: bool = False
    bits: bool = False
    digits: int | None = None
    log: bool = False
    legend: Legend = field(default_factory=Legend, compare=False)

    def draw_legend(self) -> str:
        """Return the lines that explain what was drawn so far."""
        return self.legend.draw(self.screen.width, color=self.screen.color)

    def select(self, ranking: Array, kept: Array | None = None) -> ClassSelection:
        """Return the classes that are shown, in display order, and the rest.

        ranking: the indices of all classes, the most probable first. kept: a mask of the classes that a chain
        keeps. `show` of these are shown, together with the removed classes between them.
        """
        places = np.arange(len(ranking)) if kept is None else np.flatnonzero(kept[ranking])
        last = int(places[self.show - 1]) + 1 if len(places) >= self.show else self.show
        count = min(last, 2 * self.show)
        if len(ranking) > count:
            return ClassSelection(ranking[:count], ranking[count:])
        return ClassSelection(ranking if self.sort else np.arange(len(ranking)), ranking[:0])
