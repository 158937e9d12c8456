"""The field for the text that filters the classes."""

from textual.widgets import Input

from tsoft.explorer.value_field import ValueField


class ClassFilter(ValueField):
    """The field. It is closed without a filter, unless the user is typing."""

    def __init__(self) -> None:
        super().__init__(id="filter", placeholder="type part of a label", compact=True)

    def open(self) -> None:
        self.add_class("-open")
        self.screen.set_focus(self)

    def show(self, text: str) -> None:
        """Show a filter that the user did not type."""
        if self.value != text:
            with self.prevent(Input.Changed):
                self.value = text
        self.set_class(bool(text) or self.app.focused is self, "-open")
