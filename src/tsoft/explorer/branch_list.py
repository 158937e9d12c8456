"""The lines of a tree of continuations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tsoft.charts.style import prob_text
from tsoft.charts.table import bar
from tsoft.errors import shortened
from tsoft.explorer.continuation_tree import BranchLine, ContinuationTree, MoreLine, TreeLine
from tsoft.explorer.paint import GRAY, PLAIN, prob_style, strip
from tsoft.explorer.token_likelihood import likelihood_text

# The line of the header.
_HEAD = 1
_PROB, _INDENT = 9, 2
# The minimum width of a token, the width of the bars, and the minimum width of a screen that has room for bars.
_NAME, _BAR, _WIDE = 14, 24, 70
# The number of lines to show below the current one, so that an opened branch shows some of its tokens.
_BELOW = 5
_COMPUTING = "computing…"


class BranchList(ScrollView, can_focus=False):
    """The lines, one of them the current one."""

    @dataclass
    class LineClicked(Message):
        """The user clicked a line."""

        position: int

    def __init__(self, label: Callable[[int], str], can_open: Callable[[int], bool]):
        """Show each token as its `label`, after a mark if it `can_open`: if other tokens can follow it."""
        super().__init__(id="branches")
        self._label, self._can_open = label, can_open
        self._tree = ContinuationTree()
        self._position = 0

    @property
    def _lines(self) -> Sequence[TreeLine]:
        return self._tree.lines

    def show(self, tree: ContinuationTree, position: int) -> None:
        """Show a tree, with the current line at a position."""
        self._tree, self._position = tree, position
        self.virtual_size = Size(self.size.width, len(self._lines) + _HEAD)
        # The header covers the first line of the region that becomes visible.
        below = min(_BELOW, self.page // 2, len(self._lines) - position - 1)
        self.scroll_to_region(Region(0, position, 1, 1 + _HEAD + max(0, below)), animate=False, force=True)
        self.refresh()

    def on_resize(self) -> None:
        self.show(self._tree, self._position)

    @property
    def page(self) -> int:
        """The number of lines of a page."""
        return max(1, self.scrollable_content_region.height - _HEAD - 1)

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if y < _HEAD:
            return strip([Segment(self._head(width), GRAY)], width)
        position = self.scroll_offset.y + y - _HEAD
        if not self._lines:
            return strip([Segment(f"  {_COMPUTING}" * (position == 0 and self._tree.is_waiting(())), GRAY)], width)
        if position >= len(self._lines):
            return strip([], width)
        line, is_current = self._lines[position], position == self._position
        if isinstance(line, BranchLine):
            return strip(self._branch(line, is_current, width), width)
        return strip(self._more(line, is_current, width), width)

    def _columns(self, width: int) -> tuple[int, int]:
        """Return the widths of the tokens' column and of the bars' column."""
        bar_width = _BAR if width >= _WIDE else 0
        return max(_NAME, width - 2 * _PROB - bar_width - 1), bar_width

    def _head(self, width: int) -> str:
        name_width, _ = self._columns(width)
        return "    next token".ljust(name_width) + "p".rjust(_PROB) + "joint p".rjust(_PROB)

    def _start(self, depth: int, is_current: bool, width: int) -> str:
        """Return the start of a line: the mark of the current line, and an indent, or a number if that is too deep."""
        name_width, _ = self._columns(width)
        room = (name_width - _NAME) // _INDENT * _INDENT
        indent = " " * (_INDENT * depth) if _INDENT * depth <= room else f"{depth + 1} ".rjust(room)
        return ("› " if is_current else "  ") + indent

    def _branch(self, line: BranchLine, is_current: bool, width: int) -> list[Segment]:
        name_width, bar_width = self._columns(width)
        start = self._start(len(line.path) - 1, is_current, width)
        mark = "▾ " if line.path in self._tree.open else "▸ " if self._can_open(line.token.number) else "  "
        state = f" {_COMPUTING}" if self._tree.is_waiting(line.path) else ""
        room = max(1, name_width - cell_len(start + mark))
        name = shortened(self._label(line.token.number), max(4, room - len(state)))
        state = shortened(state, max(0, room - cell_len(name)))
        p, joint = likelihood_text(line.token.likelihood), likelihood_text(line.likelihood)
        listed = line.token.likelihood.probs().listed[0]
        filled = bar(min(float(listed), 1.0), bar_width - 1) if bar_width else ""
        return [
            Segment(start + mark, PLAIN),
            Segment(name, Style(reverse=True) if is_current else PLAIN),
            Segment(state + " " * (room - cell_len(name + state)), GRAY),
            Segment(p.rjust(_PROB), PLAIN),
            Segment(joint.rjust(_PROB), Style(bold=True)),
            Segment(" " * bool(bar_width) + filled, prob_style(float(listed))),
        ]

    def _more(self, line: MoreLine, is_current: bool, width: int) -> list[Segment]:
        more = f"{line.count} more" if line.count else ""
        rest = "tokens that the server does not list" if isnan(line.prob) else f"p {prob_text(line.prob)} in total"
        text = "… " + (" and " if isnan(line.prob) else ", ").join(filter(None, (more, rest)))
        start = self._start(len(line.path), is_current, width) + "  "
        style = GRAY + Style(reverse=is_current or None)
        return [Segment(start, PLAIN), Segment(shortened(text, max(0, width - cell_len(start))), style)]

    def on_click(self, event: events.Click) -> None:
        position = self.scroll_offset.y + event.y - _HEAD - self.gutter.top
        if event.y >= _HEAD + self.gutter.top and 0 <= position < len(self._lines):
            self.post_message(self.LineClicked(position))
