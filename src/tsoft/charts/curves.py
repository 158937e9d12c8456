"""Values over temperature or over steps as a chart of curves.

This module computes the dots of the curves: where curves meet, their dots alternate, while plotext would show
only the last curve. It adds the names at the curves' ends to plotext's lines.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from statistics import fmean
from typing import Any

import numpy as np
from rich.cells import cell_len

from tsoft.charts.axis import CLOSE, HUGE, Axis, StepAxis, TauAxis, Tick, cell_index, round_step, round_ticks
from tsoft.charts.figure import figure_lines, new_figure
from tsoft.charts.style import colored, flowed, trimmed
from tsoft.charts.view import Screen, View
from tsoft.core.softmax import Array
from tsoft.core.thermodynamics import Ensemble
from tsoft.errors import shortened
from tsoft.sampling.distributions import Distributions

# The colors of classes, from the 256-color table. No temperature has one of these. Each has a contrast of at least
# 2.8 to black and to white, and any two differ even with red-green color blindness. The first ones differ the most;
# the ninth, the palest, is for the rest.
CLASS_COLORS = (69, 200, 64, 24, 124, 57, 126, 196, 138)
# More curves would be hard to distinguish.
MAX_CURVES = 8
# No screen can show more steps.
MAX_STEPS = 2000
# Gray, for the line at the reference, which is not a curve.
_GRAY = 244
# The marks of curves on a screen without colors.
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# The mark before the name of a curve of braille dots.
_LINE = "━"
# The number of lines for the axis and its numbers.
_AXIS_LINES = 2
# A smaller canvas, or a narrower column of names, would show nothing useful.
_LOWEST = 4
_NARROWEST = 4
_NARROWEST_NAMES = 6

# A column, a line, the marker and its color.
Point = tuple[float, float, str, int | None]


def class_colors(count: int, *, rest: bool = False) -> list[int]:
    """Return the colors of `count` curves, repeated after the ninth. With `rest` the last is the color of the rest.

    >>> class_colors(3)
    [69, 200, 64]
    >>> class_colors(3, rest=True)
    [69, 200, 138]
    """
    colors = [CLASS_COLORS[i % len(CLASS_COLORS)] for i in range(count)]
    return [*colors[:-1], CLASS_COLORS[-1]] if rest and colors else colors


@dataclass(frozen=True)
class _CurveStyle:
    """A curve's name, its mark and its color. A mark that is a letter also draws the curve."""

    name: str
    mark: str
    color: int | None

    @property
    def text(self) -> str:
        return f"{self.mark} {self.name}".rstrip()

    def label(self, room: int) -> str:
        return colored(shortened(self.text, room), self.color)


@dataclass(frozen=True)
class _CurveLayout:
    """The layout, in columns and lines: the scale's numbers in `left` columns, the canvas, and the names in the
    `right` columns or, if `legend` is not empty, in lines above."""

    legend: list[str]
    scale: list[Tick]
    limits: tuple[float, float]
    left: int
    axis: Axis
    rows: int
    right: int

    def heights(self, values: Array) -> Array:
        """Return the heights of values: 0 at the scale's lower end, 1 at its upper end."""
        low, high = self.limits
        return np.asarray((values - low) / (high - low))


@dataclass(frozen=True)
class Chart:
    """A chart's lines, and the position of its canvas: after `left` columns, above the `axis`, from line `top`
    up to, but without, line `bottom`. A chart without room for a canvas has no axis."""

    lines: list[str]
    left: int = 0
    axis: Axis | None = None
    top: int = 0
    bottom: int = 0

    def __str__(self) -> str:
        return "".join(line + "\n" for line in self.lines)


def curve_chart(
    names: Sequence[str],
    numbers: Array,
    values: Array,
    screen: Screen,
    *,
    height: int,
    title: str = "",
    log: bool = False,
    limits: tuple[float, float] | None = None,
    axis_type: type[TauAxis | StepAxis] = TauAxis,
    rest: bool = False,
) -> Chart:
    """Return the chart of `values`, (numbers, names), over ascending numbers, in lines that fit the screen.

    The chart omits numbers that the axis cannot show, and values that are not finite or not within `limits`, by
    default round numbers around all values. `height` is the number of lines, but at least 4 are for the curves.
    With `rest` the last curve is the sum of several classes. Names and title are printed unchanged: the caller
    escapes unprintable characters. On a screen without colors the text has no escape codes, and letters draw
    the curves if there are several.
    """
    width, count = screen.width, len(names)
    if screen.color:
        styles = list(map(_CurveStyle, names, _LINE * count, class_colors(count, rest=rest)))
    else:
        marks = (LETTERS[i % len(LETTERS)] if count > 1 else _LINE for i in range(count))
        styles = [_CurveStyle(name, mark, None) for name, mark in zip(names, marks, strict=True)]
    axis = axis_type(np.asarray(numbers, np.float64), width, log)
    values = np.asarray(values, np.float64)[axis.valid]
    values = np.where(np.abs(values) <= HUGE, values, np.nan)
    head = [shortened(title, width)] if title else []
    if not (names and axis.valid.any()):
        return Chart([*head, shortened("… no temperature to chart", width)])
    layout = _layout(styles, axis, values, limits, width, height - _AXIS_LINES - len(head))
    if layout.axis.columns < _NARROWEST:
        return Chart([*head, shortened("… no room for a chart", width)])
    heights = layout.heights(values)
    canvas = _labeled(_canvas(styles, layout, heights), styles, layout, heights)
    above = head + layout.legend
    lines = above + canvas + layout.axis.lines(layout.left, layout.right)
    return Chart(lines, layout.left + 1, layout.axis, len(above), len(above) + len(canvas))


def _layout(
    styles: list[_CurveStyle], axis: Axis, values: Array, limits: tuple[float, float] | None, width: int, rows: int
) -> _CurveLayout:
    """Divide the columns and lines among the scale, the canvas and the names."""
    widest = 1 + max(cell_len(style.text) for style in styles)
    right = max(axis.margin, min(widest, width // 3))
    has_names = any(style.name for style in styles)
    at_ends = has_names and len(styles) <= max(rows, _LOWEST) and right >= min(widest, _NARROWEST_NAMES)
    legend = [] if at_ends or not has_names else flowed((style.label(width) for style in styles), width)
    right = right if at_ends else axis.margin
    rows = max(_LOWEST, rows - len(legend))
    if limits is None or not limits[0] < limits[1]:
        limits = _limits(values, rows)
    scale = round_ticks(*limits, _max_steps(rows))
    left = max((len(text) for _, text in scale), default=0)
    return _CurveLayout(legend, scale, limits, left, replace(axis, columns=width - left - 1 - right), rows, right)


def _limits(values: Array, rows: int) -> tuple[float, float]:
    """Return the ends of the scale: round numbers. The lower end is 0 unless a value is negative; the upper end is
    0 if all values are negative and nearly equal."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 or high - low <= CLOSE * abs(low):
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1 / HUGE:
        return 0.0, 1.0
    step = round_step((high - low) / _max_steps(rows))
    return floor(low / step + CLOSE) * step, ceil(high / step - CLOSE) * step


def _max_steps(rows: int) -> int:
    """Return the number of steps for which a scale of `rows` lines has room."""
    return max(3, rows // 3)


def _canvas(styles: list[_CurveStyle], layout: _CurveLayout, heights: Array) -> list[str]:
    """Return the lines of the curves, with the scale on their left."""
    columns, rows = layout.axis.columns, layout.rows
    figure = new_figure(layout.left + 1 + columns, rows)
    # If two numbers share a line, only the upper one is shown.
    ticks = zip(layout.heights(np.array([value for value, _ in layout.scale])), layout.scale, strict=True)
    scale = {cell_index(height, rows) + 0.5: text for height, (_, text) in ticks}
    reference = layout.axis.reference_column
    if reference is not None:
        _draw(figure, [(reference + 0.5, row + 0.5, "┊", _GRAY) for row in range(rows)])
    _draw(figure, _points(styles, layout, heights))
    return figure_lines(figure, columns, rows, scale, color=styles[0].color is not None)


def _draw(figure: Any, points: list[Point]) -> None:
    import plotext  # slow to import

    if points:
        markers = {style: plotext.marker(style[0], pixel=style[1]) for style in {point[2:] for point in points}}
        x, y, *_ = zip(*points, strict=True)
        figure.draw(figure.signal(x, y, marker=[markers[point[2:]] for point in points]))


def _points(styles: list[_CurveStyle], layout: _CurveLayout, heights: Array) -> list[Point]:
    """Return the dots of all curves. In plotext, the last dot in a cell determines the marker and the color of the
    whole cell. So all dots in a cell belong to one curve, and those in the next columns to the next curve."""
    is_braille = styles[0].mark == _LINE
    x_dots, y_dots, period = (2, 4, 2) if is_braille else (1, 1, 1)
    x = layout.axis.fractions(layout.axis.numbers[layout.axis.valid])
    cells = defaultdict(list)
    for i, curve in enumerate(heights.T):
        for column, row in _dots(x, curve, layout.axis.columns * x_dots, layout.rows * y_dots):
            cells[column // x_dots, row // y_dots].append((i, (column + 0.5) / x_dots, (row + 0.5) / y_dots))
    points: list[Point] = []
    for (column, _), dots in cells.items():
        meeting = sorted({i for i, *_ in dots})
        style = styles[meeting[column // period % len(meeting)]]
        points += [(x, y, "braille" if is_braille else style.mark, style.color) for _, x, y in dots]
    return points


def _dots(x: Array, y: Array, columns: int, rows: int) -> list[tuple[int, int]]:
    """Return the columns and rows of a curve's dots, without gaps, on a grid from 0 to 1. A point between two gaps
    in the data also has a dot, even if the interpolation at the middles of columns misses it."""
    middles = (np.arange(columns) + 0.5) / columns
    path = {
        column: cell_index(height, rows)
        for column, height in enumerate(np.interp(middles, x, y, left=np.nan, right=np.nan))
        if -CLOSE <= height <= 1 + CLOSE
    }
    for place, height in zip(x, y, strict=True):
        if -CLOSE <= height <= 1 + CLOSE:
            path.setdefault(cell_index(place, columns), cell_index(height, rows))
    dots = []
    for column, row in path.items():
        # Extend the dots of a column halfway to each neighbor, up or down.
        before, after = ((path.get(column + side, row) + row) / 2 for side in (-1, 1))
        lowest, highest = min(row, floor(before) + 1, floor(after) + 1), max(row, floor(before), floor(after))
        dots += [(column, between) for between in range(lowest, highest + 1)]
    return dots


def _labeled(lines: list[str], styles: list[_CurveStyle], layout: _CurveLayout, heights: Array) -> list[str]:
    """Return the lines with the curves' names at their right ends."""
    if not layout.legend and any(style.name for style in styles):
        ends = [column[np.isfinite(column)][-1:].sum() for column in heights.T]
        descending = sorted(range(len(ends)), key=lambda i: (-ends[i], i))
        ideal = [layout.rows - 1 - cell_index(ends[i], layout.rows) for i in descending]
        for i, line in zip(descending, _spread(ideal, layout.rows), strict=True):
            lines[line] += " " + styles[i].label(layout.right - 1)
    return [trimmed(line) for line in lines]


def _spread(ideal: Sequence[int], lines: int) -> list[int]:
    """Return a different line for each of the ideal lines, which ascend, as near to it as possible. Equal ideal
    lines are spread around their value.

    >>> _spread([0, 5, 5, 5, 9], 10), _spread([0, 5, 7, 7, 7, 9], 10)
    ([0, 4, 5, 6, 9], [0, 5, 6, 7, 8, 9])
    """
    groups: list[list[float]] = []
    for i, line in enumerate(ideal):
        groups.append([line - i])
        while len(groups) > 1 and fmean(groups[-2]) >= fmean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    shifts = [round(fmean(group)) for group in groups for _ in group]
    return [i + min(max(shift, 0), lines - len(ideal)) for i, shift in enumerate(shifts)]


def chart_text(chart: Chart, view: View) -> str:
    """Return the chart as text, and add its line at τ = 1, if it has one, to the view's legend."""
    if isinstance(chart.axis, TauAxis) and chart.axis.reference_column is not None:
        view.legend.add("line at 1")
    return str(chart)


def measure_title(measure: str, view: View, ensemble: Ensemble | None = None) -> str:
    """Return a measure's name, with its unit if it has one."""
    energy = ensemble.units[0] if ensemble else ""
    nats = "bits" if view.bits else "nats"
    units = {"entropy": nats, "varentropy": f"{nats}²", "free_energy": energy, "mean_energy": energy}
    unit = units.get(measure, "")
    return measure.replace("_", "-") + (f" ({unit})" if unit else "")


def listed_part(result: Distributions) -> str:
    """Return what the title of a chart adds if some of its values are only those among the tokens that a response
    lists."""
    return "" if result.exact.all() else " among the listed tokens"


def tau_title(ensemble: Ensemble | None) -> str:
    """Return the title of an axis of temperatures, with the unit that those of energies have.

    >>> tau_title(None)
    'τ'
    """
    return f"τ ({ensemble.units[1]})" if ensemble and ensemble.units[1] else "τ"


def measure_limits(measure: str) -> tuple[float, float] | None:
    """Return the limits of the chart of a measure: 0 and 1 for probabilities, even if mean ± standard deviation
    exceeds them; None for other measures."""
    return (0.0, 1.0) if measure in ("top_prob", "margin") else None


def surrounding_taus(taus: Array, factor: float, count: int) -> Array:
    """Return a logarithmic grid of `count` temperatures, from the lowest of `taus` divided by `factor` to the highest
    times `factor`. It ignores 0 and inf; if `taus` contains nothing else, the grid surrounds 1.

    >>> surrounding_taus(np.array([0.0, 1.0, 4.0]), 2.0, 3)
    array([0.5, 2. , 8. ])
    """
    inside = taus[(taus > 0) & (taus < np.inf)]
    low, high = (inside.min(), inside.max()) if len(inside) else (1.0, 1.0)
    # Beyond these limits the steps of the grid and of the axis would overflow.
    return np.geomspace(max(low, 1e-290) / factor, min(high, 1e290) * factor, count)
