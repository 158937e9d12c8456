"""The option for a saved calibration, and its application to blocks."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from tsoft.errors import InputError, UsageError
from tsoft.frozen import frozen
from tsoft.notes import note
from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel
from tsoft.options.input import EnergyOptions

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.input.calibration_file import Calibration
    from tsoft.input.read_options import TargetSource

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


@frozen(eq=False)
class SavedCalibration:
    """The calibration that is chosen, if any, and its file."""

    calibration: "Calibration | None"
    file: str

    @property
    def targets(self) -> "TargetSource | None":
        """How to read the true classes of the rows to calibrate. None of them is used, but rows of one number are those
        of a binary classifier only for readers of true classes."""
        if self.calibration is None or not self.calibration.is_binary:
            return None
        from tsoft.input.read_options import TargetSource

        return TargetSource(separate=True, binary_labels=self.calibration.labels)

    def calibrated(self, blocks: "Iterator[Block]") -> "Iterator[Block]":
        """Return the blocks with calibrated logits if a calibration is chosen. Print a note on it.

        Raise InputError for a calibration of other classes, or of logits of another kind.
        """
        return blocks if self.calibration is None else _calibrated(blocks, self.calibration, self.file)


def saved_calibration(options: CalibrationOptions, energies: EnergyOptions | None = None) -> SavedCalibration:
    """Read the calibration that is chosen. energies: the options for energies, which have no effect on calibrated
    logits."""
    if options.calibration is None:
        return SavedCalibration(None, "")
    for name, value in vars(energies).items() if energies else ():
        if value is not None:
            raise UsageError(f"--{name} has no effect with --calibration, which makes logits of energies; remove it")
    return SavedCalibration(_read(options.calibration), options.calibration)


def _calibrated(blocks: "Iterator[Block]", calibration: "Calibration", source: str) -> "Iterator[Block]":
    from tsoft.input.calibration_file import SCORE_FIX

    note(f"{source}: tsoft calibrates the logits ({calibration.description})")
    is_noted = are_pairs = False
    for block in blocks:
        if block.partial is not None:
            problem = "an API response lists only some of the classes, so it cannot be calibrated"
            raise UsageError(f"--calibration: {problem}; remove --calibration")
        problem_with = calibration.problem_with(block.logits.shape[1], block.labels, block.origin.quantity)
        if problem_with is not None:
            raise InputError(f"{block.location}: {problem_with} ({source})")
        if bool(block.labels) != bool(calibration.labels) and not is_noted:
            is_noted = True
            which, other = (source, "the input") if block.labels else (block.location, source)
            note(f"{which}: the classes have no names, so tsoft assumes the order of {other}")
        # A column of two scores without a header is one distribution. The first logit of others is 0.
        is_only_row = block.first_row == 0 and len(block.logits) == 1
        are_logits = block.origin.quantity == "logit"
        is_pair = not block.origin.is_binary and bool(block.logits[:, 0].any()) and (are_logits or is_only_row)
        if calibration.is_binary and is_pair and not are_pairs:
            are_pairs = True
            fitted = "the calibration was fitted to one score per row"
            note(f"{block.location}: tsoft reads two numbers per row, but {fitted}; {SCORE_FIX}")
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
