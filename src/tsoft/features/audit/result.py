"""The result of an audit: the findings, and the drawn and expected counts of each row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsoft.features.audit.findings import AuditReport, Finding, Verdict
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records
from tsoft.sampling.sampler_table import SAMPLERS

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.features.audit.drawn_counts import DrawnCounts
    from tsoft.figures.canvas import Canvas

EXIT_CODES = {Verdict.CONFIRMED: 0, Verdict.NOTED: 0, Verdict.CONTRADICTED: 3, Verdict.INCONCLUSIVE: 4}
# The only columns in tsv.
_BARE = ("finding", "verdict", "low", "high")


@dataclass(frozen=True, eq=False)
class AuditResult(Result):
    """The report of an audit, with the counts of some rows. A table shows `shown` rows."""

    report: AuditReport
    counts: Sequence["DrawnCounts"]
    shown: int = 3

    @property
    def exit_code(self) -> int:
        """0 if all settings are confirmed or none was requested, 3 if one is contradicted, 4 if none is but one is
        inconclusive."""
        return EXIT_CODES[self.report.verdict]

    def records(self) -> Iterator[Records]:
        """Yield one record per finding."""
        rows = [_fields(finding) for finding in self.report.findings]
        yield Records(
            [Column(name, [row[name] for row in rows], In.ALL if name in _BARE else In.CSV) for name in rows[0]]
        )

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        """Yield one object, with the findings and the rows."""
        tau = self.report.tau
        yield [
            {
                "verdict": str(self.report.verdict),
                "tau": tau and tau.tau,
                "tau_low": tau and tau.low,
                "tau_high": tau and tau.high,
                "draws": self.report.draws,
                "informative_draws": self.report.informative,
                "findings": [_fields(finding) for finding in self.report.findings],
                "rows": [counts.fields for counts in self.counts],
            }
        ]

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.audit.chart import draw_counts, draw_findings, draw_interval

        yield draw_findings(self.report, view)
        for counts in self.counts[: self.shown]:
            yield "\n" + draw_counts(counts, view)
            if len(self.counts) > 1:
                yield draw_interval(counts)
        if (more := len(self.counts) - self.shown) > 0:
            yield f"\n… {more} more row{'s' * (more != 1)} (--rows N shows more)\n"

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.audit.figure import draw

        draw(page, self.counts[: self.shown], view)


def _fields(finding: Finding) -> dict[str, Any]:
    low, high = (_shown_end(finding.name, end) for end in (finding.low, finding.high))
    return {
        "finding": finding.name,
        "requested": finding.requested,
        "found": finding.found,
        "verdict": str(finding.verdict),
        "low": low,
        "high": high,
        "p_value": finding.p_value,
        "draws_needed": finding.draws_needed,
        "reason": finding.reason,
    }


def _shown_end(name: str, end: float | None) -> float | None:
    """Return an end of the range of a finding, as an integer if its setting is a whole number."""
    is_whole = name in SAMPLERS and SAMPLERS[name].parameters[0].whole
    return int(end) if is_whole and end is not None else end
