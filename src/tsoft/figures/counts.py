"""Figures of counts: bars, with the counts that are expected."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.figures.axes import name_places
from tsoft.figures.figure_theme import Theme


@dataclass(frozen=True, eq=False)
class Counts:
    """The names of classes with their counts, their expected counts, and the standard errors of the counts, (n,)
    each."""

    names: Sequence[str]
    counts: Array
    expected: Array
    errors: Array


def draw_counts(axes: Any, counts: Counts, theme: Theme, *, name: str) -> None:
    """Draw a horizontal bar for each count, the first one at the top, and the expected count with two standard
    errors on either side. `name` is that of the bars in a legend."""
    places = np.arange(len(counts.names))
    axes.barh(places, counts.counts, height=0.72, color=theme.color(0), label=name)
    style = {"color": theme.color(1), "markersize": 4, "elinewidth": 1.4, "capsize": 3}
    bounds = {"xerr": 2 * counts.errors, "label": "expected ± 2 standard errors"}
    axes.errorbar(counts.expected, places, fmt="o", **bounds, **style)
    name_places(axes, places, counts.names)
    axes.set_ylim(len(counts.names) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlim(left=0)
    axes.set_xlabel("count")
