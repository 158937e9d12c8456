"""The legend of the marks in the table of the classes."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment

from tsoft.explorer.paint import GRAY, PLAIN

REMOVED_MARK, BOUNDS_MARK, GHOST_MARK, COUNT_MARK = "(0.1)", "█ ▒", "░ ▏", "count"
# The mark of a class that has a curve. On a screen without colors, it is the letter that draws the curve.
CURVE_MARK = "●"
# The width of the column of the marks.
_MARK = 7
# A tooltip has room for every text, because it breaks lines.
_ANY_ROOM = 1000


@dataclass(frozen=True)
class TableMarks:
    """Which marks a table shows: of classes that a sampler removed, of counts, and of the marked distribution or of
    bounds in place of the probabilities at τ = 1. `curve` is the mark of a curve; empty if there are no curves.
    """

    removed: bool = False
    curve: str = ""
    counts: bool = False
    marked: bool = False
    bounds: bool = False

    def title(self, room: int) -> str:
        """Return the longest legend of the bars that fits into `room` columns, or an empty text."""
        legends = [" · ░ ▏ at τ = 1 without samplers", " · ░ ▏ at τ = 1"]
        if self.marked:
            legends = [" · ░ ▏ the marked distribution", " · ░ ▏ mark"]
        if self.bounds:
            legends = [" · █ lower, ▒ upper bound among all classes", " · █ lower, ▒ upper bound", " · ▒ upper"]
        return _fitting(legends, room)

    def lines(self, width: int, count: int) -> list[list[Segment]]:
        """Return the first `count` lines of the legend."""
        room = width - _MARK
        entries = [
            [Segment(mark.ljust(_MARK), PLAIN), Segment(text, GRAY)]
            for mark, text in self.entries(room).items()
            if text
        ]
        return entries[: max(0, count)]

    def entries(self, room: int) -> dict[str, str]:
        """Return the marks with their meanings in at most `room` columns, the most important ones first."""
        ghost = "in the marked distribution" if self.marked else "at τ = 1 without samplers"
        short_ghost = "marked" if self.marked else "τ = 1"
        sign = "color" if self.curve == CURVE_MARK else "letter"
        entries = [
            (self.removed, REMOVED_MARK, ("p without samplers, and what removed the class", "p without samplers")),
            (self.bounds, BOUNDS_MARK, ("lower and upper bound of p among all classes", "lower and upper bound")),
            (self.bounds, "*", ("a measure of the listed classes alone", "of the listed classes")),
            (
                not self.bounds,
                GHOST_MARK,
                (f"now lower, higher than {ghost}", f"lower, higher than {short_ghost}"),
            ),
            (self.curve, self.curve, (f"the {sign} of the curve of the class", f"{sign} of its curve")),
            (self.counts, COUNT_MARK, ("how often the class was drawn", "draws of the class")),
        ]
        return {mark: _fitting(texts, room) for is_shown, mark, texts in entries if is_shown}

    def explanation(self, column: str, *, is_removed: bool) -> str:
        """Return the meaning of the mark in a column; empty if it has no mark."""
        bar = REMOVED_MARK if is_removed else BOUNDS_MARK if self.bounds else GHOST_MARK
        marks = {"mark": self.curve, "prob": bar, "bar": bar, "count": COUNT_MARK}
        mark = marks.get(column, "")
        text = self.entries(_ANY_ROOM).get(mark, "")
        return f"{mark}: {text}" if text else ""


def _fitting(texts: Sequence[str], room: int) -> str:
    """Return the first text that fits, or an empty one."""
    return next((text for text in texts if cell_len(text) <= room), "")
