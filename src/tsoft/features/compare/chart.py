"""The comparison of two distributions as tables, and the acceptance rates as curves over τ."""

from collections.abc import Iterable, Iterator

import numpy as np

from tsoft.charts.curves import chart_text, curve_chart
from tsoft.charts.style import evenly_spaced, number_text, percent_text, prob_text, tau_text
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.features.compare.model_comparison import ACCEPTANCES, CHOSEN
from tsoft.features.compare.rows import ComparedRows, ComparisonSettings, top_names
from tsoft.features.compare.summary import ComparisonSummary

# The names of the measures in a table, and their explanations.
NAMES = {
    "kl": "KL(A‖B)",
    "kl_reverse": "KL(B‖A)",
    "total_variation": "total variation",
    "same_top": "same top class",
    "top_change": "change of top",
    CHOSEN: "change of chosen",
}
_EXPLANATIONS = {
    "kl": "KL(A‖B): Σ p ln(p/q), in nats; p is the probability under A, q under B",
    "kl_reverse": "KL(B‖A): Σ q ln(q/p), in nats",
    "total_variation": "total variation: half of Σ |p − q|; 0 if equal, 1 if they share no class",
    "same_top": "same top class: the share of rows in which both have the same most probable class",
    "top_change": "change of top: q − p of A's most probable class",
    CHOSEN: "change of chosen: q − p of the token that A drew, or of the true class",
}
ACCEPTANCE_NAMES = {
    "acceptance": "acceptance",
    "exact_match_acceptance": "exact match",
    "greedy_acceptance": "greedy",
}
_ACCEPTANCES = (
    "acceptance: Σ min(p, q), the share of B's samples that A accepts in speculative sampling",
    "exact match: Σ p·q, the probability that independent samples from A and B are equal",
    "greedy: p of B's most probable class, the share that A accepts if B always drafts it",
)
_TOKENS = "tokens: the expected tokens per step of A with {} drafted by B, if acceptances are independent"
_BOUNDS = "… to …, ≥ …: bounds, because a response does not list all tokens"
_QUANTILES = "5 %, 50 %, 95 %: quantiles over the rows"
# The numbers of temperatures in the tables.
_TABLES, _TAU_ROWS = 3, 12
_NAME_WIDTH = 16


def draw_summary(
    summary: ComparisonSummary, settings: ComparisonSettings, draft_tokens: int, view: View, *, chart: bool
) -> Iterator[str]:
    """Yield the tables of the measures at a few temperatures, the table of the acceptance rates and, if `chart` is
    true, their curves."""
    for t in evenly_spaced(len(settings.taus), _TABLES):
        yield _measure_table(summary, settings, int(t), view) + "\n"
    if more := _further_temperatures(settings, _TABLES):
        yield more + "\n"
    yield _acceptance_table(summary, settings, draft_tokens, view)
    yield _further_temperatures(settings, _TAU_ROWS)
    if chart and (curves := _acceptance_chart(summary, settings, view)):
        yield "\n" + curves
    view.legend.add_lines(*(_EXPLANATIONS[name] for name in NAMES if name in summary.bounds))
    view.legend.add_lines(*_ACCEPTANCES, _TOKENS.format(draft_tokens))
    if summary.rows > 1:
        view.legend.add_lines(_QUANTILES)
    if summary.is_partial:
        view.legend.add_lines(_BOUNDS)


def _further_temperatures(settings: ComparisonSettings, shown: int) -> str:
    """Return a line that counts the temperatures that are not shown; empty if all are."""
    count = len(settings.taus) - shown
    return f"… {count} more temperature{'s' * (count != 1)} (--format csv has all)\n" if count > 0 else ""


def taus_text(settings: ComparisonSettings, t: int) -> str:
    """Return the temperatures of both as text."""
    text = tau_text(float(settings.taus[t]))
    return text if settings.draft_tau is None else f"{text}, {tau_text(settings.draft_tau)} for B"


def _measure_table(summary: ComparisonSummary, settings: ComparisonSettings, t: int, view: View) -> str:
    """Return the means and the quantiles of the measures at one temperature; of a single row, its numbers."""
    header = [taus_text(settings, t), *(["mean", "5 %", "50 %", "95 %"] if summary.rows > 1 else [""])]
    lines = [header]
    for name, title in NAMES.items():
        if name not in summary.bounds:
            continue
        low, high = summary.statistics[name]
        cells = [_range_text(name, low.mean[t], high.mean[t], view)]
        if summary.rows > 1:
            has_quantiles = name != "same_top"
            pairs = zip(low.quantiles[:, t], high.quantiles[:, t], strict=True)
            cells += [_range_text(name, *pair, view) if has_quantiles else "" for pair in pairs]
        lines.append([title, *cells])
    return text_tables(lines, view.screen)


def _range_text(name: str, low: float, high: float, view: View) -> str:
    """Return the value of a measure, or its bounds if they differ."""
    texts = [_value_text(name, float(value), view) for value in (low, high)]
    if low < high == np.inf:
        return f"≥ {texts[0]}"
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} to {texts[1]}"


def _value_text(name: str, value: float, view: View) -> str:
    if np.isnan(value):
        return "–"
    if name in ("kl", "kl_reverse"):
        return number_text(value, view.digits)
    if name == "same_top":
        return percent_text(value, 1, view.digits)
    sign = "+" if name in ("top_change", CHOSEN) and value > 0 else "-" if value < 0 else ""
    return sign + prob_text(abs(value), view.digits)


def _acceptance_table(summary: ComparisonSummary, settings: ComparisonSettings, draft_tokens: int, view: View) -> str:
    """Return the mean acceptance rates and the expected tokens at some temperatures, one per line."""
    tokens = summary.tokens(draft_tokens)
    lines = [["", *(text for name in ACCEPTANCES for text in (ACCEPTANCE_NAMES[name], "tokens"))]]
    for t in evenly_spaced(len(settings.taus), _TAU_ROWS):
        cells = [tau_text(float(settings.taus[t]))]
        for name in ACCEPTANCES:
            low, high = (each.mean[t] for each in summary.statistics[name])
            cells.append(_range_text(name, low, high, view))
            counts = [f"{float(bound[t]):.2f}" for bound in tokens[name]]
            cells.append(counts[0] if counts[0] == counts[1] else " to ".join(counts))
        lines.append(cells)
    return text_tables(lines, view.screen, together=2)


def acceptance_curves(summary: ComparisonSummary) -> tuple[list[str], Array]:
    """Return the names and the values, (names, k), of the mean acceptance rates over τ: each, or both bounds of the
    first one if a distribution is partial."""
    if summary.is_partial:
        bounds = [each.mean for each in summary.statistics["acceptance"]]
        return ["at least", "at most"], np.stack(bounds)
    return list(ACCEPTANCE_NAMES.values()), np.stack([summary.statistics[name][0].mean for name in ACCEPTANCES])


def _acceptance_chart(summary: ComparisonSummary, settings: ComparisonSettings, view: View) -> str:
    """Return the curves of the acceptance rates; empty with fewer than two temperatures that an axis can show."""
    order = np.unique(settings.taus, return_index=True)[1]
    taus = settings.taus[order]
    if np.count_nonzero((taus > 0) & (taus < np.inf)) < 2:
        return ""
    names, values = acceptance_curves(summary)
    chart = curve_chart(
        names, taus, values[:, order].T, view.screen, height=14, log=True, title="mean acceptance", limits=(0.0, 1.0)
    )
    return chart_text(chart, view)


def draw_rows(rows: Iterable[ComparedRows], settings: ComparisonSettings, count: int, view: View) -> Iterator[str]:
    """Yield a table of the first rows, and the number of the others."""
    lines: list[list[str]] = []
    shown = total = 0
    for each in rows:
        total += len(each.first.rows)
        for r in range(min(len(each.first.rows), count - shown)):
            shown += 1
            lines += [_row_cells(each, settings, t, r, view) for t in range(len(settings.taus))]
        names = each.bounds
    measures = [name for name in (*NAMES, *ACCEPTANCES) if name in names]
    titles = [NAMES.get(name) or ACCEPTANCE_NAMES[name] for name in measures]
    yield text_tables([["row", "τ", "top of A", "top of B", *titles], *lines], view.screen)
    if total > shown:
        yield f"\n… {total - shown} more row{'s' * (total - shown != 1)} (--rows N shows more)\n"
    view.legend.add_lines(*(_EXPLANATIONS[name] for name in measures if name in _EXPLANATIONS and name != "same_top"))
    view.legend.add_lines(*_ACCEPTANCES)


def _row_cells(rows: ComparedRows, settings: ComparisonSettings, t: int, r: int, view: View) -> list[str]:
    """Return the cells of a row at a temperature: its number and key, the top classes, and the measures."""
    key = "" if rows.first.keys is None else f": {rows.first.keys[r]}"
    sides = zip((rows.first, rows.second), rows.tops, strict=True)
    tops = [_name_text(top_names(block, indices[t, r : r + 1])[0], block) for block, indices in sides]
    number = visible(shortened(f"{rows.first.rows[r]}{key}", _NAME_WIDTH))
    cells = [number, f"{settings.taus[t]:g}", *tops]
    for name in (*NAMES, *ACCEPTANCES):
        if name not in rows.bounds:
            continue
        low, high = rows.bounds[name][:, t, r]
        same = {(0.0, 0.0): "no", (1.0, 1.0): "yes"}
        cells.append(same.get((low, high), "?") if name == "same_top" else _range_text(name, low, high, view))
    return cells


def _name_text(name: str | int | None, block: Block) -> str:
    """Return the name of a class; a token in quotes, which show its blanks."""
    if name is None:
        return "?"
    if isinstance(name, int):
        return f"#{name}"
    return visible(shortened(name, _NAME_WIDTH)) if block.partial is None else repr(shortened(name, _NAME_WIDTH))
