"""What opens over the explorer: texts to read, lists to choose from, and the name of a file."""

import os
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option


class Reading(ModalScreen[None]):
    """A text, until a key closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark,e", "dismiss_it", "close", show=False),
    ]

    def __init__(self, title: str, text: Text):
        super().__init__()
        self._heading, self._content = title, text

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box") as box:
            box.border_title = self._heading
            box.border_subtitle = "Esc closes"
            yield Static(self._content)

    def action_dismiss_it(self) -> None:
        self.dismiss()


class Choosing(ModalScreen[str | None]):
    """A list of names with what they are; the chosen name, None where none is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "close", show=False)]

    def __init__(self, title: str, options: list[tuple[str, str]], present: str | None = None):
        super().__init__()
        self._heading, self._options, self._now = title, options, present

    def compose(self) -> ComposeResult:
        names = [name for name, _ in self._options]
        widest = max(map(len, names))
        texts = [Text.assemble((name.ljust(widest + 2), "bold"), what) for name, what in self._options]
        listed = OptionList(
            *(Option(text, name) for text, name in zip(texts, names, strict=True)), id="box", compact=True
        )
        listed.border_title = self._heading
        listed.border_subtitle = "Enter takes, Esc closes"
        listed.highlighted = names.index(self._now) if self._now in names else 0
        yield listed

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(message.option.id)

    def action_leave(self) -> None:
        self.dismiss(None)


class Naming(ModalScreen[str | None]):
    """The name of a file that is to be written; None where none is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "close", show=False)]

    def __init__(self, title: str, name: str):
        super().__init__()
        self._heading, self._proposed = title, name
        self._asked = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = self._heading
            box.border_subtitle = "Enter writes, Esc closes"
            yield Input(self._proposed, compact=True)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        name = os.path.expanduser(message.value.strip())
        if name and name != self._asked and os.path.isfile(name):
            self._asked = name
            self.query_one("#box").border_subtitle = "it is there: Enter again replaces it"
            return
        self.dismiss(name or None)

    def action_leave(self) -> None:
        self.dismiss(None)
