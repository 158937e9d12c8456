"""Means over rows, as a curve and a table."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tsoft.charts.curves import drawn_curves, titled
from tsoft.charts.style import evenly_spaced, number_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.averages import Averages
from tsoft.sampling.distributions import measure_unit

if TYPE_CHECKING:
    from tsoft.core.thermodynamics import Ensemble


def draw_mean(
    found: Averages, view: View, measure: str, log: bool, ensemble: "Ensemble | None" = None
) -> Iterator[str]:
    """The mean of a measure over the rows with a standard deviation on either side, and a table of
    the means of all measures at a few temperatures."""
    order = np.argsort(found.taus)
    average = found.by_measure[measure]
    band = np.stack([average.mean + average.deviation, average.mean, average.mean - average.deviation], axis=1)
    names = ["mean + sd", "mean", "mean - sd"]
    values = band[order] / measure_unit(measure, view.bits)
    yield drawn_curves(names, found.taus[order], values, view, 16, log, titled(measure, view, ensemble)) + "\n"
    yield _means(found, view, ensemble)


def _means(found: Averages, view: View, ensemble: "Ensemble | None") -> str:
    """The table of means; temperatures that do not fit go on in a further one."""
    names = [f"{found.rows} row{'s' * (found.rows != 1)}", *(titled(name, view, ensemble) for name in found.by_measure)]
    columns = [_mean_column(found, t, view, ensemble) for t in evenly_spaced(len(found.taus))]
    widest = max(len(text) for column in columns for text in column)
    rows = zip(names, *([text.ljust(widest) for text in column] for column in columns), strict=True)
    return text_tables(list(rows), view.screen)


def _mean_column(found: Averages, t: int, view: View, ensemble: "Ensemble | None") -> list[str]:
    """A temperature, and each measure's mean and standard deviation there."""
    cells = [tau_text(float(found.taus[t]), ensemble.units[1] if ensemble else "")]
    for name, average in found.by_measure.items():
        mean, deviation = (
            float(value[t]) / measure_unit(name, view.bits) for value in (average.mean, average.deviation)
        )
        cells.append(f"{number_text(mean)} ± {number_text(deviation)}")
    return cells
