"""The curves: the probability of the first few classes over τ, with a cursor at the present one."""

from math import inf
from typing import NamedTuple

from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tsoft.charts.curves import Chart, curve_chart
from tsoft.charts.view import Screen
from tsoft.explorer.paint import PLAIN, strip, tau_style
from tsoft.explorer.snapshot import TAUS, Course

# The axis and its numbers are part of what can be pointed at.
_UNDER = 2


class Drawn(NamedTuple):
    """A chart as lines of segments."""

    chart: Chart
    strips: list[Strip]


def drawn(course: Course, names: list[str], width: int, height: int) -> Drawn:
    """The chart of a course, in so many columns and lines."""
    chart = curve_chart(names, TAUS, course.probs, Screen(width, True), height=height, log=True, limits=(0.0, 1.0))
    return Drawn(chart, [Strip(_segments(line)) for line in chart.lines])


def _segments(line: str) -> list[Segment]:
    text = Text.from_ansi(line)
    spans = sorted(text.spans)
    found, at = [], 0
    for span in spans:
        found.append(Segment(text.plain[at : span.start], PLAIN))
        found.append(Segment(text.plain[span.start : span.end], span.style))  # type: ignore[arg-type]
        at = span.end
    return [segment for segment in [*found, Segment(text.plain[at:], PLAIN)] if segment.text]


class Curve(Widget):
    """The chart. It is drawn elsewhere, since that takes long."""

    class Picked(Message):
        """A temperature was pointed at."""

        def __init__(self, tau: float):
            super().__init__()
            self.tau = tau

    class Resized(Message):
        """There is another room for a chart."""

    def __init__(self) -> None:
        super().__init__(id="curve")
        self.border_title = "p over τ"
        self._drawn: Drawn | None = None
        self._tau = 1.0
        self._drags = False

    def show(self, tau: float) -> None:
        self._tau = tau
        self.refresh()

    def follow(self, drawn: Drawn | None) -> None:
        self._drawn = drawn
        self.refresh()

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def _cursor(self, chart: Chart) -> int | None:
        """The column of the present temperature."""
        if chart.axis is None:
            return None
        low, high = chart.axis.ends
        return chart.axis.column(min(max(self._tau, low), high))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._drawn is None or y >= len(self._drawn.strips):
            return strip([], width)
        chart, line = self._drawn.chart, self._drawn.strips[y].adjust_cell_length(width, PLAIN)
        column = self._cursor(chart)
        if column is None or not chart.top <= y < chart.bottom:
            return line
        at = chart.left + column
        there = line.crop(at, at + 1).text
        mark = Segment("│" if there in (" ", "┊", "\u2800") else there, tau_style(self._tau))
        return Strip.join([line.crop(0, at), Strip([mark]), line.crop(at + 1, width)])

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self.capture_mouse()
        self._pick(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._drags:
            self._pick(event)

    def on_mouse_up(self, _: events.MouseUp) -> None:
        self._drags = False
        self.release_mouse()

    def _pick(self, event: events.MouseEvent) -> None:
        """The temperature under the mouse. Once it is on the chart it may go on: beyond the ends of the axis are
        the limits."""
        if self._drawn is None or self._drawn.chart.axis is None:
            return
        chart = self._drawn.chart
        assert chart.axis
        column = event.x - self.gutter.left - chart.left
        line = event.y - self.gutter.top
        inside = 0 <= column < chart.axis.columns and chart.top <= line < chart.bottom + _UNDER
        self._drags = self._drags or inside
        if not self._drags:
            return
        tau = 0.0 if column < 0 else inf
        if 0 <= column < chart.axis.columns:
            tau = float(f"{chart.axis.value(column):.2g}")
        self.post_message(self.Picked(tau))
