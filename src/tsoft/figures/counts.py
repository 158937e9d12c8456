"""Figures of counts: bars, with the counts that are expected."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.figures.axes import name_places
from tsoft.figures.chart_room import height_of
from tsoft.figures.figure_legend import draw_legend
from tsoft.figures.figure_theme import Theme

# The name of the expected counts in a legend.
EXPECTED = "expected ± 2 standard errors"


@dataclass(frozen=True, eq=False)
class Counts:
    """The names of all classes, or of some and a rest, with their counts and their expected counts, (n,) each."""

    names: Sequence[str]
    counts: Array
    expected: Array

    @property
    def errors(self) -> Array:
        """The standard errors of the counts, (n,): the standard deviations of binomial distributions."""
        shares = self.expected / self.expected.sum()
        return np.asarray(np.sqrt(self.expected * np.maximum(1 - shares, 0)))


def draws_text(size: int) -> str:
    """Return a number of draws as text.

    >>> draws_text(1), draws_text(1234567)
    ('1 draw', '1,234,567 draws')
    """
    return f"{size:,} draw{'s' * (size != 1)}"


def draw_count_legend(axes: Any, theme: Theme, name: str) -> None:
    """Draw the legend of charts of counts below the figure that has the axes. `name` is that of the bars. It comes
    before the charts, which are as high as it permits."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    bar = Patch(color=theme.color(0))
    expected = Line2D([], [], color=theme.color(1), marker="o", markersize=4, linewidth=1.4)
    draw_legend(axes, [bar, expected], [name, EXPECTED])


def draw_counts(axes: Any, counts: Counts, theme: Theme, *, name: str) -> None:
    """Draw a horizontal bar for each count, the first one at the top, and the expected count with two standard
    errors on either side. `name` is that of the bars in a legend."""
    places = np.arange(len(counts.names))
    axes.barh(places, counts.counts, height=0.72, color=theme.color(0), label=name)
    # Marks are not higher than bars.
    size = min(4, 0.72 * height_of(axes) / len(places))
    style = {"color": theme.color(1), "markersize": size, "elinewidth": 1.4, "capsize": 0.75 * size}
    axes.errorbar(counts.expected, places, fmt="o", xerr=2 * counts.errors, label=EXPECTED, **style)
    name_places(axes, places, counts.names)
    axes.set_ylim(len(counts.names) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlim(left=0)
    axes.set_xlabel("count")
