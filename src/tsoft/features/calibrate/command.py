"""`tsoft calibrate`: the temperature that calibrates a classifier."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from tsoft.errors import UsageError
from tsoft.features.calibrate.calibrate_options import (
    LEAST_L2,
    MOST_L2,
    AnswerOptions,
    FileOptions,
    GroupOptions,
    MeasuringOptions,
    MethodOptions,
    SavingOptions,
    TargetsOptions,
)
from tsoft.options.command import bundled
from tsoft.options.input import SourceOptions, TargetFieldOptions
from tsoft.options.job_options import JobOptions
from tsoft.options.output import FIGURE_FORMATS, DiagramOptions, FigureOptions, RecordOutputOptions

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.features.calibrate.calibration import Measuring
    from tsoft.features.calibrate.labeled_input import LabeledInput
    from tsoft.options.output import OutputOptions
    from tsoft.options.result import Result

# The exit code for a fit at a limit.
AT_LIMIT = 3


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
    from tsoft.features.calibrate.typed_files import labeled_rows, reader_of_rows, target_options, with_files
    from tsoft.options.chosen_formats import chosen_formats
    from tsoft.options.few_resamples import note_few_resamples
    from tsoft.options.seeds import chosen_seed
    from tsoft.options.writing import view, write

    chosen, seed = chosen_formats(output, charts, grouping, measuring, figure), chosen_seed(measuring.seed)
    formats = {format for _, format in chosen}
    source, truth = with_files(files.files or [], source, truth)
    _check_grouping(grouping, source, charts, formats)
    _check_answers(answers, grouping)
    _check_saving(saving.save, answers, grouping, output.output or [])
    _check_method(method, answers, grouping, charts, formats)
    _check_jobs(jobs, answers, grouping, method)
    targets = target_options(truth, fields, answers)
    rows, test = labeled_rows(source, truth, fields, reader_of_rows(answers, targets, grouping.by, source, jobs))
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
    from tsoft.options.writing import write

    defaults = VectorSettings()
    vector = VectorSettings(method.l2 or defaults.l2, method.folds or defaults.folds)
    calibrated = vector_calibration(rows, test, settings, vector)
    if save is not None:
        save_vector(save, rows, calibrated)
    for file, format in chosen:
        write(VectorResult(calibrated, format), format, file, new_view, figure)


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
    from tsoft.options.writing import write

    if any(format in FIGURE_FORMATS for _, format in chosen):
        raise UsageError("with --choices, the measures are bounds, which cannot be drawn; add --listed-only")
    assert isinstance(rows, ChoiceInput)
    assert isinstance(test, ChoiceInput | None)
    calibrated = choice_calibration(rows, test, settings, is_strict=has_names)
    for file, format in chosen:
        write(ChoiceResult(calibrated, format), format, file, new_view, figure)
    if calibrated.fit.is_limit:
        raise typer.Exit(AT_LIMIT)
