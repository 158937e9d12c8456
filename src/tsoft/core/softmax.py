"""Softmax, its logarithm and log-sum-exp at a temperature, over the last axis.

    softmax(z / tau)_i = exp(z_i / tau) / sum_j exp(z_j / tau)

This is the Boltzmann distribution with logits as negative energies (Hinton, Vinyals & Dean 2015,
"Distilling the Knowledge in a Neural Network", eq. 1). All functions are computed from two quantities
per row that cannot overflow (Blanchard, Higham & Higham 2021, "Accurately computing the log-sum-exp
and softmax functions", IMA J. Numer. Anal. 41, algorithm 4.1):

    x_i = (z_i - max z) / tau <= 0        S = sum_i exp(x_i) = ones + tail

where `ones` counts the terms that are exactly 1 (the maximum and its ties) and `tail` sums the
rest, so that a tail far below the rounding of 1 is not lost. The limits in tau are limits of x: at
tau = 0, x is 0 at the maximum and -inf elsewhere; at tau = inf, x is 0 for each class that is not
masked. Everything else follows without a special case.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsoft.core.cores import available_cores

Array = NDArray[Any]
Taus = float | Sequence[float] | Array

# A block of this many numbers and its scratch copy fit in a core's cache.
BLOCK_SIZE = 1 << 16
# With up to this many classes, a reduction along the classes costs more than a transposed copy.
MAX_NARROW_CLASSES = 128
# With fewer numbers, a second thread costs more than it saves.
MIN_PARALLEL_SIZE = 1 << 18


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


@dataclass(frozen=True, eq=False)
class ScaledRows:
    """A block of rows at a temperature: `x` = (z - max z) / tau, and `scratch` of the same shape. A
    kernel may overwrite both. `maximum` has length 1 along `axis`, the axis of classes. `argmax`
    indexes the maxima if that axis is the last, and is None if it is the first."""

    x: Array
    scratch: Array
    maximum: Array
    argmax: tuple[Array, Array] | None
    tau: float

    @property
    def axis(self) -> int:
        return 0 if self.argmax is None else 1


@dataclass(frozen=True, eq=False)
class Sums:
    """The sum S = ones + tail, with length 1 along the axis of classes: see the module's docstring."""

    ones: Array
    tail: Array

    @property
    def total(self) -> Array:
        return self.ones + self.tail

    @property
    def log(self) -> Array:
        """log S, to full precision even for a tiny tail."""
        return np.log(self.ones) + np.log1p(self.tail / self.ones)


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
    exp = np.exp(block.x, out=block.x)
    np.divide(exp, sums(block, exp, block.scratch).total, out=out)


def _log_softmax(block: ScaledRows, out: Array) -> None:
    exp = np.exp(block.x, out=block.scratch)
    np.subtract(block.x, sums(block, exp, exp).log, out=out)


def _log_sum_exp(block: ScaledRows, out: Array) -> None:
    exp = np.exp(block.x, out=block.scratch)
    log_total = sums(block, exp, exp).log
    # 0 / 0 occurs at tau = 0 for a maximum of 0, where only the number of ties counts.
    highest = np.where(block.maximum == 0, 0.0, block.maximum / np.float64(block.tau))
    out[...] = (highest + log_total).squeeze(block.axis)


def sums(block: ScaledRows, exp: Array, scratch: Array) -> Sums:
    """Return the two parts of the sum of `exp` = exp(x) over the classes. `scratch` has the shape of
    `exp`. It may be `exp` itself, which is then overwritten."""
    if block.argmax is None:
        at_maximum = np.floor(exp)
        ones = at_maximum.sum(0, keepdims=True)
        tail = np.subtract(exp, at_maximum, out=at_maximum)
        return Sums(ones, add_up(tail, 0, tail))
    exp[block.argmax] = 0.0
    tail = add_up(exp, 1, scratch)
    if scratch is not exp:
        exp[block.argmax] = 1.0
    return Sums(np.ones_like(tail), tail)


def add_up(terms: Array, axis: int, scratch: Array) -> Array:
    """Sum along `axis` by halves. `scratch` has the shape of `terms`, and may be `terms` itself.

    Each term is rounded about log2 n times, in an order that does not depend on the other rows.
    numpy's sum adds runs of up to 16 terms one by one, in an order that depends on the block.
    """
    source, target = (terms, scratch) if axis == 0 else (terms.T, scratch.T)
    n = len(source)
    if n < 8:
        return np.asarray(terms.sum(axis, keepdims=True))
    half = (n + 1) // 2
    np.add(source[: n - half], source[half:], out=target[: n - half])
    target[n - half : half] = source[n - half : half]
    while half >= 8:
        n, half = half, (half + 1) // 2
        target[: n - half] += target[half:n]
    return np.asarray(scratch[:half].sum(0, keepdims=True) if axis == 0 else scratch[:, :half].sum(1, keepdims=True))


def over_rows(kernel: Kernel, z: ArrayLike, tau: Taus, *, keep_classes: bool = False) -> Array:
    """Apply a kernel to each row of z at each temperature. Arguments and errors are those of `softmax`.
    The result for one temperature has the shape of z, without the last axis unless `keep_classes`."""
    z = validate_logits(z)
    taus = validate_taus(tau)
    rows = z.reshape(-1, z.shape[-1])
    result = np.empty((taus.size, *(rows.shape if keep_classes else rows.shape[:1])), z.dtype)
    outputs = [TauOutput(float(t), out) for t, out in zip(taus.flat, result, strict=True)]
    for dtype in {z.dtype, np.dtype(np.float64)}:
        _run_parallel(kernel, rows, [each for each in outputs if working_dtype(z.dtype, each.tau) == dtype], dtype)
    return result.reshape(taus.shape + (z.shape if keep_classes else z.shape[:-1]))[()]


@dataclass(frozen=True, eq=False)
class TauOutput:
    """A temperature, and the array for its result."""

    tau: float
    out: Array


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
    return z.astype(np.float32 if narrow else np.float64, copy=False)


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
    taus = np.asarray(tau, np.float64) + 0.0
    if taus.ndim > 1:
        raise ValueError(f"tau must be a number or a list of numbers, got shape {taus.shape}")
    invalid = taus[~(taus >= 0)]
    if invalid.size:
        raise ValueError(f"tau must be from 0 to inf, got {invalid[0]}")
    return taus


def _run_parallel(kernel: Kernel, rows: Array, outputs: list[TauOutput], dtype: np.dtype[Any]) -> None:
    """Distribute enough work among the cores: by rows or, if there are more temperatures than rows, by
    temperatures."""
    workers = min(available_cores(), rows.size * len(outputs) // MIN_PARALLEL_SIZE, max(len(rows), len(outputs)))
    if workers <= 1:
        _run(kernel, rows, outputs, dtype, range(len(rows)))
        return
    from concurrent.futures import ThreadPoolExecutor

    def share(total: int, i: int) -> slice:
        return slice(total * i // workers, total * (i + 1) // workers)

    def work(i: int) -> None:
        if len(rows) >= len(outputs):
            _run(kernel, rows, outputs, dtype, range(len(rows))[share(len(rows), i)])
        else:
            _run(kernel, rows, outputs[share(len(outputs), i)], dtype, range(len(rows)))

    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, range(workers)):
            pass


def _run(kernel: Kernel, rows: Array, outputs: list[TauOutput], dtype: np.dtype[Any], row_range: range) -> None:
    """Apply the kernel to some rows at each temperature, block by block. Narrow rows are transposed,
    so that every operation runs along the many rows and not along the few classes."""
    if not outputs:
        return
    classes = rows.shape[1]
    narrow = classes <= MAX_NARROW_CLASSES
    step = max(1, min(BLOCK_SIZE // classes, len(row_range)))
    # A result that keeps the classes has room for x until the kernel overwrites it.
    in_place = not narrow and outputs[0].out.ndim == 2 and outputs[0].out.dtype == dtype
    buffers = np.empty((3, classes, step) if narrow else (3, step, classes), dtype)
    for first in range(row_range.start, row_range.stop, step):
        stop = min(first + step, row_range.stop)
        block = np.ascontiguousarray(rows[first:stop].T) if narrow else rows[first:stop]
        block = block.astype(dtype, copy=False)
        x, scratch, gaps = buffers[..., : stop - first] if narrow else buffers[:, : stop - first]
        argmax = None if narrow else (np.arange(len(block)), block.argmax(1))
        maximum = block.max(0, keepdims=True) if argmax is None else block[argmax][:, np.newaxis]
        finite = np.isfinite(maximum)
        if not finite.all():
            raise row_error(rows, first + int(finite.argmin()))
        with np.errstate(all="ignore"):
            if len(outputs) == 1:
                # The differences are needed only once. With less memory, more of it stays in the cache.
                gaps = x = outputs[0].out[first:stop] if in_place else x
            scale = subtract_maximum(block, maximum, gaps)
            for output in outputs:
                target = output.out[first:stop]
                x_out = target if in_place else x
                divide_by_tau(gaps, scale, output.tau, x_out)
                kernel(ScaledRows(x_out, scratch, maximum, argmax, output.tau), target.T if narrow else target)


def working_dtype(dtype: np.dtype[Any], tau: float) -> np.dtype[Any]:
    """Return the dtype of the arithmetic: that of the logits, unless it cannot represent the temperature."""
    limits = np.finfo(dtype)
    is_representable = tau in (0.0, np.inf) or float(limits.tiny) <= tau <= float(limits.max)
    return dtype if is_representable else np.dtype(np.float64)


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
    else:
        np.divide(gaps, tau, out=x)
        if scale is not None:
            np.divide(x, scale, out=x)


def row_error(rows: Array, row: int) -> LogitsError:
    """Return the error for a row whose maximum is not finite."""
    if np.isnan(rows[row]).any():
        return LogitsError("NaN is not a logit; write -inf to mask a class", row, int(np.isnan(rows[row]).argmax()))
    if np.isposinf(rows[row]).any():
        return LogitsError(
            "+inf is not a logit; logits are finite, or -inf for a masked class", row, int(rows[row].argmax())
        )
    return LogitsError("every class is masked (-inf); at least one needs a finite logit", row)
