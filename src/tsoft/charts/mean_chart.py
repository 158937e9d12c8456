"""Means over rows: a curve of one measure, and a table of all measures."""

import numpy as np

from tsoft.charts.curves import chart_text, curve_chart, measure_limits, measure_title
from tsoft.charts.style import evenly_spaced, number_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.averages import Averages
from tsoft.core.thermodynamics import Ensemble
from tsoft.sampling.distributions import measure_unit


def draw_curve(averages: Averages, measure: str, view: View, *, log: bool, ensemble: Ensemble | None = None) -> str:
    """Return the curve of a measure's mean over the rows, with one standard deviation on either side."""
    order = np.argsort(averages.taus)
    average = averages.by_measure[measure]
    band = np.stack([average.mean + average.deviation, average.mean, average.mean - average.deviation], axis=1)
    names, values = ["mean + sd", "mean", "mean - sd"], band[order] / measure_unit(measure, view.bits)
    title, limits = measure_title(measure, view, ensemble), measure_limits(measure)
    chart = curve_chart(
        names, averages.taus[order], values, view.screen, height=16, title=title, log=log, limits=limits
    )
    return chart_text(chart, view) + "\n"


def draw_table(averages: Averages, view: View, ensemble: Ensemble | None = None) -> str:
    """Return the table of the means of all measures at a few temperatures, and the legend of the output."""
    titles = [measure_title(measure, view, ensemble) for measure in averages.by_measure]
    names = [f"{averages.rows} row{'s' * (averages.rows != 1)}", *titles]
    columns = [_mean_column(averages, t, view, ensemble) for t in evenly_spaced(len(averages.taus))]
    widest = max(len(text) for column in columns for text in column)
    rows = zip(names, *([text.ljust(widest) for text in column] for column in columns), strict=True)
    view.legend.add("deviation", *(measure.replace("_", "-") for measure in averages.by_measure))
    if any(np.isnan(average.mean).any() for average in averages.by_measure.values()):
        view.legend.add("single class")
    return text_tables(list(rows), view.screen)


def _mean_column(averages: Averages, t: int, view: View, ensemble: Ensemble | None) -> list[str]:
    """Return a temperature, and each measure's mean and standard deviation there."""
    cells = [tau_text(float(averages.taus[t]), ensemble.units[1] if ensemble else "")]
    for measure, average in averages.by_measure.items():
        mean, deviation = (values[t] / measure_unit(measure, view.bits) for values in (average.mean, average.deviation))
        cells.append(f"{number_text(mean)} ± {number_text(deviation)}")
    return cells
