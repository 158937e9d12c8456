"""Boltzmann exploration over time: the regret, the best arm's share, the distributions, and a table."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tsoft.charts.curves import CURVES, POINTS, over_steps
from tsoft.charts.style import beside, evenly_spaced, number_text, prob_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import Screen, View
from tsoft.core.block import class_names
from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.features.bandit.simulation import Exploration, History

# Charts stand side by side where each has so many columns.
NARROWEST, GAP = 36, 3
# The share of runs at the best arm is smoothed over this part of the steps.
SMOOTHED = 100


def draw(found: Sequence[Exploration], view: View, chart: bool) -> Iterator[str]:
    """The parts, each as it is drawn. Without `chart` there is only the table."""
    names = [one.schedule for one in found]
    histories = [one.history for one in found]
    if chart:
        steps = evenly_spaced(len(histories[0].taus), POINTS)
        regret = np.column_stack([history.regret[steps] for history in histories])
        yield over_steps(names, steps, regret, view.screen, 14, "cumulative regret") + "\n"
        best = np.column_stack([_smoothed(history.best, steps) for history in histories])
        title = "share of the runs that pull the best arm"
        yield over_steps(names, steps, best, view.screen, 14, title, limits=(0.0, 1.0)) + "\n"
        yield from (part + "\n" for part in _distributions(found, steps, view.screen))
    yield _table(found, view)
    history = histories[0]
    counts = ((history.runs, "run"), (len(history.taus), "step"))
    counted = " of ".join(f"{count} {what}{'s' * (count != 1)}" for count, what in counts)
    yield "\n" + shortened(f"{counted}, seed {found[0].seed}", view.screen.width) + "\n"


def _smoothed(values: Array, steps: Array) -> Array:
    """The means of the values around these steps."""
    around = len(values) // (2 * SMOOTHED)
    first, stop = np.maximum(steps - around, 0), np.minimum(steps + around + 1, len(values))
    sums = np.append(0.0, values.cumsum())
    return np.asarray((sums[stop] - sums[first]) / (stop - first))


def _distributions(found: Sequence[Exploration], steps: Array, screen: Screen) -> Iterator[str]:
    """A chart of each schedule's probabilities, as many side by side as there is room for."""
    across = min(len(found), max(1, (screen.width + GAP) // (NARROWEST + GAP)))
    width = (screen.width - GAP * (across - 1)) // across
    for first in range(0, len(found), across):
        charts = [_distribution(one, steps, replace(screen, width=width)) for one in found[first : first + across]]
        yield beside(charts, width + GAP)


def _distribution(one: Exploration, steps: Array, screen: Screen) -> str:
    """The arms with the highest means, and the others' sum."""
    every = class_names(one.labels, len(one.means))
    order = (-one.means).argsort(kind="stable")
    shown, rest = (order, order[:0]) if len(order) <= CURVES else (order[: CURVES - 1], order[CURVES - 1 :])
    names = [visible(every[i]) for i in shown] + [f"{len(rest)} more"] * bool(len(rest))
    probs = one.history.probs[steps]
    values = np.column_stack([probs[:, shown], probs[:, rest].sum(1)])[:, : len(names)]
    title = f"probability, {one.schedule}"
    return over_steps(names, steps, values, screen, 14, title, limits=(0.0, 1.0), rest=bool(len(rest)))


def _table(found: Sequence[Exploration], view: View) -> str:
    rows = ["schedule", "τ", "regret", "standard error", "of uniform's", "best arm pulled", "at the last step"]
    columns = [[one.schedule, _span(one.history), *_numbers(one, view)] for one in found]
    return text_tables(list(zip(rows, *columns, strict=True)), view.screen)


def _span(history: History) -> str:
    ends = [tau_text(float(tau)).removeprefix("τ = ") for tau in history.taus[[0, -1]]]
    return ends[0] if ends[0] == ends[1] else " → ".join(ends)


def _numbers(one: Exploration, view: View) -> Iterator[str]:
    history, uniform = one.history, one.uniform_regret
    for value in (history.regret[-1], history.error[-1], history.regret[-1] / uniform if uniform else np.nan):
        yield _text(value, view)
    for share in (history.best.mean(), history.best[-1]):
        yield prob_text(float(share), view.digits)


def _text(value: float, view: View) -> str:
    if np.isnan(value):
        return "–"
    return number_text(value) if view.digits is None else f"{value:.{view.digits}g}"
