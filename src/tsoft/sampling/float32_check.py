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
# Farther from the threshold than this, no rounding changes a decision.
_FAR = 1e-4
# A probability that changes by more than this shows that a step without a cutoff decides differently.
_CHANGE = 1e-4


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
        if step.sampler.uses_indices or step.sampler.is_temperature:
            continue
        kept, kept_rounded = exact.full_logits > -np.inf, rounded.full_logits > -np.inf
        differs, is_resized = (kept != kept_rounded).any(0), (kept.sum(-1) != kept_rounded.sum(-1)).any(0)
        cutoff = step_cutoff(step, before)
        tied = _tied(cutoff, before, kept[-1])
        # If float32 keeps as many of the classes that tie, nothing else differs.
        differs &= (is_resized | ~tied.any(-1))[:, np.newaxis]
        rounding = differs | _near(step, cutoff, before, exact.full_logits[-1])
        is_tie = tied.any(-1) & ~rounding.any(-1)
        classes = np.where(is_tie[:, np.newaxis], tied, rounding)
        for row in np.flatnonzero(classes.any(-1) & ~is_reported):
            index = int(np.where(classes[row], z[row], -np.inf).argmax())
            yield FragileDecision(int(row), step, index, bool(is_tie[row]))
        is_reported |= classes.any(-1)


def _tied(cutoff: Cutoff | None, before: Array, kept: Array) -> Array:
    """Return the removed classes that tie with one that the step keeps: (rows, n) booleans, from the logits before the
    step and the classes that it keeps."""
    removed = ~kept & (before > -np.inf)
    if cutoff is not None:
        is_split = (cutoff.score == cutoff.threshold) & cutoff.splits_tie[..., np.newaxis]
        return np.asarray(removed & is_split)
    for z, out, stays in zip(before, removed, kept, strict=True):
        out &= np.isin(z, z[stays])
    return removed


def _near(step: Step, cutoff: Cutoff | None, before: Array, after: Array) -> Array:
    """Return the classes about which a step decides by less than float32 may round: (rows, n) booleans, from the logits
    before the step and after it."""
    near = np.zeros(before.shape, bool)
    if cutoff is not None and cutoff.order_is_rounded:
        threshold = cutoff.threshold
        beside = abs(cutoff.score - threshold) <= _ROUNDING * (1 + abs(threshold))
        near |= beside & ~cutoff.kept & (beside & cutoff.kept).any(-1, keepdims=True)
    if cutoff is not None and not (cutoff.slack < _FAR).any():
        return near
    for sign in (-1, 1):
        arguments = _scaled(step, 1 + sign * _ROUNDING)
        if arguments == step.arguments:
            continue
        changed = step.sampler.function(before, *arguments)
        near |= _changes(after, changed) if cutoff is None else changed.kept != cutoff.kept
    return near


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
    moves = abs(softmax(first) - softmax(second)) > _CHANGE
    return np.where(flips.any(-1, keepdims=True), flips, moves)
