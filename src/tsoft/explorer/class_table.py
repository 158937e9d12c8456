"""The table of the classes, with a bar for each class in front of its bar at τ = 1; with two engines, two bars."""

from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tsoft.charts.style import number_text, scale_top
from tsoft.core.softmax import Array
from tsoft.errors import shortened
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

# The lines of the header.
_HEAD = 1
# A table narrower than this shows no ranks and logits.
_WIDE = 50
# The same with the bars of two engines.
_WIDE_WITH_TWO = 74
_RANK, _LOGIT, _PROB, _COUNT = 7, 11, 7, 7
# How many names determine the width of their column.
_MEASURED_NAMES = 200
# Legends of the marks in bars, the longest first.
_LEGENDS = (" · ░ ▏ at τ = 1 without samplers", " · ░ ▏ at τ = 1")
_MARK_LEGENDS = (" · ░ ▏ the marked distribution", " · ░ ▏ mark")
_BOUNDS_LEGENDS = (" · █ lower, ▒ upper bound among all classes", " · █ lower, ▒ upper bound")


class ClassTable(ScrollView, can_focus=True):
    """The classes with their probabilities, one per line. One of them is the current class."""

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
        # The line of the current class, counted from 0.
        self._position = 0
        self._scale = 1.0
        self._ghost: Array = np.empty(0)
        self._has_mark = False
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
        self._has_mark, self._ghost = ghost is not None, row.probs_at_one if ghost is None else ghost
        top_prob = max(float(np.nanmax(shown.bounds[1])) for shown in self._snapshots)
        self.show_title(self._title)
        self._scale = scale_top(max(top_prob, float(self._ghost.max())))
        self.refresh()

    def show_title(self, title: str) -> None:
        """Show a title, and next to it the longest legend that fits."""
        self._title = title
        room = self.size.width - 2 - cell_len(title)
        exact_legends = _MARK_LEGENDS if self._has_mark else _LEGENDS
        is_exact = all(snapshot.is_exact for snapshot in self._snapshots)
        legends = exact_legends if is_exact else _BOUNDS_LEGENDS
        border_title = title + next((legend for legend in legends if cell_len(legend) <= room), "")
        # A new title repaints the border.
        if self.border_title != border_title:
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
        names = map(row.name, self._indices[:_MEASURED_NAMES].tolist())
        self._longest_name = max([5, *map(cell_len, names)])
        self._position = 0 if from_top else min(self._position, max(0, len(self._indices) - 1))
        self.scroll_to(y=0 if from_top else None, animate=False)

    def on_resize(self) -> None:
        self.show_title(self._title)
        self._resize_list()

    def _resize_list(self) -> None:
        if self._snapshot:
            self.virtual_size = Size(self.size.width, len(self._indices) + _HEAD)

    @property
    def current(self) -> int | None:
        """The index of the current class."""
        return int(self._indices[self._position]) if len(self._indices) else None

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if self._snapshot is None:
            return strip([], width)
        if y < _HEAD:
            return strip(self._head(self._snapshot, width), width)
        position = self.scroll_offset.y + y - _HEAD
        if position >= len(self._indices):
            return strip([], width)
        return strip(self._line(self._snapshot, position, width), width)

    def _has_ranks(self, width: int) -> bool:
        """Whether there is room for ranks and logits."""
        return width >= (_WIDE_WITH_TWO if self._second else _WIDE)

    def _columns(self, width: int) -> tuple[int, int]:
        """Return the widths of the name's column and of each bar's column."""
        count = len(self._snapshots)
        other = 2 + (1 + _PROB + 1) * count + (_RANK + _LOGIT) * self._has_ranks(width)
        other += _COUNT * (self._counts is not None)
        name_width = max(4, min(self._longest_name, (width - other) // (count + 1)))
        return name_width, max(0, width - other - name_width) // count

    def _head(self, snapshot: Snapshot, width: int) -> list[Segment]:
        name_width, bar_width = self._columns(width)
        text = "  " + shortened("class", name_width).ljust(name_width)
        if self._has_ranks(width):
            text += "rank".rjust(_RANK) + ("energy" if _is_energy(snapshot) else "logit").rjust(_LOGIT)
        text += "".join(self._bar_head(shown, bar_width) for shown in self._snapshots)
        text += "count".rjust(_COUNT) if self._counts else ""
        return [Segment(text, GRAY)]

    def _bar_head(self, snapshot: Snapshot, bar_width: int) -> str:
        """Return the header of a probability and its bar: with two engines, the name of the engine."""
        scale = f"{self._scale:g}" if bar_width > 4 else ""
        if self._second is None:
            return " " + "p".rjust(_PROB) + " " + ("0" + scale.rjust(bar_width - 1) if scale else "")
        room = _PROB + 1 + bar_width - len(scale)
        name = str(snapshot.distributions.engine)
        return " " + shortened(name, room - 1).ljust(room) + scale

    def _line(self, snapshot: Snapshot, position: int, width: int) -> list[Segment]:
        row, index, is_current = snapshot.row, int(self._indices[position]), position == self._position
        name_width, bar_width = self._columns(width)
        # The name is struck through if no engine keeps the class.
        is_removed = all(_is_removed(shown, index) for shown in self._snapshots)
        mark = "›" if is_current else "●" if index in self._colors else " "
        current_style = Style(reverse=True) if self.has_focus else BOLD
        name = shortened(row.name(index), name_width)
        segments = [
            Segment(mark + " ", color(self._colors[index]) if index in self._colors else PLAIN),
            Segment(name, REMOVED if is_removed else current_style if is_current else PLAIN),
            Segment(" " * (name_width - cell_len(name)), PLAIN),
        ]
        if self._has_ranks(width):
            sign = -1 if _is_energy(snapshot) else 1
            logit = "?" if row.is_unknown(index) else number_text(sign * row.logits[index])
            segments.append(
                Segment(f"{row.ranks[index]:>{_RANK}}{logit:>{_LOGIT}}", GRAY + Style(dim=is_removed or None))
            )
        for shown in self._snapshots:
            segments += (self._removed if _is_removed(shown, index) else self._prob)(shown, index, bar_width)
        if self._counts:
            segments.append(Segment(f"{self._counts.counts[index]:>{_COUNT}}", PLAIN))
        return segments

    def _prob(self, snapshot: Snapshot, index: int, bar_width: int) -> list[Segment]:
        """Return a class's probability and its bar."""
        if not snapshot.is_exact:
            return self._bounds(snapshot, index, bar_width)
        prob, reference = float(snapshot.probs[index]), float(self._ghost[index])
        text = "?".rjust(_PROB) if snapshot.row.is_unknown(index) else prob_cell(prob)
        style = tau_style(snapshot.tau)
        return [Segment(f" {text} ", PLAIN), *bars(prob / self._scale, reference / self._scale, bar_width, style)]

    def _bounds(self, snapshot: Snapshot, index: int, bar_width: int) -> list[Segment]:
        """Return the bounds on the probability of an alternative: the upper one as a number, both in the bar."""
        low, high = (float(bound[index]) for bound in snapshot.bounds)
        if np.isnan(low):
            return [Segment(f" {'?':>{_PROB}} " + " " * bar_width, PLAIN)]
        texts = prob_cell(low), prob_cell(high)
        text = texts[1] if texts[0] == texts[1] else f"≤{texts[1].strip()}"
        bar = interval_bar(low / self._scale, high / self._scale, bar_width, tau_style(snapshot.tau))
        return [Segment(f" {text:>{_PROB}} ", PLAIN), *bar]

    @staticmethod
    def _removed(snapshot: Snapshot, index: int, bar_width: int) -> list[Segment]:
        """Return the probability of a removed class before the samplers, and the step that removed the class."""
        step = str(snapshot.stages[int(snapshot.removing_steps[index])].step)
        is_known = snapshot.distributions.without_chain.exact[0]
        prob = f"({prob_cell(snapshot.tempered_probs[index]).strip() if is_known else '–'})"
        text, width = f" {prob:>{_PROB}} ", 1 + _PROB + 1 + bar_width
        text += shortened(step, max(0, width - len(text)))
        return [Segment(set_cell_size(text, width), Style(dim=True))]

    def choose(self, index: int) -> None:
        """Select a class if it is listed."""
        self._select(self._position_of(index))

    def _position_of(self, index: int | None) -> int:
        """Return the line of a class, or the current line if the class is not listed."""
        [positions] = np.nonzero(self._indices == index)
        return int(positions[0]) if len(positions) else self._position

    def move(self, by: int) -> None:
        """Select the class `by` lines below the current one."""
        self._select(self._position + by)

    def move_to_end(self, position: int) -> None:
        """Select the first class (0) or the last class (-1)."""
        self._select(position % max(1, len(self._indices)))

    def move_page(self, by: int) -> None:
        self._select(self._position + by * max(1, self.scrollable_content_region.height - _HEAD - 1))

    def _select(self, position: int) -> None:
        if not len(self._indices):
            return
        self._position = min(max(position, 0), len(self._indices) - 1)
        # The header covers the first line of the region that becomes visible.
        self.scroll_to_region(Region(0, self._position, 1, 1 + _HEAD), animate=False, force=True)
        self.refresh()
        self.post_message(self.ClassSelected())

    def on_click(self, event: events.Click) -> None:
        position = self.scroll_offset.y + event.y - _HEAD - self.gutter.top
        if event.y >= _HEAD + self.gutter.top and 0 <= position < len(self._indices):
            self._select(position)


def _is_removed(snapshot: Snapshot, index: int) -> bool:
    """Return whether a sampler removes a class. A masked class is not removed."""
    return bool(snapshot.chain) and not snapshot.kept[index] and snapshot.row.block.logits[0, index] > -np.inf


def _is_energy(snapshot: Snapshot) -> bool:
    return snapshot.row.block.origin.quantity == "energy"
