"""Softmax, its logarithm and log-sum-exp at a temperature, over the last axis.

    softmax(z / tau)_i = exp(z_i / tau) / sum_j exp(z_j / tau)

This is the Boltzmann distribution with logits as negative energies (Hinton, Vinyals & Dean 2015,
"Distilling the Knowledge in a Neural Network", eq. 1). All functions are computed from two quantities
per row that cannot overflow (Blanchard, Higham & Higham 2021, "Accurately computing the log-sum-exp
and softmax functions", IMA J. Numer. Anal. 41, algorithm 4.1):

    x_i = (z_i - max z) / tau <= 0        S = sum_i exp(x_i) = 1 + rest

The 1 is the term of one class at the maximum, and `rest` the sum of all other terms: in a plain sum, the 1 would round
a rest far below it to nothing. The rest is added up in an order with few roundings, so that further terms near 1 do not
exceed the error bound of `softmax` either. The limits in tau are limits of x: at tau = 0, x is 0 at the maximum and
-inf elsewhere; at tau = inf, x is 0 for each class that is not masked. Everything else follows without a special case.

The sum of a row has one order, whatever rows are computed with it, so that neither the number of threads nor the size
of a block changes a digit.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core import threads
from tsoft.core.library_arguments import is_masked, plain_array
from tsoft.core.sums import MAX_DOT, Sum, exact_sum, summation
from tsoft.core.sums import Array as Array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# numpy.typing would take a millisecond to import.
Taus = float | Sequence[float] | Array

# A block of this many numbers about fits in a core's cache. Smaller ones would take longer, most of all in threads:
# after each operation, a thread waits for the interpreter, which another one may hold.
BLOCK_SIZE = 1 << 18
# After an array of 16 MB was freed, glibc keeps smaller freed arrays for reuse. Otherwise it would return those of a
# large block or a wide row to the system after each step, and mapping their pages again takes longer than the
# arithmetic.
np.empty(1 << 21)

# Up to this many rows, calls of Python's functions take a notable part of the time of `softmax`.
FEW_ROWS = 64

# A context in which numpy ignores overflow and other floating-point errors, which the kernels expect. To run a function
# in a copy of it takes a tenth of the time of np.errstate.
_QUIET = Context()
_QUIET.run(np.seterr, all="ignore")
# In operations of rows with one number each, numpy copies these numbers into a buffer unless a row is longer than the
# buffer. If a row has at least this many bytes, the copies take longer than calling the inner loop for each row.
MIN_UNBUFFERED_BYTES = 640
_QUIET_UNBUFFERED = _QUIET.copy()
_QUIET_UNBUFFERED.run(np.setbufsize, 16)


class LogitsError(ValueError):
    """A row has no softmax: it contains NaN or +inf, or only masked classes.

    Attributes
    ----------
    problem : str
        What is wrong with the row.
    row : int
        The row, counted from 0 over all leading axes.
    column : int or None
        The class at fault; None if the whole row is at fault.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.softmax([[2, 1], [float("nan"), 0]])
    Traceback (most recent call last):
    tsoft.core.softmax.LogitsError: row 1, class 0: NaN is not a logit; write -inf to mask a class
    """

    def __init__(self, problem: str, row: int, column: int | None = None):
        where = f"row {row}" if column is None else f"row {row}, class {column}"
        super().__init__(f"{where}: {problem}")
        self.problem, self.row, self.column = problem, row, column

    def __reduce__(self) -> tuple[Any, ...]:
        # Without this, pickle would call __init__ with the message alone.
        return type(self), (self.problem, self.row, self.column)


_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_LARGEST = float(np.finfo(_FLOAT64).max)
_NUMBERS = np.arange(MAX_DOT)
# In operations with numbers, a number takes the least time, and in those with arrays, an array without axes.
_ONE = {1: 1.0, 2: np.array(1.0)}

# A kernel computes a function of a block at a temperature. Its arguments are x = (z - max z) / tau, (rows, n) or (n,),
# which is contiguous and which it may overwrite, the index of one maximum of each row in the flattened block, and the
# array for the result, which has the shape of x or, if the kernel reduces the classes, one number per row.
Kernel = Callable[[Array, Any, Array], None]


def softmax(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Return the probabilities of logits at a temperature.

    Computes ``exp(z / tau) / sum(exp(z / tau))`` along the last axis. A temperature below 1 moves
    probability to the most probable classes; a temperature above 1 spreads it more evenly.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.

    Returns
    -------
    ndarray, shape (..., n) or (k, ..., n)
        Probabilities, which sum to 1 along the last axis. float32 and float16 input gives float32,
        all other input float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If there are no classes, or if a temperature is negative or NaN.
    TypeError
        If `z` does not contain real numbers.

    Notes
    -----
    0 and inf are exact limits: at tau = 0 the classes tied at the top share the probability evenly,
    and at tau = inf all unmasked classes do.

    Nothing overflows at any temperature. With H the entropy of the row in nats and u = 2**-53 (2**-24
    for float32), each probability p has an error of at most ``4 * (1 + (max(z) - z) / tau + H) * u * p``,
    up to underflow.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals and J. Dean, "Distilling the Knowledge in a Neural Network", 2015, eq. 1.
    .. [2] P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the log-sum-exp and softmax
       functions", IMA Journal of Numerical Analysis 41, 2021, algorithm 4.1.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.softmax([2, 1, 0.5, 0.1], tau=0.5).round(4)
    array([0.8282, 0.1121, 0.0412, 0.0185])
    >>> tsoft.softmax([3, 3, 1], tau=[0, float("inf")])
    array([[0.5       , 0.5       , 0.        ],
           [0.33333333, 0.33333333, 0.33333333]])
    """
    if type(z) is np.ndarray and z.ndim == 2 and 1 < len(z) <= FEW_ROWS and isinstance(tau, (float, int)):
        probs = _softmax_of_few_rows(z, tau)
        if probs is not None:
            return probs
    return over_rows(_softmax, z, tau, keep_classes=True)


def log_softmax(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Return the logarithms of the probabilities at a temperature.

    Unlike ``log(softmax(z, tau))``, this keeps its precision for probabilities that underflow.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.

    Returns
    -------
    ndarray, shape (..., n) or (k, ..., n)
        Natural logarithms of the probabilities: -inf for a masked class, or if the logarithm itself
        is below the lowest float. float32 and float16 input gives float32, all other input float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If there are no classes, or if a temperature is negative or NaN.
    TypeError
        If `z` does not contain real numbers.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the log-sum-exp and softmax
       functions", IMA Journal of Numerical Analysis 41, 2021, eq. 1.3.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.log_softmax([0, -700, -800])
    array([-9.85967654e-305, -7.00000000e+002, -8.00000000e+002])
    """
    return over_rows(_log_softmax, z, tau, keep_classes=True)


def log_sum_exp(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Return ``log(sum(exp(z / tau)))``, the logarithm of the partition function.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.

    Returns
    -------
    ndarray, shape (...) or (k, ...)
        The log-sum-exp of each row, a scalar for a single row. float32 and float16 input gives
        float32, all other input float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If there are no classes, or if a temperature is negative or NaN.
    TypeError
        If `z` does not contain real numbers.

    Notes
    -----
    At tau = inf it is the logarithm of the number of unmasked classes. At tau = 0 it is inf if the
    highest logit is positive, -inf if it is negative, and the logarithm of the number of ties if the
    highest logit is 0.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the log-sum-exp and softmax
       functions", IMA Journal of Numerical Analysis 41, 2021, eq. 1.1.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.log_sum_exp([1000, 1000]).round(4)
    np.float64(1000.6931)
    """
    z, taus = validate_logits(z), validate_taus(tau)
    log_normalizers = over_rows(_log_normalizer, z, taus)
    maximum, taus = z.max(-1), taus.reshape(taus.shape + (1,) * (z.ndim - 1))
    with np.errstate(all="ignore"):
        # 0 / 0 occurs at tau = 0 for a maximum of 0, where only the number of ties counts.
        total: Array = np.where(maximum == 0, 0.0, maximum / taus) + log_normalizers
        return total.astype(z.dtype)[()]


def _softmax(x: Array, tops: Any, out: Array) -> None:
    exp = np.exp(x, x)
    # A division of all classes would take longer.
    factor = _ONE[exp.ndim] / normalizer(exp, tops)
    if factor.dtype is not exp.dtype:
        factor = factor.astype(exp.dtype)
    np.multiply(exp, per_row(factor), out)


def _log_softmax(x: Array, tops: Any, out: Array) -> None:
    log = log_of_sum(x, tops)
    np.subtract(x, per_row(log.astype(x.dtype, copy=False)), out=out)


def _log_normalizer(x: Array, tops: Any, out: Array) -> None:
    out[...] = log_of_sum(x, tops)


@functools.cache
def _plan(n: int, dtype: np.dtype[Any]) -> tuple[Context, bool, Sum, bool]:
    """Return how to compute the softmax of few rows of n numbers: the context, whether the search for the maximum is
    faster in float64, the function that sums a row, and whether the sum is exact."""
    return _context_of(n, dtype), _is_searched_as_float64(n, dtype), *summation(n, 2, dtype)


@functools.lru_cache(1024)
def _starts(rows: int, n: int) -> Array:
    """Return the indices of the first class of each of a few rows of n classes in the flattened block."""
    return np.arange(0, rows * n, n)


def _softmax_of_few_rows(z: Array, tau: float) -> Array | None:
    """Return the softmax of z, (rows, n), or None if the logits or the temperature need the general path.

    The bits are those of the general path, `over_rows`. But there, calling a function for each step takes a fifth of
    the time of a few short rows.
    """
    is_plain = (z.dtype is _FLOAT64 or z.dtype is _FLOAT32) and 0 < z.size <= BLOCK_SIZE
    if not is_plain or not LOWEST_TAU <= tau <= HIGHEST_TAU:
        return None
    context, searches_float64, sum_up, is_exact = _plan(z.shape[1], z.dtype)
    return context.copy().run(_softmax_by_plan, np.ascontiguousarray(z), tau, searches_float64, sum_up, is_exact)


def _softmax_by_plan(z: Array, tau: float, searches_float64: bool, sum_up: Sum, is_exact: bool) -> Array | None:
    # As in `highest`.
    tops = (z.astype(_FLOAT64) if searches_float64 else z).argmax(1)
    tops += _starts(*z.shape)
    maximum = z.take(tops)
    # As in `_subtract_maximum`.
    if not maximum.dot(maximum) < np.inf:
        return None
    probs: Array = np.subtract(z, maximum[:, np.newaxis])
    if tau != 1:
        np.multiply(probs, 1.0 / tau, probs)
    np.exp(probs, probs)
    if is_exact:
        total = sum_up(probs)
    else:
        # As in `normalizer`.
        flat = probs.ravel()
        flat[tops] = 0.0
        total = _ONE[2] + sum_up(probs)
        flat[tops] = 1.0
    factor = _ONE[2] / total
    if factor.dtype is not z.dtype:
        factor = factor.astype(z.dtype)
    np.multiply(probs, factor[:, np.newaxis], probs)
    return probs


def per_row(values: Array) -> Array:
    """Return one number per row so that it broadcasts to a block, which has one row if `values` is a scalar."""
    return values[:, np.newaxis] if values.ndim else values


def normalizer(exp: Array, tops: Any) -> Array:
    """Return the sum S of `exp` = exp(x) over the classes. `tops` is the index of one maximum of each row."""
    sum_up, is_exact = summation(exp.shape[-1], exp.ndim, exp.dtype)
    if is_exact:
        return sum_up(exp)
    # The 1 of the maximum is added last, so that it has only one rounding.
    flat = exp.ravel()
    flat[tops] = 0.0
    total: Array = _ONE[exp.ndim] + sum_up(exp)
    flat[tops] = 1.0
    return total


def log_of_sum(x: Array, tops: Any) -> Array:
    """Return log S, with an error of a few roundings even if S is nearly 1."""
    flat = x.ravel()
    flat[tops] = -np.inf
    rest = exact_sum(np.exp, x)
    flat[tops] = 0.0
    return np.asarray(np.log1p(rest))


def over_rows(kernel: Kernel, z: ArrayLike, tau: Taus, *, keep_classes: bool = False) -> Array:
    """Apply a kernel to each row of z at each temperature. Arguments and errors are those of `softmax`.
    The result for one temperature has the shape of z, without the last axis unless `keep_classes`."""
    z = validate_logits(z)
    shape = z.shape if keep_classes else z.shape[:-1]
    # For a short row, making an array of one temperature would take up to a third of the time.
    is_one = isinstance(tau, (float, int)) and 0 <= tau <= _LARGEST
    taus: Any = tau if is_one else validate_taus(tau)
    if z.size <= BLOCK_SIZE and (is_one or not taus.ndim):
        result = np.empty(shape, z.dtype)
        rows, out = _with_few_axes(z, result) if z.ndim > 2 or len(z) == 1 else (z, result)
        _context(rows).run(_apply, kernel, rows, 0, float(taus), out, working_dtype(z.dtype, taus))
        return result if keep_classes else result[()]
    taus = np.asarray(taus, np.float64)
    result = np.empty(taus.shape + shape, z.dtype)
    rows = z.reshape(-1, z.shape[-1])
    by_tau = result.reshape(taus.size, *(rows.shape if keep_classes else rows.shape[:1]))
    outputs = [(t, by_tau[i]) for i, t in enumerate(taus.reshape(-1).tolist())]
    for dtype in (_FLOAT64, _FLOAT32):
        selected = [each for each in outputs if working_dtype(z.dtype, each[0]) == dtype]
        if selected:
            _run_parallel(kernel, rows, selected, dtype)
    return result[()]


def _with_few_axes(z: Array, result: Array) -> tuple[Array, Array]:
    """Return z, (..., n), and the array for its result with one axis of rows, or none for a single row, for which numpy
    takes less time."""
    n = z.shape[-1]
    axes = () if z.size == n else (-1,)
    return z.reshape((*axes, n)), result.reshape(axes + result.shape[z.ndim - 1 :])


def _context(rows: Array) -> Context:
    """Return a new context for computing blocks of rows, (rows, n) or (n,)."""
    return _context_of(rows.shape[-1], rows.dtype).copy()


def _context_of(n: int, dtype: np.dtype[Any]) -> Context:
    return _QUIET_UNBUFFERED if dtype.itemsize * n >= MIN_UNBUFFERED_BYTES else _QUIET


# A temperature, and the array for its result.
TauOutput = tuple[float, Array]


def validate_logits(z: ArrayLike) -> Array:
    """Return z as an array of the dtype of the arithmetic. Errors are those of `softmax`."""
    if type(z) is np.ndarray:
        # Most often, this is all there is to check.
        if (z.dtype is _FLOAT64 or z.dtype is _FLOAT32) and z.ndim and z.size:
            return z
    else:
        if is_masked(z):
            raise TypeError("logits must not be a masked array; pass z.filled(-numpy.inf)")
        z = _as_array(z)
    dtype = z.dtype
    if dtype.kind not in "biuf":
        raise TypeError(f"logits must be real numbers, got an array of {dtype}")
    if z.ndim == 0:
        raise ValueError("logits must be an array with an axis of classes, got a single number")
    if z.shape[-1] == 0:
        raise ValueError(f"logits must have at least one class, got shape {z.shape}")
    working = _FLOAT32 if dtype.kind == "f" and dtype.itemsize <= 4 else _FLOAT64
    if dtype.itemsize > _FLOAT64.itemsize:
        _require_float64("logits", z)
    # Arrays with an equal dtype that is another object, such as those from pickle, become views.
    return np.asarray(z, working)


def _as_array(z: ArrayLike) -> Array:
    try:
        return np.asarray(z)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError("the rows have different lengths; pad the shorter ones with -inf") from None


def _require_float64(name: str, numbers: Array) -> None:
    """Raise ValueError if the range of float64 does not contain all finite numbers of a longdouble array."""
    outside = numbers[np.isfinite(numbers) & (abs(numbers) > _LARGEST)]
    if outside.size:
        raise ValueError(f"{name} must be in the range of float64, got {outside[0]!s}")


def require_softmax(z: Array) -> None:
    """Raise LogitsError if a row of z, (..., n), has no softmax.

    >>> require_softmax(np.array([[1.0, 2.0], [-np.inf, -np.inf]]))
    Traceback (most recent call last):
    tsoft.core.softmax.LogitsError: row 1: every class is masked (-inf); at least one needs a finite logit
    """
    finite = np.isfinite(z.max(-1))
    if not finite.all():
        raise row_error(z.reshape(-1, z.shape[-1]), int(finite.argmin()))


def validate_taus(tau: Taus) -> Array:
    """Return one temperature as an array without axes, a list of temperatures as an array with one axis."""
    taus = plain_array("tau", tau)
    # Python's integers may be too large for any dtype of integers.
    if taus.dtype.kind not in "biufO":
        raise TypeError(f"tau must be a real number or a list of real numbers, got {taus.dtype}")
    if taus.dtype.kind == "f" and taus.dtype.itemsize > _FLOAT64.itemsize:
        _require_float64("tau", taus)
    try:
        # Adding 0 turns -0 into 0.
        taus = np.asarray(taus.astype(np.float64) + 0.0)
    except OverflowError:
        raise ValueError("tau must be in the range of float64") from None
    if taus.ndim > 1:
        raise ValueError(f"tau must be a number or a list of numbers, got shape {taus.shape}")
    invalid = taus[~(taus >= 0)]
    if invalid.size:
        raise ValueError(f"tau must be from 0 to inf, got {invalid[0]}")
    return taus


def _run_parallel(kernel: Kernel, rows: Array, outputs: list[TauOutput], dtype: np.dtype[Any]) -> None:
    """Distribute enough work among the cores: by rows or, if there are more temperatures than rows, by
    temperatures."""
    # A float32 takes half the time of a float64.
    size = rows.size * len(outputs) * dtype.itemsize // 8
    if len(rows) >= len(outputs):
        threads.in_threads(lambda part: _run(kernel, rows, outputs, dtype, range(len(rows))[part]), len(rows), size)
    else:
        threads.in_threads(lambda part: _run(kernel, rows, outputs[part], dtype, range(len(rows))), len(outputs), size)


def _run(kernel: Kernel, rows: Array, outputs: list[TauOutput], dtype: np.dtype[Any], row_range: range) -> None:
    """Apply the kernel to some rows at each temperature, block by block."""
    step = max(1, BLOCK_SIZE // rows.shape[1])
    for first in range(row_range.start, row_range.stop, step):
        stop = min(first + step, row_range.stop)
        # As in `_with_few_axes`.
        block = first if stop - first == 1 else slice(first, stop)
        targets = [(tau, out[block, ...]) for tau, out in outputs]
        if len(targets) == 1:
            _context(rows).run(_apply, kernel, rows[block], first, *targets[0], dtype)
        else:
            _context(rows).run(_apply_each, kernel, rows[block], first, targets, dtype)


def _apply(kernel: Kernel, rows: Array, first: int, tau: float, out: Array, dtype: np.dtype[Any]) -> None:
    """Apply the kernel to a block of rows, (rows, n) or (n,), which starts at the row `first`."""
    z = np.ascontiguousarray(rows, dtype)
    maximum, tops = highest(z)
    # A result that keeps the classes has room for x until the kernel overwrites it.
    x = out if out.ndim == z.ndim and out.dtype is z.dtype else np.empty_like(z)
    divide_by_tau(x, _subtract_maximum(z, maximum, x, first), tau, x)
    kernel(x, tops, out)


def _apply_each(kernel: Kernel, rows: Array, first: int, outputs: list[TauOutput], dtype: np.dtype[Any]) -> None:
    """Do the same at several temperatures, with one search for the maximum."""
    z = np.ascontiguousarray(rows, dtype)
    maximum, tops = highest(z)
    gaps, x = np.empty_like(z), np.empty_like(z)
    scale = _subtract_maximum(z, maximum, gaps, first)
    for tau, out in outputs:
        divide_by_tau(gaps, scale, tau, x)
        kernel(x, tops, out)


def _subtract_maximum(z: Array, maximum: Array, gaps: Array, first: int) -> Array | None:
    """Write z - max z to `gaps`, as `subtract_maximum` does. The block starts at the row `first`."""
    # If the sum of the squares is finite, so is each maximum, and no difference overflows.
    if _sum_of_squares(maximum) < np.inf:
        np.subtract(z, per_row(maximum), gaps)
        return None
    finite = np.isfinite(maximum)
    if not finite.all():
        raise row_error(z, int(finite.argmin()), first)
    return subtract_maximum(z, per_row(maximum), gaps)


def _sum_of_squares(values: Array) -> Any:
    if values.ndim == 0:
        # Products of numbers take less time than those of arrays without axes.
        value = values[()]
        return value * value
    return values.dot(values) if len(values) <= MAX_DOT else np.add.reduce(values * values)


def highest(z: Array) -> tuple[Array, Any]:
    """Return the maximum of each row of z, (rows, n) or (n,), and its index in the flattened block: (rows,) each, or
    a scalar for a single row. z must be contiguous.

    >>> highest(np.array([[1.0, 2.0], [4.0, 3.0]]))
    (array([2., 4.]), array([1, 2]))
    """
    if z.ndim == 1:
        # For a single row, this is faster than take.
        tops = z.argmax()
        return z[tops, ...], tops
    tops = (z.astype(_FLOAT64) if _is_searched_as_float64(z.shape[-1], z.dtype) else z).argmax(-1)
    n, size = z.shape[-1], z.size
    tops += _NUMBERS[:size:n] if size <= MAX_DOT else np.arange(0, size, n)
    return z.take(tops), tops


def _is_searched_as_float64(n: int, dtype: np.dtype[Any]) -> bool:
    """Return whether numpy finds the maximum of rows of n numbers faster in float64: it compares 64 numbers of float32
    or 32 of float64 at a time, and those of shorter rows one by one."""
    return dtype == _FLOAT32 and 32 <= n < 64


# The temperatures for which float32 can represent tau and 1 / tau with all digits.
LOWEST_TAU, HIGHEST_TAU = 2.0**-126, 2.0**126


def working_dtype(dtype: np.dtype[Any], tau: float) -> np.dtype[Any]:
    """Return the dtype of the arithmetic: that of the logits, unless it cannot represent the temperature."""
    return dtype if LOWEST_TAU <= tau <= HIGHEST_TAU or tau in (0.0, np.inf) else _FLOAT64


# Subtracting a number below this from the lowest finite number rounds to that number, and so does not overflow.
_SAFE_MAXIMUM = {np.dtype(t): np.finfo(t).max * np.finfo(t).epsneg / 2 for t in (np.float32, np.float64)}


def subtract_maximum(z: Array, maximum: Array, gaps: Array) -> Array | None:
    """Write z - maximum to `gaps`, or half the difference in rows where it might overflow. Return the
    factor of each row, 1 or 1/2, or None if it is 1 in every row."""
    if maximum.max(initial=-np.inf) < _SAFE_MAXIMUM[z.dtype]:
        np.subtract(z, maximum, out=gaps)
        return None
    # Only rows that might overflow are halved, because halving the smallest numbers would round them.
    scale = np.where(maximum < _SAFE_MAXIMUM[z.dtype], 1.0, 0.5).astype(z.dtype)
    np.subtract(z * scale, maximum * scale, out=gaps)
    return scale


def divide_by_tau(gaps: Array, scale: Array | None, tau: float, x: Array) -> None:
    """Write (z - maximum) / tau to `x`, with the exact limits at 0 and inf."""
    if LOWEST_TAU <= tau <= HIGHEST_TAU:
        # Most often, the product with 1 would be the same, at the same place.
        if tau != 1 or scale is not None or x is not gaps:
            # A quotient takes longer than a product, and its error is not much smaller.
            np.multiply(gaps, 1.0 / tau, x)
    elif 0 < tau < np.inf:
        np.divide(gaps, tau, x)
    elif tau == 0:
        x[...] = np.where(gaps == 0, 0.0, -np.inf)
    else:
        x[...] = np.where(np.isneginf(gaps), -np.inf, 0.0)
    if scale is not None:
        np.divide(x, scale, x)


def divide_by_taus(gaps: Array, scale: Array | None, taus: Array, x: Array) -> None:
    """Do the same, without the limits, with one temperature per row, (..., 1). `x` may be `gaps`."""
    is_usual = (taus >= LOWEST_TAU) & (taus <= HIGHEST_TAU)
    np.multiply(gaps, np.where(is_usual, 1.0 / taus, 1.0), x)
    if not is_usual.all():
        np.divide(x, np.where(is_usual, 1.0, taus), x)
    if scale is not None:
        np.divide(x, scale, x)


def row_error(rows: Array, row: int, first: int = 0) -> LogitsError:
    """Return the error for a row of `rows`, (rows, n) or (n,), whose maximum is not finite. The error counts the rows
    from `first`."""
    z, row = np.atleast_2d(rows)[row], first + row
    if np.isnan(z).any():
        return LogitsError("NaN is not a logit; write -inf to mask a class", row, int(np.isnan(z).argmax()))
    if np.isposinf(z).any():
        return LogitsError("+inf is not a logit; logits are finite, or -inf for a masked class", row, int(z.argmax()))
    return LogitsError("every class is masked (-inf); at least one needs a finite logit", row)
