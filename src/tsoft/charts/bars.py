"""Probabilities as a chart of grouped bars: one group per class, with one bar per series.

This module draws the legend, the line under the bars and the classes' names, since plotext's legend would cover
the bars.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from rich.cells import cell_len, set_cell_size

from tsoft.charts.distribution_table import column_styles, probability_header
from tsoft.charts.figure import figure_lines, new_figure
from tsoft.charts.style import colored, flowed, scale_top, trimmed
from tsoft.charts.view import View
from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.sampling.distributions import Distributions, ranked_classes

# The fills of bars on a screen without colors, which differ in density.
FILLS = "█▒░@x+=-"
# The tops of bars, by the number of eighths of a line that they fill.
_CAPS = " ▁▂▃▄▅▆▇"
# Wider bars would show nothing more.
_WIDEST = 12
# A group has at least this many columns, to have room for three characters of its name.
_NARROWEST = 4
# The lines of the legend, the axis and the names.
_OTHER_LINES = 3


class _Series(NamedTuple):
    name: str
    fill: str
    color: int | None


@dataclass(frozen=True)
class _BarLayout:
    """The layout, in columns and lines. The scale, without its axis, is `gutter` columns wide; a bar of all `rows`
    lines has the probability `top`."""

    width: int
    rows: int
    gutter: int
    groups: int
    series: int
    top: float

    @property
    def canvas(self) -> int:
        return self.width - self.gutter - 1

    @property
    def slot(self) -> int:
        """The width of a group and the gap beside it."""
        return self.canvas // self.groups

    @property
    def bar(self) -> int:
        """The width of a bar: its share of the slot, without a gap of at least a sixth."""
        return max(1, min(_WIDEST, (self.slot - max(1, self.slot // 6)) // self.series))

    def left(self, group: int, series: int) -> int:
        """Return the column at which a bar starts. Half of the gap is before its group."""
        gap = self.slot - self.series * self.bar
        return group * self.slot + (gap + 1) // 2 + series * self.bar


def draw(results: Sequence[Distributions], view: View) -> str:
    """Return the chart of a block of one row: the classes of its table, with one bar per column of the table."""
    block = results[0].block
    selection = view.select(*ranked_classes(results))
    shown = selection.shown
    names = block.names
    columns = zip(results, column_styles(results), strict=True)
    styled = [(result, t, style) for result, styles in columns for t, style in enumerate(styles)]
    return grouped_bars(
        [visible(names[i]) for i in shown],
        [probability_header(*column) for column in styled],
        np.concatenate([result.probs[:, 0, shown] for result in results]),
        width=view.screen.width,
        colors=[style.color for *_, style in styled] if view.screen.color else None,
        further=len(selection.rest),
    )


def grouped_bars(
    classes: Sequence[str],
    series: Sequence[str],
    probs: Array,
    *,
    width: int,
    colors: Sequence[int] | None = None,
    height: int = 15,
    further: int = 0,
) -> str:
    """Return a chart of `probs`, (series, classes), in lines of at most `width` columns.

    Names are printed unchanged: the caller escapes unprintable characters. A last line counts the classes that
    do not fit, and `further` ones. `height` includes one line of the legend, but not that last line. `colors` has
    one color per series; without it the text has no escape codes, and the series differ in their fills.
    """
    layout = _layout(probs, width, max(4, height - _OTHER_LINES))
    lines = []
    if layout.groups:
        styled = [
            _Series(name, "█" if colors else FILLS[i % len(FILLS)], colors[i] if colors else None)
            for i, name in enumerate(series)
        ]
        lines = _legend(styled, layout) + _bars(probs, styled, layout) + _axis(classes, layout)
    omitted = len(classes) - layout.groups + further
    if omitted:
        noun = "class" if omitted == 1 else "classes"
        lines.append(shortened(f"… {omitted} more {noun} not charted", width))
    return "".join(line + "\n" for line in lines)


def _layout(probs: Array, width: int, rows: int) -> _BarLayout:
    series, classes = probs.shape
    top = scale_top(float(probs.max()))
    gutter = max(len(label) for label in _tick_labels(top))
    groups = min(classes, max(0, width - gutter - 1) // max(series + 1, _NARROWEST))
    return _BarLayout(width, rows, gutter, groups, series, top)


def _tick_labels(top: float) -> list[str]:
    return [f"{top * quarter / 4:g}" for quarter in range(5)]


def _legend(series: Sequence[_Series], layout: _BarLayout) -> list[str]:
    """Return the fill or color of each series, in as many lines as needed."""
    indent = layout.gutter + 2
    room = layout.width - indent
    labels = (colored(fill * 2, color) + shortened(" " + name, room - 2) for name, fill, color in series)
    return [(" " * indent + line).rstrip() for line in flowed(labels, room)]


def _bars(probs: Array, series: Sequence[_Series], layout: _BarLayout) -> list[str]:
    """Return the lines of bars, with the scale on their left. A tick is in the line whose upper edge is its
    probability."""
    figure = new_figure(layout.width, layout.rows)
    full = layout.rows * 8
    # Each probability above 0 is visible, however small.
    shown = probs[:, : layout.groups]
    eighths = np.clip(np.rint(shown / layout.top * full), shown > 0, full).astype(int)
    for i, heights in enumerate(eighths.tolist()):
        _draw_series(figure, layout, series[i], [layout.left(group, i) for group in range(layout.groups)], heights)
    labels = _tick_labels(layout.top)
    scale = {layout.rows * quarter / 4 - 0.5: labels[quarter] for quarter in range(1, 5)}
    x_end = layout.canvas / layout.slot
    lines = figure_lines(figure, x_end, layout.rows, scale, color=series[0].color is not None)
    return [trimmed(line) for line in lines]


def _draw_series(figure: Any, layout: _BarLayout, series: _Series, starts: list[int], eighths: list[int]) -> None:
    """Draw the full lines of each bar of a series, and on top of each bar the eighths of a line."""
    import plotext

    marker = partial(plotext.marker, pixel=series.color)
    # The edges are a quarter of a cell inside, so that rounding cannot move them to the next cell.
    middles = [(start + layout.bar / 2) / layout.slot for start in starts]
    lines = [max(0, height // 8 - 0.5) for height in eighths]
    width = (layout.bar - 0.5) / layout.slot
    figure.draw(figure.bar(middles, lines, marker=marker(series.fill), width=width))
    caps = [
        ((start + column + 0.5) / layout.slot, height // 8 + 0.5, marker(_CAPS[height % 8]))
        for start, height in zip(starts, eighths, strict=True)
        for column in range(layout.bar)
        if height % 8
    ]
    if caps:
        x, y, markers = zip(*caps, strict=True)
        figure.draw(figure.signal(x, y, marker=list(markers)))


def _axis(classes: Sequence[str], layout: _BarLayout) -> list[str]:
    """Return the line under the bars, where the probability is 0, and the names below it."""
    axis = "0".rjust(layout.gutter) + "┴" + "─" * layout.canvas
    names = "".join(" " + _centered(name, layout.slot - 1) for name in classes[: layout.groups])
    return [axis, (" " * (layout.gutter + 1) + names).rstrip()]


def _centered(text: str, width: int) -> str:
    text = shortened(text, width)
    return set_cell_size(" " * ((width - cell_len(text)) // 2) + text, width)
