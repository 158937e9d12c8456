"""Saving a calibration to a file, from which other commands and Python read it."""

from collections.abc import Mapping
from math import inf
from typing import Any

from tsoft.errors import UsageError
from tsoft.features.calibrate.calibration import FittedCalibration
from tsoft.features.calibrate.labeled_input import LabeledInput
from tsoft.features.calibrate.vector_calibration import VectorCalibration
from tsoft.input.calibration_file import Calibration
from tsoft.notes import note
from tsoft.output.file import open_output


def _check_classes(rows: LabeledInput) -> None:
    """Raise UsageError for rows whose classes are not those of other rows. They have been read before."""
    if rows.has_answers:
        problem = "the classes are the answers to each question, which differ from file to file"
        raise UsageError(f"--save: {problem}; pass the temperature with --tau instead")


def save_temperature(file: str, rows: LabeledInput, calibration: FittedCalibration) -> None:
    """Save the fitted temperature, unless it is a limit, with a note."""
    _check_classes(rows)
    fit, interval = calibration.fit, calibration.interval
    if fit.is_limit:
        note(f"{file}: not saved, because τ is {fit.tau:g}")
        return
    before, after = calibration.measured[0].reports
    # JSON has no infinity.
    ends = (None, None) if interval is None else (interval.low, interval.high)
    low, high = ("inf" if end == inf else end for end in ends)
    fields = {
        "tau_low": low,
        "tau_high": high,
        "interval": interval and interval.method,
        "nll_at_1": before.nll,
        "nll": after.nll,
    }
    save(file, Calibration("temperature", rows.classes, rows.labels, fit.tau, quantity=rows.quantity), rows, fields)


def save_vector(file: str, rows: LabeledInput, calibration: VectorCalibration) -> None:
    """Save the weights and biases."""
    _check_classes(rows)
    scaling, difference = calibration.scaling, calibration.difference
    saved = Calibration(
        "vector",
        rows.classes,
        rows.labels,
        weights=tuple(scaling.weights.tolist()),
        biases=tuple(scaling.biases.tolist()),
        quantity=rows.quantity,
    )
    fields = {
        "l2": calibration.settings.l2,
        "folds": calibration.settings.folds,
        "one_tau": calibration.fit.tau,
        "nll_difference": difference.mean,
        "nll_difference_low": difference.low,
        "nll_difference_high": difference.high,
    }
    save(file, saved, rows, fields)


def save(file: str, calibration: Calibration, rows: LabeledInput, fields: Mapping[str, Any]) -> None:
    """Write a calibration with how it was fitted."""
    import tsoft

    fit = {"source": rows.name, "rows": rows.rows, "is_binary": rows.are_binary, **fields, "tsoft": tsoft.__version__}
    with open_output(file) as out:
        out(Calibration(**{**vars(calibration), "fit": fit}).json)
