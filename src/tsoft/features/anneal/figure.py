"""The figure of schedules: their temperatures over the steps."""

from collections.abc import Sequence

import numpy as np

from tsoft.charts.curves import MAX_STEPS
from tsoft.charts.style import evenly_spaced
from tsoft.core.schedules import TemperatureSchedule
from tsoft.errors import UsageError
from tsoft.figures.canvas import Canvas
from tsoft.figures.step_curves import draw_steps


def draw(page: Canvas, schedules: Sequence[TemperatureSchedule]) -> None:
    taus = np.stack([schedule.taus for schedule in schedules])
    if np.isinf(taus).all():
        raise UsageError("the figure's axis cannot show τ = inf; pass a lower --from, or use --format table")
    if infinite := int(np.isinf(taus).any(0).sum()):
        page.note(f"the figure does not show τ = inf, at {infinite} of {taus.shape[1]} steps")
    steps = evenly_spaced(taus.shape[1], MAX_STEPS)
    names = [schedule.schedule for schedule in schedules]
    axes = page.figure.subplots()
    draw_steps(axes, names, steps, taus[:, steps], page.theme, quantity="τ")
    if len(schedules) == 1:
        axes.set_title(names[0])
