"""Soft targets as a table, their measures below it, and curves of their information over τ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np

from tsoft.charts import distribution_table
from tsoft.charts.curves import chart_text, curve_chart, surrounding_taus
from tsoft.charts.legend import DISTILLATION
from tsoft.charts.style import number_text, prob_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.softmax import Array
from tsoft.errors import visible
from tsoft.features.distill.soft_targets import Distillation
from tsoft.sampling.apply_chains import compute_distributions

# The names of the measures in a table.
MEASURE_NAMES = {
    "rest_prob": "rest-prob",
    "rest_entropy": "rest-entropy",
    "information": "information",
    "kl": "KL",
    "kl_tau2": "τ²·KL",
    "gradient": "gradient",
    "gradient_tau2": "τ²·gradient",
    "cross_entropy": "cross-entropy",
    "loss": "loss",
}
_EVENNESS = "evenness: rest-entropy divided by its maximum; 1 if these classes are equally likely"
_UNDEFINED = "–: undefined, because all other classes are masked"
# The charts extend to temperatures colder and hotter than the table's by this factor.
_REACH = 4.0
_POINTS = 61
# The search for the highest information refines its grid this many times. Each new grid has this many points between
# the neighbors of the highest point. This determines the three digits of the title.
_REFINEMENTS, _REFINED_POINTS = 3, 15


def draw(distillation: Distillation, view: View, chart: bool) -> Iterator[str]:
    """Yield the parts of one row: its table, its measures and, if `chart` is true, its curves."""
    yield distribution_table.draw([compute_distributions(distillation.block, distillation.taus)], view)
    yield "\n" + _measures(distillation, view)
    _add_to_legend(distillation, view)
    if chart and distillation.rest_prob.any():
        yield from ("\n" + part for part in _charts(distillation, view))


def _add_to_legend(distillation: Distillation, view: View) -> None:
    main = "top class" if distillation.targets is None else "target"
    for name in distillation.measures:
        explanation = DISTILLATION[name.replace("_", "-")].format(main=main, alpha=f"α = {distillation.alpha:g}")
        view.legend.add_lines(f"{MEASURE_NAMES[name]}: {explanation}")
    if distillation.block.logits.shape[1] > 1 and np.isnan(distillation.rest_entropy).any():
        view.legend.add_lines(_UNDEFINED)


def _measures(distillation: Distillation, view: View) -> str:
    label = visible(distillation.block.names[distillation.main_classes[0]])
    header = f"{'top' if distillation.targets is None else 'target'} {label}"
    measures = distillation.measures
    columns = [
        [tau_text(tau), *(_value_text(distillation, name, t, view) for name in measures)]
        for t, tau in enumerate(distillation.taus)
    ]
    names = [header, *(MEASURE_NAMES[name] for name in measures)]
    return text_tables(list(zip(names, *columns, strict=True)), view.screen)


def _value_text(distillation: Distillation, name: str, t: int, view: View) -> str:
    value = float(getattr(distillation, name)[t, 0])
    return (prob_text if name == "rest_prob" else number_text)(value, view.digits)


def _other_classes(distillation: Distillation) -> int:
    """Return the number of unmasked classes other than the main class."""
    return int((~np.isneginf(distillation.block.logits)).sum()) - 1


def _has_evenness(distillation: Distillation) -> bool:
    return _other_classes(distillation) > 1 and bool(distillation.rest_prob.any())


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves over temperatures, `values` (names, taus), with the `limits` of their quantity, if it has any."""

    title: str
    names: Sequence[str]
    values: Array
    limits: tuple[float, float] | None = None


def charted_taus(distillation: Distillation) -> Array:
    """Return the temperatures of the charts."""
    return surrounding_taus(distillation.taus, _REACH, _POINTS)


def teacher_curves(distillation: Distillation) -> list[Curves]:
    """Return the information, and the probability and the evenness of the other classes. A single other class has no
    evenness."""
    over_taus = replace(distillation, taus=charted_taus(distillation), student=None)
    best = _most_informative_tau(over_taus)
    title = "information (nats)" + (f", highest at {tau_text(float(f'{best:.3g}'))}" if best else "")
    information = Curves(title, ["information"], over_taus.information.T)
    names, values, title = ["rest-prob"], [over_taus.rest_prob[:, 0]], "rest-prob"
    if _has_evenness(distillation):
        names.append("evenness")
        values.append(over_taus.rest_entropy[:, 0] / log(_other_classes(distillation)))
        title += " and evenness"
    return [information, Curves(title, names, np.stack(values), (0.0, 1.0))]


def _charts(distillation: Distillation, view: View) -> Iterator[str]:
    """Yield the charts of the teacher's curves."""
    taus = charted_taus(distillation)
    for curves in teacher_curves(distillation):
        if "evenness" in curves.names:
            view.legend.add_lines(_EVENNESS)
        yield chart_text(
            curve_chart(
                curves.names,
                taus,
                curves.values.T,
                view.screen,
                height=12,
                log=True,
                title=curves.title,
                limits=curves.limits,
            ),
            view,
        )


def _most_informative_tau(over_taus: Distillation) -> float | None:
    """Return the temperature with the highest information, from a grid that is refined around its highest point; None
    if this point is an end of the grid."""
    best = int(over_taus.information[:, 0].argmax())
    if not 0 < best < len(over_taus.taus) - 1:
        return None
    for _ in range(_REFINEMENTS):
        low, high = over_taus.taus[max(best - 1, 0)], over_taus.taus[min(best + 1, len(over_taus.taus) - 1)]
        over_taus = replace(over_taus, taus=np.geomspace(low, high, _REFINED_POINTS))
        best = int(over_taus.information[:, 0].argmax())
    return float(over_taus.taus[best])
