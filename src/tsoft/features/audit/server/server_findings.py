"""The findings of the audit of a server, from its probes: the same for a live server and for a probes file."""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.audit.audit import LEVEL, TOLERANCE, Audit
from tsoft.features.audit.evidence import UNLISTED, DrawnRow, Evidence
from tsoft.features.audit.findings import AuditReport, Finding, Verdict
from tsoft.features.audit.requested import Requested
from tsoft.features.audit.server.field_findings import (
    bias_finding,
    cutoff_findings,
    greedy_finding,
    refused_findings,
    seed_finding,
)
from tsoft.features.audit.server.first_tokens import FirstToken
from tsoft.features.audit.server.listed_rows import ListedRows
from tsoft.features.audit.server.probes import Probe, Purpose, ServerProbes
from tsoft.features.audit.server.request_settings import requested_settings

# The number of random orders in which to compare the draws of a request. They depend on each other if none of these
# reaches the observed number of equal pairs, which is a p-value of 0.001.
_ORDERS = 999
# Fewer repetitions of a prompt's draws may be an accident.
_MIN_SAME = 10
# A larger difference between the lists and the draws is another distribution, which the draws do not tell apart.
_MAX_NOISE = 0.5
# The findings about the draws that do not depend on the log-probabilities.
_SURE = ("draws", "choices", "distribution", "empty_answers")


@dataclass(frozen=True, eq=False)
class ServerAudit:
    """The audit of a server by its probes.

    `level` is the probability of a false contradiction about the draws. A run may examine its draws several times, and
    each time has an equal share of it (Bonferroni). `tolerance` is the relative error up to which the temperature is
    confirmed.
    """

    probes: ServerProbes
    requested: Requested
    level: float = LEVEL
    tolerance: float = TOLERANCE

    @property
    def report(self) -> AuditReport:
        """The findings in the order in which they build on each other."""
        probes = self.probes
        findings = [
            *_list_findings(self._rows),
            *filter(None, [self._greedy]),
            *refused_findings(probes),
            *self._drawn_report.findings,
            *filter(None, [seed_finding(probes, self._rows), bias_finding(probes, self._rows)]),
            *cutoff_findings(probes, self._rows),
        ]
        if probes.ended:
            findings.append(Finding("run", "all requests", "incomplete", Verdict.INCONCLUSIVE, reason=probes.ended))
        return replace(self._drawn_report, findings=tuple(findings))

    @property
    def is_clear(self) -> bool:
        """Whether the draws decide on every setting, so that more draws would add nothing."""
        return Verdict.INCONCLUSIVE not in [finding.verdict for finding in self._drawn_report.findings]

    @property
    def draws(self) -> Audit | None:
        """The audit of the draws; None if there are none, or no known distribution."""
        return self._independent[1]

    @cached_property
    def _rows(self) -> ListedRows:
        return ListedRows(self.probes)

    @cached_property
    def _greedy(self) -> Finding | None:
        return greedy_finding(self.probes, self._rows)

    @cached_property
    def _drawn_report(self) -> AuditReport:
        """The findings about the draws; none if there are no draws, or no known distribution."""
        findings, audit = self._independent
        if audit is None:
            return AuditReport(tuple(findings), has_request=self.requested.states_cutoffs)
        report = audit.report
        report = replace(report, findings=(*findings, *report.findings))
        if audit.evidence.noise > _MAX_NOISE:
            noise = f"{audit.evidence.noise:.2g}"
            reason = f"the log-probabilities of the draws differ by up to {noise} from those of the lists"
            return replace(report, tau=None, findings=tuple(_doubted(finding, reason) for finding in report.findings))
        return _with_doubts(report, self._rows, self._greedy)

    @cached_property
    def _independent(self) -> tuple[list[Finding], Audit | None]:
        """The findings about whether the draws are independent, and the audit of those that are."""
        probes, rows = self.probes, self._rows
        all_draws = [draw for draw in probes.answered(Purpose.DRAW) if draw.prompt in rows.rows]
        draws = [kept for draw in all_draws if (kept := _of_known(draw)).tokens]
        same = [kept for draw in draws if (kept := _of_listed(draw, rows)).tokens]
        counts = [sum(len(draw.tokens) for draw in each) for each in (all_draws, draws, same)]
        findings = [_empty_finding(*counts[:2])] if counts[1] < counts[0] else []
        findings += [_moved_finding(*counts[1:])] if counts[2] < counts[1] else []
        if not same:
            return findings, None
        if (repetition := _repetition(same, rows)) is not None:
            return [*findings, repetition], None
        if p_value := _dependence(same):
            reason = "the choices of one request are alike, so tsoft uses only the first choice of each request"
            findings.append(Finding("choices", "independent", "dependent", Verdict.NOTED, p_value, reason=reason))
        evidence = probed_evidence(same, rows, first_only=p_value is not None)
        return findings, Audit(evidence, self._accepted, self.level / probes.looks, self.tolerance)

    @property
    def _accepted(self) -> Requested:
        """The settings that the server does not refuse."""
        if not self.probes.refused_settings:
            return self.requested
        accepted = requested_settings(self.probes.settings, self.probes.server, tuple(self.probes.refused_settings))
        return replace(accepted, states_cutoffs=self.requested.states_cutoffs)


def _list_findings(rows: ListedRows) -> list[Finding]:
    """Return the findings about the log-probabilities."""
    requested = f"up to {rows.requested} tokens"
    if not rows.lists:
        reason = "the server returns no log-probabilities, without which the draws prove nothing"
        return [Finding("logprobs", requested, "none", Verdict.INCONCLUSIVE, reason=reason)]
    findings = [Finding("logprobs", requested, f"{rows.size} token{'s' * (rows.size != 1)}", Verdict.NOTED)]
    if rows.repetitions > 1:
        kind = _kind_finding(rows)
        moved = f", {rows.moved} of another distribution" * bool(rows.moved)
        noise = Finding("noise", f"{rows.repetitions} equal requests", f"± {rows.noise:.2g}{moved}", Verdict.NOTED)
        findings += [kind, noise]
    return findings


_KINDS = {
    "raw": "they do not change with the temperature or top_p",
    "tempered": "their differences scale by 1 / τ, so tsoft uses those at temperature 1",
    "truncated": "a cutoff changes them, so tsoft uses those without a cutoff",
    "tempered and truncated": "they come after the samplers, so tsoft uses those at temperature 1 without a cutoff",
}


def _kind_finding(rows: ListedRows) -> Finding:
    if rows.cut:
        sizes = sorted(token.size for token in rows.cut.values())
        reason = f"a list of {sizes[0]} tokens has all of the probability, although no cutoff was requested"
        return Finding("logprobs_kind", "no cutoff", "truncated", Verdict.CONTRADICTED, reason=reason)
    text = rows.kind.text
    verdict = Verdict.INCONCLUSIVE if text == "unknown" else Verdict.NOTED
    return Finding("logprobs_kind", "", text, verdict, reason=_KINDS.get(text) or rows.unknown_reason)


# From the draws to the report on temperature, cutoffs and fit


def _of_known(draw: Probe) -> Probe:
    """Return a probe with those of its choices that show what was drawn."""
    return _with_choices(draw, [token.is_known for token in draw.tokens])


def _of_listed(draw: Probe, rows: ListedRows) -> Probe:
    """Return a probe with those of its choices that come from the listed distribution. A server may compute the choices
    of one request separately."""
    listed = rows.lists[draw.prompt]
    return _with_choices(draw, [rows.is_same_state(listed, token) for token in draw.tokens])


def _with_choices(draw: Probe, are_kept: list[bool]) -> Probe:
    if all(are_kept):
        return draw
    choices = tuple(choice for choice, is_kept in zip(draw.answer.choices, are_kept, strict=True) if is_kept)
    return replace(draw, answer=replace(draw.answer, choices=choices))


def _empty_finding(draws: int, known: int) -> Finding:
    """Return the finding that some answers do not show what was drawn."""
    reason = "an empty answer without log-probabilities does not show what was drawn, so tsoft does not count it"
    return Finding("empty_answers", "", f"{draws - known} of {draws}", Verdict.NOTED, reason=reason)


def _moved_finding(draws: int, same: int) -> Finding:
    """Return the finding that the distribution of a prompt is not the same in all requests."""
    found = f"another in {draws - same} of {draws}"
    reason = (
        "log-probabilities change between equal requests, as with a cache of prompts or with several models; tsoft uses"
        " only the draws from the listed distributions"
    )
    return Finding("distribution", "one for each prompt", found, Verdict.NOTED, reason=reason)


def probed_evidence(draws: list[Probe], rows: ListedRows, *, first_only: bool = False) -> Evidence:
    """Return the draws of each prompt with its known distribution. A draw that cannot be recognized is unlisted.

    The noise includes the differences between the lists and the log-probabilities in the draws.
    """
    drawn = defaultdict[int, list[FirstToken]](list)
    for draw in draws:
        drawn[draw.prompt] += draw.tokens[: 1 if first_only else None]
    evidence = []
    for prompt, tokens in sorted(drawn.items()):
        row = rows.rows[prompt]
        indices = {label: i for i, label in enumerate(row.labels or ())}
        places = [indices.get(token.label_in(indices), UNLISTED) for token in tokens]
        evidence.append(DrawnRow(row, np.array(places)))
    noise = max((_difference(draw, rows) for draw in draws), default=0.0)
    return Evidence(tuple(evidence), max(rows.noise, noise))


def _difference(draw: Probe, rows: ListedRows) -> float:
    """Return the largest difference between the gap of a drawn token from the top and its gap in the prompt's row."""
    row = rows.rows[draw.prompt]
    gaps = dict(zip(row.labels or (), (row.logits.max() - row.logits[0]).tolist(), strict=True))
    pairs = [(rows.untempered(token), gaps[token.label]) for token in draw.tokens if token.label in gaps]
    return max((abs(drawn - listed) for drawn, listed in pairs if isfinite(drawn)), default=0.0)


def _repetition(draws: list[Probe], rows: ListedRows) -> Finding | None:
    """Return a finding if all requests of each prompt give the same tokens, and not only the most probable ones.

    A temperature near 0 repeats the most probable token, too; the estimate of the temperature shows that.
    """
    by_prompt = defaultdict[int, set[tuple[str, ...]]](set)
    for draw in draws:
        by_prompt[draw.prompt].add(tuple(token.label for token in draw.tokens))
    are_same = all(len(tokens) == 1 for tokens in by_prompt.values()) and len(draws) >= _MIN_SAME + len(by_prompt)
    if not are_same or all(rows.is_top(draw.prompt, token) is not False for draw in draws for token in draw.tokens):
        return None
    reason = (
        "each prompt gives the same tokens in every request, and not the most probable ones: a fixed seed or a cache"
    )
    return Finding("draws", "independent draws", "the same each time", Verdict.CONTRADICTED, reason=reason)


def _dependence(draws: list[Probe]) -> float | None:
    """Return the p-value of a permutation test that the choices of one request are more often the same than those of
    different requests, if it is significant.

    Under independence the draws of a prompt are exchangeable, so that any assignment to the requests is equally likely.
    """
    requests = [draw for draw in draws if len(draw.tokens) > 1]
    if not requests:
        return None
    groups, labels = _grouped(requests)
    rng = np.random.default_rng(0)
    observed = _same_pairs(groups, labels)
    orders = ([rng.permutation(numbers) for numbers in labels] for _ in range(_ORDERS))
    is_reached = any(_same_pairs(groups, permuted) >= observed for permuted in orders)
    return None if is_reached else 1 / (_ORDERS + 1)


def _grouped(requests: list[Probe]) -> tuple[list[Array], list[Array]]:
    """Return, for each prompt, the number of each draw's request and the number of its token."""
    groups, labels = defaultdict[int, list[int]](list), defaultdict[int, list[str]](list)
    for i, draw in enumerate(requests):
        groups[draw.prompt] += [i] * len(draw.tokens)
        labels[draw.prompt] += [token.label for token in draw.tokens]
    numbers = [np.unique(labels[prompt], return_inverse=True)[1] for prompt in groups]
    return [np.array(group) for group in groups.values()], numbers


def _same_pairs(groups: list[Array], labels: list[Array]) -> int:
    """Return how many pairs of draws share their request and their token."""
    total = 0
    for group, numbers in zip(groups, labels, strict=True):
        counts = np.bincount(group * len(numbers) + numbers)
        total += int((counts * (counts - 1)).sum() // 2)
    return total


def _with_doubts(report: AuditReport, rows: ListedRows, greedy: Finding | None) -> AuditReport:
    """Return the report with inconclusive findings where the log-probabilities do not allow others."""
    if rows.kind.is_tempered is None:
        reason = "the log-probabilities are of an unknown kind"
        return replace(report, tau=None, findings=tuple(_doubted(finding, reason) for finding in report.findings))
    if rows.cut:
        reason = "a sampler has already cut the log-probabilities, so the draws show only further cutoffs"
        report = replace(report, findings=tuple(_doubted_cutoff(finding, reason) for finding in report.findings))
    is_applied = greedy is not None and greedy.verdict == Verdict.CONFIRMED
    if rows.kind.is_tempered or is_applied or (report.tau and not report.tau.low <= 1 <= report.tau.high):
        return report
    reason = (
        "the log-probabilities do not change with the temperature, and the draws follow them as they are; they may"
        " come after a temperature that the server applies in place of the requested one"
    )
    findings = [_doubted(finding, reason) if finding.name == "tau" else finding for finding in report.findings]
    return replace(report, findings=tuple(findings))


def _doubted(finding: Finding, reason: str) -> Finding:
    """Return a finding as inconclusive, unless it does not depend on the log-probabilities."""
    if finding.name in _SURE:
        return finding
    return replace(finding, verdict=Verdict.INCONCLUSIVE, p_value=None, draws_needed=None, reason=reason)


def _doubted_cutoff(finding: Finding, reason: str) -> Finding:
    """Return a confirmed finding about a cutoff as inconclusive."""
    is_cutoff = finding.name not in (*_SURE, "tau", "fit")
    return _doubted(finding, reason) if is_cutoff and finding.verdict is Verdict.CONFIRMED else finding
