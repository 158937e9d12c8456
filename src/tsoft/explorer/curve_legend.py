"""The legend of the curves: the names of the classes in the colors of their curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from tsoft.errors import shortened

_LINE = "━ "
# The maximum number of lines of a legend, and the minimum width of a shortened name.
MAX_LINES = 2
_SHORTEST = 3
# The blanks between two names.
_GAP = 1


@dataclass(frozen=True)
class CurveName:
    """The name of a curve, its style, and the letter that draws the curve, or an empty text if braille dots do."""

    name: str
    style: Style
    letter: str = ""

    def segment(self, longest: int, mark: str) -> Segment:
        """Return the name in at most `longest` columns, after its letter or else a mark."""
        return Segment((f"{self.letter} " if self.letter else mark) + shortened(self.name, longest), self.style)


def legend_lines(names: Sequence[CurveName], width: int, count: int) -> list[list[Segment]]:
    """Return the names in at most `count` lines of `width` columns.

    If there is no room for the whole names, they have no marks, and the longest ones are shortened. If there is still
    no room, the last names are missing.

    >>> names = [CurveName(name, Style()) for name in ("cat", "rhinoceros", "dog")]
    >>> for width in (24, 16):
    ...     print("".join(segment.text for segment in legend_lines(names, width, 1)[0]))
    ━ cat ━ rhinoceros ━ dog
    cat rhinoce… dog
    """
    longest = min(max((cell_len(name.name) for name in names), default=0), width)
    whole = [name.segment(longest, _LINE) for name in names]
    cut = ([name.segment(room, "") for name in names] for room in range(longest, _SHORTEST - 1, -1))
    options = (_flowed(segments, width) for segments in chain([whole], cut))
    fitting = (lines for lines in options if len(lines) <= count)
    return next(fitting, None) or _flowed([name.segment(_SHORTEST, "") for name in names], width)[:count]


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
