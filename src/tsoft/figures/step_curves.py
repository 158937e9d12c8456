"""Curves over steps: of the same steps, or each with its number of steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.figures.axes import name_curves, set_quantity, set_step_axis
from tsoft.figures.figure_theme import Theme


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
        axes.set_ylim(bottom=min(0.0, float(np.nanmin(known, initial=0))))
    else:
        axes.set_ylim(*limits)
    set_step_axis(axes, steps, step_name)
    if len(names) > 1:
        name_curves(axes, [float(curve[-1]) for curve in known], names, colors)


@dataclass(frozen=True)
class Path:
    """The values of one or more curves, each from step 0, and their common name."""

    name: str
    curves: Sequence[Sequence[float]]


def draw_paths(axes: Any, paths: Sequence[Path], theme: Theme, *, quantity: str, step_name: str) -> None:
    """Draw the curves of the paths, with a point at the end of each."""
    colors = [theme.color(i) for i in range(len(paths))]
    for i, path in enumerate(paths):
        for curve in path.curves:
            known = [value if isfinite(value) else nan for value in curve]
            axes.plot(
                known,
                color=colors[i],
                linestyle=theme.dash(i),
                marker="o",
                markersize=3.5,
                markevery=[-1],
                clip_on=False,
            )
    axes.grid(axis="y")
    set_quantity(axes, quantity)
    longest = max(len(curve) for path in paths for curve in path.curves)
    axes.set_ylim(bottom=0)
    set_step_axis(axes, np.arange(longest), step_name)
    name_curves(
        axes, [fmean(curve[-1] for curve in path.curves) for path in paths], [p.name for p in paths], colors, lines=2
    )
