"""The chart of the chain: a line per step, with the classes that it keeps and cuts, and a bar of their probability."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from tsoft.charts.style import scale_top
from tsoft.charts.table import bar
from tsoft.errors import shortened
from tsoft.explorer.paint import GRAY, PLAIN, color, prob_cell, strip
from tsoft.explorer.snapshot import Snapshot
from tsoft.explorer.step_effects import StepEffect, has_samplers, step_effects

# The widths of a number of classes and of a probability, with the blank before them.
_COUNT, _PROB = 7, 8
# The minimum width of the bars.
_MIN_BAR = 6
_BAR_STYLE = color(33)


class _Line(NamedTuple):
    """A line: the effect of a step, or a header with a title."""

    title: str
    effect: StepEffect | None = None


class ChainChart(Widget):
    """The steps of a chain in order; with two engines, the steps of both. It is hidden while no sampler is on."""

    def __init__(self) -> None:
        super().__init__(id="chain")
        self.border_title = "chain · what each step keeps and cuts"
        self._snapshots: Sequence[Snapshot] = ()
        # The lines are computed when they are drawn, because a small screen does not show the chart.
        self._lines: list[_Line] | None = None

    def show(self, snapshots: Sequence[Snapshot]) -> None:
        """Show the chain of each snapshot. Several snapshots are those of several engines."""
        height = self._height
        self._snapshots, self._lines = snapshots, None
        self.set_class(any(map(has_samplers, snapshots)), "-on")
        self.refresh(layout=self._height != height)

    @property
    def _height(self) -> int:
        """The number of lines: a header and the steps of each chain."""
        return sum(
            1 + len(snapshot.chain.at(snapshot.tau)) for snapshot in self._snapshots if snapshot.chain is not None
        )

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self._height

    def _computed_lines(self) -> list[_Line]:
        if self._lines is None:
            self._lines = []
            for snapshot in self._snapshots:
                title = str(snapshot.distributions.engine) if len(self._snapshots) > 1 else "step"
                self._lines += [_Line(title), *(_Line("", effect) for effect in step_effects(snapshot))]
        return self._lines

    def render_line(self, y: int) -> Strip:
        (width, height), lines = self.size, self._computed_lines()
        if y >= len(lines):
            return strip([], width)
        if y == height - 1 and len(lines) > height:
            return strip([Segment(shortened(f"… {len(lines) - y} more lines; e shows all steps", width), GRAY)], width)
        title, effect = lines[y]
        return strip(self._header(title, width) if effect is None else self._line(effect, width), width)

    @property
    def _effects(self) -> list[StepEffect]:
        return [effect for _, effect in self._computed_lines() if effect]

    @property
    def _scale(self) -> float:
        """The probability at the end of the bars."""
        return scale_top(max((effect.cut_prob or 0.0 for effect in self._effects), default=0.0))

    def _columns(self, width: int) -> tuple[int, int]:
        """Return the widths of the name's column and of the bar's column."""
        room = max(0, width - 2 * _COUNT - _PROB - 1)
        longest = max((cell_len(effect.name) for effect in self._effects), default=0)
        name_width = min(max(longest, 4), max(4, room - max(_MIN_BAR, room // 4)))
        return name_width, max(0, room - name_width)

    def _header(self, title: str, width: int) -> list[Segment]:
        name_width, bar_width = self._columns(width)
        text = set_cell_size(shortened(title, name_width), name_width) + "kept".rjust(_COUNT) + "cut".rjust(_COUNT)
        if any(effect.may_keep_unlisted is not None for effect in self._effects):
            return [Segment(text + "  unlisted", GRAY)]
        return [Segment(text + "p cut".rjust(_PROB) + " 0" + f"{self._scale:g}".rjust(bar_width - 1), GRAY)]

    def _line(self, effect: StepEffect, width: int) -> list[Segment]:
        name_width, bar_width = self._columns(width)
        counts = (_range(count, effect.undecided) for count in (effect.kept, effect.cut))
        segments = [
            Segment(set_cell_size(shortened(effect.name, name_width), name_width), PLAIN),
            Segment("".join(counts), PLAIN),
        ]
        if effect.cut_prob is None:
            return [*segments, Segment("  may remain" if effect.may_keep_unlisted else "  removed", PLAIN)]
        prob = prob_cell(effect.cut_prob) if effect.cut_prob else ""
        return [
            *segments,
            Segment(f"{prob:>{_PROB}} "),
            Segment(bar(effect.cut_prob / self._scale, bar_width), _BAR_STYLE),
        ]


def _range(count: int, undecided: int) -> str:
    """Return a number of classes, or the range of the numbers that are possible, with a blank before it.

    >>> _range(5, 0), _range(5, 2), _range(10000, 2345)
    ('      5', '    5-7', ' 10000-12345')
    """
    text = f"{count}-{count + undecided}" if undecided else str(count)
    return f" {text}".rjust(_COUNT)
