"""The rows in the files that a command line of `tsoft calibrate` names: those to fit to, and those to measure on."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tsoft.errors import UsageError, exclusive
from tsoft.features.calibrate.calibrate_options import AnswerOptions, TargetsOptions
from tsoft.options.input import ListedOptions, SourceOptions, TargetFieldOptions
from tsoft.options.job_options import JobOptions

if TYPE_CHECKING:
    from tsoft.features.calibrate.labeled_input import LabeledInput
    from tsoft.input.read_options import ArrayKey, TargetSource


def with_files(files: list[str], source: SourceOptions, truth: TargetsOptions) -> tuple[SourceOptions, TargetsOptions]:
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
    """Raise UsageError if both files that are arguments, or files in both folders, may have rows and their targets, so
    that it is unclear which targets are meant."""
    from tsoft.input.formats import by_name
    from tsoft.options.input_files import listed_files

    formats = [{by_name(file) for file in listed_files([name])} for name in (rows, targets)]
    if all(any(each and each.keys for each in found) for found in formats):
        problem = f"{rows} and {targets} may both have rows and targets"
        raise UsageError(f"{problem}; pass -i {rows} -i {targets} for the rows of both, or --targets {targets}")


def target_options(truth: TargetsOptions, fields: TargetFieldOptions, answers: AnswerOptions) -> "TargetSource":
    """Return how to read the targets, except the array that has them."""
    from tsoft.input.read_options import TargetSource

    if truth.targets is not None and fields.target_column is not None:
        raise UsageError(exclusive("--target-column", "--targets", reason="both name the targets"))
    return TargetSource(fields.target_column, ignored=fields.ignore_index, per_character=answers.acc_norm)


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


def reader_of_rows(
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


def labeled_rows(
    source: SourceOptions,
    truth: TargetsOptions,
    fields: TargetFieldOptions,
    rows_of: "Callable[[_Files], LabeledInput]",
) -> "tuple[LabeledInput, LabeledInput | None]":
    """Return the rows to fit to, and those to measure on."""
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
    """Raise UsageError for options that have no effect without --test."""
    if truth.test is not None:
        return
    for option, value in {
        "--test-targets": truth.test_targets,
        "--test-key": truth.test_key,
        "--test-targets-key": truth.test_targets_key,
    }.items():
        if value is not None:
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
