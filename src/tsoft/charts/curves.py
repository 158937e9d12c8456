"""Values over temperature, or over something else, as a chart of curves.

The dots of the curves are worked out here, since where curves meet they take turns and none hides
another: plotext would leave only the last. plotext draws the dots and the scale of values. The
names at the curves' ends stay outside of it, for its matrix counts a wide character as one column.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from statistics import fmean
from typing import Any

import numpy as np
from rich.cells import cell_len

from tsoft.charts.axis import CLOSE, HUGE, Axis, StepAxis, TauAxis, Tick, cell, round_step, round_ticks
from tsoft.charts.bars import blank_figure
from tsoft.charts.view import Screen, View
from tsoft.core.softmax import Array
from tsoft.core.thermodynamics import Ensemble
from tsoft.errors import shortened

# Colours for classes, of the 256-colour table: none stands for a temperature, each has a contrast
# of at least 2.8 to black and to white, and any two differ for red-green blind eyes too. The first
# few are the most different, the ninth, the palest, is the rest's.
CLASS_COLORS = (69, 200, 64, 24, 124, 57, 126, 196, 138)
# The line at what is marked is no curve: a grey.
_GREY = 244
# What draws the curves where there are no colours.
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# What stands before a curve's name where there is no letter.
_LINE = "━"
# The axis and the numbers under it.
_AROUND = 2
# Fewer lines or columns of canvas, or columns for names, say nothing.
_LOWEST = 4
_NARROWEST = 4
_LEAST_NAMES = 6

# Where, what with, and in which colour.
Point = tuple[float, float, str, int | None]


def class_colors(count: int, *, rest: bool = False) -> list[int]:
    """The colours of so many curves, over again after the ninth; with `rest` the last has its own.

    >>> class_colors(3)
    [69, 200, 64]
    >>> class_colors(3, rest=True)
    [69, 200, 138]
    """
    colors = [CLASS_COLORS[i % len(CLASS_COLORS)] for i in range(count)]
    return [*colors[:-1], CLASS_COLORS[-1]] if rest and colors else colors


@dataclass(frozen=True)
class _Curve:
    """A name, what marks it (a letter is also what draws the curve), and its colour."""

    name: str
    mark: str
    color: int | None

    @property
    def text(self) -> str:
        return f"{self.mark} {self.name}".rstrip()

    def label(self, room: int) -> str:
        text = shortened(self.text, room)
        return text if self.color is None else f"\x1b[38;5;{self.color}m{text}\x1b[0m"


@dataclass(frozen=True)
class _Layout:
    """Where things are, in columns and lines: the scale's numbers in `left` columns, the canvas,
    and the names in the `right` columns or, if `legend` has them, above."""

    legend: list[str]
    scale: list[Tick]
    limits: tuple[float, float]
    left: int
    axis: Axis
    rows: int
    right: int

    def heights(self, values: Array) -> Array:
        """How high values are: 0 at the scale's lower end, 1 at the upper."""
        low, high = self.limits
        return np.asarray((values - low) / (high - low))


@dataclass(frozen=True)
class Chart:
    """A chart's lines, and where in them its canvas is: after `left` columns, along the `axis`, between
    the lines `top` and `bottom`. Where there is no room for one there is no axis."""

    lines: list[str]
    left: int = 0
    axis: Axis | None = None
    top: int = 0
    bottom: int = 0

    def __str__(self) -> str:
        return "".join(line + "\n" for line in self.lines)


def curves(
    names: Sequence[str],
    numbers: Array,
    values: Array,
    *,
    width: int,
    height: int,
    log: bool,
    colors: Sequence[int] | None,
    title: str = "",
    limits: tuple[float, float] | None = None,
    along: type[TauAxis | StepAxis] = TauAxis,
) -> Chart:
    """`values`, (numbers, names), over ascending numbers `along` an axis, in lines of at most `width` columns.

    What has no place is left out: on a log axis 0, inf on any, values that are not finite or not
    within `limits`, which are by default what holds all. `height` is the number of lines, but at
    least 4 are for the curves. Names and title are shown as they are, so escape what is not
    printable before. Without `colors`, one a curve, there is no escape code: letters draw the
    curves, if there is more than one.
    """
    drawn = [_Curve(name, *_mark(i, len(names), colors)) for i, name in enumerate(names)]
    axis = along(np.asarray(numbers, np.float64), width, log)
    values = np.asarray(values, np.float64)[axis.drawn]
    values = np.where(np.abs(values) <= HUGE, values, np.nan)
    head = [shortened(title, width)] if title else []
    if not (names and axis.drawn.any()):
        return Chart([*head, shortened("… no temperature to chart", width)])
    layout = _layout(drawn, axis, values, limits, width, height - _AROUND - len(head))
    if layout.axis.columns < _NARROWEST:
        return Chart([*head, shortened("… no room for a chart", width)])
    heights = layout.heights(values)
    canvas = _labelled(_canvas(drawn, layout, heights), drawn, layout, heights)
    above = head + layout.legend
    lines = above + canvas + layout.axis.lines(layout.left, layout.right)
    return Chart(lines, layout.left + 1, layout.axis, len(above), len(above) + len(canvas))


def _mark(index: int, count: int, colors: Sequence[int] | None) -> tuple[str, int | None]:
    if colors:
        return _LINE, colors[index]
    return (LETTERS[index % len(LETTERS)] if count > 1 else _LINE), None


def _layout(
    drawn: list[_Curve], axis: Axis, values: Array, limits: tuple[float, float] | None, width: int, rows: int
) -> _Layout:
    """How the columns and lines are shared out."""
    widest = 1 + max(cell_len(curve.text) for curve in drawn)
    right = max(axis.margin, min(widest, width // 3))
    named = any(curve.name for curve in drawn)
    beside = named and len(drawn) <= max(rows, _LOWEST) and right >= min(widest, _LEAST_NAMES)
    legend = _legend(drawn, width) if named and not beside else []
    right = right if beside else axis.margin
    rows = max(_LOWEST, rows - len(legend))
    if limits is None or not limits[0] < limits[1]:
        limits = _limits(values, rows)
    scale = round_ticks(*limits, _most(rows))
    left = max((len(text) for _, text in scale), default=0)
    return _Layout(legend, scale, limits, left, replace(axis, columns=width - left - 1 - right), rows, right)


def _legend(drawn: list[_Curve], width: int) -> list[str]:
    """Which curve is which, in as many lines as it takes."""
    lines: list[str] = []
    used = width
    for curve in drawn:
        room = min(cell_len(curve.text), width)
        if used + 3 + room > width:
            lines.append(curve.label(width))
            used = room
        else:
            lines[-1] += "   " + curve.label(width)
            used += 3 + room
    return lines


def _limits(values: Array, rows: int) -> tuple[float, float]:
    """The ends of the scale: round, and 0 unless there are values below it. Of what is as good as
    constant and negative, 0 is the upper end."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 or high - low <= CLOSE * abs(low):
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1 / HUGE:
        return 0.0, 1.0
    step = round_step((high - low) / _most(rows))
    return floor(low / step + CLOSE) * step, ceil(high / step - CLOSE) * step


def _most(rows: int) -> int:
    """How many steps a scale of so many lines has room for."""
    return max(3, rows // 3)


def _canvas(drawn: list[_Curve], layout: _Layout, heights: Array) -> list[str]:
    """The lines of the curves, with the scale on their left."""
    figure = blank_figure(layout.left + 1 + layout.axis.columns, layout.rows)
    for ruler, end in (figure.ruler("x"), layout.axis.columns), (figure.ruler("y"), layout.rows):
        ruler.lim(0, end)
        ruler.alignment(lim="edge")
    figure.ruler("x").ticks([])
    # Of two numbers on a line one is left out.
    heights_of_scale = layout.heights(np.array([value for value, _ in layout.scale]))
    scale = {cell(at, layout.rows): text for at, (_, text) in zip(heights_of_scale, layout.scale, strict=True)}
    figure.ruler("y").ticks([row + 0.5 for row in scale], labels=list(scale.values()))
    mark = layout.axis.mark
    if mark is not None:
        _draw(figure, [(mark + 0.5, row + 0.5, "┊", _GREY) for row in range(layout.rows)])
    _draw(figure, _points(drawn, layout, heights))
    text: str = figure.build().string(colorless=drawn[0].color is None)
    return text.splitlines()


def _draw(figure: Any, points: list[Point]) -> None:
    import plotext  # here, since it takes long

    if points:
        markers = {kind: plotext.marker(kind[0], pixel=kind[1]) for kind in {point[2:] for point in points}}
        x, y, *_ = zip(*points, strict=True)
        figure.draw(figure.signal(x, y, marker=[markers[point[2:]] for point in points]))


def _points(drawn: list[_Curve], layout: _Layout, heights: Array) -> list[Point]:
    """The dots of all curves. plotext gives a cell its last dot's look, so all the dots in a cell
    get that of one of its curves, another one in the next columns."""
    fine = drawn[0].mark == _LINE
    across, up, turn = (2, 4, 2) if fine else (1, 1, 1)
    x = layout.axis.fractions(layout.axis.numbers[layout.axis.drawn])
    sharing = defaultdict(list)
    for i, curve in enumerate(heights.T):
        for column, row in _dots(x, curve, layout.axis.columns * across, layout.rows * up):
            sharing[column // across, row // up].append((i, (column + 0.5) / across, (row + 0.5) / up))
    points: list[Point] = []
    for (column, _), dots in sharing.items():
        there = sorted({i for i, *_ in dots})
        shown = drawn[there[column // turn % len(there)]]
        points += [(x, y, "braille" if fine else shown.mark, shown.color) for _, x, y in dots]
    return points


def _dots(x: Array, y: Array, columns: int, rows: int) -> list[tuple[int, int]]:
    """A curve through points, as the columns and rows of its dots between 0 and 1, without a gap. A
    point with no neighbour to be joined to, which the middle of a column may miss, has its own."""
    middles = (np.arange(columns) + 0.5) / columns
    found = {
        column: cell(height, rows)
        for column, height in enumerate(np.interp(middles, x, y, left=np.nan, right=np.nan))
        if -CLOSE <= height <= 1 + CLOSE
    }
    for place, height in zip(x, y, strict=True):
        if -CLOSE <= height <= 1 + CLOSE:
            found.setdefault(cell(place, columns), cell(height, rows))
    dots = []
    for column, row in found.items():
        # Half of the way to each neighbour, be it up or down.
        before, after = ((found.get(column + side, row) + row) / 2 for side in (-1, 1))
        lowest, highest = min(row, floor(before) + 1, floor(after) + 1), max(row, floor(before), floor(after))
        dots += [(column, between) for between in range(lowest, highest + 1)]
    return dots


def _labelled(lines: list[str], drawn: list[_Curve], layout: _Layout, heights: Array) -> list[str]:
    """The lines with the curves' names at their right ends."""
    if not layout.legend and any(curve.name for curve in drawn):
        ends = [column[np.isfinite(column)][-1:].sum() for column in heights.T]
        rows = [cell(end, layout.rows) for end in ends]
        falling = sorted(range(len(ends)), key=lambda i: (-ends[i], i))
        for i, line in zip(falling, _spread([layout.rows - 1 - rows[i] for i in falling], layout.rows), strict=True):
            lines[line] += " " + drawn[i].label(layout.right - 1)
    return [re.sub(r" +(\x1b\[0m)?$", r"\1", line) for line in lines]


def _spread(wanted: Sequence[int], lines: int) -> list[int]:
    """A line for each of the wanted ones, which do not fall, all different and as near as can be:
    those that want the same are put around it.

    >>> _spread([0, 5, 5, 5, 9], 10), _spread([0, 5, 7, 7, 7, 9], 10)
    ([0, 4, 5, 6, 9], [0, 5, 6, 7, 8, 9])
    """
    groups: list[list[float]] = []
    for i, line in enumerate(wanted):
        groups.append([line - i])
        while len(groups) > 1 and fmean(groups[-2]) >= fmean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    shifts = [round(fmean(group)) for group in groups for _ in group]
    return [i + min(max(shift, 0), lines - len(wanted)) for i, shift in enumerate(shifts)]


# More curves than this cannot be told apart; of more classes the rest are one curve.
CURVES = 8


def drawn_curves(
    names: list[str],
    taus: Array,
    values: Array,
    view: View,
    height: int,
    log: bool,
    title: str,
    *,
    rest: bool = False,
    limits: tuple[float, float] | None = None,
) -> str:
    """Curves on the view's screen, in colours of classes where it takes colours. A mean and its
    deviation may pass what a probability can be, which is the chart's limit, if there is no other."""
    screen = view.screen
    colors = class_colors(len(names), rest=rest) if screen.color else None
    if limits is None and title in ("probability", "top-prob", "margin"):
        limits = (0.0, 1.0)
    chart = curves(
        names,
        taus,
        values,
        width=screen.width,
        height=height,
        log=log,
        colors=colors,
        title=title,
        limits=limits,
    )
    return str(chart)


def titled(measure: str, view: View, ensemble: "Ensemble | None" = None) -> str:
    """What a measure is called, with the unit that it is in where it has one."""
    energy = ensemble.units[0] if ensemble else ""
    units = {"entropy": "bits" if view.bits else "nats", "free_energy": energy, "mean_energy": energy}
    unit = units.get(measure, "")
    return measure.replace("_", "-") + (f" ({unit})" if unit else "")


# No screen shows more steps than this.
POINTS = 2000


def over_steps(
    names: Sequence[str],
    steps: Array,
    values: Array,
    screen: Screen,
    height: int,
    title: str,
    *,
    limits: tuple[float, float] | None = None,
    rest: bool = False,
) -> str:
    """Curves over steps, (steps, names), in colours of classes where the screen takes colours; `rest` says that
    the last stands for several."""
    chart = curves(
        names,
        steps,
        values,
        width=screen.width,
        height=height,
        log=False,
        colors=class_colors(len(names), rest=rest) if screen.color else None,
        title=title,
        limits=limits,
        along=StepAxis,
    )
    return str(chart)
