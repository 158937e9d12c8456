"""`tsoft distill`: what a teacher's soft targets say, and what a student learns from them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.options.command import bundled
from tsoft.options.input import LogitsOptions
from tsoft.options.output import ChartOptions, DisplayOptions, OutputOptions
from tsoft.options.temperatures import TemperatureOptions

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.softmax import Array
    from tsoft.features.distill.soft_targets import Distillation
    from tsoft.input.labels import Labels
    from tsoft.input.targets import Targets

DEFAULT = ["1,2,4,8,16"]


@dataclass(frozen=True)
class StudentOptions:
    """Who learns, and what is true."""

    student: Annotated[
        str | None,
        typer.Option("--student", metavar="FILE", help="The student's rows, which are what the teacher's are."),
    ] = None
    targets: Annotated[
        str | None,
        typer.Option(
            "--targets",
            metavar="FILE",
            help="The rows' true classes, where the input has none: an array, or a text with one a line.",
        ),
    ] = None
    alpha: Annotated[
        float | None,
        typer.Option("--alpha", metavar="α", help="The loss is α·CE + (1 - α)·τ²·KL, by default with α = 0.5."),
    ] = None
    mean: Annotated[
        bool, typer.Option("--mean", help="The measures' means over the rows, and their standard deviations.")
    ] = False


@bundled
def distill(
    input: LogitsOptions,
    lesson: StudentOptions,
    temperatures: TemperatureOptions,
    output: OutputOptions,
    display: DisplayOptions,
    charts: ChartOptions,
) -> None:
    """Show what a teacher's soft targets say at each temperature.

    How much probability the classes beside the target have, how it is shared
    among them, and what that says beyond an even share, which is most at some
    temperature and nothing when the soft targets are flat. With a student also
    KL(teacher‖student), its gradient with and without Hinton's τ², the loss.

    tsoft distill cat=6 dog=4 car=0 truck=-1
    tsoft distill -i teacher.npy --student student.npy --targets labels.npy --mean
    tsoft distill -i teacher.csv --targets labels.txt --tau 1,2,4 -f jsonl
    """
    from tsoft.features.distill.result import DistillResult, average_distillations
    from tsoft.options import logits
    from tsoft.options.mean_result import MeanResult
    from tsoft.options.output import chosen_format, view, write
    from tsoft.options.temperatures import temperatures as parsed

    format = chosen_format(output, display, charts)
    alpha = _alpha(lesson)
    _check_stdin(input, lesson, temperatures)
    typed = temperatures.tau or DEFAULT
    names = logits.parsed_labels(input.labels)
    teacher = logits.blocks(input, typed, targets=True, labels=names)
    taus = parsed(typed)
    distillations = _distillations(teacher, input, names, lesson, taus, alpha)
    chart = charts.chart is not False
    if lesson.mean:
        means = MeanResult(lambda: average_distillations(distillations, taus), "information", chart=chart)
        write(means, format, output, lambda: view(output))
    else:
        write(DistillResult(distillations, display.rows, chart), format, output, lambda: view(output, display))


def _alpha(lesson: StudentOptions) -> float:
    from tsoft.errors import UsageError

    if lesson.alpha is None:
        return 0.5
    if not 0 <= lesson.alpha <= 1:
        raise UsageError(f"--alpha: {lesson.alpha:g} is not a share, from 0 to 1")
    missing = [f"--{name}" for name in ("student", "targets") if getattr(lesson, name) is None]
    if missing:
        raise UsageError(f"--alpha weighs a student's losses, which need {' and '.join(missing)}")
    return lesson.alpha


def _check_stdin(input: LogitsOptions, lesson: StudentOptions, temperatures: TemperatureOptions) -> None:
    """stdin is there once."""
    from tsoft.errors import UsageError
    from tsoft.options.temperatures import pieces

    named = {
        "the teacher's logits": "-" if input.file is None and not input.logits else input.file,
        "--student": lesson.student,
        "--targets": lesson.targets,
        "--tau": "-" if "-" in pieces(temperatures.tau) else None,
    }
    readers = [name for name, file in named.items() if file == "-"]
    if len(readers) > 1:
        raise UsageError(f"stdin is there once, and {' and '.join(readers)} read it")
    if "" in (lesson.student, lesson.targets):
        raise UsageError(f"{'--student' if lesson.student == '' else '--targets'} needs a file's name")


def _distillations(
    teacher: "Iterator[Block]",
    input: LogitsOptions,
    names: "Labels | None",
    lesson: StudentOptions,
    taus: "Array",
    alpha: float,
) -> "Iterator[Distillation]":
    """The teacher's blocks with what belongs to their rows."""
    from tsoft.errors import UsageError
    from tsoft.features.distill.soft_targets import Distillation
    from tsoft.options import logits

    targets: Targets | None = None
    if lesson.targets is not None:
        from tsoft.input.targets_file import read

        targets = read(lesson.targets)
    pairs: Iterable[tuple[Block, Array | None]]
    if lesson.student is None:
        pairs = ((block, None) for block in teacher)
    else:
        # With one name in the options for both, they are read in the same way.
        student_input = replace(input, logits=None, file=lesson.student)
        pairs = _paired(teacher, logits.blocks(student_input, None, labels=names), lesson.student)
    rows = 0
    for block, student in pairs:
        if targets and block.targets is not None:
            raise UsageError(f"--targets: {block.source or 'the input'} has targets of its own")
        yield Distillation(block, taus, targets.block_indices(block) if targets else block.targets, student, alpha)
        rows = block.rows.stop
    if targets:
        targets.check_count(rows)


def _paired(
    teacher: "Iterator[Block]", student: "Iterator[Block]", name: str
) -> "Iterator[tuple[Block, Array | None]]":
    """The teacher's blocks, each with the student's logits of its rows. Raises InputError where there are not
    as many of one as of the other, in rows or in classes."""
    from tsoft.errors import InputError

    rest: Block | None = None
    for block in teacher:
        first = 0
        while first < len(block.logits):
            rest = rest or next(student, None)
            if rest is None:
                rows = f"{block.rows[first]} row{'s' * (block.rows[first] != 1)}"
                raise InputError(f"{name}: the student has {rows}, the teacher more")
            count = min(len(block.logits) - first, len(rest.logits))
            part, own = block.part(first, first + count), rest.part(0, count)
            _check_alike(part, own)
            yield part, own.logits
            rest = rest.part(count, len(rest.logits)) if count < len(rest.logits) else None
            first += count
    rest = rest or next(student, None)
    if rest is not None:
        raise InputError(f"{name}: the student has more rows than the teacher, which has {rest.first_row}")


def _check_alike(teacher: "Block", student: "Block") -> None:
    from tsoft.errors import InputError

    theirs, own = teacher.logits.shape[1], student.logits.shape[1]
    if own != theirs:
        classes = f"{own} class{'es' * (own != 1)}, the teacher's {theirs}"
        raise InputError(f"{student.location}: the student's row {student.first_row} has {classes}")
    if teacher.labels and student.labels and teacher.labels != student.labels:
        raise InputError(f"{student.location}: the student's classes are not called as the teacher's")
