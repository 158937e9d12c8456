"""The line at the bottom: the most important keys, or an explanation."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

# The blanks between two hints.
_GAP = "  "


class KeyLine(Widget):
    """As many of the hints as fit, the most important ones first. An explanation replaces them."""

    def __init__(self, hints: Sequence[str]):
        super().__init__(id="keys")
        self._hints = hints
        self._explanation = ""

    def explain(self, text: str) -> None:
        """Show an explanation; an empty text shows the keys again."""
        # It may take several lines. Layout takes time, so other keys do not cause it.
        if text != self._explanation:
            self._explanation = text
            self.refresh(layout=True)

    def render(self) -> Content:
        # Content, unlike a string, is not parsed as markup.
        return Content(self._explanation or fitting(self._hints, self.size.width))


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
