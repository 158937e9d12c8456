"""A calibration on the terminal: the temperature, its interval, the measures, and reliability diagrams."""

from collections.abc import Iterator, Sequence
from math import isnan

import numpy as np
from rich.text import Text

from tsoft.charts.axis import cell_index
from tsoft.charts.curves import chart_text, curve_chart
from tsoft.charts.style import prob_text, tau_colors, tau_text, wrapped
from tsoft.charts.table import GAP, bar, new_table, rendered, text_tables
from tsoft.charts.view import View
from tsoft.core.softmax import Array
from tsoft.errors import counted
from tsoft.features.calibrate.calibration import FittedCalibration, MeasuredRows
from tsoft.features.calibrate.chance import Measurement
from tsoft.features.calibrate.confidence_bins import Bins
from tsoft.features.calibrate.explanations import SAME_ACCURACY
from tsoft.features.calibrate.measure_names import BRIER_PARTS, MEASURE_NAMES
from tsoft.features.calibrate.reliability import Report

# The range of the length of a bar in a reliability diagram, in columns, and the mark of a bin's mean confidence.
_SHORTEST_BAR, _LONGEST_BAR = 8, 40
_MARK = "│"
# The digits of the ends of a range, which are two numbers in one column.
_RANGE_DIGITS = 3
_SANDWICH = "sandwich estimate: from the curvature of the NLL, and from the scatter of its slope over the rows"
NAMES = {name.name: name for name in (*MEASURE_NAMES, *BRIER_PARTS)}
_BY_CHANCE = "by chance: the mean of perfectly calibrated models with the same probabilities"
_BELOW = "95 % below: 95 % of these models are below this; a higher value is a sign of miscalibration"
_WITHIN = "95 % within: 95 % of these models are in this range; a value outside it is a sign of miscalibration"
_NOT_SIMULATED = "–: not simulated, because of --resamples 0"
OPTIMISTIC = "fit: the rows that τ was fitted to, so the measures are optimistic"
FIT = f"{OPTIMISTIC}; --test FILE measures on other rows"
FIT_AND_TEST = "fit: the rows that τ was fitted to; test: the rows of --test"


def draw(calibration: FittedCalibration, view: View, chart: bool) -> Iterator[str]:
    """Yield the parts of a calibration: the headline, the measures and, if `chart` is true, the charts."""
    width, measured = view.screen.width, calibration.measured
    yield wrapped(headline(calibration), width) + "\n" + _measures(measured, view)
    view.legend.add_lines(
        *sandwich_legend(calibration), *measure_legend(measured[0].before), *same_accuracy(measured[0].before)
    )
    view.legend.add_lines(FIT if len(measured) == 1 else FIT_AND_TEST)
    if chart:
        yield "\n" + _diagram(measured[-1], view)
        yield "\n" + _curve(calibration, view)


def sandwich_legend(calibration: FittedCalibration) -> list[str]:
    """Return the line that explains the sandwich estimate, if the interval is one."""
    return [_SANDWICH] if calibration.interval and calibration.interval.method == "sandwich" else []


def headline(calibration: FittedCalibration) -> str:
    """Return a sentence with the temperature, its interval, and what they show about the model."""
    fit, interval = calibration.fit, calibration.interval
    if fit.reason:
        return f"{tau_text(fit.tau)}: {fit.reason} to this limit."
    if interval is None:
        return f"{tau_text(fit.tau)}; a single row does not determine an interval."
    low, high = (tau_text(end).removeprefix("τ = ") for end in (interval.low, interval.high))
    resamples = interval.resamples
    method = f"bootstrap, {counted(resamples, 'resample')}" if resamples else f"{interval.method} estimate"
    verdict = "it contains 1, so these rows do not show whether the model is overconfident or underconfident"
    if interval.low > 1 or interval.high < 1:
        verdict = f"the model is {'over' if interval.low > 1 else 'under'}confident"
    return f"{tau_text(fit.tau)}, 95 % interval {low} to {high} ({method}): {verdict}."


def _measures(measured: Sequence[MeasuredRows], view: View) -> str:
    """Return the table of the measures."""
    return measure_table(
        [
            (f"{measured_rows.data} {tau_text(report.tau)}", report)
            for measured_rows in measured
            for report in measured_rows.reports
        ],
        view,
    )


def measure_table(reports: Sequence[tuple[str, Report]], view: View) -> str:
    """Return a table of measures with one column per report, each with its header. Below each measure is that of a
    perfectly calibrated model."""
    columns = [
        [header, str(report.rows), *(text for each in report.measurements for text in _values(each, view.digits))]
        for header, report in reports
    ]
    names = ["", "rows", *(line for each in reports[0][1].measurements for line in _lines(each))]
    return text_tables(list(zip(names, *columns, strict=True)), view.screen, right=[column[0] for column in columns])


def _lines(measurement: Measurement) -> list[str]:
    """Return the names of the lines of a measure and its level."""
    label = NAMES[measurement.name].label
    if measurement.chance is None:
        return [label]
    indent = " " * (len(label) - len(label.lstrip()) + 2)
    return [label, f"{indent}by chance", f"{indent}95 % {'below' if measurement.chance.low is None else 'within'}"]


def _values(measurement: Measurement, digits: int | None) -> list[str]:
    """Return the texts of a measure and its level, one per line."""
    sign, chance = "-" if measurement.value < 0 else "", measurement.chance
    value = sign + prob_text(abs(measurement.value), digits)
    if chance is None:
        return [value]
    if chance.low is None or isnan(chance.low):
        return [value, prob_text(chance.mean, digits), prob_text(chance.high, digits)]
    low, high = (f"{end:#.{digits or _RANGE_DIGITS}g}".rstrip(".") for end in (chance.low, chance.high))
    return [value, prob_text(chance.mean, digits), f"{low}–{high}"]


def same_accuracy(report: Report) -> Iterator[str]:
    """Yield why the accuracy is the same at both temperatures, if the table has it."""
    if any(each.name == "accuracy" for each in report.measurements):
        yield SAME_ACCURACY


def measure_legend(report: Report) -> Iterator[str]:
    """Yield what the lines of the table mean, for one of its reports."""
    measurements = report.measurements
    for each in measurements:
        name = NAMES[each.name]
        yield f"{name.label.strip('−+ ')}: {name.meaning}"
    chances = [each.chance for each in measurements if each.chance]
    if chances:
        yield _BY_CHANCE
    if any(chance.low is None for chance in chances):
        yield _BELOW
    if any(chance.low is not None for chance in chances):
        yield _WITHIN
    if not report.equal_width.chance.is_simulated and not all(chance.is_simulated for chance in chances):
        yield _NOT_SIMULATED


def _diagram(measured: MeasuredRows, view: View) -> str:
    """Return the reliability diagrams before and after, side by side if they fit.

    Each line is a bin of confidence: its number of rows, and a bar for their accuracy with a mark at their mean
    confidence.
    """
    reports = measured.reports
    shown = np.flatnonzero(reports[0].equal_width.counts + reports[1].equal_width.counts)
    ranges = _ranges(reports[0].equal_width.edges, shown)
    range_width = max(len("confidence"), *map(len, ranges))
    count_width = max(len("rows"), *(len(str(report.equal_width.counts.max())) for report in reports))
    numbers = count_width + 1 + len("accuracy") + 1
    room = view.screen.width - 1 - range_width - GAP
    fits = min(2, max(1, room // (numbers + _SHORTEST_BAR + GAP)))
    bar_width = max(_SHORTEST_BAR, min(room // fits - GAP - numbers, _LONGEST_BAR))
    colors = tau_colors([report.tau for report in reports])
    columns = [
        [
            Text(f"{'rows'.rjust(count_width)} accuracy {tau_text(report.tau)}"),
            *(_bin(report.equal_width, i, count_width, bar_width, color) for i in shown.tolist()),
        ]
        for report, color in zip(reports, colors, strict=True)
    ]
    texts = [
        _table(ranges, range_width, columns[i : i + fits], numbers + bar_width, view)
        for i in range(0, len(columns), fits)
    ]
    title = f"reliability, {measured.data}"
    view.legend.add_lines(f"{_MARK}: mean confidence; in a calibrated model, the bar of the accuracy ends there")
    return wrapped(title, view.screen.width) + "\n".join(texts)


def _ranges(edges: Array, shown: Array) -> list[str]:
    """Return the ranges of the bins, with enough digits to distinguish their edges."""
    digits = next(d for d in range(2, 17) if len({f"{edge:.{d}f}" for edge in edges}) == len(edges))
    return [f"{edges[i]:.{digits}f}–{edges[i + 1]:.{digits}f}" for i in shown]


def _bin(bins: Bins, i: int, count_width: int, bar_width: int, color: int) -> Text:
    """Return the number of rows of a bin, and its bar."""
    rows = str(bins.counts[i]).rjust(count_width)
    if not bins.counts[i]:
        return Text(rows, "dim")
    accuracy, confidence = float(bins.accuracy[i]), float(bins.confidence[i])
    line, mark = bar(accuracy, bar_width).ljust(bar_width), cell_index(confidence, bar_width)
    number = prob_text(accuracy).rjust(len("accuracy"))
    style = f"color({color})"
    return Text.assemble(rows, " ", number, " ", (line[:mark], style), _MARK, (line[mark + 1 :].rstrip(), style))


def _table(ranges: Sequence[str], range_width: int, columns: Sequence[list[Text]], width: int, view: View) -> str:
    """Return diagrams side by side. Each column starts with its header."""
    table = new_table()
    table.add_column("confidence", width=range_width, no_wrap=True)
    for header, *_ in columns:
        table.add_column(header, width=width, no_wrap=True)
    for text, *cells in zip(ranges, *(cells for _, *cells in columns), strict=True):
        table.add_row(Text(text), *cells)
    return rendered(table, view.screen, 1 + range_width + GAP + len(columns) * (width + GAP))


def _curve(calibration: FittedCalibration, view: View) -> str:
    """Return the curve of the NLL over τ, with its minimum as a second curve of one point."""
    order = calibration.curve_taus.argsort()
    taus, values = calibration.curve_taus[order], calibration.curve_nll[order]
    names, curves = ["NLL"], values[:, np.newaxis]
    if not calibration.fit.is_limit:
        is_minimum = taus == calibration.fit.tau
        names = ["NLL", "minimum"]
        curves = np.column_stack([np.where(is_minimum, np.nan, values), np.where(is_minimum, values, np.nan)])
    return chart_text(curve_chart(names, taus, curves, view.screen, height=14, log=True, title="NLL over τ"), view)
