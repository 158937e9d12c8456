"""The strip of the rows: their titles, the text of a response, or a cell for each."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tsoft.errors import shortened, visible
from tsoft.explorer.paint import GREY, PLAIN, likely_style, strip
from tsoft.explorer.rows import Rows

# The strip has at most so many lines.
LINES = 3
# More than so many probabilities are not worked out for colours while a key waits.
_AT_ONCE = 1 << 18
_CELLS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Item:
    """A text on a line, as a rule a row's, and where it starts."""

    number: int
    start: int
    text: str


class RowStrip(Widget):
    """The rows; one is the present one. What is shown is coloured by how probable the drawn token is, or
    where there is none the most probable class."""

    class Picked(Message):
        """A row was pointed at."""

        def __init__(self, number: int):
            super().__init__()
            self.number = number

    def __init__(self, rows: Rows):
        super().__init__(id="rows")
        self._rows = rows
        self._texts = list(map(visible, rows.tokens)) if rows.tokens else [f" {t} " for t in rows.titles]
        self._present = 0
        self._likely: Callable[[int], float] | None = None
        self._lines: list[list[Item]] = []
        self._width = 0
        self._known: dict[int, float] = {}

    @property
    def is_needed(self) -> bool:
        """Whether there is more to see than one row."""
        return len(self._rows) > 1

    def show(self, number: int, likely: Callable[[int], float] | None) -> None:
        """Shows which row is the present one; `likely` tells what the others are coloured by."""
        self._present, self._likely, self._known = number, likely, {}
        self.refresh()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        self._place(width)
        return min(LINES, max(1, len(self._lines))) if self._texts else 1

    def _place(self, width: int) -> None:
        """Puts the texts on lines, where the width is a new one."""
        if width == self._width or not self._texts:
            return
        self._width = width
        self._lines = [[]]
        at = 0
        for number, text in enumerate(self._texts):
            text = shortened(text, width)
            if self._lines[-1] and (at + cell_len(text) > width or self._begins_line(number)):
                self._lines.append([])
                at = 0
            self._lines[-1].append(Item(number, at, text))
            at += cell_len(text)

    def _begins_line(self, number: int) -> bool:
        """Whether a text stands on a line of its own: the first token of one of several."""
        return bool(self._rows.tokens) and self._rows.begins(number)

    def _shown(self, y: int) -> list[Item]:
        """What stands on a line of the screen: around the present row."""
        width = max(1, self.size.width)
        if not self._texts:
            first = self._present // width * width
            return [Item(first + i, i, "") for i in range(min(width, len(self._rows) - first))]
        self._place(width)
        there = next((i for i, line in enumerate(self._lines) if line and line[-1].number >= self._shown_at), 0)
        first = min(max(0, there - self.size.height // 2), max(0, len(self._lines) - self.size.height))
        return self._lines[first + y] if first + y < len(self._lines) else []

    @property
    def _shown_at(self) -> int:
        """The number of the text that the present row has."""
        return self._present

    def _row(self, item: Item) -> int:
        """The row that a text belongs to."""
        return item.number

    def render_line(self, y: int) -> Strip:
        return strip([self._segment(item) for item in self._shown(y)], self.size.width)

    def _segment(self, item: Item) -> Segment:
        likely = self._of(item.number)
        style = PLAIN if likely is None else likely_style(likely)
        if self._rows.titles:
            style = PLAIN if item.number == self._present else GREY
        if item.number == self._present:
            style += Style(reverse=True, bold=True)
        return Segment(item.text or ("·" if likely is None else _CELLS[min(7, int(likely * 8))]), style)

    def _of(self, number: int) -> float | None:
        """How likely a row's token is, worked out once."""
        if self._likely is None or self._rows.titles:
            return None
        if number not in self._known:
            # The present row's is always told.
            size = self._rows.block(number).logits.size * (len(self._known) + 1)
            if size > _AT_ONCE and number != self._present:
                return None
            self._known[number] = self._likely(number)
        return self._known[number]

    def on_click(self, event: events.Click) -> None:
        found = [self._row(item) for item in self._shown(event.y) if item.start <= event.x]
        if found:
            self.post_message(self.Picked(found[-1]))
