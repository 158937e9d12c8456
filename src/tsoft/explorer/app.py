"""The explorer: turn the temperature, and watch."""

import asyncio
import contextlib
import io
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar

import numpy as np
from rich.console import Console
from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from tsoft.charts.curves import class_colors
from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import UsageError, shortened, visible
from tsoft.explorer import export
from tsoft.explorer.command_line import command_line
from tsoft.explorer.curve import Curve, Drawn, drawn
from tsoft.explorer.distribution import Distribution, Listed
from tsoft.explorer.draw_counts import Tally
from tsoft.explorer.draws import Draws
from tsoft.explorer.keys import KEYS, SHORT, Key, listed
from tsoft.explorer.measures import Measures
from tsoft.explorer.parameter_panel import Field, ParameterPanel, Sliders
from tsoft.explorer.rows import Row, Rows
from tsoft.explorer.sampler_state import Biases, Board
from tsoft.explorer.scale import Scale
from tsoft.explorer.screens import Choosing, Naming, Reading
from tsoft.explorer.snapshot import CURVES, Course, Seen, course, seen
from tsoft.explorer.strip import RowStrip
from tsoft.explorer.theme import THEME
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.errors import NothingLeftError
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, SamplerParameter

# So long, in seconds, what follows waits for the next key.
PAUSE = 0.06
# A chart with fewer columns or lines than these has no room for names.
NAMED = (30, 8)


@dataclass(frozen=True)
class Start:
    """What the explorer opens with: the rows; the board; what a chain adds to a block's logits; the words that
    were `typed` for the input, None where a command line has to have the numbers; the generator of the draws;
    and whether entropies are in bits."""

    rows: Rows
    board: Board
    biases: Callable[[Block], Biases] = lambda _: ()
    typed: tuple[str, ...] | None = None
    generator: np.random.Generator = field(default_factory=np.random.default_rng)
    bits: bool = False


class Explorer(App[None]):
    """The app. It holds the settings, and tells each widget what is seen with them."""

    CSS_PATH = "explorer.tcss"
    TITLE = "tsoft explore"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (90, "-broad")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (28, "-high")]  # noqa: RUF012
    # They come before the widgets' own, so that keys which are typed fast keep their order.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, action, description, priority=True) for key, action, description in KEYS
    ]

    # What is told of the keys: all, those that stand at the bottom, and those that draw.
    keys: ClassVar[tuple[Key, ...]] = KEYS
    short: ClassVar[str] = SHORT
    hint: ClassVar[str] = "s draws one, S a hundred"

    class Followed(Message):
        """A row's course is there."""

        def __init__(self, row: Row, course: Course):
            super().__init__()
            self.row, self.course = row, course

    class Charted(Message):
        """The curves are drawn."""

        def __init__(self, chart: Drawn):
            super().__init__()
            self.chart = chart

    def __init__(self, start: Start):
        super().__init__(ansi_color=True)
        self.register_theme(THEME)
        self.theme = THEME.name
        self._start = start
        self._board = start.board
        self._nothing = self._lacks = ""
        self._row = self._at(0)
        self._seen: Seen | None = None
        self._given_order = False
        self._filter = ""
        self._indices: Array = self._row.order
        self._tally = Tally(start.generator, self._row.classes)
        self._course: Course | None = None
        self._drawing = threading.Lock()
        self.copied: list[str] = []
        self.failure: Exception | None = None
        # What went wrong is for the command to say, in a line.
        self.error_console = Console(file=io.StringIO())

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield self._row_strip()
        yield Measures(bits=self._start.bits)
        with Horizontal(id="main"):
            with Vertical(id="left"):
                yield Distribution()
                yield Field(id="filter", placeholder="part of a label", compact=True)
            with Vertical(id="side"):
                yield ParameterPanel()
                yield Curve()
                yield Draws(self.hint)
        yield Static(self.short, id="keys", markup=False)

    def _row_strip(self) -> RowStrip:
        return RowStrip(self._start.rows)

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            # Where signals cannot be waited for they end the program at once.
            with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
                number = getattr(signal, name)
                asyncio.get_running_loop().add_signal_handler(number, self._end, 128 + number)
        strip = self.query_one(RowStrip)
        strip.display = strip.is_needed
        self._list()
        self._see(follow=True)
        self.screen.set_focus(self._panel.sliders)

    # What is seen.

    def _at(self, number: int) -> Row:
        biases, self._lacks = self._biases(self._start.rows.block(number))
        return self._start.rows.row(number, biases)

    def _biases(self, block: Block) -> tuple[Biases, str]:
        """What the chain adds to a block's logits; and why it does not, where the row lacks such a class."""
        on_ = any(self._board.does(dial) for dial in self._board.dials if dial.sampler.parameters[0] is BIAS)
        try:
            return self._start.biases(block) if on_ else (), ""
        except UsageError as error:
            return (), str(error)

    def _see(self, *, follow: bool) -> None:
        """Shows the row at the present settings; what is over all temperatures follows where the chain or
        the row is another one."""
        self._panel.show(self._board)
        found = seen(self._row, self._board.tau, self._board.chain(self._row.biases))
        self._nothing = str(found) if isinstance(found, NothingLeftError) else ""
        self._say_head()
        self._seen = found if isinstance(found, Seen) else None
        if self._seen:
            self._show(self._seen)
        else:
            self.query_one(Measures).clear()
            self._distribution.clear()
            self.query_one(Draws).show(self._row, self._tally, self._board.tau)
        if follow:
            self._follow()
        self._strip()

    def _show(self, found: Seen) -> None:
        self.query_one(Measures).show(found)
        colors = dict(zip(self._curved, class_colors(len(self._curved)), strict=True))
        tally = self._tally if self._tally.size else None
        self._distribution.show(Listed(found, self._indices, colors, tally))
        self.query_one(Curve).show(found.tau)
        self.query_one(Draws).show(self._row, self._tally, found.tau)

    def _place(self) -> list[str]:
        """Which row it is, for the head."""
        rows = self._start.rows
        return [f"row {self._row.number} of 0–{len(rows) - 1}"] if len(rows) > 1 else []

    def _say_head(self) -> None:
        row = self._row
        words = [*self._place(), f"{row.classes} class{'es' * (row.classes != 1)}"]
        if row.block.partial:
            words.append(f"the listed hold {row.block.partial.mass:.4g} at τ = {row.block.partial.tau:g}")
        engine = self._board.engine
        if engine and (cold := engine.when_cold(self._board.tau)):
            words.append(f"{engine.name} {cold}")
        text = Text.assemble(("tsoft explore", "bold"), "  ", (" · ".join(words), "color(244)"))
        if self._nothing or self._lacks:
            text = Text(self._nothing or self._lacks, "bold color(160)")
        self.query_one("#head", Static).update(text, layout=False)

    def _strip(self) -> None:
        tau, rows = self._board.tau, self._start.rows

        def likely(number: int) -> float:
            block = rows.block(number)
            try:
                return rows.likelihood(number, tau, self._board.chain(self._biases(block)[0]))
            except NothingLeftError:
                return 0.0

        self.query_one(RowStrip).show(self._row.number, likely)

    @property
    def _curved(self) -> list[int]:
        """The classes that have a curve: the first few, and the chosen one."""
        first = self._row.order[:CURVES].tolist()
        chosen = self._distribution.chosen
        return first if chosen is None or chosen in first else [*first, chosen]

    @property
    def _distribution(self) -> Distribution:
        return self.query_one(Distribution)

    @property
    def _panel(self) -> ParameterPanel:
        return self.query_one(ParameterPanel)

    def _list(self) -> None:
        """Which classes are listed, and in which order."""
        order = np.arange(self._row.classes) if self._given_order else self._row.order
        if self._filter:
            matching = np.zeros(self._row.classes, bool)
            matching[self._row.matching(self._filter)] = True
            order = order[matching[order]]
        self._indices = order
        of_given = " among the listed alternatives" * (self._row.block.partial is not None)
        self._distribution.border_title = "distribution" + of_given + ", as given" * self._given_order
        found = f"{len(order)} with {shortened(repr(self._filter), 20)}" if self._filter else ""
        # A text, and no markup.
        self._distribution.border_subtitle = Content(found)

    # What follows, over all temperatures.

    @work(thread=True, exclusive=True, group="course", exit_on_error=True)
    def _follow(self) -> None:
        worker = get_current_worker()
        row, chain, indices = self._row, self._board.chain(self._row.biases), self._curved
        # The next key may come soon, and make this one's course another.
        time.sleep(PAUSE)
        found = course(row, chain, indices, lambda: worker.is_cancelled)
        if found is not None:
            self.post_message(self.Followed(row, found))

    def on_explorer_followed(self, message: "Explorer.Followed") -> None:
        if message.row is self._row:
            self._course = message.course
            self.query_one(Measures).follow(message.course)
            self._draw_curve()

    def _draw_curve(self) -> None:
        if self._course is not None:
            curve = self.query_one(Curve)
            width, height = curve.size
            # The distribution has the names in their colours too.
            fits = width >= NAMED[0] and height >= NAMED[1]
            names = [self._row.name(i) * fits for i in self._course.indices]
            self._chart(self._course, names, width, height)

    @work(thread=True, exclusive=True, group="chart", exit_on_error=True)
    def _chart(self, found: Course, names: list[str], width: int, height: int) -> None:
        worker = get_current_worker()
        # plotext has one figure.
        with self._drawing:
            if worker.is_cancelled:
                return
            chart = drawn(found, names, width, height)
        if not worker.is_cancelled:
            self.post_message(self.Charted(chart))

    def on_explorer_charted(self, message: "Explorer.Charted") -> None:
        self.query_one(Curve).follow(message.chart)

    # What the widgets say.

    def on_curve_resized(self) -> None:
        self._draw_curve()

    def on_sliders_turned(self, message: Sliders.Turned) -> None:
        self._set(self._board.turned(message.parameter, message.value))

    def on_sliders_nudged(self, message: Sliders.Nudged) -> None:
        self._turn(message.parameter, message.by, coarse=message.coarse)

    def on_curve_picked(self, message: Curve.Picked) -> None:
        self._set(self._board.turned(TAU, message.tau))

    def on_row_strip_picked(self, message: RowStrip.Picked) -> None:
        self._go(message.number)

    def on_distribution_chosen(self) -> None:
        if self._course is None or set(self._curved) != set(self._course.indices):
            self._follow()
        if self._seen:
            self._show(self._seen)

    def _turn(self, parameter: SamplerParameter, by: int, *, coarse: bool) -> None:
        """Turns a knob from where it is now, whatever it was when the key or the wheel was moved. One that is off
        is switched on."""
        if not any(parameter in dial.sampler.parameters and dial.on for dial in self._board.dials):
            self._set(self._board.switched(parameter))
            return
        self._set(
            self._board.turned(parameter, Scale(parameter).turned(self._board.value(parameter), by, coarse=coarse))
        )

    def _set(self, board: Board) -> None:
        """Sets the knobs. What is over all temperatures stays while only τ is another. On an API response only τ
        can be turned: a sampler's cutoff depends on the whole distribution."""
        if self._row.block.partial is not None and board.chain() is not None:
            self.notify("The response lists only part of the distribution: samplers need every logit.")
            return
        before, self._board = self._board, board
        if before.turned(TAU, 1.0) == board.turned(TAU, 1.0):
            self._see(follow=False)
            return
        row = self._at(self._row.number)
        if row.biases != self._row.biases:
            self._row = row
            self._list()
        self._see(follow=True)

    def _go(self, number: int) -> None:
        """Another row, where there is one."""
        number = min(max(number, 0), len(self._start.rows) - 1)
        if number != self._row.number:
            self._open(number)

    def _open(self, number: int) -> None:
        """Shows a row. Its draws are its own."""
        self._row = self._at(number)
        self._tally = Tally(self._start.generator, self._row.classes)
        self._course = None
        self._list()
        self._see(follow=True)

    # What the keys do.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key is the explorer's: not while something is typed or a list is open."""
        if action in ("interrupt", "suspend_process"):
            return True
        return not isinstance(self.focused, Input) and not self.screen.is_modal

    def action_turn(self, by: int, coarse: bool = False) -> None:
        sliders = self._panel.sliders
        if sliders.is_turnable:
            self._turn(sliders.current, by, coarse=coarse)

    def action_next(self, by: int) -> None:
        if self._distribution.has_focus:
            self._panel.sliders.end(by)
            self.screen.set_focus(self._panel.sliders)
        elif not self._panel.sliders.step(by):
            self.screen.set_focus(self._distribution)

    def action_up(self, by: int) -> None:
        if self._distribution.has_focus:
            self._distribution.choose(by)
        else:
            self._panel.sliders.step(by)

    def action_end(self, place: int) -> None:
        self._distribution.choose_end(place)

    def action_type(self) -> None:
        self._panel.type()

    def action_switch(self) -> None:
        parameter = self._panel.sliders.current
        if parameter is TAU:
            self.notify("The temperature stays; at τ = 1 it does nothing.")
        self._set(self._board.switched(parameter))

    def action_move(self, by: int) -> None:
        if not self._board.is_movable and self._board.engine:
            self.notify(f"{self._board.engine.name} has a fixed order.")
        self._set(self._board.moved(self._panel.sliders.dial, by))

    def action_tau(self, tau: float) -> None:
        self._set(self._board.turned(TAU, float(tau)))

    def action_boil(self) -> None:
        self.action_tau(inf)

    def action_row(self, by: int) -> None:
        self._go(self._row.number + by)

    def action_page(self, by: int) -> None:
        self._distribution.page(by)

    def action_order(self) -> None:
        self._given_order = not self._given_order
        self._list()
        self._see(follow=False)

    def action_draw(self, size: int) -> None:
        if self._seen:
            self._tally.draw(self._seen.probs, size)
            self._show(self._seen)

    def action_clear(self) -> None:
        self._tally = Tally(self._start.generator, self._row.classes)
        if self._seen:
            self._show(self._seen)

    def action_find(self) -> None:
        field_ = self.query_one("#filter", Input)
        field_.add_class("-open")
        self.screen.set_focus(field_)

    @on(Input.Changed, "#filter")
    def _found(self, message: Input.Changed) -> None:
        self._filter = message.value
        self._list()
        self._see(follow=False)

    @on(Input.Submitted, "#filter")
    def _find_done(self) -> None:
        if not self.query_one("#filter", Input).value:
            self.query_one("#filter").remove_class("-open")
        self.screen.set_focus(self._distribution)

    @on(Field.Left)
    def _find_left(self) -> None:
        self.query_one("#filter", Input).value = ""
        self._find_done()

    def action_show_all(self) -> None:
        self.query_one("#filter", Input).value = ""
        self.query_one("#filter").remove_class("-open")

    def action_add(self) -> None:
        parameters = [
            parameter
            for sampler in SAMPLERS.values()
            for first, parameter in zip((None, *sampler.parameters), sampler.parameters, strict=False)
            if parameter not in (TAU, BIAS) and first in (None, TAU) and self._board.has(parameter)
        ]
        on_ = {parameter for dial in self._board.dials if self._board.does(dial) for parameter in dial.shown}
        options = [
            (parameter.name, f"{'on ' if parameter in on_ else '   '} {parameter.help}") for parameter in parameters
        ]

        def take(name: str | None) -> None:
            for parameter in parameters:
                if parameter.name == name:
                    self._set(self._board.switched(parameter))
                    self.query_one(Sliders).choose(parameter)

        self.push_screen(Choosing("switch a sampler on or off", options), take)

    def action_like(self) -> None:
        own = "tsoft"
        options = [(own, "its own rules, in any order"), *((e.name, e.source) for e in ENGINES.values())]

        def take(name: str | None) -> None:
            if name is not None:
                self._set(self._board.like(ENGINES.get(name)))

        present = self._board.engine.name if self._board.engine else own
        self.push_screen(Choosing("sample like", options, present), take)

    def action_explain(self) -> None:
        if self._seen:
            text = export.explanation(self._seen, max(20, min(self.size.width * 9 // 10, 100) - 6), self._start.bits)
            self.push_screen(Reading("the chain step by step", Text.from_ansi(text.rstrip("\n"))))

    def action_help(self) -> None:
        self.push_screen(Reading("keys", Text(listed(self.keys))))

    @property
    def command_line(self) -> str:
        """What makes `tsoft compute` show the same: of many rows the present one's numbers, if they are few."""
        typed = None if self._row.is_short and len(self._start.rows) > 1 else self._start.typed
        return command_line(self._board, self._row, typed, bits=self._start.bits)

    def action_copy(self) -> None:
        line = self.command_line
        self.copied.append(line)
        self.copy_to_clipboard(line)
        self.notify(visible(line), title="copied; printed at the end", markup=False)

    def action_export(self) -> None:
        def write(name: str | None) -> None:
            if name is not None and self._seen is not None:
                error = export.write(self, self._seen, name, self._start.bits)
                self.notify(error or f"{name} is written", severity="error" if error else "information", markup=False)

        self.push_screen(Naming("export what is seen, as .json, .csv or .svg", "tsoft.json"), write)

    def release(self) -> None:
        """Gives back what it holds, at the end."""

    def _handle_exception(self, error: Exception) -> None:
        self.failure = self.failure or error
        super()._handle_exception(error)

    def action_interrupt(self) -> None:
        self._end(130)

    def _end(self, code: int) -> None:
        self.exit(return_code=code)
