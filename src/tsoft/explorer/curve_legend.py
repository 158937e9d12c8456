"""The legend of the curves: the names of the classes in the colors of their curves."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from tsoft.errors import shortened

# The lines that a legend may need, and the shortest names.
MAX_LINES = 2
_SHORTEST = 3
# The blanks between two names.
_GAP = 1


@dataclass(frozen=True)
class CurveName:
    """The name of a curve, the mark before it, and its style."""

    mark: str
    name: str
    style: Style

    def segment(self, longest: int) -> Segment:
        return Segment(self.mark + shortened(self.name, longest), self.style)


def legend_lines(names: Sequence[CurveName], width: int, count: int) -> list[list[Segment]]:
    """Return the names in at most `count` lines of `width` columns.

    If there is no room for the whole names, the longest ones are shortened. If there is still no room, the last names
    are missing.

    >>> names = [CurveName("━ ", name, Style()) for name in ("cat", "rhinoceros", "dog")]
    >>> [segment.text for segment in legend_lines(names, 20, 1)[0]]
    ['━ cat', ' ', '━ rhino…', ' ', '━ dog']
    """
    longest = max((cell_len(name.name) for name in names), default=0)
    for room in range(min(longest, width), _SHORTEST - 1, -1):
        lines = _flowed([name.segment(room) for name in names], width)
        if len(lines) <= count:
            return lines
    return _flowed([name.segment(_SHORTEST) for name in names], width)[:count]


def _flowed(segments: Sequence[Segment], width: int) -> list[list[Segment]]:
    """Return the segments in lines of at most `width` columns, with blanks between them."""
    lines: list[list[Segment]] = []
    for segment in segments:
        used = sum(cell_len(other.text) for other in lines[-1]) if lines else width
        if used + _GAP + cell_len(segment.text) <= width:
            lines[-1] += [Segment(" " * _GAP), segment]
        else:
            lines.append([segment])
    return lines
