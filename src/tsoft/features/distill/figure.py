"""The figure of soft targets: the information, the other classes, and a student's loss, over τ."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tsoft.charts.style import tau_text
from tsoft.features.distill.chart import MEASURE_NAMES, Curves, curves
from tsoft.features.distill.soft_targets import Distillation
from tsoft.figures.axes import title_lines
from tsoft.figures.canvas import Canvas
from tsoft.figures.distributions import draw_curves
from tsoft.options.figure_rows import heading

# The losses of a student that the figure shows.
_LOSSES = ("kl", "kl_tau2", "loss")


def draw(page: Canvas, distillations: Sequence[Distillation]) -> None:
    """Draw a line of charts for each distillation, which has one row."""
    charted = [_charts(distillation) for distillation in distillations]
    grid = page.figure.subplots(len(charted), len(charted[0]), squeeze=False)
    for line, charts, distillation in zip(grid, charted, distillations, strict=True):
        for axes, chart in zip(line, charts, strict=True):
            values = np.where(np.isfinite(chart.values), chart.values, np.nan)
            draw_curves(axes, chart.names, chart.taus, values, page.theme, log=True, quantity=chart.quantity)
            axes.set_title(title_lines(axes, chart.title))
        if len(charted) > 1:
            line[0].set_title(title_lines(line[0], f"{heading(distillation.block)}: {charts[0].title}"))
