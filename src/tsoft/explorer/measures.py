"""The measures: large live numbers, each with a small line over τ."""

from math import nan

import numpy as np
from rich.console import Group
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.renderables.digits import Digits
from textual.widget import Widget

from tsoft.core.softmax import Array
from tsoft.errors import shortened
from tsoft.explorer.paint import GREY, large, tau_style
from tsoft.explorer.scale import Scale
from tsoft.explorer.snapshot import MEASURES, Course, Seen
from tsoft.sampling.distributions import unit
from tsoft.sampling.sampler_table import TAU

_LEVELS = "▁▂▃▄▅▆▇█"
# Lines that a large number takes, with its name and its line over τ.
_LARGE = 5


class Measure(Widget):
    """A number under its name, and over τ."""

    def __init__(self, name: str):
        super().__init__(id=name)
        self._title = name
        self._value = 0.0
        self._tau = 1.0
        self._course: Array | None = None

    def show(self, title: str, value: float, tau: float) -> None:
        self._title, self._value, self._tau = title, value, tau
        self.refresh()

    def follow(self, course: Array | None) -> None:
        """Shows values over TAUS; none until they are there."""
        self._course = course
        self.refresh()

    def render(self) -> Group:
        width, height = self.size
        number = large(self._value)
        title = Text(shortened(self._title, width - 1), GREY)
        style = tau_style(self._tau) + Style(bold=True)
        shown = Digits(number, style) if height >= _LARGE else Text(shortened(number, width), style)
        return Group(title, shown, spark(self._course, self._tau, max(1, width - 1)))


def spark(course: Array | None, tau: float, width: int) -> Text:
    """Values over τ, in as many columns, from 0 to their highest; the present one's is marked."""
    if course is None or not np.isfinite(course).any():
        return Text(" " * width)
    places = np.linspace(0, len(course) - 1, width)
    values = np.interp(places, np.arange(len(course)), np.nan_to_num(course))
    top = values.max() or 1.0
    levels = "".join(_LEVELS[min(7, int(value / top * 8))] for value in values)
    text = Text(levels, GREY)
    at = round(Scale(TAU).fraction(tau) * (width - 1))
    text.stylize(tau_style(tau) + Style(bold=True), at, at + 1)
    return text


class Measures(Horizontal):
    """All of them, side by side. Entropies are in nats, or in bits."""

    def __init__(self, *, bits: bool):
        super().__init__(id="measures")
        self._bits = bits

    def compose(self) -> ComposeResult:
        for name in MEASURES:
            yield Measure(name)

    def show(self, seen: Seen) -> None:
        titles = {"entropy": f"entropy {'bits' if self._bits else 'nats'}", "top": f"top {seen.row.name(seen.top)}"}
        for name, value in zip(MEASURES, seen.measures, strict=True):
            measure = self.query_one(f"#{name}", Measure)
            measure.show(titles.get(name, name), value / unit(name, self._bits), seen.tau)

    def clear(self) -> None:
        """Shows that there is nothing to measure."""
        for name in MEASURES:
            self.query_one(f"#{name}", Measure).show(name, nan, 1.0)

    def follow(self, course: Course | None) -> None:
        for i, name in enumerate(MEASURES):
            self.query_one(f"#{name}", Measure).follow(course.measures[:, i] if course else None)
