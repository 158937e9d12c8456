"""A lesson: its text, the state in which the explorer starts, and a task that the program checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tsoft.core.sequence_likelihood import Likelihood
from tsoft.core.softmax import Array
from tsoft.explorer.draw_counts import DrawCounts
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_state import ExplorerState
from tsoft.explorer.live_text import LiveText, LiveToken
from tsoft.explorer.snapshot import Snapshot
from tsoft.features.learn.lesson_text import LessonText


@dataclass(frozen=True, eq=False)
class LessonView:
    """What the explorer shows: the snapshot, the state now and at the start, the draws, the index of the selected
    class, and the tokens that were added to a text, with their likelihood unless it is still being computed.
    """

    snapshot: Snapshot
    state: ExplorerState
    start: ExplorerState
    counts: DrawCounts
    current: int | None = None
    written: Sequence[LiveToken] = ()
    likelihood: Likelihood | None = None

    @cached_property
    def probs(self) -> Array:
        return self.snapshot.probs

    @property
    def tau(self) -> float:
        return self.snapshot.tau


@dataclass(frozen=True)
class Task:
    """What the learner has to do.

    `reading` returns the quantity as the panel shows it, and `goal` is how the panel names the value to reach. `is_met`
    returns whether a view reaches it. `objection` returns what a view changes although the task does not allow it, or
    an empty text. `curve`, if any, returns the quantity over CURVE_TAUS.
    """

    reading: Callable[[LessonView], str]
    goal: str
    is_met: Callable[[LessonView], bool]
    objection: Callable[[LessonView], str] = lambda _: ""
    curve: Callable[[LessonView], Array] | None = None

    def is_solved(self, view: LessonView) -> bool:
        return not self.objection(view) and self.is_met(view)


def reach(
    goal: str, reading: Callable[[LessonView], str], name: str, objection: Callable[[LessonView], str] = lambda _: ""
) -> Task:
    """Return the task to make a quantity show the digits of the goal."""
    return Task(lambda view: f"{name} = {reading(view)}", goal, lambda view: reading(view) == goal, objection)


@dataclass(frozen=True)
class LessonStart:
    """The input of the explorer, and the text that it continues if the lesson has a language model."""

    input: ExplorerInput
    live: LiveText | None = None


@dataclass(frozen=True)
class Lesson:
    """A lesson. `start` builds what the explorer shows first."""

    number: int
    text: LessonText
    start: Callable[[], LessonStart]
    task: Task
