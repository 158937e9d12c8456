"""The explorer with the panel of a lesson."""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import numpy as np
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tsoft.explorer.app import Explorer
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_state import ExplorerState
from tsoft.explorer.keys import KEY_GROUPS, KEY_HINTS, LIVE_KEY_GROUPS, LIVE_KEY_HINTS, KeyGroup
from tsoft.explorer.live_app import LiveExplorer
from tsoft.explorer.live_text import LiveText
from tsoft.explorer.snapshot import Snapshot
from tsoft.features.learn.lesson import Lesson, LessonView
from tsoft.features.learn.lesson_panel import LessonPanel, NextButton

LESSON_KEYS: KeyGroup = (
    "Lesson",
    (
        ("f1", "hint", "show the hint, then the text again"),
        ("f2", "lesson(1)", "next lesson"),
        ("shift+f2", "lesson(-1)", "previous lesson"),
        ("f3", "scroll_lesson", "scroll the text if it continues below"),
    ),
)
LESSON_HINTS = ("F1 hint", "F2 next lesson")


class LessonExplorer(Explorer):
    """The app. After it has ended, `wanted` is the number of the lesson to open next; None to quit."""

    TITLE = "tsoft learn"
    # The panel takes a part of the screen.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (130, "-broad")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-lowest"), (34, "-low"), (38, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, action, description, priority=True) for key, action, description in LESSON_KEYS[1]),
        # Most terminals have one code for Shift F2 and F14, and Textual calls it F14.
        Binding("f14", "lesson(-1)", "previous lesson", priority=True),
    ]
    key_groups: ClassVar[tuple[KeyGroup, ...]] = (LESSON_KEYS, *KEY_GROUPS)
    key_hints: ClassVar[tuple[str, ...]] = (*LESSON_HINTS, *KEY_HINTS)

    def __init__(self, lesson: "LessonRun", explorer_input: ExplorerInput):
        self._lesson_run = lesson
        self.wanted: int | None = None
        super().__init__(explorer_input)

    def compose(self) -> ComposeResult:
        yield self._lesson_run.panel
        yield from super().compose()

    def on_resize(self, event: events.Resize) -> None:
        self._lesson_run.panel.fit(event.size)

    def view(self, snapshot: Snapshot) -> LessonView:
        """Return what the explorer shows, for the task."""
        return LessonView(snapshot, self.state, self._lesson_run.start, self.session.counts, self.current)

    def after_update(self) -> None:
        self._lesson_run.show(None if self.session.snapshot is None else self.view(self.session.snapshot))

    def action_hint(self) -> None:
        self._lesson_run.panel.turn_page()

    def action_scroll_lesson(self) -> None:
        self._lesson_run.panel.scroll_text()

    def action_lesson(self, by: int) -> None:
        number = self._lesson_run.lesson.number + by
        if 1 <= number <= self._lesson_run.count:
            self.wanted = number
            self.exit()
        else:
            self.notify(f"This is the {'last' if by > 0 else 'first'} lesson.")

    def on_next_button_pressed(self, message: NextButton.Pressed) -> None:
        self.action_lesson(1)


class LiveLessonExplorer(LessonExplorer, LiveExplorer):
    """The app for a lesson with a language model."""

    key_groups: ClassVar[tuple[KeyGroup, ...]] = (LESSON_KEYS, *LIVE_KEY_GROUPS)
    key_hints: ClassVar[tuple[str, ...]] = (*LESSON_HINTS, *LIVE_KEY_HINTS)

    def __init__(self, lesson: "LessonRun", explorer_input: ExplorerInput, live: LiveText):
        self._lesson_run = lesson
        self.wanted = None
        LiveExplorer.__init__(self, explorer_input, live)

    def view(self, snapshot: Snapshot) -> LessonView:
        return replace(super().view(snapshot), written=self.live.written, likelihood=self.likelihood)


class LessonRun:
    """A lesson while it is open, one of `count`. Its `start` is the state at first. `solved` is called when the learner
    has solved the task."""

    def __init__(
        self, lesson: Lesson, count: int, start: ExplorerState, solved: Callable[[], None], *, was_solved: bool
    ):
        self.lesson, self.count, self.start = lesson, count, start
        self.panel = LessonPanel(lesson, count, is_solved=was_solved)
        self._solved = solved

    def show(self, view: LessonView | None) -> None:
        was_solved = self.panel.is_solved
        self.panel.show(view)
        if self.panel.is_solved and not was_solved:
            self._solved()


def lesson_app(
    lesson: Lesson, count: int, generator: np.random.Generator, solved: Callable[[], None], *, was_solved: bool
) -> LessonExplorer:
    """Return the app of a lesson, in which the `generator` makes the draws."""
    start = lesson.start()
    explorer_input = replace(start.input, generator=generator)
    run = LessonRun(lesson, count, start.input.state, solved, was_solved=was_solved)
    if start.live is None:
        return LessonExplorer(run, explorer_input)
    return LiveLessonExplorer(run, explorer_input, start.live)
