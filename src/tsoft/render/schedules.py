"""Schedules as curves over their steps, and a table at a few of them."""

from collections.abc import Iterator, Sequence

import numpy as np

from tsoft.core.schedules import Course
from tsoft.core.temperature import Array
from tsoft.render import curves
from tsoft.render.axis import StepAxis
from tsoft.render.style import few, number_text
from tsoft.render.table import text_tables
from tsoft.render.view import Screen, View

# No screen shows more steps than this.
POINTS = 2000


def draw(courses: Sequence[Course], view: View, chart: bool) -> Iterator[str]:
    names = [course.schedule for course in courses]
    taus = np.column_stack([course.taus for course in courses])
    if chart and np.isfinite(taus).any():
        steps = few(len(taus), POINTS)
        yield over_steps(names, steps, taus[steps], view.screen, 20, "τ") + "\n"
    yield _table(names, taus, view)


def over_steps(
    names: Sequence[str],
    steps: Array,
    values: Array,
    screen: Screen,
    height: int,
    title: str,
    *,
    limits: tuple[float, float] | None = None,
    rest: bool = False,
) -> str:
    """Curves over steps, (steps, names), in colours of classes where the screen takes colours; `rest` says that
    the last stands for several."""
    chart = curves.curves(
        names,
        steps,
        values,
        width=screen.width,
        height=height,
        log=False,
        colors=curves.class_colors(len(names), rest=rest) if screen.color else None,
        title=title,
        limits=limits,
        along=StepAxis,
    )
    return str(chart)


def _table(names: Sequence[str], taus: Array, view: View) -> str:
    shown = few(len(taus))
    rows = [["step", *map(str, shown)]]
    rows += [[name, *(_text(tau, view) for tau in taus[shown, i])] for i, name in enumerate(names)]
    return text_tables(rows, view.screen, right=rows[0][1:])


def _text(tau: float, view: View) -> str:
    if tau == np.inf:
        return "∞"
    return number_text(tau) if view.digits is None else f"{tau:.{view.digits}g}"
