"""Softmax, its logarithm and log-sum-exp at a temperature, over the last axis.

    softmax(z / tau)_i = exp(z_i / tau) / sum_j exp(z_j / tau)

This is the Boltzmann distribution with logits as negative energies (Hinton, Vinyals & Dean 2015,
"Distilling the Knowledge in a Neural Network", eq. 1). All functions are computed from two quantities
per row that cannot overflow (Blanchard, Higham & Higham 2021, "Accurately computing the log-sum-exp
and softmax functions", IMA J. Numer. Anal. 41, algorithm 4.1):

    x_i = (z_i - max z) / tau <= 0        S = sum_i exp(x_i) = high + low

A plain sum would round a tail far below 1 to nothing, and would add several roundings of terms near 1. So each term is
split: `high` sums multiples of a power of two, and is exact; `low` sums the small rests. In long rows, a 1 of the
maximum is first set aside, and the other terms are added four by four, which is faster. The limits in tau are limits
of x: at tau = 0, x is 0 at the maximum and -inf elsewhere; at tau = inf, x is 0 for each class that is not masked.
Everything else follows without a special case.

The sum of a row has one order, whatever rows are computed with it, so that neither the number of threads nor the size
of a block changes a digit.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsoft.core import threads

Array = NDArray[Any]
Taus = float | Sequence[float] | Array

# A block of this many numbers and its scratch copies fit in a core's cache.
BLOCK_SIZE = 1 << 16
# For longer vectors, BLAS may start threads of its own.
MAX_BLOCK_ROWS = 1 << 13
# With up to this many classes, operations along the classes of each row cost more than two transposed copies,
MAX_NARROW_CLASSES = 96
# if the block has at least this many rows.
MIN_TRANSPOSED_ROWS = 32
# Longer rows are folded until at most this many numbers remain to be summed.
MAX_SUM_LENGTH = 1 << 10

# A context in which numpy ignores overflow and other floating-point errors, which the kernels expect. To run a function
# in a copy of it takes a tenth of the time of np.errstate.
_QUIET = Context()
_QUIET.run(np.seterr, all="ignore")


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


class ScaledRows(NamedTuple):
    """A block of rows at a temperature: `x` = (z - max z) / tau, in a layout. A kernel may overwrite `x`."""

    x: Array
    axis: int
    maximum: Array
    tops: Any
    tau: float


class Sums(NamedTuple):
    """The sum S = high + low of each row: see the module's docstring."""

    high: Array
    low: Array

    @property
    def total(self) -> Array:
        return self.high + self.low

    @property
    def log(self) -> Array:
        """log S, to full precision even if S is nearly 1."""
        return np.log1p((self.high - 1.0) + self.low)


_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

# What `arrange` returns: z, axis, maximum and tops.
Layout = tuple[Array, int, Array, Any]

# A kernel computes a function of a block and writes the result to its second argument, which has the
# shape of the block or, if the kernel reduces the classes, one number per row.
Kernel = Callable[[ScaledRows, Array], None]


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
    return over_rows(_log_sum_exp, z, tau)


def _softmax(block: ScaledRows, out: Array) -> None:
    exp = np.exp(block.x, block.x)
    high, low = _split_sum(block, exp)
    # A division would take longer.
    np.multiply(exp, per_row(1.0 / (high + low), block.axis), out)


def _log_softmax(block: ScaledRows, out: Array) -> None:
    np.subtract(block.x, per_row(sums(block, np.exp(block.x)).log, block.axis), out=out)


def _log_sum_exp(block: ScaledRows, out: Array) -> None:
    # 0 / 0 occurs at tau = 0 for a maximum of 0, where only the number of ties counts.
    highest = np.where(block.maximum == 0, 0.0, block.maximum / np.float64(block.tau))
    out[...] = highest + sums(block, np.exp(block.x)).log


def per_row(values: Array, axis: int) -> Array:
    """Return one number per row so that it broadcasts to a block whose axis of classes is -1 or -2."""
    return values[:, np.newaxis] if axis == -1 and values.ndim else values


def sums(block: ScaledRows, exp: Array) -> Sums:
    """Return the two parts of the sum of `exp` = exp(x) over the classes."""
    return Sums(*_split_sum(block, exp))


def _split_sum(block: ScaledRows, exp: Array) -> tuple[Array, Array]:
    """Return `sums` as a plain tuple, which takes less time to make."""
    n, terms = exp.shape[block.axis], exp
    is_long = n > MAX_SUM_LENGTH
    if is_long:
        # In a fold, a term far above the others would round each of them. Usually only the maximum is.
        exp.put(block.tops, 0.0)
        terms = _folded(exp)
        exp.put(block.tops, 1.0)
    # Each term is at most n. Adding this number and subtracting it again leaves a multiple of a power of two that is so
    # large that the sum of all multiples is exact.
    shift = float(3 << n.bit_length())
    part = np.add(terms, shift)
    np.subtract(part, shift, part)
    high = add_up(part, block.axis)
    low = add_up(np.subtract(terms, part, part), block.axis)
    return high + 1.0 if is_long else high, low


def add_up(terms: Array, axis: int) -> Array:
    """Sum along `axis`, -1 or -2, in an order that does not depend on the other rows: that of numpy's sum along the
    last axis, which has eight running sums, after folds. Along -2, there must be at most 128 terms."""
    if axis == -2:
        return _add_up_columns(terms)
    total: Array = np.add.reduce(terms if terms.shape[-1] <= MAX_SUM_LENGTH else _folded(terms), -1)
    return total


def _folded(terms: Array) -> Array:
    """Add the quarters of each row, (..., n), until at most MAX_SUM_LENGTH sums remain."""
    while (n := terms.shape[-1]) > MAX_SUM_LENGTH:
        length, rest = divmod(n, 4)
        folded = np.add.reduce(terms[..., : n - rest].reshape(*terms.shape[:-1], 4, length), -2)
        if rest:
            folded[..., :rest] += terms[..., n - rest :]
        terms = folded
    return terms


def _add_up_columns(terms: Array) -> Array:
    """Sum (..., n, rows) along n in the order in which numpy sums up to 128 terms along the last axis. Along any other
    axis, numpy adds one term after the other."""
    *outer, n, rows = terms.shape
    if n < 8:
        return np.asarray(np.add.reduce(terms, -2))
    whole = n - n % 8
    total = np.add.reduce(terms[..., :whole, :].reshape(*outer, -1, 8, rows), -3)
    for _ in range(3):
        total = total[..., ::2, :] + total[..., 1::2, :]
    total = total[..., 0, :]
    for i in range(whole, n):
        total += terms[..., i, :]
    return np.asarray(total)


def over_rows(kernel: Kernel, z: ArrayLike, tau: Taus, *, keep_classes: bool = False) -> Array:
    """Apply a kernel to each row of z at each temperature. Arguments and errors are those of `softmax`.
    The result for one temperature has the shape of z, without the last axis unless `keep_classes`."""
    z = validate_logits(z)
    taus = validate_taus(tau)
    shape = z.shape if keep_classes else z.shape[:-1]
    if not taus.ndim and (z.ndim == 1 or (z.ndim == 2 and z.size <= BLOCK_SIZE and len(z) <= MAX_BLOCK_ROWS)):
        result, single_tau = np.empty(shape, z.dtype), float(taus)
        dtype = working_dtype(z.dtype, single_tau)
        _QUIET.copy().run(_apply, kernel, z, 0, [(single_tau, result)], dtype)
        return result[()]
    result = np.empty(taus.shape + shape, z.dtype)
    rows = z.reshape(-1, z.shape[-1])
    by_tau = result.reshape(taus.size, *(rows.shape if keep_classes else rows.shape[:1]))
    outputs = [(t, by_tau[i]) for i, t in enumerate(taus.reshape(-1).tolist())]
    for dtype in (_FLOAT64, _FLOAT32):
        selected = [each for each in outputs if working_dtype(z.dtype, each[0]) == dtype]
        if selected:
            _run_parallel(kernel, rows, selected, dtype)
    return result[()]


# A temperature, and the array for its result.
TauOutput = tuple[float, Array]


def validate_logits(z: ArrayLike) -> Array:
    """Return z as an array of the dtype of the arithmetic. Errors are those of `softmax`."""
    if hasattr(z, "filled"):
        # np.asarray would drop the mask.
        raise TypeError("logits must not be a masked array; pass z.filled(-numpy.inf)")
    z = np.asarray(z)
    if z.dtype.kind not in "biuf":
        raise TypeError(f"logits must be real numbers, got an array of {z.dtype}")
    if z.ndim == 0:
        raise ValueError("logits must be an array with an axis of classes, got a single number")
    if z.shape[-1] == 0:
        raise ValueError(f"logits must have at least one class, got shape {z.shape}")
    narrow = z.dtype.kind == "f" and z.dtype.itemsize <= 4
    return z.astype(_FLOAT32 if narrow else _FLOAT64, copy=False)


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
    # Adding 0 turns -0 into 0.
    if isinstance(tau, float) and tau >= 0:
        return np.array(tau + 0.0)
    taus = np.asarray(np.asarray(tau, np.float64) + 0.0)
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
    step = max(1, min(BLOCK_SIZE // rows.shape[1], MAX_BLOCK_ROWS))
    for first in range(row_range.start, row_range.stop, step):
        stop = min(first + step, row_range.stop)
        # Numpy takes less time for a single row if it has one axis.
        block = first if stop - first == 1 else slice(first, stop)
        targets = [(tau, out[block, ...]) for tau, out in outputs]
        _QUIET.copy().run(_apply, kernel, rows[block], first, targets, dtype)


def _apply(kernel: Kernel, rows: Array, first: int, outputs: list[TauOutput], dtype: np.dtype[Any]) -> None:
    """Apply the kernel at each temperature to a block of rows, (rows, n) or (n,), which starts at the row `first`."""
    z, axis, maximum, tops = arrange(rows.astype(dtype, copy=False))
    is_single = len(outputs) == 1
    out = outputs[0][1]
    # A result that keeps the classes has room for x until the kernel overwrites it.
    has_room = axis == -1 and out.ndim == z.ndim and out.dtype == dtype
    # The transposed block is a copy, which may be overwritten.
    gaps = z if axis == -2 else out if has_room and is_single else np.empty_like(z)
    scale = _subtract_maximum(z, axis, maximum, gaps, first)
    for tau, out in outputs:
        x = gaps if is_single else out if has_room else np.empty_like(z)
        divide_by_tau(gaps, scale, tau, x)
        if axis == -1 or out.ndim == 1:
            kernel(ScaledRows(x, axis, maximum, tops, tau), out)
        else:
            # One copy is faster than arithmetic with a transposed output.
            kernel(ScaledRows(x, axis, maximum, tops, tau), x)
            out[...] = x.T


def _subtract_maximum(z: Array, axis: int, maximum: Array, gaps: Array, first: int) -> Array | None:
    """Write z - max z to `gaps`, as `subtract_maximum` does. The block starts at the row `first`."""
    # If the sum of the squares is finite, so is each maximum, and no difference overflows.
    if (maximum.dot(maximum) if maximum.ndim else maximum * maximum) < np.inf:
        np.subtract(z, per_row(maximum, axis), gaps)
        return None
    finite = np.isfinite(maximum)
    if not finite.all():
        raise row_error(z if axis == -1 else z.T, int(finite.argmin()), first)
    return subtract_maximum(z, per_row(maximum, axis), gaps)


def arrange(block: Array) -> Layout:
    """Return a block of rows, (rows, n), or a single row, (n,), in a layout that suits its shape.

    Many narrow rows are transposed, so that every operation runs along the many rows and not along the few classes.

    Returns
    -------
    z : ndarray, shape (rows, n), (n, rows) or (n,)
        The block.
    axis : int
        The axis of the classes: -1, or -2 if z is transposed.
    maximum : ndarray, shape (rows,)
        The maximum of each row, a scalar for a single row.
    tops : ndarray, shape (rows,), or None
        The index of one maximum of each row in the flattened block, a scalar for a single row; None if axis is -2.
    """
    n = block.shape[-1]
    if n <= MAX_NARROW_CLASSES and block.size >= n * MIN_TRANSPOSED_ROWS and block.ndim > 1:
        z = np.array(block.T, order="C")
        return z, -2, np.maximum.reduce(z, 0), None
    z = np.ascontiguousarray(block)
    tops = z.argmax(-1)
    if z.ndim == 1:
        # For a single row, this is faster than take.
        return z, -1, z[tops], tops
    tops += np.arange(0, z.size, n)
    return z, -1, z.take(tops), tops


# The temperatures that float32 can represent.
_FLOAT32_TAUS = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


def working_dtype(dtype: np.dtype[Any], tau: float) -> np.dtype[Any]:
    """Return the dtype of the arithmetic: that of the logits, unless it cannot represent the temperature."""
    low, high = _FLOAT32_TAUS
    return dtype if low <= tau <= high or tau in (0.0, np.inf) else _FLOAT64


# Subtracting a number below this from the lowest finite number rounds to that number, and so does not overflow.
_SAFE_MAXIMUM = {np.dtype(t): np.finfo(t).max * np.finfo(t).epsneg / 2 for t in (np.float32, np.float64)}


def subtract_maximum(z: Array, maximum: Array, gaps: Array) -> Array | None:
    """Write z - maximum to `gaps`, or half the difference in rows where it might overflow. Return the
    factor of each row, 1 or 1/2, or None if it is 1 in every row."""
    if maximum.max() < _SAFE_MAXIMUM[z.dtype]:
        np.subtract(z, maximum, out=gaps)
        return None
    # Only rows that might overflow are halved, because halving the smallest numbers would round them.
    scale = np.where(maximum < _SAFE_MAXIMUM[z.dtype], 1.0, 0.5).astype(z.dtype)
    np.subtract(z * scale, maximum * scale, out=gaps)
    return scale


def divide_by_tau(gaps: Array, scale: Array | None, tau: float, x: Array) -> None:
    """Write (z - maximum) / tau to `x`, with the exact limits at 0 and inf."""
    if tau == 0:
        x[...] = np.where(gaps == 0, 0.0, -np.inf)
    elif tau == np.inf:
        x[...] = np.where(np.isneginf(gaps), -np.inf, 0.0)
    elif tau != 1 or scale is not None or x is not gaps:
        np.divide(gaps, tau, out=x)
        if scale is not None:
            np.divide(x, scale, out=x)


def row_error(rows: Array, row: int, first: int = 0) -> LogitsError:
    """Return the error for a row of `rows`, (rows, n) or (n,), whose maximum is not finite. The error counts the rows
    from `first`."""
    z, row = np.atleast_2d(rows)[row], first + row
    if np.isnan(z).any():
        return LogitsError("NaN is not a logit; write -inf to mask a class", row, int(np.isnan(z).argmax()))
    if np.isposinf(z).any():
        return LogitsError("+inf is not a logit; logits are finite, or -inf for a masked class", row, int(z.argmax()))
    return LogitsError("every class is masked (-inf); at least one needs a finite logit", row)
