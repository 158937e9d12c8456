"""The figure of a sweep: for each distribution the curves of its classes, or a heat map, and the curve of a measure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tsoft.charts.curves import MAX_CURVES, listed_part, measure_title, tau_title
from tsoft.charts.view import View
from tsoft.features.sweep.chart import HEATMAP_CLASSES, most_probable
from tsoft.features.sweep.picture import SweepPicture
from tsoft.figures.axes import TauScale
from tsoft.figures.canvas import Canvas
from tsoft.figures.chart_grid import label_once
from tsoft.figures.chart_room import fitting_names
from tsoft.figures.class_charts import draw_curves, draw_heatmap
from tsoft.figures.text_lines import title_lines
from tsoft.options.figure_rows import HEIGHT, LEAST_HEIGHT, fitting_rows, heading
from tsoft.options.figure_taus import drawn_places
from tsoft.sampling.distributions import Distributions, measure_unit

# The name of a class takes this many lines of text if there is room. A chart has room for at least this many names.
_NAME, _FEWEST = 0.85, 6


def draw(page: Canvas, results: Sequence[Distributions], picture: SweepPicture, measure: str, view: View) -> None:
    taus = results[0].taus[drawn_places(results[0].taus, page.note, log=picture.is_log)]
    count = picture.classes or (HEATMAP_CLASSES if picture.heatmap else MAX_CURVES)
    lines = min(count + 1, len(results[0].block.names))
    has_headings = len(results) > 1
    results = fitting_rows(page, results, max(HEIGHT, _NAME * lines), max(LEAST_HEIGHT, _NAME * min(lines, _FEWEST)))
    grid = page.figure.subplots(len(results), 2, squeeze=False, width_ratios=(3, 2))
    for (left, right), full in zip(grid, results, strict=True):
        result = replace(full, taus=taus)
        names, probs = most_probable(result, _fitting(page, left, count, len(result.block.names)))
        part = listed_part(result)
        draw_classes = draw_heatmap if picture.heatmap else draw_curves
        scale = TauScale(taus, picture.is_log, tau_title(result.block.ensemble))
        draw_classes(left, names, scale, probs.T, page.theme, quantity=f"probability{part}")
        values = getattr(result, measure)[:, 0] / measure_unit(measure, view.bits)
        title = measure_title(measure, view, result.block.ensemble) + part
        draw_curves(right, [measure], scale, values[np.newaxis], page.theme, quantity=title)
        if has_headings:
            engine = f", {result.engine}" if result.engine else ""
            left.set_title(title_lines(left, f"{heading(result.block)}{engine}"))
    label_once(grid)


def _fitting(page: Canvas, axes: Any, count: int, classes: int) -> int:
    """Return how many of the `count` most probable classes fit into a chart, together with a rest."""
    room = fitting_names(axes)
    if min(classes, count + 1) <= room:
        return count
    page.note(f"the figure has room for {room - 1} of {min(classes, count)} classes; a larger --size shows more")
    return room - 1
