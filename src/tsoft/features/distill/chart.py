"""Soft targets as a table, what they say under it, and where over τ they say most."""

from collections.abc import Iterator
from dataclasses import replace
from math import log

import numpy as np

from tsoft.charts import table
from tsoft.charts.averages import draw_mean
from tsoft.charts.curves import drawn_curves
from tsoft.charts.style import number_text, prob_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.averages import Averages
from tsoft.errors import visible
from tsoft.features.distill.soft_targets import Distillation
from tsoft.sampling.distributions import Distributions

# What the measures are called, in few characters.
NAMES = {
    "rest_prob": "other classes",
    "rest_entropy": "their entropy",
    "information": "information",
    "kl": "KL",
    "kl_tau2": "τ²·KL",
    "gradient": "gradient",
    "gradient_tau2": "τ²·gradient",
    "cross_entropy": "cross-entropy",
    "loss": "loss",
}
# The charts go this many times colder and hotter than the temperatures that are asked for.
AROUND = 4.0
POINTS = 61
# Where the information is most is found by so many finer grids, to the three digits that are shown.
TIMES, FINER = 3, 15


def draw(one: Distillation, view: View, chart: bool) -> Iterator[str]:
    """The parts of one row."""
    yield table.draw([Distributions(one.block, one.taus)], 0, view)
    yield "\n" + _measures(one, view)
    if chart and one.rest_prob.any():
        yield from ("\n" + part for part in _charts(one, view))


def _measures(one: Distillation, view: View) -> str:
    name = one.block.names[one.main_classes[0]]
    head = f"{'top' if one.targets is None else 'target'} {visible(name)}"
    columns = [[tau_text(tau), *(_text(one, name, t, view) for name in one.measures)] for t, tau in enumerate(one.taus)]
    return text_tables(list(zip([head, *(NAMES[name] for name in one.measures)], *columns, strict=True)), view.screen)


def _text(one: Distillation, name: str, t: int, view: View) -> str:
    value = float(getattr(one, name)[t, 0])
    if np.isnan(value):
        return "–"
    if name == "rest_prob":
        return prob_text(value, view.digits)
    return number_text(value) if view.digits is None else f"{value:.{view.digits}g}"


def _charts(one: Distillation, view: View) -> Iterator[str]:
    """What the soft targets say, and how much the other classes have and how evenly. Where there is but one
    other class, how it is shared says nothing."""
    inside = one.taus[(one.taus > 0) & (one.taus < np.inf)]
    low, high = (inside.min(), inside.max()) if len(inside) else (1.0, 1.0)
    # Beyond these the steps of the grid and of the axis would overflow.
    taus = np.geomspace(max(low, 1e-290) / AROUND, min(high, 1e290) * AROUND, POINTS)
    over = replace(one, taus=taus, student=None)
    found = _most(over)
    title = "information (nats)" + (f", most at {tau_text(float(f'{found:.3g}'))}" if found else "")
    yield drawn_curves(["information"], taus, over.information, view, 12, True, title)
    others = int((~np.isneginf(one.block.logits)).sum()) - 1
    names, values = ["other classes"], [over.rest_prob[:, 0]]
    if others > 1:
        names.append("evenness")
        values.append(over.rest_entropy[:, 0] / log(others))
    title = "their probability, and how evenly it is shared" if others > 1 else "their probability"
    yield drawn_curves(names, taus, np.column_stack(values), view, 12, True, title, limits=(0.0, 1.0))


def _most(over: Distillation) -> float | None:
    """The temperature at which the information is most, between those around the highest of a grid, and again
    of finer ones; None where that is at an end."""
    best = int(over.information[:, 0].argmax())
    if not 0 < best < len(over.taus) - 1:
        return None
    for _ in range(TIMES):
        low, high = over.taus[max(best - 1, 0)], over.taus[min(best + 1, len(over.taus) - 1)]
        over = replace(over, taus=np.geomspace(low, high, FINER))
        best = int(over.information[:, 0].argmax())
    return float(over.taus[best])


def draw_means(found: Averages, view: View, chart: bool) -> Iterator[str]:
    """The mean information with a standard deviation on either side, and a table of all means."""
    parts = draw_mean(found, view, "information", True)
    yield from parts if chart else list(parts)[1:]
