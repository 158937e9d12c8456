"""The figure of distributions: a line of bar charts for each row, one chart for each temperature and chain."""

from collections.abc import Sequence

import numpy as np

from tsoft.charts.distribution_table import column_styles
from tsoft.charts.view import View
from tsoft.figures.canvas import Canvas
from tsoft.figures.class_charts import Bars, draw_bars
from tsoft.options.figure_rows import heading
from tsoft.sampling.distributions import Distributions, ranked_classes

# More charts side by side would be too narrow to read.
MAX_COLUMNS = 6


def draw_distributions(page: Canvas, rows: Sequence[Sequence[Distributions]], view: View) -> None:
    """Draw the rows, each with the results of one or more chains, which have the same temperatures."""
    count = max(sum(len(result.taus) for result in results) for results in rows)
    if count > MAX_COLUMNS:
        page.note(f"the figure shows {MAX_COLUMNS} of {count} columns; tsoft sweep draws curves over τ")
    grid = page.figure.subplots(len(rows), min(count, MAX_COLUMNS), squeeze=False, sharex="row", sharey="row")
    for axes, results in zip(grid, rows, strict=True):
        charts = _charts(page, results, view)[:MAX_COLUMNS]
        for ax, chart in zip(axes, charts, strict=True):
            draw_bars(ax, chart, page.theme)
        if len(rows) > 1:
            axes[0].set_ylabel(heading(results[0].block))


def _charts(page: Canvas, results: Sequence[Distributions], view: View) -> list[Bars]:
    """Return the charts of a row."""
    selection = view.select(*ranked_classes(results, 0))
    if len(selection.rest):
        page.note(f"the figure shows {len(selection.shown)} classes and {len(selection.rest)} more as one bar")
    names = selection.labels(results[0].block.names)
    charts = []
    for result, styles in zip(results, column_styles(results), strict=True):
        # An unknown probability is from 0 to 1.
        low, high = (np.nan_to_num(bound[:, 0], nan=limit) for bound, limit in zip(result.bounds, (0, 1), strict=True))
        for t, style in enumerate(styles):
            charts.append(Bars(names, selection.values(low[t]), np.minimum(selection.values(high[t]), 1), style.header))
    return charts
