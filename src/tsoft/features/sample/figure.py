"""The figure of samples: the counts and the expected counts, one chart for each chain and temperature."""

from collections.abc import Sequence

from tsoft.charts.style import prob_text, tau_text
from tsoft.charts.view import ClassSelection, View
from tsoft.core.block import class_names
from tsoft.core.chi_square import goodness_of_fit
from tsoft.features.sample.samples import Sample
from tsoft.figures.axes import set_row_name
from tsoft.figures.canvas import Canvas
from tsoft.figures.chart_grid import label_once
from tsoft.figures.counts import Counts, draw_count_legend, draw_counts, draws_text
from tsoft.figures.text_lines import title_lines
from tsoft.options.distribution_figure import bar_selection, rows_of_bars
from tsoft.options.figure_rows import fitting_columns, heading
from tsoft.sampling.distributions import Distributions

# One sample of a row: at each temperature, after each chain.
RowSamples = tuple[Sequence[Distributions], Sequence[Sample]]


def draw(page: Canvas, rows: Sequence[RowSamples], view: View) -> None:
    count = max(len(samples) for _, samples in rows)
    columns = fitting_columns(page, count)
    has_headings = len(rows) > 1
    rows = rows[: len(rows_of_bars(page, [results for results, _ in rows], view))]
    grid = page.figure.subplots(len(rows), columns, squeeze=False, sharex="row", sharey="row")
    draw_count_legend(grid[0][0], page.theme, _draws(rows[0][1][0]))
    for axes, (results, samples) in zip(grid, rows, strict=True):
        # Charts side by side have the same classes.
        selection = bar_selection(page, axes[0], results, view)
        for ax, sample in zip(axes, samples, strict=False):
            draw_counts(ax, _counts(sample, selection), page.theme, name=_draws(sample))
            ax.set_title("\n".join(title_lines(ax, line) for line in _title(sample, view)))
        if has_headings:
            set_row_name(axes[0], heading(results[0].block))
    label_once(grid)


def _draws(sample: Sample) -> str:
    return f"count, {draws_text(sample.size)}, seed {sample.seed}"


def _title(sample: Sample, view: View) -> list[str]:
    fit = goodness_of_fit(sample.counts, sample.probs)
    p_value = "–" if fit is None else prob_text(fit.p_value, view.digits)
    engine = f"{sample.engine} " if sample.engine else ""
    return [f"{engine}{tau_text(sample.tau)}", f"p-value {p_value}"]


def _counts(sample: Sample, selection: ClassSelection) -> Counts:
    names = class_names(sample.labels, len(sample.probs), quoted=sample.tokens)
    return Counts(selection.labels(names), selection.values(sample.counts), selection.values(sample.expected))
