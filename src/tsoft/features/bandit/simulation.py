"""Boltzmann exploration of a multi-armed bandit, in many independent runs at once.

At step k, a run draws an arm from softmax(Q / tau_k), where Q contains the average reward of each arm so far:

    Q_1(a) = 0        Q_{N+1}(a) = Q_N(a) + (R_N - Q_N(a)) / N

(Sutton & Barto 2018, "Reinforcement Learning: An Introduction", eq. 2.3 and eq. 2.11, with Q in place of the
preferences.) The regret is the true mean of the best arm minus that of the pulled arm, summed over the steps.
It does not contain the noise of the rewards (Lattimore & Szepesvari 2020, "Bandit Algorithms", lemma 4.5).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array, softmax

# The maximum number of estimates, runs × arms, in a block. Arrays for these take about 40 bytes each.
BLOCK_SIZE = 1 << 22

# A function from the mean of the arm that each run pulls, (runs,), to the rewards, (runs,).
Rewards = Callable[[Array, np.random.Generator], Array]


def gaussian(sd: float) -> Rewards:
    """Return normally distributed rewards with the standard deviation `sd`. Each takes one random number."""
    return lambda means, generator: means + sd * generator.standard_normal(len(means))


def bernoulli(means: Array, generator: np.random.Generator) -> Array:
    """Draw rewards of 1, with the means as probabilities, or 0. Each takes one uniform random number."""
    return (generator.random(len(means)) < means).astype(np.float64)


@dataclass(frozen=True, eq=False)
class BanditStep:
    """One step of all runs: the temperature, the probabilities of the arms in each run, (runs, n), the arm that
    each run pulls, (runs,), and the regret of each run so far, (runs,)."""

    tau: float
    probs: Array
    arms: Array
    regret: Array


def play(
    means: Array, taus: Array, runs: int, rewards: Rewards, generator: np.random.Generator
) -> Iterator[BanditStep]:
    """Simulate `runs` runs side by side, with one step per temperature.

    means: the mean reward of each arm, (n,), finite. At each step, a run takes one uniform number for its arm,
    the first whose cumulative probability is above it. Then it takes the numbers for its reward.

    Source: Sutton & Barto 2018, sections 2.3 and 2.4.

    >>> steps = list(play(np.array([0.0, 1.0]), np.zeros(3), 2, gaussian(0.0), np.random.default_rng(1)))
    >>> [step.arms.tolist() for step in steps], steps[-1].regret.tolist()
    ([[1, 1], [1, 1], [1, 1]], [0.0, 0.0])
    """
    estimates, pulls = np.zeros((2, runs, len(means)))
    gaps, run_indices = means.max() - means, np.arange(runs)
    for tau in taus.tolist():
        probs = softmax(estimates, tau)
        arms = draw_arms(probs, generator.random(runs))
        reward = rewards(means[arms], generator)
        pulls[run_indices, arms] += 1
        estimates[run_indices, arms] += (reward - estimates[run_indices, arms]) / pulls[run_indices, arms]
        yield BanditStep(tau, probs, arms, pulls @ gaps)


@dataclass(frozen=True, eq=False)
class RunBlock:
    """A number of runs that are simulated side by side, with their random numbers."""

    runs: int
    generator: np.random.Generator


def run_blocks(runs: int, arms: int, seed: int) -> Iterator[RunBlock]:
    """Yield the blocks of the runs. The size of a block depends only on the number of arms.

    The first block has the random numbers of the seed, as if it were the only one, and each other block has separate
    ones.

    >>> [block.runs for block in run_blocks(1000, 10_000, 1)]
    [419, 419, 162]
    """
    size = max(1, BLOCK_SIZE // arms)
    for i, first in enumerate(range(0, runs, size)):
        sequence = np.random.SeedSequence(seed, spawn_key=(i,) if i else ())
        yield RunBlock(min(size, runs - first), np.random.default_rng(sequence))


def draw_arms(probs: Array, uniform: Array) -> Array:
    """Draw an arm from each distribution, (rows, n), with a uniform number from [0, 1), (rows,).

    The arm is the first whose cumulative probability is above the number. It never has the probability 0.

    >>> draw_arms(np.array([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]), np.array([0.5, 0.0]))
    array([2, 1])
    """
    sums = probs.cumsum(1)
    # A uniform number times the last sum never rounds up to that sum.
    return np.asarray((sums <= uniform[:, np.newaxis] * sums[:, -1:]).sum(1))


@dataclass(frozen=True, eq=False)
class RunAverages:
    """The averages over `runs` runs.

    `taus` are the temperatures, `regret` the mean regret up to each step, `regret_se` its standard error, which is
    NaN for a single run, and `best_share` the share of runs that pull a best arm: (steps,) each. `probs` are the mean
    probabilities of the arms, (steps, n).
    """

    runs: int
    taus: Array
    regret: Array
    regret_se: Array
    best_share: Array
    probs: Array


def history(steps: Iterable[BanditStep], means: Array) -> RunAverages:
    """Return the averages over the runs at each step.

    >>> outcome = history(play(np.array([0.0, 1.0]), np.full(4, np.inf), 1, bernoulli, np.random.default_rng(1)),
    ...                 np.array([0.0, 1.0]))
    >>> outcome.best_share, outcome.regret
    (array([1., 0., 0., 1.]), array([0., 1., 2., 2.]))
    """
    is_best = means == means.max()
    runs, rows, probs = 0, [], []
    for step in steps:
        runs = len(step.arms)
        regret_se = step.regret.std(ddof=1) / np.sqrt(runs) if runs > 1 else np.nan
        rows.append((step.tau, step.regret.mean(), regret_se, is_best[step.arms].mean()))
        # numpy sums contiguous numbers pairwise, which is more accurate.
        probs.append(np.ascontiguousarray(step.probs.T).mean(1))
    taus, regret, regret_se, best_share = np.array(rows).T
    return RunAverages(runs, taus, regret, regret_se, best_share, np.array(probs))


def combined(first: RunAverages, second: RunAverages) -> RunAverages:
    """Return the averages over the runs of both histories (Chan, Golub & LeVeque 1979, "Updating formulae and a
    pairwise algorithm for computing sample variances", eq. 2.1).

    >>> ones = np.ones(1)
    >>> one, other = (
    ...     RunAverages(2, ones, np.array([mean]), ones / 2, ones, np.ones((1, 1))) for mean in (0.0, 1.0)
    ... )
    >>> both = combined(one, other)
    >>> both.runs, both.regret.tolist(), both.regret_se.round(4).tolist()
    (4, [0.5], [0.4082])
    """
    runs = first.runs + second.runs
    share = second.runs / runs

    def mean(a: Array, b: Array) -> Array:
        return a + (b - a) * share

    squares = sum(np.nan_to_num(each.regret_se) ** 2 * each.runs * (each.runs - 1) for each in (first, second))
    squares += (second.regret - first.regret) ** 2 * first.runs * share
    return RunAverages(
        runs,
        first.taus,
        mean(first.regret, second.regret),
        np.sqrt(squares / (runs - 1) / runs),
        mean(first.best_share, second.best_share),
        mean(first.probs, second.probs),
    )


@dataclass(frozen=True, eq=False)
class Exploration:
    """The history of arms with these means, (n,), along the schedule of this name, with a random seed."""

    schedule: str
    seed: int
    means: Array
    labels: tuple[str, ...] | None
    history: RunAverages

    @property
    def uniform_regret(self) -> float:
        """The expected regret of the same number of uniformly random pulls."""
        return float(len(self.history.taus) * (self.means.max() - self.means).mean())
