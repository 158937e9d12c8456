"""The texts that the user keeps, and their list."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList

from tsoft.core.sequence_likelihood import Likelihood
from tsoft.explorer.dialogs import ListDialog, box_width
from tsoft.explorer.live_text import LiveText, WrittenText
from tsoft.explorer.paint import ending
from tsoft.explorer.token_likelihood import likelihood_text

# The maximum number of kept texts.
MAX_KEPT = 20
# The columns of the frame of the list, and of a number.
_FRAME = 10

# The likelihood of a text; None while it is being computed.
TextLikelihood = Callable[[WrittenText], Likelihood | None]


def keep(live: LiveText, text: WrittenText) -> str:
    """Keep a text after the prompt, if it is a new one. Return what to tell the user."""
    if not text.tokens:
        return "There is no token to keep: the prompt is the whole text."
    if any(live.all_tokens(kept) == live.all_tokens(text) for kept in live.kept):
        return "This text is kept already; b lists the kept texts."
    if len(live.kept) >= MAX_KEPT:
        return f"The explorer keeps at most {MAX_KEPT} texts; press b, then Backspace to drop one."
    live.kept += (text,)
    return f"Kept as text {len(live.kept)}; b lists the kept texts."


class KeptDialog(ListDialog):
    """The kept texts, by their numbers. The result is the number of the selected one in `texts`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "close", show=False),
        Binding("backspace,delete", "drop", show=False),
    ]
    hint = "Enter selects, Backspace drops, Esc cancels"

    class TextDropped(Message):
        """The user has dropped a text."""

    def __init__(self, live: LiveText, likelihood: TextLikelihood, settings: str, columns: int):
        """The likelihoods are those with some settings, in words. The screen has some columns."""
        self._live = live
        self.texts = {str(number): text for number, text in enumerate(live.kept, 1)}
        current = next((name for name, text in self.texts.items() if live.all_tokens(text) == live.tokens), None)
        options = [(name, self._line(text, likelihood(text), columns)) for name, text in self.texts.items()]
        super().__init__(f"kept texts, p {settings}", options, current)

    def _line(self, text: WrittenText, likelihood: Likelihood | None, columns: int) -> str:
        prob, count = likelihood_text(likelihood) if likelihood else "…", len(text.tokens)
        words = f"{count} token{'s' * (count > 1)}"
        start = f"p {prob:<8} {words:<9}  "
        return start + ending(self._live.shown_text(text), max(8, box_width(columns) - _FRAME - len(start)))

    def action_drop(self) -> None:
        option_list = self.query_one(OptionList)
        option = option_list.highlighted_option
        if option is None or option.id is None:
            return
        dropped = self.texts[option.id]
        self._live.kept = tuple(text for text in self._live.kept if text is not dropped)
        self.post_message(self.TextDropped())
        option_list.remove_option(option.id)
        if not option_list.option_count:
            self.end(None)
