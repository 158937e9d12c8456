"""`tsoft calibrate`: the temperature that makes a classifier as confident as it should be."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.options.command import bundled
from tsoft.options.groups import DisplayOptions, DistributionOptions, SourceOptions

if TYPE_CHECKING:
    from tsoft.features.calibrate.records import Calibration
    from tsoft.features.calibrate.rows import Rows


@dataclass(frozen=True)
class Truth:
    """The true classes, and further rows to measure on."""

    targets: Annotated[
        str | None,
        typer.Option(
            "--targets",
            metavar="FILE",
            help="The rows' true classes, where the input has none: an .npy or a text, one a line, labels or indices"
            " from 0.",
            rich_help_panel="Input",
        ),
    ] = None
    test: Annotated[
        str | None,
        typer.Option(
            "--test",
            metavar="FILE",
            help="Rows like the input's that the temperature is not fitted to, to measure it on.",
            rich_help_panel="Input",
        ),
    ] = None
    test_targets: Annotated[
        str | None,
        typer.Option("--test-targets", metavar="FILE", help="Their true classes.", rich_help_panel="Input"),
    ] = None


@dataclass(frozen=True)
class Measuring:
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
    ] = 1000
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Another seed, other resamples.")] = 0


@dataclass(frozen=True)
class Charts:
    chart: Annotated[
        bool,
        typer.Option(
            "--chart/--no-chart",
            help="Reliability diagrams and the NLL over τ.",
            rich_help_panel="Table and chart",
        ),
    ] = True


@bundled
def calibrate(
    source: SourceOptions, truth: Truth, measuring: Measuring, output: DistributionOptions, charts: Charts
) -> None:
    """Fit the temperature that makes a classifier as confident as it is right.

    Takes logits and the rows' true classes: an .npz with logits and targets
    (or labels), a CSV with a column target, or any input with --targets.
    A terminal gets how well calibrated the probabilities are before and after,
    reliability diagrams and the curve of the NLL; a pipe gets τ.

    tsoft calibrate -i val.npz --test test.npz
    tsoft calibrate -i logits.npy --targets y.npy --format json
    tsoft compute -i new.npy --tau $(tsoft calibrate -i val.csv)
    """
    from tsoft.features.calibrate.calibration import calibration
    from tsoft.options import results, seeds

    results.refuse("calibrate", log=output.log, long=output.long, with_logits=output.with_logits, bits=output.bits)
    form, seed = results.checked_format(output), seeds.chosen(measuring.seed)
    rows, test = _rows(source, truth)
    curve = form == "table" and charts.chart
    # The temperature alone waits for no simulation.
    resamples = 0 if form == "tsv" else measuring.resamples
    found = calibration(rows, test, measuring.bins, resamples, seed, curve=curve)
    _write(found, form, output, charts.chart)
    if found.fit.is_limit:
        raise typer.Exit(1)


def _write(found: "Calibration", form: str, output: DistributionOptions, chart: bool) -> None:
    from tsoft.options import results

    texts: Iterable[str]
    if form == "table":
        from tsoft.features.calibrate import chart as drawing

        texts = drawing.draw(found, results.view(output, DisplayOptions()), chart)
    else:
        from tsoft.features.calibrate import records
        from tsoft.output.number_format import NumberFormat

        texts = [records.write(found, form, NumberFormat(digits=output.digits))]
    results.put(texts, form, output)


def _rows(source: SourceOptions, truth: Truth) -> "tuple[Rows, Rows | None]":
    """The rows to fit to, and those to measure on."""
    import sys

    from tsoft.errors import UsageError
    from tsoft.features.calibrate.rows import Rows
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
    names = logits.labels(source.labels)
    rows = Rows(source, truth.targets, "--targets", names)
    test = replace(source, file=truth.test)
    return rows, None if truth.test is None else Rows(test, truth.test_targets, "--test-targets", names)
