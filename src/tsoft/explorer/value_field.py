"""Fields to type into."""

from typing import ClassVar
from unicodedata import category

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class TextField(Input):
    """An input without control characters, which would control the terminal: a tab becomes a blank.

    A pasted text and the filter of a saved state may contain some.
    """

    def validate_value(self, value: str) -> str:
        return "".join(character for character in value.replace("\t", " ") if category(character) != "Cc")


class ValueField(TextField):
    """A field that Escape cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel", show=False)]

    class Canceled(Message):
        """The user pressed Escape."""

    def action_cancel(self) -> None:
        self.post_message(self.Canceled())
