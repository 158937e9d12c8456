"""Figures of sums over steps that each have a length of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean
from typing import Any

import numpy as np

from tsoft.figures.axes import name_curves, set_quantity, set_step_axis
from tsoft.figures.theme import Theme


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
