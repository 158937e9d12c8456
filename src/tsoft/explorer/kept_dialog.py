"""The list of the kept texts."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import OptionList

from tsoft.core.sequence_likelihood import Likelihood
from tsoft.explorer.dialogs import ListDialog, box_width
from tsoft.explorer.paint import ending
from tsoft.explorer.token_likelihood import likelihood_text

# The columns of the frame of the list, and of a number.
_FRAME = 10


def kept_line(text: str, tokens: int, likelihood: Likelihood | None, columns: int) -> str:
    """Return the description of a text with some tokens, on a screen with this many columns.

    The likelihood is None while it is being computed.
    """
    prob = likelihood_text(likelihood) if likelihood else "…"
    count = f"{tokens} token{'s' * (tokens > 1)}"
    start = f"p {prob:<8} {count:<9}  "
    return start + ending(text, max(8, box_width(columns) - _FRAME - len(start)))


class KeptDialog(ListDialog):
    """The kept texts, by their numbers. The result is the number of the selected one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "close", show=False),
        Binding("backspace,delete", "drop", show=False),
    ]
    hint = "Enter selects, Backspace drops, Esc cancels"

    def __init__(self, title: str, options: list[tuple[str, str]], current: str | None, drop: Callable[[str], None]):
        """`drop` is called with the number of a text that the user drops."""
        super().__init__(title, options, current)
        self._drop = drop

    def action_drop(self) -> None:
        option_list = self.query_one(OptionList)
        option = option_list.highlighted_option
        if option is None or option.id is None:
            return
        self._drop(option.id)
        option_list.remove_option(option.id)
        if not option_list.option_count:
            self.end(None)
