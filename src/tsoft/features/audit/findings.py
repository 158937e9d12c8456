"""The findings of an audit: what was asked for, what was found, and the verdict, for each setting."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tsoft.core.draw_likelihood import TauInterval


class Verdict(StrEnum):
    """Whether what was found agrees with what was asked for. NOTED is a finding on a setting that was not asked for."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    INCONCLUSIVE = "inconclusive"
    NOTED = "noted"


@dataclass(frozen=True)
class Finding:
    """The finding about one setting.

    `name` is the setting, such as `top_k`, or what was tested, such as `fit`. `asked` and `found` are short texts.
    `p_value` is the probability, for a server that does what was asked, of evidence against it that is at least as
    strong; None without a test. `draws_needed` is about how many draws would be enough to decide, None if unknown or
    decided. `reason` explains the verdict in a sentence. `low` and `high` are the ends of the range of values that
    agree, None without one.
    """

    name: str
    asked: str
    found: str
    verdict: Verdict
    p_value: float | None = None
    draws_needed: int | None = None
    reason: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class AuditReport:
    """All findings of an audit, and the 95 % interval of the temperature, None if it was not estimated. `draws` is the
    number of all draws, and `informative` of those that the estimate uses."""

    findings: tuple[Finding, ...]
    tau: TauInterval | None = None
    draws: int = 0
    informative: int = 0

    @property
    def verdict(self) -> Verdict:
        """The verdict on all settings together."""
        return overall([finding.verdict for finding in self.findings])


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the overall verdict: CONTRADICTS if any of them is, otherwise INCONCLUSIVE if any is, otherwise AGREES.

    >>> str(overall([Verdict.AGREES, Verdict.INCONCLUSIVE, Verdict.NOTED]))
    'inconclusive'
    """
    for verdict in (Verdict.CONTRADICTS, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.AGREES
