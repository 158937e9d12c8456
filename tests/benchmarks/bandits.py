"""Boltzmann exploration of a bandit: a thousand runs at once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pairs import Measure, Pair, call
from startup import NUMPY, start

from tsoft.core.schedules import cosine
from tsoft.core.softmax import Array
from tsoft.features.bandit.simulation import gaussian, history, play

ARMS, STEPS, RUNS = 10, 1000, 1000
MEANS, TAUS = np.linspace(0, 1, ARMS), cosine(5, 0.1, STEPS)


def plain(generator: np.random.Generator) -> Array:
    """Return the mean cumulative regret at each step, in a direct numpy implementation."""
    estimates, pulls = np.zeros((RUNS, ARMS)), np.zeros((RUNS, ARMS))
    regret, runs, steps = np.zeros(RUNS), np.arange(RUNS), []
    for tau in TAUS:
        weights = np.exp((estimates - estimates.max(1, keepdims=True)) / tau)
        probs = weights / weights.sum(1, keepdims=True)
        arms = np.minimum((probs.cumsum(1) <= generator.random((RUNS, 1))).sum(1), ARMS - 1)
        reward = generator.normal(MEANS[arms], 1.0)
        pulls[runs, arms] += 1
        estimates[runs, arms] += (reward - estimates[runs, arms]) / pulls[runs, arms]
        regret += MEANS.max() - MEANS[arms]
        steps.append((regret.mean(), regret.std(), probs.mean(0)))
    return np.array([mean for mean, *_ in steps])


def explore(_: Path) -> tuple[Measure, Measure]:
    def ours() -> object:
        return history(play(MEANS, TAUS, RUNS, gaussian(1.0), np.random.default_rng(1)), MEANS)

    return call(ours), call(lambda: plain(np.random.default_rng(1)))


PAIRS: Sequence[Pair] = (
    Pair(f"bandit: {RUNS} runs × {STEPS} steps, {ARMS} arms", "plain numpy", explore, 1.5, "numpy", 5, min),
    start(f"bandit {' '.join(map(str, range(ARMS)))} --seed 1", NUMPY, task=f"tsoft bandit, {ARMS} arms, in a pipe"),
    start("anneal --schedule all", NUMPY),
)
