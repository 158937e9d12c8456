"""The line at the bottom: the most important keys, or an explanation."""

from collections.abc import Iterable, Mapping, Sequence

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
        # The name that is explained; empty if the line shows the keys.
        self.explained = ""
        self._explanation = ""

    def explain(self, name: str, explanations: Mapping[str, str]) -> None:
        """Explain a name. A name without an explanation shows the keys again."""
        text = f"{name}: {explanations[name]}" if explanations.get(name) else ""
        self.explained = name if text else ""
        # It may take several lines. Layout takes time, so other keys do not cause it.
        if text != self._explanation:
            self._explanation = text
            self.refresh(layout=True)

    def next_name(self, names: Iterable[str]) -> str:
        """Return the name after the explained one; empty after the last name."""
        cycle = ["", *names]
        position = cycle.index(self.explained) if self.explained in cycle else 0
        return cycle[(position + 1) % len(cycle)]

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
