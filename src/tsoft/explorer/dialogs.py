"""The dialogs that open over the explorer: a text, a list, and the name of a file."""

import os
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option


class Dialog(ModalScreen[str | None]):
    """A dialog, which Escape closes without a result."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "close", show=False)]

    def __init__(self, title: str):
        super().__init__()
        self._heading = title

    def action_close(self) -> None:
        self.dismiss(None)


class TextDialog(Dialog):
    """A text to read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,enter,question_mark,e", "close", "close", show=False)]

    def __init__(self, title: str, text: Text):
        super().__init__(title)
        self._content = text

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box") as box:
            box.border_title = self._heading
            box.border_subtitle = "Esc closes"
            yield Static(self._content)


class ListDialog(Dialog):
    """A list of names with their descriptions. The result is the selected name."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "close", "close", show=False)]

    def __init__(self, title: str, options: list[tuple[str, str]], current: str | None = None):
        super().__init__(title)
        self._options, self._current = options, current

    def compose(self) -> ComposeResult:
        names = [name for name, _ in self._options]
        width = max(map(len, names)) + 2
        texts = (Text.assemble((name.ljust(width), "bold"), description) for name, description in self._options)
        option_list = OptionList(*map(Option, texts, names), id="box", compact=True)
        option_list.border_title = self._heading
        option_list.border_subtitle = "Enter takes, Esc closes"
        option_list.highlighted = names.index(self._current) if self._current in names else 0
        yield option_list

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(message.option.id)


class FileNameDialog(Dialog):
    """The name of a file to write."""

    def __init__(self, title: str, name: str):
        super().__init__(title)
        self._proposed = name
        self._unconfirmed = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = self._heading
            box.border_subtitle = "Enter writes, Esc closes"
            yield Input(self._proposed, compact=True)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        name = os.path.expanduser(message.value.strip())
        if name and name != self._unconfirmed and os.path.isfile(name):
            self._unconfirmed = name
            self.query_one("#box").border_subtitle = "it is there: Enter again replaces it"
            return
        self.dismiss(name or None)
