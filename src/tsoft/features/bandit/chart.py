"""Boltzmann exploration over time: the regret, the best arm's share, the distributions, and a table."""

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
from tsoft.features.bandit.simulation import Exploration, History

# Charts are side by side if each has at least this many columns, with a gap between two.
_NARROWEST, _GAP = 36, 3
# The share of runs at the best arm is smoothed over a window of the steps: one of this many parts.
_SMOOTHING_PARTS = 100

_step_chart = partial(curve_chart, height=14, axis_type=StepAxis)


def draw(explorations: Sequence[Exploration], view: View, chart: bool) -> Iterator[str]:
    """The charts, if there is to be a `chart`, and the table, each part when it is drawn."""
    names = [exploration.schedule for exploration in explorations]
    histories = [exploration.history for exploration in explorations]
    if chart:
        steps = evenly_spaced(len(histories[0].taus), MAX_STEPS)
        regret = np.column_stack([history.regret[steps] for history in histories])
        yield f"{_step_chart(names, steps, regret, view.screen, title='cumulative regret')}\n"
        best = np.column_stack([_smoothed(history.best, steps) for history in histories])
        title = "share of the runs that pull the best arm"
        yield f"{_step_chart(names, steps, best, view.screen, title=title, limits=(0.0, 1.0))}\n"
        yield from (part + "\n" for part in _distributions(explorations, steps, view.screen))
    yield _table(explorations, view)
    history = histories[0]
    counts = ((history.runs, "run"), (len(history.taus), "step"))
    size = " of ".join(f"{count} {noun}{'s' * (count != 1)}" for count, noun in counts)
    yield "\n" + shortened(f"{size}, seed {explorations[0].seed}", view.screen.width) + "\n"


def _smoothed(values: Array, steps: Array) -> Array:
    """The means of the values around these steps."""
    reach = len(values) // (2 * _SMOOTHING_PARTS)
    first, stop = np.maximum(steps - reach, 0), np.minimum(steps + reach + 1, len(values))
    sums = np.append(0.0, values.cumsum())
    return np.asarray((sums[stop] - sums[first]) / (stop - first))


def _distributions(explorations: Sequence[Exploration], steps: Array, screen: Screen) -> Iterator[str]:
    """A chart of each schedule's probabilities, as many side by side as there is room for."""
    across = min(len(explorations), max(1, (screen.width + _GAP) // (_NARROWEST + _GAP)))
    width = (screen.width - _GAP * (across - 1)) // across
    charts = [_distribution(exploration, steps, replace(screen, width=width)) for exploration in explorations]
    for first in range(0, len(charts), across):
        yield side_by_side(charts[first : first + across], width + _GAP)


def _distribution(exploration: Exploration, steps: Array, screen: Screen) -> str:
    """The probabilities of the arms with the highest means, and the sum of the others."""
    labels = class_names(exploration.labels, len(exploration.means))
    order = (-exploration.means).argsort(kind="stable")
    count = len(order) if len(order) <= MAX_CURVES else MAX_CURVES - 1
    selection = ClassSelection(order[:count], order[count:])
    names, values = selection.labels(labels, "{} more"), selection.values(exploration.history.probs[steps])
    title, has_rest = f"probability, {exploration.schedule}", len(names) > count
    return str(_step_chart(names, steps, values, screen, title=title, limits=(0.0, 1.0), rest=has_rest))


def _table(explorations: Sequence[Exploration], view: View) -> str:
    names = ["schedule", "τ", "regret", "standard error", "of uniform's", "best arm pulled", "at the last step"]
    columns = [
        [exploration.schedule, _tau_range(exploration.history), *_numbers(exploration, view)]
        for exploration in explorations
    ]
    return text_tables(list(zip(names, *columns, strict=True)), view.screen)


def _tau_range(history: History) -> str:
    ends = [tau_text(float(tau)).removeprefix("τ = ") for tau in history.taus[[0, -1]]]
    return ends[0] if ends[0] == ends[1] else " → ".join(ends)


def _numbers(exploration: Exploration, view: View) -> Iterator[str]:
    history, uniform = exploration.history, exploration.uniform_regret
    for value in (history.regret[-1], history.error[-1], history.regret[-1] / uniform if uniform else np.nan):
        yield number_text(value, view.digits)
    for share in (history.best.mean(), history.best[-1]):
        yield prob_text(float(share), view.digits)
