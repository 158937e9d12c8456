"""The knobs: a slider for the temperature, and one for each sampler."""

from typing import ClassVar

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
from textual.widgets import Input

from tsoft.core.samplers import BIAS, TAU, Knob
from tsoft.explorer.board import Board, Place
from tsoft.explorer.paint import BOLD, GREY, PLAIN, strip, tau_style
from tsoft.explorer.scale import Scale, value_text
from tsoft.render.style import cut

# Columns of a name and of a value; the smaller ones where there are fewer than so many in all.
_NAME, _VALUE = 16, 7
_SMALL_NAME, _SMALL_VALUE = 7, 6
_WIDE = 44


class Sliders(ScrollView, can_focus=True):
    """The knobs, a line each; one of them is the one that keys turn."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "next(-1)", "knob above", show=False),
        Binding("down", "next(1)", "knob below", show=False),
        Binding("tab", "tab(1)", "next knob", show=False),
        Binding("shift+tab", "tab(-1)", "knob before", show=False),
    ]

    class Turned(Message):
        """A knob was set to a value."""

        def __init__(self, knob: Knob, value: float):
            super().__init__()
            self.knob, self.value = knob, value

    class Nudged(Message):
        """A knob was turned by so many steps."""

        def __init__(self, knob: Knob, by: int, coarse: bool):
            super().__init__()
            self.knob, self.by, self.coarse = knob, by, coarse

    def __init__(self) -> None:
        super().__init__(id="sliders")
        self._board: Board | None = None
        self.current: Knob = TAU
        self._drags: Knob | None = None

    def show(self, board: Board) -> None:
        self._board = board
        if self.current not in self._knobs:
            self.current = TAU
        self.virtual_size = Size(self.size.width, len(self._places))
        self.styles.height = len(self._places)
        self._follow()
        self.refresh()

    @property
    def _places(self) -> list[Place]:
        return self._board.places if self._board else []

    @property
    def _knobs(self) -> list[Knob]:
        return [place.knob for place in self._places]

    @property
    def _at(self) -> int:
        return self._knobs.index(self.current)

    def _follow(self) -> None:
        self.scroll_to_region(Region(0, self._at, 1, 1), animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        at = self.scroll_offset.y + y
        if self._board is None or at >= len(self._places):
            return Strip.blank(width)
        return strip(self._line(self._board, self._places[at], width), width)

    @staticmethod
    def _columns(width: int) -> tuple[int, int, int]:
        """The columns of a name, of a value and of a slider."""
        name, value = (_NAME, _VALUE) if width >= _WIDE else (_SMALL_NAME, _SMALL_VALUE)
        return name, value, max(3, width - 2 - name - 1 - value - 2)

    def _line(self, board: Board, place: Place, width: int) -> list[Segment]:
        dial, knob = board.dials[place.dial], place.knob
        does = dial.on and board.has(knob)
        name, digits, room = self._columns(width)
        current = knob is self.current
        title = "τ" if knob is TAU else "  " * (knob is not dial.sampler.knobs[0]) + knob.name
        style = (Style(reverse=True) if self.has_focus else BOLD) if current else PLAIN if does else GREY
        text = cut(title, name)
        segments = [
            Segment("› " if current else "  ", PLAIN),
            Segment(text, style),
            Segment(" " * (name - len(text) + 1), PLAIN),
        ]
        if not board.has(knob) or knob is BIAS:
            words = (
                "on" if does else "off" if board.has(knob) else f"not in {board.engine.name}" if board.engine else ""
            )
            return [*segments, Segment(cut(words.rjust(digits), digits + room), GREY)]
        value = dial.settings[knob.name]
        shown = value_text(value) if does else "off"
        segments.append(Segment(shown.rjust(digits) + "  ", PLAIN if does else GREY))
        return [*segments, *self._slider(knob, value, room, does)]

    @staticmethod
    def _slider(knob: Knob, value: float, room: int, does: bool) -> list[Segment]:
        thumb = round(Scale(knob).fraction(value) * (room - 1))
        style = (tau_style(value) if knob is TAU else Style(color="color(33)")) if does else GREY
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

    def action_next(self, by: int) -> None:
        self.go(self._at + by)

    def go(self, to: int) -> None:
        """Makes a knob the current one, by its number."""
        self.current = self._knobs[min(max(to, 0), len(self._knobs) - 1)]
        self._follow()
        self.refresh()

    def choose(self, knob: Knob) -> None:
        if knob in self._knobs:
            self.go(self._knobs.index(knob))

    def action_tab(self, by: int) -> None:
        """The next knob, and after the last what comes after the sliders."""
        if 0 <= self._at + by < len(self._knobs):
            self.action_next(by)
        elif by > 0:
            self.screen.focus_next()
        else:
            self.screen.focus_previous()

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
        *_, room = self._columns(self.scrollable_content_region.width)
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


class Knobs(Vertical):
    """The sliders, and under them the field, while a value is typed."""

    def __init__(self) -> None:
        super().__init__(id="knobs")
        self.border_title = "knobs"
        self._types: Knob | None = None

    def compose(self) -> ComposeResult:
        yield Sliders()
        yield Field(id="field", compact=True)

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
        field.focus()

    def on_input_changed(self) -> None:
        self._field.remove_class("-wrong")

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        assert self._types
        value = _typed(message.value)
        if value is None or not _allows(self._types, value):
            self._field.add_class("-wrong")
            self.border_subtitle = f"{cut(message.value.strip(), 12) or 'nothing'} is not {_range(self._types)}"
            return
        self.post_message(Sliders.Turned(self._types, value))
        self._close()

    def on_field_left(self) -> None:
        self._close()

    def _close(self) -> None:
        self._types = None
        self.border_subtitle = ""
        self._field.remove_class("-open", "-wrong")
        self.sliders.focus()


def _range(knob: Knob) -> str:
    return "a number from 0 to inf" if knob is TAU else knob.range


def _allows(knob: Knob, value: float) -> bool:
    return value >= 0 if knob is TAU else knob.allows(value)


def _typed(text: str) -> float | None:
    """The number that was typed, None where it is none."""
    from tsoft.formats import fields

    try:
        return fields.number(text.strip().replace("∞", "inf")) + 0.0
    except ValueError:
        return None
