"""Where an engine, which works in float32, may keep other classes than exact arithmetic does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array, LogitsError
from tsoft.sampling.chain import Chain, applied, apply, left, start
from tsoft.sampling.errors import NothingLeftError
from tsoft.sampling.explanation import cutoff_of
from tsoft.sampling.samplers import Truncation
from tsoft.sampling.step import Step


@dataclass(frozen=True)
class FragileDecision:
    """A class, by its index, in a row, counted from 0, that a step keeps or removes for no good reason.
    It is one of several that tie, of which some stay; or in float32 it is decided otherwise, by a margin
    of `slack` in what the step compares."""

    row: int
    step: Step
    index: int
    ties: bool
    slack: float


def fragile_decisions(chain: Chain, z: Array, tau: float) -> list[FragileDecision]:
    """The first doubt of each of the rows, (rows, n), that has one; where nothing is left of a row in
    float32 it is the last. The float32 chain is the same functions on float32 numbers: its sums are
    rounded term by term, which an engine's may be in another order.

    >>> from tsoft.sampling.step import Step
    >>> from tsoft.sampling.sampler_table import SAMPLERS
    >>> chain = Chain((Step(SAMPLERS["top_k"], (1,)),))
    >>> [(doubt.index, doubt.ties) for doubt in fragile_decisions(chain, np.array([[1.0, 1.0]]), 1.0)]
    [(1, True)]
    """
    with np.errstate(all="ignore"):
        return list(_doubts(chain, z, tau))


def _doubts(chain: Chain, z: Array, tau: float) -> Iterator[FragileDecision]:
    # What float32 cannot hold is its largest number.
    limits = np.finfo(np.float32)
    narrow = np.where(np.isneginf(z), z, np.clip(z, limits.min, limits.max)).astype(np.float32)
    exact, rounded = start(np.asarray(z, np.float64)), start(narrow)
    doubted = np.zeros(len(z), bool)
    after = left(exact)
    for step in chain.at(tau):
        limit = cutoff_of(step, exact[-1].whole)
        exact = applied([step], exact)
        before, after = after, left(exact)
        try:
            rounded = apply(step, _in_width(step), rounded)
        except NothingLeftError as error:
            yield FragileDecision(error.row, step, int(z[error.row].argmax()), False, 0.0)
            return
        except LogitsError:
            # A number that float32 cannot hold: there is nothing to compare with.
            return
        if limit is None:
            continue
        tied = limit.splits_tie & ~doubted
        for row in np.flatnonzero(tied):
            removed = before[row] & ~after[row] & (limit.score[row] == limit.least[row])
            yield FragileDecision(int(row), step, int(removed.argmax()), True, 0.0)
        other = (after != left(rounded)) & ~(doubted | tied)[:, np.newaxis]
        for row in np.flatnonzero(other.any(-1) & np.isfinite(limit.slack)):
            index = int(np.where(other[row], z[row], -np.inf).argmax())
            yield FragileDecision(int(row), step, index, False, float(limit.slack[row]))
        doubted |= tied | other.any(-1)


def _in_width(step: Step) -> Callable[..., Array]:
    """The step's function, computed in the width of its logits."""
    function = step.sampler.function
    return function.in_width if isinstance(function, Truncation) else function
