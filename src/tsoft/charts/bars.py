"""Probabilities as a chart of grouped bars: a group a class, a bar a series.

plotext draws the bars and the scale of probabilities. The legend, the line under the bars and the
classes' names are composed here: plotext's legend lies over the bars, and its matrix counts a wide
character as one column, which would shift the rest of a line of names.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from rich.cells import cell_len, set_cell_size

from tsoft.charts.style import COLD_TO_HOT, scale_top
from tsoft.charts.table import column_styles
from tsoft.charts.view import View
from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.sampling.distributions import Distributions, ranked

# What bars are filled with where there are no colours, told apart by how dense they are.
FILLS = "█▒░#x+=-"
# What tops a bar, by the eighths of a line that it fills.
_CAPS = " ▁▂▃▄▅▆▇"
# Wider bars than this say nothing more.
_WIDEST = 12
# A group takes at least this many columns, so that there is room for three characters of its name.
_NARROWEST = 4
# The legend, the line under the bars and the names.
_AROUND = 3


class _Series(NamedTuple):
    name: str
    fill: str
    color: int | None


@dataclass(frozen=True)
class _Layout:
    """Where things are, in columns and lines. The scale is `gutter` columns wide without its
    axis; `top` is the probability of a bar of all `rows` lines."""

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
        """The columns of a group with the gap beside it."""
        return self.canvas // self.groups

    @property
    def bar(self) -> int:
        """The columns of a bar: its share of the slot, after a gap of at least a sixth."""
        return max(1, min(_WIDEST, (self.slot - max(1, self.slot // 6)) // self.series))

    def left(self, group: int, series: int) -> int:
        """The column of the canvas where a bar starts, with half of the gap before its group."""
        gap = self.slot - self.series * self.bar
        return group * self.slot + (gap + 1) // 2 + series * self.bar


def draw(results: Sequence[Distributions], row: int, view: View) -> str:
    """The chart of a block's row: the classes that its table shows, a bar a column of it."""
    block = results[0].block
    order, _ = view.chosen(*ranked(results, row))
    every = block.names
    styles = [style for styles in column_styles(results) for style in styles]
    return grouped_bars(
        [visible(every[i]) for i in order],
        [name for name, _ in styles],
        np.concatenate([result.probs[:, row, order] for result in results]),
        width=view.screen.width,
        colors=[color for _, color in styles] if view.screen.color else None,
    )


def grouped_bars(
    classes: Sequence[str],
    series: Sequence[str],
    probs: Array,
    *,
    width: int,
    colors: Sequence[int] | None = None,
    height: int = 15,
) -> str:
    """A chart of `probs`, (series, classes), as lines of at most `width` columns.

    Names are shown as they are, so escape what is not printable before. Classes that do not fit
    are left out and counted in a line at the end; `height` is without that line, and with a legend
    of one line. Without `colors`, one a series, there is no escape code: fills tell the series apart.
    """
    layout = _layout(probs, width, max(4, height - _AROUND))
    lines = []
    if layout.groups:
        styled = _styled(series, colors)
        lines = _legend(styled, layout) + _bars(probs, styled, layout) + _under(classes, layout)
    left_out = len(classes) - layout.groups
    if left_out:
        noun = "class" if left_out == 1 else "classes"
        lines.append(shortened(f"… {left_out} more {noun} not charted", width))
    return "".join(line + "\n" for line in lines)


def _styled(names: Sequence[str], colors: Sequence[int] | None) -> list[_Series]:
    if colors:
        return [_Series(name, "█", color) for name, color in zip(names, colors, strict=True)]
    return [_Series(name, FILLS[i % len(FILLS)], None) for i, name in enumerate(names)]


def _layout(probs: Array, width: int, rows: int) -> _Layout:
    series, classes = probs.shape
    top = scale_top(float(probs.max()))
    gutter = max(len(label) for label in _tick_labels(top))
    groups = min(classes, max(0, width - gutter - 1) // max(series + 1, _NARROWEST))
    return _Layout(width, rows, gutter, groups, series, top)


def _tick_labels(top: float) -> list[str]:
    return [f"{top * quarter / 4:g}" for quarter in range(5)]


def _legend(series: list[_Series], layout: _Layout) -> list[str]:
    """Which bar is which, in as many lines as it takes."""
    indent = layout.gutter + 2
    lines: list[str] = []
    used = layout.width
    for name, fill, color in series:
        swatch = fill * 2 if color is None else f"\x1b[38;5;{color}m{fill * 2}\x1b[0m"
        name = shortened(" " + name, layout.width - indent - 2)
        if used + 2 + cell_len(name) > layout.width:
            lines.append(" " * indent)
            used = indent
        lines[-1] += swatch + name + "   "
        used += 2 + cell_len(name) + 3
    return [line.rstrip() for line in lines]


def _bars(probs: Array, series: list[_Series], layout: _Layout) -> list[str]:
    """The lines of bars, with the scale on their left."""
    figure = blank_figure(layout.width, layout.rows)
    for i, eighths in enumerate(_eighths(probs[:, : layout.groups], layout)):
        starts = [layout.left(group, i) for group in range(layout.groups)]
        _draw(figure, layout, series[i], starts, eighths)
    _scales(figure, layout)
    text = figure.build().string(colorless=series[0].color is None)
    return [re.sub(r" +(\x1b\[0m)?$", r"\1", line) for line in text.splitlines()]


def blank_figure(width: int, height: int) -> Any:
    """plotext's one figure, emptied, of exactly this size whatever the terminal's is, in the
    terminal's own colours and with no axis but the left one."""
    import plotext  # here, since it takes long

    plotext.add_theme("tsoft", sequence=COLD_TO_HOT)
    plotext.terminal.limit(width=False, height=False)
    figure = plotext.figure.clear()
    figure.theme("tsoft")
    figure.plot_size(width, height)
    figure.axes(False)
    figure.axes(True, axis="y", side="left")
    return figure


def _eighths(probs: Array, layout: _Layout) -> list[list[int]]:
    """How high each bar is, in eighths of a line. What is not 0 shows, be it ever so small."""
    full = layout.rows * 8
    heights = np.clip(np.rint(probs / layout.top * full), probs > 0, full)
    return [[int(height) for height in series] for series in heights]


def _draw(figure: Any, layout: _Layout, series: _Series, starts: list[int], eighths: list[int]) -> None:
    """A series' bars up to their last full line, and on top of each its part of a line."""
    import plotext

    marker = partial(plotext.marker, pixel=series.color)
    # Edges a quarter of a cell in, where no rounding can move them to the next cell.
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


def _scales(figure: Any, layout: _Layout) -> None:
    """Across in slots, up in lines; a tick is on the line whose upper edge is its probability."""
    for axis, end in ("x", layout.canvas / layout.slot), ("y", layout.rows):
        figure.ruler(axis).lim(0, end)
        figure.ruler(axis).alignment(lim="edge")
    # The bars set ticks of their own, on the classes.
    figure.ruler("x").ticks([])
    lines = [layout.rows * quarter / 4 - 0.5 for quarter in range(1, 5)]
    figure.ruler("y").ticks(lines, labels=_tick_labels(layout.top)[1:])


def _under(classes: Sequence[str], layout: _Layout) -> list[str]:
    """The line that the bars stand on, where the probability is 0, and the names below it."""
    axis = "0".rjust(layout.gutter) + "┴" + "─" * layout.canvas
    names = "".join(" " + _centred(name, layout.slot - 1) for name in classes[: layout.groups])
    return [axis, (" " * (layout.gutter + 1) + names).rstrip()]


def _centred(text: str, room: int) -> str:
    text = shortened(text, room)
    left = (room - cell_len(text)) // 2
    return set_cell_size(" " * left + text, room)
