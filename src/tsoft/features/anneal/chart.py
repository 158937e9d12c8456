"""Schedules as curves over their steps, and a table of a few steps."""

from collections.abc import Iterator, Sequence

import numpy as np

from tsoft.charts.axis import StepAxis
from tsoft.charts.curves import MAX_STEPS, curve_chart
from tsoft.charts.style import evenly_spaced, number_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.schedules import TemperatureSchedule
from tsoft.core.softmax import Array


def draw(schedules: Sequence[TemperatureSchedule], view: View, chart: bool) -> Iterator[str]:
    """Yield the curves, if `chart` is true, and the table."""
    names = [schedule.schedule for schedule in schedules]
    taus = np.column_stack([schedule.taus for schedule in schedules])
    if chart and np.isfinite(taus).any():
        steps = evenly_spaced(len(taus), MAX_STEPS)
        curves = curve_chart(names, steps, taus[steps], view.screen, height=20, title="τ", axis_type=StepAxis)
        yield f"{curves}\n"
    yield _table(names, taus, view)


def _table(names: Sequence[str], taus: Array, view: View) -> str:
    steps = evenly_spaced(len(taus))
    rows = [["step", *map(str, steps)]]
    rows += [[name, *(_text(tau, view) for tau in taus[steps, i])] for i, name in enumerate(names)]
    return text_tables(rows, view.screen, right=rows[0][1:])


def _text(tau: float, view: View) -> str:
    return "∞" if tau == np.inf else number_text(tau, view.digits)
