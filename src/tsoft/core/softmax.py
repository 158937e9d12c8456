"""Softmax, its logarithm and log-sum-exp at a temperature, over the last axis.

    softmax(z / tau)_i = exp(z_i / tau) / sum_j exp(z_j / tau)

The Boltzmann distribution with logits as negative energies (Hinton, Vinyals & Dean 2015,
"Distilling the Knowledge in a Neural Network", eq. 1). All of it is computed from two quantities per
row that cannot overflow (Blanchard, Higham & Higham 2021, "Accurately computing the log-sum-exp
and softmax functions", IMA J. Numer. Anal. 41, algorithm 4.1):

    x_i = (z_i - max z) / tau <= 0        S = sum_i exp(x_i) = ones + tail

where `ones` counts the terms that are exactly 1 (the maximum and its ties) and `tail` sums the
rest, so that a tail far below the rounding of 1 is not lost. The limits are limits of x: at
tau = 0 it is 0 at the maximum and -inf elsewhere, at tau = inf it is 0 wherever a class is not
masked. Everything else follows without a special case.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Taus = float | Sequence[float] | Array

# A block of this many numbers and its scratch copy fit in a core's cache.
BLOCK_SIZE = 1 << 16
# Up to this many classes a reduction along the classes costs more than a transposed copy.
MAX_NARROW_CLASSES = 128
# Below this many numbers a second thread costs more than it saves.
MIN_PARALLEL_SIZE = 1 << 18


class LogitsError(ValueError):
    """A row that has no softmax. `row` counts from 0 over all leading axes; `column` is the class
    at fault, or None if it is the row as a whole."""

    def __init__(self, problem: str, row: int, column: int | None = None):
        where = f"row {row}" if column is None else f"row {row}, class {column}"
        super().__init__(f"{where}: {problem}")
        self.problem, self.row, self.column = problem, row, column


@dataclass(frozen=True, eq=False)
class ScaledRows:
    """A block of rows at a temperature: `x` = (z - max z) / tau, and `scratch` of its shape, both
    for a kernel to overwrite. `maximum` has length 1 along `axis`, the axis of classes; `argmax`
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
    """S = ones + tail, with length 1 along the classes' axis: see the module's docstring."""

    ones: Array
    tail: Array

    @property
    def total(self) -> Array:
        return self.ones + self.tail

    @property
    def log(self) -> Array:
        """log S, to full precision however small the tail."""
        return np.log(self.ones) + np.log1p(self.tail / self.ones)


# Computes a function of a block and writes it to the second argument, which has the block's shape
# or, if the kernel reduces the classes, one number per row.
Kernel = Callable[[ScaledRows, Array], None]


def softmax(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Probabilities at temperature `tau`: exp(z/tau) / sum(exp(z/tau)) along the last axis.

    z: logits, (..., n); -inf masks a class. float32 is kept, float16 comes out float32, all else
    is float64. tau: a temperature >= 0 (0 and inf are the exact limits) for a result of z's
    shape, or a list of k of them for (k, ..., n). At 0 the classes tied at the top share the
    probability evenly, at inf all that are not masked do.

    Raises LogitsError for a row with NaN or +inf or with every class masked, ValueError if there
    are no classes or a temperature is negative or NaN, TypeError if z does not hold real numbers.

    Each probability p is within 4 (1 + (max z - z_i)/tau + H) u p of the true one, with H the
    row's entropy in nats and u the unit roundoff. Source: Hinton, Vinyals & Dean 2015, eq. 1.

    >>> import tsoft
    >>> tsoft.softmax([2, 1, 0.5, 0.1], tau=0.5).round(4)
    array([0.8282, 0.1121, 0.0412, 0.0185])
    >>> tsoft.softmax([3, 3, 1], tau=[0, float("inf")])
    array([[0.5       , 0.5       , 0.        ],
           [0.33333333, 0.33333333, 0.33333333]])
    """
    return over_rows(_softmax, z, tau, keep_classes=True)


def log_softmax(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Logarithms of the probabilities at temperature `tau`, along the last axis.

    Arguments, shapes and errors as for `softmax`. A masked class is -inf, and so is a logarithm
    out of range; the result has no NaN. Source: Blanchard, Higham & Higham 2021, eq. 1.3.

    >>> import tsoft
    >>> tsoft.log_softmax([0, -700, -800])
    array([-9.85967654e-305, -7.00000000e+002, -8.00000000e+002])
    """
    return over_rows(_log_softmax, z, tau, keep_classes=True)


def log_sum_exp(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """log(sum(exp(z/tau))) along the last axis: the logarithm of the partition function.

    Arguments and errors as for `softmax`; the result has z's shape without its last axis, after a
    leading axis of k for a list of k temperatures. At tau = inf it is the logarithm of the number
    of classes that are not masked; at 0 it is +inf or -inf by the sign of the maximum, and the
    logarithm of the number of ties where the maximum is 0.
    Source: Blanchard, Higham & Higham 2021, eq. 1.1.

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
    """The two parts of the sum of `exp` = exp(x) over the classes. `scratch` has the shape of
    `exp`, and may be `exp` itself, which is then overwritten."""
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
    """The sum along `axis`, by halves, in `scratch`, which may be `terms` itself. Each term is
    rounded about log2 n times, in an order that is the same whatever the other rows are: numpy's
    own sum adds up to 16 terms in turn, and the order depends on the block."""
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
    """Apply `kernel` to every row of z at every temperature. Arguments and errors as for `softmax`;
    the result has z's shape if the kernel keeps the classes, else z's without its last axis."""
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
    """A temperature, and the array that its result is written to."""

    tau: float
    out: Array


def validate_logits(z: ArrayLike) -> Array:
    """z as an array of the dtype in which the arithmetic is done. Errors as for `softmax`."""
    z = np.asarray(z)
    if z.dtype.kind not in "biuf":
        raise TypeError(f"logits are real numbers, not {z.dtype}")
    if z.ndim == 0:
        raise ValueError("logits need an axis of classes; this is a single number")
    if z.shape[-1] == 0:
        raise ValueError(f"logits of shape {z.shape} have no classes")
    narrow = z.dtype.kind == "f" and z.dtype.itemsize <= 4
    return z.astype(np.float32 if narrow else np.float64, copy=False)


def validate_taus(tau: Taus) -> Array:
    """One temperature as an array without axes, a list of them as an array with one axis."""
    # -0 is 0.
    taus = np.asarray(tau, np.float64) + 0.0
    if taus.ndim > 1:
        raise ValueError(f"temperatures are a number or a list, not of shape {taus.shape}")
    invalid = taus[~(taus >= 0)]
    if invalid.size:
        raise ValueError(f"a temperature is from 0 to inf, not {invalid[0]}")
    return taus


def _run_parallel(kernel: Kernel, rows: Array, outputs: list[TauOutput], dtype: np.dtype[Any]) -> None:
    """Distribute the work among the cores if there is enough of it: by rows, or by temperatures if
    there are more of those."""
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


def available_cores() -> int:
    """The number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run(kernel: Kernel, rows: Array, outputs: list[TauOutput], dtype: np.dtype[Any], row_range: range) -> None:
    """Apply the kernel to some rows at each temperature, a block at a time. Narrow rows are
    transposed, so that every operation runs along the many rows and not along the few classes."""
    if not outputs:
        return
    classes = rows.shape[1]
    narrow = classes <= MAX_NARROW_CLASSES
    step = max(1, min(BLOCK_SIZE // classes, len(row_range)))
    # A result that keeps the classes holds x as well, until the kernel overwrites it.
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
                # The differences are needed only once, and less memory stays in the cache.
                gaps = x = outputs[0].out[first:stop] if in_place else x
            scale = subtract_maximum(block, maximum, gaps)
            for output in outputs:
                target = output.out[first:stop]
                x_out = target if in_place else x
                divide_by_tau(gaps, scale, output.tau, x_out)
                kernel(ScaledRows(x_out, scratch, maximum, argmax, output.tau), target.T if narrow else target)


def working_dtype(dtype: np.dtype[Any], tau: float) -> np.dtype[Any]:
    """The dtype to compute in: the logits', unless it cannot represent the temperature."""
    limits = np.finfo(dtype)
    is_representable = tau in (0.0, np.inf) or float(limits.tiny) <= tau <= float(limits.max)
    return dtype if is_representable else np.dtype(np.float64)


# Subtracting a number below this from the lowest finite number rounds to that number, and so does not overflow.
_SAFE_MAXIMUM = {np.dtype(t): np.finfo(t).max * np.finfo(t).epsneg / 2 for t in (np.float32, np.float64)}


def subtract_maximum(z: Array, maximum: Array, gaps: Array) -> Array | None:
    """Write z - maximum to `gaps`, or half of it in rows where the difference might overflow. Return
    the factor of each row, 1 or 1/2, or None if it is 1 in every row."""
    if maximum.max() < _SAFE_MAXIMUM[z.dtype]:
        np.subtract(z, maximum, out=gaps)
        return None
    # Only rows that might overflow are halved, since halving the smallest numbers rounds.
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
    """The error for a row whose maximum is not finite."""
    if np.isnan(rows[row]).any():
        return LogitsError("NaN is not a logit", row, int(np.isnan(rows[row]).argmax()))
    if np.isposinf(rows[row]).any():
        return LogitsError("+inf is not a logit", row, int(rows[row].argmax()))
    return LogitsError("every class is masked (-inf)", row)
