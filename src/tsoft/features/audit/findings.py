"""The findings of an audit: for each setting, what was requested, what was found, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tsoft.core.draw_likelihood import TauInterval


class Verdict(StrEnum):
    """Whether the draws show that a requested setting was applied. NOTED is a finding without a request."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOTED = "noted"


@dataclass(frozen=True)
class Finding:
    """The finding about one setting.

    `name` is the setting, such as `top_k`, or what was tested, such as `fit`. `requested` and `found` are short texts.
    `p_value` is the probability, for a server that applies the requested settings, of evidence against it that is at
    least as strong; None without a test. `draws_needed` is about how many draws would be enough to decide, None if
    unknown or decided. `reason` explains the verdict in a sentence. `low` and `high` are the ends of the range of
    values that agree, None without one.
    """

    name: str
    requested: str
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
    number of all draws, and `informative` of those that the estimate uses. If `has_request` is false, no setting was
    requested, so there is nothing to confirm."""

    findings: tuple[Finding, ...]
    tau: TauInterval | None = None
    draws: int = 0
    informative: int = 0
    has_request: bool = True

    @property
    def verdict(self) -> Verdict:
        """The verdict on all settings together. Without a request it is NOTED, unless it is worse than CONFIRMED."""
        verdict = overall([finding.verdict for finding in self.findings])
        return Verdict.NOTED if verdict is Verdict.CONFIRMED and not self.has_request else verdict


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the overall verdict: CONTRADICTED if one of them is, otherwise INCONCLUSIVE if one is, otherwise
    CONFIRMED.

    >>> str(overall([Verdict.CONFIRMED, Verdict.INCONCLUSIVE, Verdict.NOTED]))
    'inconclusive'
    """
    for verdict in (Verdict.CONTRADICTED, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.CONFIRMED
