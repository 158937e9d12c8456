"""The figure of distributions: for each input row a row of bar charts, one for each temperature and chain."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tsoft.charts.distribution_table import column_styles
from tsoft.charts.view import ClassSelection, View
from tsoft.figures.axes import set_row_name
from tsoft.figures.canvas import Canvas
from tsoft.figures.chart_grid import label_once
from tsoft.figures.chart_room import fitting_names
from tsoft.figures.class_charts import Bars, draw_bars
from tsoft.options.figure_rows import fitting_columns, fitting_rows, heading
from tsoft.sampling.distributions import Distributions, ranked_classes

# A bar is this many lines of text high if there is room, and a chart has room for at least this many bars.
_BAR, _FEWEST_BARS = 0.85, 6

Row = Sequence[Distributions]


def draw_distributions(page: Canvas, rows: Sequence[Row], view: View) -> None:
    """Draw the rows, each with the results of one or more chains, which have the same temperatures."""
    count = sum(len(result.taus) for result in rows[0])
    columns = fitting_columns(page, count, hint=", and tsoft sweep draws curves over τ")
    has_headings = len(rows) > 1
    rows = rows_of_bars(page, rows, view)
    grid = page.figure.subplots(len(rows), columns, squeeze=False, sharex="row", sharey="row")
    for axes, results in zip(grid, rows, strict=True):
        selection = bar_selection(page, axes[0], results, view)
        for ax, chart in zip(axes, _charts(results, selection), strict=False):
            draw_bars(ax, chart, page.theme)
        if has_headings:
            set_row_name(axes[0], heading(results[0].block))
    label_once(grid)


def rows_of_bars(page: Canvas, rows: Sequence[Row], view: View) -> Sequence[Row]:
    """Return the rows whose bars fit into a figure."""
    bars = max(_bars(view.select(*ranked_classes(results))) for results in rows)
    return fitting_rows(page, rows, _BAR * bars, _BAR * min(bars, _FEWEST_BARS))


def bar_selection(page: Canvas, axes: Any, results: Row, view: View) -> ClassSelection:
    """Return the classes of a row that have a bar: those of the table, or fewer if the chart is too low for them."""
    ranking, kept = ranked_classes(results)
    selection, room = view.select(ranking, kept), fitting_names(axes)
    more = ""
    if _bars(selection) > room:
        selection, more = ClassSelection(ranking[: room - 1], ranking[room - 1 :]), "; a larger --size shows more"
    if len(selection.rest):
        shown, rest = len(selection.shown), len(selection.rest)
        page.note(f"the figure shows {shown} class{'es' * (shown != 1)} and {rest} more as one bar{more}")
    return selection


def _bars(selection: ClassSelection) -> int:
    return len(selection.shown) + bool(len(selection.rest))


def _charts(results: Row, selection: ClassSelection) -> Iterator[Bars]:
    """Yield the charts of a row."""
    names = selection.labels(results[0].block.names)
    for result, styles in zip(results, column_styles(results), strict=True):
        # An unknown probability can be anything from 0 to 1.
        low, high = (np.nan_to_num(bound[:, 0], nan=limit) for bound, limit in zip(result.bounds, (0, 1), strict=True))
        for t, style in enumerate(styles):
            yield Bars(names, selection.values(low[t]), np.minimum(selection.values(high[t]), 1), style.header)
