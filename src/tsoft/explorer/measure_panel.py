"""The panel of the measures: large numbers, each with a small curve over τ."""

from math import nan

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.renderables.digits import Digits
from textual.strip import Strip
from textual.widget import Widget

from tsoft.core.softmax import Array
from tsoft.errors import shortened
from tsoft.explorer.keys import explanation
from tsoft.explorer.paint import GRAY, PLAIN, short_number, strip, tau_style
from tsoft.explorer.slider_scale import SliderScale
from tsoft.explorer.snapshot import SHOWN_MEASURES, Snapshot, TemperatureCurves
from tsoft.sampling.distributions import measure_unit
from tsoft.sampling.sampler_table import TAU

_LEVELS = "▁▂▃▄▅▆▇█"
# The height of a large number with its title and its curve.
_LARGE = 5


class MeasureDisplay(Widget):
    """A measure: its title, its value and its curve."""

    def __init__(self, name: str):
        super().__init__(id=name)
        # Shown while the mouse is over the measure.
        self.tooltip = f"{name}: {explanation(name)}"
        self._title = name
        self._value = 0.0
        self._unit = ""
        self._tau = 1.0
        self._curve: Array | None = None
        self._is_explained = False
        # Drawn when Textual paints the screen, which may be after several changes.
        self._strips: list[Strip] | None = None

    def mark(self, is_explained: bool) -> None:
        """Underline the title, or not: the explanation of the measure is on the screen."""
        if is_explained != self._is_explained:
            self._is_explained = is_explained
            self.redraw()

    def show(self, title: str, value: float, tau: float, unit: str = "") -> None:
        self._title, self._value, self._tau, self._unit = title, value, tau, unit
        self.redraw()

    def show_curve(self, curve: Array) -> None:
        """Show the values over CURVE_TAUS."""
        self._curve = curve
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        self._strips = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        if self._strips is None:
            self._strips = [strip(line, width) for line in self._lines(width - 1, height)]
        return self._strips[y] if y < len(self._strips) else strip([], width)

    def _lines(self, width: int, height: int) -> list[list[Segment]]:
        number = short_number(self._value)
        style = tau_style(self._tau) + Style(bold=True)
        if height >= _LARGE:
            title = f"{self._title} ({self._unit})" if self._unit else self._title
            # There is no large e.
            segments = (part for part in Digits(number.upper()).render(style) if isinstance(part, Segment))
            value = list(Segment.split_lines(segments))
        else:
            title = self._title
            value = [[Segment(shortened(f"{number} {self._unit}".rstrip(), width), style)]]
        title_style = GRAY + Style(underline=self._is_explained, bold=self._is_explained)
        return [
            [Segment(shortened(title, width), title_style)],
            *value,
            spark_line(self._curve, self._tau, max(1, width)),
        ]


def spark_line(curve: Array | None, tau: float, width: int) -> list[Segment]:
    """Return values over τ as a line of `width` columns, with the column of `tau` marked.

    The bars reach from 0 to the highest value.
    """
    if curve is None or not np.isfinite(curve).any():
        return [Segment(" " * width, PLAIN)]
    positions = np.linspace(0, len(curve) - 1, width)
    values = np.interp(positions, np.arange(len(curve)), np.nan_to_num(curve))
    highest = values.max() or 1.0
    text = "".join(_LEVELS[min(7, int(value / highest * 8))] for value in values)
    column = round(SliderScale(TAU).fraction(tau) * (width - 1))
    mark = tau_style(tau) + Style(bold=True)
    return [Segment(text[:column], GRAY), Segment(text[column], mark), Segment(text[column + 1 :], GRAY)]


class MeasurePanel(Horizontal):
    """The measures side by side, with entropies in nats or in bits."""

    def __init__(self, *, bits: bool):
        super().__init__(id="measures")
        self._bits = bits
        self._displays = [MeasureDisplay(name) for name in SHOWN_MEASURES]

    def compose(self) -> ComposeResult:
        yield from self._displays

    def show(self, snapshot: Snapshot) -> None:
        titles = {"top": f"top: {snapshot.row.name(snapshot.top)}"}
        if not snapshot.is_exact:
            titles = {name: f"{titles.get(name, name)}*" for name in SHOWN_MEASURES}
        units = {"entropy": "bits" if self._bits else "nats"}
        for name, display, value in zip(SHOWN_MEASURES, self._displays, snapshot.measures, strict=True):
            value = value / measure_unit(name, self._bits)
            display.show(titles.get(name, name), value, snapshot.tau, units.get(name, ""))

    def mark(self, explained: str) -> None:
        """Underline the title of the measure with this name."""
        for name, display in zip(SHOWN_MEASURES, self._displays, strict=True):
            display.mark(name == explained)

    def clear(self) -> None:
        """Show that no distribution can be measured."""
        for name, display in zip(SHOWN_MEASURES, self._displays, strict=True):
            display.show(name, nan, 1.0)

    def show_curves(self, curves: TemperatureCurves) -> None:
        for display, curve in zip(self._displays, curves.measures.T, strict=True):
            display.show_curve(curve)
