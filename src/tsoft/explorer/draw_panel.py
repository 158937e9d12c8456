"""The panel of the draws: the latest ones as text, and bars of the counts in front of the expected counts."""

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tsoft.errors import shortened
from tsoft.explorer.draw_counts import DrawCounts
from tsoft.explorer.explorer_rows import ExplorerRow
from tsoft.explorer.keys import explanation
from tsoft.explorer.paint import GRAY, PLAIN, bars, strip, tau_style

# The widths of a name and of a count.
_NAME, _COUNT = 12, 7


class DrawPanel(Widget):
    """The draws of a row. Before the first draw, `hint` names the keys that draw."""

    def __init__(self, hint: str) -> None:
        super().__init__(id="draws")
        self._hint = hint
        self.tooltip = f"█ ░ ▏: {explanation('█ ░ ▏')}"
        self.border_title = "draws"
        self._row: ExplorerRow | None = None
        self._counts: DrawCounts | None = None
        self._tau = 1.0
        self._indices: list[int] = []
        # What is on the screen.
        self._shown: object = None

    def show(self, row: ExplorerRow, counts: DrawCounts, tau: float) -> None:
        """Show the counts of a row, in the color of a temperature. Without draws, it does not depend on τ."""
        shown = row, counts, counts.total, tau_style(tau) if counts.total else None
        if shown == self._shown:
            return
        self._shown = shown
        self._row, self._counts, self._tau = row, counts, tau
        title = f"{counts.total} draw{'s' * (counts.total != 1)}{row.listed_part} · ░ ▏ expected"
        self.border_title = title if counts.total else "draws"
        # The style sheet has room for the counts in a low terminal, too.
        self.set_class(bool(counts.total), "-drawn")
        self.on_resize()

    def on_resize(self) -> None:
        """Show as many classes as fit below the text."""
        if self._counts:
            self._indices = self._counts.most_frequent(max(1, self.size.height - 1))
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._row is None or self._counts is None:
            return strip([], width)
        if not self._counts.total:
            return strip([Segment(self._hint if y == 0 else "", GRAY)], width)
        if y == 0:
            return strip([Segment(self._latest(self._row, self._counts, width), PLAIN)], width)
        if y > len(self._indices):
            return strip([], width)
        return strip(self._line(self._row, self._counts, self._indices[y - 1], width), width)

    @staticmethod
    def _latest(row: ExplorerRow, counts: DrawCounts, width: int) -> str:
        """Return the latest draws that fit into the width, the newest at the right end."""
        words: list[str] = []
        room = width
        for index in reversed(counts.recent):
            word = row.word(index)
            if cell_len(word) + 1 > room:
                break
            words.append(word)
            room -= cell_len(word) + 1
        return " ".join(reversed(words)) or shortened(row.word(counts.recent[-1]), width)

    def _line(self, row: ExplorerRow, counts: DrawCounts, index: int, width: int) -> list[Segment]:
        name_width = min(_NAME, width // 3)
        bar_width = max(0, width - name_width - _COUNT - 2)
        count, expected = counts.counts[index], counts.expected[index]
        scale = max(float(counts.counts.max()), float(counts.expected.max()), 1.0)
        return [
            Segment(set_cell_size(shortened(row.name(index), name_width), name_width), PLAIN),
            Segment(f" {count:>{_COUNT}} ", PLAIN),
            *bars(count / scale, expected / scale, bar_width, tau_style(self._tau)),
        ]
