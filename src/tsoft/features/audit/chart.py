"""The findings of an audit and the counts of its rows as tables."""

from collections.abc import Iterator

from tsoft.charts.style import number_text, wrapped
from tsoft.charts.table import text_tables
from tsoft.charts.view import View
from tsoft.errors import visible
from tsoft.features.audit.audit import interval_text
from tsoft.features.audit.drawn_counts import DrawnCounts
from tsoft.features.audit.findings import AuditReport, Finding, Verdict

_NAMES = {"tau": "τ", "top_k": "top-k", "top_p": "top-p", "min_p": "min-p"}
_DIGITS = 3


def draw_findings(report: AuditReport, view: View) -> str:
    """Return the table of the findings, the reasons for them, and the overall verdict."""
    rows = [["", "verdict", "requested", "found"]]
    for finding in report.findings:
        verdict = "–" if finding.verdict is Verdict.NOTED else str(finding.verdict)
        rows.append([name_text(finding.name), verdict, finding.requested or "–", finding.found or "–"])
    table = text_tables(rows, view.screen)
    reasons = "".join(wrapped(text, view.screen.width) for text in _reasons(report))
    return f"{table}\n{reasons}" if reasons else table


def name_text(name: str) -> str:
    """Return the name of a finding as users write it.

    >>> name_text("top_k"), name_text("top_k_support"), name_text("other_cutoffs")
    ('top-k', 'top-k support', 'other cutoffs')
    """
    sampler = next((each for each in _NAMES if name == each or name.startswith(f"{each}_s")), "")
    return _NAMES.get(sampler, "") + name.removeprefix(sampler).replace("_", " ")


def _reasons(report: AuditReport) -> Iterator[str]:
    """Yield a sentence for each finding that needs one, and the verdict."""
    for finding in report.findings:
        if parts := [*_parts(finding)]:
            yield f"{name_text(finding.name)}: {'; '.join(parts)}"
    if report.draws:
        yield f"draws: {report.draws:,}; the estimate of τ uses {report.informative:,}"
    reason = ", because no setting was requested" if report.verdict is Verdict.NOTED else ""
    yield f"verdict: {report.verdict}{reason}"


def _parts(finding: Finding) -> Iterator[str]:
    if finding.verdict is Verdict.NOTED:
        return
    if finding.reason:
        # It may have the name of a class, or a server's message.
        yield visible(finding.reason)
    if finding.verdict is Verdict.CONTRADICTED and finding.p_value:
        yield f"p = {number_text(finding.p_value, _DIGITS)}"
    if finding.draws_needed is not None:
        yield f"about {finding.draws_needed:,} draws would be enough to decide"


def draw_counts(counts: DrawnCounts, view: View) -> str:
    """Return the table of a row's drawn and expected counts."""
    selection = view.select(counts.order)
    shown = zip(
        selection.labels(counts.block.names),
        selection.values(counts.drawn).tolist(),
        selection.values(counts.expected).tolist(),
        strict=True,
    )
    lines = [[f"row {counts.block.first_row}", "drawn", "expected"]]
    lines += [[name, str(drawn), _expected_text(expected, view)] for name, drawn, expected in shown]
    if counts.unlisted:
        lines.append(["(unlisted)", str(counts.unlisted), "–"])
    view.legend.add_lines("expected: the counts that the requested settings would give on average")
    return text_tables(lines, view.screen, right=("drawn", "expected"))


def _expected_text(expected: float, view: View) -> str:
    """Return an expected count with all of its digits before the point, to compare with the drawn one."""
    return number_text(expected, view.digits or max(_DIGITS, len(f"{expected:.0f}")))


def draw_interval(counts: DrawnCounts) -> str:
    """Return a line with the temperature of a row alone."""
    return f" τ of row {counts.block.first_row}: {interval_text(counts.interval)}\n"
