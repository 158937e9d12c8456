"""The calibration of each group of rows, and a test of whether their temperatures differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tsoft.core.fit import TemperatureFit, fit_rows
from tsoft.core.group_difference import GroupDifference, curvature, likelihood_ratio_test
from tsoft.core.interval import Interval, confidence_interval
from tsoft.core.labeled_rows import CalibrationError
from tsoft.errors import InputError, joined, shortened
from tsoft.features.calibrate.calibration import FEW_ROWS, FittedCalibration, MeasuredRows, Measuring
from tsoft.features.calibrate.class_bins import class_draws
from tsoft.features.calibrate.explanations import LIMITS
from tsoft.features.calibrate.labeled_groups import GroupRows
from tsoft.features.calibrate.labeled_input import LabeledInput
from tsoft.features.calibrate.reliability import report
from tsoft.features.calibrate.row_scores import score_rows
from tsoft.notes import note

# A note lists this many groups.
MAX_LISTED = 8


@dataclass(frozen=True, eq=False)
class GroupCalibration:
    """The fit to a group, its interval if it has one, and the reports on the group's rows."""

    name: str
    fit: TemperatureFit
    interval: Interval | None
    measured: Sequence[MeasuredRows]


@dataclass(frozen=True, eq=False)
class GroupedCalibration:
    """The calibration of all rows together and of each group in a `column`, and the test of whether the groups differ.
    It is None if the rows do not determine a temperature, or if there is only one group."""

    column: str
    together: FittedCalibration
    groups: Sequence[GroupCalibration]
    difference: GroupDifference | None

    @property
    def has_limit(self) -> bool:
        """Whether any fit is at a limit."""
        return self.together.fit.is_limit or any(group.fit.is_limit for group in self.groups)


def grouped_calibration(
    rows: LabeledInput, test: LabeledInput | None, measuring: Measuring, together: FittedCalibration
) -> GroupedCalibration:
    """Return the fit to each group and its reports. Print notes to the user. Both inputs have been read before."""
    assert rows.groups
    groups = rows.groups.split(rows, in_memory=rows.in_memory is not None)
    test_groups = _test_groups(rows, test, groups)
    _note_few_rows(rows.name, groups)
    calibrations = [
        _group_calibration(index, group, test_groups.get(group.name), rows, measuring)
        for index, group in enumerate(groups)
    ]
    return GroupedCalibration(rows.groups.column, together, calibrations, _difference(groups, calibrations, together))


def _test_groups(rows: LabeledInput, test: LabeledInput | None, groups: Sequence[GroupRows]) -> Mapping[str, GroupRows]:
    """Return the rows of --test by group. Print a note on groups that only one of the two inputs has."""
    if test is None:
        return {}
    assert test.groups
    test_groups = {group.name: group for group in test.groups.split(test, in_memory=test.in_memory is not None)}
    fitted = {group.name for group in groups}
    if unfitted := [name for name in test_groups if name not in fitted]:
        note(f"{test.name}: {rows.name} has no {_listed(unfitted)}, so these rows are measured only with all others")
    if unmeasured := [group.name for group in groups if group.name not in test_groups]:
        note(f"{test.name}: no rows of {_listed(unmeasured)}")
    return test_groups


def _listed(names: Sequence[str]) -> str:
    """Return groups for a message."""
    shown = [repr(shortened(name)) for name in names[:MAX_LISTED]]
    rest = len(names) - len(shown)
    words = joined([*shown, f"{rest} others"] if rest else shown)
    return f"group {words}" if len(names) == 1 else f"groups {words}"


def _note_few_rows(name: str, groups: Sequence[GroupRows]) -> None:
    """Print a note on groups with few rows."""
    few = [group for group in groups if group.rows < FEW_ROWS]
    if few:
        consequence = "its fit is" if len(few) == 1 else "their fits are"
        fewest = min(group.rows for group in few)
        least = f"{'as few as' if len(few) > 1 else 'only'} {fewest} row{'s' * (fewest != 1)}"
        note(f"{name}: with {least} in {_listed([group.name for group in few])}, {consequence} imprecise")


def _group_calibration(
    index: int, group: GroupRows, test: GroupRows | None, rows: LabeledInput, measuring: Measuring
) -> GroupCalibration:
    where = f"{rows.name}: group {shortened(group.name)!r}"
    try:
        fit = fit_rows(group)
    except CalibrationError as error:
        raise InputError(f"{where}: {error}") from None
    if fit.reason:
        note(f"{where}: {fit.reason} to τ = {fit.tau:g}; its rows do not determine a temperature{LIMITS}")
    # The streams of all rows together are 0 and 1.
    generator = np.random.default_rng(np.random.SeedSequence(measuring.seed, spawn_key=(2, index)))
    interval = confidence_interval(group, fit, group.rows, measuring.resamples if group.in_memory else 0, generator)
    measured = [_measured("fit", group, fit, rows.classes, measuring, generator)]
    if test:
        generator = np.random.default_rng(np.random.SeedSequence(measuring.seed, spawn_key=(3, index)))
        measured.append(_measured("test", test, fit, rows.classes, measuring, generator))
    return GroupCalibration(group.name, fit, interval, measured)


def _measured(
    data: str,
    group: GroupRows,
    fit: TemperatureFit,
    classes: int,
    measuring: Measuring,
    generator: np.random.Generator,
) -> MeasuredRows:
    draws = None
    if "classwise_ece" in measuring.measures:
        # There may be fewer simulations, as for all rows, which a note says.
        draws = class_draws(group.rows, classes, measuring.bins, measuring.resamples, generator)
    scores = score_rows(group, np.array([1.0, fit.tau]), 2, draws)
    before, after = (
        report(scores, t, measuring.bins, measuring.resamples, generator, measuring.measures) for t in range(2)
    )
    return MeasuredRows(data, before, after)


def _difference(
    groups: Sequence[GroupRows], calibrations: Sequence[GroupCalibration], together: FittedCalibration
) -> GroupDifference | None:
    """Return the test of whether the temperatures differ."""
    if together.fit.is_limit:
        return None
    group_nlls = [_total_nll(each.measured[0]) for each in calibrations]
    sums = [curvature(group, each.fit, together.fit) for group, each in zip(groups, calibrations, strict=True)]
    return likelihood_ratio_test(_total_nll(together.measured[0]), group_nlls, sums)


def _total_nll(measured: MeasuredRows) -> float:
    """Return the sum of the NLL over the rows at the fitted temperature."""
    return measured.after.nll * measured.after.rows
