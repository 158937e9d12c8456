"""Curves over steps: all over the same steps, or of different lengths."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.figures.axes import set_quantity, set_step_axis
from tsoft.figures.chart_room import fitting_names
from tsoft.figures.curve_names import name_curves
from tsoft.figures.figure_legend import draw_legend
from tsoft.figures.figure_theme import Theme

# More curves than these are too many to follow each of them.
MANY = 12


def draw_steps(
    axes: Any,
    names: Sequence[str],
    steps: Array,
    values: Array,
    theme: Theme,
    *,
    quantity: str,
    limits: tuple[float, float] | None = None,
    step_name: str = "step",
) -> None:
    """Draw a curve over the steps for each name. `values` has the shape (names, steps)."""
    colors = [theme.color(i) for i in range(len(names))]
    known = np.where(np.isfinite(values), values, np.nan)
    for i, curve in enumerate(known):
        # A single point has no line.
        marker = "o" if np.isfinite(curve).sum() == 1 else None
        axes.plot(steps, curve, color=colors[i], linestyle=theme.dash(i), marker=marker)
    axes.grid(axis="y")
    set_quantity(axes, quantity)
    if limits is None:
        # A band around a curve may be lower than the curve.
        axes.set_ylim(bottom=min(0.0, float(axes.dataLim.y0)))
    else:
        axes.set_ylim(*limits)
    set_step_axis(axes, steps, step_name)
    if len(names) > 1 and not axes.get_figure().legends:
        dashes = list(map(theme.dash, range(len(names))))
        name_curves(axes, [float(curve[-1]) for curve in known], names, colors, dashes=dashes)


def draw_step_legend(axes: Any, names: Sequence[str], theme: Theme) -> None:
    """Draw a legend of curves below the figure, if there is no room for names at their ends. It comes before the
    curves, which then have no other names."""
    from matplotlib.lines import Line2D

    if len(names) > fitting_names(axes):
        lines = [Line2D([], [], color=theme.color(i), linestyle=theme.dash(i)) for i in range(len(names))]
        draw_legend(axes, lines, names)


@dataclass(frozen=True)
class Path:
    """The values of one or more curves, each from step 0, and their common name."""

    name: str
    curves: Sequence[Sequence[float]]

    @property
    def end(self) -> float:
        """The mean of the last values."""
        return fmean(curve[-1] for curve in self.curves)


def is_crowded(paths: Sequence[Path]) -> bool:
    """Return whether there are too many curves to follow each of them."""
    return sum(len(path.curves) for path in paths) > MANY and len(paths) < sum(len(path.curves) for path in paths)


def draw_paths(axes: Any, paths: Sequence[Path], theme: Theme, *, quantity: str, step_name: str) -> None:
    """Draw the curves of the paths, with a point at the end of each. If they are many, they are pale, and a straight
    line leads to the mean of the ends."""
    colors = [theme.color(i) for i in range(len(paths))]
    end = {"marker": "o", "markersize": 3.5, "markevery": [-1], "clip_on": False}
    pale = {"alpha": 0.3, "linewidth": 0.6}
    crowded = is_crowded(paths)
    for i, path in enumerate(paths):
        style = {"color": colors[i], "linestyle": theme.dash(i)}
        for curve in path.curves:
            known = [value if isfinite(value) else nan for value in curve]
            axes.plot(known, **({"color": colors[i], **pale} if crowded else {**style, **end}))
        if crowded:
            axes.plot([0, fmean(len(curve) - 1 for curve in path.curves)], [0, path.end], **style, **end)
    axes.grid(axis="y")
    set_quantity(axes, quantity)
    longest = max(len(curve) for path in paths for curve in path.curves)
    axes.set_ylim(bottom=0)
    set_step_axis(axes, np.arange(longest), step_name)
    dashes = list(map(theme.dash, range(len(paths))))
    name_curves(axes, [path.end for path in paths], [path.name for path in paths], colors, dashes=dashes, lines=2)
