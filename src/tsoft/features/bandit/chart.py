"""Boltzmann exploration over time: the regret, the pulls of the best arm, the distributions, and a table."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from tsoft.charts.axis import StepAxis
from tsoft.charts.curves import MAX_CURVES, MAX_STEPS, curve_chart
from tsoft.charts.style import evenly_spaced, number_text, prob_text, side_by_side, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import ClassSelection, Screen, View
from tsoft.core.block import class_names
from tsoft.core.softmax import Array
from tsoft.errors import shortened
from tsoft.features.bandit.simulation import Exploration, RunAverages

# The narrowest of several charts side by side, and the gap between two, in columns.
_NARROWEST, _GAP = 36, 3
# The share of runs that pull the best arm is a moving average over a window, which is one of this many parts of all
# steps.
_WINDOWS = 100
_LEGEND = (
    "regret: the best arm's mean reward minus the pulled arm's, summed over the steps and averaged over the runs",
    "standard error: of the regret, from its spread over the runs",
    "regret / uniform: the regret divided by that of arms drawn uniformly at random",
    "best-arm share: the share of all pulls that go to the best arm",
    "best-arm share, last step: the share of runs that pull it in the last step",
)
_UNDEFINED = "–: undefined for a single run (standard error) or for arms with equal means (regret / uniform)"

_step_chart = partial(curve_chart, height=14, axis_type=StepAxis)


def draw(explorations: Sequence[Exploration], view: View, chart: bool) -> Iterator[str]:
    """Yield the charts, if `chart` is true, and the table."""
    names = [exploration.schedule for exploration in explorations]
    histories = [exploration.history for exploration in explorations]
    if chart:
        steps = evenly_spaced(len(histories[0].taus), MAX_STEPS)
        regret = np.column_stack([history.regret[steps] for history in histories])
        yield f"{_step_chart(names, steps, regret, view.screen, title='cumulative regret')}\n"
        best_share = np.column_stack([smoothed(history.best_share, steps) for history in histories])
        title = "share of runs that pull the best arm"
        yield f"{_step_chart(names, steps, best_share, view.screen, title=title, limits=(0.0, 1.0))}\n"
        yield from (part + "\n" for part in _distributions(explorations, steps, view.screen))
    table = _table(explorations, view)
    yield table
    history = histories[0]
    counts = ((history.runs, "run"), (len(history.taus), "step"))
    size = " of ".join(f"{count} {noun}{'s' * (count != 1)}" for count, noun in counts)
    yield "\n" + shortened(f"{size}, seed {explorations[0].seed}", view.screen.width) + "\n"
    view.legend.add_lines(*_LEGEND, *[_UNDEFINED] * ("–" in table))


def smoothed(values: Array, steps: Array) -> Array:
    """Return the moving average of the values at these steps."""
    reach = len(values) // (2 * _WINDOWS)
    first, stop = np.maximum(steps - reach, 0), np.minimum(steps + reach + 1, len(values))
    sums = np.append(0.0, values.cumsum())
    return np.asarray((sums[stop] - sums[first]) / (stop - first))


def _distributions(explorations: Sequence[Exploration], steps: Array, screen: Screen) -> Iterator[str]:
    """Yield a chart of each schedule's probabilities, with as many charts side by side as fit."""
    columns = min(len(explorations), max(1, (screen.width + _GAP) // (_NARROWEST + _GAP)))
    width = (screen.width - _GAP * (columns - 1)) // columns
    charts = [_distribution(exploration, steps, replace(screen, width=width)) for exploration in explorations]
    for first in range(0, len(charts), columns):
        yield side_by_side(charts[first : first + columns], width + _GAP)


def _distribution(exploration: Exploration, steps: Array, screen: Screen) -> str:
    """Return a chart of the probabilities of the arms with the highest means, and of the sum of the others."""
    labels = class_names(exploration.labels, len(exploration.means))
    order = (-exploration.means).argsort(kind="stable")
    count = len(order) if len(order) <= MAX_CURVES else MAX_CURVES - 1
    selection = ClassSelection(order[:count], order[count:])
    names, values = selection.labels(labels, "{} more"), selection.values(exploration.history.probs[steps])
    title, has_rest = f"arm probabilities, {exploration.schedule}", len(names) > count
    return str(_step_chart(names, steps, values, screen, title=title, limits=(0.0, 1.0), rest=has_rest))


def _table(explorations: Sequence[Exploration], view: View) -> str:
    names = [
        "schedule",
        "τ",
        "regret",
        "standard error",
        "regret / uniform",
        "best-arm share",
        "best-arm share, last step",
    ]
    columns = [
        [exploration.schedule, _tau_range(exploration.history), *_numbers(exploration, view)]
        for exploration in explorations
    ]
    return text_tables(list(zip(names, *columns, strict=True)), view.screen)


def _tau_range(history: RunAverages) -> str:
    ends = [tau_text(float(tau)).removeprefix("τ = ") for tau in history.taus[[0, -1]]]
    return ends[0] if ends[0] == ends[1] else " → ".join(ends)


def _numbers(exploration: Exploration, view: View) -> Iterator[str]:
    history, uniform = exploration.history, exploration.uniform_regret
    for value in (history.regret[-1], history.regret_se[-1], history.regret[-1] / uniform if uniform else np.nan):
        yield number_text(value, view.digits)
    for share in (history.best_share.mean(), history.best_share[-1]):
        yield prob_text(float(share), view.digits)
