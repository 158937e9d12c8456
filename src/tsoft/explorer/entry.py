"""A line to type into, below the classes: a logit, a class, or a target."""

from collections.abc import Callable

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input, Static

from tsoft.explorer.value_field import ValueField

# Use the typed text, and return a problem, or an empty string.
Submit = Callable[[str], str]


class Entry(Vertical):
    """The field, and below it what to type, or the problem of the last text. It is closed until a text is requested."""

    def __init__(self) -> None:
        super().__init__(id="entry")
        self._field = ValueField(id="entry-field", compact=True)
        self._below = Static(id="entry-hint", markup=False)
        self._hint = ""
        self._submit: Submit | None = None
        self._focused_before: Widget | None = None

    def compose(self) -> ComposeResult:
        yield from (self._field, self._below)

    def request(self, hint: str, submit: Submit) -> None:
        """Open the field with a hint. It closes when `submit` returns no problem."""
        self._submit, self._focused_before = submit, self.screen.focused
        self._field.value, self._hint = "", hint
        self._show_hint()
        self.add_class("-open")
        self.screen.set_focus(self._field)

    def _show_hint(self) -> None:
        self.remove_class("-wrong")
        self._below.update(self._hint)

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        if self.has_class("-wrong"):
            self._show_hint()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        if self._submit is None:
            return
        problem = self._submit(message.value)
        if problem:
            self._below.update(problem)
            self.add_class("-wrong")
        else:
            self._leave()

    def on_value_field_canceled(self, message: ValueField.Canceled) -> None:
        message.stop()
        self._leave()

    def on_descendant_blur(self, _: events.DescendantBlur) -> None:
        self._close()

    def _leave(self) -> None:
        self._close()
        self.screen.set_focus(self._focused_before)

    def _close(self) -> None:
        self._submit = None
        self.remove_class("-open", "-wrong")
