"""A check for decisions that depend on a tie, or on rounding in an engine's float32 arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsoft.core.softmax import Array, LogitsError, softmax
from tsoft.sampling.chain import Chain
from tsoft.sampling.cutoffs import Cutoff
from tsoft.sampling.explanation import step_cutoff
from tsoft.sampling.mixture import Mixture
from tsoft.sampling.step import AllRemovedError, Step

# The share by which float32 arithmetic may change a threshold, or a number that is compared with it.
_ROUNDING = 2.0**-21
# As a share of the largest compared number, if that is above 1: rounding reverses no decision with more slack.
_MAX_SLACK = 1e-4
# A probability that changes by more than this shows that a step without a cutoff decides differently.
_MIN_PROB_CHANGE = 1e-4


@dataclass(frozen=True)
class FragileDecision:
    """A step's decision about a class that depends on a tie or on rounding.

    `row` and `index` count from 0. With `is_tie`, the class is one of several that tie, of which the step keeps only
    some, as many in float32. Otherwise float32 arithmetic may decide differently.
    """

    row: int
    step: Step
    index: int
    is_tie: bool


def fragile_decisions(chain: Chain, z: Array, tau: float) -> list[FragileDecision]:
    """Return the first fragile decision of each row of z, (rows, n), that has one.

    A decision is fragile if it changes when the values of its sampler change by as little as float32 rounds, or when
    the chain is applied to float32 numbers. Neither an engine's order of operations nor its rounding is known. The
    list ends at a step in which float32 arithmetic keeps no class of a row.

    >>> from tsoft.sampling.step import Step
    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> chain = Chain((Step(SAMPLERS["top_k"], (1,)),))
    >>> [(decision.index, decision.is_tie) for decision in fragile_decisions(chain, np.array([[1.0, 1.0]]), 1.0)]
    [(1, True)]
    """
    with np.errstate(all="ignore"):
        return list(_fragile_decisions(chain, z, tau))


@dataclass(frozen=True, eq=False)
class _Decisions:
    """The classes about which a step may decide otherwise in an engine: (rows, n) booleans.

    float32 arithmetic decides differently about the `changed` ones, and may do so about the `near` ones. The `tied`
    ones are removed although they tie with a class that stays.
    """

    changed: Array
    near: Array
    tied: Array

    @property
    def is_tie(self) -> Array:
        """Whether a tie is the only cause: (rows,)."""
        return np.asarray(self.tied.any(-1) & ~(self.changed | self.near).any(-1))

    @property
    def fragile(self) -> Array:
        """The classes in question: in each row, only those that tie, or only those that rounding concerns."""
        return np.where(self.is_tie[:, np.newaxis], self.tied, self.changed | self.near)


def _fragile_decisions(chain: Chain, z: Array, tau: float) -> Iterator[FragileDecision]:
    # Numbers beyond float32's range become its largest.
    limits = np.finfo(np.float32)
    narrow = np.where(np.isneginf(z), z, np.clip(z, limits.min, limits.max)).astype(np.float32)
    exact, rounded = Mixture(np.asarray(z, np.float64)[np.newaxis]), Mixture(narrow[np.newaxis])
    is_reported = np.zeros(len(z), bool)
    for step in chain.at(tau):
        before = exact.full_logits[-1]
        exact = exact.apply(step)
        try:
            rounded = rounded.apply(step)
        except AllRemovedError as error:
            yield FragileDecision(error.row, step, int(z[error.row].argmax()), False)
            return
        except LogitsError:
            # float32 overflowed, so there is nothing to compare with.
            return
        # A temperature has no threshold, and biases and penalties choose classes by their indices.
        if step.sampler.uses_indices or step.sampler.is_temperature:
            continue
        decisions = _decisions(step, before, exact.full_logits, rounded.full_logits)
        fragile, is_tie = decisions.fragile, decisions.is_tie
        for row in np.flatnonzero(fragile.any(-1) & ~is_reported):
            index = int(np.where(fragile[row], z[row], -np.inf).argmax())
            yield FragileDecision(int(row), step, index, bool(is_tie[row]))
        is_reported |= fragile.any(-1)


def _decisions(step: Step, before: Array, exact: Array, rounded: Array) -> _Decisions:
    """Return a step's decisions, from the logits before it, (rows, n), and the exact and the float32 logits after it,
    (components, rows, n)."""
    cutoff = step_cutoff(step, before)
    kept, kept_rounded = exact > -np.inf, rounded > -np.inf
    tied = _tied(cutoff, before, kept[-1])
    # If float32 keeps as many of the classes that tie, nothing else differs.
    is_resized = (kept.sum(-1) != kept_rounded.sum(-1)).any(0)
    changed = (kept != kept_rounded).any(0) & (is_resized | ~tied.any(-1))[:, np.newaxis]
    return _Decisions(changed, _near(step, cutoff, before, exact[-1]), tied)


def _tied(cutoff: Cutoff | None, before: Array, kept: Array) -> Array:
    """Return the removed classes that tie with one that the step keeps: (rows, n) booleans, from the logits before the
    step and the classes that it keeps."""
    removed = ~kept & (before > -np.inf)
    if cutoff is not None:
        is_split = (cutoff.score == cutoff.threshold) & cutoff.splits_tie[:, np.newaxis]
        return np.asarray(removed & is_split)
    return removed & np.stack([np.isin(z, z[stays]) for z, stays in zip(before, kept, strict=True)])


def _near(step: Step, cutoff: Cutoff | None, before: Array, after: Array) -> Array:
    """Return the classes about which a step decides by less than float32 may round: (rows, n) booleans, from the logits
    before the step and after it."""
    near = np.zeros(before.shape, bool)
    is_close = np.ones(len(before), bool)
    if cutoff is not None:
        is_close = cutoff.slack < _MAX_SLACK * _largest(cutoff)
        if cutoff.order_is_rounded:
            near |= _exchangeable(cutoff)
    if not is_close.any():
        return near
    for sign in (-1, 1):
        arguments = _scaled(step, 1 + sign * _ROUNDING)
        if arguments == step.arguments:
            continue
        changed = step.sampler.function(before[is_close], *arguments)
        near[is_close] |= (
            _changes(after[is_close], changed) if cutoff is None else changed.kept != cutoff.kept[is_close]
        )
    return near


def _largest(cutoff: Cutoff) -> Array:
    """Return the largest absolute value of the finite numbers that a cutoff compares, at least 1: (rows,)."""
    compared = cutoff.score if cutoff.compared is None else cutoff.compared
    return np.asarray(abs(np.where(np.isfinite(compared), compared, 0)).max(-1, initial=1))


def _exchangeable(cutoff: Cutoff) -> Array:
    """Return the removed classes whose score rounding may raise above that of a kept one: (rows, n) booleans."""
    kept, threshold = cutoff.kept, cutoff.threshold
    is_beside = abs(cutoff.score - threshold) <= _ROUNDING * (1 + abs(threshold))
    return np.asarray(is_beside & ~kept & (is_beside & kept).any(-1, keepdims=True))


def _scaled(step: Step, factor: float) -> tuple[Any, ...]:
    """Return the arguments of a step, those that are not whole numbers multiplied by a factor, within their ranges."""
    parameters = step.sampler.parameters[len(step.sampler.parameters) - len(step.arguments) :]
    pairs = zip(parameters, step.arguments, strict=True)
    return tuple(
        value if value is None or parameter.whole else min(value * factor, parameter.high) for parameter, value in pairs
    )


def _changes(first: Array, second: Array) -> Array:
    """Return the classes that only one of two results of a step keeps, or whose probability changes in a row with the
    same classes: (rows, n) booleans."""
    flips = (first > -np.inf) != (second > -np.inf)
    moves = abs(softmax(first) - softmax(second)) > _MIN_PROB_CHANGE
    return np.where(flips.any(-1, keepdims=True), flips, moves)
