"""The strip of a text that a model continues: the prompt, the tokens after it, and the place of the next token."""

import re

from rich.segment import Segment
from rich.style import Style

from tsoft.errors import visible
from tsoft.explorer.live_text import LiveText
from tsoft.explorer.paint import GRAY, prob_style
from tsoft.explorer.row_strip import RowStrip, StripItem

# Separates a message from its answer.
_ANSWER = " › "
# Marks the place of the next token.
_NEXT = " "


class LiveStrip(RowStrip):
    """The text.

    The color of a token shows the probability with which it was drawn or chosen. A click on a token shows its
    distribution.
    """

    def __init__(self, live: LiveText):
        super().__init__(live.rows)
        self._live = live
        # One item per word, so that lines break between words.
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
        """Show the current text, and mark the current row."""
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
        style = prob_style(self._live.written[number].prob) if has_prob else GRAY
        return Segment(item.text, style + Style(reverse=True, bold=True) if number == self._current else style)
