"""The numbers of rows in the bins of a reliability diagram, inside of its axes."""

from typing import Any

from tsoft.figures.calibration_diagrams import ReliabilityBars, draw_counts
from tsoft.figures.figure_theme import Theme

# The place of the counts below the accuracy 0, on the scale of the accuracy.
_BOTTOM, _HEIGHT, _MARGIN = -0.25, 0.2, 0.02


def draw_bin_counts(axes: Any, bars: ReliabilityBars, theme: Theme) -> Any:
    """Draw the number of rows in each bin below the bars of a reliability diagram, with the same horizontal axis.
    Return the axes of the counts, which are inside of the diagram's, so that they need no room beside them."""
    inside = axes.inset_axes((0, _BOTTOM, 1, _HEIGHT), transform=axes.transData)
    draw_counts(inside, bars, int(bars.counts.max()), theme)
    inside.set_xlim(0, 1)
    inside.set_xlabel("")
    inside.tick_params(labelbottom=False, bottom=False)
    for side in ("top", "right"):
        inside.spines[side].set_visible(False)
    inside.patch.set_visible(False)
    axes.set_ylim(bottom=_BOTTOM - _MARGIN)
    return inside
