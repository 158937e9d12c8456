"""A measure's mean over rows, as a curve, and the means of all measures, as a table."""

import numpy as np

from tsoft.charts.curves import curve_chart, measure_limits, measure_title
from tsoft.charts.style import evenly_spaced, number_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.averages import Averages
from tsoft.core.thermodynamics import Ensemble
from tsoft.sampling.distributions import measure_unit


def draw_curve(averages: Averages, measure: str, view: View, *, log: bool, ensemble: Ensemble | None = None) -> str:
    """The mean of a measure over the rows, with a standard deviation on either side."""
    order = np.argsort(averages.taus)
    average = averages.by_measure[measure]
    band = np.stack([average.mean + average.deviation, average.mean, average.mean - average.deviation], axis=1)
    names, values = ["mean + sd", "mean", "mean - sd"], band[order] / measure_unit(measure, view.bits)
    title, limits = measure_title(measure, view, ensemble), measure_limits(measure)
    chart = curve_chart(
        names, averages.taus[order], values, view.screen, height=16, title=title, log=log, limits=limits
    )
    return f"{chart}\n"


def draw_table(averages: Averages, view: View, ensemble: Ensemble | None = None) -> str:
    """The means of all measures at a few temperatures."""
    titles = [measure_title(measure, view, ensemble) for measure in averages.by_measure]
    names = [f"{averages.rows} row{'s' * (averages.rows != 1)}", *titles]
    columns = [_mean_column(averages, t, view, ensemble) for t in evenly_spaced(len(averages.taus))]
    widest = max(len(text) for column in columns for text in column)
    rows = zip(names, *([text.ljust(widest) for text in column] for column in columns), strict=True)
    return text_tables(list(rows), view.screen)


def _mean_column(averages: Averages, t: int, view: View, ensemble: Ensemble | None) -> list[str]:
    """A temperature, and each measure's mean and standard deviation there."""
    cells = [tau_text(float(averages.taus[t]), ensemble.units[1] if ensemble else "")]
    for measure, average in averages.by_measure.items():
        mean, deviation = (values[t] / measure_unit(measure, view.bits) for values in (average.mean, average.deviation))
        cells.append(f"{number_text(mean)} ± {number_text(deviation)}")
    return cells
