"""The lessons, in order."""

from tsoft.features.learn import starts
from tsoft.features.learn.lesson import Lesson, LessonStart
from tsoft.features.learn.lesson_text import lesson_texts
from tsoft.features.learn.tasks import TASKS


def _letters() -> LessonStart:
    return starts.typed(starts.LETTERS)


def _animals() -> LessonStart:
    return starts.typed(starts.ANIMALS)


_STARTS = {
    1: _letters, 2: _letters, 3: _letters, 4: _letters, 5: _animals, 6: starts.levels, 7: _letters,
    8: starts.next_tokens, 9: starts.vllm_tokens, 10: starts.story, 11: starts.cups, 12: starts.digit,
    13: starts.classifier,
}  # fmt: skip


def lessons() -> list[Lesson]:
    return [Lesson(number, text, _STARTS[number], TASKS[number]) for number, text in enumerate(lesson_texts(), start=1)]
