"""The calibration of a language model that answers with one of a few tokens, of which responses list only some."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from tsoft.core.fit import TemperatureFit, fit_rows
from tsoft.core.interval import Interval, confidence_interval
from tsoft.core.labeled_rows import CalibrationError, LabeledRows, StoredRows
from tsoft.errors import InputError, UsageError
from tsoft.features.calibrate.calibration import Measuring
from tsoft.features.calibrate.choice_bounds import BOUNDED, Bounds, measure_bounds, tau_bounds
from tsoft.features.calibrate.choice_input import ChoiceInput, ChoiceRows
from tsoft.features.calibrate.explanations import LIMITS
from tsoft.notes import note


@dataclass(frozen=True, eq=False)
class BoundedMeasures:
    """Bounds on the measures of some rows at a temperature. `data` is `fit` or `test`, as in `MeasuredRows`."""

    data: str
    tau: float
    rows: int
    bounds: dict[str, Bounds]


@dataclass(frozen=True, eq=False)
class ChoiceCalibration:
    """The fit to the listed tokens alone with its interval, bounds on the temperature whatever the unlisted tokens are,
    and bounds on measures."""

    fit: TemperatureFit
    interval: Interval | None
    taus: Bounds
    measured: Sequence[BoundedMeasures]
    seed: int


def choice_calibration(
    rows: ChoiceInput, test: ChoiceInput | None, measuring: Measuring, *, is_strict: bool
) -> ChoiceCalibration:
    """Return the fit and bounds on it. Print notes to the user.

    is_strict: whether measures without bounds are an error; otherwise, they are left out. Raise InputError if there is
    nothing to fit.
    """
    names = [name for name in measuring.measures if name in BOUNDED]
    if is_strict and (others := [name for name in measuring.measures if name not in BOUNDED]):
        problem = f"there are no bounds on {', '.join(others)}"
        raise UsageError(f"--measures: {problem}; choose from {', '.join(BOUNDED)}, or add --listed-only")
    choices = _read(rows)
    listed = StoredRows([LabeledRows(choices.low, choices.targets)])
    try:
        fit = fit_rows(listed)
    except CalibrationError as error:
        raise InputError(f"{rows.name}: {error}") from None
    if fit.reason:
        note(f"{rows.name}: {fit.reason} to τ = {fit.tau:g}; these rows do not determine a temperature{LIMITS}")
    generator = np.random.default_rng(np.random.SeedSequence(measuring.seed, spawn_key=(0,)))
    interval = confidence_interval(listed, fit, len(choices.targets), measuring.resamples, generator)
    found = tau_bounds(choices.low, choices.high, choices.targets)
    bounds = Bounds(min(found.low, fit.tau), max(found.high, fit.tau))
    low, high = (f"{end:.6g}" for end in (bounds.low, bounds.high))
    if low != high:
        ends = f"from {low} to {high}"
        note(f"{rows.name}: τ is that among the listed tokens; whatever the others are, the best τ is {ends}")
    taus = [1.0] if fit.tau in (0, inf) else [1.0, fit.tau]
    parts = {"fit": choices, **({"test": _read(test)} if test else {})}
    measured = [
        BoundedMeasures(data, tau, len(part.targets), _bounds(part, tau, measuring.bins, names))
        for data, part in parts.items()
        for tau in taus
    ]
    return ChoiceCalibration(fit, interval, bounds, measured, measuring.seed)


def _read(rows: ChoiceInput) -> ChoiceRows:
    """Return all rows of an input. Raise InputError if there are none."""
    for _ in rows:
        pass
    if rows.choice_rows is None or not len(rows.choice_rows.targets):
        raise InputError(f"{rows.name}: there are no rows")
    return rows.choice_rows


def _bounds(rows: ChoiceRows, tau: float, bins: int, names: Sequence[str]) -> dict[str, Bounds]:
    bounds = measure_bounds(rows.low, rows.high, rows.targets, tau, bins)
    return {name: bounds[name] for name in names}
