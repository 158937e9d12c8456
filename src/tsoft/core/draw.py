"""Draws from a distribution, one by one or only counted.

Both are exact up to the rounding of the probabilities, and a class of probability 0 is never drawn.

A draw inverts the cumulative sum: it is the first class whose sum is above a uniform number, so that
each takes one number from the stream and the first draws of many are those of few. Most are read off
a guide table, which cuts [0, 1) into equal cells and knows those that lie within one class (Chen &
Asau 1974, "On generating random variates from an empirical distribution", AIIE Transactions 6).

Counts are a multinomial vector. It is worked from binomial numbers, as in the conditional method of
Davis 1993, "The computer generation of multinomial random variates", Computational Statistics & Data
Analysis 16, but by halves: the draws are parted between the classes' two halves, then within each.
numpy's own goes class by class and subtracts what is left, of which at the end only rounding remains:
of 2^60 draws it gives some to a last class of probability 0.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tsoft.core.softmax import Array

# The kinds of sample, each with a stream of its own.
DRAWS, COUNTS = 0, 1
# So many draws are made at once, and their scratch stays in a core's cache.
PIECE = 1 << 16
# A guide table has so many cells a class, and at most so many in all: then its 4 MB still are in a
# near cache.
CELLS, MOST_CELLS = 64, 1 << 20
# A table pays from so many draws a class on.
GUIDED = 4


def generator(seed: int, row: int, kind: int) -> np.random.Generator:
    """The stream of a row's sample of a kind: it depends on nothing else, so that neither the rows
    before it nor how they come in blocks change it, and every temperature of a row has the same.

    >>> generator(1, 0, DRAWS).random() == generator(1, 0, DRAWS).random()
    True
    >>> generator(1, 0, DRAWS).random() == generator(1, 1, DRAWS).random()
    False
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(row, kind)))


def draws(probs: Array, count: int, generator: np.random.Generator) -> Iterator[Array]:
    """`count` independent draws, in pieces: int64 indices of classes.

    probs: probabilities, (n,), or any weights. The first draws of many are those of fewer.

    Raises ValueError for weights that are negative, NaN or all 0. Source: Devroye 1986,
    "Non-Uniform Random Variate Generation", sections III.2.1 and III.2.4.

    >>> [piece] = draws(np.array([0.5, 0.0, 0.5]), 8, generator(1, 0, DRAWS))
    >>> set(piece.tolist()) == {0, 2}
    True
    """
    sums = _checked(probs).cumsum()
    sums /= sums[-1]
    find = _guided(sums) if count >= GUIDED * len(sums) else _searched(sums)
    for first in range(0, count, PIECE):
        yield find(generator.random(min(PIECE, count - first)))


def counts(probs: Array, count: int, generator: np.random.Generator) -> Array:
    """How often each class comes in `count` draws: (n,) int64.

    probs and errors as for `draws`; count: up to 2^62. It takes as long for many draws as for few.

    >>> counts(np.array([0.5, 0.0, 0.5]), 10**18, generator(1, 0, COUNTS)).sum() == 10**18
    np.True_
    """
    probs = _checked(probs)
    masses = [np.zeros(1 << (len(probs) - 1).bit_length())]
    masses[0][: len(probs)] = probs
    while len(masses[-1]) > 1:
        masses.append(masses[-1].reshape(-1, 2).sum(1))
    found = np.array([count], np.int64)
    for mass in masses[-2::-1]:
        found = _parted(found, mass.reshape(-1, 2), generator)
    return found[: len(probs)]


def _checked(weights: Array) -> Array:
    weights = np.asarray(weights, np.float64)
    # NaN is neither.
    if not (weights.min() >= 0 and weights.max() > 0):
        raise ValueError("probabilities are at least 0, and one of them is more")
    return weights


# The classes at which uniform numbers from [0, 1) land.
Find = Callable[[Array], Array]


def _searched(sums: Array) -> Find:
    """By bisection. The sums end in exactly 1, which no uniform number reaches, and where a class has
    probability 0 its sum is the one before it."""
    return lambda uniform: sums.searchsorted(uniform, "right").astype(np.int64, copy=False)


def _guided(sums: Array) -> Find:
    """By a guide table; what is in a cell of several classes by bisection. The number of cells is a
    power of two, so that no cell is rounded and both ways find the same."""
    cells = min(MOST_CELLS, 1 << (CELLS * len(sums)).bit_length())
    # The class at each cell's lower end: so many sums are not above it.
    lower = np.bincount(np.ceil(sums * cells).astype(np.int64), minlength=cells + 1).cumsum()
    guide = np.where(lower[:-1] == lower[1:], lower[:-1], -1).astype(np.int32)
    bisect = _searched(sums)

    def find(uniform: Array) -> Array:
        found = guide.take((uniform * cells).astype(np.int64)).astype(np.int64)
        open_ = np.flatnonzero(found < 0)
        found[open_] = bisect(uniform[open_])
        return found

    return find


def _parted(found: Array, pairs: Array, generator: np.random.Generator) -> Array:
    """The draws of m cells parted between the two halves of each, whose masses are `pairs`, (m, 2):
    (2 m,). The smaller half's share is taken, since the other's would lose what it lacks to 1."""
    whole = pairs.sum(1)
    share = np.divide(pairs.min(1), whole, out=np.zeros_like(whole), where=whole > 0)
    drawn = generator.binomial(found, share)
    left = np.where(pairs[:, 0] <= pairs[:, 1], drawn, found - drawn)
    return np.column_stack([left, found - left]).reshape(-1)
