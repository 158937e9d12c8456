"""One row of a partial distribution within a chain of samplers.

An API response lists the most probable classes. Of the unlisted ones only their total probability is known, and a
ceiling that none of them exceeds. So the numbers that samplers compare are intervals: a listed class is kept,
removed or undecided, and the unlisted classes are certainly all removed, or they may remain.
"""

import sys
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, log

import numpy as np

from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.sampling.partial_cutoffs import KnownRanks
from tsoft.sampling.samplers import MAX_EQUAL_GAP
from tsoft.sampling.three_valued import Decision, Range

# Numbers that overflow become these, because an infinity has no difference from another one.
LOWEST, HIGHEST = -sys.float_info.max, sys.float_info.max
# Sums of float64 probabilities differ by less than this, whatever the order of the terms.
SUM_ERROR = 1e-12


@dataclass(frozen=True)
class UnlistedLogits:
    """The logits of the unlisted classes, as a function of a class's log-probability u in the response:
    constant + slope·(u - origin) + curve·(u - origin)². With `all_remain`, no sampler has removed any of them."""

    origin: float
    constant: float
    slope: float
    curve: float = 0.0
    all_remain: bool = True

    def at(self, log_prob: float) -> float:
        """Return the logit of a class with this log-probability; at least that, if the terms overflow."""
        distance = log_prob - self.origin
        logit = self.constant + self.slope * distance + self.curve * distance * distance
        return HIGHEST if logit != logit else min(max(logit, LOWEST), HIGHEST)

    def divided(self, reference: float, tau: float) -> "UnlistedLogits":
        """Return (logit - reference) / tau."""
        if self.curve:
            constant = (self.constant - reference) / tau
            return replace(self, constant=constant, slope=self.slope / tau, curve=max(self.curve / tau, LOWEST))
        # With the origin at the reference, nothing cancels.
        return replace(self, origin=self._origin_at(reference), constant=0.0, slope=min(self.slope / tau, HIGHEST))

    def smoothed(self, maximum: float, factor: float) -> "UnlistedLogits":
        """Return -factor·(maximum - logit)²."""
        curve = max(-factor * self.slope * self.slope, LOWEST)
        return replace(self, origin=self._origin_at(maximum), constant=0.0, slope=0.0, curve=curve)

    def _origin_at(self, logit: float) -> float:
        return self.origin + (logit - self.constant) / self.slope

    def log_weights(self, partial: PartialDistribution) -> Range:
        """Return bounds on the logarithm of the sum of exp(logit) over these classes."""
        if self.curve:
            return Range(np.array(-inf), np.array(self._log_weight_of_curve(partial)))
        tau = np.array(1.0 / self.slope if self.slope else inf)
        low, high = partial.log_unlisted_weights(tau, self.origin)
        return Range(low + self.constant if self.all_remain else np.array(-inf), high + self.constant)

    def _log_weight_of_curve(self, partial: PartialDistribution) -> float:
        """Return the smaller of two bounds: the total probability times the largest exp(logit - u), and the number of
        classes times the largest exp(logit)."""
        best = min(partial.ceiling, self.origin + (1.0 - self.slope) / (2.0 * self.curve))
        by_mass = log(partial.max_unlisted_mass) + self.at(best) - best
        return by_mass if partial.unlisted is None else min(by_mass, log(partial.unlisted) + self.at(partial.ceiling))


@dataclass(frozen=True, eq=False)
class PartialRow:
    """The k listed classes after some steps of a chain, and what is known of the unlisted ones.

    `z` are the logits of the listed classes as printed, (k,), -inf for a removed class; `logit` are their bounds, which
    allow for the rounding of the printed numbers. `is_certain` marks the classes that certainly remain; the others are
    removed or undecided. `precedes` marks those that are at least as probable as any unlisted class. `unlisted` is None
    if the unlisted classes are certainly all removed.
    """

    partial: PartialDistribution
    z: Array
    logit: Range
    is_certain: Array
    precedes: Array
    unlisted: UnlistedLogits | None

    @classmethod
    def of(cls, partial: PartialDistribution) -> "PartialRow":
        """Return the row before any step. Its logits are those before the temperature that the server applied."""
        z = np.where(partial.unknown, -inf, partial.logprobs * partial.tau)
        errors = np.where(partial.unknown, 0.0, partial.errors * partial.tau)
        unlisted = UnlistedLogits(0.0, 0.0, partial.tau) if partial.ceiling > -inf else None
        cap = partial.cap * partial.tau
        # The drawn token may follow the list, even if it is as probable as the last alternative.
        precedes = np.where(np.arange(len(z)) == partial.index, z > cap, z >= cap)
        return cls(partial, z, Range(z - errors, z + errors), z > -inf, precedes, unlisted)

    @property
    def is_possible(self) -> Array:
        """The listed classes that are not certainly removed: (k,) booleans."""
        return np.asarray(self.z > -inf)

    @property
    def is_exact(self) -> bool:
        """Whether the remaining classes are known, and so their probabilities."""
        return self.unlisted is None and bool((self.is_possible == self.is_certain).all())

    @property
    def ceiling(self) -> float:
        """A logit that no remaining unlisted class exceeds."""
        return -inf if self.unlisted is None else self.unlisted.at(self.partial.ceiling)

    def keeping(self, decision: Decision) -> "PartialRow":
        """Return the row after a decision about the listed classes and, at the end, about the unlisted ones: whether
        all of them certainly remain, and whether any may."""
        possible, certain = decision.possible, decision.certain
        z, low, high = (np.where(possible[:-1], x, -inf) for x in (self.z, self.logit.low, self.logit.high))
        unlisted = self.unlisted if possible[-1] else None
        if unlisted and not certain[-1]:
            unlisted = replace(unlisted, all_remain=False)
        is_certain = self.is_certain & certain[:-1]
        return replace(self, z=z, logit=Range(low, high), is_certain=is_certain, unlisted=unlisted)

    def biased(self, biases: tuple[tuple[int, float], ...]) -> "PartialRow":
        """Return the row with numbers added to the logits of some listed classes."""
        added = np.zeros_like(self.z)
        for index, bias in biases:
            added[index] += bias
        z, low, high = (np.minimum(x + added, HIGHEST) for x in (self.z, self.logit.low, self.logit.high))
        precedes = (low > self.ceiling) | (self.precedes & (added >= 0))
        is_certain = self.is_certain & (z > -inf)
        return replace(self, z=z, logit=Range(low, high), is_certain=is_certain, precedes=precedes)

    def divided(self, tau: float) -> "PartialRow":
        """Return the row at a temperature."""
        if tau == 0.0:
            return self._coldest()
        maximum = float(self.z.max())
        if tau == inf:
            # As in a whole distribution, equally probable classes keep their order.
            tau = max(1.0, maximum - float(self.z[self.is_possible].min())) / MAX_EQUAL_GAP

        def scaled(x: Array) -> Array:
            return np.where(self.is_possible, np.clip((x - maximum) / tau, LOWEST, HIGHEST), -inf)

        logit = Range(scaled(self.logit.low), scaled(self.logit.high))
        unlisted = self.unlisted and self.unlisted.divided(maximum, tau)
        return replace(self, z=scaled(self.z), logit=logit, unlisted=unlisted)

    def _coldest(self) -> "PartialRow":
        """Return the limit at temperature 0: only the most probable classes remain, with equal probabilities."""
        lowest_maximum = self._maximum.low
        is_possible = self.is_possible & (self.logit.high >= lowest_maximum)
        z = np.where(is_possible, 0.0, -inf)
        unlisted = UnlistedLogits(0.0, 0.0, 0.0, all_remain=False) if self.ceiling >= lowest_maximum else None
        is_certain = is_possible & (unlisted is None and is_possible.sum() == 1)
        return replace(self, z=z, logit=Range(z, z), is_certain=is_certain, unlisted=unlisted)

    def bent(self, factor: float, curve: float) -> "PartialRow | None":
        """Return the row after smoothing with a cubic term; None unless all remaining classes are known."""
        if not self.is_exact:
            return None
        gaps = self._maximum - self.logit
        low, high = np.maximum(gaps.low, 0.0), np.maximum(gaps.high, 0.0)
        square, cube = factor * (3.0 - curve) / 2.0, factor * (curve - 1.0) / 2.0
        # The change of a logit is at most that of the distance times the steepest slope.
        steepest = 2.0 * abs(square) * high + 3.0 * abs(cube) * high**2
        gap = float(self.z.max()) - self.z
        z = np.clip(-(square + cube * gap) * gap**2, LOWEST, HIGHEST)
        errors = np.nan_to_num(np.where(self.is_possible, steepest * (high - low), 0.0), nan=0.0)
        z, lowest, highest = (np.where(self.is_possible, x, -inf) for x in (z, z - errors, z + errors))
        return replace(self, z=z, logit=Range(lowest, highest))

    def divided_between(self, z: Array, taus: Range) -> "PartialRow":
        """Return the row, whose classes are all listed, at a temperature above 0 that is known up to an interval.
        `z` are its new logits without regard to rounding, (k,)."""
        gaps = self._maximum - self.logit
        low, high = -np.maximum(gaps.high, 0.0) / taus.low, -np.maximum(gaps.low, 0.0) / taus.high
        low, high = (np.where(self.is_possible, np.clip(x, LOWEST, HIGHEST), -inf) for x in (low, high))
        return replace(self, z=z, logit=Range(np.minimum(low, z), np.maximum(high, z)))

    def smoothed(self, factor: float) -> "PartialRow | None":
        """Return the row after quadratic smoothing; None if the highest logit is undecided."""
        highest = self._maximum
        if self.logit.high[self.is_certain].max(initial=-inf) < highest.high:
            return None
        if factor == 0.0 or (self.unlisted and not self.unlisted.slope):
            return self

        def bent(gap: Array) -> Array:
            return np.where(self.is_possible, np.maximum(-factor * np.maximum(gap, 0.0) ** 2, LOWEST), -inf)

        maximum = float(self.z.max())
        gaps = highest - self.logit
        unlisted = self.unlisted and self.unlisted.smoothed(maximum, factor)
        return replace(self, z=bent(maximum - self.z), logit=Range(bent(gaps.high), bent(gaps.low)), unlisted=unlisted)

    def log_bounds(self) -> tuple[Array, Array]:
        """Return the logarithms of bounds on the probability of each listed class: (k,) each, NaN if unknown."""
        log_prob = self._log_prob
        low = np.where(self.is_certain, log_prob.low[:-1], -inf)
        high = np.where(self.is_possible, log_prob.high[:-1], -inf)
        unknown = self.partial.unknown & (self.unlisted is not None)
        return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)

    def ranks(self) -> KnownRanks:
        """Return what is known about the order and the probabilities of the classes."""
        logit, maximum, total = self._with_unlisted, self._maximum, self._log_total
        rank = self._rank
        ties_precede = np.append(rank.low[:-1], 1 + (self.is_certain & (self.logit.low > self.ceiling)).sum())
        gap = logit - maximum
        return KnownRanks(
            present=Decision(np.append(self.is_certain, False), logit.high > -inf),
            logit=logit,
            rank=rank,
            strict_rank=Range(ties_precede, rank.high),
            above=self._above,
            strict_above=self._strict_above,
            log_prob=self._log_prob,
            gap=Range(np.where(rank.high == 1, 0.0, gap.low), np.minimum(gap.high, 0.0)),
            log_top=Range(maximum.low - total.high, np.minimum(maximum.high - total.low, 0.0)),
            log_excess=self._log_excess,
        )

    @cached_property
    def _with_unlisted(self) -> Range:
        """The logits of the listed classes and of the most probable unlisted one: (k + 1,)."""
        return Range(np.append(self.logit.low, -inf), np.append(self.logit.high, self.ceiling))

    @cached_property
    def _maximum(self) -> Range:
        """The highest logit of all classes."""
        return Range(self.logit.low[self.is_certain].max(initial=-inf), self._with_unlisted.high.max())

    @cached_property
    def _log_unlisted(self) -> Range:
        """The logarithm of the sum of exp(logit) over the unlisted classes."""
        nothing = np.array(-inf)
        return self.unlisted.log_weights(self.partial) if self.unlisted else Range(nothing, nothing)

    @cached_property
    def _log_listed(self) -> Range:
        return Range(
            np.logaddexp.reduce(self.logit.low[self.is_certain], initial=-inf), np.logaddexp.reduce(self.logit.high)
        )

    @cached_property
    def _log_total(self) -> Range:
        listed, unlisted = self._log_listed, self._log_unlisted
        return Range(np.logaddexp(listed.low, unlisted.low), np.logaddexp(listed.high, unlisted.high))

    @cached_property
    def _log_prob(self) -> Range:
        """The logarithms of the probabilities of the classes, each for the case that it remains: (k + 1,)."""
        logit, total = self._with_unlisted, self._log_total
        # The smallest sums do not include an undecided class, but may include the unlisted one.
        smallest = np.logaddexp(np.where(np.append(self.is_certain, False), -inf, logit.high), total.low)
        smallest[-1] = max(total.low, np.logaddexp(self._log_listed.low, self.ceiling))
        high = np.where(logit.high > -inf, np.minimum(logit.high - smallest, 0.0), -inf)
        return Range(np.minimum(logit.low - total.high, high), high)

    @property
    def _log_excess(self) -> Range:
        """The logarithm of p_i / Σ p², which is that of exp(logit_i) · Σ exp(logit) / Σ exp(2·logit), of each class for
        the case that it remains: (k + 1,)."""
        unlisted = self._log_unlisted
        # An unlisted class has at most the weight of the ceiling, and they may all have next to none.
        of_unlisted = unlisted.high + self.ceiling if self.unlisted else -inf
        squares = Range(
            np.logaddexp.reduce(2.0 * self.logit.low[self.is_certain], initial=-inf) - SUM_ERROR,
            np.logaddexp(np.logaddexp.reduce(2.0 * self.logit.high), of_unlisted) + SUM_ERROR,
        )
        return self._with_unlisted + self._log_total - squares

    @cached_property
    def _precedes_unlisted(self) -> Array:
        """The listed classes that are certainly before all unlisted ones: (k,) booleans."""
        return self.precedes | (self.logit.low > self.ceiling)

    @cached_property
    def _rank(self) -> Range:
        """The ranks from 1: (k + 1,)."""
        lows, highs = np.sort(self.logit.low[self.is_certain]), np.sort(self.logit.high[self.is_possible])
        certainly_above = len(lows) - np.searchsorted(lows, self.logit.high, "right")
        # Each class is among those that are possibly above itself.
        possibly_above = len(highs) - np.searchsorted(highs, self.logit.low, "left") - self.is_possible
        above_unlisted = (self.is_certain & self._precedes_unlisted).sum()
        high = np.where(self._precedes_unlisted, possibly_above, inf)
        return Range(1 + np.append(certainly_above, above_unlisted), 1 + np.append(high, inf))

    @cached_property
    def _above(self) -> Range:
        """The probability of the classes before each class, for the case that it remains: (k + 1,).

        Each end is a quotient of two sums, over the classes before this one and over the others. Weights are relative
        to the highest, so that nothing overflows.
        """
        reference = self._maximum.high
        low, high = np.exp(self.logit.low - reference), np.exp(self.logit.high - reference)
        unlisted = Range(np.exp(self._log_unlisted.low - reference), np.exp(self._log_unlisted.high - reference))
        certain, undecided = self.is_certain, self.is_possible & ~self.is_certain
        precedes = self._precedes_unlisted
        by_low, by_high = _SortedSums(self.logit.low[certain]), _SortedSums(self.logit.high[self.is_possible])
        certain_by_high = _SortedSums(self.logit.high[certain])

        before_low = by_low.above(self.logit.high, low[certain])
        after_high = by_low.up_to(self.logit.high, high[certain]) + high[undecided].sum() + unlisted.high
        before_high = by_high.from_(self.logit.low, high[self.is_possible]) - high
        before_high = np.maximum(before_high, 0.0) + np.where(precedes, 0.0, unlisted.high)
        after_low = certain_by_high.below(self.logit.low, low[certain]) + low + np.where(precedes, unlisted.low, 0.0)

        before_unlisted = low[certain & precedes].sum()
        after_unlisted = high[~(certain & precedes)].sum() + unlisted.high
        shares = before_low / (before_low + after_high), before_high / (before_high + after_low)
        of_unlisted = before_unlisted / (before_unlisted + after_unlisted)
        return Range(
            np.append(np.nan_to_num(shares[0], nan=0.0), of_unlisted) - SUM_ERROR,
            np.append(np.nan_to_num(shares[1], nan=1.0), 1.0) + SUM_ERROR,
        )

    @cached_property
    def _strict_above(self) -> Range:
        """The probability of the more probable classes than each class: (k + 1,). It is as `_above`, in which ties may
        count or not, except that listed alternatives do not precede an unlisted class that ties with them."""
        highest = self._maximum.high
        low, high = np.exp(self.logit.low - highest), np.exp(self.logit.high - highest)
        certain = self.is_certain & (self.logit.low > self.ceiling)
        before = low[certain].sum()
        after = high[~certain].sum() + np.exp(self._log_unlisted.high - highest)
        lows = self._above.low.copy()
        lows[-1] = before / (before + after) - SUM_ERROR
        return Range(lows, self._above.high)


class _SortedSums:
    """Sums of numbers over the classes whose logit is above or below a limit."""

    def __init__(self, logits: Array):
        self._order = logits.argsort()
        self._sorted = logits[self._order]

    def above(self, limits: Array, values: Array) -> Array:
        return self._suffix(values)[np.searchsorted(self._sorted, limits, "right")]

    def from_(self, limits: Array, values: Array) -> Array:
        return self._suffix(values)[np.searchsorted(self._sorted, limits, "left")]

    def below(self, limits: Array, values: Array) -> Array:
        return self._prefix(values)[np.searchsorted(self._sorted, limits, "left")]

    def up_to(self, limits: Array, values: Array) -> Array:
        return self._prefix(values)[np.searchsorted(self._sorted, limits, "right")]

    def _prefix(self, values: Array) -> Array:
        return np.concatenate([[0.0], values[self._order].cumsum()])

    def _suffix(self, values: Array) -> Array:
        return np.concatenate([values[self._order][::-1].cumsum()[::-1], [0.0]])
