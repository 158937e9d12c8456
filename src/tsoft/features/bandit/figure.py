"""The figure of Boltzmann exploration: the regret and the share of runs that pull the best arm, over the steps."""

from collections.abc import Sequence

import numpy as np

from tsoft.charts.curves import MAX_STEPS
from tsoft.charts.style import evenly_spaced
from tsoft.features.bandit.chart import smoothed
from tsoft.features.bandit.simulation import Exploration
from tsoft.figures.canvas import Canvas
from tsoft.figures.overlays import draw_band
from tsoft.figures.step_curves import draw_step_legend, draw_steps
from tsoft.figures.text_lines import title_lines


def draw(page: Canvas, explorations: Sequence[Exploration]) -> None:
    names = [exploration.schedule for exploration in explorations]
    histories = [exploration.history for exploration in explorations]
    steps = evenly_spaced(len(histories[0].taus), MAX_STEPS)
    above, below = page.figure.subplots(2, 1, sharex=True)
    draw_step_legend(above, names, page.theme)
    for i, history in enumerate(histories):
        regret, error = history.regret[steps], history.regret_se[steps]
        draw_band(above, steps, regret - error, regret + error, page.theme, color=i)
    regrets = np.stack([history.regret[steps] for history in histories])
    draw_steps(above, names, steps, regrets, page.theme, quantity="regret", step_name="")
    shares = np.stack([smoothed(history.best_share, steps) for history in histories])
    draw_steps(below, names, steps, shares, page.theme, quantity="best-arm share", limits=(0.0, 1.0))
    runs, schedule = histories[0].runs, f"{names[0]}: " * (len(names) == 1)
    band = ", regret ± standard error" * (runs > 1)
    above.set_title(title_lines(above, f"{schedule}{runs} run{'s' * (runs != 1)}{band}"))
