"""The options of `tsoft calibrate`."""

from typing import Annotated, Literal

import typer

from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel
from tsoft.options.input import ListedOptions, array_key_option
from tsoft.options.output import FIGURE_FORMATS, Displayed, OnlyIn

_input = in_panel("Input")

# Weaker penalties are lost in rounding, and stronger ones leave nothing but one temperature.
LEAST_L2, MOST_L2 = 1e-6, 1e12


def _measure_names(incomplete: str) -> list[str]:
    from tsoft.features.calibrate.measure_names import ALL

    return [name for name in (*ALL, "all") if name.startswith(incomplete)]


@bundle
class FileOptions:
    """The files of logits and targets as arguments."""

    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LOGITS [TARGETS]]",
            show_default=False,
            help="File of logits, and file of targets, as with -i and --targets; or folders of these. Without files,"
            " tsoft reads stdin.",
        ),
    ] = None


@bundle
class TargetsOptions:
    """The true classes, and additional rows to measure on."""

    targets: Annotated[
        str | None,
        _input(
            "--targets",
            metavar="FILE",
            help="True class of each row, if the input does not have it: an .npy file, or text with one label or index"
            " per line. For several inputs, a folder or a pattern; its files are paired with the inputs by name.",
        ),
    ] = None
    test: Annotated[
        list[str] | None,
        _input(
            "--test",
            metavar="FILE",
            help="Additional rows to measure the calibration on, as with -i. The temperature is not fitted to them.",
        ),
    ] = None
    test_targets: Annotated[
        str | None,
        _input(
            "--test-targets", metavar="FILE", help="True class of each row of --test, if that file does not have it."
        ),
    ] = None
    test_key: Annotated[str | None, array_key_option("--test-key", "the file of --test")] = None
    test_targets_key: Annotated[
        str | None,
        _input(
            "--test-targets-key",
            metavar="NAME",
            show_default="the array that --targets-key names if the file has it, otherwise found as for --targets-key",
            help="Name of the array of true classes in the file of --test or --test-targets.",
        ),
    ] = None


@bundle
class AnswerOptions(ListedOptions):
    """How to read the answers of a language model."""

    choices: Annotated[
        str | None,
        _input(
            "--choices",
            metavar="A,B,…",
            help="For API responses that answer with one of a few tokens: these answers, which become the classes.",
        ),
    ] = None
    acc_norm: Annotated[
        bool,
        _input(
            "--acc-norm",
            help="For samples of lm-evaluation-harness: divide the log-likelihood of each answer by the number of its"
            " characters, as acc_norm does.",
        ),
    ] = False


@bundle
class MethodOptions:
    """What is fitted."""

    method: Annotated[
        Literal["temperature", "vector"],
        typer.Option(
            "--method",
            metavar="METHOD",
            help="What to fit: temperature, or vector: a weight and a bias for each class, compared with one"
            " temperature on held-out rows.",
        ),
    ] = "temperature"
    l2: Annotated[
        float | None,
        typer.Option(
            "--l2",
            metavar="X",
            show_default="1",
            help="With --method vector: strength of the penalty that keeps weights and biases near one temperature.",
        ),
    ] = None
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            min=2,
            max=100,
            metavar="N",
            show_default="5",
            help="With --method vector: number of cross-validation folds; each is evaluated with a fit to the others.",
        ),
    ] = None


@bundle
class SavingOptions:
    """The file of the calibration."""

    save: Annotated[
        str | None,
        in_panel("Output")(
            "--save",
            metavar="FILE",
            help="Save the calibration as JSON, for compute --calibration FILE and tsoft.Calibration in Python.",
        ),
    ] = None


@bundle
class GroupOptions:
    """The groups of the rows."""

    by: Annotated[
        str | None,
        _input(
            "--by",
            metavar="NAME",
            help="Column of a table, or field of JSON, with the group of each row. Fit a temperature to each group as"
            " well, and test whether they differ.",
        ),
        OnlyIn("table", "tsv", "csv", "json", "jsonl"),
    ] = None


@bundle
class MeasuringOptions:
    """The measures, their bins and resamples, and the seed."""

    measures: Annotated[
        list[str] | None,
        typer.Option(
            "--measures",
            metavar="NAME,…",
            show_default="nll,brier,ece,ece_mass,accuracy,mean_confidence",
            help="Measures: nll, brier, brier_top, ece, ece_mass, classwise_ece, rms_ce, smooth_ece, mce, auroc,"
            " accuracy, mean_confidence, or all.",
            autocompletion=_measure_names,
        ),
        Displayed("csv", "json", "jsonl"),
    ] = None

    bins: Annotated[
        int,
        typer.Option(
            min=1,
            max=1000,
            metavar="N",
            help="Number of bins of confidence, for calibration errors and reliability diagrams.",
        ),
    ] = 15
    resamples: Annotated[
        int,
        typer.Option(
            min=0,
            max=1_000_000,
            metavar="N",
            help="Number of bootstrap samples for the interval of τ, and number of simulations for the by-chance"
            " levels. With 0, the interval is the sandwich estimate.",
        ),
        # tsv contains only the temperature, which needs no simulation.
        OnlyIn("table", "csv", "json", "jsonl", *FIGURE_FORMATS),
    ] = 1000
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Seed of the random numbers of the bootstrap and the simulations.")
    ] = 0
