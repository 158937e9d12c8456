"""Diagrams of a calibration: accuracy against confidence, the counts of the bins, and the NLL over τ."""

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from tsoft.core.interval import wilson_interval
from tsoft.core.softmax import Array
from tsoft.figures.axes import TauScale, set_tau_axis
from tsoft.figures.figure_theme import Theme

# The names of the marks in a legend, in its order: an interval follows its mark.
ACCURACY, INTERVAL, OVER, UNDER = "accuracy", "its 95 % interval (Wilson)", "overconfident", "underconfident"
CALIBRATED, ROWS, FITTED, FITTED_INTERVAL = "calibrated", "rows per bin", "fitted τ", "its 95 % interval"
MARKS = (ACCURACY, INTERVAL, OVER, UNDER, CALIBRATED, ROWS, FITTED, FITTED_INTERVAL)

# The position of inset counts, below the accuracy 0, on the scale of the accuracy.
_BOTTOM, _HEIGHT, _MARGIN = -0.25, 0.2, 0.02


@dataclass(frozen=True, eq=False)
class ReliabilityBars:
    """The bins of a reliability diagram: their `edges`, (b + 1,), and the `counts`, the mean `confidence` and the
    `accuracy`, (b,) each. An empty bin has no bar."""

    edges: Array
    counts: Array
    confidence: Array
    accuracy: Array


@dataclass(frozen=True, eq=False)
class NllCurve:
    """The points of a curve of the NLL over τ, (k,) each, in ascending order of the positive temperatures. `fitted`
    is the τ with the least NLL, which may be 0 or inf; `low` and `high` are the ends of its 95 % interval, NaN without
    one."""

    taus: Array
    nll: Array
    fitted: float
    low: float
    high: float


def draw_reliability(axes: Any, bars: ReliabilityBars, theme: Theme) -> None:
    """Draw a bar for the accuracy of each bin, its 95 % interval, and its gap to the mean confidence. The other end of
    the gap is on the diagonal, where a calibrated model is."""
    shown = bars.counts > 0
    left, width = bars.edges[:-1][shown], np.diff(bars.edges)[shown]
    confidence, accuracy = bars.confidence[shown], bars.accuracy[shown]
    axes.bar(left, accuracy, width, align="edge", color=theme.color(0), alpha=0.5, label=ACCURACY)
    low, high = wilson_interval(accuracy, bars.counts[shown])
    # Many intervals are thin, because they would cover the bars.
    style = {"color": theme.foreground, "linewidth": min(1.1, 40 / len(bars.counts)), "zorder": 2.5}
    axes.vlines(confidence, low, high, label=INTERVAL, **style)
    gaps = confidence - accuracy
    for i, (name, bins) in enumerate([(OVER, gaps > 0), (UNDER, gaps < 0)], start=1):
        if bins.any():
            style = {"align": "edge", "color": theme.color(i), "label": name}
            axes.bar(left[bins], gaps[bins], width[bins], accuracy[bins], **style)
    axes.plot([0, 1], [0, 1], color=theme.foreground, linewidth=0.9, linestyle=(0, (4, 2)), label=CALIBRATED)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.grid(axis="y")
    axes.set_xlabel("confidence")
    axes.set_ylabel("accuracy")


def draw_bin_counts(axes: Any, bars: ReliabilityBars, top: int, theme: Theme) -> None:
    """Draw the number of rows in each bin, below a reliability diagram. `top` is the highest number on the axis."""
    widths = np.diff(bars.edges)
    axes.bar(bars.edges[:-1], bars.counts, widths, align="edge", color=theme.muted, label=ROWS)
    axes.set_ylim(0, top)
    axes.set_yticks([top], [str(top)], va="top")
    axes.set_xlabel("confidence")


def inset_bin_counts(axes: Any, bars: ReliabilityBars, theme: Theme) -> Any:
    """Draw the number of rows in each bin below the bars of a reliability diagram, with the same horizontal axis.
    Return the axes of the counts, which are inside those of the diagram, so that they need no room beside them."""
    inset = axes.inset_axes((0, _BOTTOM, 1, _HEIGHT), transform=axes.transData)
    draw_bin_counts(inset, bars, int(bars.counts.max()), theme)
    inset.set_xlim(0, 1)
    inset.set_xlabel("")
    inset.tick_params(labelbottom=False, bottom=False)
    for side in ("top", "right"):
        inset.spines[side].set_visible(False)
    inset.patch.set_visible(False)
    axes.set_ylim(bottom=_BOTTOM - _MARGIN)
    return inset


def draw_nll(axes: Any, curve: NllCurve, theme: Theme) -> None:
    """Draw the NLL over τ, with its minimum and the interval of the minimum as far as the curve extends."""
    ends = float(curve.taus[0]), float(curve.taus[-1])
    if curve.low <= curve.high:
        style = {"color": theme.muted, "alpha": 0.35, "linewidth": 0}
        axes.axvspan(max(curve.low, ends[0]), min(curve.high, ends[1]), label=FITTED_INTERVAL, **style)
    axes.plot(curve.taus, curve.nll, color=theme.color(0))
    if 0 < curve.fitted < inf:
        least = float(np.interp(curve.fitted, curve.taus, curve.nll))
        axes.plot([curve.fitted], [least], "o", color=theme.foreground, label=FITTED)
    axes.grid(axis="y")
    axes.set_ylabel("NLL")
    set_tau_axis(axes, TauScale(curve.taus), theme)
