"""Schedules as curves over their steps, and a table at a few of them."""

from collections.abc import Iterator, Sequence

import numpy as np

from tsoft.charts.curves import POINTS, over_steps
from tsoft.charts.style import evenly_spaced, number_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.schedules import TemperatureSchedule
from tsoft.core.softmax import Array


def draw(courses: Sequence[TemperatureSchedule], view: View, chart: bool) -> Iterator[str]:
    names = [course.schedule for course in courses]
    taus = np.column_stack([course.taus for course in courses])
    if chart and np.isfinite(taus).any():
        steps = evenly_spaced(len(taus), POINTS)
        yield over_steps(names, steps, taus[steps], view.screen, 20, "τ") + "\n"
    yield _table(names, taus, view)


def _table(names: Sequence[str], taus: Array, view: View) -> str:
    shown = evenly_spaced(len(taus))
    rows = [["step", *map(str, shown)]]
    rows += [[name, *(_text(tau, view) for tau in taus[shown, i])] for i, name in enumerate(names)]
    return text_tables(rows, view.screen, right=rows[0][1:])


def _text(tau: float, view: View) -> str:
    if tau == np.inf:
        return "∞"
    return number_text(tau) if view.digits is None else f"{tau:.{view.digits}g}"
