"""The figure of a calibration: reliability diagrams before and after the fit, and the NLL over τ."""

from collections.abc import Sequence
from math import isnan, nan
from typing import Any

from tsoft.charts.style import short_tau_text
from tsoft.features.calibrate.calibration import FittedCalibration, MeasuredRows
from tsoft.features.calibrate.chart import OPTIMISTIC
from tsoft.features.calibrate.confidence_bins import Bins
from tsoft.features.calibrate.reliability import Report
from tsoft.figures.calibration_diagrams import (
    MARKS,
    NllCurve,
    ReliabilityBars,
    draw_bin_counts,
    draw_nll,
    draw_reliability,
)
from tsoft.figures.canvas import Canvas
from tsoft.figures.chart_grid import shrink_titles
from tsoft.figures.chart_room import LINE, title_height
from tsoft.figures.class_charts import prob_text
from tsoft.figures.figure_legend import draw_mark_legend
from tsoft.figures.figure_theme import Theme

# The heights of a reliability diagram and of the counts below it, and the widths of two diagrams and of the NLL.
HEIGHTS, WIDTHS = (5, 1), (5, 2)
# A narrower figure, in font sizes, has no NLL.
NARROWEST_WITH_NLL = 34
# The title of a narrower diagram, in font sizes, has more lines.
NARROWEST_TITLE = 11.5
# The height of a line of diagrams if there is room, and at least, and that of the legend, in lines of text.
LINES, LEAST_LINES, LEGEND_LINES = 15, 8, 6


def draw(page: Canvas, calibration: FittedCalibration) -> None:
    """Draw a line of reliability diagrams for the rows of the fit, and another one for those of the test. To their
    right is the NLL."""
    lines = _fitting_lines(page, calibration.measured)
    has_nll = page.figure.get_figwidth() * 72 >= NARROWEST_WITH_NLL * page.theme.font_size
    places = page.figure.add_gridspec(1, 1 + has_nll, width_ratios=WIDTHS[: 1 + has_nll])
    width = page.figure.get_figwidth() * 72 / page.theme.font_size * (WIDTHS[0] / sum(WIDTHS) if has_nll else 1) / 2
    breaks = ("\n", "\n") if width < NARROWEST_TITLE else ()
    # The NLL is outside of this grid, because a chart that spans lines would move them apart.
    grid = places[0].subgridspec(2 * len(lines), 2, height_ratios=HEIGHTS * len(lines))
    for line, measured in enumerate(lines):
        parts = [[grid[2 * line + part, column] for part in range(2)] for column in range(2)]
        _draw_rows(page, parts, measured, is_last=line == len(lines) - 1, breaks=breaks)
    if has_nll:
        _draw_fit(page.figure.add_subplot(places[1]), calibration, page.theme)
    else:
        page.note("the figure has no room for the NLL over τ; a wider --size shows it")
    draw_mark_legend(page.figure, MARKS, OPTIMISTIC if lines[0].data == "fit" else "")
    shrink_titles(page.figure)


def _fitting_lines(page: Canvas, measured: Sequence[MeasuredRows]) -> Sequence[MeasuredRows]:
    """Return the rows whose diagrams fit, the last of them first, because those of a test are not optimistic."""
    page.grow(len(measured) * LINES + LEGEND_LINES)
    height = page.figure.get_figheight() * 72 / (LINE * page.theme.font_size) - title_height(page.figure)
    count = max(1, int((height - LEGEND_LINES) / LEAST_LINES))
    if count < len(measured):
        page.note("the figure has no room for the rows of the fit; a higher --size shows them")
    return measured[-count:]


def _draw_fit(axes: Any, calibration: FittedCalibration, theme: Theme) -> None:
    curve = _nll_curve(calibration)
    draw_nll(axes, curve, theme)
    axes.set_title(nll_title(curve))
    axes.set_ylabel(f"NLL, {calibration.measured[0].data} data")


def reliability_bars(bins: Bins) -> ReliabilityBars:
    return ReliabilityBars(bins.edges, bins.counts, bins.confidence, bins.accuracy)


def report_title(report: Report, after_tau: str = ": ", after_ece: str = ", ") -> str:
    """Return the temperature and the measures of a report, in two lines, or more if line breaks come after the
    temperature and the ECE."""
    chance = report.equal_width.chance
    by_chance = f"{after_ece}by chance {prob_text(chance.mean)}" if chance.is_simulated else ""
    return f"{short_tau_text(report.tau)}{after_tau}NLL {report.nll:.3g}\nECE {prob_text(report.ece)}{by_chance}"


def nll_title(curve: NllCurve) -> str:
    """Return the fitted temperature and, in a second line, its interval."""
    title = f"fitted {short_tau_text(curve.fitted)}"
    if isnan(curve.low):
        return title
    low, high = (short_tau_text(end).removeprefix("τ = ") for end in (curve.low, curve.high))
    return f"{title}\n95 %: {low} to {high}"


def _draw_rows(
    page: Canvas, places: list[list[Any]], measured: MeasuredRows, *, is_last: bool, breaks: tuple[str, ...]
) -> None:
    """Draw the diagrams of some rows before and after the fit. Only those at the bottom have a name for their axis.
    `breaks` are the line breaks of the titles."""
    top = max(int(report.equal_width.counts.max()) for report in measured.reports)
    for column, ((upper, lower), report) in enumerate(zip(places, measured.reports, strict=True)):
        bars = reliability_bars(report.equal_width)
        diagram = page.figure.add_subplot(upper)
        draw_reliability(diagram, bars, page.theme)
        diagram.set_title(f"{measured.data}, {report_title(report, *breaks)}")
        counts = page.figure.add_subplot(lower, sharex=diagram)
        draw_bin_counts(counts, bars, top, page.theme)
        diagram.set_xlabel("")
        diagram.tick_params(labelbottom=False, labelleft=column == 0)
        counts.tick_params(labelbottom=is_last, labelleft=column == 0)
        if column:
            diagram.set_ylabel("")
        if not is_last:
            counts.set_xlabel("")


def _nll_curve(calibration: FittedCalibration) -> NllCurve:
    fit, interval = calibration.fit, calibration.interval
    low, high = (interval.low, interval.high) if interval else (nan, nan)
    order = calibration.curve_taus.argsort()
    return NllCurve(calibration.curve_taus[order], calibration.curve_nll[order], fit.tau, low, high)
