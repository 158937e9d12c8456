"""The figure of an audit: the drawn and the expected counts, one chart for each row."""

from collections.abc import Sequence

from tsoft.charts.view import ClassSelection, View
from tsoft.features.audit.drawn_counts import DrawnCounts
from tsoft.figures.axes import set_row_name
from tsoft.figures.canvas import Canvas
from tsoft.figures.chart_grid import label_once
from tsoft.figures.chart_room import fitting_names
from tsoft.figures.counts import Counts, draw_count_legend, draw_counts, draws_text
from tsoft.figures.text_lines import title_lines
from tsoft.options.figure_rows import fitting_rows, heading

# A bar is this many lines of text high if there is room, and a chart has room for at least this many bars.
_BAR, _FEWEST_BARS = 0.85, 6


def draw(page: Canvas, rows: Sequence[DrawnCounts], view: View) -> None:
    bars = max(len(view.select(row.order).labels(row.block.names)) for row in rows)
    has_headings = len(rows) > 1
    rows = fitting_rows(page, rows, _BAR * bars, _BAR * min(bars, _FEWEST_BARS))
    grid = page.figure.subplots(len(rows), 1, squeeze=False)
    name = f"count, {draws_text(sum(row.draws for row in rows))}"
    draw_count_legend(grid[0][0], page.theme, name)
    for [ax], row in zip(grid, rows, strict=True):
        selection, room = view.select(row.order), fitting_names(ax)
        if len(selection.shown) + bool(len(selection.rest)) > room:
            selection = ClassSelection(row.order[: room - 1], row.order[room - 1 :])
        if len(selection.rest):
            page.note(f"the figure shows {len(selection.shown)} classes and {len(selection.rest)} more as one bar")
        counts = Counts(selection.labels(row.block.names), selection.values(row.drawn), selection.values(row.expected))
        draw_counts(ax, counts, page.theme, name=name)
        if row.unlisted:
            page.note(f"row {row.block.first_row}: the figure leaves out {row.unlisted} draws of unlisted classes")
        if has_headings:
            set_row_name(ax, heading(row.block))
    grid[0][0].set_title(title_lines(grid[0][0], f"drawn, and expected at τ = {rows[0].tau:.4g}"))
    label_once(grid)
