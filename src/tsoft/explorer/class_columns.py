"""The columns of the table of the classes, and its lines."""

from dataclasses import dataclass

# A table narrower than this shows no ranks and no logits. The limit depends on the number of engines with bars.
_WIDE = {1: 50, 2: 74}
# The widths of the columns, with a blank before each text. A rank or a count with more digits has a wider column.
MARK, RANK, LOGIT, PROB, COUNT = 2, 7, 11, 10, 7
# The narrowest column of names, and the width that they get before the bars get any.
_MIN_NAME, _USUAL_NAME = 4, 8
# The narrowest bar that has a scale in the header.
_SCALE = 5
# The maximum number of lines of a bar, and the number of lines that a legend below may need.
_MAX_BAR, LEGEND_LINES = 3, 4


@dataclass(frozen=True)
class ClassColumns:
    """The widths of the columns. A column that the table does not show has the width 0.

    There are `bars` pairs of a probability and a bar, one for each engine that has room for both.
    """

    name: int
    rank: int
    logit: int
    bar: int
    count: int
    bars: int

    @classmethod
    def fitting(
        cls, width: int, longest_name: int, *, last_rank: int = 1, highest_count: int | None = None, bars: int = 1
    ) -> "ClassColumns":
        """Return the columns of a table of this width, with counts if there is a `highest_count`.

        A column that does not fit whole is omitted, because a number that is cut is another number: first the counts,
        then the probabilities of the second engine, and of the first.

        >>> ClassColumns.fitting(24, 5, highest_count=51)
        ClassColumns(name=5, rank=0, logit=0, bar=0, count=7, bars=1)
        >>> ClassColumns.fitting(22, 5, highest_count=51)
        ClassColumns(name=5, rank=0, logit=0, bar=5, count=0, bars=1)
        """
        is_wide = width >= _WIDE[bars]
        rank, logit = (_width(RANK, last_rank), LOGIT) if is_wide else (0, 0)
        room = width - MARK - rank - logit
        count = 0 if highest_count is None else _width(COUNT, highest_count)
        if room - PROB * bars - count < _MIN_NAME:
            count = 0
        bars = min(bars, max(0, room - count - _MIN_NAME) // PROB)
        room = max(0, room - PROB * bars - count)
        # Names get the room that is left over when it is divided.
        name = min(longest_name, room, max(_USUAL_NAME, -(-room // (bars + 1))))
        return cls(name, rank, logit, (room - name) // bars if bars else 0, count, bars)

    @property
    def before_bars(self) -> int:
        """The number of columns before the first probability."""
        return MARK + self.name + self.rank + self.logit

    @property
    def has_scale(self) -> bool:
        return self.bar >= _SCALE

    def at(self, x: int) -> tuple[str, int]:
        """Return the name of the column at a position, empty outside of the columns, and the number of its engine.

        >>> columns = ClassColumns.fitting(60, 8, highest_count=51)
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


def _width(usual: int, highest: int) -> int:
    """Return the width of a column of whole numbers, which has a blank before the highest one."""
    return max(usual, 1 + len(str(highest)))


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
