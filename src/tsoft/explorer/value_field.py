"""Fields to type into."""

from typing import Any, ClassVar
from unicodedata import category

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

# A longer text is a mistake, such as a pasted file, and each repaint would take long.
MAX_LENGTH = 10_000


class TextField(Input):
    """An input of at most MAX_LENGTH characters, without control characters, which would control the terminal.

    A tab becomes a blank. A pasted text and the filter of a saved state may contain control characters.
    """

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, max_length=MAX_LENGTH, **options)

    def restricted(self) -> None:
        """Show why the text was not typed."""
        self.app.notify(f"A field takes at most {MAX_LENGTH} characters.")

    def validate_value(self, value: str) -> str:
        return "".join(character for character in value.replace("\t", " ") if category(character) != "Cc")


class ValueField(TextField):
    """A field that Escape cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel", show=False)]

    class Canceled(Message):
        """The user pressed Escape."""

    def action_cancel(self) -> None:
        self.post_message(self.Canceled())
