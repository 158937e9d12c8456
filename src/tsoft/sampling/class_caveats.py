"""The caveats of an engine that depend on the classes that a step counts."""

from collections.abc import Iterator, Sequence
from math import log

import numpy as np

from tsoft.core.softmax import Array, log_softmax
from tsoft.sampling.chain import Chain
from tsoft.sampling.engine import Caveat
from tsoft.sampling.mixture import Mixture
from tsoft.sampling.step import Step


def caveats_of_rows(chain: Chain, z: Array, tau: float, caveats: Sequence[Caveat]) -> Iterator[tuple[Caveat, int, int]]:
    """Yield those of the caveats, of the chain's engine, that hold for z, (rows, n), with a row and a class, from 0,
    for which they hold. Raise AllRemovedError if a step before the last of them removes every class of a row.

    >>> from tsoft.sampling.engines import ENGINES
    >>> engine = ENGINES["llama.cpp"]
    >>> chain = Chain(tuple(Step(sampler, (0.9,)) for sampler in engine.samplers if sampler.name == "typ_p"), engine)
    >>> z = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, -200.0]])
    >>> [(row, index) for _, row, index in caveats_of_rows(chain, z, 1.0, engine.caveats)]
    [(1, 2)]
    >>> list(caveats_of_rows(chain, z, 1.0, engine.caveats[1:]))
    []
    """
    steps = _until_last_caveat(chain.at(tau), caveats)
    if not steps:
        return
    mixture = Mixture(np.asarray(z, np.float64)[np.newaxis])
    listed = np.ones(z.shape, bool)
    for i, (step, step_caveats) in enumerate(steps):
        before = mixture.full_logits[-1]
        for caveat in step_caveats:
            counted = listed & _is_at_most(caveat.max_log_prob, before)
            if counted.any():
                row, index = np.argwhere(counted)[0].tolist()
                yield caveat, row, index
        if i + 1 < len(steps):
            mixture = mixture.apply(step)
            listed &= _remaining(chain, step, before, mixture.full_logits[-1])


def _is_at_most(log_prob: float | None, z: Array) -> Array:
    """Return whether each class has at most a log-probability: (rows, n) booleans."""
    assert log_prob is not None
    # The log-sum-exp is at most the highest logit plus ln n. This comparison is cheap, and usually enough.
    is_low = z <= z.max(-1, keepdims=True) + (log_prob + log(z.shape[-1]))
    return np.asarray(is_low & (log_softmax(z) <= log_prob) if is_low.any() else is_low)


def _until_last_caveat(steps: Sequence[Step], caveats: Sequence[Caveat]) -> list[tuple[Step, list[Caveat]]]:
    """Return the steps up to the last one with a caveat that depends on its classes, each with these caveats."""
    pairs = [
        (step, [each for each in caveats if each.max_log_prob is not None and step.names.issuperset(each.names)])
        for step in steps
    ]
    while pairs and not pairs[-1][1]:
        pairs.pop()
    return pairs


def _remaining(chain: Chain, step: Step, before: Array, after: Array) -> Array:
    """Return the classes that a step leaves in the engine's list of candidates, if they were in it: (rows, n)
    booleans, from the logits before the step and after it."""
    if chain.engine is None or step.sampler.name in chain.engine.masking:
        return np.ones(before.shape, bool)
    removed = (before > -np.inf) & np.isneginf(after)
    if step.sampler.name == "xtc":
        # XTC removes from the top of the sorted list, so the masked classes at its end stay.
        return ~removed
    return ~(removed | np.isneginf(before) & removed.any(-1, keepdims=True))
