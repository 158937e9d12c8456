"""Vector scaling of a classifier, compared with one temperature on rows that were held out of both fits."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from tsoft.core.fit import TemperatureFit, fit_rows
from tsoft.core.interval import MAX_DRAWN, NORMAL_QUANTILE
from tsoft.core.labeled_rows import CalibrationError, LabeledRows, RowPasses, StoredRows
from tsoft.core.softmax import Array, log_softmax
from tsoft.core.vector_scaling import VectorScaling, fit_vector
from tsoft.errors import InputError, counted
from tsoft.features.calibrate.calibration import Measuring, checked_summary, input_errors
from tsoft.features.calibrate.class_bins import class_draws
from tsoft.features.calibrate.explanations import LIMITS
from tsoft.features.calibrate.labeled_input import LabeledInput
from tsoft.features.calibrate.reliability import Report, report
from tsoft.features.calibrate.row_scores import score_rows
from tsoft.notes import note
from tsoft.output.watching import watched

T = TypeVar("T")

# What is measured: no calibration, one temperature, and vector scaling.
METHODS = ("none", "temperature", "vector")
# A fit takes about ten steps of rows × classes² operations each, and there is one fit per fold.
_MOST_CLASSES, _MOST_OPERATIONS = 1000, 2e10
# The number of bootstrap draws in a piece.
_PIECE_SIZE = 1 << 20


@dataclass(frozen=True)
class VectorSettings:
    """The strength `l2` of the penalty, and the number of `folds` of the cross-fit."""

    l2: float = 1.0
    folds: int = 5


@dataclass(frozen=True)
class NllDifference:
    """The NLL of one temperature minus that of vector scaling, the mean over held-out rows, with the ends of its 95 %
    interval. The `method` is "paired bootstrap", or "normal" without resamples."""

    mean: float
    low: float
    high: float
    method: str
    resamples: int = 0

    @property
    def verdict(self) -> str:
        """What the interval says."""
        if self.low > 0:
            return "vector scaling is better than one τ by more than chance"
        if self.high < 0:
            return "vector scaling is worse than one τ by more than chance"
        return "vector scaling is not better than one τ by more than chance"

    @property
    def text(self) -> str:
        """The mean and its interval."""
        method = self.method + f", {counted(self.resamples, 'resample')}" * bool(self.resamples)
        return f"{self.mean:.4f}, 95 % interval {self.low:.4f} to {self.high:.4f} ({method})"


@dataclass(frozen=True, eq=False)
class MeasuredMethod:
    """A report on some rows after a `method`: none, temperature or vector. `data` is "held out" for the rows of the
    fit, each measured with the fits to the other folds, and "test" for those of --test."""

    data: str
    method: str
    report: Report


@dataclass(frozen=True, eq=False)
class VectorCalibration:
    """The fit of one temperature and of vector scaling to all rows, and what held-out rows show about them."""

    fit: TemperatureFit
    scaling: VectorScaling
    settings: VectorSettings
    difference: NllDifference
    measured: Sequence[MeasuredMethod]
    labels: tuple[str, ...] | None
    seed: int


def vector_calibration(
    rows: LabeledInput, test: LabeledInput | None, measuring: Measuring, settings: VectorSettings
) -> VectorCalibration:
    """Return the fits and their reports. Print notes to the user. Raise InputError if the rows do not determine a
    temperature, or if there are too many numbers."""
    with input_errors(rows):
        summary = checked_summary(rows)
        fit = fit_rows(rows, summary)
    if fit.is_limit:
        fix = f"pass --method temperature{LIMITS}"
        raise InputError(f"{rows.name}: {fit.reason} to τ = {fit.tau:g}, from which vector scaling cannot start; {fix}")
    blocks = _in_memory(rows, settings)
    absent = int((summary.counts == 0).sum())
    if absent:
        classes = "1 class is" if absent == 1 else f"{absent} classes are"
        note(f"{rows.name}: {classes} never the target, and only the penalty limits how far the bias falls")
    with input_errors(rows):
        scaling = fit_vector(blocks, fit.tau, settings.l2)
        held_out = _cross_fitted(blocks, scaling, settings, np.random.default_rng(_seeds(measuring, 4)))
    difference = _difference(held_out[1:], measuring, np.random.default_rng(_seeds(measuring, 5)))
    if difference.low <= 0:
        note(f"{rows.name}: on held-out rows, {difference.verdict}")
    measured = _measured("held out", [StoredRows([each]) for each in held_out], rows, measuring, 6)
    if test:
        with input_errors(test):
            checked_summary(test, reference=rows)
            measured += _measured("test", _calibrated(test, fit.tau, scaling), test, measuring, 9)
    return VectorCalibration(fit, scaling, settings, difference, measured, rows.labels, measuring.seed)


def _seeds(measuring: Measuring, stream: int) -> np.random.SeedSequence:
    # The streams of the calibration with one temperature come before these.
    return np.random.SeedSequence(measuring.seed, spawn_key=(stream,))


def _in_memory(rows: LabeledInput, settings: VectorSettings) -> list[LabeledRows]:
    """Return all rows. Raise InputError if there are too few for the folds, or too many numbers."""
    if rows.rows < settings.folds:
        raise InputError(f"{rows.name}: {rows.rows} rows cannot be split into {settings.folds} folds; pass --folds 2")
    operations = float(rows.rows) * rows.classes**2 * (settings.folds + 1) / 6
    if rows.in_memory is None or rows.classes > _MOST_CLASSES or operations > _MOST_OPERATIONS:
        size = f"{rows.rows} rows of {rows.classes} classes"
        raise InputError(f"{rows.name}: vector scaling would take too long for {size}; pass fewer rows or classes")
    return rows.in_memory


def _cross_fitted(
    blocks: Sequence[LabeledRows], start: VectorScaling, settings: VectorSettings, generator: np.random.Generator
) -> list[LabeledRows]:
    """Return the rows, then their logits after one temperature and after vector scaling, both fitted to the other
    folds.

    start: where the search for the minimum starts, which does not depend on it. Raise CalibrationError for a fold whose
    other rows do not determine a temperature.
    """
    z = np.concatenate([block.logits for block in blocks]).astype(np.float64, copy=False)
    targets = np.concatenate([block.targets for block in blocks])
    folds = generator.permutation(len(targets)) % settings.folds
    tempered, scaled = np.empty_like(z), np.empty_like(z)
    for fold in watched(
        range(settings.folds),
        lambda fold, _: (f"fold {fold + 1} of {settings.folds}", fold + 1),
        lambda _: settings.folds,
    ):
        is_out = folds == fold
        others = LabeledRows(z[~is_out], targets[~is_out])
        fit = fit_rows(StoredRows([others]))
        if fit.is_limit:
            raise CalibrationError(f"without one of {settings.folds} folds, {fit.reason}; pass more rows")
        tempered[is_out] = _one_tau(z.shape[1], fit.tau).logits(z[is_out])
        scaled[is_out] = fit_vector([others], fit.tau, settings.l2, start).logits(z[is_out])
    return [LabeledRows(each, targets) for each in (z, tempered, scaled)]


def _difference(pair: Sequence[LabeledRows], measuring: Measuring, generator: np.random.Generator) -> NllDifference:
    """Return the mean difference of the NLL of two calibrations of the same rows, with its interval."""
    first, second = (_row_nll(rows) for rows in pair)
    differences = first - second
    mean, rows = float(differences.mean()), len(differences)
    if not measuring.resamples or rows * measuring.resamples > MAX_DRAWN:
        reach = NORMAL_QUANTILE * float(differences.std(ddof=1)) / rows**0.5
        return NllDifference(mean, mean - reach, mean + reach, "normal")
    step = max(1, _PIECE_SIZE // rows)
    means = np.concatenate(
        [
            differences[generator.integers(0, rows, (min(step, measuring.resamples - start), rows))].mean(1)
            for start in range(0, measuring.resamples, step)
        ]
    )
    low, high = np.quantile(means, [0.025, 0.975]).tolist()
    return NllDifference(mean, low, high, "paired bootstrap", measuring.resamples)


def _row_nll(rows: LabeledRows) -> Array:
    """Return the NLL of each row: (rows,)."""
    return -log_softmax(rows.logits)[np.arange(len(rows.targets)), rows.targets]


def _calibrated(rows: LabeledInput, tau: float, scaling: VectorScaling) -> "list[_CalibratedRows]":
    """Return the rows as they are, after the temperature, and after vector scaling."""
    scalings = (_one_tau(rows.classes, 1.0), _one_tau(rows.classes, tau), scaling)
    return [_CalibratedRows(rows, each) for each in scalings]


def _one_tau(classes: int, tau: float) -> VectorScaling:
    """Return the vector scaling that is one temperature."""
    return VectorScaling(np.full(classes, 1 / tau), np.zeros(classes))


@dataclass(frozen=True, eq=False)
class _CalibratedRows:
    """Rows after vector scaling."""

    rows: RowPasses
    scaling: VectorScaling

    def __iter__(self) -> Iterator[LabeledRows]:
        return map(self._calibrated, self.rows)

    def map(self, function: Callable[[LabeledRows], T]) -> Iterator[T]:
        return self.rows.map(partial(_of_calibrated, function=function, scaling=self.scaling))

    def _calibrated(self, block: LabeledRows) -> LabeledRows:
        return LabeledRows(self.scaling.logits(block.logits), block.targets)


def _of_calibrated(block: LabeledRows, *, function: Callable[[LabeledRows], T], scaling: VectorScaling) -> T:
    return function(LabeledRows(scaling.logits(block.logits), block.targets))


def _measured(
    data: str, passes: Sequence[RowPasses], rows: LabeledInput, measuring: Measuring, stream: int
) -> list[MeasuredMethod]:
    """Return the reports after each method."""
    return [
        MeasuredMethod(data, method, _report(each, rows.rows, rows.classes, measuring, stream + i))
        for i, (method, each) in enumerate(zip(METHODS, passes, strict=True))
    ]


def _report(rows: RowPasses, count: int, classes: int, measuring: Measuring, stream: int) -> Report:
    """Return the report on rows that are calibrated already."""
    generator, draws = np.random.default_rng(_seeds(measuring, stream)), None
    if "classwise_ece" in measuring.measures:
        draws = class_draws(count, classes, measuring.bins, measuring.resamples, generator)
    scores = score_rows(rows, np.array([1.0]), 1, draws)
    return report(scores, 0, measuring.bins, measuring.resamples, generator, measuring.measures)
