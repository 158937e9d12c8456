"""What the axes of several figures share: the axes of temperatures and of steps, labels, and names at the ends of
curves."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.figures.theme import Theme

# The columns of a line of a label, and the lines of a label.
_LABEL_WIDTH, _LABEL_LINES = 24, 3
# The part of a figure's width for labels, and the width of a column of text, in font sizes.
_LABEL_SHARE, _COLUMN = 0.3, 0.6
# The part of a chart's width that is on the left of its title.
_TITLE_MARGIN = 0.15


def label(text: str, width: int = _LABEL_WIDTH) -> str:
    """Return a label in lines that fit beside an axis, with control characters escaped.

    >>> label("a rather long label of a class")
    'a rather long label of a\\nclass'
    """
    lines = textwrap.wrap(visible(text), width) or [visible(text)]
    if len(lines) > _LABEL_LINES:
        lines = [*lines[: _LABEL_LINES - 1], shortened(" ".join(lines[_LABEL_LINES - 1 :]), width)]
    return "\n".join(lines)


def label_width(axes: Any) -> int:
    """Return the columns of a line of a label, so that the labels of a small figure leave room for its chart."""
    room = axes.get_figure().get_figwidth() * 72 * _LABEL_SHARE
    return min(_LABEL_WIDTH, max(6, int(room / (_COLUMN * axes.xaxis.label.get_fontsize()))))


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


def title_lines(axes: Any, text: str) -> str:
    """Return a title in lines that fit above the axes, with control characters escaped."""
    columns = axes.get_subplotspec().get_gridspec().ncols
    room = axes.get_figure().get_figwidth() * 72 / columns * (1 - _TITLE_MARGIN)
    return "\n".join(textwrap.wrap(visible(text), max(10, int(room / (_COLUMN * axes.title.get_fontsize())))))


def set_step_axis(axes: Any, steps: Array, name: str = "step") -> None:
    """Make the horizontal axis one of steps, with ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10], integer=True))
    low, high = float(steps.min()), float(steps.max())
    if low < high:
        axes.set_xlim(low, high)
    axes.set_xlabel(name)


def name_curves(axes: Any, ends: Sequence[float], names: Sequence[str], colors: Sequence[str]) -> None:
    """Write the names at the right ends of curves, so far apart that none covers another. `ends` are their values.
    More names than fit become smaller, and are in the order of the curves."""
    low, high = axes.get_ylim()
    font = axes.xaxis.label.get_fontsize()
    texts = [label(name, label_width(axes)) for name in names]
    lines = max(text.count("\n") + 1 for text in texts)
    height = axes.get_figure().get_figheight() * 72 * axes.get_position().height
    step = (high - low) * 1.25 * font * lines / height
    if step * len(names) > high - low:
        font *= max(0.5, (high - low) / (step * len(names)))
        step = (high - low) / len(names)
    # A curve without an end has its name at the bottom.
    known = np.clip(np.nan_to_num(ends, nan=low, posinf=high, neginf=low), low, high).tolist()
    for y, end, text, color in zip(spread(known, step, low, high), known, texts, colors, strict=True):
        axes.annotate(
            text,
            (1, end),
            (6, y),
            xycoords=("axes fraction", "data"),
            textcoords=("offset points", "data"),
            color=color,
            fontsize=font,
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
