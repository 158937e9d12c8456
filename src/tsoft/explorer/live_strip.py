"""The strip of a text that a model continues: the prompt, each token since, and the place of the next one."""

import re

from rich.segment import Segment
from rich.style import Style

from tsoft.errors import visible
from tsoft.explorer.live_text import LiveText
from tsoft.explorer.paint import GREY, prob_style
from tsoft.explorer.row_strip import RowStrip, StripItem

# What separates a message from its answer.
_ANSWER = " › "
# The place of the next token.
_NEXT = " "


class LiveStrip(RowStrip):
    """The text. A token's colour is the probability that it had when it was drawn or chosen; a click on it shows
    the distribution that it is from."""

    def __init__(self, live: LiveText):
        super().__init__(live.rows)
        self._live = live
        # Split into words, so that lines break between them.
        self._prompt = [visible(word) for word in re.findall(r"\s*\S+|\s+$", live.prompt)]
        self._prompt += [_ANSWER] * live.is_answer
        self._preceding = len(self._prompt)
        self._texts = self._all_texts
        self._height = 0

    @property
    def is_needed(self) -> bool:
        return True

    @property
    def _all_texts(self) -> list[str]:
        live = self._live
        return [*self._prompt, *(token.text for token in live.written), *[_NEXT] * (not live.has_ended)]

    def show_text(self, number: int) -> None:
        """Shows the text as it is now, and which row is the current one."""
        before = self._height
        self._texts, self._width = self._all_texts, 0
        self.show(number, None)
        if self.get_content_height(self.size, self.size, max(1, self.size.width)) != before:
            self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        self._height = super().get_content_height(container, viewport, width)
        return self._height

    def _starts_line(self, number: int) -> bool:
        return False

    def _segment(self, item: StripItem) -> Segment:
        number = item.number - self._preceding
        has_prob = 0 <= number < len(self._live.written)
        style = prob_style(self._live.written[number].prob) if has_prob else GREY
        return Segment(item.text, style + Style(reverse=True, bold=True) if number == self._current else style)
