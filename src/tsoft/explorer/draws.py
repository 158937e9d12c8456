"""The draws: the last ones as text, and the counts over what was to be expected."""

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tsoft.errors import shortened
from tsoft.explorer.draw_counts import Tally
from tsoft.explorer.paint import GREY, PLAIN, bars, strip, tau_style
from tsoft.explorer.rows import Row

# Columns: of a name, of a count.
_NAME, _COUNT = 12, 7


class Draws(Widget):
    """What was drawn of a row. Until something is, `hint` says how to."""

    def __init__(self, hint: str) -> None:
        super().__init__(id="draws")
        self._hint = hint
        self.border_title = "draws"
        self._row: Row | None = None
        self._tally: Tally | None = None
        self._tau = 1.0
        self._most: list[int] = []

    def show(self, row: Row, tally: Tally, tau: float) -> None:
        self._row, self._tally, self._tau = row, tally, tau
        self.border_title = f"draws {tally.size}" if tally.size else "draws"
        self.on_resize()

    def on_resize(self) -> None:
        """As many classes as there are lines below the text."""
        if self._tally:
            self._most = self._tally.most(max(1, self.size.height - 1))
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._row is None or self._tally is None:
            return strip([], width)
        if not self._tally.size:
            return strip([Segment(self._hint if y == 0 else "", GREY)], width)
        if y == 0:
            return strip([Segment(self._text(self._row, self._tally, width), PLAIN)], width)
        if y > len(self._most):
            return strip([], width)
        return strip(self._line(self._row, self._tally, self._most[y - 1], width), width)

    @staticmethod
    def _text(row: Row, tally: Tally, width: int) -> str:
        """As many of the last draws as have room, the newest at the right end."""
        words: list[str] = []
        room = width
        for index in reversed(tally.last):
            word = row.word(index)
            if cell_len(word) + 1 > room:
                break
            words.append(word)
            room -= cell_len(word) + 1
        return " ".join(reversed(words)) or shortened(row.word(tally.last[-1]), width)

    def _line(self, row: Row, tally: Tally, index: int, width: int) -> list[Segment]:
        name = min(_NAME, width // 3)
        room = max(0, width - name - _COUNT - 2)
        scale = max(float(tally.counts.max()), float(tally.expected.max()), 1.0)
        return [
            Segment(set_cell_size(shortened(row.name(index), name), name), PLAIN),
            Segment(f" {tally.counts[index]:>{_COUNT}} ", PLAIN),
            *bars(tally.counts[index] / scale, tally.expected[index] / scale, room, tau_style(self._tau)),
        ]
