"""The distribution: a bar for each class, with that of τ = 1 behind it."""

from dataclasses import dataclass, field

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
from tsoft.explorer.draw_counts import Tally
from tsoft.explorer.paint import BOLD, GONE, GREY, PLAIN, bars, color, small, strip, tau_style
from tsoft.explorer.snapshot import Seen

# The line of heads above the classes.
_HEAD = 1
# Under this width there is no room for a class's rank and logit.
_WIDE = 50
_RANK, _LOGIT, _PROB, _COUNT = 7, 11, 7, 7
# Of so many classes the names are looked at for the width of their column.
_LOOKED_AT = 200


@dataclass(frozen=True)
class Listed:
    """What is listed: the classes at these indices, in their order, of a row as it is seen; the colours
    of those that have a curve; and what was drawn."""

    seen: Seen
    indices: Array
    colors: dict[int, int] = field(default_factory=dict)
    tally: Tally | None = None


class Distribution(ScrollView, can_focus=True):
    """The classes, a line each."""

    class Chosen(Message):
        """A class was chosen, by its index."""

        def __init__(self, index: int):
            super().__init__()
            self.index = index

    def __init__(self) -> None:
        super().__init__(id="distribution")
        self.border_title = "distribution"
        self._listed: Listed | None = None
        self._place = 0
        self._top = 1.0
        self._longest = 5

    def show(self, listed: Listed) -> None:
        """Shows what is listed; the place of the chosen class stays, as long as the list is the same."""
        before, self._listed = self._listed, listed
        seen = listed.seen
        if before is None or not np.array_equal(before.indices, listed.indices) or before.seen.row is not seen.row:
            self._new_list(listed, begin=before is None or before.seen.row.number != seen.row.number)
        self._top = scale_top(max(float(seen.result.top_prob[0, 0]), float(seen.row.at_one.max())))
        self.refresh()

    def clear(self) -> None:
        """Shows no class."""
        self._listed = None
        self.refresh()

    def _new_list(self, listed: Listed, *, begin: bool) -> None:
        self.virtual_size = Size(self.size.width, len(listed.indices) + _HEAD)
        names = (listed.seen.row.name(i) for i in listed.indices[:_LOOKED_AT].tolist())
        self._longest = max([5, *map(cell_len, names)])
        self._place = 0 if begin else min(self._place, max(0, len(listed.indices) - 1))
        self.scroll_to(y=0 if begin else None, animate=False)

    def on_resize(self) -> None:
        if self._listed:
            self.virtual_size = Size(self.size.width, len(self._listed.indices) + _HEAD)

    @property
    def _number(self) -> tuple[str, int]:
        """What stands beside a class, and by which sign it is its logit."""
        assert self._listed
        return ("energy", -1) if self._listed.seen.row.block.quantity == "energy" else ("logit", 1)

    @property
    def chosen(self) -> int | None:
        """The index of the class that is chosen."""
        if self._listed is None or not len(self._listed.indices):
            return None
        return int(self._listed.indices[self._place])

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if self._listed is None:
            return strip([], width)
        if y < _HEAD:
            return strip(self._head(width), width)
        place = self.scroll_offset.y + y - _HEAD
        if place >= len(self._listed.indices):
            return strip([], width)
        return strip(self._line(self._listed, place, width), width)

    def _columns(self, width: int) -> tuple[int, bool, int]:
        """The columns of a name and of a bar, and whether there is room for the rank and the logit."""
        assert self._listed
        wide = width >= _WIDE
        taken = 2 + 1 + _PROB + 1 + (_RANK + _LOGIT) * wide + _COUNT * (self._listed.tally is not None)
        name = max(4, min(self._longest, (width - taken) // 2))
        return name, wide, max(0, width - taken - name)

    def _head(self, width: int) -> list[Segment]:
        name, wide, bar = self._columns(width)
        text = "  " + shortened("class", name).ljust(name)
        text += "rank".rjust(_RANK) + self._number[0].rjust(_LOGIT) if wide else ""
        text += " " + "p".rjust(_PROB) + " "
        scale = f"{self._top:g}".rjust(max(0, bar - 1)) if bar > 4 else ""
        text += "0" * (bar > 4) + scale
        assert self._listed
        text += "drawn".rjust(_COUNT) if self._listed.tally else ""
        return [Segment(text, GREY)]

    def _line(self, listed: Listed, place: int, width: int) -> list[Segment]:
        seen, index = listed.seen, int(listed.indices[place])
        row = seen.row
        name, wide, room = self._columns(width)
        gone = bool(seen.chain) and not seen.result.kept[0, 0, index] and row.block.logits[0, index] > -np.inf
        chosen = place == self._place
        mark = "›" if chosen else "●" if index in listed.colors else " "
        style = GONE if gone else (Style(reverse=True) if self.has_focus else BOLD) if chosen else PLAIN
        label = shortened(row.name(index), name)
        segments = [
            Segment(mark + " ", color(listed.colors[index]) if index in listed.colors else PLAIN),
            Segment(label, style),
            Segment(set_cell_size("", name - cell_len(label)), PLAIN),
        ]
        dim = Style(dim=gone or None)
        if wide:
            logit = "?" if row.is_unknown(index) else number_text(self._number[1] * row.logits[index])
            segments.append(Segment(f"{row.ranks[index]:>{_RANK}}{logit:>{_LOGIT}}", GREY + dim))
        if gone:
            remover = str(seen.stages[int(seen.removers[index])].step)
            alone = f"({small(seen.alone[index]).strip()})"
            segments.append(Segment(f" {alone:>{_PROB}} ", dim))
            segments.append(Segment(set_cell_size(shortened(remover, room), room), dim))
        else:
            prob = float(seen.probs[index])
            shown = "?".rjust(_PROB) if row.is_unknown(index) else small(prob)
            segments.append(Segment(f" {shown} ", PLAIN))
            segments += bars(prob / self._top, float(row.at_one[index]) / self._top, room, tau_style(seen.tau))
        if listed.tally:
            segments.append(Segment(f"{listed.tally.counts[index]:>{_COUNT}}", PLAIN))
        return segments

    def choose(self, by: int) -> None:
        self._choose(self._place + by)

    def choose_end(self, place: int) -> None:
        if self._listed:
            self._choose(place % max(1, len(self._listed.indices)))

    def page(self, by: int) -> None:
        self._choose(self._place + by * max(1, self.scrollable_content_region.height - _HEAD - 1))

    def _choose(self, place: int) -> None:
        if self._listed is None or not len(self._listed.indices):
            return
        self._place = min(max(place, 0), len(self._listed.indices) - 1)
        # What is above the line of heads is hidden.
        self.scroll_to_region(Region(0, self._place, 1, 1 + _HEAD), animate=False, force=True)
        self.refresh()
        self.post_message(self.Chosen(int(self._listed.indices[self._place])))

    def on_click(self, event: events.Click) -> None:
        place = self.scroll_offset.y + event.y - _HEAD - self.gutter.top
        if self._listed and event.y >= _HEAD + self.gutter.top and 0 <= place < len(self._listed.indices):
            self._choose(place)
