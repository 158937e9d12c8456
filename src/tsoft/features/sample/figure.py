"""The figure of samples: the counts and the expected counts, one chart for each chain and temperature."""

from collections.abc import Sequence

import numpy as np

from tsoft.charts.style import prob_text, tau_text
from tsoft.charts.view import ClassSelection, View
from tsoft.core.block import class_names
from tsoft.core.chi_square import goodness_of_fit
from tsoft.features.sample.samples import Sample
from tsoft.figures.axes import draw_legend, title_lines
from tsoft.figures.canvas import Canvas
from tsoft.figures.counts import Counts, draw_counts
from tsoft.options.distribution_figure import MAX_COLUMNS
from tsoft.options.figure_rows import heading
from tsoft.sampling.distributions import Distributions, ranked_classes

# One sample of a row: at each temperature, after each chain.
RowSamples = tuple[Sequence[Distributions], Sequence[Sample]]


def draw(page: Canvas, rows: Sequence[RowSamples], view: View) -> None:
    count = max(len(samples) for _, samples in rows)
    if count > MAX_COLUMNS:
        page.note(f"the figure shows {MAX_COLUMNS} of {count} samples of a row; pass fewer temperatures")
    grid = page.figure.subplots(len(rows), min(count, MAX_COLUMNS), squeeze=False, sharex="row", sharey="row")
    for axes, (results, samples) in zip(grid, rows, strict=True):
        # Charts side by side have the same classes.
        selection = view.select(*ranked_classes(results, 0))
        if len(selection.rest):
            page.note(f"the figure shows {len(selection.shown)} classes and {len(selection.rest)} more as one bar")
        for ax, sample in zip(axes, samples[:MAX_COLUMNS], strict=True):
            draws = f"count, {sample.size:g} draws, seed {sample.seed}"
            draw_counts(ax, _counts(sample, selection), page.theme, name=draws)
            ax.set_title("\n".join(title_lines(ax, line) for line in _title(sample, view)))
        if len(rows) > 1:
            axes[0].set_ylabel(heading(results[0].block))
    draw_legend(grid[0][0])


def _title(sample: Sample, view: View) -> list[str]:
    fit = goodness_of_fit(sample.counts, sample.probs)
    p_value = "–" if fit is None else prob_text(fit.p_value, view.digits)
    engine = f"{sample.engine} " if sample.engine else ""
    return [f"{engine}{tau_text(sample.tau)}", f"p-value {p_value}"]


def _counts(sample: Sample, selection: ClassSelection) -> Counts:
    names = class_names(sample.labels, len(sample.probs), quoted=sample.tokens)
    expected = selection.values(sample.expected)
    errors = np.sqrt(expected * np.maximum(1 - expected / sample.size, 0))
    return Counts(selection.labels(names), selection.values(sample.counts), expected, errors)
