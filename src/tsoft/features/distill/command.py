"""`tsoft distill`: the information in a teacher's soft targets, and a student's loss on them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import InputError, UsageError, exclusive, shortened
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled
from tsoft.options.input import ListedOptions, LogitsOptions, TargetFieldOptions, array_key_option
from tsoft.options.numbers import share
from tsoft.options.output import DiagramOptions, FigureOptions, Mean, RecordOutputOptions, TableDisplayOptions
from tsoft.options.temperatures import TemperatureOptions, tau_option

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.softmax import Array
    from tsoft.features.distill.soft_targets import Distillation
    from tsoft.input.labels import Labels
    from tsoft.input.read_options import ArrayKey, TargetSource
    from tsoft.input.targets import Targets

DEFAULT = ["1,2,4,8,16"]


@bundle
class TeacherTemperatures(TemperatureOptions):
    """The temperatures of the soft targets."""

    tau: Annotated[list[str] | None, tau_option("1,2,4,8,16")] = None


@bundle
class DistillationOptions:
    """The student, the true classes, and the weights of the losses."""

    student: Annotated[
        str | None,
        typer.Option(
            "--student", metavar="FILE", help="Logits of the student, for the same rows and classes as the teacher's."
        ),
    ] = None
    student_key: Annotated[str | None, array_key_option("--student-key", "the file of --student")] = None
    targets: Annotated[
        str | None,
        typer.Option(
            "--targets",
            metavar="FILE",
            help="True class of each row, if the input does not have it: an .npy file, or text with one label or index"
            " per line.",
        ),
    ] = None
    alpha: Annotated[
        float | None,
        typer.Option(
            "--alpha",
            metavar="α",
            show_default="0.5",
            parser=share,
            help="With --student and targets: weight of the cross-entropy in the loss α·CE + (1 - α)·τ²·KL.",
        ),
    ] = None
    mean: Mean = False


@dataclass(frozen=True, eq=False)
class StudentInput:
    """How to read the student: the options of the teacher's input, which apply to both, and the student's array."""

    options: LogitsOptions
    listed: ListedOptions
    labels: "Labels | None"
    key: "ArrayKey"


@bundled
def distill(
    input: LogitsOptions,
    listed: ListedOptions,
    distillation: DistillationOptions,
    fields: TargetFieldOptions,
    temperatures: TeacherTemperatures,
    output: RecordOutputOptions,
    display: TableDisplayOptions,
    charts: DiagramOptions,
    figure: FigureOptions,
) -> None:
    """Measure the information in a teacher's soft targets.

    Soft targets are the teacher's probabilities at a temperature. tsoft
    measures how much probability the classes other than the target have, and
    how evenly they share it. With --student, it also computes
    KL(teacher‖student) and its gradient, each also multiplied by Hinton's
    factor τ², and the loss. On a terminal, shows tables and curves. In a pipe,
    prints one line per row and temperature.

    Examples:
      tsoft distill cat=6 dog=4 car=0 truck=-1
      tsoft distill -i teacher.npy --student student.npy --targets y.npy --mean
      tsoft distill -i teacher.csv --targets labels.txt --tau 1,2,4 -f jsonl
      tsoft distill -i z.npz --key teacher --student z.npz --student-key student
    """
    from functools import cache

    from tsoft.features.distill.result import DistillResult, average_distillations
    from tsoft.options import logits
    from tsoft.options.chosen_formats import chosen_formats, kept_for, refuse
    from tsoft.options.mean_result import MeanResult, noted_averages
    from tsoft.options.response_notes import whole_blocks
    from tsoft.options.result import Result
    from tsoft.options.temperatures import parsed_temperatures
    from tsoft.options.writing import view, write

    if distillation.mean:
        refuse("distill --mean", display)
    chosen = chosen_formats(output, display, charts, figure)
    alpha = _alpha(distillation)
    if distillation.student is None and distillation.student_key is not None:
        raise UsageError("--student-key has no effect without --student; add --student FILE")
    _check_stdin(input, distillation, temperatures)
    typed = temperatures.tau or DEFAULT
    labels = logits.parsed_labels(input.labels)
    target_options = _target_options(distillation, fields)
    targets = _read_targets(distillation.targets, target_options)
    target_options = replace(target_options, count=len(targets) if targets else None)
    key, student_key = _array_keys(input, distillation)
    read = logits.blocks(input, typed, bounds=listed, targets=target_options, labels=labels, key=key)
    teacher = whole_blocks(logits.noting_probabilities(read))
    taus = parsed_temperatures(typed)
    student = StudentInput(input, listed, labels, student_key)
    distillations = _distillations(teacher, student, distillation, targets, target_options, taus, alpha)
    chart = charts.chart is not False
    if distillation.mean:
        result: Result = MeanResult(
            cache(lambda: noted_averages(average_distillations(distillations, taus))), "information", chart=chart
        )
    else:
        result = DistillResult(kept_for(chosen, distillations), display.rows, chart)
    for file, format in chosen:
        write(result, format, file, lambda: view(output, display), figure)


def _target_options(distillation: DistillationOptions, fields: TargetFieldOptions) -> "TargetSource":
    """Return how to read the targets."""
    from tsoft.input.read_options import ArrayKey, TargetSource

    is_separate = distillation.targets is not None
    if is_separate and fields.target_column is not None:
        raise UsageError(exclusive("--target-column", "--targets", reason="both name the targets"))
    key = ArrayKey(fields.targets_key, "--targets-key")
    return TargetSource(fields.target_column, key, fields.ignore_index, is_separate)


def _array_keys(input: LogitsOptions, distillation: DistillationOptions) -> "tuple[ArrayKey, ArrayKey]":
    """Return the arrays of the teacher and of the student."""
    from tsoft.input.read_options import ArrayKey, key_pair
    from tsoft.options.input_files import place_of

    same_file = place_of(distillation.student or "-") in map(place_of, input.inputs or ())
    return key_pair(ArrayKey(input.key), ArrayKey(distillation.student_key, "--student-key"), same_file=same_file)


def _alpha(distillation: DistillationOptions) -> float:
    """Return the weight of the cross-entropy in the loss."""
    if distillation.alpha is None:
        return 0.5
    if not 0 <= distillation.alpha <= 1:
        raise UsageError(f"--alpha: expected a number from 0 to 1, got {distillation.alpha:.15g}")
    if distillation.student is None:
        raise UsageError("--alpha has no effect without --student; add --student FILE")
    return distillation.alpha


def _check_stdin(input: LogitsOptions, distillation: DistillationOptions, temperatures: TemperatureOptions) -> None:
    """Raise UsageError if several options read stdin, or if the name of a file is empty."""
    from tsoft.input.source import stdin_conflict
    from tsoft.options.temperatures import pieces

    files = {
        "the teacher's logits": "-" if input.has_stdin and not input.logits else None,
        "--student": distillation.student,
        "--targets": distillation.targets,
        "--tau": "-" if "-" in pieces(temperatures.tau) else None,
    }
    readers = [name for name, file in files.items() if file == "-"]
    if len(readers) > 1:
        raise UsageError(stdin_conflict(readers))
    if "" in (distillation.student, distillation.targets):
        raise UsageError(f"{'--student' if distillation.student == '' else '--targets'} needs a file name")


def _distillations(
    teacher: "Iterator[Block]",
    student_input: StudentInput,
    distillation: DistillationOptions,
    targets: "Targets | None",
    target_options: "TargetSource",
    taus: "Array",
    alpha: float,
) -> "Iterator[Distillation]":
    """Yield the teacher's blocks with the targets and the student's logits of the same rows, except the rows to leave
    out."""
    from tsoft.features.distill.soft_targets import Distillation
    from tsoft.input.formats import has_arrays
    from tsoft.input.read_options import ArrayKey
    from tsoft.notes import note
    from tsoft.options import logits
    from tsoft.options.paired_rows import noting_equal_logits
    from tsoft.options.response_notes import whole_blocks

    if targets:
        teacher = _with_names(teacher, targets, note)
    pairs: Iterable[tuple[Block, Block | None]] = ((block, None) for block in teacher)
    if distillation.student is not None:
        # Named targets may be in the teacher's file only.
        options = replace(student_input.options, logits=None, inputs=[distillation.student])
        is_named = target_options.column is not None or target_options.key.name is not None
        no_key = ArrayKey(option="--targets-key")
        is_separate = target_options.separate or is_named
        student_targets = replace(target_options, column=None, key=no_key, separate=is_separate)
        listed, labels, key = student_input.listed, student_input.labels, student_input.key
        is_same = student_input.options.inputs == [distillation.student]
        # The notes on two arrays of one file would be the same.
        say = (lambda text: note(f"the student: {text}")) if is_same else note
        read = logits.blocks(options, None, bounds=listed, targets=student_targets, labels=labels, note=say, key=key)
        student = whole_blocks(logits.noting_probabilities(read, say))
        if targets:
            student = _with_names(student, targets, lambda _: None)
        fix = "; --student-key selects another array" if has_arrays(distillation.student) else ""
        message = f"{distillation.student}: the student has the teacher's logits in every row{fix}"
        pairs = noting_equal_logits(with_student(teacher, student, distillation.student), message)
    is_empty = True
    for block, student_block in _with_targets(pairs, targets, target_options):
        if distillation.alpha is not None and block.targets is None:
            raise UsageError("--alpha has no effect without targets; add --targets FILE")
        is_empty = False
        student_logits = None if student_block is None else student_block.logits
        yield Distillation(block, taus, block.targets, student_logits, alpha)
    if is_empty:
        raise InputError(f"every row has the target {target_options.ignored}, so no row remains; remove --ignore-index")


def _read_targets(file: str | None, options: "TargetSource") -> "Targets | None":
    """Return the targets of a file, if there is one."""
    if file is None:
        return None
    from tsoft.input.targets_file import read

    return read(file, options)


def _with_names(blocks: "Iterator[Block]", targets: "Targets", note: "Callable[[str], None]") -> "Iterator[Block]":
    """Yield the blocks with the names of the classes in the targets."""
    return (targets.naming_classes(block, note) for block in blocks)


def _with_targets(
    pairs: "Iterable[tuple[Block, Block | None]]", targets: "Targets | None", target_options: "TargetSource"
) -> "Iterator[tuple[Block, Block | None]]":
    """Yield the pairs with these targets, if there are any, and without the rows to leave out."""
    from tsoft.input.class_lookup import IGNORED
    from tsoft.notes import note
    from tsoft.options.paired_rows import kept_runs

    rows, ignored, differs = 0, 0, False
    for teacher, student in pairs:
        block = teacher
        if targets:
            from tsoft.input.targets import difference_note

            indices = targets.block_indices(block)
            if not differs and (difference := difference_note(block, indices)):
                differs = True
                note(difference)
            block = replace(block, targets=indices)
        rows += len(block.logits)
        if block.targets is not None:
            ignored += int((block.targets == IGNORED).sum())
        for first, stop in kept_runs(block.targets, len(block.logits)):
            yield block.part(first, stop), student and student.part(first, stop)
    if targets:
        targets.check_count(rows)
    if ignored:
        note(f"tsoft leaves out {ignored} of {rows} rows, whose target is {target_options.ignored}")


def with_student(
    teacher: "Iterator[Block]", student: "Iterator[Block]", source: str
) -> "Iterator[tuple[Block, Block]]":
    """Yield the teacher's rows in blocks, each with the student's block of the same rows.

    Raise InputError if the two differ in their number of rows, in their classes, or in the keys or true classes of
    their rows.
    """
    from tsoft.notes import note
    from tsoft.options.paired_rows import checked_rows, order_note, paired_rows

    names, is_noted = ("the teacher", "the student"), False
    for block, other in paired_rows(teacher, student, source, names):
        _check_classes(block, other)
        if not is_noted and (order := order_note(block, other, names)):
            is_noted = True
            note(order)
        yield checked_rows(block, other, names), other


def _check_classes(teacher: "Block", student: "Block") -> None:
    """Raise InputError if the student's classes are not the teacher's."""
    count, expected = student.logits.shape[1], teacher.logits.shape[1]
    if count != expected:
        classes = f"{count} class{'es' * (count != 1)}, but the teacher has {expected}"
        raise InputError(f"{student.location}: the student has {classes}; both need the same classes")
    if teacher.labels and student.labels and teacher.labels != student.labels:
        pairs = zip(student.labels, teacher.labels, strict=True)
        index, (label, other) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        classes = f"class {index} of the student is {shortened(label)!r}, of the teacher {shortened(other)!r}"
        raise InputError(f"{student.location}: {classes}; both need the same classes in the same order")
