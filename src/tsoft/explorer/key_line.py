"""The line at the bottom, which names the most important keys."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.widget import Widget

# The blanks between two hints.
_GAP = "  "


class KeyLine(Widget):
    """As many of the hints as fit, the most important ones first."""

    def __init__(self, hints: Sequence[str]):
        super().__init__(id="keys")
        self._hints = hints

    def render(self) -> str:
        return fitting(self._hints, self.size.width)


def fitting(hints: Sequence[str], width: int) -> str:
    """Return the first hints that fit into a width.

    >>> fitting(["? help", "q quit", "s draw"], 14)
    '? help  q quit'
    """
    line = ""
    for hint in hints:
        longer = line + _GAP + hint if line else hint
        if cell_len(longer) > width:
            break
        line = longer
    return line
