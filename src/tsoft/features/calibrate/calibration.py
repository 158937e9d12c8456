"""The calibration of a classifier on its rows, with notes to the user."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from tsoft.core.fit import TemperatureFit, fit_rows
from tsoft.core.interval import Interval, confidence_interval
from tsoft.core.labeled_rows import CalibrationError, RowSummary, TargetError, summarize
from tsoft.core.softmax import Array
from tsoft.errors import InputError, counted, shortened
from tsoft.features.calibrate.class_bins import TooManyBinsError, class_draws
from tsoft.features.calibrate.explanations import HIGHER_ECE, LIMITS
from tsoft.features.calibrate.labeled_input import LabeledInput
from tsoft.features.calibrate.measure_names import DEFAULT
from tsoft.features.calibrate.nll_curve import curve_taus
from tsoft.features.calibrate.reliability import Report, report
from tsoft.features.calibrate.row_scores import Scores, score_rows
from tsoft.input.class_lookup import numbers_in
from tsoft.notes import note

# A note warns about fewer rows, and about an interval whose ends differ by more than this factor.
FEW_ROWS, WIDE_RATIO = 100, 10.0
# In fewer rows, all logits may be from 0 to 1 by chance.
_MANY_ROWS = 10
# With this many rows per class, few classes have no row by chance.
_ROWS_PER_CLASS = 5
# A note recommends --probs if at least this share of the rows look like probabilities.
MOST_ROWS = 0.9
# The measures with bins of equal mass.
_MASS_MEASURES = {"ece_mass", "brier_top"}
# The rounding of a mean over the rows, relative to the larger one of the mean and 1.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Measuring:
    """What to measure: the number of `bins`, the number of `resamples` of the bootstrap and the simulations, their
    `seed`, and the names of the `measures`."""

    bins: int = 15
    resamples: int = 1000
    seed: int = 0
    measures: Sequence[str] = DEFAULT


@dataclass(frozen=True, eq=False)
class MeasuredRows:
    """The reports on some rows at τ = 1 and at the fitted temperature. `data` is `fit` for the rows that the
    temperature was fitted to, and `test` for others. `ignored` is the number of rows that were left out, None if no
    rows were to be left out."""

    data: str
    before: Report
    after: Report
    ignored: int | None = None

    @property
    def reports(self) -> tuple[Report, Report]:
        return self.before, self.after


@dataclass(frozen=True, eq=False)
class FittedCalibration:
    """A fit, its interval if it has one, and the reports on its rows and on others. `curve_taus` and `curve_nll`,
    (k,) each, are the points of the NLL curve. `seed` determines the bootstrap and the simulations."""

    fit: TemperatureFit
    interval: Interval | None
    seed: int
    measured: Sequence[MeasuredRows]
    curve_taus: Array
    curve_nll: Array


def calibration(
    rows: LabeledInput, test: LabeledInput | None, measuring: Measuring, curve_points: int
) -> FittedCalibration:
    """Return the fit and its reports. Print notes to the user. This takes one more pass over the rows than the fit."""
    with input_errors(rows):
        summary = checked_summary(rows)
        fit = fit_rows(rows, summary)
    if fit.reason:
        note(f"{rows.name}: {fit.reason} to τ = {fit.tau:g}; these rows do not determine a temperature{LIMITS}")
    generator = np.random.default_rng(np.random.SeedSequence(measuring.seed, spawn_key=(0,)))
    interval = _interval(rows, fit, measuring.resamples, generator)
    if interval and interval.high > WIDE_RATIO * interval.low:
        ends = f"{interval.low:.6g} to {interval.high:.6g}"
        note(f"{rows.name}: these rows determine τ only roughly: its 95 % interval is {ends}")
    taus = curve_taus(fit.tau, summary, curve_points) if curve_points else np.empty(0)
    scores = _scores(rows, np.concatenate([[1.0, fit.tau], taus]), measuring, generator)
    measured = [_measured("fit", scores, measuring, generator, rows)]
    if test:
        with input_errors(test):
            checked_summary(test, reference=rows)
        generator = np.random.default_rng(np.random.SeedSequence(measuring.seed, spawn_key=(1,)))
        test_scores = _scores(test, scores.taus[:2], measuring, generator)
        measured.append(_measured("test", test_scores, measuring, generator, test))
    for measured_rows, source in zip(measured, (rows, test), strict=False):
        assert source
        _note_contradictions(measured_rows, source.name, measuring.measures)
        _note_merged(measured_rows, source.name, measuring.measures)
        _note_unknown(measured_rows, source.name)
    return FittedCalibration(fit, interval, measuring.seed, measured, taus, scores.nll[2:])


def _scores(rows: LabeledInput, taus: Array, measuring: Measuring, generator: np.random.Generator) -> Scores:
    """Return the scores at all temperatures, the first two of which are measured. The rows have been read before."""
    if "classwise_ece" not in measuring.measures:
        return score_rows(rows, taus, 2)
    try:
        draws = class_draws(rows.rows, rows.classes, measuring.bins, measuring.resamples, generator)
    except TooManyBinsError as error:
        raise InputError(f"{rows.name}: {error}, --bins N") from None
    if draws.samples < measuring.resamples:
        simulations = f"{draws.samples} simulations" if draws.samples else "no simulation"
        size = f"{rows.rows} rows of {rows.classes} classes"
        note(f"{rows.name}: {simulations} instead of {measuring.resamples} for the classwise ECE, because of {size}")
    return score_rows(rows, taus, 2, draws)


@contextlib.contextmanager
def input_errors(rows: LabeledInput) -> Iterator[None]:
    """Convert errors of the fit to input errors that name the source of the rows."""
    try:
        yield
    except (CalibrationError, TargetError) as error:
        raise InputError(f"{rows.name}: {error}") from None


def checked_summary(rows: LabeledInput, reference: LabeledInput | None = None) -> RowSummary:
    """Return the summary of the rows. Print notes on its limits.

    Raise InputError if the rows cannot be calibrated, or if their classes are not those of the reference.
    """
    summary = summarize(rows)
    if reference:
        _check_reference(rows, reference)
    if rows.are_binary and rows.are_from_0_to_1 and not summary.are_one_hot:
        problem = "the number of every row is from 0 to 1, so they look like probabilities"
        raise InputError(f"{rows.name}: {problem}; pass --probs, or write the two logits 0 and z for each logit z")
    if summary.are_probabilities:
        problem = "the numbers of every row are from 0 to 1 and sum to 1, so they look like probabilities"
        fix = "; if the array is called 'logits', rename it to 'probs'" if rows.sources[0].name.endswith(".npz") else ""
        raise InputError(f"{rows.name}: {problem}; pass --probs{fix}")
    if summary.are_percentages:
        problem = "the numbers of every row are from 0 to 100 and sum to 100, so they look like percentages"
        raise InputError(f"{rows.name}: {problem}; divide them by 100 and pass --probs")
    if rows.are_binary and rows.are_from_0_to_1:
        note(f"{rows.name}: the number of every row is 0 or 1; pass --probs for probabilities")
    elif summary.like_probabilities >= MOST_ROWS * summary.rows:
        share = f"{summary.like_probabilities} of {summary.rows} rows"
        note(f"{rows.name}: the numbers of {share} are from 0 to 1 and sum to 1; pass --probs for probabilities")
    elif rows.are_from_0_to_1 and not summary.are_one_hot and summary.rows >= _MANY_ROWS:
        note(f"{rows.name}: all logits are from 0 to 1; if they are probabilities of one distribution, pass --probs")
    if summary.classes > 2 and summary.counts[0] == 0 and _may_count_from_1(summary, rows.labels):
        others = "but every other class occurs" if (summary.counts[1:] > 0).all() else "whose name counts from 1"
        question = "if the targets are numbers, do they count from 1?"
        note(f"{rows.name}: no target is class {rows.class_name(0)}, {others}; {question}")
    if (summary.counts > 0).sum() == 1:
        class_name = rows.class_name(int(summary.counts.argmax()))
        statement = "the measures say" if reference else "the fit says"
        note(f"{rows.name}: the target of every row is class {class_name}, so {statement} nothing about the others")
    if summary.rows < FEW_ROWS:
        count = "1 row" if summary.rows == 1 else f"{summary.rows} rows"
        consequence = (
            "the measures are imprecise" if reference else "the fit is imprecise, and intervals are too narrow"
        )
        note(f"{rows.name}: with only {count}, {consequence}")
    return summary


def _may_count_from_1(summary: RowSummary, labels: Sequence[str] | None) -> bool:
    """Return whether the targets, none of which is the first class, may be numbers from 1: every other class occurs, or
    the names of the classes count from 1, and there are many rows."""
    if (summary.counts[1:] > 0).all():
        return True
    counts = list(range(1, summary.classes + 1))
    return summary.rows >= _ROWS_PER_CLASS * summary.classes and numbers_in(labels or ()) == counts


def _check_reference(rows: LabeledInput, reference: LabeledInput) -> None:
    """Raise InputError if the classes of the rows are not those of the reference."""
    if rows.classes != reference.classes:
        classes = f"{rows.classes} classes, but {reference.name} has {reference.classes}"
        raise InputError(f"{rows.name}: {classes}; both need the same classes")
    if rows.labels and reference.labels and rows.labels != reference.labels:
        pairs = zip(rows.labels, reference.labels, strict=True)
        index, (label, other) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        classes = f"class {index} is {shortened(label)!r}, but {shortened(other)!r} in {reference.name}"
        raise InputError(f"{rows.name}: {classes}; both need the same classes in the same order")


def _interval(
    rows: LabeledInput, fit: TemperatureFit, resamples: int, generator: np.random.Generator
) -> Interval | None:
    """Return the bootstrap interval if the rows fit in memory and it does not take too long, else the sandwich
    interval."""
    interval = confidence_interval(rows, fit, rows.rows, resamples if rows.fits_in_memory else 0, generator)
    if interval and interval.reason:
        note(f"{rows.name}: {interval.reason}: the interval is the sandwich estimate")
    if interval and interval.limits:
        resampled = f"{interval.limits} of {counted(resamples, 'bootstrap resample')}"
        note(f"{rows.name}: for {resampled}, the best temperature is a limit, 0 or inf")
    return interval


def _measured(
    data: str, scores: Scores, measuring: Measuring, generator: np.random.Generator, source: LabeledInput
) -> MeasuredRows:
    before, after = (
        report(scores, t, measuring.bins, measuring.resamples, generator, measuring.measures) for t in range(2)
    )
    return MeasuredRows(data, before, after, source.ignored if source.leaves_out else None)


def _note_contradictions(measured: MeasuredRows, name: str, measures: Sequence[str]) -> None:
    """Print notes on measures that the temperature makes worse, if they are the NLL or requested."""
    before, after = measured.before, measured.after
    eces = {
        "ece": ("equal width", before.equal_width.ece, after.equal_width.ece),
        "ece_mass": ("equal mass", before.equal_mass.ece, after.equal_mass.ece),
    }
    shown = [ece for measure, ece in eces.items() if measure in measures]
    worse = [f"{kind} {first:.4g} → {second:.4g}" for kind, first, second in shown if _exceeds(second, first)]
    comparison = f"at τ = {after.tau:.6g}, compared with τ = 1,"
    if _exceeds(before.nll, after.nll) and worse:
        note(f"{name}: {comparison} the NLL is better, but the ECE is worse ({', '.join(worse)}){HIGHER_ECE}")
    if _exceeds(after.nll, before.nll):
        note(f"{name}: {comparison} the NLL is worse ({before.nll:.4g} → {after.nll:.4g})")


def _note_merged(measured: MeasuredRows, name: str, measures: Sequence[str]) -> None:
    """Print a note on merged bins of equal mass, if a requested measure uses them."""
    merged = [
        f"{len(report.equal_mass.counts)} at τ = {report.tau:.6g}"
        for report in measured.reports
        if report.equal_mass.is_merged
    ]
    if merged and not _MASS_MEASURES.isdisjoint(measures):
        before = measured.before
        requested = before.equal_mass.requested
        cause = "rows of equal confidence share a bin" if before.rows >= requested else "each bin needs a row"
        note(f"{name}: {cause}, so there are fewer than {requested} equal-mass bins: {' and '.join(merged)}")


def _exceeds(first: float, second: float) -> bool:
    """Return whether a measure is higher than another one by more than the rounding of its sums."""
    return first - second > ROUNDING * max(1.0, abs(first), abs(second))


def _note_unknown(measured: MeasuredRows, name: str) -> None:
    """Print a note if the AUROC is undefined."""
    undefined = [report for report in measured.reports if isnan(report.measures.get("auroc", 0.0))]
    if undefined:
        outcome = "right" if undefined[0].accuracy > 0 else "wrong"
        note(f"{name}: every prediction is {outcome}, so the AUROC is undefined")
