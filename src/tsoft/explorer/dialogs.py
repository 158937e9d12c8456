"""The dialogs of the explorer: a text, a list, and a file name."""

import os
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option


class Dialog(ModalScreen[str | None]):
    """A dialog. Escape closes it without a result."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "close", show=False)]
    # The keys, shown at the bottom of the dialog.
    hint: ClassVar[str]

    def __init__(self, title: str, box: Widget):
        super().__init__()
        self._box = box
        self._has_ended = False
        box.border_title, box.border_subtitle = title, self.hint

    def compose(self) -> ComposeResult:
        yield self._box

    def end(self, result: str | None) -> None:
        """Close the dialog with a result, only once: keys may arrive after the one that closes it."""
        if not self._has_ended:
            self._has_ended = True
            self.dismiss(result)

    def action_close(self) -> None:
        self.end(None)


class TextDialog(Dialog):
    """A text to read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,enter,question_mark,e", "close", "close", show=False)]
    hint = "↑ ↓ scroll, Esc closes"

    def __init__(self, title: str, text: Text):
        super().__init__(title, VerticalScroll(Static(text), id="box"))


class PagedList(OptionList):
    """A list of options. Without room for a single line, pages move nothing: Textual does not know the lines then."""

    @property
    def _has_room(self) -> bool:
        region = self.scrollable_content_region
        return region.width > 0 and region.height > 0

    def action_page_up(self) -> None:
        if self._has_room:
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        if self._has_room:
            super().action_page_down()  # type: ignore[no-untyped-call]


class ListDialog(Dialog):
    """A list of names with their descriptions. The result is the selected name."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "close", "close", show=False)]
    hint = "Enter selects, Esc cancels"

    def __init__(self, title: str, options: list[tuple[str, str]], current: str | None = None):
        names = [name for name, _ in options]
        width = max(map(len, names)) + 2
        texts = (Text.assemble((name.ljust(width), "bold"), description) for name, description in options)
        option_list = PagedList(*map(Option, texts, names), id="box", compact=True)
        option_list.highlighted = names.index(current) if current in names else 0
        super().__init__(title, option_list)

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.end(message.option.id)


class FileNameDialog(Dialog):
    """A field for the name of a file to write. Initially it contains a proposed name."""

    hint = "Enter writes, Esc cancels"

    def __init__(self, title: str, name: str):
        super().__init__(title, Vertical(Input(name, compact=True), id="box"))
        self._unconfirmed = ""

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        name = os.path.expanduser(message.value.strip())
        if name and name != self._unconfirmed and os.path.isfile(name):
            self._unconfirmed = name
            self._box.border_subtitle = "file exists; Enter again replaces it"
            return
        self.end(name or None)
