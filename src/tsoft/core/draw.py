"""Draws from a distribution, one by one or only as counts.

Both are exact up to the rounding of the probabilities, and a class of probability 0 is never drawn.

A draw inverts the cumulative sum: it is the first class whose sum is above a uniform number, so that
each takes one number from the stream and the first draws of many are those of fewer. Most come from a
guide table, which divides [0, 1) into equal cells and lists those that lie within one class (Chen &
Asau 1974, "On generating random variates from an empirical distribution", AIIE Transactions 6).

Counts are a multinomial vector. It is computed from binomial numbers, as in the conditional method of
Davis 1993, "The computer generation of multinomial random variates", Computational Statistics & Data
Analysis 16, but by halves: the draws are divided between the two halves of the classes, then within
each. numpy's multinomial goes class by class and subtracts from the remaining probability, of which only
rounding errors remain at the end: of 2^60 draws it assigns some to a last class of probability 0.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tsoft.core.softmax import Array

# The kinds of sample, each with a separate random stream.
DRAWS, COUNTS = 0, 1
# The number of draws made at once, whose scratch arrays fit in a core's cache.
PIECE_SIZE = 1 << 16
# The number of cells of a guide table: its 4 MB at most still fit in a core's cache.
CELLS_PER_CLASS, MAX_CELLS = 64, 1 << 20
# With fewer draws per class, building a guide table costs more than it saves.
MIN_DRAWS_PER_CLASS = 4


def generator(seed: int, row: int, kind: int) -> np.random.Generator:
    """The random stream of one kind of sample of a row. It depends on nothing else, neither on the rows
    before it nor on their division into blocks, and is the same at every temperature.

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
    sums = _checked_weights(probs).cumsum()
    sums /= sums[-1]
    look_up = _guide_table(sums) if count >= MIN_DRAWS_PER_CLASS * len(sums) else _bisection(sums)
    for first in range(0, count, PIECE_SIZE):
        yield look_up(generator.random(min(PIECE_SIZE, count - first)))


def counts(probs: Array, count: int, generator: np.random.Generator) -> Array:
    """How often each class comes in `count` draws: (n,) int64.

    probs and errors as for `draws`; count: up to 2^62. The time does not depend on the count.

    >>> counts(np.array([0.5, 0.0, 0.5]), 10**18, generator(1, 0, COUNTS)).sum() == 10**18
    np.True_
    """
    probs = _checked_weights(probs)
    masses = [np.zeros(1 << (len(probs) - 1).bit_length())]
    masses[0][: len(probs)] = probs
    while len(masses[-1]) > 1:
        masses.append(masses[-1].reshape(-1, 2).sum(1))
    cell_counts = np.array([count], np.int64)
    for mass in masses[-2::-1]:
        cell_counts = _split_counts(cell_counts, mass.reshape(-1, 2), generator)
    return cell_counts[: len(probs)]


def _checked_weights(weights: Array) -> Array:
    weights = np.asarray(weights, np.float64)
    # NaN fails both comparisons.
    if not (weights.min() >= 0 and weights.max() > 0):
        raise ValueError("probabilities are at least 0, and one of them is more")
    return weights


# Returns the classes that uniform numbers from [0, 1) select.
Lookup = Callable[[Array], Array]


def _bisection(sums: Array) -> Lookup:
    """Look up by bisection. The sums end in exactly 1, which no uniform number reaches, and the sum of a
    class of probability 0 equals the one before it."""
    return lambda uniform: sums.searchsorted(uniform, "right").astype(np.int64, copy=False)


def _guide_table(sums: Array) -> Lookup:
    """Look up in a guide table, and by bisection in cells of several classes. The number of cells is a
    power of two, so that their bounds are exact and both methods agree."""
    cells = min(MAX_CELLS, 1 << (CELLS_PER_CLASS * len(sums)).bit_length())
    # The class at each cell's lower bound is the number of sums that are not above it.
    lower = np.bincount(np.ceil(sums * cells).astype(np.int64), minlength=cells + 1).cumsum()
    guide = np.where(lower[:-1] == lower[1:], lower[:-1], -1).astype(np.int32)
    bisect = _bisection(sums)

    def look_up(uniform: Array) -> Array:
        classes = guide.take((uniform * cells).astype(np.int64)).astype(np.int64)
        undecided = np.flatnonzero(classes < 0)
        classes[undecided] = bisect(uniform[undecided])
        return classes

    return look_up


def _split_counts(counts: Array, half_masses: Array, generator: np.random.Generator) -> Array:
    """Divide the draws of m cells between the two halves of each, whose masses are `half_masses`, (m, 2):
    (2 m,). The draws of the smaller half are sampled, whose share has the smaller rounding error."""
    masses = half_masses.sum(1)
    smaller_share = np.divide(half_masses.min(1), masses, out=np.zeros_like(masses), where=masses > 0)
    smaller_counts = generator.binomial(counts, smaller_share)
    first_counts = np.where(half_masses[:, 0] <= half_masses[:, 1], smaller_counts, counts - smaller_counts)
    return np.column_stack([first_counts, counts - first_counts]).reshape(-1)
