"""The calibration of rows, with the notes for the user."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ulp
from sys import float_info

import numpy as np

from tsoft.core.fit import TemperatureFit, fit_rows
from tsoft.core.interval import Interval, confidence_interval
from tsoft.core.labelled_rows import CalibrationError, RowSummary, TargetError, summarize
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.features.calibrate.labelled_input import LabelledInput
from tsoft.features.calibrate.reliability import Report, Scores, report, score_rows
from tsoft.notes import note

# A note says so if there are fewer rows, or if the ends of the interval differ by more than this factor.
FEW_ROWS, WIDE_RATIO = 100, 10.0
# If this share of the rows look like probabilities, a note asks whether they are.
MOST_ROWS = 0.9
# The range of the NLL curve, as a factor on either side of the fit, and its number of points.
CURVE_FACTOR, CURVE_POINTS = 4.0, 16


@dataclass(frozen=True, eq=False)
class MeasuredRows:
    """The reports on some rows, at τ = 1 and at the fitted temperature: the rows that it was fitted to, `fit`,
    or others, `test`."""

    data: str
    before: Report
    after: Report

    @property
    def reports(self) -> tuple[Report, Report]:
        return self.before, self.after


@dataclass(frozen=True, eq=False)
class Calibration:
    """A fit, its interval where there is one, and the reports on its rows and on others. `curve_taus` and
    `curve_nll`, (k,) each, are where a curve is to be drawn. What was drawn at random came from `seed`."""

    fit: TemperatureFit
    interval: Interval | None
    seed: int
    measured: Sequence[MeasuredRows]
    curve_taus: Array
    curve_nll: Array


def calibration(
    rows: LabelledInput, test: LabelledInput | None, bins: int, resamples: int, seed: int, *, curve: bool
) -> Calibration:
    """The fit and its reports, in one pass over the rows more than the fit takes, with notes to the user."""
    with _input_errors(rows):
        summary = _checked_summary(rows)
        fit = fit_rows(rows, summary)
    if fit.reason:
        note(f"{rows.name}: {fit.reason} to τ = {fit.tau:g}, and these rows set no temperature")
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    interval = _interval(rows, fit, resamples, generator)
    if interval and interval.high > WIDE_RATIO * interval.low:
        ends = f"{interval.low:.6g} to {interval.high:.6g}"
        note(f"{rows.name}: the 95 % interval is {ends}: these rows hardly tell the temperature")
    taus = _curve_taus(fit, summary) if curve else np.empty(0)
    scores = score_rows(rows, np.concatenate([[1.0, fit.tau], taus]), 2)
    measured = [_measured("fit", scores, bins, resamples, generator)]
    if test:
        with _input_errors(test):
            _checked_summary(test, reference=rows)
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        measured.append(_measured("test", score_rows(test, scores.taus[:2], 2), bins, resamples, generator))
    for part, source in zip(measured, (rows, test), strict=False):
        assert source
        _note_contradictions(part, source.name)
    return Calibration(fit, interval, seed, measured, taus, scores.nll[2:])


@contextlib.contextmanager
def _input_errors(rows: LabelledInput) -> Iterator[None]:
    """Turn errors of the fit into input errors that name the rows' source."""
    try:
        yield
    except (CalibrationError, TargetError) as error:
        raise InputError(f"{rows.name}: {error}") from None


def _checked_summary(rows: LabelledInput, reference: LabelledInput | None = None) -> RowSummary:
    """The summary of the rows, whose classes must be those of the reference, with notes on what it shows."""
    summary = summarize(rows)
    if reference and rows.classes != reference.classes:
        raise InputError(f"{rows.name}: {rows.classes} classes, {reference.name} has {reference.classes}")
    if reference and rows.labels and reference.labels and rows.labels != reference.labels:
        raise InputError(f"{rows.name}: its classes are not called as those of {reference.name}")
    if summary.classes == 1:
        advice = "a binary classifier's single logit z is the two logits 0 and z"
        raise InputError(f"{rows.name}: one class, of which any model is sure; {advice}")
    if summary.are_probabilities:
        raise InputError(
            f"{rows.name}: the numbers of every row are from 0 to 1 and sum to 1: these are probabilities,"
            " not logits, which --probs takes, and in an .npz the name probs"
        )
    if summary.like_probabilities >= MOST_ROWS * summary.rows:
        share = f"{summary.like_probabilities} of {summary.rows} rows"
        note(f"{rows.name}: the numbers of {share} are from 0 to 1 and sum to 1: are these probabilities?")
    if (summary.counts > 0).sum() == 1:
        class_name = rows.class_name(int(summary.counts.argmax()))
        consequence = "measured on" if reference else "learned of"
        note(f"{rows.name}: every row's target is class {class_name}: nothing is {consequence} the others")
    if summary.rows < FEW_ROWS:
        count = "1 row is" if summary.rows == 1 else f"{summary.rows} rows are"
        note(f"{rows.name}: {count} few to {'measure on' if reference else 'fit a temperature to'}")
    return summary


def _interval(
    rows: LabelledInput, fit: TemperatureFit, resamples: int, generator: np.random.Generator
) -> Interval | None:
    """The interval by the bootstrap, if the rows are in memory and it does not take too long, else by the
    sandwich."""
    interval = confidence_interval(rows, fit, rows.rows, resamples if rows.held is not None else 0, generator)
    if interval and interval.reason:
        note(f"{rows.name}: {interval.reason}: the interval is the sandwich")
    if interval and interval.limits:
        note(f"{rows.name}: {interval.limits} of {resamples} resamples of the rows set no temperature, but 0 or inf")
    return interval


def _curve_taus(fit: TemperatureFit, summary: RowSummary) -> Array:
    """The temperatures of the NLL curve."""
    center = summary.spread * summary.unit if fit.is_limit else fit.tau
    grid = np.geomspace(1 / CURVE_FACTOR, CURVE_FACTOR, CURVE_POINTS)
    # Keeps both ends of the curve positive and finite.
    center = min(max(center, ulp(0.0) * CURVE_FACTOR), float_info.max / CURVE_FACTOR)
    return np.append(grid, [1.0] * (not fit.is_limit)) * center


def _measured(data: str, scores: Scores, bins: int, resamples: int, generator: np.random.Generator) -> MeasuredRows:
    return MeasuredRows(data, *(report(scores, t, bins, resamples, generator) for t in range(2)))


def _note_contradictions(measured: MeasuredRows, name: str) -> None:
    """Notes on measures that get worse, and on merged bins."""
    before, after = measured.before, measured.after
    eces = {
        "equal width": (before.equal_width.ece, after.equal_width.ece),
        "equal mass": (before.equal_mass.ece, after.equal_mass.ece),
    }
    worse = [f"{kind} {first:.4g} → {second:.4g}" for kind, (first, second) in eces.items() if second > first]
    if after.nll < before.nll and worse:
        note(f"{name}: at τ = {after.tau:.6g} the NLL is better, but the ECE is worse ({', '.join(worse)})")
    if after.nll > before.nll:
        note(f"{name}: at τ = {after.tau:.6g} the NLL is worse than at 1, {after.nll:.4g} against {before.nll:.4g}")
    merged = [
        f"{len(each.equal_mass.counts)} at τ = {each.tau:.6g}" for each in measured.reports if each.equal_mass.is_merged
    ]
    if merged:
        fewer = f"there are {' and '.join(merged)}, not {before.equal_mass.requested}"
        note(f"{name}: rows of the same confidence share a bin, so that of bins of equal mass {fewer}")
