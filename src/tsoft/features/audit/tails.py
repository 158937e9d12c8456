"""The tails of distributions, from which nothing was drawn: whether a cutoff removed them, and which cutoffs agree.

A cutoff keeps the classes with a score up to its value. The score of top-k is the rank, that of top-p the cumulative
probability of the more probable classes, and that of min-p the gap to the most probable class. Let s be the highest
score among the draws. If the classes of a set K are kept, the probability that no draw has a higher score than s is

    P(K) = product over the draws of P(score <= s | K)

so a set with a small P(K) is rejected. Without another cutoff, K are all classes that the requested samplers keep. With
another cutoff, they are those of them that it keeps as well. The smallest P of the three scores is multiplied by three
(Bonferroni). If lists contain only some of the classes, the number of unlisted draws is one more test.

The temperature is unknown as well, so each P is the maximum over an interval of temperatures (Berger & Boos 1994, "P
values maximized over a confidence set for the nuisance parameter", JASA 89).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, inf

import numpy as np

from tsoft.core.gap_weights import gap_weights
from tsoft.core.softmax import Array
from tsoft.features.audit.evidence import DrawnRow
from tsoft.features.audit.requested import CUTOFFS, Requested
from tsoft.features.audit.supports import Support, Supports
from tsoft.features.audit.unlisted_draws import log_probability_of_fewer

# The number of bisections for the end of a range of values.
STEPS = 50


@dataclass(frozen=True, eq=False)
class _KeptRow:
    """The classes that the requested samplers keep of a row, the most probable first.

    `gaps` are the differences of their logits from the highest, (m,). `cumulative` are the probabilities of the first
    1, 2, ... of these classes among all of them, (m,). `draws` are the places of the draws among them. `has_rest` says
    whether the samplers may keep other classes, listed or not.
    """

    gaps: Array
    cumulative: Array
    draws: Array
    source: DrawnRow
    has_rest: bool


def _kept_row(row: DrawnRow, support: Support, tau: float) -> _KeptRow:
    kept = row.order[(support.certain & row.is_counted)[row.order]]
    places = np.full(len(row.logits), -1)
    places[kept] = np.arange(len(kept))
    draws = row.counted_draws
    draws = places[draws[draws >= 0]]
    z = row.logits[kept]
    with np.errstate(over="ignore"):
        gaps = z[:1] - z
    cumulative = gap_weights(gaps, tau).cumsum()
    return _KeptRow(gaps, cumulative / cumulative[-1:], draws[draws >= 0], row, not support.lists_all)


def _ranks(row: _KeptRow, tau: float) -> Array:
    """Return top-k's score."""
    return np.arange(1.0, len(row.gaps) + 1)


def _cumulative_before(row: _KeptRow, tau: float) -> Array:
    """Return top-p's score."""
    cumulative = gap_weights(row.gaps, tau).cumsum()
    if not len(cumulative):
        return cumulative
    # A lower bound, with the highest possible probability of the rest.
    share = 1.0 - row.source.unlisted_bounds(tau)[1] * row.has_rest
    return np.asarray(share * np.concatenate([np.zeros(1), cumulative[:-1]]) / cumulative[-1:])


def _negative_ratios(row: _KeptRow, tau: float) -> Array:
    """Return min-p's score: the negative of the ratio to the highest probability, which ascends."""
    return -gap_weights(row.gaps, tau)


_SCORES: dict[str, Callable[[_KeptRow, float], Array]] = {
    "top_k": _ranks,
    "top_p": _cumulative_before,
    "min_p": _negative_ratios,
}


@dataclass(frozen=True, eq=False)
class _Scores:
    """The scores of one cutoff at one temperature: for each row, those of its classes, in ascending order."""

    rows: Sequence[_KeptRow]
    scores: Sequence[Array]

    @cached_property
    def highest(self) -> float:
        """The highest score among the draws, -inf without draws."""
        pairs = zip(self.rows, self.scores, strict=True)
        return max((float(scores[row.draws.max()]) for row, scores in pairs if len(row.draws)), default=-inf)

    def kept(self, value: float) -> Array:
        """Return the number of classes of each row with a score up to a value: (rows,)."""
        return np.array([np.searchsorted(scores, value, "right") for scores in self.scores])


@dataclass(frozen=True, eq=False)
class _AtTau:
    """The classes that the requested samplers keep at one temperature, with the scores of each cutoff."""

    rows: Sequence[_KeptRow]
    scores: dict[str, _Scores]

    @cached_property
    def _draws(self) -> Array:
        return np.array([len(row.draws) for row in self.rows])

    def _log_probability(self, kept: Array) -> float:
        """Return ln P that all draws are among the first classes of their rows, whose numbers are `kept`."""
        logs = [
            len(row.draws) * np.log(row.cumulative[min(count, len(row.cumulative)) - 1])
            for row, count in zip(self.rows, kept.tolist(), strict=True)
            if len(row.draws)
        ]
        return float(sum(logs))

    @cached_property
    def _up_to_draws(self) -> list[Array]:
        """For each cutoff, the number of classes of each row with a score up to the highest one of the draws."""
        return [scores.kept(scores.highest) for scores in self.scores.values()]

    def p_value(self, name: str | None, value: float = inf) -> float:
        """Return the p-value of a cutoff, or of no other cutoff."""
        everything = np.array([len(row.cumulative) for row in self.rows])
        kept = everything if name is None else self.scores[name].kept(value)
        whole = self._log_probability(kept)
        logs = [self._log_probability(np.minimum(kept, shown)) - whole for shown in self._up_to_draws]
        return min(1.0, len(logs) * exp(min(0.0, *logs)))

    @property
    def removable(self) -> float:
        """The highest probability that a cutoff may remove without removing a draw: the mean over the draws."""
        logs = [self._log_probability(shown) for shown in self._up_to_draws]
        return 1.0 - exp(min(logs) / max(1, self._draws.sum()))


@dataclass(frozen=True)
class CutoffRange:
    """The values of a cutoff that agree with the draws if there is no other one: from `low` to `high`.

    The draws determine the strictest value: `high` for min-p, and `low` for the others. The other end is None if the
    draws also agree without a cutoff. Both are None if no value agrees.
    """

    name: str
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None and self.high is None:
            return "no value"
        if self.low is None:
            return f"at most {self.high:.4g}"
        if self.high is None:
            return f"at least {self.low:.4g}"
        return f"{self.low:.4g} to {self.high:.4g}"


@dataclass(frozen=True, eq=False)
class Tails:
    """The classes that the requested samplers keep, at several temperatures."""

    supports: Supports
    requested: Requested
    taus: Sequence[float]

    @cached_property
    def _at_taus(self) -> list[_AtTau]:
        return [self._at(tau) for tau in self.taus]

    def _at(self, tau: float) -> _AtTau:
        pairs = zip(self.supports.evidence.rows, self.supports.at(self.requested.chain, tau), strict=True)
        kept = [_kept_row(row, support, tau) for row, support in pairs]
        taus = {name: tau if self.requested.is_tempered(name) else 1.0 for name in CUTOFFS}
        return _AtTau(kept, {name: _Scores(kept, [_SCORES[name](row, taus[name]) for row in kept]) for name in CUTOFFS})

    def p_value(self, name: str | None = None, value: float = inf) -> float:
        """Return the p-value of a cutoff, or of no other cutoff."""
        return max(each.p_value(name, value) for each in self._at_taus)

    @property
    def other_p_value(self) -> float:
        """The p-value of no other cutoff, from the listed draws and the number of unlisted ones."""
        return max(self._other_p_value(each, tau) for each, tau in zip(self._at_taus, self.taus, strict=True))

    def _other_p_value(self, at_tau: _AtTau, tau: float) -> float:
        evidence = self.supports.evidence
        # If a cutoff was requested, or the lists come after one, it is unknown how much unlisted probability is kept.
        is_whole = not self.requested.cutoffs and not evidence.may_be_tempered
        fewer = log_probability_of_fewer(evidence, tau) if is_whole else None
        if fewer is None:
            return at_tau.p_value(None)
        tests = len(CUTOFFS)
        return min(1.0, (tests + 1) * min(at_tau.p_value(None) / tests, exp(fewer)))

    @property
    def removable(self) -> float:
        """The highest probability that a cutoff may remove without removing a draw."""
        return max(each.removable for each in self._at_taus)

    def range(self, name: str, level: float) -> CutoffRange:
        """Return the range of a cutoff. `level` is the p-value below which a value is rejected."""
        strictest = min(each.scores[name].highest for each in self._at_taus)
        if strictest == -inf:
            return CutoffRange(name, None, None)
        loosest: float | None = None
        if self.p_value() < level:
            if self.p_value(name, strictest) < level:
                return CutoffRange(name, None, None)
            ends = [scores[-1] for each in self._at_taus for scores in each.scores[name].scores if len(scores)]
            loosest = furthest(
                lambda value: self.p_value(name, value) >= level, strictest, float(max(ends)), whole=name == "top_k"
            )
        if name == "min_p":
            return CutoffRange(name, None if loosest is None else -loosest, -strictest)
        return CutoffRange(name, strictest, loosest)


def furthest(holds: Callable[[float], bool], start: float, end: float, *, whole: bool, steps: int = STEPS) -> float:
    """Return the value nearest to the end for which a condition holds, by bisection. It must hold at the start. `whole`
    is for whole numbers."""
    for _ in range(steps):
        if whole and abs(end - start) <= 1:
            break
        middle = float(int((start + end) / 2)) if whole else (start + end) / 2
        start, end = (middle, end) if holds(middle) else (start, middle)
    return start
