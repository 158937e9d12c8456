"""The calibration of groups on the terminal: a temperature per group, and the measures of each."""

from collections.abc import Iterator, Sequence

from tsoft.charts.style import prob_text, tau_text, wrapped
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.fit import TemperatureFit
from tsoft.core.interval import Interval
from tsoft.errors import shortened, visible
from tsoft.features.calibrate.calibration import MeasuredRows
from tsoft.features.calibrate.chance import Measurement
from tsoft.features.calibrate.chart import FIT, FIT_AND_TEST, NAMES, headline, same_accuracy, sandwich_legend
from tsoft.features.calibrate.group_calibration import GroupedCalibration

# The name of all rows together, and the mark of a measure beyond its level.
_ALL, _MARK = "all rows", "*"
_BEYOND = (
    f"{_MARK}: outside the range of 95 % of perfectly calibrated models with the same probabilities; a sign of"
    " miscalibration"
)
_TEST = (
    "p: the probability that groups with the same temperature differ at least as much (likelihood ratio, corrected for"
    " misspecification). It assumes independent rows, and many rows in each group"
)
# The level of the test.
_SIGNIFICANT = 0.05


def draw(calibration: GroupedCalibration, view: View) -> Iterator[str]:
    """Yield the parts: the headline with the test, the temperatures, and the measures."""
    together, width = calibration.together, view.screen.width
    parts = [
        (_ALL, together.fit, together.interval, together.measured),
        *((shortened(visible(each.name)), each.fit, each.interval, each.measured) for each in calibration.groups),
    ]
    yield wrapped(headline(together), width) + wrapped(_difference(calibration), width) + "\n"
    yield _temperatures(calibration.column, parts, view) + "\n"
    yield _measures(calibration.column, parts, view)
    measurements = together.measured[0].before.measurements
    view.legend.add_lines(
        *sandwich_legend(together),
        *(f"{NAMES[each.name].label.strip('−+ ')}: {NAMES[each.name].meaning}" for each in measurements),
    )
    view.legend.add_lines(_BEYOND, *[_TEST] * bool(calibration.difference))
    view.legend.add_lines(*same_accuracy(together.measured[0].before))
    view.legend.add_lines(FIT if len(together.measured) == 1 else FIT_AND_TEST)


_Part = tuple[str, TemperatureFit, Interval | None, Sequence[MeasuredRows]]


def _difference(calibration: GroupedCalibration) -> str:
    """Return a sentence with the result of the test."""
    difference = calibration.difference
    if difference is None:
        return "There is no test of whether the temperatures of the groups differ."
    p = f"p = {difference.p_value:.2g}" if difference.p_value >= 1e-4 else "p < 0.0001"
    if difference.p_value < _SIGNIFICANT:
        return f"The temperatures of the groups differ ({p})."
    return f"These rows do not show that the temperatures of the groups differ ({p})."


def _temperatures(column: str, parts: Sequence[_Part], view: View) -> str:
    rows = [[shortened(visible(column)), "rows", "fitted τ", "95 % interval"]]
    for name, fit, interval, measured in parts:
        ends = "–" if interval is None else f"{_tau(interval.low)} to {_tau(interval.high)}"
        rows.append([name, str(measured[0].before.rows), _tau(fit.tau), ends])
    return text_tables(rows, view.screen, right=rows[0][1:3])


def _tau(tau: float) -> str:
    return tau_text(tau).removeprefix("τ = ")


def _measures(column: str, parts: Sequence[_Part], view: View) -> str:
    """Return a table with a line per group, data and temperature."""
    measurements = parts[0][3][0].before.measurements
    headers = [f"{NAMES[each.name].label.strip('−+ ')} " for each in measurements]
    rows = [[shortened(visible(column)), *headers]]
    for name, _, _, measured in parts:
        for measured_rows in measured:
            data = f"{measured_rows.data} " * (len(parts[0][3]) > 1)
            for report in measured_rows.reports:
                values = [_marked(each, view.digits) for each in report.measurements]
                rows.append([f"{name}, {data}{tau_text(report.tau)}", *values])
    return text_tables(rows, view.screen, right=headers)


def _marked(measurement: Measurement, digits: int | None) -> str:
    """Return a measure with a mark if it is beyond its level."""
    value, chance = measurement.value, measurement.chance
    text = ("-" if value < 0 else "") + prob_text(abs(value), digits)
    is_beyond = chance is not None and (value > chance.high or (chance.low is not None and value < chance.low))
    return text + (_MARK if is_beyond else " ")
