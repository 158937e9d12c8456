"""The best temperatures, and the turning point of the entropy, as tables and curves over τ."""

from collections.abc import Iterator, Sequence

import numpy as np

from tsoft.charts.curves import MAX_CURVES, chart_text, curve_chart
from tsoft.charts.style import evenly_spaced, number_text, percent_text, prob_text, tau_text, wrapped
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.softmax import Array
from tsoft.errors import counted
from tsoft.features.choose.measured_choices import MeasuredChoices, Resampling
from tsoft.features.choose.temperature_choice import TIE, TemperatureChoice
from tsoft.features.choose.trials import Trials
from tsoft.features.choose.turning_point import TurningPoint, turning_text

# The number of temperatures in a table.
_TAU_ROWS = 16
_HEIGHT = 14
_EXPLANATIONS = {
    "pass": "pass@k: the probability that at least one of k answers is correct; the mean over the problems",
    "majority": "majority@k: the probability that the most frequent of k answers is correct; tied answers share it",
}
_INTERVALS = (
    "95 %: the interval from a bootstrap over the problems, at the best τ of these data",
    "wins: the share of the resamples in which this τ is the best",
)
_DIFFERENCE = "difference: from the next best τ, on the same problems; clear: whether its interval is above 0"
_NO_INTERVALS = "–: no interval, because there are no resamples, one problem or one temperature"
_CURVATURE = (
    "curvature: the second derivative of ln(entropy) over τ; the turning point is the lowest τ at which it is above 0"
)
_BOUNDS = "… to …: bounds, because the texts do not list all tokens"


def draw_choices(
    measured: Sequence[MeasuredChoices], trials: Trials, resampling: Resampling, view: View, *, chart: bool
) -> Iterator[str]:
    """Yield, for each measure, the table of the best temperatures, the table of all and, if `chart` is true, the curves
    over τ."""
    tables = []
    for each in measured:
        tables.append(_best_table(each, view))
        yield tables[-1] + "\n" + _tau_table(each, view) + "\n"
        if chart and (curves := _curves(each, view)):
            yield curves + "\n"
        view.legend.add_lines(_EXPLANATIONS[each.measure])
    yield wrapped(_size(trials, resampling), view.screen.width)
    if resampling.resamples and len(trials.problems) > 1:
        view.legend.add_lines(*_INTERVALS)
    if len(trials.taus) > 1:
        view.legend.add_lines(_DIFFERENCE)
    if any("–" in table for table in tables):
        view.legend.add_lines(_NO_INTERVALS)


def _best_table(each: MeasuredChoices, view: View) -> str:
    """Return the table of the best temperatures and, if there are several, that of the next best ones."""
    best = [
        ["k", "best τ", each.name, "95 %", "wins"],
        *([str(k), *_best_cells(choice, view)] for k, choice in zip(each.ks, each.choices, strict=True)),
    ]
    further = [
        ["k", "next τ", "difference", "95 %", "clear"],
        *([str(k), *_next_cells(choice, view)] for k, choice in zip(each.ks, each.choices, strict=True)),
    ]
    has_next = each.choices[0].next is not None
    return "\n".join(text_tables(table, view.screen) for table in [best, *[further] * has_next])


def _best_cells(choice: TemperatureChoice, view: View) -> list[str]:
    best = choice.best
    return [
        _short_tau(choice.tau),
        prob_text(float(choice.estimates[best]), view.digits),
        _range_text(choice.low[best], choice.high[best], view),
        percent_text(float(choice.win_shares[best]), 0, view.digits),
    ]


def _next_cells(choice: TemperatureChoice, view: View) -> list[str]:
    difference, low, high = choice.difference
    return [
        "–" if choice.next_tau is None else _short_tau(choice.next_tau),
        _signed(difference, view),
        "–" if np.isnan(low) else f"{_signed(low, view)} to {_signed(high, view)}",
        {True: "yes", False: "no", None: "–"}[choice.is_clear],
    ]


def _short_tau(tau: float) -> str:
    return tau_text(tau).removeprefix("τ = ")


def _range_text(low: float, high: float, view: View) -> str:
    return "–" if np.isnan(low) else f"{prob_text(float(low), view.digits)} to {prob_text(float(high), view.digits)}"


def _signed(value: float, view: View) -> str:
    # A difference of rounding errors is 0.
    return ("-" if value < -TIE else "") + prob_text(abs(value) if abs(value) > TIE else 0.0, view.digits)


def _tau_table(each: MeasuredChoices, view: View) -> str:
    """Return the table of all estimates, one temperature per line."""
    taus = each.choices[0].taus
    header = ["τ", *(f"{each.measure}@{k}" for k in each.ks)]
    lines = [
        [_short_tau(float(taus[t])), *(prob_text(float(choice.estimates[t]), view.digits) for choice in each.choices)]
        for t in evenly_spaced(len(taus), _TAU_ROWS)
    ]
    more = len(taus) - len(lines)
    rest = f"\n… {more} more temperatures (csv and json have all)\n" if more else ""
    return text_tables([header, *lines], view.screen) + rest


def shown_places(each: MeasuredChoices) -> list[int]:
    """Return the indices of as many choices as a chart can show."""
    return list(map(int, evenly_spaced(len(each.choices), MAX_CURVES)))


def _curves(each: MeasuredChoices, view: View) -> str:
    """Return the curves over τ; empty with fewer than two temperatures that an axis can show."""
    taus, places = each.choices[0].taus, shown_places(each)
    if np.isfinite(taus).sum() < 2:
        return ""
    values = np.column_stack([each.choices[i].estimates for i in places])
    names = [f"k = {each.ks[i]}" for i in places]
    chart = curve_chart(names, taus, values, view.screen, height=_HEIGHT, title=each.name)
    return chart_text(chart, view)


def _size(trials: Trials, resampling: Resampling) -> str:
    """Return the numbers of problems, temperatures and answers, and how the intervals were computed."""
    low, high = int(trials.n.min()), int(trials.n.max())
    answers = str(low) if low == high else f"{low} to {high}"
    text = f"{counted(len(trials.problems), 'problem')}, {counted(len(trials.taus), 'temperature')}"
    answered = f"{answers} answer{'s' * (high != 1)} to each"
    return f"{text}, {answered}; {counted(resampling.resamples, 'resample')}, seed {resampling.seed}"


def draw_turning_point(point: TurningPoint, problems: int, view: View, *, chart: bool) -> Iterator[str]:
    """Yield the turning point, the table of the entropies and, if `chart` is true, the curve of the entropy over τ."""
    yield wrapped(turning_text(point), view.screen.width) + "\n"
    header = ["τ", "entropy", "ln(entropy)", "curvature"]
    logs, lines = np.log(point.entropies), []
    for t in range(len(point.taus)):
        bounds = (point.entropies[:, t], logs[:, t], point.curvatures[:, t])
        lines.append([_short_tau(float(point.taus[t])), *(_bounds_text(each, view) for each in bounds)])
    yield text_tables([header, *lines], view.screen)
    if chart:
        names = ["at least", "at most"] if _has_bounds(point) else [""]
        curves = curve_chart(
            names, point.taus, logs[: len(names)].T, view.screen, height=_HEIGHT, title="ln(entropy in nats)"
        )
        yield "\n" + chart_text(curves, view)
    yield f"\n{counted(problems, 'problem')}\n"
    view.legend.add_lines(_CURVATURE, *[_BOUNDS] * _has_bounds(point))


def _has_bounds(point: TurningPoint) -> bool:
    return bool((point.entropies[0] < point.entropies[1]).any())


def _bounds_text(bounds: Array, view: View) -> str:
    low, high = (number_text(float(bound), view.digits) for bound in bounds)
    return low if low == high else f"{low} to {high}"
