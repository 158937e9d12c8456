"""The figure of scored texts: the perplexity over τ, with the best τ and its interval."""

from collections.abc import Sequence
from math import inf, isnan
from typing import Any

import numpy as np

from tsoft.charts.style import short_tau_text
from tsoft.core.softmax import Array
from tsoft.features.score.chart import highest_shown, perplexity_curves
from tsoft.features.score.scored_text import ScoredText
from tsoft.features.score.tau_curve import CURVE_TAUS, RANGE, BestTau
from tsoft.figures.axes import TauScale, set_quantity, set_tau_axis
from tsoft.figures.canvas import Canvas
from tsoft.figures.figure_legend import draw_legend
from tsoft.figures.overlays import draw_span
from tsoft.figures.text_lines import title_lines


def draw(page: Canvas, texts: Sequence[ScoredText]) -> None:
    """Draw the perplexity of each text over τ. For a single text, mark the best τ and its interval."""
    known = [text for text in texts if text.measurements.curve is not None]
    axes = page.figure.subplots()
    if not known:
        page.note("the figure is empty, because the perplexity over τ is unknown")
        axes.set_axis_off()
        return
    values = perplexity_curves(known)
    for i, (text, curve) in enumerate(zip(known, values, strict=True)):
        axes.plot(CURVE_TAUS, curve, color=page.theme.color(i), linestyle=page.theme.dash(i), label=text.name)
    axes.grid(axis="y")
    set_quantity(axes, "sequence perplexity")
    set_tau_axis(axes, TauScale(CURVE_TAUS), page.theme)
    axes.set_ylim(0, 1.05 * highest_shown(values))
    if len(known) > 1:
        # The ends of the curves are above the chart.
        draw_legend(axes, axes.get_legend_handles_labels()[0], [text.name for text in known])
    elif known[0].best is not None:
        _mark_best(axes, known[0].best, values[0], page)


def _mark_best(axes: Any, best: BestTau, values: Array, page: Canvas) -> None:
    """Mark the best τ and its interval, as far as the curve extends."""
    if isnan(best.tau) or best.tau in (0.0, inf):
        axes.set_title(title_lines(axes, best.reason or ""))
        return
    lowest = float(np.exp(np.interp(np.log(best.tau), np.log(CURVE_TAUS), np.log(values))))
    axes.plot([best.tau], [lowest], "o", color=page.theme.foreground, zorder=3)
    title = f"lowest at {short_tau_text(best.tau)}"
    draw_span(axes, max(best.low, 1 / RANGE), min(best.high, RANGE), page.theme)
    low, high = (short_tau_text(end).removeprefix("τ = ") for end in (best.low, best.high))
    axes.set_title(title_lines(axes, f"{title}, 95 % interval {low} to {high}"))
