"""The audit of draws from known distributions: temperature, cutoffs, and fit.

Three tests share the level of the run (Bonferroni): those of the temperature, of other cutoffs, and of fit. So a server
that applies the requested settings is contradicted in at most that share of the runs. The test of other cutoffs takes
its maximum over the interval of the first test, so both fail together. A draw that the requested samplers remove at
every temperature of this interval, and at the requested one, contradicts them without a test.

A related test is that of whether two APIs have the same distribution (Gao, Liang & Guestrin 2024, "Model Equality
Testing: Which Model Is This API Serving?", arXiv 2410.20247). It needs no logits, and names no cause.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf, log, sqrt

import numpy as np

from tsoft.core.draw_likelihood import ConditionalDraws, TauInterval, TauLikelihood
from tsoft.core.gap_weights import gap_weights
from tsoft.core.kept_sets import TAUS, DrawnClasses, draws_from_all_classes, draws_from_kept_sets
from tsoft.core.softmax import Array
from tsoft.errors import shortened
from tsoft.features.audit.evidence import UNLISTED, Evidence
from tsoft.features.audit.findings import AuditReport, Finding, Verdict
from tsoft.features.audit.requested import CUTOFFS, Requested
from tsoft.features.audit.requested_range import MOST_ROWS, RequestedRange
from tsoft.features.audit.softmax_fit import fit_test
from tsoft.features.audit.supports import Supports, outside_draws
from tsoft.features.audit.tails import CutoffRange, Tails
from tsoft.sampling.step import Step

LEVEL, TOLERANCE = 0.01, 0.1
# The number of tests that share the level.
_TESTS = 3
# "No other cutoffs" is confirmed if a cutoff that the draws do not show would remove at most this probability.
NEGLIGIBLE = 0.05
# The coverage of the interval that is shown.
SHOWN_LEVEL = 0.95
# Top-k compares ranks, which no sampler before it changes.
_RANK_CUTOFF = "top_k"
_MAY_BE_AFTER = "the log-probabilities may come after the samplers"
# The number of temperatures of an interval at which cutoffs are tested, and the factor between its best temperature and
# the ends of an unbounded one.
_TAU_COUNT, _MAX_FACTOR = 5, 30.0
# Temperatures below this would underflow when they are multiplied.
_LOWEST_TAU = 1e-300


@dataclass(frozen=True, eq=False)
class Audit:
    """The audit of some draws. `level` is the probability of a false contradiction, and `tolerance` the relative error
    up to which the temperature is confirmed."""

    evidence: Evidence
    requested: Requested
    level: float = LEVEL
    tolerance: float = TOLERANCE

    @property
    def report(self) -> AuditReport:
        """All findings: about the temperature, each cutoff, other cutoffs, and fit."""
        settings = (self._temperature, *self._cutoffs, *self._unrequested)
        has_cause = any(finding.verdict is Verdict.CONTRADICTED for finding in settings)
        together = () if has_cause else tuple(self._together)
        findings = (*settings, *together, self._fit)
        counts = self.evidence.draws, self.draws.informative
        return AuditReport(findings, self.interval, *counts, has_request=self.requested.states_cutoffs)

    @cached_property
    def _supports(self) -> Supports:
        return Supports(self.evidence)

    @property
    def _test_level(self) -> float:
        """The level of one test."""
        return self.level / _TESTS

    @cached_property
    def draws(self) -> ConditionalDraws:
        """The draws from sets that no sampler removes."""
        taus = TAUS if self.requested.tau is None else sorted({1.0, max(self.requested.tau, 1e-3)})
        # Kept sets carry over from one row to another only if the cutoffs compare ranks, gaps or probabilities.
        usual = all(step.sampler.name in CUTOFFS for step in self.requested.cutoffs)
        rows = [DrawnClasses(row.counted_logits, row.counted_draws, row.unlisted) for row in self.evidence.rows]
        return draws_from_kept_sets(rows, taus if usual else ())

    @cached_property
    def _likelihood(self) -> TauLikelihood:
        return TauLikelihood(self.draws)

    @cached_property
    def _stated_likelihood(self) -> TauLikelihood:
        """The likelihood if the server applies only the requested cutoffs."""
        # At temperature 0, only the most probable class would be kept.
        tau = self.requested.tau or 1.0
        kept = self._supports.at(self.requested.chain, tau)
        rows = [
            DrawnClasses(
                np.where(support.certain, row.counted_logits, -inf), _within(row.counted_draws, support.certain)
            )
            for row, support in zip(self.evidence.rows, kept, strict=True)
        ]
        return TauLikelihood(draws_from_all_classes(rows))

    @cached_property
    def interval(self) -> TauInterval:
        """The interval of the temperature. If each row always draws the same class, only the upper end is known, and
        only if no cutoff removes the other classes."""
        likelihood = self._likelihood if self._likelihood.is_informative else self._stated_likelihood
        return likelihood.interval(SHOWN_LEVEL)

    def row_interval(self, r: int) -> TauInterval:
        """Return the temperature of one row alone."""
        return TauLikelihood(self.draws.row(r)).interval(SHOWN_LEVEL)

    @cached_property
    def _taus(self) -> list[float]:
        """The temperatures that the draws do not contradict: the ends and some in between."""
        if self.requested.tau == 0 and self._greedy_verdict[0] is not Verdict.CONTRADICTED:
            return [0.0]
        wide = self._likelihood.interval(1 - self._test_level)
        best = wide.tau if 0 < wide.tau < inf else 1.0
        ends = max(wide.low, best / _MAX_FACTOR), min(wide.high, best * _MAX_FACTOR)
        low, high = (min(max(end, _LOWEST_TAU), 1 / _LOWEST_TAU) for end in sorted(ends))
        taus = {wide.low, wide.high, *np.geomspace(low, high, _TAU_COUNT).tolist()}
        if self.requested.tau is not None and wide.low < self.requested.tau < wide.high:
            taus.add(self.requested.tau)
        return sorted(taus)

    @property
    def _cutoff_taus(self) -> list[float]:
        """The temperatures at which a draw must be outside a cutoff to contradict it. At the requested one, a server
        that applies the cutoff may draw it, even if the temperature itself is contradicted."""
        return sorted({*self._taus, *([] if self.requested.tau is None else [self.requested.tau])})

    # The temperature

    @property
    def _temperature(self) -> Finding:
        interval, requested = self.interval, self.requested.tau
        found = interval_text(interval)
        if requested is None:
            return Finding("tau", "", found, Verdict.NOTED, low=interval.low, high=interval.high)
        p_value = self._likelihood.p_value(requested) if requested > 0 else None
        verdict, reason = self._temperature_verdict(requested, p_value)
        needed = self._draws_for_tau(requested) if verdict is Verdict.INCONCLUSIVE else None
        return Finding(
            "tau",
            f"{requested:g}",
            found,
            verdict,
            p_value,
            needed,
            reason,
            low=interval.low,
            high=interval.high,
        )

    def _temperature_verdict(self, requested: float, p_value: float | None) -> tuple[Verdict, str]:
        if requested == 0:
            return self._greedy_verdict
        assert p_value is not None
        if not self._likelihood.is_informative:
            return Verdict.INCONCLUSIVE, "the draws cannot distinguish a low temperature from a cutoff"
        lowest = 1 / self.tolerance if requested == inf else requested * (1 - self.tolerance)
        if lowest <= self.interval.low and self.interval.high <= requested * (1 + self.tolerance):
            return Verdict.CONFIRMED, ""
        if p_value >= self._test_level:
            return Verdict.INCONCLUSIVE, ""
        if self.evidence.may_be_tempered and self._likelihood.p_value(1.0) >= self._test_level:
            reason = "the draws agree with the log-probabilities as they are, so these may come after the temperature"
            return Verdict.INCONCLUSIVE, reason
        return Verdict.CONTRADICTED, ""

    @cached_property
    def _greedy_verdict(self) -> tuple[Verdict, str]:
        """The verdict on temperature 0: each draw must be at the top, up to the noise."""
        for row in self.evidence.rows:
            top = row.logits.max(initial=-inf)
            if any(draw < 0 or row.logits[draw] < top - self.evidence.noise for draw in row.draws.tolist()):
                return Verdict.CONTRADICTED, "a draw is not the most probable class"
        if self._stated_likelihood.p_value(1.0) < self._test_level:
            return Verdict.CONFIRMED, ""
        return Verdict.INCONCLUSIVE, "a temperature of 1 explains the draws as well"

    def _draws_for_tau(self, requested: float) -> int | None:
        """Return about how many draws are enough for a verdict on the temperature: the width of the interval is
        inversely proportional to their square root. None if the interval is unbounded."""
        low, high = self.interval.low, self.interval.high
        if not 0 < low < high < inf or not 0 < requested < inf:
            return None
        ratio = log(high / low) / 2 / log(1 + self.tolerance)
        return ceil(self.evidence.draws * max(1.5, 2 * ratio**2))

    # The requested cutoffs

    @property
    def _is_stage_unknown(self) -> bool:
        """Whether the classes that the requested cutoffs keep depend on whether the log-probabilities come before or
        after the samplers, which is unknown. Top-k alone does not depend on it."""
        names = {step.sampler.name for step in self.requested.cutoffs}
        return self.evidence.may_be_tempered and bool(names - {_RANK_CUTOFF})

    @property
    def _cutoffs(self) -> Iterator[Finding]:
        findings = [self._cutoff(step) for step in self.requested.cutoffs]
        yield from findings
        if self._is_stage_unknown or any(finding.verdict is Verdict.CONTRADICTED for finding in findings):
            return
        outside = outside_draws(self._supports, self.requested.chain, self._cutoff_taus) if len(findings) > 1 else None
        if outside:
            names = ", ".join(map(str, self.requested.cutoffs))
            reason = f"{self._outside(outside.count, outside.example)}, although each sampler alone would keep them"
            yield Finding("order", names, "another order", Verdict.CONTRADICTED, 0.0, reason=reason)

    def _cutoff(self, step: Step) -> Finding:
        name, value = step.sampler.name, " ".join(str(step).split()[1:])
        finding = Finding(name, value, "", Verdict.INCONCLUSIVE)
        if values := self._agreeing_values(step):
            finding = replace(finding, found=str(values), low=values.low, high=values.high)
        if self._is_stage_unknown and name != _RANK_CUTOFF:
            return replace(finding, reason=_MAY_BE_AFTER)
        chain = self.requested.alone(step)
        if outside := outside_draws(self._supports, chain, self._cutoff_taus):
            reason = self._outside(outside.count, outside.example)
            return replace(finding, verdict=Verdict.CONTRADICTED, p_value=0.0, reason=reason)
        if outside := outside_draws(self._supports, chain, self._taus):
            reason = f"at the estimated temperature, {self._outside(outside.count, outside.example)}"
            return replace(finding, reason=f"{reason}, but not at the requested one")
        log_p = self._log_probability_inside(step)
        if log_p >= log(self._test_level):
            if self._log_probability_inside(step, is_certain=True) < log(self._test_level):
                reason = "the unlisted classes may have too much probability to find which classes it keeps"
                return replace(finding, reason=reason)
            # With a probability of 1, no number of draws is enough.
            needed = ceil(self.evidence.draws * log(self._test_level) / log_p) if log_p < -1e-9 else None
            return replace(finding, draws_needed=needed, reason="the draws would be about the same without it")
        if self._other_p_value < self._test_level:
            return replace(finding, reason="a stricter cutoff would hide it")
        return replace(finding, verdict=Verdict.CONFIRMED)

    def _agreeing_values(self, step: Step) -> CutoffRange | None:
        """Return the values of a requested cutoff that agree with the draws; None if they are not computed."""
        name = step.sampler.name
        if name not in CUTOFFS:
            return None
        if len(self.requested.cutoffs) > 1:
            if len(self.evidence.rows) > MOST_ROWS:
                return None
            taus = self._taus[:: max(1, (len(self._taus) - 1) // 2)]
            if values := RequestedRange(self._supports, self.requested, step, taus, self._test_level).values:
                return values
        others = Requested(self.requested.tau, self.requested.without(step))
        return Tails(self._supports, others, self._taus).range(name, self._test_level)

    def _outside(self, count: int, example: tuple[int, int]) -> str:
        r, index = example
        row = self.evidence.rows[r].block
        name = "an unlisted class" if index == UNLISTED else shortened(row.names[index])
        are = "draw is" if count == 1 else "draws are"
        return f"{count} {are} outside it, such as {name} in row {row.first_row}"

    def _log_probability_inside(self, step: Step, *, is_certain: bool = False) -> float:
        """Return the logarithm of the highest probability that no draw is outside a cutoff if it is not applied.

        Outside are the classes that it certainly removes or, with `is_certain`, all that it may remove.
        """
        rows, best = self.evidence.rows, -inf
        for tau in self._taus:
            without = self._supports.at(self.requested.without(step), tau)
            alone = self._supports.at(self.requested.alone(step), tau)
            total = 0.0
            for row, wide, narrow in zip(rows, without, alone, strict=True):
                weights = gap_weights(_gaps(np.where(wide.certain, row.counted_logits, -inf)), tau)
                draws = np.count_nonzero(_within(row.counted_draws, wide.certain) >= 0)
                if not draws:
                    continue
                inside = weights[narrow.certain if is_certain else narrow.possible].sum() / weights.sum()
                total += draws * log(min(1.0, inside)) if inside > 0 else -inf
            best = max(best, total)
        return best

    # Cutoffs that were not requested

    @cached_property
    def _tails(self) -> Tails:
        return Tails(self._supports, self.requested, self._taus)

    @cached_property
    def _other_p_value(self) -> float:
        return self._tails.other_p_value

    @property
    def _unrequested(self) -> Iterator[Finding]:
        """Yield the values of each cutoff that agree if it is the only other one, and the finding on all others."""
        requested = {step.sampler.name for step in self.requested.cutoffs}
        for name in CUTOFFS:
            if name not in requested:
                values = self._tails.range(name, self._test_level)
                # Unless it follows the temperature, a cutoff compares other probabilities.
                found = f"{values}{'' if self.requested.is_tempered(name) else ' before τ'}"
                yield Finding(name, "", found, Verdict.NOTED, low=values.low, high=values.high)
        if self.requested.states_cutoffs:
            yield self._other_cutoffs

    @property
    def _other_cutoffs(self) -> Finding:
        finding = Finding("other_cutoffs", "none", "unknown", Verdict.INCONCLUSIVE)
        if self._is_stage_unknown:
            return replace(finding, reason=_MAY_BE_AFTER)
        finding = replace(finding, p_value=self._other_p_value)
        if self._other_p_value < self._test_level:
            reason = "classes that should have been drawn never were"
            return replace(finding, found="some", verdict=Verdict.CONTRADICTED, reason=reason)
        removable = 1.0 - (1.0 - self._tails.removable) * (1.0 - self._unlisted_removable)
        finding = replace(finding, found=f"remove at most {100 * removable:.{2 if removable < 0.1 else 3}g} %")
        if self.evidence.may_be_tempered:
            return replace(finding, reason=_MAY_BE_AFTER)
        if removable <= NEGLIGIBLE:
            return replace(finding, verdict=Verdict.CONFIRMED)
        if self._unlisted_removable > NEGLIGIBLE:
            return replace(finding, reason="a cutoff may remove some of the unlisted classes")
        return replace(finding, draws_needed=ceil(self.evidence.draws * removable / NEGLIGIBLE))

    @cached_property
    def _unlisted_removable(self) -> float:
        """About the highest probability that a cutoff may remove from the classes that the rows do not list. It is the
        difference between their expected and actual share of the draws, plus two standard errors."""
        interval, rows, total = self.interval, self.evidence.rows, max(1, self.evidence.draws)
        is_possible = self.requested.tau is not None and interval.low <= self.requested.tau <= interval.high
        tau = self.requested.tau if is_possible and self.requested.tau else interval.tau
        kept = self._supports.at(self.requested.chain, tau)
        pairs = [(row, row.unlisted_bounds(tau)[1]) for row, each in zip(rows, kept, strict=True) if not each.lists_all]
        share = sum(len(row.draws) * unlisted for row, unlisted in pairs) / total
        drawn = sum(np.count_nonzero(row.counted_draws == UNLISTED) for row, _ in pairs) / total
        missing = share - drawn + 2.0 * sqrt(share * (1.0 - share) / total)
        return min(share, max(0.0, missing))

    @property
    def _together(self) -> Iterator[Finding]:
        """Yield a finding if the settings contradict the draws only together: either a lower temperature or another
        cutoff explains why some classes were never drawn. Its test is part of that of other cutoffs, so it needs no
        level of its own."""
        requested = self.requested.tau
        if requested is None or not self.requested.states_cutoffs or self.evidence.may_be_tempered:
            return
        p_value = Tails(self._supports, self.requested, [requested]).other_p_value
        if p_value < self._test_level:
            reason = "the temperature is lower than requested, or another cutoff removes classes"
            yield Finding(
                "together",
                f"τ {requested:g}, no other cutoffs",
                "at most one of them",
                Verdict.CONTRADICTED,
                p_value,
                None,
                reason,
            )

    # Fit

    @property
    def _fit(self) -> Finding:
        test = fit_test(self.draws, self.interval.tau)
        if test is None:
            return Finding("fit", "", "too few draws", Verdict.NOTED)
        found = f"p = {test.p_value:.2g}"
        if test.p_value >= self._test_level:
            return Finding("fit", "softmax", found, Verdict.CONFIRMED, test.p_value)
        reason = "no temperature explains the counts: something else changes the probabilities"
        return Finding("fit", "softmax", found, Verdict.CONTRADICTED, test.p_value, reason=reason)


def _gaps(z: Array) -> Array:
    """Return the gaps of logits to their maximum, inf for masked classes."""
    top = z.max(initial=-inf)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(z > -inf, top - z, inf)


def _within(draws: Array, kept: Array) -> Array:
    """Return the draws of kept classes, UNLISTED for the others."""
    return np.where((draws >= 0) & kept[draws], draws, UNLISTED) if len(kept) else draws


def interval_text(interval: TauInterval) -> str:
    """Return the temperature with its interval in words."""
    if interval.low == 0 and interval.high == inf:
        return "unknown"
    if interval.low == 0:
        return f"at most {interval.high:.4g}"
    if interval.high == inf:
        return f"at least {interval.low:.4g}"
    return f"{interval.tau:.4g} ({interval.low:.4g} to {interval.high:.4g})"
