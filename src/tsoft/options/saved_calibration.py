"""The option for a saved calibration, and its application to blocks."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from tsoft.errors import InputError, UsageError
from tsoft.notes import note
from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel
from tsoft.options.input import EnergyOptions

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.input.calibration_file import Calibration

# A file of 100000 classes has 10 MB.
_LARGEST = 1 << 28


@bundle
class CalibrationOptions:
    """A saved calibration of the logits."""

    calibration: Annotated[
        str | None,
        in_panel("Input")(
            "--calibration",
            metavar="FILE",
            help="Calibrate the logits with a file that tsoft calibrate --save wrote. --tau then applies to the"
            " calibrated logits.",
        ),
    ] = None


def calibrated(
    blocks: "Iterator[Block]", options: CalibrationOptions, energies: EnergyOptions | None = None
) -> "Iterator[Block]":
    """Return the blocks with calibrated logits if a calibration is chosen. Print a note on it.

    energies: the options for energies, which have no effect on calibrated logits. Raise InputError for a calibration of
    other classes, or of logits of another kind.
    """
    if options.calibration is None:
        return blocks
    for name, value in vars(energies).items() if energies else ():
        if value is not None:
            raise UsageError(f"--{name} has no effect with --calibration, which makes logits of energies; remove it")
    return _calibrated(blocks, _read(options.calibration), options.calibration)


def _calibrated(blocks: "Iterator[Block]", calibration: "Calibration", source: str) -> "Iterator[Block]":
    note(f"{source}: tsoft calibrates the logits ({calibration.description})")
    is_noted = False
    for block in blocks:
        if block.partial is not None:
            problem = "an API response lists only some of the classes, so it cannot be calibrated"
            raise UsageError(f"--calibration: {problem}; remove --calibration")
        problem_with = calibration.problem_with(block.logits.shape[1], block.labels, block.origin.quantity)
        if problem_with is not None:
            raise InputError(f"{block.location}: {problem_with} ({source})")
        if bool(block.labels) != bool(calibration.labels) and not is_noted:
            is_noted = True
            which = source if block.labels else block.location
            note(f"{which}: the classes have no names, so tsoft takes them in the same order")
        try:
            logits = calibration.logits(block.logits)
        except ValueError as error:
            raise InputError(f"{block.location}: {error} ({source})") from None
        yield replace(block, logits=logits)


def _read(file: str) -> "Calibration":
    """Return the calibration in a file. Raise InputError for another file."""
    from tsoft.input.calibration_file import parsed_calibration
    from tsoft.input.limits import read_limited
    from tsoft.input.source import open_input

    if file in ("", "-"):
        raise UsageError("--calibration needs a file name")
    with open_input(file) as stream:
        data = read_limited(stream, _LARGEST, file, "calibration")
    try:
        return parsed_calibration(data)
    except ValueError as error:
        raise InputError(f"{file}: {error}") from None
