"""The figure of a calibration: reliability diagrams before and after the fit, and the NLL over τ."""

from math import isnan, nan
from typing import Any

from tsoft.charts.style import tau_text
from tsoft.features.calibrate.calibration import Calibration, MeasuredRows
from tsoft.features.calibrate.reliability import Bins, Report
from tsoft.figures.calibration_diagrams import MARKS, NllCurve, ReliabilityBars, draw_counts, draw_nll, draw_reliability
from tsoft.figures.canvas import Canvas
from tsoft.figures.chart_grid import add_legend, shrink_titles
from tsoft.figures.class_charts import prob_text

# The heights of a reliability diagram and of the counts below it, and the widths of two diagrams and of the NLL.
HEIGHTS, WIDTHS = (5, 1), (5, 2)


def draw(page: Canvas, calibration: Calibration) -> None:
    """Draw a line of reliability diagrams for the rows of the fit, and another one for those of the test. To their
    right is the NLL."""
    lines = calibration.measured
    left, right = page.figure.add_gridspec(1, 2, width_ratios=WIDTHS)
    # The NLL is outside of this grid, because a chart that spans lines would move them apart.
    grid = left.subgridspec(2 * len(lines), 2, height_ratios=HEIGHTS * len(lines))
    for line, measured in enumerate(lines):
        places = [[grid[2 * line + part, column] for part in range(2)] for column in range(2)]
        _draw_rows(page, places, measured, is_last=line == len(lines) - 1)
    axes = page.figure.add_subplot(right)
    curve = _nll_curve(calibration)
    draw_nll(axes, curve, page.theme)
    axes.set_title(fit_title(curve))
    axes.set_ylabel(f"NLL, {lines[0].data} data")
    add_legend(page.figure, MARKS)
    shrink_titles(page.figure)


def reliability_bars(bins: Bins) -> ReliabilityBars:
    return ReliabilityBars(bins.edges, bins.counts, bins.confidence, bins.accuracy)


def report_title(report: Report) -> str:
    """Return the temperature and the measures of a report, in two lines."""
    chance = report.equal_width.chance
    by_chance = f", by chance {prob_text(chance.mean)}" if chance.is_simulated else ""
    return f"{_tau(report.tau)}: NLL {report.nll:.3g}\nECE {prob_text(report.ece)}{by_chance}"


def fit_title(curve: NllCurve) -> str:
    """Return the fitted temperature and, in a second line, its interval."""
    title = f"fitted {_tau(curve.fitted)}"
    if isnan(curve.low):
        return title
    low, high = (_tau(end).removeprefix("τ = ") for end in (curve.low, curve.high))
    return f"{title}\n95 %: {low} to {high}"


def _tau(tau: float) -> str:
    """Return a temperature with as many digits as fit into a title."""
    return tau_text(float(f"{tau:.4g}"))


def _draw_rows(page: Canvas, places: list[list[Any]], measured: MeasuredRows, *, is_last: bool) -> None:
    """Draw the diagrams of some rows before and after the fit. Only those at the bottom have a name for their axis."""
    top = max(int(report.equal_width.counts.max()) for report in measured.reports)
    for column, ((upper, lower), report) in enumerate(zip(places, measured.reports, strict=True)):
        bars = reliability_bars(report.equal_width)
        diagram = page.figure.add_subplot(upper)
        draw_reliability(diagram, bars, page.theme)
        diagram.set_title(f"{measured.data}, {report_title(report)}")
        counts = page.figure.add_subplot(lower, sharex=diagram)
        draw_counts(counts, bars, top, page.theme)
        diagram.set_xlabel("")
        diagram.tick_params(labelbottom=False, labelleft=column == 0)
        counts.tick_params(labelbottom=is_last, labelleft=column == 0)
        if column:
            diagram.set_ylabel("")
        if not is_last:
            counts.set_xlabel("")


def _nll_curve(calibration: Calibration) -> NllCurve:
    fit, interval = calibration.fit, calibration.interval
    low, high = (interval.low, interval.high) if interval else (nan, nan)
    order = calibration.curve_taus.argsort()
    return NllCurve(calibration.curve_taus[order], calibration.curve_nll[order], fit.tau, low, high)
