"""The table of the classes, with a bar for each class in front of its bar at τ = 1; with two engines, two bars."""

from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tsoft.charts.curves import LETTERS
from tsoft.charts.style import number_text, scale_top
from tsoft.core.softmax import Array
from tsoft.errors import shortened
from tsoft.explorer.class_columns import LOGIT, PROB, BarLines, ClassColumns
from tsoft.explorer.draw_counts import DrawCounts
from tsoft.explorer.explorer_rows import ExplorerRow
from tsoft.explorer.paint import (
    BOLD,
    GRAY,
    PLAIN,
    REMOVED,
    bars,
    color,
    interval_bar,
    prob_cell,
    strip,
    tau_style,
)
from tsoft.explorer.snapshot import Snapshot
from tsoft.explorer.table_legend import CURVE_MARK, TableMarks

# The lines of the header.
_HEAD = 1
# The column of names is as wide as this many first names, and those on the screen, need.
_MEASURED_NAMES = 200


class ClassTable(ScrollView, can_focus=True):
    """The classes with their probabilities and bars. One of them is the current class.

    A class has one line. Few classes have higher bars, and below them is a legend.
    """

    class ClassSelected(Message):
        """Another class has become the current one."""

    def __init__(self) -> None:
        super().__init__(id="distribution")
        self._title = ""
        self._snapshot: Snapshot | None = None
        # The row after the samplers of a second engine.
        self._second: Snapshot | None = None
        self._indices: Array = np.empty(0, np.int64)
        self._colors: dict[int, int] = {}
        self._counts: DrawCounts | None = None
        # The position of the current class in the list.
        self._position = 0
        self._scale = 1.0
        self._ghost: Array = np.empty(0)
        self.marks = TableMarks()
        self._longest_name = 5

    def show(
        self,
        snapshots: Sequence[Snapshot],
        indices: Array,
        colors: dict[int, int],
        counts: DrawCounts | None,
        ghost: Array | None = None,
    ) -> None:
        """Show the classes at `indices`, in their order.

        `colors` are the colors of the classes that have a curve. `counts` are the draws; None if there are none. The
        `ghost` has the probabilities of the bars behind those of the snapshots; None means those at τ = 1. With two
        engines, there are two snapshots of the same row. The current class keeps its line while the list stays the
        same.
        """
        [snapshot, *others] = snapshots
        row, row_before = snapshot.row, self._snapshot.row if self._snapshot else None
        current_before = self.current
        is_same_list = row is row_before and np.array_equal(self._indices, indices)
        self._snapshot, self._indices, self._colors, self._counts = snapshot, indices, colors, counts
        self._second = others[0] if others else None
        if not is_same_list:
            self._show_list(row, from_top=row_before is None or row.number != row_before.number)
            # In another order of the same row, the current class stays the current one.
            if row_before is not None and row is not row_before and row.number == row_before.number:
                self._position = self._position_of(current_before)
        self._ghost = row.probs_at_one if ghost is None else ghost
        self.marks = TableMarks(
            removed=any(_removes(shown) for shown in snapshots),
            curve=next(map(self._curve_mark, colors), ""),
            counts=counts is not None,
            marked=ghost is not None,
            bounds=not all(shown.is_exact for shown in snapshots),
        )
        top_prob = max(float(np.nanmax(shown.bounds[1])) for shown in snapshots)
        self.show_title(self._title)
        self._scale = scale_top(max(top_prob, float(self._ghost.max())))
        self.refresh()

    def show_title(self, title: str) -> None:
        """Show a title, and next to it the longest legend that fits."""
        self._title = title
        room = self.size.width - 2 - cell_len(title)
        # Content, unlike a string, is not parsed as markup.
        border_title = Content(title + self.marks.title(room))
        # A new title repaints the border.
        if self.border_title != border_title.markup:
            self.border_title = border_title

    @property
    def _snapshots(self) -> list[Snapshot]:
        """The snapshots that have bars."""
        return [snapshot for snapshot in (self._snapshot, self._second) if snapshot]

    def clear(self) -> None:
        """Show no class."""
        self._snapshot = self._second = None
        self._indices = np.empty(0, np.int64)
        self.refresh()

    def _show_list(self, row: ExplorerRow, *, from_top: bool) -> None:
        self._resize_list()
        self._longest_name = 5
        self._measure_names(row, 0, _MEASURED_NAMES)
        self._position = 0 if from_top else min(self._position, max(0, len(self._indices) - 1))
        self.scroll_to(y=0 if from_top else None, animate=False)
        self._measure_names_on_screen()

    def on_resize(self) -> None:
        self.show_title(self._title)
        self._resize_list()
        self._measure_names_on_screen()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        self._measure_names_on_screen()
        super().watch_scroll_y(old_value, new_value)

    def _measure_names_on_screen(self) -> None:
        """Widen the column for the names on the screen. It does not narrow again, because that would be unsteady."""
        if self._snapshot:
            self._measure_names(self._snapshot.row, self.scroll_offset.y // self._lines.pitch, self.size.height)

    def _measure_names(self, row: ExplorerRow, first: int, count: int) -> None:
        """Widen the column for `count` names of a row from a position in the list on."""
        names = map(row.name, self._indices[first : first + count].tolist())
        self._longest_name = max([self._longest_name, *map(cell_len, names)])

    def _resize_list(self) -> None:
        if self._snapshot:
            self.virtual_size = Size(self.size.width, self._lines.of(len(self._indices)) + _HEAD)

    @property
    def _room(self) -> int:
        """The number of lines below the header."""
        return self.scrollable_content_region.height - _HEAD

    @property
    def _lines(self) -> BarLines:
        return BarLines.fitting(len(self._indices), self._room)

    @property
    def current(self) -> int | None:
        """The index of the current class."""
        return int(self._indices[self._position]) if len(self._indices) else None

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        return strip(self._segments(self._snapshot, y, width) if self._snapshot else [], width)

    def _segments(self, snapshot: Snapshot, y: int, width: int) -> list[Segment]:
        columns = self._columns(width)
        if y < _HEAD:
            return self._head(snapshot, columns)
        position, line = divmod(self.scroll_offset.y + y - _HEAD, self._lines.pitch)
        if position >= len(self._indices):
            return self._legend(y - _HEAD, width)
        if line == self._lines.text:
            return self._line(snapshot, position, columns)
        return self._bar_line(position, columns) if line < self._lines.bar else []

    def _columns(self, width: int) -> ClassColumns:
        return ClassColumns.fitting(
            width,
            self._longest_name,
            last_rank=self._snapshot.row.classes if self._snapshot else 1,
            highest_count=int(self._counts.counts.max()) if self._counts else None,
            bars=len(self._snapshots),
        )

    def _head(self, snapshot: Snapshot, columns: ClassColumns) -> list[Segment]:
        text = "  " + shortened("class", columns.name).ljust(columns.name)
        if columns.rank:
            quantity = "energy" if _is_energy(snapshot) else "logit"
            text += "rank".rjust(columns.rank) + quantity.rjust(columns.logit)
        text += "".join(self._bar_head(shown, columns) for shown in self._snapshots[: columns.bars])
        text += "count".rjust(columns.count) if columns.count else ""
        return [Segment(text, GRAY)]

    def _bar_head(self, snapshot: Snapshot, columns: ClassColumns) -> str:
        """Return the header of a probability and its bar: with two engines, the name of the engine."""
        scale = f"{self._scale:g}" if columns.has_scale else ""
        if self._second is None:
            return ("p".rjust(PROB - 1) + " " + "0" * bool(scale)).ljust(PROB + columns.bar - len(scale)) + scale
        room = PROB - 1 + columns.bar - len(scale)
        return " " + shortened(str(snapshot.distributions.engine), room - 1).ljust(room) + scale

    def _legend(self, line: int, width: int) -> list[Segment]:
        """Return a line of the legend, which is at the bottom, separated from the classes by a blank line."""
        legend = self.marks.lines(width, self._room - self._lines.of(len(self._indices)) - 1)
        line -= self._room - len(legend)
        return legend[line] if line >= 0 else []

    def _line(self, snapshot: Snapshot, position: int, columns: ClassColumns) -> list[Segment]:
        """Return the line of a class that has its texts."""
        row, index, is_current = snapshot.row, int(self._indices[position]), position == self._position
        # The name is struck through if no engine keeps the class.
        is_removed = all(_is_removed(shown, index) for shown in self._snapshots)
        mark = "›" if is_current else self._curve_mark(index)
        current_style = Style(reverse=True) if self.has_focus else BOLD
        name = shortened(row.name(index), columns.name)
        segments = [
            Segment(mark + " ", color(self._colors[index]) if index in self._colors else PLAIN),
            Segment(name, REMOVED if is_removed else current_style if is_current else PLAIN),
            Segment(" " * (columns.name - cell_len(name)), PLAIN),
        ]
        if columns.rank:
            sign = -1 if _is_energy(snapshot) else 1
            logit = "?" if row.is_unknown(index) else _logit_text(sign * row.logits[index])
            text = f"{row.ranks[index]:>{columns.rank}}{logit:>{columns.logit}}"
            segments.append(Segment(text, GRAY + Style(dim=is_removed or None)))
        for shown in self._snapshots[: columns.bars]:
            segments += (self._removed if _is_removed(shown, index) else self._prob)(shown, index, columns.bar)
        if self._counts and columns.count:
            segments.append(Segment(f"{self._counts.counts[index]:>{columns.count}}", PLAIN))
        return segments

    def _curve_mark(self, index: int) -> str:
        """Return the mark of a class that has a curve, or a blank."""
        if index not in self._colors:
            return " "
        return LETTERS[list(self._colors).index(index)] if self.app.no_color else CURVE_MARK

    def _bar_line(self, position: int, columns: ClassColumns) -> list[Segment]:
        """Return a line of a class that has only the bars."""
        index = int(self._indices[position])
        segments = [Segment(" " * columns.before_bars, PLAIN)]
        for shown in self._snapshots[: columns.bars]:
            is_removed = _is_removed(shown, index)
            segments.append(Segment(" " * (PROB + columns.bar * is_removed), PLAIN))
            segments += [] if is_removed else self._bar(shown, index, columns.bar)
        return segments

    def _prob(self, snapshot: Snapshot, index: int, bar_width: int) -> list[Segment]:
        """Return a class's probability and its bar. Of an alternative, the number is the upper bound."""
        low, high = (float(bound[index]) for bound in snapshot.bounds)
        is_unknown = snapshot.row.is_unknown(index) or np.isnan(low)
        texts = prob_cell(low), prob_cell(high)
        text = "?" if is_unknown else texts[1] if texts[0] == texts[1] else f"≤{texts[1].strip()}"
        return [Segment(f"{text:>{PROB - 1}} ", PLAIN), *self._bar(snapshot, index, bar_width)]

    def _bar(self, snapshot: Snapshot, index: int, width: int) -> list[Segment]:
        """Return the bar of a class: both bounds, or the probability in front of its ghost."""
        low, high = (float(bound[index]) for bound in snapshot.bounds)
        style = tau_style(snapshot.tau)
        if snapshot.is_exact:
            return bars(low / self._scale, float(self._ghost[index]) / self._scale, width, style)
        if np.isnan(low):
            return [Segment(" " * width, PLAIN)]
        return interval_bar(low / self._scale, high / self._scale, width, style)

    @staticmethod
    def _removed(snapshot: Snapshot, index: int, bar_width: int) -> list[Segment]:
        """Return the probability of a removed class before the samplers, and the step that removed the class."""
        step = str(snapshot.stages[int(snapshot.removing_steps[index])].step)
        is_known = snapshot.distributions.without_chain.exact[0]
        prob = f"({prob_cell(snapshot.tempered_probs[index]).strip() if is_known else '–'})"
        # The digits are below those of the other probabilities.
        words = set_cell_size(f" {shortened(step, bar_width - 1)}", bar_width)
        return [Segment(f"{prob:>{PROB}}{words}", Style(dim=True))]

    def choose(self, index: int) -> None:
        """Select a class if it is listed."""
        self._select(self._position_of(index))

    def _position_of(self, index: int | None) -> int:
        """Return the position of a class in the list, or the current position if the class is not listed."""
        [positions] = np.nonzero(self._indices == index)
        return int(positions[0]) if len(positions) else self._position

    def move(self, by: int) -> None:
        """Select the class `by` places below the current one."""
        self._select(self._position + by)

    def move_to_end(self, position: int) -> None:
        """Select the first class (0) or the last class (-1)."""
        self._select(position % max(1, len(self._indices)))

    def move_page(self, by: int) -> None:
        self._select(self._position + by * max(1, self._room - 1))

    def _select(self, position: int) -> None:
        if not len(self._indices):
            return
        self._position = min(max(position, 0), len(self._indices) - 1)
        # The header covers the first line of the region that becomes visible.
        self.scroll_to_region(
            Region(0, self._position * self._lines.pitch, 1, self._lines.bar + _HEAD), animate=False, force=True
        )
        self.refresh()
        self.post_message(self.ClassSelected())

    def on_click(self, event: events.Click) -> None:
        position = self._position_under(event)
        if position is not None:
            self._select(position)

    def _position_under(self, event: events.MouseEvent) -> int | None:
        """Return the position of the class under the mouse."""
        line = event.y - _HEAD - self.gutter.top
        position = (self.scroll_offset.y + line) // self._lines.pitch
        return position if line >= 0 and position < len(self._indices) else None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Explain the mark under the mouse."""
        position, text = self._position_under(event), ""
        if position is not None and self._snapshot:
            column, engine = self._columns(self.scrollable_content_region.width).at(event.x - self.gutter.left)
            is_removed = _is_removed(self._snapshots[engine], int(self._indices[position]))
            text = self.marks.explanation(column, is_removed=is_removed)
        if text != self.tooltip:
            self.tooltip = text or None


def _is_removed(snapshot: Snapshot, index: int) -> bool:
    """Return whether a sampler removes a class. A masked class is not removed."""
    return bool(snapshot.chain) and not snapshot.kept[index] and snapshot.row.block.logits[0, index] > -np.inf


def _removes(snapshot: Snapshot) -> bool:
    """Return whether a sampler removes any class."""
    return bool(snapshot.chain) and bool((~snapshot.kept & (snapshot.row.block.logits[0] > -np.inf)).any())


def _logit_text(value: float) -> str:
    """Return a logit with as many digits, at most five, as leave a blank before it."""
    texts = (number_text(value, digits) for digits in (5, 4, 3))
    return next(text for text in texts if len(text) < LOGIT)


def _is_energy(snapshot: Snapshot) -> bool:
    return snapshot.row.block.origin.quantity == "energy"
