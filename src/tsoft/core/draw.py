"""Draws from a distribution, one by one or only as counts.

Both are exact up to the rounding of the probabilities, and a class of probability 0 is never drawn.

A draw inverts the cumulative sum: it is the first class whose sum is above a uniform number. Each draw
takes one number from the stream, so the first draws of a larger sample are those of a smaller one. Most
draws come from a guide table, which divides [0, 1) into equal cells and lists those that are within one
class (Chen & Asau 1974, "On generating random variates from an empirical distribution", AIIE
Transactions 6).

Counts are a multinomial vector. It is computed from binomial numbers, as in the conditional method of
Davis 1993, "The computer generation of multinomial random variates", Computational Statistics & Data
Analysis 16, but by halves: the draws are divided between the two halves of the classes, then within
each half. numpy's multinomial proceeds class by class and subtracts from the remaining probability. At
the end only rounding errors remain: with 2^60 draws, it assigns some to a last class of probability 0.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.softmax import Array, Taus, softmax

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# The source of random numbers: a seed, a generator, or None for a seed from the operating system.
Rng = int | np.random.Generator | None

# The kinds of sample, each with a separate random stream.
DRAWS, COUNTS = 0, 1
# The number of draws made at once: their scratch arrays fit in a core's cache.
PIECE_SIZE = 1 << 16
# The largest number of draws that can be counted.
MAX_COUNT = 1 << 62
# The number of cells of a guide table: with at most 4 MB, it still fits in a core's cache.
CELLS_PER_CLASS, MAX_CELLS = 64, 1 << 20
# The number of classes that are tried one by one before bisection, which takes longer than a few steps.
MAX_STEPS = 3
# With fewer draws per class, building a guide table costs more than it saves.
MIN_DRAWS_PER_CLASS = 4


def sample(z: ArrayLike, tau: Taus = 1.0, size: int | tuple[int, ...] | None = None, *, rng: Rng = None) -> Array:
    """Draw classes at random with the probabilities at a temperature.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.
    size : int or tuple of int, optional
        The number of draws from each row, or their shape. By default one draw without an axis.
    rng : int or numpy.random.Generator, optional
        A seed, or a generator, from which the function takes one number. By default the seed comes from
        the operating system.

    Returns
    -------
    ndarray of int64, shape (..., *size) or (k, ..., *size)
        The indices of the drawn classes.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If a temperature, the size or the seed is negative.

    See Also
    --------
    sample_counts : The number of draws of each class, in a time that does not depend on the number of draws.

    Notes
    -----
    Each row has a separate random stream, which depends on the seed and the index of the row. The stream is
    the same at every temperature, so the draws at two temperatures differ only as far as the distributions
    do. With an integer `rng`, the draws are those of ``tsoft sample --seed``. A class of probability 0 is
    never drawn.

    References
    ----------
    .. [1] L. Devroye, "Non-Uniform Random Variate Generation", 1986, sections III.2.1 and III.2.4.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.sample([2, 1, 0.5, 0.1], tau=0.5, size=8, rng=1)
    array([1, 1, 0, 0, 2, 0, 0, 3])
    >>> tsoft.sample([[5, 0], [0, 5]], tau=[0, 1], rng=1)
    array([[0, 1],
           [0, 1]])
    """
    lengths = () if size is None else size if isinstance(size, tuple | list) else (size,)
    shape = tuple(whole_number("size", length) for length in lengths)
    count = prod(shape)
    probs, seed = softmax(z, tau), _seed(rng)
    rows = prod(np.shape(z)[:-1])
    result = np.empty((probs.size // probs.shape[-1], count), np.int64)
    for i, (row_probs, row_draws) in enumerate(zip(probs.reshape(-1, probs.shape[-1]), result, strict=True)):
        first = 0
        for piece in draws(row_probs, count, generator(seed, i % rows, DRAWS)):
            row_draws[first : first + len(piece)] = piece
            first += len(piece)
    return np.asarray(result.reshape((*probs.shape[:-1], *shape)))[()]


def sample_counts(z: ArrayLike, tau: Taus = 1.0, size: int = 1000, *, rng: Rng = None) -> Array:
    """Draw classes at random and return the number of draws of each class.

    The time does not depend on the number of draws.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.
    size : int, default 1000
        The number of draws from each row, up to 2**62.
    rng : int or numpy.random.Generator, optional
        A seed, or a generator, from which the function takes one number. By default the seed comes from
        the operating system.

    Returns
    -------
    ndarray of int64, shape (..., n) or (k, ..., n)
        The number of draws of each class. The numbers of each row sum to `size`.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If a temperature, the size or the seed is negative, or if the size is more than 2**62.

    See Also
    --------
    sample : The draws one by one.

    Notes
    -----
    With an integer `rng`, the counts are those of ``tsoft sample --counts --seed``. They have a different
    random stream from the draws of `sample`. A class of probability 0 is never drawn.

    References
    ----------
    .. [1] C. S. Davis, "The computer generation of multinomial random variates", Computational Statistics &
       Data Analysis 16, 1993.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.sample_counts([2, 1, 0.5, 0.1], size=1_000_000, rng=1)
    array([574816, 211107, 128007,  86070])
    """
    count = whole_number("size", size)
    if count > MAX_COUNT:
        raise ValueError(f"size must be at most 2**62, got {size}")
    probs, seed = softmax(z, tau), _seed(rng)
    rows = prod(np.shape(z)[:-1])
    result = np.empty((probs.size // probs.shape[-1], probs.shape[-1]), np.int64)
    for i, (row_probs, row_counts) in enumerate(zip(probs.reshape(result.shape), result, strict=True)):
        row_counts[:] = counts(row_probs, count, generator(seed, i % rows, COUNTS))
    return result.reshape(probs.shape)


def _seed(rng: Rng) -> int:
    """Return the seed of the rows' random streams."""
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(1 << 63))
    if rng is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    return whole_number("rng", rng, "a Generator or ")


def whole_number(name: str, value: int, alternative: str = "", *, low: int = 0) -> int:
    """Return an argument as an int. Raise ValueError, which names the argument, if it is not a whole number of at
    least `low`."""
    if not (isinstance(value, Integral) and value >= low):
        raise ValueError(f"{name} must be {alternative}a whole number of at least {low}, got {value!r}")
    return int(value)


def as_generator(rng: Rng) -> np.random.Generator:
    """Return a generator unchanged; for a seed, return the generator that `tsoft calibrate` uses."""
    if isinstance(rng, np.random.Generator):
        return rng
    return np.random.default_rng(np.random.SeedSequence(_seed(rng), spawn_key=(0,)))


def generator(seed: int, row: int, kind: int) -> np.random.Generator:
    """Return the random stream of one kind of sample of a row. It does not depend on the rows before it or on
    their division into blocks, and is the same at every temperature.

    >>> generator(1, 0, DRAWS).random() == generator(1, 0, DRAWS).random()
    True
    >>> generator(1, 0, DRAWS).random() == generator(1, 1, DRAWS).random()
    False
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(row, kind)))


def draws(probs: Array, count: int, generator: np.random.Generator) -> Iterator[Array]:
    """Yield `count` independent draws, in pieces: int64 indices of classes.

    probs: probabilities, (n,), or any weights. The first draws of a larger sample are those of a smaller one.

    Raise ValueError for weights that are negative, NaN or all 0. Source: Devroye 1986, "Non-Uniform Random
    Variate Generation", sections III.2.1 and III.2.4.

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
    """Return the number of draws of each class among `count` draws: (n,) int64.

    probs and errors are those of `draws`; count: up to 2^62. The time does not depend on the count.

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
        raise ValueError("probabilities must be at least 0, and at least one must be above 0")
    return weights


# A lookup returns the classes that uniform numbers from [0, 1) select.
Lookup = Callable[[Array], Array]


def _bisection(sums: Array) -> Lookup:
    """Return a lookup by bisection. The sums end in exactly 1, which no uniform number reaches, and the sum of
    a class of probability 0 equals the sum before it."""
    return lambda uniform: sums.searchsorted(uniform, "right").astype(np.int64, copy=False)


def _guide_table(sums: Array) -> Lookup:
    """Return a lookup in a guide table. The number of cells is a power of two, so that their bounds are exact and the
    result is that of bisection."""
    cells = min(MAX_CELLS, 1 << (CELLS_PER_CLASS * len(sums)).bit_length())
    # The class at a cell's lower bound is the number of sums that are not above the bound.
    lower = np.bincount(np.ceil(sums * cells).astype(np.int64), minlength=cells + 1).cumsum().astype(np.int32)
    guide = np.where(lower[:-1] == lower[1:], lower[:-1], -1)
    bisect = _bisection(sums)

    def look_up(uniform: Array) -> Array:
        cell = (uniform * cells).astype(np.int64)
        classes = guide.take(cell).astype(np.int64)
        undecided = np.flatnonzero(classes < 0)
        classes[undecided] = lower.take(cell[undecided])
        # Most cells of several classes have two or three.
        for _ in range(MAX_STEPS):
            undecided = undecided[sums.take(classes[undecided]) <= uniform[undecided]]
            classes[undecided] += 1
        classes[undecided] = bisect(uniform[undecided])
        return classes

    return look_up


def _split_counts(counts: Array, half_masses: Array, generator: np.random.Generator) -> Array:
    """Divide the draws of m cells between the two halves of each, with the masses `half_masses`, (m, 2): (2 m,).
    The draws of the smaller half are sampled, because its share has the smaller rounding error."""
    masses = half_masses.sum(1)
    smaller_share = np.divide(half_masses.min(1), masses, out=np.zeros_like(masses), where=masses > 0)
    smaller_counts = generator.binomial(counts, smaller_share)
    first_counts = np.where(half_masses[:, 0] <= half_masses[:, 1], smaller_counts, counts - smaller_counts)
    return np.column_stack([first_counts, counts - first_counts]).reshape(-1)
