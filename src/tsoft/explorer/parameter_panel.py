"""The knobs: a slider for the temperature, and one for each sampler."""

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input, Static

from tsoft.errors import shortened, visible
from tsoft.explorer.paint import BOLD, GREY, PLAIN, strip, tau_style
from tsoft.explorer.sampler_state import Board, Dial, Place
from tsoft.explorer.scale import Scale, value_text
from tsoft.sampling.sampler_table import BIAS, TAU, SamplerParameter

# The columns of a value, and those that a slider has at least.
_VALUE, _SHORTEST = 7, 8


class Sliders(ScrollView, can_focus=True):
    """The knobs, a line each; one of them is the one that keys turn."""

    class Turned(Message):
        """A knob was set to a value."""

        def __init__(self, parameter: SamplerParameter, value: float):
            super().__init__()
            self.parameter, self.value = parameter, value

    class Nudged(Message):
        """A knob was turned by so many steps."""

        def __init__(self, parameter: SamplerParameter, by: int, coarse: bool):
            super().__init__()
            self.parameter, self.by, self.coarse = parameter, by, coarse

    def __init__(self) -> None:
        super().__init__(id="sliders")
        self._board: Board | None = None
        self.current: SamplerParameter = TAU
        self._drags: SamplerParameter | None = None

    def show(self, board: Board) -> None:
        self._board = board
        if self.current not in self._panel:
            self.current = TAU
        if self.virtual_size.height != len(self._places):
            self.virtual_size = Size(self.size.width, len(self._places))
            self.styles.height = len(self._places)
        self._follow()
        self.refresh()

    @property
    def _places(self) -> list[Place]:
        return self._board.places if self._board else []

    @property
    def _panel(self) -> list[SamplerParameter]:
        return [place.parameter for place in self._places]

    @property
    def _at(self) -> int:
        return self._panel.index(self.current)

    def _follow(self) -> None:
        self.scroll_to_region(Region(0, self._at, 1, 1), animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        at = self.scroll_offset.y + y
        if self._board is None or at >= len(self._places):
            return strip([], width)
        return strip(self._line(self._board, self._places[at], width), width)

    def _columns(self, width: int) -> tuple[int, int]:
        """The columns of a name and of a slider."""
        room = width - 2 - 1 - _VALUE - 2
        name = max(3, min(max(cell_len(self._title(place)) for place in self._places), room - _SHORTEST))
        return name, max(1, room - name)

    def _title(self, place: Place) -> str:
        """A knob's name; one that says how another works is set in."""
        if place.parameter is TAU:
            return "τ"
        return "  " * (place.parameter is not self._dial(place).sampler.parameters[0]) + place.parameter.name

    def _dial(self, place: Place) -> Dial:
        assert self._board
        return self._board.dials[place.dial]

    def _line(self, board: Board, place: Place, width: int) -> list[Segment]:
        dial, parameter = board.dials[place.dial], place.parameter
        does = dial.on and board.has(parameter)
        name, room = self._columns(width)
        current = parameter is self.current
        style = (Style(reverse=True) if self.has_focus else BOLD) if current else PLAIN if does else GREY
        text = shortened(self._title(place), name)
        segments = [
            Segment("› " if current else "  ", PLAIN),
            Segment(text, style),
            Segment(" " * (name - len(text) + 1), PLAIN),
        ]
        if board.engine and not board.has(parameter):
            return [*segments, Segment(shortened(f"not in {board.engine.name}", _VALUE + room), GREY)]
        if parameter is BIAS:
            return [*segments, Segment(("on" if does else "off").rjust(_VALUE), GREY)]
        value = dial.settings[parameter.name]
        shown = value_text(value) if does else "off"
        segments.append(Segment(shown.rjust(_VALUE) + "  ", PLAIN if does else GREY))
        return [*segments, *self._slider(parameter, value, room, does)]

    @staticmethod
    def _slider(parameter: SamplerParameter, value: float, room: int, does: bool) -> list[Segment]:
        thumb = round(Scale(parameter).fraction(value) * (room - 1))
        style = (tau_style(value) if parameter is TAU else Style(color="color(33)")) if does else GREY
        return [
            Segment("━" * thumb, style),
            Segment("●" if does else "○", style),
            Segment("─" * (room - 1 - thumb), GREY),
        ]

    @property
    def dial(self) -> int:
        """The number of the current knob's dial."""
        return self._places[self._at].dial

    @property
    def is_turnable(self) -> bool:
        """Whether the current knob is a number that has an effect."""
        return self.current is not BIAS and self._board is not None and self._board.has(self.current)

    def step(self, by: int) -> bool:
        """Makes another knob the current one; False where there is none."""
        there = 0 <= self._at + by < len(self._panel)
        if there:
            self.go(self._at + by)
        return there

    def end(self, by: int) -> None:
        """Makes the first knob the current one, or with a negative number the last."""
        self.go(0 if by > 0 else len(self._panel) - 1)

    def go(self, to: int) -> None:
        """Makes a knob the current one, by its number."""
        self.current = self._panel[min(max(to, 0), len(self._panel) - 1)]
        self._follow()
        self.refresh()

    def choose(self, parameter: SamplerParameter) -> None:
        if parameter in self._panel:
            self.go(self._panel.index(parameter))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        at = self.scroll_offset.y + event.y
        if not 0 <= at < len(self._places):
            return
        self.go(at)
        if self.is_turnable and self._drag(event.x):
            self._drags = self.current
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._drags is self.current:
            self._drag(event.x, inside=False)

    def on_mouse_up(self, _: events.MouseUp) -> None:
        if self._drags:
            self._drags = None
            self.release_mouse()

    def _drag(self, x: int, *, inside: bool = True) -> bool:
        """Sets the current knob to what a column of its slider stands for."""
        _, room = self._columns(self.scrollable_content_region.width)
        column = x - (self.scrollable_content_region.width - room)
        if inside and not 0 <= column < room:
            return False
        self.post_message(self.Turned(self.current, Scale(self.current).at(column / max(1, room - 1))))
        return True

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, by: int) -> None:
        event.stop()
        event.prevent_default()
        at = self.scroll_offset.y + event.y
        if 0 <= at < len(self._places):
            self.go(at)
            if self.is_turnable:
                self.post_message(self.Nudged(self.current, by, event.shift or event.ctrl))


class Field(Input):
    """Where a knob's value is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", show=False)]

    class Left(Message):
        """Nothing is to be typed after all."""

    def action_leave(self) -> None:
        self.post_message(self.Left())


class ParameterPanel(Vertical):
    """The sliders, and under them the field, while a value is typed."""

    def __init__(self) -> None:
        super().__init__(id="knobs")
        self.border_title = "knobs"
        self._types: SamplerParameter | None = None

    def compose(self) -> ComposeResult:
        yield Sliders()
        yield Field(id="field", compact=True)
        yield Static(id="problem", markup=False)

    @property
    def sliders(self) -> Sliders:
        return self.query_one(Sliders)

    @property
    def _field(self) -> Field:
        return self.query_one(Field)

    def show(self, board: Board) -> None:
        self.sliders.show(board)
        self.border_subtitle = board.engine.name if board.engine else ""

    def type(self) -> None:
        """Opens the field for the current knob."""
        if not self.sliders.is_turnable:
            return
        self._types = self.sliders.current
        field = self._field
        field.value = ""
        field.placeholder = f"{self._types.name}: {_range(self._types)}"
        field.add_class("-open")
        self.screen.set_focus(field)

    def on_input_changed(self) -> None:
        self.remove_class("-wrong")

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        if self._types is None:
            return
        value = _typed(message.value)
        if value is None or not _allows(self._types, value):
            self.add_class("-wrong")
            what = shortened(visible(message.value.strip()), 12) or "nothing"
            self.query_one("#problem", Static).update(f"{what} is not {_range(self._types)}")
            return
        self.post_message(Sliders.Turned(self._types, value))
        self._close()

    def on_field_left(self, message: Field.Left) -> None:
        message.stop()
        self._close()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        if event.widget is self._field:
            self._shut()

    def _close(self) -> None:
        self._shut()
        self.screen.set_focus(self.sliders)

    def _shut(self) -> None:
        self._types = None
        self.remove_class("-wrong")
        self._field.remove_class("-open")


def _range(parameter: SamplerParameter) -> str:
    return "a number from 0 to inf" if parameter is TAU else parameter.range


def _allows(parameter: SamplerParameter, value: float) -> bool:
    return value >= 0 if parameter is TAU else parameter.allows(value)


def _typed(text: str) -> float | None:
    """The number that was typed, None where it is none."""
    from tsoft.input import fields

    try:
        return fields.number(text.strip().replace("∞", "inf")) + 0.0
    except ValueError:
        return None
