"""The chart of the curves: the probabilities of a few classes over τ, with a cursor at the current τ."""

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from rich.segment import Segment
from rich.text import Text
from textual import events, work
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import get_current_worker

from tsoft.charts.curves import LETTERS, Chart, class_colors, curve_chart
from tsoft.charts.view import Screen
from tsoft.explorer.curve_legend import MAX_LINES, CurveName, legend_lines
from tsoft.explorer.explorer_rows import ExplorerRow
from tsoft.explorer.keys import explanation
from tsoft.explorer.paint import PLAIN, color, strip, tau_style
from tsoft.explorer.snapshot import CURVE_TAUS, TemperatureCurves

# The lines of the axis and its numbers. A click on them selects a temperature, too.
_AXIS_LINES = 2
# A chart with fewer columns has its names in a legend below. The canvas needs this many lines.
_MIN_NAMED, _MIN_CANVAS = 30, 4


class DrawnChart(NamedTuple):
    """A chart, and its lines as strips, with the lines of a legend after them.

    Without room for another line, the legend is the `title`.
    """

    chart: Chart
    strips: list[Strip]
    title: Text


def draw_chart(row: ExplorerRow, curves: TemperatureCurves, screen: Screen, height: int) -> DrawnChart:
    """Draw the chart of a row's curves, with the names of the classes at the ends of the curves or in a legend.

    Without colors, letters draw the curves.
    """
    width, count = screen.width, len(curves.indices)
    heading = Text(f"probability{row.listed_part} over τ")
    if width >= _MIN_NAMED and height - _AXIS_LINES >= max(count, _MIN_CANVAS):
        return DrawnChart(*_drawn([row.name(i) for i in curves.indices], curves, screen, height), heading)
    no_names = [""] * count
    # Without a line to spare, the legend is the title, which has a blank on each side.
    room = height - _AXIS_LINES - _MIN_CANVAS
    if room < 1:
        [title] = _legend(row, curves, screen, width - 2, 1)
        return DrawnChart(*_drawn(no_names, curves, screen, height), _text(title))
    legend = _legend(row, curves, screen, width, min(room, MAX_LINES))
    chart, strips = _drawn(no_names, curves, screen, height - len(legend))
    return DrawnChart(chart, strips + legend, heading)


def _legend(row: ExplorerRow, curves: TemperatureCurves, screen: Screen, width: int, count: int) -> list[Strip]:
    styles = [color(number) if screen.color else PLAIN for number in class_colors(len(curves.indices))]
    letters = [""] * len(styles) if screen.color else LETTERS
    names = list(map(CurveName, map(row.word, curves.indices), styles, letters))
    return [Strip(line) for line in legend_lines(names, width, count)]


def _drawn(names: list[str], curves: TemperatureCurves, screen: Screen, height: int) -> tuple[Chart, list[Strip]]:
    chart = curve_chart(names, CURVE_TAUS, curves.probs, screen, height=height, log=True, limits=(0.0, 1.0))
    return chart, [Strip(_segments(line)) for line in chart.lines]


def _text(line: Strip) -> Text:
    return Text.assemble(*((segment.text, segment.style or "") for segment in line))


def _segments(line: str) -> list[Segment]:
    text = Text.from_ansi(line)
    segments, end = [], 0
    for span in sorted(text.spans):
        segments.append(Segment(text.plain[end : span.start], PLAIN))
        segments.append(Segment(text.plain[span.start : span.end], span.style))  # type: ignore[arg-type]
        end = span.end
    return [segment for segment in [*segments, Segment(text.plain[end:], PLAIN)] if segment.text]


class CurveChart(Widget):
    """The chart. A thread draws it, because drawing takes long."""

    @dataclass
    class TauSelected(Message):
        """The user clicked a temperature, or dragged the mouse to it. Temperatures of one drag have the same `run`."""

        tau: float
        run: Hashable

    def __init__(self) -> None:
        super().__init__(id="curve")
        self.border_title = "probability over τ"
        self.tooltip = f"│ ┊: {explanation('│ ┊')}"
        self._row: ExplorerRow | None = None
        self._curves: TemperatureCurves | None = None
        self._drawn: DrawnChart | None = None
        # plotext has one global figure, which only one thread may draw.
        self._lock = threading.Lock()
        self._tau = 1.0
        self._is_dragging = False
        self._drags = 0

    def show(self, tau: float) -> None:
        self._tau = tau
        self.refresh()

    def show_curves(self, row: ExplorerRow, curves: TemperatureCurves) -> None:
        self._row, self._curves = row, curves
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        """Draw the chart again in the current size of the widget."""
        if self._row is not None and self._curves is not None:
            # When the app ends, the widget may be removed already, and a thread cannot find its app.
            screen = Screen(self.size.width, not self.app.no_color)
            self._draw(self._row, self._curves, screen, self.size.height)

    # By default, Textual describes a worker by the representation of its arguments, which is long.
    @work(thread=True, exclusive=True, group="chart", description="draw the chart")
    def _draw(self, row: ExplorerRow, curves: TemperatureCurves, screen: Screen, height: int) -> None:
        worker = get_current_worker()
        with self._lock:
            drawn = None if worker.is_cancelled else draw_chart(row, curves, screen, height)
        if drawn and not worker.is_cancelled:
            self.call_later(self._show_drawn, drawn)

    def _show_drawn(self, drawn: DrawnChart) -> None:
        self._drawn = drawn
        self.border_title = Content.from_rich_text(drawn.title)
        self.refresh()

    def _cursor(self, chart: Chart) -> int | None:
        """Return the column of the current temperature."""
        if chart.axis is None:
            return None
        low, high = chart.axis.ends
        return chart.axis.column(min(max(self._tau, low), high))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._drawn is None or y >= len(self._drawn.strips):
            return strip([], width)
        chart, line = self._drawn.chart, self._drawn.strips[y].adjust_cell_length(width, PLAIN)
        cursor = self._cursor(chart)
        if cursor is None or not chart.top <= y < chart.bottom:
            return line
        column = chart.left + cursor
        character = line.crop(column, column + 1).text
        mark = Segment("│" if character in (" ", "┊", "\u2800") else character, tau_style(self._tau))
        return Strip.join([line.crop(0, column), Strip([mark]), line.crop(column + 1, width)])

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._drags += 1
        self.capture_mouse()
        self._select(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._is_dragging:
            self._select(event)

    def on_mouse_up(self, _: events.MouseUp) -> None:
        self._is_dragging = False
        self.release_mouse()

    def _select(self, event: events.MouseEvent) -> None:
        """Select the temperature under the mouse.

        A drag that started on the chart may leave it: the limits 0 and ∞ are beyond the ends of the axis.
        """
        if self._drawn is None or self._drawn.chart.axis is None:
            return
        chart, axis = self._drawn.chart, self._drawn.chart.axis
        column = event.x - self.gutter.left - chart.left
        line = event.y - self.gutter.top
        on_axis = 0 <= column < axis.columns
        self._is_dragging = self._is_dragging or (on_axis and chart.top <= line < chart.bottom + _AXIS_LINES)
        if not self._is_dragging:
            return
        tau = float(f"{axis.value(column):.2g}") if on_axis else 0.0 if column < 0 else inf
        self.post_message(self.TauSelected(tau, ("drag in the chart", self._drags)))
