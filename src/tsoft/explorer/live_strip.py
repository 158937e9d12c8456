"""The strip of a text under way: the prompt, each token since, and the place of the next."""

import re

from rich.segment import Segment
from rich.style import Style

from tsoft.errors import visible
from tsoft.explorer.live import Live
from tsoft.explorer.paint import GREY, likely_style
from tsoft.explorer.strip import Item, RowStrip

# What stands between a message and its answer.
_ANSWER = " › "
# What stands where the next token will.
_NEXT = " "


class LiveStrip(RowStrip):
    """The text. A token's colour is how probable it was when it was drawn or chosen; pointing at it shows what it
    was drawn from."""

    def __init__(self, live: Live):
        super().__init__(live.rows)
        self._live = live
        # A word at a time, so that lines end between them.
        self._prompt = [visible(word) for word in re.findall(r"\s*\S+|\s+$", live.prompt)]
        self._prompt += [_ANSWER] * live.answers
        self._texts = self._written
        self._height = 0

    @property
    def is_needed(self) -> bool:
        return True

    @property
    def _written(self) -> list[str]:
        return [*self._prompt, *(step.text for step in self._live.steps), *[_NEXT] * (not self._live.ended)]

    def follow(self, number: int) -> None:
        """Shows the text as it is, and which row is the present one."""
        before = self._height
        self._texts, self._width = self._written, 0
        self.show(number, None)
        if self.get_content_height(self.size, self.size, max(1, self.size.width)) != before:
            self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        self._height = super().get_content_height(container, viewport, width)
        return self._height

    def _begins_line(self, number: int) -> bool:
        return False

    @property
    def _shown_at(self) -> int:
        return self._present + len(self._prompt)

    def _row(self, item: Item) -> int:
        return max(0, item.number - len(self._prompt))

    def _segment(self, item: Item) -> Segment:
        number = item.number - len(self._prompt)
        likely = 0 <= number < len(self._live.steps)
        style = likely_style(self._live.steps[number].prob) if likely else GREY
        return Segment(item.text, style + Style(reverse=True, bold=True) if number == self._present else style)
