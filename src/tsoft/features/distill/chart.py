"""Soft targets as a table, with their measures under it, and the curve of their information over τ."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import log

import numpy as np

from tsoft.charts import distribution_table
from tsoft.charts.curves import curve_chart, surrounding_taus
from tsoft.charts.style import number_text, prob_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.errors import visible
from tsoft.features.distill.soft_targets import Distillation
from tsoft.sampling.distributions import Distributions

# Short names of the measures.
_NAMES = {
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
# The charts reach temperatures this many times colder and hotter than the table's.
_REACH = 4.0
_POINTS = 61
# Each refinement of the search for the highest information has this many points between the neighbours of the
# highest of the last grid; this many refinements give the three digits that are shown.
_REFINEMENTS, _REFINED_POINTS = 3, 15


def draw(distillation: Distillation, view: View, chart: bool) -> Iterator[str]:
    """The parts of one row."""
    yield distribution_table.draw([Distributions(distillation.block, distillation.taus)], view)
    yield "\n" + _measures(distillation, view)
    if chart and distillation.rest_prob.any():
        yield from ("\n" + part for part in _charts(distillation, view))


def _measures(distillation: Distillation, view: View) -> str:
    label = visible(distillation.block.names[distillation.main_classes[0]])
    header = f"{'top' if distillation.targets is None else 'target'} {label}"
    measures = distillation.measures
    columns = [
        [tau_text(tau), *(_text(distillation, name, t, view) for name in measures)]
        for t, tau in enumerate(distillation.taus)
    ]
    names = [header, *(_NAMES[name] for name in measures)]
    return text_tables(list(zip(names, *columns, strict=True)), view.screen)


def _text(distillation: Distillation, name: str, t: int, view: View) -> str:
    value = float(getattr(distillation, name)[t, 0])
    return (prob_text if name == "rest_prob" else number_text)(value, view.digits)


def _charts(distillation: Distillation, view: View) -> Iterator[str]:
    """The information over τ, and the probability and the evenness of the other classes. With only one other
    class there is no evenness."""
    taus = surrounding_taus(distillation.taus, _REACH, _POINTS)
    over_taus = replace(distillation, taus=taus, student=None)
    draw_curves = partial(curve_chart, screen=view.screen, height=12, log=True)
    best = _most_informative_tau(over_taus)
    title = "information (nats)" + (f", most at {tau_text(float(f'{best:.3g}'))}" if best else "")
    yield str(draw_curves(["information"], taus, over_taus.information, title=title))
    others = int((~np.isneginf(distillation.block.logits)).sum()) - 1
    names, values, title = ["other classes"], [over_taus.rest_prob[:, 0]], "their probability"
    if others > 1:
        names.append("evenness")
        values.append(over_taus.rest_entropy[:, 0] / log(others))
        title += ", and how evenly it is shared"
    yield str(draw_curves(names, taus, np.column_stack(values), title=title, limits=(0.0, 1.0)))


def _most_informative_tau(over_taus: Distillation) -> float | None:
    """The temperature at which the information is highest, by refining the grid around its highest point; None
    if that is at an end."""
    best = int(over_taus.information[:, 0].argmax())
    if not 0 < best < len(over_taus.taus) - 1:
        return None
    for _ in range(_REFINEMENTS):
        low, high = over_taus.taus[max(best - 1, 0)], over_taus.taus[min(best + 1, len(over_taus.taus) - 1)]
        over_taus = replace(over_taus, taus=np.geomspace(low, high, _REFINED_POINTS))
        best = int(over_taus.information[:, 0].argmax())
    return float(over_taus.taus[best])
