"""A check for decisions that depend on a tie, or on rounding in an engine's float32 arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array, LogitsError
from tsoft.sampling.chain import Chain
from tsoft.sampling.explanation import step_cutoff
from tsoft.sampling.mixture import Mixture
from tsoft.sampling.step import AllRemovedError, Step


@dataclass(frozen=True)
class FragileDecision:
    """A step's decision about a class that depends on a tie or on rounding.

    `row` and `index` count from 0. With `is_tie`, the class is one of several that tie, and the step keeps only
    some of these: as many in float32. Otherwise float32 arithmetic decides differently: exact arithmetic decides by a
    difference of only `slack`, in the units that the step compares.
    """

    row: int
    step: Step
    index: int
    is_tie: bool
    slack: float


def fragile_decisions(chain: Chain, z: Array, tau: float) -> list[FragileDecision]:
    """Return the first fragile decision of each row of z, (rows, n), that has one.

    The list ends at a step in which float32 arithmetic keeps no class of a row. The float32 chain applies the
    same functions to float32 numbers: its sums are rounded term by term, possibly in another order than an
    engine's.

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
        cutoff = step_cutoff(step, exact.full_logits[-1])
        exact = exact.apply(step)
        kept = exact.kept
        try:
            rounded = rounded.apply(step)
        except AllRemovedError as error:
            yield FragileDecision(error.row, step, int(z[error.row].argmax()), False, 0.0)
            return
        except LogitsError:
            # float32 overflowed, so there is nothing to compare with.
            return
        if cutoff is None:
            continue
        # If float32 keeps as many classes, only those that tie differ.
        differs = kept != rounded.kept
        changes = differs.any(-1) & np.isfinite(cutoff.slack) & ~is_reported
        changes &= ~cutoff.splits_tie | (kept.sum(-1) != rounded.kept.sum(-1))
        is_tied = cutoff.splits_tie & ~is_reported & ~changes
        for row in np.flatnonzero(is_tied):
            removed = ~kept[row] & (cutoff.score[row] == cutoff.threshold[row])
            yield FragileDecision(int(row), step, int(removed.argmax()), True, 0.0)
        for row in np.flatnonzero(changes):
            index = int(np.where(differs[row], z[row], -np.inf).argmax())
            yield FragileDecision(int(row), step, index, False, float(cutoff.slack[row]))
        is_reported |= is_tied | differs.any(-1)
