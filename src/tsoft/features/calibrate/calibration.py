"""From rows to their calibration, and what is to be said of it."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ulp
from sys import float_info

import numpy as np

from tsoft.core.fit import TemperatureFit, fit_temperature
from tsoft.core.labelled_rows import CalibrationError, Survey, TargetError, survey
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.features.calibrate.interval import Interval, LongError, bootstrap, sandwich
from tsoft.features.calibrate.reliability import Report, Scores, report, scores
from tsoft.features.calibrate.rows import Rows
from tsoft.notes import note

# A bootstrap draws no more rows than this in all: of more the sandwich interval is as good.
DRAWN = 1 << 28
# Fewer rows say little; and so does an interval whose ends are so many times apart.
FEW, WIDE = 100, 10.0
# Where such a share of the rows look like probabilities, they may well be.
MOST = 0.9
# How far the curve of the NLL goes on either side of the fit, and by how many points.
AROUND, POINTS = 4.0, 16


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


def calibration(rows: Rows, test: Rows | None, bins: int, resamples: int, seed: int, *, curve: bool) -> Calibration:
    """The fit and what is measured of it, in as many passes over the rows as the fit takes and one more. What
    is said besides goes to the user as notes."""
    with _blamed(rows):
        found = _surveyed(rows)
        fitted = fit_temperature(rows, found)
    if fitted.reason:
        note(f"{rows.name}: {fitted.reason} to τ = {fitted.tau:g}, and these rows set no temperature")
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    interval = _interval(rows, fitted, resamples, generator)
    if interval and interval.high > WIDE * interval.low:
        ends = f"{interval.low:.6g} to {interval.high:.6g}"
        note(f"{rows.name}: the 95 % interval is {ends}: these rows hardly tell the temperature")
    taus = _around(fitted, found) if curve else np.empty(0)
    seen = scores(rows, np.concatenate([[1.0, fitted.tau], taus]), 2)
    measured = [_measured("fit", seen, bins, resamples, generator)]
    if test:
        with _blamed(test):
            _surveyed(test, like=rows)
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        measured.append(_measured("test", scores(test, seen.taus[:2], 2), bins, resamples, generator))
    for part, of in zip(measured, (rows, test), strict=False):
        assert of
        _say_of(part, of.name)
    return Calibration(fitted, interval, seed, measured, taus, seen.nll[2:])


@contextlib.contextmanager
def _blamed(rows: Rows) -> Iterator[None]:
    """What the core finds wrong is the source's."""
    try:
        yield
    except (CalibrationError, TargetError) as error:
        raise InputError(f"{rows.name}: {error}") from None


def _surveyed(rows: Rows, like: Rows | None = None) -> Survey:
    """The survey of rows, whose classes are those of others. Says what it shows."""
    found = survey(rows)
    if like and rows.classes != like.classes:
        raise InputError(f"{rows.name}: {rows.classes} classes, {like.name} has {like.classes}")
    if like and rows.labels and like.labels and rows.labels != like.labels:
        raise InputError(f"{rows.name}: its classes are not called as those of {like.name}")
    if found.classes == 1:
        both = "a binary classifier's single logit z is the two logits 0 and z"
        raise InputError(f"{rows.name}: one class, of which any model is sure; {both}")
    if found.are_probabilities:
        raise InputError(
            f"{rows.name}: the numbers of every row are from 0 to 1 and sum to 1: these are probabilities,"
            " not logits, which --probs takes, and in an .npz the name probs"
        )
    if found.like_probabilities >= MOST * found.rows:
        some = f"{found.like_probabilities} of {found.rows} rows"
        note(f"{rows.name}: the numbers of {some} are from 0 to 1 and sum to 1: are these probabilities?")
    if (found.counts > 0).sum() == 1:
        only = rows.class_name(int(found.counts.argmax()))
        what = "measured on" if like else "learned of"
        note(f"{rows.name}: every row's target is class {only}: nothing is {what} the others")
    if found.rows < FEW:
        few = "1 row is" if found.rows == 1 else f"{found.rows} rows are"
        note(f"{rows.name}: {few} few to {'measure on' if like else 'fit a temperature to'}")
    return found


def _interval(rows: Rows, fitted: TemperatureFit, resamples: int, generator: np.random.Generator) -> Interval | None:
    """By the bootstrap, where the rows are in memory, and not so many that it would take long."""
    if fitted.error is None:
        return None
    if resamples == 0 or rows.held is None or rows.rows * resamples > DRAWN:
        return sandwich(fitted)
    try:
        found = bootstrap(rows, fitted, resamples, generator)
    except LongError as error:
        note(f"{rows.name}: {error}: the interval is the sandwich")
        return sandwich(fitted)
    if found.limits:
        note(f"{rows.name}: {found.limits} of {resamples} resamples of the rows set no temperature, but 0 or inf")
    return found


def _around(fitted: TemperatureFit, found: Survey) -> Array:
    """The temperatures of the curve."""
    middle = found.spread * found.unit if fitted.is_limit else fitted.tau
    grid = np.geomspace(1 / AROUND, AROUND, POINTS)
    # Both ends of the curve are numbers above 0.
    middle = min(max(middle, ulp(0.0) * AROUND), float_info.max / AROUND)
    return np.append(grid, [1.0] * (not fitted.is_limit)) * middle


def _measured(data: str, seen: Scores, bins: int, resamples: int, generator: np.random.Generator) -> MeasuredRows:
    return MeasuredRows(data, *(report(seen, t, bins, resamples, generator) for t in range(2)))


def _say_of(measured: MeasuredRows, name: str) -> None:
    """What the numbers alone might hide."""
    before, after = measured.before, measured.after
    worse = [
        f"{kind} {first:.4g} → {second:.4g}"
        for kind, first, second in (
            ("equal width", before.widths.ece, after.widths.ece),
            ("equal mass", before.masses.ece, after.masses.ece),
        )
        if second > first
    ]
    if after.nll < before.nll and worse:
        note(f"{name}: at τ = {after.tau:.6g} the NLL is better, but the ECE is worse ({', '.join(worse)})")
    if after.nll > before.nll:
        note(f"{name}: at τ = {after.tau:.6g} the NLL is worse than at 1, {after.nll:.4g} against {before.nll:.4g}")
    merged = [f"{len(each.masses.counts)} at τ = {each.tau:.6g}" for each in measured.reports if each.masses.is_merged]
    if merged:
        fewer = f"there are {' and '.join(merged)}, not {before.masses.asked}"
        note(f"{name}: rows of the same confidence share a bin, so that of bins of equal mass {fewer}")
