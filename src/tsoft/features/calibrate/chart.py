"""A calibration: the temperature and how sure it is, what it changes, and reliability diagrams."""

from collections.abc import Iterator, Sequence
from math import isnan

import numpy as np
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from tsoft.charts.axis import cell
from tsoft.charts.curves import drawn_curves
from tsoft.charts.style import prob_text, tau_colors, tau_text, wrapped
from tsoft.charts.table import GAP, bar, rendered, text_tables
from tsoft.charts.view import View
from tsoft.core.softmax import Array
from tsoft.features.calibrate.reliability import Bins, Chance, Report
from tsoft.features.calibrate.result import Calibration, MeasuredRows

# The bars of a reliability diagram, in columns, and what marks a bin's mean confidence.
SHORTEST_BAR, LONGEST_BAR = 8, 40
MARK = "│"


def draw(found: Calibration, view: View, chart: bool) -> Iterator[str]:
    """The parts of a calibration, each as it is drawn."""
    width = view.screen.width
    yield wrapped(_headline(found), width) + "\n" + _measures(found.measured, view) + "\n"
    yield wrapped("by chance: the ECE of a perfectly calibrated model on as many rows, and what 95 % stay below", width)
    yield wrapped("accuracy: the same at every τ, which changes no row's most probable class", width)
    if len(found.measured) == 1:
        yield wrapped("fit: the rows that τ was fitted to, which flatter it; --test FILE measures on others", width)
    if chart:
        yield "\n" + _diagram(found.measured[-1], view)
        yield "\n" + _curve(found, view)


def _headline(found: Calibration) -> str:
    """The temperature, from where to where it may be, and what that says of the model."""
    fit, interval = found.fit, found.interval
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


def _measures(found: Sequence[MeasuredRows], view: View) -> str:
    """The table of what the temperature changes. Under each ECE is what a perfectly calibrated model has."""
    columns = [_column(measured.data, report, view) for measured in found for report in measured.reports]
    names = ["", "rows", "NLL"]
    for kind in ("ECE", "ECE, equal mass"):
        names += [kind, "  by chance", "  95 % below"]
    names += ["MCE", "Brier", "accuracy", "mean confidence"]
    return text_tables(list(zip(names, *columns, strict=True)), view.screen, right=[column[0] for column in columns])


def _column(data: str, report: Report, view: View) -> list[str]:
    def text(value: float) -> str:
        return "–" if isnan(value) else prob_text(value, view.digits)

    def of(bins: Bins, chance: Chance) -> list[str]:
        return [text(bins.ece), text(chance.mean), text(chance.high)]

    return [
        f"{data} {tau_text(report.tau)}",
        str(report.rows),
        text(report.nll),
        *of(report.widths, report.widths_chance),
        *of(report.masses, report.masses_chance),
        *map(text, (report.widths.mce, report.brier, report.accuracy, report.confidence)),
    ]


def _diagram(measured: MeasuredRows, view: View) -> str:
    """The reliability diagrams before and after, side by side where they fit: for each bin of confidence how
    many rows it has, and their accuracy as a bar, with a mark at their mean confidence."""
    reports = measured.reports
    shown = np.flatnonzero(reports[0].widths.counts + reports[1].widths.counts)
    ranges = _ranges(reports[0].widths.edges, shown)
    head = max(len("confidence"), *map(len, ranges))
    count = max(len("rows"), *(len(str(report.widths.counts.max())) for report in reports))
    least = count + 1 + len("accuracy") + 1 + SHORTEST_BAR
    fits = min(2, max(1, (view.screen.width - 1 - head - GAP) // (least + GAP)))
    width = max(least, min((view.screen.width - 1 - head - GAP) // fits - GAP, least - SHORTEST_BAR + LONGEST_BAR))
    room = width - (least - SHORTEST_BAR)
    colors = tau_colors([report.tau for report in reports])
    columns = [
        (report, [_bin(report.widths, i, count, room, color) for i in shown.tolist()])
        for report, color in zip(reports, colors, strict=True)
    ]
    texts = [_table(head, ranges, columns[i : i + fits], count, width, view) for i in range(0, len(columns), fits)]
    title = f"reliability, {measured.data}"
    legend = f"█ accuracy   {MARK} mean confidence, which the bar of a calibrated model reaches"
    return wrapped(title, view.screen.width) + "\n".join(texts) + "\n" + wrapped(legend, view.screen.width)


def _ranges(edges: Array, shown: Array) -> list[str]:
    """From where to where the bins are, in as many digits as tell them apart."""
    digits = next(d for d in range(2, 17) if len({f"{edge:.{d}f}" for edge in edges}) == len(edges))
    return [f"{edges[i]:.{digits}f}–{edges[i + 1]:.{digits}f}" for i in shown]


def _bin(bins: Bins, i: int, count: int, room: int, color: int) -> Text:
    rows = str(bins.counts[i]).rjust(count)
    if not bins.counts[i]:
        return Text(rows, "dim")
    accuracy, confidence = float(bins.accuracy[i]), float(bins.confidence[i])
    drawn, mark = bar(accuracy, room).ljust(room), cell(confidence, room)
    number = prob_text(accuracy).rjust(len("accuracy"))
    style = f"color({color})"
    return Text.assemble(rows, " ", number, " ", (drawn[:mark], style), MARK, (drawn[mark + 1 :].rstrip(), style))


def _table(
    head: int, ranges: list[str], columns: Sequence[tuple[Report, list[Text]]], count: int, width: int, view: View
) -> str:
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    table.add_column("confidence", width=head, no_wrap=True)
    for report, _ in columns:
        names = f"{'rows'.rjust(count)} accuracy"
        table.add_column(f"{names} {tau_text(report.tau)}", width=width, no_wrap=True)
    for text, *cells in zip(ranges, *(cells for _, cells in columns), strict=True):
        table.add_row(Text(text), *cells)
    return rendered(table, view.screen, 1 + head + GAP + len(columns) * (width + GAP))


def _curve(found: Calibration, view: View) -> str:
    """The NLL over τ, with a curve of its own where the minimum is."""
    order = found.curve_taus.argsort()
    taus, values = found.curve_taus[order], found.curve_nll[order]
    if found.fit.is_limit:
        return drawn_curves(["NLL"], taus, values[:, np.newaxis], view, 14, True, "NLL over τ")
    least = taus == found.fit.tau
    both = np.column_stack([np.where(least, np.nan, values), np.where(least, values, np.nan)])
    return drawn_curves(["NLL", "minimum"], taus, both, view, 14, True, "NLL over τ")
