"""The panel of the samplers' parameters: sliders, and a field to type a value into."""

from math import inf

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from tsoft.errors import joined, shortened, visible
from tsoft.explorer.sampler_state import SamplerState, shown_name
from tsoft.explorer.slider_scale import ALL
from tsoft.explorer.sliders import Sliders
from tsoft.explorer.value_field import ValueField
from tsoft.sampling.engines import Engine
from tsoft.sampling.sampler_table import SAMPLERS, TAU, SamplerParameter

# A word that resets a state to the one before the first token.
_DEFAULT = "default"


class ParameterPanel(Vertical):
    """The sliders. While the user types a value, the field is below them."""

    def __init__(self) -> None:
        super().__init__(id="parameters")
        self.border_title = "sliders"
        self._edited: SamplerParameter | None = None
        self.sliders = Sliders()
        self._field = ValueField(id="field", compact=True)
        # The allowed values, or what is wrong with the typed one.
        self._hint = Static(id="hint", markup=False)
        self._typed = Vertical(self._field, self._hint, id="typed")

    def compose(self) -> ComposeResult:
        yield from (self.sliders, self._typed)

    def show(self, state: SamplerState, compared: Engine | None = None) -> None:
        """Show the samplers. Name their engine, and then the one with which it is compared.

        The names are in the title, because a small terminal has no line for the bottom of the frame.
        """
        self.sliders.show(state)
        names = [engine.name for engine in (state.engine, compared) if engine]
        title = "sliders" + (f" · like {joined(names)}" if names else "")
        # A new title repaints the border.
        if title != self.border_title:
            self.border_title = title

    def edit(self) -> None:
        """Open the field for the current parameter."""
        if not self.sliders.is_settable:
            return
        self._edited = self.sliders.current
        self._field.value = ""
        self._field.placeholder = shown_name(self._edited)
        self._typed.add_class("-open")
        self._show_range(self._edited)
        self.screen.set_focus(self._field)

    def _show_range(self, parameter: SamplerParameter) -> None:
        self._typed.remove_class("-wrong")
        self._hint.update(_range(parameter))

    def on_input_changed(self) -> None:
        if self._edited and self._typed.has_class("-wrong"):
            self._show_range(self._edited)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        if self._edited is None:
            return
        try:
            value = _parsed(self._edited, message.value)
        except ValueError:
            self._typed.add_class("-wrong")
            text = shortened(visible(message.value.strip()), 12)
            problem = f"{text} is not" if text else "type"
            self._hint.update(f"{problem} {_range(self._edited)}")
            return
        self.post_message(Sliders.ValueChanged(self._edited, value))
        self._focus_sliders()

    def on_value_field_canceled(self, message: ValueField.Canceled) -> None:
        message.stop()
        self._focus_sliders()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        if event.widget is self._field:
            self._close()

    def _focus_sliders(self) -> None:
        self._close()
        self.screen.set_focus(self.sliders)

    def _close(self) -> None:
        self._edited = None
        self._typed.remove_class("-open", "-wrong")


def _range(parameter: SamplerParameter) -> str:
    if parameter is TAU:
        return "a number from 0 to inf"
    if parameter.off == inf:
        return f"{parameter.range}, or {ALL}"
    return parameter.range + f", or {_DEFAULT}" * _is_state(parameter)


def _is_state(parameter: SamplerParameter) -> bool:
    return any(parameter is sampler.state_parameter for sampler in SAMPLERS.values())


def _parsed(parameter: SamplerParameter, text: str) -> float | None:
    """Return a typed value of a parameter. Raise ValueError if it is not an allowed number. τ may be infinite."""
    from tsoft.input import fields

    word = text.strip().replace("∞", "inf")
    if word == _DEFAULT and _is_state(parameter):
        return None
    value = inf if word == ALL and parameter.off == inf else fields.number(word) + 0.0
    if not (value >= 0 if parameter is TAU else parameter.allows(value)):
        raise ValueError
    return value
