"""`tsoft learn`: lessons in the explorer."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import UsageError, exclusive
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled
from tsoft.options.seeds import Seed

if TYPE_CHECKING:
    from tsoft.features.learn.course import Course


def _lessons(incomplete: str) -> list[tuple[str, str]]:
    from tsoft.features.learn.lesson_text import lesson_texts

    numbered = ((str(number), text.title) for number, text in enumerate(lesson_texts(), start=1))
    return [pair for pair in numbered if pair[0].startswith(incomplete)]


@bundle
class LessonOptions:
    lesson: Annotated[
        int | None,
        typer.Argument(
            metavar="[LESSON]",
            autocompletion=_lessons,
            show_default=False,
            help="Number of the lesson. Without it, tsoft resumes where you stopped.",
        ),
    ] = None
    list: Annotated[bool, typer.Option("--list", help="List the lessons, and show which are done.")] = False
    restart: Annotated[bool, typer.Option("--restart", help="Forget all progress, and start over.")] = False
    seed: Seed = None


@bundled
def learn(options: LessonOptions) -> None:
    """Learn what temperature does, in thirteen short lessons.

    Each lesson has a short text, a distribution to play with, and a task that
    tsoft checks while you work. F1 shows a hint, and F2 goes to the next
    lesson. All keys of tsoft explore work, too. In a pipe, prints the lessons
    as Markdown.

    Examples:
      tsoft learn
      tsoft learn 8
      tsoft learn --list
      tsoft learn 8 | less
    """
    from tsoft.features.learn.course import Course

    is_app = not options.list and sys.stdout is not None and sys.stdout.isatty()
    if options.list and (options.restart or options.lesson is not None):
        raise UsageError(exclusive("--list", "--restart" if options.restart else "a lesson"))
    if options.seed is not None and not is_app:
        raise UsageError(
            f"--seed has no effect {'on --list' if options.list else 'in a pipe, where tsoft prints the text'}"
        )
    course = Course(restart=options.restart)
    if options.lesson is not None and not 1 <= options.lesson <= course.count:
        raise UsageError(f"there is no lesson {options.lesson}; choose one from 1 to {course.count}")
    code = 0
    if is_app:
        code = _teach(course, options.lesson, options.seed)
    else:
        _print(course.listing() if options.list else course.markdown(options.lesson))
    course.note_failure()
    if code:
        raise typer.Exit(code)


def _teach(course: "Course", lesson: int | None, seed: int | None) -> int:
    import numpy as np

    from tsoft.options.seeds import chosen_seed

    return course.teach(lesson, np.random.default_rng(chosen_seed(seed)))


def _print(text: str) -> None:
    from tsoft.output.file import open_output

    encoding = sys.stdout.encoding if sys.stdout is not None and sys.stdout.isatty() else "utf-8"
    with open_output(None, encoding) as out:
        out(text)
