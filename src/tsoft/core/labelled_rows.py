"""Rows with their true classes, and sums over them at a temperature.

The gaps of a row are g_j = max z - z_j; over the temperature they are t_j = g_j / tau. Expectations are
under the softmax at tau.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import frexp, fsum, sqrt
from sys import float_info

import numpy as np

from tsoft.core.softmax import Array

# So many numbers are worked at once: with their scratch they stay in a core's cache.
PIECE = 1 << 16
# exp is 0 long before.
FAR = 1e4
# The square of this does not overflow, nor does a sum of many.
HUGE = 1e150
# No sum of so many overflows, whatever the rows.
LARGEST = 1e290
# Numbers from 0 to 1 that sum to 1 within this are probabilities, or within what their own rounding to so many
# decimals may amount to.
SUM, DECIMALS = 0.02, (1, 2, 3)


class TargetError(ValueError):
    """A row whose target is none. `row` counts from 0."""

    def __init__(self, problem: str, row: int):
        super().__init__(f"row {row}: {problem}")
        self.problem, self.row = problem, row


class CalibrationError(ValueError):
    """Rows that no temperature can be fitted to."""


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows of logits, (rows, n), and the index of each one's true class, (rows,)."""

    logits: Array
    targets: Array


# Each call is a pass: it goes through all rows once more.
Passes = Callable[[], Iterable[LabelledRows]]


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass over the rows tells. `counts` are the targets by class, (n,). The sums over the rows
    are in units of `unit`, a power of two of the size of the targets' gaps, since it is these that a temperature
    is of the size of: `target_gap` is D, `mean_gap` R(inf), and `spread` the root mean square of the rows'
    standard deviations, both no more than can be summed and squared. `like_probabilities` is how many rows look
    like a distribution already, and `are_one_hot` says that there are no numbers but 0 and 1, which as logits
    are some, and as probabilities would be none."""

    rows: int
    counts: Array
    unit: float
    target_gap: float
    mean_gap: float
    spread: float
    like_probabilities: int
    are_one_hot: bool

    @property
    def are_probabilities(self) -> bool:
        """Whether every row is a distribution, and not all of them certain."""
        return self.like_probabilities == self.rows and not self.are_one_hot

    @property
    def classes(self) -> int:
        return len(self.counts)


@dataclass(frozen=True)
class GapSums:
    """GapSums over the rows at a temperature: `slope` and its squares, of each row's E[t] - t_y; `mean` of
    E[t], `variance` of Var[t]."""

    slope: float
    squares: float
    mean: float
    variance: float


def survey(passes: Passes) -> Survey:
    """What a fit starts from, in one pass. Errors as for `fit`."""
    rows = 0
    counts = np.zeros(0, np.int64)
    sums: list[_Surveyed] = []
    like_probabilities, are_one_hot = 0, True
    for examples in passes():
        classes = examples.logits.shape[1]
        counts = counts if len(counts) else np.zeros(classes, np.int64)
        if len(counts) != classes:
            raise CalibrationError(f"row {rows} has {classes} classes, but the rows before it {len(counts)}")
        counts += np.bincount(examples.targets, minlength=classes)
        like_probabilities += _like_probabilities(examples.logits)
        are_one_hot = are_one_hot and bool(((examples.logits == 0) | (examples.logits == 1)).all())
        try:
            sums += map(_surveyed, _pieces(examples))
        except TargetError as error:
            raise TargetError(error.problem, rows + error.row) from None
        rows += len(examples.targets)
    if not rows:
        raise CalibrationError("there are no rows to fit to")
    # Where no target is below the top, any unit does.
    unit = max((part.unit for part in sums if part.target_gap > 0), default=sums[0].unit)
    target_gap = fsum(part.times(part.target_gap, unit, LARGEST) for part in sums)
    mean_gap = fsum(part.times(part.mean_gap, unit, LARGEST) for part in sums)
    variance = fsum(part.times(part.deviation, unit, HUGE) ** 2 for part in sums)
    spread = sqrt(variance / rows)
    return Survey(rows, counts, unit, target_gap, mean_gap, spread, like_probabilities, are_one_hot)


def _unit(examples: LabelledRows) -> float:
    """Of the size of the targets' gaps; where these are all 0, of all gaps."""
    own = examples.logits[np.arange(len(examples.targets)), examples.targets].astype(np.float64)
    with np.errstate(over="ignore"):
        largest = float((examples.logits.max(1) - own).max())
        if largest == 0:
            gaps = examples.logits.max(1, keepdims=True) - examples.logits.astype(np.float64)
            largest = float(gaps[np.isfinite(gaps)].max())
    return _power_of_two(min(largest, float_info.max)) if largest > 0 else 1.0


def _power_of_two(value: float) -> float:
    return 2.0 ** min(max(frexp(value)[1], -1021), 1023)


def _like_probabilities(logits: Array) -> int:
    """How many rows are numbers from 0 to 1 that sum to 1, but for their rounding: half a step each."""
    likely = logits[((logits >= 0) & (logits <= 1)).all(1)].astype(np.float64)
    if not len(likely):
        return 0
    places = next((k for k in DECIMALS if (abs(likely - likely.round(k)) < 1e-3 * 10.0**-k).all()), None)
    rounding = 0.0 if places is None else likely.shape[1] * 10.0**-places / 2
    # A little more, for a sum that is on the edge.
    return int((abs(likely.sum(1) - 1) < max(SUM, rounding * 1.001)).sum())


@dataclass(frozen=True)
class _Surveyed:
    """Of a piece's rows, in `unit`, the sums of the targets' gaps and of the mean gaps, and the root of the sum
    of the variances."""

    unit: float
    target_gap: float
    mean_gap: float
    deviation: float

    def times(self, value: float, unit: float, most: float) -> float:
        """One of them in another unit, but no more than `most`."""
        return min(value * (self.unit / unit), most) if value > 0 else 0.0


def _surveyed(piece: "_Piece") -> _Surveyed:
    unit = _unit(piece.examples)
    gaps, own = _gaps(piece.examples, unit)
    if not np.isfinite(own).all():
        row = int((~np.isfinite(own)).argmax())
        target = piece.examples.targets[row]
        problem = f"the target, class #{target}, is masked: its probability is 0, which no temperature changes"
        raise TargetError(problem, piece.first + row)
    there = np.isfinite(gaps)
    count = there.sum(1)
    gaps[~there] = 0
    mean = np.minimum(gaps, LARGEST, out=gaps).sum(1) / count
    deviations = np.minimum(gaps, HUGE, out=gaps)
    variance = np.einsum("ij,ij->i", deviations, deviations) / count - (deviations.sum(1) / count) ** 2
    return _Surveyed(unit, float(own.sum()), float(mean.sum()), sqrt(float(np.maximum(variance, 0).sum())))


def evaluate(passes: Passes, taus: list[float], unit: float = 1.0) -> list[GapSums]:
    """The sums at each temperature, in one pass: what Newton's method needs, and the sandwich. The taus are in
    units of `unit`."""
    parts = []
    for examples in passes():
        for piece in _pieces(examples):
            mean, variance, own = row_moments(piece.examples, taus, unit)
            slope = mean - own
            with np.errstate(over="ignore"):
                parts.append([terms.sum(1) for terms in (slope, slope**2, mean, variance)])
    return [GapSums(*map(fsum, zip(*of, strict=True))) for of in np.array(parts).transpose(2, 0, 1).tolist()]


def row_slopes(passes: Passes, betas: Array, unit: float = 1.0) -> Array:
    """Each row's derivative of its NLL by beta = 1 / tau, g_y - E[g], at k betas from 0 to inf in one pass: (k, rows).
    The gaps are in units of `unit`, and so is 1 / beta."""
    found = []
    with np.errstate(over="ignore", under="ignore"):
        for examples in passes():
            for piece in _pieces(examples):
                gaps, own = _gaps(piece.examples, unit)
                there = np.isfinite(gaps)
                gaps[~there] = 0
                np.minimum(gaps, LARGEST, out=gaps)
                slopes = np.empty((len(betas), len(gaps)))
                for beta, slope in zip(betas, slopes, strict=True):
                    # At the top t is 0 whatever beta.
                    t = np.multiply(gaps, beta, out=np.zeros_like(gaps), where=gaps > 0)
                    weights = np.exp(-t) * there
                    np.subtract(own, np.einsum("ij,ij->i", weights, gaps) / np.einsum("ij->i", weights), out=slope)
                found.append(slopes)
    return np.concatenate(found, axis=1)


def widest(passes: Passes, unit: float) -> float:
    """The largest of all gaps, in units."""
    gaps = (_gaps(piece.examples, unit)[0] for examples in passes() for piece in _pieces(examples))
    return max(float(of[np.isfinite(of)].max()) for of in gaps)


def row_moments(examples: LabelledRows, taus: list[float], unit: float) -> tuple[Array, Array, Array]:
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


def _gaps(examples: LabelledRows, unit: float) -> tuple[Array, Array]:
    """max z - z in float64 and in units, (rows, n), inf where a class is masked, or so far down that it is as
    good as masked; and the targets', (rows,)."""
    # Large units first, so that no difference overflows, and small ones last, so that only a gap does.
    z = np.multiply(examples.logits, min(1 / unit, 1.0), dtype=np.float64)
    with np.errstate(over="ignore"):
        gaps = np.subtract(z.max(1, keepdims=True), z, out=z)
        gaps *= max(1 / unit, 1.0)
    return gaps, gaps[np.arange(len(gaps)), examples.targets]


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some rows, of which the first has this number in its block."""

    first: int
    examples: LabelledRows


def _pieces(examples: LabelledRows) -> Iterator[_Piece]:
    step = max(1, PIECE // examples.logits.shape[1])
    for first in range(0, len(examples.targets), step):
        stop = first + step
        yield _Piece(first, LabelledRows(examples.logits[first:stop], examples.targets[first:stop]))
