"""The dialogs of the explorer: a text, a list, and a file name."""

import os
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, TypeVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tsoft.errors import joined
from tsoft.explorer.value_field import TextField

Result = TypeVar("Result")


def box_width(columns: int) -> int:
    """Return the width of a dialog on a screen with this many columns, as the style sheet sets it."""
    return min(columns * 9 // 10, 100)


class Dialog(ModalScreen[Result | None], Generic[Result]):
    """A dialog. Escape closes it without a result."""

    AUTO_FOCUS = "*"
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

    def end(self, result: Result | None) -> None:
        """Close the dialog with a result, only once: keys may arrive after the one that closes it."""
        if not self._has_ended:
            self._has_ended = True
            self.dismiss(result)

    def action_close(self) -> None:
        self.end(None)


class TextDialog(Dialog[str]):
    """A text to read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,enter,question_mark,e", "close", "close", show=False)]
    hint = "↑ ↓ scroll, Esc closes"

    def __init__(self, title: str, text: Text):
        super().__init__(title, VerticalScroll(Static(text), id="box"))


class SearchField(TextField):
    """A field for words to search. The key ? closes the dialog, as it does elsewhere, and is not typed."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return key != "question_mark" and super().check_consume_key(key, character)


class SearchDialog(Dialog[str]):
    """A text to read, and a field for words to search. `text` returns the part of the text with these words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,enter", "close", "close", show=False, priority=True),
        *(Binding(key, f"scroll('{key}')", key, show=False) for key in ("up", "down", "pageup", "pagedown")),
    ]
    hint = "type to search, ↑ ↓ scroll, Esc closes"

    def __init__(self, title: str, text: Callable[[str], Text]):
        self._text, self._shown = text, Static(text(""))
        self._scroll = VerticalScroll(self._shown, id="found", can_focus=False)
        super().__init__(title, Vertical(SearchField(placeholder="search", compact=True), self._scroll, id="box"))

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self._shown.update(self._text(message.value.strip()) or Text("nothing found"))
        self._scroll.scroll_home(animate=False, immediate=True)

    def action_scroll(self, key: str) -> None:
        scrolls = {
            "up": self._scroll.scroll_up,
            "down": self._scroll.scroll_down,
            "pageup": self._scroll.scroll_page_up,
            "pagedown": self._scroll.scroll_page_down,
        }
        scrolls[key](animate=False)


class NameList(OptionList):
    """A list of names with descriptions, in which typed letters move to a name.

    Without room for a single line, pages move nothing: Textual does not know the lines then.
    """

    _typed = ""

    def on_key(self, event: Key) -> None:
        """Move to the first name that begins with the letters typed so far, or else contains them. Letters that no
        name has begin anew, as after any other key."""
        if event.character is None or not (event.is_printable and event.character.strip()):
            self._typed = ""
            return
        for typed in (self._typed + event.character, event.character):
            if (index := self._index_of(typed)) is not None:
                self._typed, self.highlighted = typed, index
                return

    def _index_of(self, typed: str) -> int | None:
        """Return the index of the first name with the letters, in which _ and - are alike; None without one."""
        letters = typed.lower().replace("_", "-")
        names = [str(option.id).replace("_", "-") for option in self.options]
        indices = [index for index, name in enumerate(names) if letters in name]
        return min(indices, key=lambda index: not names[index].startswith(letters), default=None)

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


def name_line(start: Text, *columns: str) -> Table:
    """Return a line of a list: its start, and columns of fixed texts. The last column is as wide as there is room, and
    its further lines are below the first one."""
    line = Table.grid()
    for _ in columns:
        line.add_column(no_wrap=True)
    line.add_column()
    line.add_row(start, *map(Text, columns))
    return line


class ListDialog(Dialog[str]):
    """A list of names with their descriptions, in one or more columns. The result is the selected name."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "close", "close", show=False)]
    hint = "type a name, Enter selects, Esc cancels"

    def __init__(self, title: str, options: Sequence[tuple[str, ...]], current: str | None = None):
        names = [name for name, *_ in options]
        width = max(map(len, names)) + 2
        lines = (name_line(Text(name.ljust(width), "bold"), *columns) for name, *columns in options)
        option_list = NameList(*map(Option, lines, names), id="box", compact=True)
        option_list.highlighted = names.index(current) if current in names else 0
        super().__init__(title, option_list)

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.end(message.option.id)


class FileNameDialog(Dialog[str]):
    """A field for the name of a file to write, which must have one of the `endings`.

    Initially it contains a proposed name, with the cursor before its ending.
    """

    hint = "Enter writes, Esc cancels"

    def __init__(self, title: str, stem: str, endings: Sequence[str]):
        self._field = TextField(stem + endings[0], compact=True, select_on_focus=False)
        super().__init__(title, Vertical(self._field, id="box"))
        self._endings = tuple(endings)
        self._unconfirmed = ""

    def on_mount(self) -> None:
        self._field.cursor_position = len(self._field.value) - len(self._endings[0])

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self._box.border_subtitle = self.hint

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        name = os.path.expanduser(message.value.strip())
        # A typed ending replaces the proposed one.
        if name.removesuffix(self._endings[0]).lower().endswith(self._endings):
            name = name.removesuffix(self._endings[0])
        if not name.lower().endswith(self._endings) or os.path.basename(name).lower() in self._endings:
            self._box.border_subtitle = f"use a name that ends in {joined(self._endings, 'or')}"
            return
        if name != self._unconfirmed and os.path.isfile(name):
            self._unconfirmed = name
            self._box.border_subtitle = "file exists; Enter again replaces it"
            return
        self.end(name)
