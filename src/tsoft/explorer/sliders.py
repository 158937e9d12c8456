"""The sliders of the samplers' parameters."""

from collections.abc import Hashable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tsoft.errors import shortened
from tsoft.explorer.paint import BOLD, GRAY, PLAIN, color, strip, tau_style
from tsoft.explorer.sampler_state import SamplerState, short_name, shown_name
from tsoft.explorer.slider_scale import SliderScale, value_text
from tsoft.sampling.sampler_table import BIAS, TAU, SamplerParameter

# The width of a value, and the minimum width of a slider, which is narrow because a name that is cut may look like
# another one.
_VALUE, _MIN_SLIDER = 7, 4


class Sliders(ScrollView, can_focus=True):
    """The parameters, one per line. Keys change the current one."""

    @dataclass
    class ValueChanged(Message):
        """The user set a parameter to a value; None resets a state. Values of one drag have the same `run`."""

        parameter: SamplerParameter
        value: float | None
        run: Hashable = None

    @dataclass
    class Stepped(Message):
        """The user moved a parameter by a number of steps."""

        parameter: SamplerParameter
        by: int
        coarse: bool

    def __init__(self) -> None:
        super().__init__(id="sliders")
        self._state: SamplerState | None = None
        self.current: SamplerParameter = TAU
        self._dragged: SamplerParameter | None = None
        self._drags = 0

    def show(self, state: SamplerState) -> None:
        self._state = state
        if self.current not in self._parameters:
            self.current = TAU
        if self.virtual_size.height != len(self._parameters):
            self.virtual_size = Size(self.size.width, len(self._parameters))
            self.styles.height = len(self._parameters)
        self._scroll_to_current()
        self.refresh()

    def on_resize(self) -> None:
        """Keep the current parameter on the screen: the field to type into may have taken lines."""
        if self._state:
            self._scroll_to_current()

    @property
    def _parameters(self) -> list[SamplerParameter]:
        return self._state.visible_parameters if self._state else []

    @property
    def _position(self) -> int:
        return self._parameters.index(self.current)

    def _scroll_to_current(self) -> None:
        self.scroll_to_region(Region(0, self._position, 1, 1), animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        position = self.scroll_offset.y + y
        if self._state is None or position >= len(self._parameters):
            return strip([], width)
        return strip(self._line(self._state, self._parameters[position], width), width)

    def _columns(self, state: SamplerState, width: int) -> tuple[int, int]:
        """Return the widths of a title and of a slider."""
        room = width - 2 - 1 - _VALUE - 2
        longest = max(cell_len(_title(state, parameter)) for parameter in self._parameters)
        title_width = max(3, min(longest, room - _MIN_SLIDER))
        return title_width, max(1, room - title_width)

    def _line(self, state: SamplerState, parameter: SamplerParameter, width: int) -> list[Segment]:
        setting = state.setting(parameter)
        assert setting
        is_on = setting.on and state.supports(parameter)
        title_width, slider_width = self._columns(state, width)
        is_current = parameter is self.current
        current_style = Style(reverse=True) if self.has_focus else BOLD
        title = _title(state, parameter)
        if len(title) > title_width:
            title = shortened(_title(state, parameter, is_short=True), title_width)
        segments = [
            Segment("› " if is_current else "  ", PLAIN),
            Segment(title, current_style if is_current else PLAIN if is_on else GRAY),
            Segment(" " * (title_width - len(title) + 1), PLAIN),
        ]
        if state.engine and not state.supports(parameter):
            return [*segments, Segment(shortened(f"not in {state.engine.name}", _VALUE + slider_width), GRAY)]
        if parameter is BIAS or parameter.is_flag:
            return [*segments, Segment(("on" if is_on else "off").rjust(_VALUE), GRAY)]
        value = setting.value(parameter)
        text = value_text(value, parameter) if is_on else "off"
        segments.append(Segment(text.rjust(_VALUE) + "  ", PLAIN if is_on else GRAY))
        return [*segments, *_slider(parameter, value, slider_width, is_on)]

    @property
    def is_settable(self) -> bool:
        """Whether the current parameter has an adjustable value."""
        is_number = self.current is not BIAS and not self.current.is_flag
        return is_number and self._state is not None and self._state.supports(self.current)

    def move(self, by: int) -> bool:
        """Select the parameter `by` lines below the current one. Return False if that line does not exist."""
        return self._select(self._position + by)

    def move_to_end(self, position: int) -> None:
        """Select the first parameter (0) or the last one (-1)."""
        self._select(position % len(self._parameters))

    def _select(self, position: int) -> bool:
        if not 0 <= position < len(self._parameters):
            return False
        self.current = self._parameters[position]
        self._scroll_to_current()
        self.refresh()
        return True

    def choose(self, parameter: SamplerParameter) -> None:
        """Select a parameter if it has a slider."""
        if parameter in self._parameters:
            self._select(self._parameters.index(parameter))

    def _select_under(self, event: events.MouseEvent) -> bool:
        """Select the parameter under the mouse. Return False if the mouse is not on a parameter."""
        return self._select(self.scroll_offset.y + event.y)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._drags += 1
        if self._select_under(event) and self.is_settable and self._drag(event.x):
            self._dragged = self.current
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragged is self.current:
            self._drag(event.x, inside=False)
        # Explain the parameter under the mouse.
        position = self.scroll_offset.y + event.y
        text = self._parameters[position].help if 0 <= position < len(self._parameters) else None
        if text != self.tooltip:
            self.tooltip = text

    def on_mouse_up(self, _: events.MouseUp) -> None:
        if self._dragged:
            self._dragged = None
            self.release_mouse()

    def _drag(self, x: int, *, inside: bool = True) -> bool:
        """Set the current parameter to the value at a column. With `inside`, ignore columns outside the slider."""
        width = self.scrollable_content_region.width
        assert self._state
        _, slider_width = self._columns(self._state, width)
        column = x - (width - slider_width)
        if inside and not 0 <= column < slider_width:
            return False
        value = SliderScale(self.current).value_at(column / max(1, slider_width - 1))
        self.post_message(self.ValueChanged(self.current, value, ("drag", self._drags)))
        return True

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, by: int) -> None:
        event.stop()
        event.prevent_default()
        if self._select_under(event) and self.is_settable:
            self.post_message(self.Stepped(self.current, by, event.shift or event.ctrl))


def _title(state: SamplerState, parameter: SamplerParameter, *, is_short: bool = False) -> str:
    """Return the name of a parameter, indented if the parameter modifies another one."""
    name = shown_name(parameter)
    if parameter is TAU:
        return name
    setting = state.setting(parameter)
    assert setting
    sampler = setting.sampler
    if is_short and sampler.switch_parameters != (parameter,):
        name = short_name(sampler, name)
        for modified in sampler.needed_by(parameter):
            name = name.removeprefix(modified.name.partition("_")[0] + "_")
    return "  " * (parameter not in sampler.switch_parameters) + name


def _slider(parameter: SamplerParameter, value: float, width: int, is_on: bool) -> list[Segment]:
    thumb = round(SliderScale(parameter).fraction(value) * (width - 1))
    style = (tau_style(value) if parameter is TAU else color(33)) if is_on else GRAY
    return [
        Segment("━" * thumb, style),
        Segment("●" if is_on else "○", style),
        Segment("─" * (width - 1 - thumb), GRAY),
    ]
