"""Rows with their true classes, and sums over them at a temperature.

The gaps of a row are g_j = max z - z_j; over the temperature they are t_j = g_j / tau. Expectations are
under the softmax at tau.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import frexp, fsum, sqrt

import numpy as np

from tsoft.core.temperature import Array

# So many numbers are worked at once: with their scratch they stay in a core's cache.
PIECE = 1 << 16
# exp is 0 long before.
FAR = 1e4
# The square of this does not overflow, nor does a sum of many.
HUGE = 1e150
# Numbers from 0 to 1 that sum to 1 within this, in every row, are probabilities, be they rounded.
SUM = 0.02


class TargetError(ValueError):
    """A row whose target is none. `row` counts from 0."""

    def __init__(self, problem: str, row: int):
        super().__init__(f"row {row}: {problem}")
        self.problem, self.row = problem, row


class CalibrationError(ValueError):
    """Rows that no temperature can be fitted to."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of logits, (rows, n), and the index of each one's true class, (rows,)."""

    logits: Array
    targets: Array


# Each call is a pass: it goes through all rows once more.
Passes = Callable[[], Iterable[Examples]]


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass over the rows tells. `counts` are the targets by class, (n,). The sums over the rows
    are in units of `unit`, a power of two: `target_gap` is D, `mean_gap` R(inf), and `spread` the root
    mean square of the rows' standard deviations. `are_probabilities` says that every row is a distribution
    already."""

    rows: int
    counts: Array
    unit: float
    target_gap: float
    mean_gap: float
    spread: float
    are_probabilities: bool

    @property
    def classes(self) -> int:
        return len(self.counts)


@dataclass(frozen=True)
class Sums:
    """Sums over the rows at a temperature: `slope` and its squares, of each row's E[t] - t_y; `mean` of
    E[t], `variance` of Var[t]."""

    slope: float
    squares: float
    mean: float
    variance: float


def survey(passes: Passes) -> Survey:
    """What a fit starts from, in one pass. Errors as for `fit`."""
    rows, unit = 0, 0.0
    counts = np.zeros(0, np.int64)
    sums: list[tuple[float, float, float]] = []
    are_probabilities = True
    for examples in passes():
        classes = examples.logits.shape[1]
        counts = counts if len(counts) else np.zeros(classes, np.int64)
        if len(counts) != classes:
            raise CalibrationError(f"row {rows} has {classes} classes, but the rows before it {len(counts)}")
        counts += np.bincount(examples.targets, minlength=classes)
        unit = unit or _unit(examples.logits)
        are_probabilities = are_probabilities and _are_probabilities(examples.logits)
        try:
            sums += [_surveyed(piece, unit) for piece in _pieces(examples)]
        except TargetError as error:
            raise TargetError(error.problem, rows + error.row) from None
        rows += len(examples.targets)
    if not rows:
        raise CalibrationError("there are no rows to fit to")
    target_gap, mean_gap, variance = map(fsum, zip(*sums, strict=True))
    return Survey(rows, counts, unit, target_gap, mean_gap, sqrt(variance / rows), are_probabilities)


def _unit(logits: Array) -> float:
    """Of the size of the logits: in such units no sum of theirs over rows overflows."""
    finite = np.where(np.isneginf(logits), 0, logits)
    largest = max(abs(float(finite.max())), abs(float(finite.min())))
    return _power_of_two(largest) if largest > 0 else 1.0


def _power_of_two(value: float) -> float:
    return 2.0 ** min(max(frexp(value)[1], -1021), 1023)


def _are_probabilities(logits: Array) -> bool:
    return bool(logits.min() >= 0 and (abs(logits.sum(1, dtype=np.float64) - 1) < SUM).all())


def _surveyed(piece: "_Piece", unit: float) -> tuple[float, float, float]:
    """The sums of the targets' gaps, of the rows' mean gaps and of their variances."""
    gaps, own = _gaps(piece.examples, unit)
    if not np.isfinite(own).all():
        row = int((~np.isfinite(own)).argmax())
        target = piece.examples.targets[row]
        problem = f"the target, class #{target}, is masked: its probability is 0, which no temperature changes"
        raise TargetError(problem, piece.first + row)
    there = np.isfinite(gaps)
    count = there.sum(1)
    gaps[~there] = 0
    mean = gaps.sum(1) / count
    variance = np.einsum("ij,ij->i", gaps, gaps) / count - mean**2
    return float(own.sum()), float(mean.sum()), float(np.maximum(variance, 0).sum())


def evaluate(passes: Passes, taus: list[float], unit: float = 1.0) -> list[Sums]:
    """The sums at each temperature, in one pass: what Newton's method needs, and the sandwich. The taus are in
    units of `unit`."""
    parts = []
    for examples in passes():
        for piece in _pieces(examples):
            mean, variance, own = row_moments(piece.examples, taus, unit)
            slope = mean - own
            with np.errstate(over="ignore"):
                parts.append([terms.sum(1) for terms in (slope, slope**2, mean, variance)])
    return [Sums(*map(fsum, zip(*of, strict=True))) for of in np.array(parts).transpose(2, 0, 1).tolist()]


def row_slopes(passes: Passes, taus: Array) -> Array:
    """Each row's derivative of its NLL by log tau, E[t] - t_y, at k temperatures in one pass: (k, rows)."""
    found = []
    unit = _power_of_two(float(taus.max()))
    for examples in passes():
        for piece in _pieces(examples):
            mean, _, own = row_moments(piece.examples, (taus / unit).tolist(), unit)
            found.append(mean - own)
    return np.concatenate(found, axis=1)


def row_moments(examples: Examples, taus: list[float], unit: float) -> tuple[Array, Array, Array]:
    """E[t] and Var[t] of each row at k finite temperatures above 0, in units of `unit`, and the target's t:
    (k, rows) each."""
    gaps, own = _gaps(examples, unit)
    means, variances = np.empty((2, len(taus), len(own)))
    t, weights = np.empty_like(gaps), np.empty_like(gaps)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for k, tau in enumerate(taus):
            np.minimum(np.divide(gaps, tau, out=t), FAR, out=t)
            np.exp(np.negative(t, out=weights), out=weights)
            total = np.einsum("ij->i", weights)
            np.multiply(weights, t, out=weights)
            means[k] = np.einsum("ij->i", weights) / total
            variances[k] = np.einsum("ij,ij->i", weights, t) / total - means[k] ** 2
        return means, np.maximum(variances, 0), np.minimum(own / np.array(taus)[:, np.newaxis], HUGE)


def _gaps(examples: Examples, unit: float) -> tuple[Array, Array]:
    """max z - z in float64 and in units, (rows, n), inf where a class is masked; and the targets', (rows,)."""
    z = np.multiply(examples.logits, 1 / unit, dtype=np.float64)
    gaps = np.subtract(z.max(1, keepdims=True), z, out=z)
    return gaps, gaps[np.arange(len(gaps)), examples.targets]


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some rows, of which the first has this number in its block."""

    first: int
    examples: Examples


def _pieces(examples: Examples) -> Iterator[_Piece]:
    step = max(1, PIECE // examples.logits.shape[1])
    for first in range(0, len(examples.targets), step):
        stop = first + step
        yield _Piece(first, Examples(examples.logits[first:stop], examples.targets[first:stop]))
