"""What a result is drawn on, and which part of it is drawn."""

import os
import shutil
import sys
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array

# No screen is wider, whatever COLUMNS says.
WIDEST = 1000


@dataclass(frozen=True)
class Screen:
    """What is drawn on: its width in columns, and whether it takes colours."""

    width: int
    color: bool

    @classmethod
    def of_stdout(cls) -> "Screen":
        """The terminal, by its size and by COLUMNS, NO_COLOR, FORCE_COLOR and TERM."""
        environ = os.environ
        is_terminal = sys.stdout is not None and sys.stdout.isatty() and environ.get("TERM") != "dumb"
        color = bool(environ.get("FORCE_COLOR")) or is_terminal
        return cls(min(max(20, shutil.get_terminal_size().columns), WIDEST), color and not environ.get("NO_COLOR"))


@dataclass(frozen=True)
class View:
    """How a row is shown: all its classes as given, or sorted by probability; of more than `show`
    the most probable and a line for the rest; the entropy in bits or nats; numbers with so many
    significant digits; logarithms in place of probabilities."""

    screen: Screen
    show: int = 20
    sort: bool = False
    bits: bool = False
    digits: int | None = None
    log: bool = False

    def chosen(self, falling: Array, kept: Array | None = None) -> tuple[Array, Array]:
        """The indices of the classes that are shown, in their order, and of the others, of all classes
        with the most probable first. Where a chain has `kept` some, as many of these are shown, with
        those between them that it removed."""
        places = np.arange(len(falling)) if kept is None else np.flatnonzero(kept[falling])
        last = int(places[self.show - 1]) + 1 if len(places) >= self.show else self.show
        shown = min(last, 2 * self.show)
        if len(falling) > shown:
            return falling[:shown], falling[shown:]
        return falling if self.sort else np.arange(len(falling)), falling[:0]
