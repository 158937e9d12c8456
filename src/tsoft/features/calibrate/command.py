"""`tsoft calibrate`: the temperature that makes a classifier as confident as it should be."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import UsageError
from tsoft.options.command import bundled, in_panel
from tsoft.options.input import SourceOptions
from tsoft.options.output import DiagramOptions, OnlyIn, OutputOptions

if TYPE_CHECKING:
    from tsoft.features.calibrate.labelled_input import LabelledInput

_input = in_panel("Input")

# The exit code where the fit is at a limit.
AT_LIMIT = 3


@dataclass(frozen=True)
class TargetsOptions:
    """The true classes, and further rows to measure on."""

    targets: Annotated[
        str | None,
        _input(
            "--targets",
            metavar="FILE",
            help="The rows' true classes, where the input has none: an .npy or a text, one a line, labels or indices"
            " from 0.",
        ),
    ] = None
    test: Annotated[
        str | None,
        _input(
            "--test",
            metavar="FILE",
            help="LabelledInput like the input's that the temperature is not fitted to, to measure it on.",
        ),
    ] = None
    test_targets: Annotated[str | None, _input("--test-targets", metavar="FILE", help="Their true classes.")] = None


@dataclass(frozen=True)
class MeasuringOptions:
    """How the calibration is measured."""

    bins: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Bins of confidence.")] = 15
    resamples: Annotated[
        int,
        typer.Option(
            min=0,
            max=1_000_000,
            metavar="N",
            help="Refits for the interval, and calibrated models for what the ECE is by chance; 0 for neither, which"
            " leaves the sandwich interval.",
        ),
        # The temperature alone, in tsv, waits for no simulation.
        OnlyIn("table", "csv", "json", "jsonl"),
    ] = 1000
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Another seed, other resamples.")] = 0


@bundled
def calibrate(
    source: SourceOptions,
    truth: TargetsOptions,
    measuring: MeasuringOptions,
    output: OutputOptions,
    charts: DiagramOptions,
) -> None:
    """Fit the temperature that makes a classifier as confident as it is right.

    Takes logits and the rows' true classes: an .npz with logits and targets
    (or labels), a CSV with a column target, or any input with --targets.
    A terminal gets how well calibrated the probabilities are before and after,
    reliability diagrams and the curve of the NLL; a pipe gets τ. The exit code
    is 3 where the fit is at a limit, 0 or inf.

    tsoft calibrate -i val.npz --test test.npz
    tsoft calibrate -i logits.npy --targets y.npy --format json
    tsoft compute -i new.npy --tau $(tsoft calibrate -i val.csv)
    """
    from tsoft.features.calibrate.calibration import calibration
    from tsoft.features.calibrate.result import CalibrateResult
    from tsoft.options.output import chosen_format, view, write
    from tsoft.options.seeds import chosen_seed

    format, seed = chosen_format(output, charts, measuring), chosen_seed(measuring.seed)
    rows, test = _rows(source, truth)
    curve = format == "table" and charts.chart is not False
    # The temperature alone waits for no simulation.
    resamples = 0 if format == "tsv" else measuring.resamples
    calibrated = calibration(rows, test, measuring.bins, resamples, seed, curve=curve)
    write(CalibrateResult(calibrated, format, charts.chart is not False), format, output, lambda: view(output))
    if calibrated.fit.is_limit:
        raise typer.Exit(AT_LIMIT)


def _rows(source: SourceOptions, truth: TargetsOptions) -> "tuple[LabelledInput, LabelledInput | None]":
    """The rows to fit to, and those to measure on."""
    import sys

    from tsoft.features.calibrate.labelled_input import LabelledInput
    from tsoft.options import logits

    if source.file is None and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("no rows: name a file with -i FILE, or pipe one in")
    files = (source.file or "-", truth.targets, truth.test, truth.test_targets)
    if "" in files:
        raise UsageError("--input, --targets, --test and --test-targets each need a file's name")
    if files.count("-") > 1:
        raise UsageError("stdin is there once, for one of the rows, their targets and the test")
    if truth.test is None and truth.test_targets is not None:
        raise UsageError("--test-targets are the true classes of --test, which is not given")
    names = logits.parsed_labels(source.labels)
    rows = LabelledInput(source, truth.targets, "--targets", names)
    test = replace(source, file=truth.test)
    return rows, None if truth.test is None else LabelledInput(test, truth.test_targets, "--test-targets", names)
