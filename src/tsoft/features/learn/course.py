"""The lessons together with the progress of a learner."""

from contextlib import suppress
from functools import cached_property

import numpy as np

from tsoft.errors import InputError, OutputError
from tsoft.explorer import terminal
from tsoft.features.learn.lesson_app import lesson_app
from tsoft.features.learn.lessons import lessons
from tsoft.features.learn.progress import Progress, progress_file, read_progress, write_progress
from tsoft.notes import note


class Course:
    """The course. It saves all progress immediately, so that nothing is lost if the program is killed."""

    def __init__(self, *, restart: bool = False):
        self._lessons = lessons()
        self._file = progress_file()
        # The error that kept the progress from being saved, if any.
        self._failure: OutputError | None = None
        if restart:
            self._progress = Progress()
            self._write()

    @cached_property
    def _progress(self) -> Progress:
        """The progress, at first that in the file. Raise InputError if the file is damaged."""
        return self._read()

    def _read(self) -> Progress:
        return read_progress(self._file, range(1, self.count + 1))

    @property
    def count(self) -> int:
        return len(self._lessons)

    def listing(self) -> str:
        """Return a line per lesson: its number, its title, and whether it is done."""
        width = max(len(lesson.text.title) for lesson in self._lessons)
        lines = (
            f"{lesson.number:2}  {lesson.text.title:{width}}  {'done' * (lesson.number in self._progress.solved)}"
            for lesson in self._lessons
        )
        return "".join(line.rstrip() + "\n" for line in lines)

    def markdown(self, number: int | None) -> str:
        """Return the text of a lesson, or of all lessons."""
        chosen = self._lessons if number is None else [self._lessons[number - 1]]
        return "\n".join(lesson.text.markdown(lesson.number) for lesson in chosen)

    def teach(self, number: int | None, generator: np.random.Generator) -> int:
        """Open the app at a lesson, or where the learner stopped. Return the exit code."""
        terminal.check("learn", "tsoft learn | cat prints the lessons as text")
        terminal.read_keys()
        wanted = self._progress.current if number is None else number
        while True:
            self._save(self._progress.at(wanted))
            lesson = self._lessons[wanted - 1]
            was_solved = wanted in self._progress.solved
            app = lesson_app(lesson, self.count, generator, self._solved, was_solved=was_solved)
            code = terminal.run(app)
            if app.wanted is None:
                return code
            wanted = app.wanted

    def _solved(self) -> None:
        self._save(self._progress.with_solved([self._progress.current]))

    def _save(self, progress: Progress) -> None:
        """Save the progress, together with what another `tsoft learn` has saved in the meantime."""
        self._progress = progress
        with suppress(InputError):
            self._progress = progress.with_solved(self._read().solved)
        self._write()

    def _write(self) -> None:
        """Write the progress, until that fails."""
        if self._failure is None:
            try:
                write_progress(self._progress, self._file)
            except OutputError as error:
                self._failure = error

    def note_failure(self) -> None:
        """Print a note if the progress could not be saved. While the app runs, it would be lost."""
        if self._failure is not None:
            note(f"the progress is not saved: {self._failure}")
