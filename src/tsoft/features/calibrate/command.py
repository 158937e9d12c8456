"""`tsoft calibrate`: the temperature that calibrates a classifier."""

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tsoft.errors import UsageError, exclusive
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled, in_panel
from tsoft.options.input import ListedOptions, SourceOptions, TargetFieldOptions, array_key_option
from tsoft.options.job_options import JobOptions
from tsoft.options.output import FIGURE_FORMATS, DiagramOptions, Displayed, FigureOptions, OnlyIn, RecordOutputOptions

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.features.calibrate.calibration import Measuring
    from tsoft.features.calibrate.labeled_input import LabeledInput
    from tsoft.input.read_options import ArrayKey, TargetSource
    from tsoft.options.output import OutputOptions
    from tsoft.options.result import Result

_input = in_panel("Input")

# Weaker penalties are lost in rounding, and stronger ones leave nothing but one temperature.
LEAST_L2, MOST_L2 = 1e-6, 1e12
# The exit code for a fit at a limit.
AT_LIMIT = 3


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


@bundled
def calibrate(
    files: FileOptions,
    source: SourceOptions,
    truth: TargetsOptions,
    fields: TargetFieldOptions,
    answers: AnswerOptions,
    grouping: GroupOptions,
    method: MethodOptions,
    measuring: MeasuringOptions,
    saving: SavingOptions,
    output: RecordOutputOptions,
    charts: DiagramOptions,
    figure: FigureOptions,
    jobs: JobOptions,
) -> None:
    """Fit the temperature that calibrates a classifier.

    Reads logits and the true class of each row (the target): an .npz file with
    the arrays logits and targets (or labels), a CSV with a column target, or
    a file of logits and a file of targets. On a terminal, shows the calibration
    before and after the fit (NLL, ECE, reliability diagrams). In a pipe, prints
    the temperature. The exit code is 3 if the best temperature is 0 or inf.

    Examples:
      tsoft calibrate val.npz --test test.npz
      tsoft calibrate val.npz --test test.npz -o reliability.svg
      tsoft calibrate logits.npy labels.npy --format json --measures all
      tsoft calibrate z.npz --key val --targets-key y --test new.npz --test-key z
      tsoft calibrate -i val.csv --target-column y --ignore-index -100
      tsoft calibrate -i val.csv --by language --test test.csv
      tsoft calibrate responses.jsonl --choices A,B,C,D
      tsoft compute -i new.npy --tau $(tsoft calibrate -i val.csv)
      tsoft calibrate val.npz --method vector --save model.json
      tsoft calibrate -i 'val/*.npz' --jobs 8
    """
    from tsoft.features.calibrate.calibration import Measuring, calibration
    from tsoft.features.calibrate.group_calibration import grouped_calibration
    from tsoft.features.calibrate.group_result import GroupedResult
    from tsoft.features.calibrate.nll_curve import CHART_POINTS, FIGURE_POINTS
    from tsoft.features.calibrate.result import CalibrateResult
    from tsoft.options.few_resamples import note_few_resamples
    from tsoft.options.output import chosen_formats, view, write
    from tsoft.options.seeds import chosen_seed

    chosen, seed = chosen_formats(output, charts, grouping, measuring, figure), chosen_seed(measuring.seed)
    formats = {format for _, format in chosen}
    source, truth = _with_files(files.files or [], source, truth)
    _check_grouping(grouping, source, charts, formats)
    _check_answers(answers, grouping)
    _check_saving(saving.save, answers, grouping, output.output or [])
    _check_method(method, answers, grouping, charts, formats)
    _check_jobs(jobs, answers, grouping, method)
    targets = _target_options(truth, fields, answers)
    rows, test = _rows(source, truth, fields, _inputs(answers, targets, grouping.by, source, jobs))
    points = CHART_POINTS if "table" in formats and charts.chart is not False and grouping.by is None else 0
    points = FIGURE_POINTS if formats & {*FIGURE_FORMATS} else points
    resamples = 0 if formats == {"tsv"} else measuring.resamples
    measures = _chosen_measures(measuring.measures)
    settings = Measuring(measuring.bins, resamples, seed, measures)
    note_few_resamples(resamples)
    if answers.choices is not None and not answers.listed_only:
        _calibrate_bounded(
            rows, test, settings, chosen, figure, lambda: view(output), has_names=bool(measuring.measures)
        )
        return
    if method.method == "vector":
        _calibrate_vector(rows, test, settings, method, saving.save, chosen, figure, lambda: view(output))
        return
    # Tsv contains no measure, so it needs no note on one.
    shown = replace(settings, measures=()) if formats == {"tsv"} else settings
    with _started(jobs, [rows] if test is None else [rows, test]):
        calibrated = calibration(rows, test, shown, points)
    if saving.save is not None:
        from tsoft.features.calibrate.saving import save_temperature

        save_temperature(saving.save, rows, calibrated)
    has_limit = calibrated.fit.is_limit
    results: Sequence[Result]
    if grouping.by is None:
        results = [CalibrateResult(calibrated, format, charts.chart is not False) for _, format in chosen]
    else:
        grouped = grouped_calibration(rows, test, settings, calibrated)
        results, has_limit = [GroupedResult(grouped, format) for _, format in chosen], grouped.has_limit
    for (file, format), result in zip(chosen, results, strict=True):
        write(result, format, file, lambda: view(output), figure)
    if has_limit:
        raise typer.Exit(AT_LIMIT)


def _check_jobs(jobs: JobOptions, answers: AnswerOptions, grouping: GroupOptions, method: MethodOptions) -> None:
    """Raise UsageError for options of jobs that do not go with each other or with another option."""
    jobs.check()
    others = {
        "--by": grouping.by is not None,
        "--choices": answers.choices is not None,
        "--method vector": method.method == "vector",
    }
    for option, is_typed in others.items():
        if jobs.are_typed and is_typed:
            raise UsageError(
                f"{jobs.typed} has no effect with {option}, which one process computes; remove one of the two"
            )


@contextlib.contextmanager
def _started(jobs: JobOptions, inputs: "Sequence[LabeledInput]") -> "Iterator[None]":
    """Start the jobs for the inputs. Raise UsageError if there is only one file to read."""
    most = max(len(each.sources) for each in inputs)
    if jobs.are_typed and most == 1:
        raise UsageError(f"{jobs.typed} has no effect on a single file; pass several, such as -i FOLDER/")
    if not jobs.are_used:
        yield
        return
    from tsoft.features.calibrate.sharded_input import ShardedInput
    from tsoft.options.jobs import job_pool

    with job_pool(jobs, most) as pool:
        for each in inputs:
            if isinstance(each, ShardedInput):
                each.start(pool)
        yield


def _check_grouping(
    grouping: GroupOptions, source: SourceOptions, charts: DiagramOptions, formats: Collection[str]
) -> None:
    """Raise UsageError for options that do not go with --by."""
    if grouping.by is None:
        return
    if not grouping.by:
        raise UsageError("--by needs the name of a column")
    if source.id_column is not None:
        raise UsageError("--id-column has no effect with --by; remove it, and list the logits with --columns")
    if charts.chart:
        raise UsageError("--chart has no effect with --by; remove one of the two")
    if figures := [format for format in FIGURE_FORMATS if format in formats]:
        raise UsageError(f"--by has no effect on {figures[0]}; run tsoft without --by for the figure")


def _chosen_measures(typed: list[str] | None) -> Sequence[str]:
    """Return the names of the measures that were typed."""
    from tsoft.features.calibrate.measure_names import DEFAULT, chosen_measures
    from tsoft.options.names import split_names

    if typed is None:
        return DEFAULT
    try:
        return chosen_measures(split_names(typed))
    except ValueError as error:
        raise UsageError(f"--measures: {error}") from None


def _with_files(files: list[str], source: SourceOptions, truth: TargetsOptions) -> tuple[SourceOptions, TargetsOptions]:
    """Return the options with the files that are arguments: first the logits, then the targets."""
    if not files:
        return source, truth
    from tsoft.input.fields import is_number

    wrong = next((file for file in files if is_number(file) and not os.path.exists(file)), None)
    if wrong is not None:
        raise UsageError(f"{wrong!r} is not a file; calibrate reads logits and targets from files or from a pipe")
    if len(files) > 2:
        listed = " ".join(files[2:])
        fix = "pass a file of logits and a file of targets, or a pattern in quotes, such as 'val/*.npz'"
        raise UsageError(f"unexpected arguments: {listed}; {fix}")
    if source.inputs is not None:
        raise UsageError(exclusive(repr(files[0]), "--input", reason="both name the logits"))
    source = replace(source, inputs=[files[0]])
    if len(files) == 1:
        return source, truth
    if truth.targets is not None:
        raise UsageError(exclusive(repr(files[1]), "--targets", reason="both name the targets"))
    _check_second_file(*files)
    return source, replace(truth, targets=files[1])


def _check_second_file(rows: str, targets: str) -> None:
    """Raise UsageError if both files that are arguments, or files in both folders, may have rows and their targets: the
    targets of the second one would be taken for those of the first one."""
    from tsoft.input.formats import by_name
    from tsoft.options.input_files import listed_files

    formats = [{by_name(file) for file in listed_files([name])} for name in (rows, targets)]
    if all(any(each and each.keys for each in found) for found in formats):
        problem = f"{rows} and {targets} may both have rows and targets"
        raise UsageError(f"{problem}; pass -i {rows} -i {targets} for the rows of both, or --targets {targets}")


def _target_options(truth: TargetsOptions, fields: TargetFieldOptions, answers: AnswerOptions) -> "TargetSource":
    """Return how to read the targets, except the array that has them."""
    from tsoft.input.read_options import TargetSource

    if truth.targets is not None and fields.target_column is not None:
        raise UsageError(exclusive("--target-column", "--targets", reason="both name the targets"))
    return TargetSource(fields.target_column, ignored=fields.ignore_index, per_character=answers.acc_norm)


def _check_answers(answers: AnswerOptions, grouping: GroupOptions) -> None:
    """Raise UsageError for options that do not go with --choices, or have no effect without it."""
    if answers.choices is None:
        if answers.listed_only:
            raise UsageError("--listed-only has no effect without --choices; add --choices A,B,…")
        return
    for option, value in {"--acc-norm": answers.acc_norm, "--by": grouping.by}.items():
        if value:
            raise UsageError(f"{option} has no effect with --choices; remove {option}")


def _check_saving(file: str | None, answers: AnswerOptions, grouping: GroupOptions, outputs: list[str]) -> None:
    """Raise UsageError if there is no single calibration to save, or if the result would replace it."""
    from os.path import abspath

    if file is None:
        return
    if file in ("", "-"):
        raise UsageError("--save needs a file name")
    if abspath(file) in map(abspath, outputs):
        raise UsageError(f"--save and --output both write {file}; pass two files")
    if grouping.by is not None:
        raise UsageError("--save stores one temperature, but --by fits one per group; remove one of the two")
    if answers.choices is not None and not answers.listed_only:
        raise UsageError("--save needs a single temperature, but --choices gives only bounds; add --listed-only")


def _check_method(
    method: MethodOptions,
    answers: AnswerOptions,
    grouping: GroupOptions,
    charts: DiagramOptions,
    formats: Collection[str],
) -> None:
    """Raise UsageError for options that do not go with --method vector, or have no effect without it."""
    if method.method != "vector":
        for option, value in {"--l2": method.l2, "--folds": method.folds}.items():
            if value is not None:
                raise UsageError(f"{option} has no effect without --method vector; add --method vector")
        return
    if method.l2 is not None and not LEAST_L2 <= method.l2 <= MOST_L2:
        raise UsageError(f"--l2: expected a number from {LEAST_L2:g} to {MOST_L2:g}, got {method.l2:g}")
    if grouping.by is not None:
        raise UsageError("--by has no effect with --method vector; remove one of the two")
    if charts.chart:
        raise UsageError("--chart has no effect with --method vector; remove one of the two")
    if answers.choices is not None and not answers.listed_only:
        raise UsageError("--method vector needs probabilities instead of bounds on them; add --listed-only")
    if figures := [format for format in FIGURE_FORMATS if format in formats]:
        raise UsageError(f"--method vector has no effect on {figures[0]}; run tsoft without it for the figure")


def _calibrate_vector(
    rows: "LabeledInput",
    test: "LabeledInput | None",
    settings: "Measuring",
    method: MethodOptions,
    save: str | None,
    chosen: "Sequence[tuple[OutputOptions, str]]",
    figure: FigureOptions,
    new_view: "Callable[[], View]",
) -> None:
    """Fit vector scaling, and write it."""
    from tsoft.features.calibrate.saving import save_vector
    from tsoft.features.calibrate.vector_calibration import VectorSettings, vector_calibration
    from tsoft.features.calibrate.vector_result import VectorResult
    from tsoft.options.output import write

    defaults = VectorSettings()
    vector = VectorSettings(method.l2 or defaults.l2, method.folds or defaults.folds)
    calibrated = vector_calibration(rows, test, settings, vector)
    if save is not None:
        save_vector(save, rows, calibrated)
    for file, format in chosen:
        write(VectorResult(calibrated, format), format, file, new_view, figure)


@dataclass(frozen=True)
class _Files:
    """The files of the rows to fit to, or to measure on: those of the logits, those of the targets with the option that
    names them, and the arrays to read."""

    logits: list[str] | None
    targets: str | None
    targets_option: str
    key: "ArrayKey"
    targets_key: "ArrayKey"


def _files(source: SourceOptions, truth: TargetsOptions, fields: TargetFieldOptions) -> tuple[_Files, _Files]:
    """Return the files to fit to, and those to measure on."""
    from tsoft.input.read_options import ArrayKey, key_pair
    from tsoft.options.input_files import place_of

    same_file = not {*map(place_of, source.inputs or ())}.isdisjoint(map(place_of, truth.test or ()))
    targets = ArrayKey(fields.targets_key, "--targets-key")
    test_targets = ArrayKey(truth.test_targets_key, "--test-targets-key")
    key, test_key = key_pair(
        ArrayKey(source.key),
        ArrayKey(truth.test_key, "--test-key"),
        same_file=same_file,
        targets=(targets.name, test_targets.name),
    )
    targets_key, test_targets_key = key_pair(targets, test_targets, same_file=same_file)
    return (
        _Files(source.inputs, truth.targets, "--targets", key, targets_key),
        _Files(truth.test, truth.test_targets, "--test-targets", test_key, test_targets_key),
    )


def _inputs(
    answers: AnswerOptions, targets: "TargetSource", by: str | None, source: SourceOptions, jobs: JobOptions
) -> "Callable[[_Files], LabeledInput]":
    """Return a function that returns the rows of files with their true classes."""
    from tsoft.features.calibrate.labeled_input import LabeledInput
    from tsoft.options import logits

    if answers.choices is None:
        kind = LabeledInput
        if jobs.are_used:
            from tsoft.features.calibrate.sharded_input import ShardedInput

            kind = ShardedInput
        rows_of: Callable[..., LabeledInput] = partial(kind, labels=logits.parsed_labels(source.labels), by=by)
    else:
        from tsoft.features.calibrate.choice_input import ChoiceInput
        from tsoft.features.calibrate.choice_spellings import Choices
        from tsoft.input.fields import split_labels

        choices = Choices(split_labels(answers.choices, ","))
        rows_of = partial(ChoiceInput, choices=choices, listed=ListedOptions(listed_only=answers.listed_only))
    return lambda files: rows_of(
        replace(source, inputs=files.logits),
        files.targets,
        files.targets_option,
        targets=replace(targets, key=files.targets_key),
        key=files.key,
    )


def _calibrate_bounded(
    rows: "LabeledInput",
    test: "LabeledInput | None",
    settings: "Measuring",
    chosen: "Sequence[tuple[OutputOptions, str]]",
    figure: FigureOptions,
    new_view: "Callable[[], View]",
    *,
    has_names: bool,
) -> None:
    """Fit the temperature of choices, and write it with its bounds. `has_names`: whether measures were chosen."""
    from tsoft.features.calibrate.choice_calibration import choice_calibration
    from tsoft.features.calibrate.choice_input import ChoiceInput
    from tsoft.features.calibrate.choice_result import ChoiceResult
    from tsoft.options.output import write

    if any(format in FIGURE_FORMATS for _, format in chosen):
        raise UsageError("with --choices, the measures are bounds, which cannot be drawn; add --listed-only")
    assert isinstance(rows, ChoiceInput)
    assert isinstance(test, ChoiceInput | None)
    calibrated = choice_calibration(rows, test, settings, is_strict=has_names)
    for file, format in chosen:
        write(ChoiceResult(calibrated, format), format, file, new_view, figure)
    if calibrated.fit.is_limit:
        raise typer.Exit(AT_LIMIT)


def _rows(
    source: SourceOptions,
    truth: TargetsOptions,
    fields: TargetFieldOptions,
    rows_of: "Callable[[_Files], LabeledInput]",
) -> "tuple[LabeledInput, LabeledInput | None]":
    """Return the rows to fit to, and those to measure on."""
    import sys

    from tsoft.input.source import stdin_conflict

    if source.inputs is None and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("no rows; pass a file with -i FILE, or pipe one in")
    files: dict[str, Sequence[str | None]] = {
        "--input": source.inputs or ["-"],
        "--targets": [truth.targets],
        "--test": truth.test or [],
        "--test-targets": [truth.test_targets],
    }
    for option, names in files.items():
        if "" in names:
            raise UsageError(f"{option} needs a file name")
    readers = [option for option, names in files.items() if "-" in names]
    if len(readers) > 1:
        raise UsageError(stdin_conflict(readers))
    fitted, tested = _files(source, truth, fields)
    _check_options_without_test(truth)
    rows = rows_of(fitted)
    if truth.test is None:
        return rows, None
    test = rows_of(tested)
    shared = _shared_files(rows, test)
    has_other_rows = truth.test_key not in (None, source.key)
    if has_other_rows:
        _check_targets_of_other_rows(shared, truth)
    else:
        _note_fitted_files(shared)
    return rows, test


def _check_options_without_test(truth: TargetsOptions) -> None:
    """Raise UsageError for options without effect."""
    for option, value in {
        "--test-targets": truth.test_targets,
        "--test-key": truth.test_key,
        "--test-targets-key": truth.test_targets_key,
    }.items():
        if truth.test is None and value is not None:
            raise UsageError(f"{option} has no effect without --test; add --test FILE")


def _shared_files(rows: "LabeledInput", test: "LabeledInput") -> list[str]:
    """Return the names of the files of the fit that are tested."""
    from tsoft.options.input_files import place_of

    fitted = {place_of(each.logits.file or "-") for each in rows.sources}
    return [each.name for each in test.sources if place_of(each.logits.file or "-") in fitted]


def _check_targets_of_other_rows(shared: list[str], truth: TargetsOptions) -> None:
    """Raise UsageError if other rows in files of the fit would get the targets of the fit."""
    if shared and truth.test_targets is None and truth.test_targets_key is None:
        problem = f"--test-key selects other rows of {shared[0]}, which need other targets"
        raise UsageError(f"{problem}; pass --test-targets-key NAME or --test-targets FILE")


def _note_fitted_files(shared: list[str]) -> None:
    """Print a note if files of the fit are tested."""
    from tsoft.input.formats import has_arrays
    from tsoft.notes import note

    if shared:
        files = f"{shared[0]} and {len(shared) - 1} more" if len(shared) > 1 else shared[0]
        fix = "pass rows of other files" + ", or of another array with --test-key" * has_arrays(shared[0])
        note(f"--test: the fit uses {files}, too, so the measures are optimistic; {fix}")
