"""The figure of means over rows: the mean of a measure over τ, with a band of the standard deviation."""

import numpy as np

from tsoft.charts.curves import measure_limits, measure_title, tau_title
from tsoft.charts.view import View
from tsoft.core.averages import Averages
from tsoft.core.thermodynamics import Ensemble
from tsoft.figures.axes import TauScale
from tsoft.figures.canvas import Canvas
from tsoft.figures.class_charts import draw_curves
from tsoft.figures.overlays import draw_band
from tsoft.figures.text_lines import title_lines
from tsoft.options.figure_taus import drawn_places
from tsoft.sampling.distributions import measure_unit


def draw(
    page: Canvas, averages: Averages, measure: str, view: View, *, log: bool, ensemble: Ensemble | None = None
) -> None:
    places = drawn_places(averages.taus, page.note, log=log)
    taus = averages.taus[places]
    average, unit = averages.by_measure[measure], measure_unit(measure, view.bits)
    mean, deviation = average.mean[places] / unit, average.deviation[places] / unit
    axes = page.figure.subplots()
    draw_band(axes, taus, mean - deviation, mean + deviation, page.theme)
    quantity = measure_title(measure, view, ensemble)
    scale = TauScale(taus, log, tau_title(ensemble))
    draw_curves(axes, [measure], scale, mean[np.newaxis], page.theme, quantity=quantity)
    if limits := measure_limits(measure):
        axes.set_ylim(*limits)
    rows = f"{averages.rows} row{'s' * (averages.rows != 1)}"
    axes.set_title(title_lines(axes, f"mean ± standard deviation, {rows}"))
