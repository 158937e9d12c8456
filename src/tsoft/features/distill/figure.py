"""The figure of soft targets: the information, the other classes, and a student's loss, over τ."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tsoft.features.distill.chart import MEASURE_NAMES, Curves, charted_taus, teacher_curves
from tsoft.features.distill.soft_targets import Distillation
from tsoft.figures.axes import TauScale, set_row_name
from tsoft.figures.canvas import Canvas
from tsoft.figures.chart_grid import label_once
from tsoft.figures.class_charts import draw_curves
from tsoft.figures.text_lines import title_lines
from tsoft.options.figure_rows import HEIGHT, LEAST_HEIGHT, NARROWEST_CURVES, fitting_columns, fitting_rows, heading

# The measures of a student's loss that a chart has room for.
_LOSSES = ("kl", "kl_tau2", "loss")


def draw(page: Canvas, distillations: Sequence[Distillation]) -> None:
    """Draw a line of charts for each distillation, which has one row."""
    has_headings = len(distillations) > 1
    distillations = fitting_rows(page, distillations, HEIGHT, LEAST_HEIGHT)
    charted = [teacher_curves(each) + _student_curves(each) for each in distillations]
    columns = fitting_columns(page, len(charted[0]), NARROWEST_CURVES)
    grid = page.figure.subplots(len(charted), columns, squeeze=False)
    for line, charts, each in zip(grid, charted, distillations, strict=True):
        taus = charted_taus(each)
        if not np.isfinite(charts[0].values).any():
            page.note(f"row {each.block.first_row}: every other class is masked, so the figure shows no information")
        for axes, curves in zip(line, charts[:columns], strict=True):
            values = np.where(np.isfinite(curves.values), curves.values, np.nan)
            draw_curves(axes, curves.names, TauScale(taus), values, page.theme, quantity="")
            if curves.limits:
                axes.set_ylim(*curves.limits)
            axes.set_title(title_lines(axes, curves.title))
        if has_headings:
            set_row_name(line[0], heading(each.block))
    label_once(grid)


def _student_curves(distillation: Distillation) -> list[Curves]:
    """Return the losses of the student, if there is one."""
    over_taus = replace(distillation, taus=charted_taus(distillation))
    measures = [name for name in _LOSSES if name in over_taus.measures]
    if not measures:
        return []
    values = np.stack([getattr(over_taus, name)[:, 0] for name in measures])
    return [Curves("student (nats)", [MEASURE_NAMES[name] for name in measures], values)]
