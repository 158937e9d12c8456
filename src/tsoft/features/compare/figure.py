"""The figure of a comparison: the mean acceptance rates over τ, and how far the rows differ."""

from typing import Any

import numpy as np

from tsoft.charts.style import tau_text
from tsoft.core.softmax import Array
from tsoft.features.compare.chart import acceptance_curves
from tsoft.features.compare.rows import ComparisonSettings
from tsoft.features.compare.summary import ComparisonSummary
from tsoft.figures.axes import TauScale
from tsoft.figures.canvas import Canvas
from tsoft.figures.class_charts import draw_curves
from tsoft.figures.overlays import draw_band
from tsoft.figures.text_lines import title_lines
from tsoft.options.figure_taus import drawn_places

_BINS = 20


def draw(page: Canvas, summary: ComparisonSummary, settings: ComparisonSettings) -> None:
    """Draw the acceptance rates over τ on the left. On the right, draw a histogram of the total variation over the rows
    at the temperature nearest to 1."""
    left, right = page.figure.subplots(1, 2, width_ratios=(3, 2))
    places = drawn_places(settings.taus, page.note, log=True)
    taus = settings.taus[places]
    names, values = acceptance_curves(summary)
    if summary.is_partial:
        draw_band(left, taus, values[0, places], values[1, places], page.theme)
    draw_curves(left, names, TauScale(taus), values[:, places], page.theme, quantity="mean acceptance")
    left.set_ylim(0, 1)
    nearest = int(places[abs(np.log(taus)).argmin()])
    _draw_histogram(right, summary.bounds["total_variation"][:, nearest], page, is_partial=summary.is_partial)
    rows = f"{summary.rows} row{'s' * (summary.rows != 1)}"
    right.set_title(title_lines(right, f"{rows}, {tau_text(float(settings.taus[nearest]))}"))


def _draw_histogram(axes: Any, bounds: Array, page: Canvas, *, is_partial: bool) -> None:
    """Draw the histogram of a lower and an upper bound, (2, rows), on the total variation."""
    top = float(bounds.max()) or 1.0
    shown = (("at least", bounds[0]), ("at most", bounds[1])) if is_partial else (("", bounds[0]),)
    for i, (name, values) in enumerate(shown):
        filled = {"histtype": "step", "linewidth": 1.4} if is_partial else {"alpha": 0.6}
        axes.hist(values, bins=_BINS, range=(0.0, top), color=page.theme.color(i), label=name, **filled)
    axes.grid(axis="y")
    axes.set_xlim(0, top)
    axes.set_xlabel("total variation")
    axes.set_ylabel("rows")
    axes.yaxis.get_major_locator().set_params(integer=True)
    if is_partial:
        axes.legend(loc="best")
