"""What the axes of several figures share: the axis of temperatures, labels, and names at the ends of curves."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.figures.theme import Theme

# The columns of a line of a label, and the lines of a label.
_LABEL_WIDTH, _LABEL_LINES = 24, 3


def label(text: str) -> str:
    """Return a label in lines that fit beside an axis, with control characters escaped.

    >>> label("a rather long label of a class")
    'a rather long label of a\\nclass'
    """
    lines = textwrap.wrap(visible(text), _LABEL_WIDTH) or [visible(text)]
    if len(lines) > _LABEL_LINES:
        lines = [*lines[: _LABEL_LINES - 1], shortened(" ".join(lines[_LABEL_LINES - 1 :]), _LABEL_WIDTH)]
    return "\n".join(lines)


def tau_text(tau: float) -> str:
    """Return a temperature for a title or a tick.

    >>> tau_text(0.5), tau_text(float("inf"))
    ('τ = 0.5', 'τ = ∞')
    """
    return f"τ = {tau:g}".replace("inf", "∞")


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
    axes.set_xlim(low, high)
    axes.set_xlabel(name)
    if low < 1 < high:
        axes.axvline(1, color=theme.muted, linewidth=0.9, linestyle=(0, (2, 2)), zorder=0)


def name_curves(axes: Any, ends: Sequence[float], names: Sequence[str], colors: Sequence[str]) -> None:
    """Write the names at the right ends of curves, so far apart that none covers another. `ends` are their values.
    More names than fit go into a legend."""
    low, high = axes.get_ylim()
    font = axes.xaxis.label.get_fontsize()
    height = axes.get_figure().get_figheight() * 72 * axes.get_position().height
    step = (high - low) * 1.25 * font / height
    if step * len(names) > high - low:
        axes.legend(loc="best")
        return
    for y, end, name, color in zip(spread(ends, step, low, high), ends, names, colors, strict=True):
        axes.annotate(
            label(name).replace("\n", " "),
            (1, end),
            (6, y),
            xycoords=("axes fraction", "data"),
            textcoords=("offset points", "data"),
            color=color,
            va="center",
            annotation_clip=False,
        )


def spread(values: Sequence[float], step: float, low: float, high: float) -> list[float]:
    """Return positions near the values, in their order, at least `step` apart, and from low to high.

    >>> spread([0.0, 0.05, 1.0], 0.1, 0.0, 1.0)
    [0.0, 0.1, 1.0]
    """
    order = np.argsort(values, kind="stable")
    places = np.asarray(values, float)[order]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + step)
    limit = high
    for i in range(len(places) - 1, -1, -1):
        places[i] = min(places[i], limit)
        limit = places[i] - step
    result = np.empty(len(places))
    result[order] = np.maximum(places, low)
    return [float(place) for place in result]


def add_legend(figure: Any, names: Sequence[str]) -> None:
    """Explain the marks with these names once for all charts, below them, in as many columns as fit."""
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    shown = [name for name in names if name in handles]
    style = {"handlelength": 1.2, "columnspacing": 1.2, "handletextpad": 0.5, "borderaxespad": 0}
    for columns in (4, 3, 2, 1):
        marks = [handles[name] for name in shown]
        legend = figure.legend(marks, shown, loc="outside lower left", ncols=columns, **style)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def shrink_titles(figure: Any) -> None:
    """Make the titles of charts side by side so small that none covers the next chart."""
    figure.draw_without_rendering()
    starts = [axes.get_tightbbox().x0 for axes in figure.axes] + [figure.bbox.x1]
    for axes in figure.axes:
        title = axes.title if axes.title.get_text() else axes._left_title
        extent = title.get_window_extent()
        room = min(start for start in starts if start > extent.x0 + 1) - extent.x0
        if room < extent.width:
            title.set_fontsize(title.get_fontsize() * 0.97 * room / extent.width)
