"""The columns of the table of the classes, and its lines."""

from dataclasses import dataclass

# A table narrower than this shows no ranks and no logits. The limit depends on the number of engines with bars.
_WIDE = {1: 50, 2: 74}
MARK, RANK, LOGIT, PROB, COUNT = 2, 7, 11, 9, 7
# The narrowest bar that has a scale in the header.
_SCALE = 5
# The maximum number of lines of a bar, and the number of lines that a legend below may need.
_MAX_BAR, LEGEND_LINES = 3, 4


@dataclass(frozen=True)
class ClassColumns:
    """The widths of the columns. A column that the table does not show has the width 0.

    There are `bars` pairs of a probability and a bar, one for each engine.
    """

    name: int
    rank: int
    logit: int
    bar: int
    count: int
    bars: int

    @classmethod
    def fitting(cls, width: int, longest_name: int, *, has_counts: bool, bars: int = 1) -> "ClassColumns":
        """Return the columns of a table of this width."""
        is_wide = width >= _WIDE[bars]
        rank, logit, count = RANK * is_wide, LOGIT * is_wide, COUNT * has_counts
        room = width - MARK - rank - logit - PROB * bars - count
        name = max(4, min(longest_name, room // (bars + 1)))
        return cls(name, rank, logit, max(0, room - name) // bars, count, bars)

    @property
    def before_bars(self) -> int:
        """The number of columns before the first probability."""
        return MARK + self.name + self.rank + self.logit

    @property
    def has_scale(self) -> bool:
        return self.bar >= _SCALE

    def at(self, x: int) -> tuple[str, int]:
        """Return the name of the column at a position, empty outside of the columns, and the number of its engine.

        >>> columns = ClassColumns.fitting(60, 8, has_counts=True)
        >>> [columns.at(x)[0] for x in (0, 2, 20, 30, 40, 59, 60)]
        ['mark', 'name', 'logit', 'prob', 'bar', 'count', '']
        """
        bars = [(name, engine, width) for engine in range(self.bars) for name, width in self._bar_widths]
        widths = [("mark", 0, MARK), ("name", 0, self.name), ("rank", 0, self.rank), ("logit", 0, self.logit)]
        for name, engine, width in [*widths, *bars, ("count", 0, self.count)]:
            if x < width:
                return name, engine
            x -= width
        return "", 0

    @property
    def _bar_widths(self) -> list[tuple[str, int]]:
        return [("prob", PROB), ("bar", self.bar)]


@dataclass(frozen=True)
class BarLines:
    """The lines of each class: those of its bar, and blank ones below."""

    bar: int
    gap: int

    @classmethod
    def fitting(cls, count: int, lines: int) -> "BarLines":
        """Return the highest bars of `count` classes that fit into some lines.

        The highest bars need room for a legend, too.

        >>> [BarLines.fitting(count, 20).bar for count in (4, 5, 7, 8, 50000)]
        [3, 2, 2, 1, 1]
        """
        highest = cls(_MAX_BAR, 1), cls(_MAX_BAR - 1, 1)
        reserves = 1 + LEGEND_LINES, 0
        fitting = (each for each, reserve in zip(highest, reserves, strict=True) if each.of(count) + reserve <= lines)
        return next(fitting, cls(1, 0))

    @property
    def pitch(self) -> int:
        """The number of lines from a class to the next one."""
        return self.bar + self.gap

    @property
    def text(self) -> int:
        """The line of the texts: the middle of the bar."""
        return (self.bar - 1) // 2

    def of(self, count: int) -> int:
        """Return the number of lines of `count` classes."""
        return max(0, count * self.pitch - self.gap)
