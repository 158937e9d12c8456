"""A field to type into."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class ValueField(Input):
    """An input that Escape cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel", show=False)]

    class Canceled(Message):
        """The user pressed Escape."""

    def action_cancel(self) -> None:
        self.post_message(self.Canceled())
