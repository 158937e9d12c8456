"""The list of the kept texts."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import OptionList

from tsoft.explorer.dialogs import ListDialog


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
