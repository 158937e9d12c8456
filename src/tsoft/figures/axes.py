"""What the axes of several figures share: the axis of temperatures, labels, and names at the ends of curves."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.figures.theme import Theme

# A label has at most this many lines, and takes at most this share of the width of its chart.
_LABEL_LINES, _LABEL_SHARE = 3, 0.35
# The average width of a character, relative to the size of the font.
_CHARACTER = 0.55


def label(axes: Any, text: str, lines: int = _LABEL_LINES) -> str:
    """Return a label that leaves room for the chart, in a few lines and shortened if necessary, with control
    characters escaped."""
    place, figure = axes.get_subplotspec(), axes.get_figure()
    columns = place.get_gridspec().ncols if place else 1
    room = figure.bbox.width * 72 / figure.dpi * _LABEL_SHARE / columns
    width = max(4, int(room / (_CHARACTER * axes.xaxis.label.get_fontsize())))
    return wrapped(visible(text), width, lines)


def wrapped(text: str, width: int, lines: int) -> str:
    """Return a text in at most this many lines of this width, shortened if necessary.

    >>> wrapped("a rather long label of a class", 12, 2)
    'a rather\\nlong label…'
    """
    parts = textwrap.wrap(text, width) or [text]
    if len(parts) > lines:
        parts = [*parts[: lines - 1], shortened(" ".join(parts[lines - 1 :]), width)]
    return "\n".join(parts)


def drawable(taus: Array, *, log: bool) -> Array:
    """Return a mask of the temperatures that an axis can show: no inf and, if it is logarithmic, not 0."""
    return np.asarray(np.isfinite(taus) & (taus > 0 if log else taus >= 0))


def set_tau_axis(axes: Any, taus: Array, theme: Theme, *, log: bool, name: str = "τ") -> None:
    """Make the horizontal axis one of temperatures with readable ticks, and mark τ = 1."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = float(taus.min()), float(taus.max())
    if log:
        axes.set_xscale("log")
        is_narrow = high / low < 30
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if is_narrow else (1,)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if low < high:
        axes.set_xlim(low, high)
    axes.set_xlabel(name)
    if low < 1 < high:
        axes.axvline(1, color=theme.muted, linewidth=0.9, linestyle=(0, (2, 2)), zorder=0)


def name_curves(axes: Any, ends: Sequence[float], names: Sequence[str], colors: Sequence[str]) -> None:
    """Write the names at the right ends of curves, so far apart that none covers another. `ends` are their values.
    More names than fit go into a legend."""
    low, high = axes.get_ylim()
    font = axes.xaxis.label.get_fontsize()
    height = axes.bbox.height * 72 / axes.get_figure().dpi
    step = (high - low) * 1.25 * font / height
    if step * len(names) > high - low:
        axes.legend(loc="best")
        return
    for y, end, name, color in zip(spread(ends, step, low, high), ends, names, colors, strict=True):
        axes.annotate(
            label(axes, name, 1),
            (1, end),
            (6, y),
            xycoords=("axes fraction", "data"),
            textcoords=("offset points", "data"),
            color=color,
            va="center",
            annotation_clip=False,
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
