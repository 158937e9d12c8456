"""A calibration: the temperature and its interval, what it changes, and reliability diagrams."""

from collections.abc import Iterator, Sequence

import numpy as np
from rich.text import Text

from tsoft.charts.axis import cell_index
from tsoft.charts.curves import curve_chart
from tsoft.charts.style import prob_text, tau_colors, tau_text, wrapped
from tsoft.charts.table import GAP, bar, new_table, rendered, text_tables
from tsoft.charts.view import View
from tsoft.core.softmax import Array
from tsoft.features.calibrate.calibration import Calibration, MeasuredRows
from tsoft.features.calibrate.reliability import Bins

# The bars of a reliability diagram, in columns, and the mark of a bin's mean confidence.
_SHORTEST_BAR, _LONGEST_BAR = 8, 40
_MARK = "│"


def draw(calibration: Calibration, view: View, chart: bool) -> Iterator[str]:
    """The parts of a calibration, each when it is drawn."""
    width, measured = view.screen.width, calibration.measured
    yield wrapped(_headline(calibration), width) + "\n" + _measures(measured, view) + "\n"
    yield wrapped("by chance: the ECE of a perfectly calibrated model on as many rows, and what 95 % stay below", width)
    yield wrapped("accuracy: the same at every τ, which changes no row's most probable class", width)
    if len(measured) == 1:
        yield wrapped("fit: the rows that τ was fitted to, which flatter it; --test FILE measures on others", width)
    if chart:
        yield "\n" + _diagram(measured[-1], view)
        yield "\n" + _curve(calibration, view)


def _headline(calibration: Calibration) -> str:
    """The temperature, its interval, and what they show about the model."""
    fit, interval = calibration.fit, calibration.interval
    if fit.reason:
        return f"{tau_text(fit.tau)}: {fit.reason} to it."
    if interval is None:
        return f"{tau_text(fit.tau)}; a single row gives no interval."
    low, high = (tau_text(end).removeprefix("τ = ") for end in (interval.low, interval.high))
    method = f"bootstrap of {interval.resamples} refits" if interval.resamples else interval.method
    verdict = "1 lies within, so that the rows do not show the model to be over- or under-confident"
    if interval.low > 1 or interval.high < 1:
        verdict = f"the model is {'over' if interval.low > 1 else 'under'}-confident"
    return f"{tau_text(fit.tau)}, 95 % interval {low} to {high} ({method}): {verdict}."


def _measures(measured: Sequence[MeasuredRows], view: View) -> str:
    """The table of what the temperature changes. Under each ECE is that of a perfectly calibrated model."""
    columns = [
        [
            f"{part.data} {tau_text(report.tau)}",
            str(report.rows),
            *(prob_text(value, view.digits) for value in report.measures.values()),
        ]
        for part in measured
        for report in part.reports
    ]
    names = ["", "rows", "NLL"]
    for kind in ("ECE", "ECE, equal mass"):
        names += [kind, "  by chance", "  95 % below"]
    names += ["MCE", "Brier", "accuracy", "mean confidence"]
    return text_tables(list(zip(names, *columns, strict=True)), view.screen, right=[column[0] for column in columns])


def _diagram(measured: MeasuredRows, view: View) -> str:
    """The reliability diagrams before and after, side by side if they fit: for each bin of confidence its number
    of rows, and their accuracy as a bar, with a mark at their mean confidence."""
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
    legend = f"█ accuracy   {_MARK} mean confidence, which the bar of a calibrated model reaches"
    return wrapped(title, view.screen.width) + "\n".join(texts) + "\n" + wrapped(legend, view.screen.width)


def _ranges(edges: Array, shown: Array) -> list[str]:
    """The ranges of the bins, with as many digits as distinguish their edges."""
    digits = next(d for d in range(2, 17) if len({f"{edge:.{d}f}" for edge in edges}) == len(edges))
    return [f"{edges[i]:.{digits}f}–{edges[i + 1]:.{digits}f}" for i in shown]


def _bin(bins: Bins, i: int, count_width: int, bar_width: int, color: int) -> Text:
    """A bin's number of rows and its bar."""
    rows = str(bins.counts[i]).rjust(count_width)
    if not bins.counts[i]:
        return Text(rows, "dim")
    accuracy, confidence = float(bins.accuracy[i]), float(bins.confidence[i])
    line, mark = bar(accuracy, bar_width).ljust(bar_width), cell_index(confidence, bar_width)
    number = prob_text(accuracy).rjust(len("accuracy"))
    style = f"color({color})"
    return Text.assemble(rows, " ", number, " ", (line[:mark], style), _MARK, (line[mark + 1 :].rstrip(), style))


def _table(ranges: Sequence[str], range_width: int, columns: Sequence[list[Text]], width: int, view: View) -> str:
    """The diagrams side by side. Each column starts with its header."""
    table = new_table()
    table.add_column("confidence", width=range_width, no_wrap=True)
    for header, *_ in columns:
        table.add_column(header, width=width, no_wrap=True)
    for text, *cells in zip(ranges, *(cells for _, *cells in columns), strict=True):
        table.add_row(Text(text), *cells)
    return rendered(table, view.screen, 1 + range_width + GAP + len(columns) * (width + GAP))


def _curve(calibration: Calibration, view: View) -> str:
    """The NLL over τ, with a second curve that is only at the minimum."""
    order = calibration.curve_taus.argsort()
    taus, values = calibration.curve_taus[order], calibration.curve_nll[order]
    names, curves = ["NLL"], values[:, np.newaxis]
    if not calibration.fit.is_limit:
        is_minimum = taus == calibration.fit.tau
        names = ["NLL", "minimum"]
        curves = np.column_stack([np.where(is_minimum, np.nan, values), np.where(is_minimum, values, np.nan)])
    return str(curve_chart(names, taus, curves, view.screen, height=14, log=True, title="NLL over τ"))
