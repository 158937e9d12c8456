"""Sums of rows with few roundings, in one order for each length of rows.

The order does not depend on the other rows, so that neither the number of threads nor the size of a block changes a
digit. To choose how rows of a length are summed takes longer than to sum a short row, so the choice is cached.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
# A function that sums the terms of each row, (rows, n) or (n,). The sum of float32 terms is a float64.
Sum = Callable[[Array], Array]

# numpy adds the terms of a row in eight running sums, then these, then the remaining terms, one by one. With up to this
# many roundings of a term, the sum keeps the error bound of `softmax`.
MAX_ROUNDINGS = 10
# Otherwise, the sum is exact: of float64 terms, large and small parts are separated, and float32 terms become float64.
# Longer rows than this are folded into an eighth of their length first, which takes less time for many rows, but more
# for few.
MAX_EXACT = {np.dtype(np.float32): 4096, np.dtype(np.float64): 3072}
# The separation takes less time if its scratch arrays, of this many numbers, stay in the cache.
SCRATCH_SIZE = 1 << 16
# Longer rows are separated in pieces. For dot products of more than 10000 terms, BLAS may start threads of its own,
# which take time to wake up.
MAX_DOT = 1 << 13

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
# The lengths of rows for which numpy's sum has few enough roundings.
_PLAIN_LENGTHS = frozenset(n for n in range(128) if n <= MAX_ROUNDINGS + 1 or n // 8 + 2 + n % 8 <= MAX_ROUNDINGS)
_ONES = np.ones(MAX_DOT)


def add_up(terms: Array) -> Array:
    """Sum terms of one sign along the last axis, with at most ten roundings of each term if the highest terms are
    from about 0.1 to 16. The sum of float32 terms is a float64. The order does not depend on the other rows."""
    return summation(terms.shape[-1], terms.ndim, terms.dtype)[0](terms)


@functools.cache
def summation(n: int, ndim: int, dtype: np.dtype[Any]) -> tuple[Sum, bool]:
    """Return the function with which `add_up` sums rows of n terms in a block of `ndim` axes, and whether it is
    exact."""
    if n > MAX_EXACT[dtype]:
        return _folded_summation(n, ndim, dtype), False
    if n not in _PLAIN_LENGTHS or dtype == _FLOAT32:
        return _exact_summation(n, ndim, dtype), True
    # In any order, no term is rounded more often than there are additions.
    plain_sum = (
        _plain_summation(n, ndim, dtype) if n <= MAX_ROUNDINGS + 1 else functools.partial(np.add.reduce, axis=-1)
    )
    return plain_sum, False


@functools.cache
def _plain_summation(n: int, ndim: int, dtype: np.dtype[Any]) -> Sum:
    """Return a function that sums rows of n <= MAX_DOT terms as float64, in any order."""
    # For short rows, dot products take half the time of numpy's sum. For a single row, the method `dot` gives the same
    # bits as vecdot.
    sum_up: Sum = _ONES[:n].dot if ndim == 1 else functools.partial(np.vecdot, _ONES[:n])
    return sum_up if dtype == _FLOAT64 else lambda terms: sum_up(terms.astype(_FLOAT64))


@functools.cache
def _exact_summation(n: int, ndim: int, dtype: np.dtype[Any]) -> Sum:
    """Return a function that sums rows of n <= MAX_DOT terms, which are at most 16, with one rounding.

    Each float64 is split into a multiple of a power of two, which is so large that the sum of all multiples of a row is
    exact, and a small rest. For float32 terms, a sum of float64 is precise enough.
    """
    plain_sum, shift, ones = _plain_summation(n, ndim, dtype), _shift(n), _ONES[:n]

    def add_parts(terms: Array) -> Array:
        if ndim > 1 and terms.size > SCRATCH_SIZE and len(terms) > 1:
            return sum_blocks(terms)
        part = _multiples(terms, shift)
        # Only the order of an exact sum may depend on the other rows.
        high = part.dot(ones) if part.size <= MAX_DOT else plain_sum(part)
        total: Array = high + plain_sum(np.subtract(terms, part, part))
        return total

    sum_up = add_parts if dtype == _FLOAT64 else plain_sum
    sum_blocks = _by_blocks(sum_up, n)
    return sum_up if ndim == 1 or dtype == _FLOAT64 else sum_blocks


def _by_blocks(sum_up: Sum, n: int) -> Sum:
    """Return a function that sums rows block by block, so that scratch arrays for n classes stay in the cache."""

    def sum_blocks(rows: Array) -> Array:
        if len(rows) * n <= SCRATCH_SIZE:
            return sum_up(rows)
        step = max(1, SCRATCH_SIZE // n)
        return np.concatenate([sum_up(rows[i : i + step]) for i in range(0, len(rows), step)])

    return sum_blocks


def _shift(n: int) -> Array:
    """Return the number that separates the terms of a row of n terms, as an array without axes, since an operation with
    one takes less time than with a number."""
    return np.array(3.0 * 2 ** (n * 16).bit_length())


def _multiples(terms: Array, shift: Array) -> Array:
    """Return the multiples of a power of two that are nearest to float64 terms. It is the distance of the numbers next
    to `shift`."""
    part = np.add(terms, shift)
    return np.subtract(part, shift, part)


def exact_sum(terms: Callable[[Array], Array], x: Array) -> Array:
    """Sum the terms of each row of x, (rows, n) or (n,), which are at most 16. `terms` is called with parts of x. The
    error is little more than one rounding, or two for long rows, whose terms are added in pairs first."""
    if x.shape[-1] <= MAX_DOT:
        return _sum_exactly(terms(x))
    return _sum_of_pieces(lambda piece: _halved(terms(piece)), x, 2 * MAX_DOT)


def _sum_exactly(terms: Array) -> Array:
    """Do the same with terms in memory, and one rounding."""
    n = terms.shape[-1]
    if n <= MAX_DOT:
        return _exact_summation(n, terms.ndim, terms.dtype)(terms)
    return _sum_of_pieces(lambda piece: piece, terms, MAX_DOT)


def _sum_of_pieces(terms: Callable[[Array], Array], x: Array, length: int) -> Array:
    """Do the same in pieces of `length` classes, which have at most MAX_DOT terms. The memory of their scratch arrays
    is not returned to the system and requested again."""
    n = x.shape[-1]
    shift = _shift(n)

    def sum_up(rows: Array) -> Array:
        high: Any = 0.0
        low: Any = 0.0
        for i in range(0, n, length):
            piece = terms(rows[..., i : i + length])
            plain_sum = _plain_summation(piece.shape[-1], piece.ndim, piece.dtype)
            if piece.dtype == _FLOAT64:
                part = _multiples(piece, shift)
                high = high + plain_sum(part)
                low = low + plain_sum(np.subtract(piece, part, part))
            else:
                high = high + plain_sum(piece)
        total: Array = high + low
        return total

    return sum_up(x) if x.ndim == 1 else _by_blocks(sum_up, length)(x)


def _folded_summation(n: int, ndim: int, dtype: np.dtype[Any]) -> Sum:
    """Return a function that adds the eighths of each row of n terms element by element, and then the results and the
    up to seven terms behind the last eighth."""
    length = n // 8
    whole = 8 * length
    ones = np.ones(8, dtype)
    # A product with a matrix takes half the time of a sum. For a single row, the method `dot` gives the same bits.
    if n > MAX_DOT:
        fold: Sum = functools.partial(np.add.reduce, axis=-2)
    else:
        fold = ones.dot if ndim == 1 else functools.partial(np.matmul, ones)

    def sum_up(terms: Array) -> Array:
        folded = fold(terms[..., :whole].reshape(*terms.shape[:-1], 8, length))
        if whole < n:
            folded = np.concatenate((folded, terms[..., whole:]), -1)
        return _sum_exactly(folded)

    return sum_up


def _halved(terms: Array) -> Array:
    """Add the second half of each row, (..., n), to the first one, which has one term more if n is odd."""
    half = terms.shape[-1] // 2
    length = terms.shape[-1] - half
    halved = terms[..., :length].copy()
    halved[..., :half] += terms[..., length:]
    return halved
