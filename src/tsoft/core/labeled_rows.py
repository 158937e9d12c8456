"""Rows of logits with their true classes, and sums over them at a temperature.

The gaps of a row are g_j = max z - z_j, and its scaled gaps t_j = g_j / tau. Expectations are under the
softmax at tau.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import frexp, fsum, sqrt
from sys import float_info
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.library_arguments import are_whole, plain_array
from tsoft.core.ordered_map import ordered_map
from tsoft.core.probability_rows import are_one_hot, count_percentages, count_probabilities
from tsoft.core.softmax import Array, require_softmax, validate_logits

T = TypeVar("T")

# How many numbers a piece has. With its scratch arrays, it fits in a core's cache.
PIECE_SIZE = 1 << 16
# exp(-t) underflows to 0 at a much smaller gap.
MAX_SCALED_GAP = 1e4
# The square of this does not overflow, and neither does the sum of many of these squares.
MAX_SQUARABLE = 1e150
# A sum of values up to this does not overflow for any number of rows.
MAX_SUMMABLE = 1e290
# The relative rounding of the sums of the gaps.
CHANCE_ROUNDING = 1e-12


class TargetError(ValueError):
    """The target of a row is masked. `row` counts from 0."""

    def __init__(self, problem: str, row: int):
        super().__init__(f"row {row}: {problem}")
        self.problem, self.row = problem, row

    def __reduce__(self) -> tuple[Any, ...]:
        # Without this, pickle would call __init__ with the message alone.
        return type(self), (self.problem, self.row)


class CalibrationError(ValueError):
    """The rows cannot determine a temperature."""


@dataclass(frozen=True, eq=False)
class LabeledRows:
    """Rows of logits, (rows, n), and the index of each row's true class, (rows,)."""

    logits: Array
    targets: Array


class RowPasses(Protocol):
    """All rows, in blocks of any size. Each iteration and each `map` is a pass over them.

    Sums over the blocks that `map` yields do not depend on where the function runs.
    """

    def __iter__(self) -> Iterator[LabeledRows]: ...

    def map(self, function: Callable[[LabeledRows], T]) -> Iterator[T]:
        """Yield the results of a function of each block, in the order of the blocks.

        The function may run in other threads or processes, so pickle must be able to send it, and its results.
        """


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows whose blocks can be iterated several times, because they are in memory or in a file."""

    blocks: Iterable[LabeledRows]

    def __iter__(self) -> Iterator[LabeledRows]:
        return iter(self.blocks)

    def map(self, function: Callable[[LabeledRows], T]) -> Iterator[T]:
        """Yield the results of a function of each block, which runs in threads."""
        return ordered_map(function, self)


@dataclass(frozen=True, eq=False)
class RowSummary:
    """A summary of the rows from one pass.

    `counts` are the numbers of targets by class, (n,). The sums over the rows are in units of `unit`, a power of
    two near the targets' gaps, since these determine the magnitude of the temperature. `target_gap` is D,
    `mean_gap` is R(inf), and `spread` is the root mean square of the rows' standard deviations, all clipped so
    that they can be summed and squared. `like_probabilities` and `like_percentages` count the rows that look like a
    distribution. With `are_one_hot`, all numbers are 0 or 1, or 0 or 100.
    """

    rows: int
    counts: Array
    unit: float
    target_gap: float
    mean_gap: float
    spread: float
    like_probabilities: int
    like_percentages: int
    are_one_hot: bool

    @property
    def are_probabilities(self) -> bool:
        """Whether every row looks like a distribution, and not all rows are one-hot."""
        return self.like_probabilities == self.rows and not self.are_one_hot

    @property
    def are_percentages(self) -> bool:
        """Whether every row looks like a distribution in percent, and not all rows are one-hot."""
        return self.like_percentages == self.rows and not self.are_one_hot

    @property
    def classes(self) -> int:
        return len(self.counts)

    @property
    def is_at_chance(self) -> bool:
        """Whether the targets' logits are on average no higher than the others', up to the rounding of the sums."""
        return self.target_gap >= self.mean_gap * (1 - CHANCE_ROUNDING)

    @property
    def is_out_of_range(self) -> bool:
        """Whether some gaps may be clipped, because they are so much larger than the targets' gaps."""
        return self.mean_gap >= MAX_SUMMABLE / (self.rows * self.classes)


@dataclass(frozen=True)
class GapSums:
    """Sums over the rows at a temperature: `slope` of E[t] - t_y, `squares` of its square, `mean` of E[t],
    `variance` of Var[t]."""

    slope: float
    squares: float
    mean: float
    variance: float


def validate_examples(z: ArrayLike, targets: ArrayLike) -> LabeledRows:
    """Return logits, (..., n), and the indices of the true classes, (...), as rows.

    Raise LogitsError for a row without a softmax, and ValueError for targets that do not match the logits.

    >>> validate_examples([[2, 1], [0, 1]], [0, 1]).targets
    array([0, 1])
    """
    z, targets = validate_logits(z), plain_array("targets", targets)
    require_softmax(z)
    classes = z.shape[-1]
    if classes == 1 or (z.ndim == 1 and targets.shape == z.shape):
        raise ValueError(
            "expected at least two logits per row, got one; for a binary classifier, pass [0, s] for each logit s"
        )
    if targets.shape == z.shape and z.ndim > 1:
        raise ValueError(f"targets must be indices of shape {z.shape[:-1]}; for one-hot rows pass targets.argmax(-1)")
    if targets.shape != z.shape[:-1]:
        raise ValueError(f"targets must have shape {z.shape[:-1]}, one per row of logits; got {targets.shape}")
    if not are_whole(targets):
        raise ValueError(f"targets must be integers, got an array of {targets.dtype}")
    outside = targets[(targets < 0) | (targets >= classes)]
    if outside.size:
        raise ValueError(f"targets must be from 0 to {classes - 1}, got {outside[0]}")
    # The order of sums depends on that of the memory.
    return LabeledRows(np.ascontiguousarray(z.reshape(-1, classes)), targets.reshape(-1).astype(np.int64, copy=False))


def summarize(rows: RowPasses) -> RowSummary:
    """Summarize the rows for a fit, in one pass. Errors are those of `fit_rows`."""
    count = 0
    counts = np.zeros(0, np.int64)
    summaries: list[_PieceSummary] = []
    like_probabilities, like_percentages, are_one_hot = 0, 0, True
    blocks = rows.map(_summarize_block)
    while True:
        try:
            block = next(blocks, None)
        except TargetError as error:
            raise TargetError(error.problem, count + error.row) from None
        if block is None:
            break
        counts = counts if len(counts) else np.zeros_like(block.counts)
        if len(counts) != len(block.counts):
            problem = f"row {count} has {len(block.counts)} classes, but the rows before it have {len(counts)}"
            raise CalibrationError(problem)
        counts += block.counts
        like_probabilities += block.like_probabilities
        like_percentages += block.like_percentages
        are_one_hot = are_one_hot and block.are_one_hot
        summaries += block.pieces
        count += block.rows
    if not count:
        raise CalibrationError("there are no rows")
    # If every target is at the top of its row, the unit does not matter.
    unit = max((summary.unit for summary in summaries if summary.target_gap > 0), default=summaries[0].unit)
    target_gap = fsum(summary.convert(summary.target_gap, unit, MAX_SUMMABLE) for summary in summaries)
    mean_gap = fsum(summary.convert(summary.mean_gap, unit, MAX_SUMMABLE) for summary in summaries)
    variance = fsum(summary.convert(summary.deviation, unit, MAX_SQUARABLE) ** 2 for summary in summaries)
    spread = sqrt(variance / count)
    like = like_probabilities, like_percentages, are_one_hot
    return RowSummary(count, counts, unit, target_gap, mean_gap, spread, *like)


@dataclass(frozen=True, eq=False)
class _BlockSummary:
    """A summary of the rows of a block. `counts` are the numbers of targets by class, (n,)."""

    rows: int
    counts: Array
    like_probabilities: int
    like_percentages: int
    are_one_hot: bool
    pieces: list["_PieceSummary"]


def _summarize_block(examples: LabeledRows) -> _BlockSummary:
    return _BlockSummary(
        len(examples.targets),
        np.bincount(examples.targets, minlength=examples.logits.shape[1]),
        count_probabilities(examples.logits),
        count_percentages(examples.logits),
        are_one_hot(examples.logits),
        [_summarize_piece(piece) for piece in _pieces(examples)],
    )


def _unit(examples: LabeledRows) -> float:
    """Return a power of two near the largest of the targets' gaps or, if these are all 0, of all gaps."""
    target_logits = examples.logits[np.arange(len(examples.targets)), examples.targets].astype(np.float64)
    with np.errstate(over="ignore"):
        largest = float((examples.logits.max(1) - target_logits).max())
        if largest == 0:
            gaps = examples.logits.max(1, keepdims=True) - examples.logits.astype(np.float64)
            # The gap of an unmasked class may overflow.
            largest = float(gaps[examples.logits > -np.inf].max())
    return _power_of_two(min(largest, float_info.max)) if largest > 0 else 1.0


def _power_of_two(value: float) -> float:
    return 2.0 ** min(max(frexp(value)[1], -1021), 1023)


@dataclass(frozen=True)
class _PieceSummary:
    """Sums over the rows of a piece, in `unit`: those of the targets' gaps and of the mean gaps, and the root of
    the sum of the variances."""

    unit: float
    target_gap: float
    mean_gap: float
    deviation: float

    def convert(self, value: float, unit: float, limit: float) -> float:
        """Return one of the sums in another unit, clipped to `limit`."""
        return min(value * (self.unit / unit), limit) if value > 0 else 0.0


def _summarize_piece(piece: "_Piece") -> _PieceSummary:
    unit = _unit(piece.examples)
    gaps, target_gaps = _gaps(piece.examples, unit)
    if not np.isfinite(target_gaps).all():
        row = int((~np.isfinite(target_gaps)).argmax())
        target = piece.examples.targets[row]
        problem = f"the target, class #{target}, is masked, so its probability is 0 at every temperature"
        raise TargetError(problem, piece.first + row)
    unmasked = piece.examples.logits > -np.inf
    count = unmasked.sum(1)
    gaps[~unmasked] = 0
    mean = np.minimum(gaps, MAX_SUMMABLE, out=gaps).sum(1) / count
    deviations = np.minimum(gaps, MAX_SQUARABLE, out=gaps)
    variance = np.einsum("ij,ij->i", deviations, deviations) / count - (deviations.sum(1) / count) ** 2
    return _PieceSummary(unit, float(target_gaps.sum()), float(mean.sum()), sqrt(float(np.maximum(variance, 0).sum())))


def evaluate(rows: RowPasses, taus: list[float], unit: float = 1.0) -> list[GapSums]:
    """Return the sums at each temperature, in units of `unit`, in one pass: for Newton's method and the sandwich
    estimate."""
    sums_of_pieces = [sums for block in rows.map(partial(_block_sums, taus=taus, unit=unit)) for sums in block]
    return [
        GapSums(*map(fsum, zip(*sums, strict=True))) for sums in np.array(sums_of_pieces).transpose(2, 0, 1).tolist()
    ]


def _block_sums(examples: LabeledRows, *, taus: list[float], unit: float) -> Array:
    """Return the sums of each piece of a block: (pieces, 4, k)."""
    sums_of_pieces = []
    for piece in _pieces(examples):
        mean, variance, target = row_moments(piece.examples, taus, unit)
        slope = mean - target
        with np.errstate(over="ignore"):
            sums_of_pieces.append([terms.sum(1) for terms in (slope, slope**2, mean, variance)])
    return np.array(sums_of_pieces)


def row_slopes(rows: RowPasses, betas: Array, unit: float = 1.0) -> Array:
    """Return each row's derivative of its NLL with respect to beta = 1 / tau, g_y - E[g], at k betas from 0 to inf:
    (k, rows). This takes one pass. The gaps are in units of `unit`, and so is 1 / beta."""
    return np.concatenate(list(rows.map(partial(_block_slopes, betas=betas, unit=unit))), axis=1)


def _block_slopes(examples: LabeledRows, *, betas: Array, unit: float) -> Array:
    """Return the slopes of the rows of a block: (k, rows)."""
    slopes_of_block = np.empty((len(betas), len(examples.targets)))
    with np.errstate(over="ignore", under="ignore"):
        for piece in _pieces(examples):
            gaps, target_gaps = _gaps(piece.examples, unit)
            unmasked = np.isfinite(gaps)
            gaps[~unmasked] = 0
            np.minimum(gaps, MAX_SUMMABLE, out=gaps)
            slopes = slopes_of_block[:, piece.first : piece.first + len(gaps)]
            for beta, slope in zip(betas, slopes, strict=True):
                # A gap of 0 gives t = 0, also at beta = inf.
                t = np.multiply(gaps, beta, out=np.zeros_like(gaps), where=gaps > 0)
                weights = np.exp(-t) * unmasked
                np.subtract(target_gaps, np.einsum("ij,ij->i", weights, gaps) / np.einsum("ij->i", weights), out=slope)
    return slopes_of_block


def largest_gap(rows: RowPasses, unit: float) -> float:
    """Return the largest of all gaps, in units of `unit`."""
    return max(rows.map(partial(_largest_gap_of_block, unit=unit)))


def _largest_gap_of_block(examples: LabeledRows, *, unit: float) -> float:
    gaps = (_gaps(piece.examples, unit)[0] for piece in _pieces(examples))
    return max((float(piece_gaps[np.isfinite(piece_gaps)].max()) for piece_gaps in gaps), default=0.0)


def count_numbers(rows: RowPasses) -> int:
    """Return the number of logits of all rows."""
    return sum(rows.map(_size))


def _size(examples: LabeledRows) -> int:
    return examples.logits.size


def row_moments(examples: LabeledRows, taus: list[float], unit: float) -> tuple[Array, Array, Array]:
    """Return E[t] and Var[t] of each row and the target's t at k finite temperatures above 0, in units of
    `unit`: (k, rows) each."""
    gaps, target_gaps = _gaps(examples, unit)
    means, variances = np.empty((2, len(taus), len(target_gaps)))
    t, weights = np.empty_like(gaps), np.empty_like(gaps)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for k, tau in enumerate(taus):
            np.minimum(np.divide(gaps, tau, out=t), MAX_SCALED_GAP, out=t)
            np.exp(np.negative(t, out=weights), out=weights)
            total = np.einsum("ij->i", weights)
            np.multiply(weights, t, out=weights)
            means[k] = np.einsum("ij->i", weights) / total
            variances[k] = np.einsum("ij,ij->i", weights, t) / total - means[k] ** 2
        return means, np.maximum(variances, 0), np.minimum(target_gaps / np.array(taus)[:, np.newaxis], MAX_SQUARABLE)


def _gaps(examples: LabeledRows, unit: float) -> tuple[Array, Array]:
    """Return the gaps in float64 and in units of `unit`, (rows, n), and those of the targets, (rows,). The gap is
    inf for a masked class, and for a class so low that its gap overflows."""
    # A large unit divides before the difference, so that this does not overflow; a small one divides after it.
    z = np.multiply(examples.logits, min(1 / unit, 1.0), dtype=np.float64)
    with np.errstate(over="ignore"):
        gaps = np.subtract(z.max(1, keepdims=True), z, out=z)
        gaps *= max(1 / unit, 1.0)
    return gaps, gaps[np.arange(len(gaps)), examples.targets]


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some rows of a block. `first` is the index of the first of them."""

    first: int
    examples: LabeledRows


def _pieces(examples: LabeledRows) -> Iterator[_Piece]:
    step = max(1, PIECE_SIZE // examples.logits.shape[1])
    for first in range(0, len(examples.targets), step):
        stop = first + step
        yield _Piece(first, LabeledRows(examples.logits[first:stop], examples.targets[first:stop]))
