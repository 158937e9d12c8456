"""Findings on single fields of a request: temperature 0, seed, logit_bias, min_p and top_k."""

from collections import defaultdict
from itertools import combinations
from math import comb, log

from tsoft.errors import shortened
from tsoft.features.audit.evidence import ROUNDING
from tsoft.features.audit.findings import Finding, Verdict
from tsoft.features.audit.server.first_tokens import FirstToken
from tsoft.features.audit.server.listed_rows import ListedRows
from tsoft.features.audit.server.probe_plan import BIAS, HIGH, HIGH_MIN_P
from tsoft.features.audit.server.probes import Probe, Purpose, ServerProbes

# A finding that chance explains with a higher probability than this is inconclusive.
CHANCE = 0.01
_MAX_ERROR = 200
_UNKNOWN = "the answers do not show whether the most probable tokens were drawn"
# The cutoffs that are tried, with their value.
_CUTOFFS = {"min_p": (Purpose.MIN_P, HIGH_MIN_P), "top_k": (Purpose.TOP_K, 1)}


def greedy_finding(probes: ServerProbes, rows: ListedRows) -> Finding | None:
    """Return whether the draws at temperature 0 are the most probable tokens. None without such draws."""
    requested = "top token"
    if (refusal := probes.refusal(Purpose.GREEDY)) is not None:
        verdict = Verdict.CONTRADICTED if probes.settings.tau == 0 else Verdict.NOTED
        return Finding("temperature_0", requested, "refused", verdict, reason=_message(refusal))
    draws = probes.answered(Purpose.GREEDY)
    if not draws:
        return None
    if not rows.lists:
        return _greedy_without_lists(requested, _known_draws(probes, Purpose.GREEDY))
    tops = [(draw.prompt, is_top) for draw in draws if (is_top := rows.is_top(draw.prompt, draw.token)) is not None]
    found = f"{sum(is_top for _, is_top in tops)} of {len(tops)} draws"
    if not tops:
        return Finding("temperature_0", requested, "unknown", Verdict.INCONCLUSIVE, reason=_UNKNOWN)
    if unknown := len(draws) - len(tops):
        found += f", {unknown} unknown"
    if not all(is_top for _, is_top in tops):
        reason = "the server draws other tokens at temperature 0, beyond its noise"
        return Finding("temperature_0", requested, found, Verdict.CONTRADICTED, reason=reason)
    chance = 1.0
    for prompt, _ in tops:
        chance *= rows.top_probability(prompt)
    if chance > CHANCE:
        reason = f"draws at temperature 1 would be the same with a probability of {chance:.2g}; pass other prompts"
        return Finding("temperature_0", requested, found, Verdict.INCONCLUSIVE, reason=reason)
    return Finding("temperature_0", requested, found, Verdict.CONFIRMED)


def _greedy_without_lists(requested: str, draws: list[Probe]) -> Finding:
    if not draws:
        return Finding("temperature_0", requested, "unknown", Verdict.INCONCLUSIVE, reason=_UNKNOWN)
    by_prompt = defaultdict[int, set[str]](set)
    for draw in draws:
        by_prompt[draw.prompt].add(draw.token.label)
    if any(len(labels) > 1 for labels in by_prompt.values()):
        reason = "the server draws different tokens at temperature 0"
        return Finding("temperature_0", requested, "different tokens", Verdict.CONTRADICTED, reason=reason)
    reason = "without log-probabilities, it is unknown whether this token is the most probable one"
    return Finding("temperature_0", requested, "always the same token", Verdict.INCONCLUSIVE, reason=reason)


def seed_finding(probes: ServerProbes, rows: ListedRows) -> Finding | None:
    """Return whether the same seed gives the same token, and another seed another one."""
    requested = "same seed, same token"
    if (refusal := probes.refusal(Purpose.SEED)) is not None:
        return Finding("seed", requested, "refused", Verdict.NOTED, reason=_message(refusal))
    labels = defaultdict[int, list[str]](list)
    for probe in _known_draws(probes, Purpose.SEED):
        labels[probe.request["seed"]].append(rows.label_of(probe.prompt, probe.token))
    pairs = [pair for pair in labels.values() if len(pair) > 1]
    if not pairs:
        return None
    same = sum(len(set(pair)) == 1 for pair in pairs)
    found = f"{same} of {len(pairs)} seeds"
    different = list(combinations([pair[0] for pair in pairs], 2))
    equal = sum(first == second for first, second in different)
    # The probability that a pair has the same token if the server ignores the seeds.
    p = (equal + 1) / (len(different) + 2)
    chance = sum(comb(len(pairs), k) * p**k * (1 - p) ** (len(pairs) - k) for k in range(same, len(pairs) + 1))
    if same < len(pairs):
        if chance <= CHANCE:
            reason = "equal seeds give the same token more often than by chance, but not always"
            return Finding("seed", requested, f"not reproducible: {found}", Verdict.NOTED, reason=reason)
        if rows.noise > ROUNDING:
            reason = f"equal requests differ by ± {rows.noise:.2g}, so an applied seed may give different tokens"
            return Finding("seed", requested, f"unknown: {found}", Verdict.NOTED, reason=reason)
        return Finding("seed", requested, f"ignored: {found}", Verdict.NOTED)
    if chance > CHANCE:
        reason = "different seeds give the same tokens"
        return Finding("seed", requested, f"unknown: {found}", Verdict.NOTED, reason=reason)
    return Finding("seed", requested, f"applied: {found}", Verdict.NOTED)


def bias_finding(probes: ServerProbes, rows: ListedRows) -> Finding | None:
    """Return whether a high bias makes a token certain. Which token has the id is not known."""
    requested = f"+{BIAS}: one token"
    if (refusal := probes.refusal(Purpose.LOGIT_BIAS)) is not None:
        return Finding("logit_bias", requested, "refused", Verdict.NOTED, reason=_message(refusal))
    labels = defaultdict[str, set[str]](set)
    for probe in _known_draws(probes, Purpose.LOGIT_BIAS):
        labels[str(probe.request["logit_bias"])].add(rows.label_of(probe.prompt, probe.token))
    if len(labels) < 2:
        return None
    if any(len(drawn) > 1 for drawn in labels.values()):
        return Finding("logit_bias", requested, "ignored", Verdict.NOTED)
    if len(set.union(*labels.values())) < len(labels):
        reason = "biases of different tokens give the same token"
        return Finding("logit_bias", requested, "unknown", Verdict.NOTED, reason=reason)
    return Finding("logit_bias", requested, "applied", Verdict.NOTED)


def cutoff_findings(probes: ServerProbes, rows: ListedRows) -> list[Finding]:
    """Return whether the server applies min_p and top_k. If it does not, a requested one is contradicted."""
    refused = {finding.name for finding in refused_findings(probes)}
    findings = [_cutoff_finding(probes, rows, name, *test) for name, test in _CUTOFFS.items()]
    return [finding for finding in findings if finding is not None and finding.name not in refused]


def _cutoff_finding(
    probes: ServerProbes, rows: ListedRows, name: str, purpose: Purpose, value: float
) -> Finding | None:
    is_requested = name in probes.settings.values
    requested = f"{value:g}: one token"
    if (refusal := probes.refusal(purpose)) is not None:
        verdict = Verdict.CONTRADICTED if is_requested else Verdict.NOTED
        return Finding(f"{name}_support", requested, "refused", verdict, reason=_message(refusal))
    # A token is kept if its probability is min_p times that of the top one, at the temperature of the draws.
    slack = -log(HIGH_MIN_P) * HIGH
    draws = probes.answered(purpose)
    if not draws:
        return None
    are_top = _are_top(rows, [(draw.prompt, draw.token) for draw in draws if draw.token.is_known], slack)
    if not are_top:
        verdict = Verdict.INCONCLUSIVE if is_requested else Verdict.NOTED
        return Finding(f"{name}_support", requested, "unknown", verdict, reason=_UNKNOWN)
    others = are_top.count(False)
    if others:
        verdict = Verdict.CONTRADICTED if is_requested else Verdict.NOTED
        return Finding(f"{name}_support", requested, f"ignored: {others} of {len(are_top)} differ", verdict)
    control = _are_top(rows, _controls(probes), slack)
    chance = (1 - control.count(False) / (len(control) + 2)) ** len(are_top)
    if chance > CHANCE:
        reason = "draws without it are hardly different"
        verdict = Verdict.INCONCLUSIVE if is_requested else Verdict.NOTED
        return Finding(f"{name}_support", requested, "unknown", verdict, reason=reason)
    return Finding(f"{name}_support", requested, "applied", Verdict.CONFIRMED if is_requested else Verdict.NOTED)


def refused_findings(probes: ServerProbes) -> list[Finding]:
    """Return a finding for each setting of the user that the server refuses, except those that `cutoff_findings`
    tests."""
    return [
        Finding(f"{name}_support", f"{probes.settings.values[name]:g}", "refused", Verdict.CONTRADICTED, reason=reason)
        for name, error in probes.refused_settings.items()
        if name not in _CUTOFFS or probes.answered(_CUTOFFS[name][0])
        for reason in [shortened(error, _MAX_ERROR)]
    ]


def _known_draws(probes: ServerProbes, purpose: Purpose) -> list[Probe]:
    """Return the answered probes whose first choice shows what was drawn."""
    return [probe for probe in probes.answered(purpose) if probe.token.is_known]


def _controls(probes: ServerProbes) -> list[tuple[int, FirstToken]]:
    """Return the draws at the high temperature without cutoffs, with their prompt, one for each seed."""
    by_seed = {probe.request["seed"]: probe for probe in _known_draws(probes, Purpose.SEED)}
    sources = [*by_seed.values(), *probes.answered(Purpose.CHOICES)]
    return [(probe.prompt, token) for probe in sources for token in probe.tokens if token.is_known]


def _are_top(rows: ListedRows, draws: list[tuple[int, FirstToken]], slack: float) -> list[bool]:
    """Return whether each draw is the most probable token or, without log-probabilities, the most frequent one. Draws
    for which that is unknown are left out."""
    if rows.lists:
        return [is_top for draw in draws if (is_top := rows.is_top(*draw, slack)) is not None]
    labels = [token.label for _, token in draws]
    most = max(labels, key=labels.count, default="")
    return [label == most for label in labels]


def _message(refusal: Probe) -> str:
    return shortened(refusal.answer.error, _MAX_ERROR)
