"""The figure of solutions: for each row the curve of the measure over τ, the target, and the solutions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tsoft.charts.curves import measure_title, surrounding_taus
from tsoft.charts.style import tau_text
from tsoft.charts.view import View
from tsoft.core.block import Block
from tsoft.features.solve.bounded_row import BoundedRow, SolveRow
from tsoft.features.solve.chart import POINTS, REACH, measure_values
from tsoft.features.solve.target import SolvedRow
from tsoft.figures.axes import TauScale, set_quantity, set_tau_axis
from tsoft.figures.canvas import Canvas
from tsoft.figures.chart_grid import label_once
from tsoft.figures.class_charts import draw_curves
from tsoft.figures.figure_theme import Theme
from tsoft.figures.overlays import draw_band, draw_marks, draw_span, draw_target, solution_marks
from tsoft.figures.text_lines import title_lines
from tsoft.options.figure_rows import HEIGHT, LEAST_HEIGHT, fitting_rows, heading
from tsoft.sampling.apply_chains import compute_distributions


def draw(page: Canvas, rows: Sequence[tuple[Block, SolveRow]], view: View) -> None:
    """Draw a chart for each row. Each block has one row."""
    has_headings = len(rows) > 1
    rows = fitting_rows(page, rows, HEIGHT, LEAST_HEIGHT)
    grid = page.figure.subplots(len(rows), 1, squeeze=False)
    for axes, (block, row) in zip(grid[:, 0], rows, strict=True):
        if isinstance(row, BoundedRow):
            answer = _draw_bounds(axes, block, row, page.theme)
        else:
            answer = _draw_solutions(axes, block, row, view, page.theme)
        draw_target(axes, row.target.value, f"target {row.target.value:g}", page.theme)
        start = f"{heading(block)}: " if has_headings else ""
        axes.set_title(title_lines(axes, f"{start}{row.target.name} {row.target.value:g}: {answer}"))
    label_once(grid)


def _draw_solutions(axes: Any, block: Block, row: SolvedRow, view: View, theme: Theme) -> str:
    """Draw the curve and mark the solutions on it. Return all solutions as text."""
    target, solutions = row.target, np.array(row.solution.taus)
    taus = surrounding_taus(solutions, REACH, POINTS)
    values = measure_values(block, taus, target, view)
    title = measure_title(target.measure, view) if target.measure != "prob" else "probability"
    if values is None:
        set_quantity(axes, title)
        set_tau_axis(axes, TauScale(taus), theme)
        return row.reason or "no temperature"
    draw_curves(axes, [target.name], TauScale(taus), values[np.newaxis], theme, quantity=title)
    draw_marks(axes, solution_marks(taus, values, solutions, target.value, tau_text), theme)
    return ", ".join(map(tau_text, row.solution.taus)) or "no temperature"


def _draw_bounds(axes: Any, block: Block, row: BoundedRow, theme: Theme) -> str:
    """Draw the bounds on the probability, and mark the range of temperatures. Return the range as text."""
    ends = np.array([] if row.reason else [row.taus.low, row.taus.high])
    taus = surrounding_taus(ends, REACH, POINTS)
    low, high = (bound[:, 0, row.index] for bound in compute_distributions(block, taus).bounds)
    for bound in (low, high):
        draw_curves(axes, [row.target.name], TauScale(taus), bound[np.newaxis], theme, quantity="probability")
    draw_band(axes, taus, low, high, theme)
    if row.reason:
        return "no temperature"
    inside = np.clip(ends, taus[0], taus[-1]).tolist()
    draw_span(axes, inside[0], inside[1], theme)
    return f"from {tau_text(row.taus.low)} to {tau_text(row.taus.high)}"
