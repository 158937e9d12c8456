"""The screen that a result is drawn on, and which part of the result is drawn."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import visible

# No screen is wider, whatever COLUMNS says.
MAX_WIDTH = 1000


@dataclass(frozen=True)
class Screen:
    """The width of the output in columns, and whether it shows colours."""

    width: int
    color: bool

    @classmethod
    def of_stdout(cls) -> "Screen":
        """The terminal, by its size and by COLUMNS, NO_COLOR, FORCE_COLOR and TERM."""
        environ = os.environ
        is_terminal = sys.stdout is not None and sys.stdout.isatty() and environ.get("TERM") != "dumb"
        color = bool(environ.get("FORCE_COLOR")) or is_terminal
        return cls(min(max(20, shutil.get_terminal_size().columns), MAX_WIDTH), color and not environ.get("NO_COLOR"))


@dataclass(frozen=True, eq=False)
class ClassSelection:
    """The indices of the classes that are shown, in their order, and of the rest, which are shown together."""

    shown: Array
    rest: Array

    def labels(self, names: Sequence[str], rest: str = "… {} more") -> list[str]:
        """The names of the shown classes, with control characters escaped, and a label for the rest if there is one."""
        return [visible(names[i]) for i in self.shown] + [rest.format(len(self.rest))] * bool(len(self.rest))

    def values(self, values: Array) -> Array:
        """The values, (..., n), of the shown classes, and the sum of the rest's if there is a rest."""
        shown = values[..., self.shown]
        rest = values[..., self.rest].sum(-1, keepdims=True)
        return np.concatenate([shown, rest], -1) if len(self.rest) else shown


@dataclass(frozen=True)
class View:
    """How a row is shown: all its classes in the order of the input, or sorted by probability; if there
    are more than `show`, the most probable and a line for the rest; the entropy in bits or nats; numbers
    with `digits` significant digits; logarithms in place of probabilities."""

    screen: Screen
    show: int = 20
    sort: bool = False
    bits: bool = False
    digits: int | None = None
    log: bool = False

    def select(self, ranking: Array, kept: Array | None = None) -> ClassSelection:
        """The classes that are shown, in their order, and the rest.

        ranking: the indices of all classes, the most probable first. kept: which classes a chain keeps,
        a mask; `show` of these are shown, with those between them that the chain removed.
        """
        places = np.arange(len(ranking)) if kept is None else np.flatnonzero(kept[ranking])
        last = int(places[self.show - 1]) + 1 if len(places) >= self.show else self.show
        count = min(last, 2 * self.show)
        if len(ranking) > count:
            return ClassSelection(ranking[:count], ranking[count:])
        return ClassSelection(ranking if self.sort else np.arange(len(ranking)), ranking[:0])
