"""The caveats of an engine that depend on the classes that a step counts."""

from collections.abc import Iterator

import numpy as np

from tsoft.core.softmax import Array, log_softmax
from tsoft.sampling.chain import Chain
from tsoft.sampling.engine import Caveat
from tsoft.sampling.engines import FROM_ABOVE, MASKING
from tsoft.sampling.mixture import Mixture


def counted_classes(chain: Chain, z: Array, tau: float) -> Iterator[tuple[Caveat, int, int]]:
    """Yield the caveats of the chain's engine that hold for z, (rows, n), with a row and a class, from 0, for which
    they hold. Raise AllRemovedError if a step removes every class of a row.

    >>> from tsoft.sampling.engines import ENGINES
    >>> from tsoft.sampling.step import Step
    >>> steps = tuple(Step(sampler, (0.9,)) for sampler in ENGINES["llama.cpp"].samplers if sampler.name == "typ_p")
    >>> z = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, -200.0]])
    >>> [(row, index) for _, row, index in counted_classes(Chain(steps, ENGINES["llama.cpp"]), z, 1.0)]
    [(1, 2)]
    """
    names = set().union(*(step.names for step in chain.steps))
    caveats = [each for each in chain.engine.caveats if each.log_prob is not None] if chain.engine else []
    if not any(names.issuperset(caveat.names) for caveat in caveats):
        return
    mixture = Mixture(np.asarray(z, np.float64)[np.newaxis])
    listed = np.ones(z.shape, bool)
    for step in chain.at(tau):
        before = mixture.full_logits[-1]
        for caveat in caveats:
            if step.names.issuperset(caveat.names):
                counted = listed & (log_softmax(before) <= caveat.log_prob)
                for row in np.flatnonzero(counted.any(-1))[:1]:
                    yield caveat, int(row), int(counted[row].argmax())
        mixture = mixture.apply(step)
        if step.sampler.name not in MASKING:
            removed = (before > -np.inf) & np.isneginf(mixture.full_logits[-1])
            # The engine sorts its list, so that masked classes, the last ones, are the first to leave it.
            is_shorter = removed.any(-1, keepdims=True) & (step.sampler.name not in FROM_ABOVE)
            listed &= ~(removed | np.isneginf(before) & is_shorter)
