"""The panel of a lesson: its text, its task, and the quantity that the task is about."""

import re
from collections.abc import Iterator

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.geometry import Size
from textual.message import Message
from textual.widgets import Static

from tsoft.explorer.measure_panel import spark_line
from tsoft.explorer.paint import BOLD, GRAY, color
from tsoft.features.learn.lesson import Lesson, LessonView

_EMPHASIS = {"**": BOLD, "`": color(33)}
SOLVED = color(34) + BOLD
# The columns of the curve of the quantity.
_CURVE_WIDTH = 16
# The lines of the panel for its title, its task and the quantity.
_OTHER_LINES = 4
# Beside the explorer, the panel needs a screen of at least this many columns. Otherwise it is above it.
BESIDE_COLUMNS = 110


class NextButton(Static):
    """A button that goes to the next lesson."""

    class Pressed(Message):
        """The button was clicked."""

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Pressed())


class LessonPanel(Vertical):
    """The panel. F1 turns its pages: the text, the hint and, once the task is solved, the explanation."""

    DEFAULT_CSS = """
    LessonPanel { dock: top; height: auto; padding: 0 1; background: ansi_default; }
    LessonPanel.-beside { dock: left; width: 40; height: 100%; border-right: solid #808080; }
    LessonPanel Static { height: auto; background: ansi_default; color: ansi_default; }
    #lesson-scroll { height: auto; background: ansi_default; }
    #lesson-foot { height: auto; }
    LessonPanel.-beside #lesson-scroll, LessonPanel.-beside #lesson-task { margin: 1 0; }
    #lesson-reading { width: 1fr; }
    #lesson-next { width: auto; padding-left: 1; color: #0087ff; }
    """

    def __init__(self, lesson: Lesson, count: int, *, is_solved: bool):
        super().__init__(id="lesson")
        self._lesson, self._count = lesson, count
        # Whether the task was solved before this run, or has been in it.
        self._was_solved, self._is_solved = is_solved, False
        self._page = 0
        self._heading, self._body, self._task_line = Static(), Static(), Static(id="lesson-task")
        self._scroll = VerticalScroll(self._body, id="lesson-scroll", can_focus=False)
        # A scrollbar would narrow the text, and then a text that fits without it would no longer fit.
        self._scroll.styles.scrollbar_size_vertical = 0
        self._reading, self._next = Static(id="lesson-reading"), NextButton("", id="lesson-next")

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self._scroll
        yield self._task_line
        with Horizontal(id="lesson-foot"):
            yield self._reading
            yield self._next

    def on_mount(self) -> None:
        self._show_page()
        self.watch(self._scroll, "show_vertical_scrollbar", self._show_heading)

    def fit(self, screen: Size) -> None:
        """Move beside the explorer or above it, and leave enough lines for the explorer."""
        is_beside = screen.width >= BESIDE_COLUMNS
        self.set_class(is_beside, "-beside")
        self._scroll.styles.max_height = max(2, (screen.height if is_beside else screen.height // 2) - _OTHER_LINES)

    @property
    def is_solved(self) -> bool:
        """Whether the task has been solved in this run."""
        return self._is_solved

    def show(self, view: LessonView | None) -> None:
        """Show how close a view of the explorer is to the goal; None if no class remains."""
        self._reading.update(self._progress(view))
        if view is not None and not self._is_solved and self._lesson.task.is_solved(view):
            self._is_solved, self._page = True, 0
            self._show_page()

    def _progress(self, view: LessonView | None) -> Text:
        task = self._lesson.task
        if view is None:
            return Text("no class remains")
        if objection := task.objection(view):
            return Text(objection, color(160))
        text = Text.assemble(task.reading(view), (f"  goal: {task.goal}", GRAY))
        if task.curve is not None:
            text.append("  ")
            for segment in spark_line(task.curve(view), view.tau, _CURVE_WIDTH):
                text.append(segment.text, segment.style)
        if task.is_met(view):
            text.stylize(SOLVED)
        return text

    def scroll_text(self) -> None:
        """Scroll down by a page, or from the end to the start."""
        if self._scroll.scroll_y >= self._scroll.max_scroll_y:
            self._scroll.scroll_home(animate=False)
        else:
            self._scroll.scroll_page_down(animate=False)

    def turn_page(self) -> None:
        self._page = (self._page + 1) % len(self._pages)
        self._show_page()

    @property
    def _pages(self) -> list[Text]:
        text = self._lesson.text
        pages = [Text.assemble(*_emphasized(text.text)), Text.assemble(("Hint. ", BOLD), *_emphasized(text.hint))]
        why = Text.assemble(("✓ Solved. ", SOLVED), *_emphasized(text.why))
        return [why, *pages] if self._is_solved else pages

    def _show_page(self) -> None:
        lesson = self._lesson
        self._body.update(self._pages[self._page])
        self._scroll.scroll_home(animate=False)
        self._task_line.update(Text.assemble(("Task: ", BOLD), *_emphasized(lesson.text.task)))
        self._next.update(Text("Next ›" if lesson.number < self._count else ""))
        self._show_heading()

    def _show_heading(self) -> None:
        """Show the title, whether the task is solved, and whether the text continues below."""
        title = f"{self._lesson.number}/{self._count}  {self._lesson.text.title}"
        done = ("  ✓", SOLVED) if self._was_solved or self._is_solved else ""
        more = ("  F3 more", GRAY) if self._scroll.show_vertical_scrollbar else ""
        self._heading.update(Text.assemble((title, BOLD), done, more))


def _emphasized(text: str) -> Iterator[str | tuple[str, str | Style]]:
    """Return the parts of a Markdown text, those in bold and code with their style."""
    for part in re.split(r"(\*\*.+?\*\*|`.+?`)", text):
        mark = next((mark for mark in _EMPHASIS if part.startswith(mark)), "")
        yield (part.strip(mark), _EMPHASIS[mark]) if mark else part
