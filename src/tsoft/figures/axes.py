"""What the axes of several figures share: the axes of temperatures and of steps, labels, titles, and names at the
ends of curves."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.figures.figure_theme import Theme

# A label has at most this many lines, and takes at most this share of the width of its chart.
_LABEL_LINES, _LABEL_SHARE = 3, 0.35
# A label of this many characters, such as "… 9 more", is never shortened.
_SHORTEST = 9
# The same for a title.
_TITLE_LINES, _TITLE_SHARE, _SHORT_WORD = 4, 0.6, 12
# The width of the ticks and the quantity beside a chart, and the height of a line of text, in font sizes.
_MARGIN, LINE = 6.5, 1.25
# The second place of a wide character. It is not in any text.
_SECOND = "\uffff"
# An equals sign at which a line does not break.
_JOINED = "\u00a0=\u00a0"
# The lines of text above and below each chart and those at the ends of a figure, and the part of its height that a
# chart has at least.
CHART_LINES, FIGURE_LINES, _HEIGHT_SHARE = 3, 2.5, 0.35
# The width of the keys of a legend, in characters.
_KEY = 4
# Names become smaller by at most this factor.
SMALLEST = 0.75
# The names of curves become even smaller than others. A line to a name is this wide, in points.
_SMALLEST_AT_CURVE, _LEADER = 0.6, 18
# A number on an axis with at most this many characters is short. The distance of longer ones, in characters.
_SHORT_NUMBER, _BETWEEN = 5, 2
# The average width of a character, relative to the size of the font.
CHARACTER = 0.55


def label(axes: Any, text: str, lines: int = _LABEL_LINES) -> str:
    """Return a label that leaves room for the chart, in a few lines and shortened if necessary, with control
    characters escaped."""
    room = width_of(axes) * _LABEL_SHARE
    width = max(_SHORTEST, int(room / (CHARACTER * axes.xaxis.label.get_fontsize())))
    return wrapped(visible(text), width, lines)


def wrapped(text: str, width: int, lines: int) -> str:
    """Return a text in at most this many lines of this width, shortened if necessary. A character of Chinese, Japanese
    or Korean is as wide as two others.

    >>> wrapped("a rather long label of a class", 12, 2), wrapped("日本日本日本", 6, 2)
    ('a rather\\nlong label…', '日本日\\n本日本')
    """
    parts = [part.replace(_SECOND, "") for part in textwrap.wrap(_spaced(text), width)] or [text]
    if len(parts) > lines:
        parts = [*parts[: lines - 1], shortened(" ".join(parts[lines - 1 :]), width)]
    return "\n".join(parts)


def _spaced(text: str) -> str:
    """Return a text in which each character has as many places as it has columns on a terminal."""
    if text.isascii():
        return text
    from rich.cells import cell_len

    return "".join(character + _SECOND * (cell_len(character) - 1) for character in text)


@dataclass(frozen=True, eq=False)
class TauScale:
    """The temperatures of a chart, (k,), which are ascending and finite, and above 0 if the axis is logarithmic; and
    the `name` of the axis."""

    taus: Array
    log: bool = True
    name: str = "τ"


def set_tau_axis(axes: Any, scale: TauScale, theme: Theme) -> None:
    """Make the horizontal axis one of temperatures with readable ticks, and mark τ = 1."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = float(scale.taus[0]), float(scale.taus[-1])
    if scale.log:
        axes.set_xscale("log")
        is_narrow = high / low < 30
        font = axes.xaxis.label.get_fontsize()
        longest = max(len(f"{end:.1g}") for end in (low, high))
        count = max(2, int((width_of(axes) - _MARGIN * font) / (CHARACTER * font * (longest + _BETWEEN))))
        # Numbers of more than a few characters would touch if there were as many as matplotlib chooses.
        locator = LogLocator(subs=(1, 2, 5) if is_narrow else (1,), numticks=count if longest > _SHORT_NUMBER else None)
        axes.xaxis.set_major_locator(locator)
        # The smallest floats have too few digits to be powers of 10.
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if low < high:
        axes.set_xlim(low, high)
    axes.set_xlabel(scale.name)
    if low < 1 < high:
        axes.axvline(1, color=theme.muted, linewidth=0.9, linestyle=(0, (2, 2)), zorder=0)


def set_quantity(axes: Any, text: str) -> None:
    """Label the vertical axis, in lines that fit beside it, smaller if necessary. No word is broken."""
    lines, size = quantity_lines(axes, text)
    axes.set_ylabel(lines, fontsize=size)
    if len(text) == 1:
        # A letter, such as τ, is upright.
        axes.yaxis.label.set(rotation=0, ha="right", va="center")


def quantity_lines(axes: Any, text: str) -> tuple[str, float]:
    """Return the name of a quantity in lines that fit beside a chart, and the size of its font."""
    font, text, height = axes.yaxis.label.get_fontsize(), visible(text), height_of(axes)
    longest = max(map(len, text.split()), default=1)
    size = font * min(1, max(SMALLEST, height / (CHARACTER * font * longest)))
    return wrapped(text, max(longest, int(height / (CHARACTER * font))), _LABEL_LINES), size


def set_row_name(axes: Any, text: str) -> None:
    """Write the name of a row of charts beside its first chart, in lines that fit, shortened if necessary."""
    room = height_of(axes) / (CHARACTER * axes.yaxis.label.get_fontsize())
    axes.set_ylabel(wrapped(text, max(_SHORTEST, int(room)), _LABEL_LINES))


def name_places(axes: Any, places: Array, names: Sequence[str]) -> float:
    """Write names beside places of the vertical axis that are 1 apart, in lines that fit, smaller if necessary. Return
    the size of the names, for a text beside each of them."""
    font, room = axes.yaxis.label.get_fontsize() - 1, height_of(axes) / max(1, len(names))
    lines = min(_LABEL_LINES, max(1, int(room / (LINE * font))))
    size = float(font * min(1, max(SMALLEST, room / (LINE * font))))
    axes.set_yticks(places, [label(axes, name, lines) for name in names], fontsize=size)
    axes.tick_params(axis="y", length=0)
    return size


def fitting_names(axes: Any) -> int:
    """Return how many names fit beside the vertical axis of a chart, at least two."""
    return max(2, int(height_of(axes) / (LINE * SMALLEST * (axes.yaxis.label.get_fontsize() - 1))))


def draw_legend(axes: Any, handles: Sequence[Any], names: Sequence[str], title: str = "") -> None:
    """Draw a legend below the figure that has the axes, in as many columns as fit, with an optional title."""
    figure, font = axes.get_figure(), axes.xaxis.label.get_fontsize() - 1
    width = int(_points(axes)[0] / (CHARACTER * font))
    style = {"handlelength": 1.2, "columnspacing": 1.2, "handletextpad": 0.5, "borderaxespad": 0, "alignment": "left"}
    if title:
        style |= {"title": wrapped(title, width, _LABEL_LINES), "title_fontsize": font}
    texts = [wrapped(visible(name), max(8, width - _KEY), _LABEL_LINES) for name in names]
    for columns in (4, 3, 2, 1):
        legend = figure.legend(handles, texts, loc="outside lower left", ncols=columns, **style)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def label_once(grid: Any) -> None:
    """Label the horizontal axis only in the last row of a grid of charts."""
    for axes in grid[:-1].flat:
        axes.set_xlabel("")


def height_of(axes: Any) -> float:
    """Return the approximate height of a chart in points, without its title and the numbers below, and without the
    title and the legends of the figure."""
    line, figure = LINE * axes.xaxis.label.get_fontsize(), axes.get_figure()
    legends = sum(legend.get_window_extent().height * 72 / figure.dpi for legend in figure.legends)
    ends = (FIGURE_LINES + title_height(figure)) * line + legends
    room = (_points(axes)[1] - ends) / _grid(axes)[0]
    return float(max(room - CHART_LINES * line, room * _HEIGHT_SHARE, line))


def width_of(axes: Any) -> float:
    """Return the width of a chart in points, with what is beside it."""
    return _points(axes)[0] / _grid(axes)[1]


def title_height(figure: Any) -> float:
    """Return the height of the title of a figure, in lines of text."""
    title = figure.get_suptitle()
    return 1.4 * (title.count("\n") + 1) if title else 0.0


def _points(axes: Any) -> tuple[float, float]:
    """Return the width and the height of the figure or the part of a figure that has the axes, in points."""
    figure = axes.get_figure()
    return figure.bbox.width * 72 / figure.dpi, figure.bbox.height * 72 / figure.dpi


def _grid(axes: Any) -> tuple[int, int]:
    """Return the numbers of rows and columns of the charts of a figure."""
    place = axes.get_subplotspec()
    rows, columns = place.get_gridspec().get_geometry() if place else (1, 1)
    return rows, columns


def set_step_axis(axes: Any, steps: Array, name: str = "step") -> None:
    """Make the horizontal axis one of steps, with ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(steps.min()), float(steps.max())
    if low < high:
        axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10], integer=True))
        axes.set_xlim(low, high)
    else:
        axes.set_xticks([int(low)])
    axes.set_xlabel(name)


def title_lines(axes: Any, text: str) -> str:
    """Return a title in lines that fit above the axes, with control characters escaped. No short word is broken."""
    room, font = width_of(axes), axes.title.get_fontsize()
    # A temperature stays on one line.
    text = visible(text).replace(" = ", _JOINED)
    longest = min(_SHORT_WORD, max(map(len, text.split(" "))))
    width = max(longest, int(max(room - _MARGIN * font, room * _TITLE_SHARE) / (CHARACTER * font)))
    return wrapped(text, width, _TITLE_LINES).replace(_JOINED, " = ")


def name_curves(
    axes: Any,
    ends: Sequence[float],
    names: Sequence[str],
    colors: Sequence[str],
    *,
    dashes: Sequence[str] | None = None,
    lines: int = 1,
) -> None:
    """Write the names, in up to this many `lines`, at the right ends of curves, so far apart that none covers another.
    `ends` are their values. More names than fit become smaller. A line with the dashes of the curve leads to a name
    that is not beside the end of its curve."""
    low, high = axes.get_ylim()
    font = axes.xaxis.label.get_fontsize()
    texts = [label(axes, name, lines) for name in names]
    height = height_of(axes)
    step = (high - low) * LINE * font * max(text.count("\n") + 1 for text in texts) / height
    if step * len(names) > high - low:
        font *= max(_SMALLEST_AT_CURVE, (high - low) / (step * len(names)))
        step = (high - low) / len(names)
    # A curve without an end has its name at the bottom.
    known = np.clip(np.nan_to_num(ends, nan=low, posinf=high, neginf=low), low, high).tolist()
    places = spread(known, step, low, high)
    # The names are in one column.
    has_lines = any(abs(y - end) > step / 2 for y, end in zip(places, known, strict=True))
    for i, (y, end) in enumerate(zip(places, known, strict=True)):
        leader = {"arrowstyle": "-", "color": colors[i], "linewidth": 0.8, "shrinkA": 1, "shrinkB": 2}
        axes.annotate(
            texts[i],
            (1, end),
            (_LEADER if has_lines else 6, y),
            xycoords=("axes fraction", "data"),
            textcoords=("offset points", "data"),
            color=colors[i],
            fontsize=font,
            va="center",
            annotation_clip=False,
            arrowprops={**leader, "relpos": (0, 0.5), "linestyle": dashes[i]} if dashes and has_lines else None,
        )


def spread(values: Sequence[float], step: float, low: float, high: float) -> list[float]:
    """Return positions from low to high, in the order of the values and at least `step` apart, that are as near to
    them as possible in the mean. Positions that touch are centered on their values.

    >>> spread([0.5, 0.52, 0.9], 0.1, 0.0, 1.0)
    [0.46, 0.56, 0.9]
    """
    order = np.argsort(values, kind="stable")
    # Groups of touching positions: the position of the first one, and the number of positions.
    groups: list[tuple[float, int]] = []
    for value in np.asarray(values, float)[order].tolist():
        first, count = value, 1
        while groups and groups[-1][0] + groups[-1][1] * step > first:
            before, size = groups.pop()
            # The mean of the values minus their offsets in the merged group.
            first = (before * size + (first - size * step) * count) / (size + count)
            count += size
        groups.append((first, count))
    places = np.array([first + i * step for first, count in groups for i in range(count)])
    # Move those that are outside back, without changing their order.
    lows, highs = low + step * np.arange(len(places)), high - step * np.arange(len(places))[::-1]
    result = np.empty(len(places))
    result[order] = np.clip(places, lows, highs)
    return [round(float(place), 12) for place in result]
