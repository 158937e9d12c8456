"""Additions to a curve: a band, a target, a range of the axis, and marks with texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.figures.chart_room import CHARACTER, LINE, height_of, width_of
from tsoft.figures.curve_names import name_curves
from tsoft.figures.figure_theme import Theme

# The opacity of a band.
_ALPHA = 0.2
# The room above a target, relative to the height of the axis.
_TOP = 0.05
# The texts of marks are in a chart only if they take at most this part of its height.
_HIGHEST_LINE = 0.4
# The distance of such a text in points, and the width of what is to the left and right of the chart, in font sizes.
_OFFSET, _BESIDE_CHART = 6, 11
# The text of a solution extends to about this factor of its temperature.
_BESIDE = 1.5


def draw_band(axes: Any, places: Array, low: Array, high: Array, theme: Theme, *, color: int = 0) -> None:
    """Draw a band from low to high. All have the shape (places,). It has a gap where a number is not finite."""
    known = np.isfinite(places) & np.isfinite(low) & np.isfinite(high)
    axes.fill_between(places, low, high, where=known, color=theme.color(color), alpha=_ALPHA, linewidth=0)


def draw_target(axes: Any, value: float, name: str, theme: Theme) -> None:
    """Draw the horizontal line of a target, with its name at the right. The axis extends to a target that is above
    it."""
    axes.axhline(value, color=theme.color(1), linewidth=1.2, linestyle="--")
    low, high = axes.get_ylim()
    if value > high:
        axes.set_ylim(top=value + _TOP * (value - low))
    name_curves(axes, [value], [name], [theme.color(1)])


def draw_span(axes: Any, low: float, high: float, theme: Theme) -> None:
    """Mark a range of the horizontal axis."""
    axes.axvspan(low, high, color=theme.color(1), alpha=_ALPHA, linewidth=0)


@dataclass(frozen=True)
class Mark:
    """A point of a curve, with a text beside it, above a curve that falls there."""

    place: float
    value: float
    text: str
    falls: bool


def solution_marks(
    taus: Array, values: Array, solutions: Array, target: float, text: Callable[[float], str]
) -> list[Mark]:
    """Return the marks of the solutions at which a curve, whose `taus` and `values` are (k,), reaches a target, except
    those outside the curve. `text` returns the text of a temperature."""
    inside = solutions[(taus[0] <= solutions) & (solutions <= taus[-1])]
    falls = np.interp(inside * _BESIDE, taus, values) < target
    return [Mark(tau, target, text(tau), fall) for tau, fall in zip(inside.tolist(), falls.tolist(), strict=True)]


def draw_marks(axes: Any, marks: Sequence[Mark], theme: Theme) -> None:
    """Draw the marks. Raise the upper limit of the axis to make room for their texts, but omit these in a chart that is
    too low or too narrow."""
    low, high = axes.get_ylim()
    line = 2 * LINE * axes.xaxis.label.get_fontsize() / height_of(axes)
    for mark in marks:
        axes.plot([mark.place], [mark.value], "o", color=theme.color(1), zorder=3)
    if line > _HIGHEST_LINE or not all(_fits_beside(axes, mark) for mark in marks):
        return
    axes.set_ylim(top=max([high, *(mark.value + line * (high - low) for mark in marks)]))
    for mark in marks:
        offset, side = ((_OFFSET, 4), "left") if mark.falls else ((-_OFFSET, 4), "right")
        axes.annotate(mark.text, (mark.place, mark.value), offset, textcoords="offset points", ha=side)


def _fits_beside(axes: Any, mark: Mark) -> bool:
    """Return whether the text of a mark is inside the chart."""
    place = axes.transAxes.inverted().transform(axes.transData.transform((mark.place, mark.value)))[0]
    font = axes.xaxis.label.get_fontsize()
    width = width_of(axes) - _BESIDE_CHART * font
    return bool(CHARACTER * font * len(mark.text) + _OFFSET < width * (1 - place if mark.falls else place))
