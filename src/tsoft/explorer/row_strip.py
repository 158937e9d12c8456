"""The strip of the rows: their titles, the text of a response, or one cell per row."""

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
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.paint import GRAY, PLAIN, prob_style, strip

# The maximum number of lines of the strip.
MAX_LINES = 3
# The maximum number of probabilities to compute for colors per key press.
_MAX_COLORED = 1 << 18
_CELLS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class StripItem:
    """A text on a line.

    `number` is its position in the sequence of texts, `start` its first column.
    """

    number: int
    start: int
    text: str


class RowStrip(Widget):
    """The rows, with the current one marked.

    The color of a row shows the probability of its drawn token, or of its most probable class.
    """

    @dataclass
    class RowSelected(Message):
        """The user clicked a row."""

        number: int

    def __init__(self, rows: ExplorerRows):
        super().__init__(id="rows")
        self._rows = rows
        tokens = rows.drawn_tokens
        self._texts = list(map(visible, tokens)) if tokens else [f" {visible(title)} " for title in rows.titles]
        self._current = 0
        # The number of texts before the text of the first row.
        self._preceding = 0
        self._likelihood: Callable[[int], float] | None = None
        self._lines: list[list[StripItem]] = []
        self._width = 0
        self._likelihoods: dict[int, float] = {}

    @property
    def is_needed(self) -> bool:
        """Whether the input has several rows."""
        return len(self._rows) > 1

    def show(self, number: int, likelihood: Callable[[int], float] | None) -> None:
        """Mark the current row. `likelihood` returns the probability that colors a row."""
        self._current, self._likelihood, self._likelihoods = number, likelihood, {}
        self.refresh()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        self._lay_out(width)
        return min(MAX_LINES, max(1, len(self._lines))) if self._texts else 1

    def _lay_out(self, width: int) -> None:
        """Break the texts into lines if the width has changed."""
        if width == self._width or not self._texts:
            return
        self._width = width
        self._lines = [[]]
        column = 0
        for number, text in enumerate(self._texts):
            text = shortened(text, width)
            if self._lines[-1] and (column + cell_len(text) > width or self._starts_line(number)):
                self._lines.append([])
                column = 0
            self._lines[-1].append(StripItem(number, column, text))
            column += cell_len(text)

    def _starts_line(self, number: int) -> bool:
        """Return whether a text starts a line: the first token of each of several texts does."""
        return bool(self._rows.drawn_tokens) and self._rows.starts_text(number)

    def _visible_items(self, y: int) -> list[StripItem]:
        """Return the texts on a line of the widget, which shows the lines around the current row."""
        width = max(1, self.size.width)
        if not self._texts:
            first = self._current // width * width
            return [StripItem(first + i, i, "") for i in range(min(width, len(self._rows) - first))]
        self._lay_out(width)
        number = self._current + self._preceding
        current = next((i for i, line in enumerate(self._lines) if line and line[-1].number >= number), 0)
        first = min(max(0, current - self.size.height // 2), max(0, len(self._lines) - self.size.height))
        return self._lines[first + y] if first + y < len(self._lines) else []

    def render_line(self, y: int) -> Strip:
        return strip([self._segment(item) for item in self._visible_items(y)], self.size.width)

    def _segment(self, item: StripItem) -> Segment:
        likelihood = self._known_likelihood(item.number)
        style = PLAIN if likelihood is None else prob_style(likelihood)
        if self._rows.titles:
            style = PLAIN if item.number == self._current else GRAY
        if item.number == self._current:
            style += Style(reverse=True, bold=True)
        return Segment(item.text or ("·" if likelihood is None else _CELLS[min(7, int(likelihood * 8))]), style)

    def _known_likelihood(self, number: int) -> float | None:
        """Return the probability that colors a row; None if computing it would take too long."""
        if self._likelihood is None or self._rows.titles:
            return None
        if number not in self._likelihoods:
            size = self._rows.block(number).logits.size * (len(self._likelihoods) + 1)
            # The current row always has its color.
            if size > _MAX_COLORED and number != self._current:
                return None
            self._likelihoods[number] = self._likelihood(number)
        return self._likelihoods[number]

    def on_click(self, event: events.Click) -> None:
        numbers = [item.number for item in self._visible_items(event.y) if item.start <= event.x]
        if numbers:
            self.post_message(self.RowSelected(max(0, numbers[-1] - self._preceding)))
