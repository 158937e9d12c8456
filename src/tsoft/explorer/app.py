"""The explorer: change the temperature and the samplers, and watch the distribution."""

import asyncio
import contextlib
import io
import signal
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console
from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.driver import Driver
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from tsoft.charts.curves import class_colors
from tsoft.charts.style import tau_text
from tsoft.core.block import Block
from tsoft.errors import UsageError, joined, shortened, visible
from tsoft.explorer import export
from tsoft.explorer.arithmetic import arithmetic
from tsoft.explorer.chain_chart import ChainChart
from tsoft.explorer.class_table import ClassTable
from tsoft.explorer.command_line import command_line, edit_biases
from tsoft.explorer.comparison import Comparison
from tsoft.explorer.curve_chart import CurveChart
from tsoft.explorer.dialogs import FileNameDialog, ListDialog, SearchDialog, TextDialog, box_width
from tsoft.explorer.draw_counts import DrawCounts
from tsoft.explorer.draw_panel import DrawPanel
from tsoft.explorer.engine_comparison import EngineComparison, comparison_obstacle, missing_samplers
from tsoft.explorer.engine_dialog import EngineDialog, SelectedEngines
from tsoft.explorer.entry import Entry
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_rows import ExplorerRow, likelihood
from tsoft.explorer.explorer_state import ChangeHistory, ExplorerState, Picture
from tsoft.explorer.head_words import bias_words, engine_notes, engine_words, mark_words, row_words
from tsoft.explorer.key_line import KeyLine
from tsoft.explorer.keys import KEY_GROUPS, KEY_HINTS, KEYS, ROWS_HINT, KeyGroup, explanation, help_text
from tsoft.explorer.measure_panel import MeasurePanel
from tsoft.explorer.parameter_panel import ParameterPanel
from tsoft.explorer.row_edit import RowEdit
from tsoft.explorer.row_editor import PARTIAL_EDIT, RowEditor
from tsoft.explorer.row_strip import RowStrip
from tsoft.explorer.sampler_state import LogitBiases, SamplerState, shown_name
from tsoft.explorer.saved_state import SavedState
from tsoft.explorer.slider_scale import SliderScale
from tsoft.explorer.sliders import Sliders
from tsoft.explorer.snapshot import SHOWN_MEASURES, Snapshot, TemperatureCurves, temperature_curves, unknown_curves
from tsoft.explorer.theme import THEME
from tsoft.explorer.typed_class import EntryError
from tsoft.explorer.typed_target import EXAMPLES, nearest_tau, typed_target
from tsoft.explorer.value_field import ValueField
from tsoft.sampling.chain import Chain
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, SamplerParameter
from tsoft.sampling.step import ChainError

# Seconds to wait before computing the curves: the next key may change them again.
CURVE_DELAY = 0.06
# The number of classes with a curve, from the most probable down.
CURVE_COUNT = 5

# The notice if samplers on an API response leave something undecided.
CANNOT_DRAW = "The response does not determine the distribution after these samplers, so tsoft cannot draw from it."

# The parameters of the samplers that depend on the tokens before a distribution.
TEXT_PARAMETERS = {
    parameter for sampler in SAMPLERS.values() for parameter in sampler.parameters if sampler.needs_history
}

# The way out if no command can show a row.
EXPORT_NUMBERS = "Press x to export the numbers."

# The maximum number of columns of a message that contains the name of a file.
MAX_MESSAGE = 400

# A command without input options lists the logits of at most this many classes.
MAX_LISTED = 256

# The titles of the notice after a copy.
COPIED = "copied; also printed when you quit"
COPIED_FOR_PIPE = "copied; the command reads stdin, so pipe the same input into it"


class Explorer(App[None]):
    """The app. It has the state, and passes each widget its part of the snapshot."""

    # Absolute, because a subclass may be in another folder.
    CSS_PATH = Path(__file__).with_name("explorer.tcss")
    # The start of the first line, too.
    TITLE = "tsoft explore"
    ENABLE_COMMAND_PALETTE = False
    # Textual would focus the table first, and so apply the style sheet twice.
    AUTO_FOCUS = "#sliders"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (90, "-broad"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-lowest"), (24, "-low"), (28, "-high"), (38, "-tall")]  # noqa: RUF012
    # Priority over the widgets' bindings keeps quickly typed keys in order.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, action, description, priority=True) for key, action, description in KEYS
    ]

    # The keys in the help, the hints in the bottom line, and the hint in the empty panel of draws.
    key_groups: ClassVar[tuple[KeyGroup, ...]] = KEY_GROUPS
    key_hints: ClassVar[tuple[str, ...]] = KEY_HINTS
    draw_hint: ClassVar[str] = "s draws one, S draws 100"

    @dataclass
    class CurvesComputed(Message):
        """The curves of a row have been computed."""

        row: ExplorerRow
        curves: TemperatureCurves

    def __init__(self, explorer_input: ExplorerInput):
        super().__init__(ansi_color=True)
        self.register_theme(THEME)
        self.theme = THEME.name
        self._input = explorer_input
        self._history = ChangeHistory(explorer_input.state)
        # Error messages: why the snapshot is missing, and why the row has no biases.
        self._problem = ""
        self._row, self._bias_problem = self._row_in(self.state.picture)
        # None if the samplers cannot be applied, or remove every class.
        self.snapshot: Snapshot | None = None
        # The samplers with their states at the row.
        self._row_samplers = self.samplers
        # The marked picture, and its snapshot.
        self._marked_picture: Picture | None = None
        self._marked: Snapshot | None = None
        self._comparison: Comparison | None = None
        # The comparison with the second engine, or the error message if its samplers remove every class.
        self.engine_comparison: EngineComparison | None = None
        self._engine_problem = ""
        self._curves: TemperatureCurves | None = None
        self._indices = self._row.order
        self._counts = DrawCounts(explorer_input.generator, self._row.classes)
        self._strip = self._row_strip()
        self._measures = MeasurePanel(bits=explorer_input.bits)
        self._table = ClassTable()
        self._panel = ParameterPanel()
        self._chain_chart = ChainChart()
        self._curve_chart = CurveChart()
        self._draw_panel = DrawPanel(self.draw_hint)
        self._filter_field = ValueField(id="filter", placeholder="type part of a label", compact=True)
        self._entry = Entry()
        self._editor = RowEditor(self, self._table, self._entry)
        # The name of the measure or the mark that the bottom line explains; empty if it shows the keys.
        self._explained = ""
        self.copied: list[str] = []
        # The messages on the screen, with the times at which they appeared.
        self._notified: dict[str, float] = {}
        self.failure: Exception | None = None
        # Textual prints errors here. The command reports a failure itself, in one line.
        self.error_console = Console(file=io.StringIO())

    def get_driver_class(self) -> type[Driver]:
        """Return the driver that survives SIGSTOP, on systems that have this signal."""
        driver = super().get_driver_class()
        # Windows has a driver of another name, and no such signal.
        if driver.__name__ != "LinuxDriver":
            return driver
        from tsoft.explorer.driver import ExplorerDriver

        return ExplorerDriver

    @property
    def state(self) -> ExplorerState:
        return self._history.present

    @property
    def samplers(self) -> SamplerState:
        return self.state.samplers

    @property
    def snapshots(self) -> list[Snapshot]:
        """The snapshot, and the one of the second engine, if there are any."""
        second = self.engine_comparison.second if self.engine_comparison else None
        return [snapshot for snapshot in (self.snapshot, second) if snapshot]

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield self._strip
        yield self._measures
        with Horizontal(id="main"):
            with Vertical(id="left"):
                yield self._table
                yield self._filter_field
                yield self._entry
            with Vertical(id="side"):
                yield self._panel
                yield self._chain_chart
                yield self._curve_chart
                yield self._draw_panel
        yield KeyLine(self._hints)

    @property
    def _hints(self) -> Sequence[str]:
        """The hints in the bottom line."""
        rows_hint = [ROWS_HINT] * (len(self._input.rows) > 1)
        return [*self.key_hints[:2], *rows_hint, *self.key_hints[2:]]

    def _row_strip(self) -> RowStrip:
        return RowStrip(self._input.rows)

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            # If the event loop cannot handle a signal, the signal ends the program at once.
            with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
                number = getattr(signal, name)
                asyncio.get_running_loop().add_signal_handler(number, self._end, 128 + number)
        self._strip.display = self._strip.is_needed
        self._show_filter(self.state.filter)
        self._update_list()
        self._update(curves=True)

    @property
    def counts(self) -> DrawCounts:
        return self._counts

    @property
    def current(self) -> int | None:
        """The index of the selected class; None if no class is listed."""
        return self._table.current

    # Updates of the widgets.

    def after_update(self) -> None:
        """React to another state, other draws or another class on the screen. Subclasses override this."""

    def _row_in(self, picture: Picture) -> tuple[ExplorerRow, str]:
        """Return the row of a picture, and an error message if it lacks a class that has a bias."""
        block = picture.edit.applied(self._input.rows.block(picture.number))
        biases, problem = self._biases(block, picture.samplers)
        return self._input.rows.named(picture.number, block, biases), problem

    def _block(self, number: int) -> Block:
        """Return a row as a block, with its edits."""
        return self.state.edit(number).applied(self._input.rows.block(number))

    def _biases(self, block: Block, samplers: SamplerState) -> tuple[LogitBiases, str]:
        """Return the biases of a block's classes, and an error message.

        There are no biases while that sampler is off. An error means that the block lacks a class that has a bias.
        """
        setting = samplers.setting(BIAS)
        try:
            return self._input.biases(block) if setting and samplers.has_effect(setting) else (), ""
        except UsageError as error:
            return (), str(error)

    @property
    def _missing_biases(self) -> Sequence[str]:
        """The names of the biases that have no effect on the row, because it lacks their classes."""
        setting = self.samplers.setting(BIAS)
        is_on = setting is not None and self.samplers.has_effect(setting) and not self._bias_problem
        return self._input.missing_biases(self._row.block) if is_on else ()

    def _update(self, *, curves: bool) -> None:
        """Show the row with the current state. Set `curves` if the curves change, too."""
        self.snapshot, self._problem = self._after_samplers(self._row, self.samplers)
        samplers = self.samplers.with_states(self.snapshot.chain) if self.snapshot else self.samplers
        if samplers.with_value(TAU, 1.0) != self._row_samplers.with_value(TAU, 1.0):
            # The temperature may have changed the states.
            curves = True
        self._row_samplers = samplers
        self._panel.show(samplers, self.state.compared)
        self._comparison = self._compare()
        self.engine_comparison, self._engine_problem = self._compare_engines()
        self._update_head()
        self._chain_chart.show(self.snapshots)
        if self.snapshot:
            self._measures.show(self.snapshot)
            self._show_classes(self.snapshot)
        else:
            self._measures.clear()
            self._table.clear()
            self._draw_panel.show(self._row, self._counts, self.samplers.tau)
        if curves:
            self._start_curves()
        self._update_strip()
        # The explained mark may mean something else now.
        if self._explained:
            self._explain(self._explained)
        self.after_update()

    def _after_samplers(self, row: ExplorerRow, samplers: SamplerState) -> tuple[Snapshot | None, str]:
        """Return a row after some samplers, and an error message if they cannot be applied."""
        try:
            return Snapshot(row, samplers.tau, self.chain(row.number, row.block, row.biases, samplers)), ""
        except (ChainError, UsageError) as error:
            return None, str(error)

    def chain(self, number: int, block: Block, biases: LogitBiases, samplers: SamplerState) -> Chain | None:
        """Return the chain of some samplers for a row, with its biases and the tokens before it.

        Raise UsageError if the block has no class for one of the tokens.
        """
        chain = samplers.chain(biases)
        if chain and chain.needs_history:
            assert self._input.history
            chain = chain.with_history(self._input.history.before(block))
        return chain

    @property
    def has_history(self) -> bool:
        """Whether the tokens before a row are known."""
        return self._input.history is not None

    def _compare_engines(self) -> tuple[EngineComparison | None, str]:
        """Return the comparison of the snapshot with the second engine, if there is one, and an error message."""
        samplers = self.state.compared_samplers
        if samplers is None or self.snapshot is None:
            return None, ""
        second, problem = self._after_samplers(self._row, samplers)
        return EngineComparison(self.snapshot, second) if second else None, problem

    def _compare(self) -> Comparison | None:
        """Return the comparison of the snapshot with the mark; None without one of the two."""
        mark = self.state.mark
        if mark is None or self.snapshot is None:
            return None
        if mark != self._marked_picture:
            self._marked_picture = mark
            self._marked, _ = self._after_samplers(self._row_in(mark)[0], mark.samplers)
        return Comparison(self.snapshot, self._marked) if self._marked else None

    def _update_classes(self) -> None:
        """Update the widgets that depend on the draws or on the current class."""
        if self.snapshot:
            self._show_classes(self.snapshot)
            self.after_update()

    def _show_classes(self, snapshot: Snapshot) -> None:
        indices = self._curve_indices
        colors = dict(zip(indices, class_colors(len(indices)), strict=True))
        counts = self._counts if self._counts.total else None
        comparison = self._comparison
        ghost = comparison.ghost if comparison and comparison.is_possible else None
        self._table.show(self.snapshots, self._indices, colors, counts, ghost)
        self._curve_chart.show(snapshot.tau)
        self._draw_panel.show(self._row, self._counts, snapshot.tau)

    def _position_words(self) -> list[str]:
        """Return the number of the row, for the head."""
        rows = self._input.rows
        return [f"row {self._row.number} (0 to {len(rows) - 1})"] if len(rows) > 1 else []

    @property
    def _distances(self) -> tuple[str, ...]:
        """The names of the distances from the mark that the head shows."""
        return ("TV", "KL") if self._comparison and self._comparison.is_possible else ()

    def _update_head(self) -> None:
        state, words = self.state, self._position_words()
        # After the number of the row, because the name of a model may be long.
        words[1:1] = [
            *bias_words(self._missing_biases),
            *engine_words(state, self.engine_comparison, self._engine_problem),
            *([mark_words(self._comparison, self._input.bits)] if self._comparison else []),
        ]
        words += row_words(self._row, state.edit(self._row.number), self.snapshot)
        words += engine_notes(state)
        text = Text.assemble((self.TITLE, "bold"), "  ", (" · ".join(words), "color(244)"))
        problem = self._problem or self._bias_problem
        head = self.query_one("#head", Static)
        # A problem is never cut off: it may take several lines.
        head.set_class(bool(problem), "-wrong")
        head.update(Text(problem, "bold color(160)") if problem else text, layout=bool(problem))
        head.tooltip = "\n".join(f"{name}: {explanation(name)}" for name in self._distances) or None

    def _update_strip(self) -> None:
        samplers = self.samplers

        def row_likelihood(number: int) -> float:
            block = self._block(number)
            biases, _ = self._biases(block, samplers)
            try:
                return likelihood(block, samplers.tau, self.chain(number, block, biases, samplers))
            except (ChainError, UsageError):
                return 0.0

        self._strip.show(self._row.number, row_likelihood)

    @property
    def _curve_indices(self) -> list[int]:
        """The classes that have a curve: the most probable ones and the current one."""
        first = self._row.order[:CURVE_COUNT].tolist()
        current = self._table.current
        return first if current is None or current in first else [*first, current]

    def _update_list(self) -> None:
        """List the classes that match the filter, in the selected order."""
        self._indices = self._row.listing(self.state.filter, input_order=self.state.input_order)
        title = "distribution" if self._row.block.partial is None else "listed alternatives"
        if self.state.filter:
            title += f", {len(self._indices)} with {shortened(repr(self.state.filter), 20)}"
        self._table.show_title(title + ", in input order" * self.state.input_order)

    # The curves over all temperatures. A thread computes them.

    def _start_curves(self) -> None:
        row, snapshot, indices = self._row, self.snapshot, self._curve_indices
        try:
            chain = snapshot.chain if snapshot else self.chain(row.number, row.block, row.biases, self.samplers)
        except (ChainError, UsageError):
            # The chain is unknown at every temperature.
            self._compute_curves(row, lambda _: unknown_curves(indices))
            return
        self._compute_curves(row, lambda is_canceled: temperature_curves(row, chain, indices, is_canceled))

    # Without a description, Textual writes one with all labels and logits, which takes long.
    @work(thread=True, exclusive=True, group="curves", description="curves")
    def _compute_curves(
        self, row: ExplorerRow, compute: Callable[[Callable[[], bool]], TemperatureCurves | None]
    ) -> None:
        worker = get_current_worker()
        time.sleep(CURVE_DELAY)
        curves = compute(lambda: worker.is_cancelled)
        if curves is not None:
            self.post_message(self.CurvesComputed(row, curves))

    def on_explorer_curves_computed(self, message: "Explorer.CurvesComputed") -> None:
        if message.row is self._row:
            self._curves = message.curves
            self._measures.show_curves(message.curves)
            self._curve_chart.show_curves(message.row, message.curves)

    # Messages from the widgets.

    def on_sliders_value_changed(self, message: Sliders.ValueChanged) -> None:
        self._set_samplers(self.samplers.with_value(message.parameter, message.value), message.run)

    def on_sliders_stepped(self, message: Sliders.Stepped) -> None:
        self._step(message.parameter, message.by, coarse=message.coarse)

    def on_curve_chart_tau_selected(self, message: CurveChart.TauSelected) -> None:
        self._set_samplers(self.samplers.with_value(TAU, message.tau), message.run)

    def on_row_strip_row_selected(self, message: RowStrip.RowSelected) -> None:
        self._go(message.number)

    def on_class_table_class_selected(self) -> None:
        if self._curves is None or set(self._curve_indices) != set(self._curves.indices):
            self._start_curves()
        self._update_classes()

    def _step(self, parameter: SamplerParameter, by: int, *, coarse: bool) -> None:
        """Move a parameter by some steps, or switch it on if it is off.

        The steps start from the current value, which may be newer than the value at the time of the key press.
        """
        setting = self.samplers.setting(parameter)
        if setting is None or not setting.on:
            self._set_samplers(self.samplers.toggled(parameter))
            return
        value = SliderScale(parameter).stepped(self.samplers.value(parameter), by, coarse=coarse)
        self._set_samplers(self.samplers.with_value(parameter, value), ("steps", parameter.name))

    def _set_samplers(self, samplers: SamplerState, run: Hashable = None) -> None:
        self._change(replace(self.state, samplers=samplers), run)

    def _change(self, state: ExplorerState, run: Hashable = None) -> None:
        """Change the state. Consecutive changes of the same run are undone together."""
        history = self._history.changed(state, run)
        if history is not self._history:
            self._show_history(history)

    def _show_history(self, history: ChangeHistory) -> None:
        """Show the present state of a history. The curves stay if only τ or the list of the classes changes."""
        before, self._history = self.state, history
        state = self.state
        self._report_missing(before)
        if state.filter != before.filter:
            self._show_filter(state.filter)
        if state.number != before.number:
            self._show_row()
            return
        has_new_curves = state.samplers.with_value(TAU, 1.0) != before.samplers.with_value(TAU, 1.0)
        is_edited = state.edit(state.number) != before.edit(state.number)
        has_new_list = (state.filter, state.input_order) != (before.filter, before.input_order)
        if has_new_curves or is_edited:
            row, self._bias_problem = self._row_in(state.picture)
            if is_edited or row.biases != self._row.biases:
                self._row, has_new_list = row, True
            if row.classes != len(self._counts.counts):
                self._counts = DrawCounts(self._input.generator, row.classes)
        if has_new_list:
            self._update_list()
        self._update(curves=has_new_curves or is_edited)

    def _report_missing(self, before: ExplorerState) -> None:
        """Report the samplers that the second engine newly lacks, since the head may have no room for them."""
        samplers, samplers_before = self.state.compared_samplers, before.compared_samplers
        lacked = missing_samplers(samplers_before) if samplers_before else []
        missing = [words for words in missing_samplers(samplers) if words not in lacked] if samplers else []
        if missing:
            self.notify(f"{joined(missing)}. The comparison leaves {'it' if len(missing) == 1 else 'them'} out.")

    def _go(self, number: int) -> None:
        """Go to a row, or to the nearest one that exists."""
        self._set_number(min(max(number, 0), len(self._input.rows) - 1))

    def _set_number(self, number: int) -> None:
        self._change(replace(self.state, number=number), "row")

    def _show_row(self) -> None:
        """Show the current row, without the draws of the previous one."""
        self._row, self._bias_problem = self._row_in(self.state.picture)
        self._counts = DrawCounts(self._input.generator, self._row.classes)
        self._curves = None
        self._update_list()
        self._update(curves=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether the explorer handles a key: not while a field or a dialog is open."""
        if action in ("interrupt", "suspend_process"):
            return True
        return not isinstance(self.focused, Input) and not self.screen.is_modal

    def action_turn(self, by: int, coarse: bool = False) -> None:
        sliders = self._panel.sliders
        if sliders.is_settable:
            self._step(sliders.current, by, coarse=coarse)

    def action_next(self, by: int) -> None:
        if self._table.has_focus:
            self._panel.sliders.move_to_end(0 if by > 0 else -1)
            self.screen.set_focus(self._panel.sliders)
        elif not self._panel.sliders.move(by):
            self.screen.set_focus(self._table)
        self._history = self._history.run_ended()

    def action_up(self, by: int) -> None:
        if self._table.has_focus:
            self._table.move(by)
        else:
            self._panel.sliders.move(by)
            self._history = self._history.run_ended()

    def action_end(self, position: int) -> None:
        self._table.move_to_end(position)

    def action_type(self) -> None:
        """Type a logit for the current class if the table has the focus; otherwise type a value for the slider."""
        if self._table.has_focus:
            self._editor.type_logit()
        else:
            self._panel.edit()

    # Edits of a copy of the row.

    @property
    def row(self) -> ExplorerRow:
        return self._row

    @property
    def unedited_block(self) -> Block:
        return self._input.rows.block(self._row.number)

    @property
    def edit_refusal(self) -> str:
        """The reason why the row cannot be edited; empty if it can."""
        return PARTIAL_EDIT if self._row.block.partial else ""

    def change(self, state: ExplorerState) -> None:
        self._change(state)

    def action_new_class(self) -> None:
        self._editor.type_class()

    def action_mask(self) -> None:
        self._editor.toggle_mask()

    def action_switch(self) -> None:
        parameter = self._panel.sliders.current
        if parameter is TAU:
            self.notify("The temperature is always on. At τ = 1 it changes nothing.")
        self._set_samplers(self.samplers.toggled(parameter))

    def action_move(self, by: int) -> None:
        moved, engine = self.samplers.moved(self._panel.sliders.current, by), self.samplers.engine
        if engine and moved == self.samplers:
            subject = "this sampler in a fixed place" if engine.reorders else "its samplers in a fixed order"
            self.notify(f"{engine.name} applies {subject}.")
        self._set_samplers(moved)

    def action_tau(self, tau: float) -> None:
        self._set_samplers(self.samplers.with_value(TAU, float(tau)))

    def action_target(self) -> None:
        """Move τ to where the distribution reaches a target."""
        if self._row.block.partial and self._row.block.partial.unlisted != 0:
            self.notify("The response lists only some tokens. tsoft solve computes bounds on τ for it.")
            return
        self._entry.request(f"target: {EXAMPLES}", self._reach)

    def _reach(self, text: str) -> str:
        """Move τ to the nearest temperature that reaches a typed target. Return a problem, or an empty string."""
        try:
            target = typed_target(text, self._row, bits=self._input.bits)
        except EntryError as error:
            return str(error)
        taus, reason = target.temperatures(self._row, bits=self._input.bits)
        if not taus:
            return f"no τ: {reason}"
        self.action_tau(nearest_tau(taus, self.samplers.tau))
        if len(taus) > 1:
            self.notify(f"{len(taus)} temperatures reach the target: {joined(list(map(tau_text, taus)))}.")
        if self.snapshot and not target.is_reached(self.snapshot):
            self.notify("This τ reaches the target without samplers. The samplers that are on change the value.")
        return ""

    def action_tau_infinity(self) -> None:
        self.action_tau(inf)

    def action_row(self, by: int) -> None:
        self._go(self._row.number + by)

    def action_page(self, by: int) -> None:
        self._table.move_page(by)

    def action_order(self) -> None:
        self._change(replace(self.state, input_order=not self.state.input_order))

    def action_draw(self, count: int) -> None:
        if self.snapshot is None:
            self._notify_problem(self._problem)
        elif not self.snapshot.can_draw:
            self.notify(CANNOT_DRAW)
        else:
            self._counts.draw(self.snapshot.probs, count)
            self._update_classes()

    def notify(self, message: str, **options: Any) -> None:
        """Show a message for some seconds, unless it is on the screen: equal boxes would cover the rest."""
        now = time.monotonic()
        self._notified = {
            other: start for other, start in self._notified.items() if now - start < self.NOTIFICATION_TIMEOUT
        }
        if message not in self._notified:
            self._notified[message] = now
            super().notify(message, **options)

    def clear_notifications(self) -> None:
        self._notified.clear()
        super().clear_notifications()

    def _notify_problem(self, problem: str) -> None:
        """Report why there is no distribution, since the key that was pressed has no effect."""
        # The problem may contain a label.
        self.notify(visible(problem), title="There is no distribution.", markup=False)

    def action_clear(self) -> None:
        self._counts = DrawCounts(self._input.generator, self._row.classes)
        self._update_classes()

    def action_find(self) -> None:
        self._filter_field.add_class("-open")
        self.screen.set_focus(self._filter_field)

    @on(Input.Changed, "#filter")
    def _filter_changed(self) -> None:
        # After quickly typed keys, the message has an older text than the field.
        self._change(replace(self.state, filter=self._filter_field.value), "filter")

    @on(Input.Submitted, "#filter")
    def _filter_submitted(self) -> None:
        self._history = self._history.run_ended()
        self.screen.set_focus(self._table)

    @on(Input.Blurred, "#filter")
    def _filter_left(self) -> None:
        self._show_filter(self.state.filter)

    @on(ValueField.Canceled)
    def _filter_canceled(self) -> None:
        self.action_show_all()
        self.screen.set_focus(self._table)

    def action_show_all(self) -> None:
        self._explain("")
        self._change(replace(self.state, filter=""))
        self._show_filter("")

    def _show_filter(self, text: str) -> None:
        """Show a filter in its field, which is closed without a filter unless the user is typing."""
        if self._filter_field.value != text:
            with self.prevent(Input.Changed):
                self._filter_field.value = text
        self._filter_field.set_class(bool(text) or self.focused is self._filter_field, "-open")

    def action_undo(self) -> None:
        if not self._history.past:
            self.notify("There is no change to undo.")
        self._show_history(self._history.undone())

    def action_redo(self) -> None:
        if not self._history.future:
            self.notify("There is no undone change to redo.")
        self._show_history(self._history.redone())

    def action_add(self) -> None:
        effective = {
            parameter
            for setting in self.samplers.effective
            for parameter in filter(setting.has_effect, setting.visible_parameters)
        }
        parameters = {
            parameter.name: parameter
            for parameter in self.samplers.switches
            if self.has_history or parameter not in TEXT_PARAMETERS
        }
        options = [
            (name, "on  " if parameter in effective else "    ", parameter.help)
            for name, parameter in parameters.items()
        ]

        def switch(name: str | None) -> None:
            if name is not None:
                self._set_samplers(self.samplers.toggled(parameters[name]))
                self._panel.sliders.choose(parameters[name])

        self.push_screen(ListDialog("switch a sampler on or off", options), switch)

    def action_like(self) -> None:
        def follow(engines: SelectedEngines | None) -> None:
            if engines is not None:
                self._change(self.state.like(*engines))

        self.push_screen(EngineDialog(self.samplers.engine, self.state.compared), follow)

    def action_mark(self) -> None:
        """Mark the distribution on the screen, or remove the mark from it."""
        if self.snapshot is None:
            self._notify_problem(self._problem)
            return
        if not self.snapshot.is_exact:
            self.notify("The response lists only some tokens, so tsoft cannot compare the whole distribution.")
            return
        picture = self.state.picture
        self._change(replace(self.state, mark=None if picture == self.state.mark else picture))

    def action_explain(self) -> None:
        if self.snapshot is None:
            self._notify_problem(self._problem)
        else:
            width = max(20, box_width(self.size.width) - 6)
            current = self._table.current
            index = self.snapshot.top if current is None else current
            parts = [arithmetic(self.snapshot, index, width)]
            if self.snapshot.chain is not None:
                parts.append(export.explanation(self.snapshots, width, self._input.bits))
            self.push_screen(TextDialog("the arithmetic", Text.from_ansi("\n".join(parts).rstrip("\n"))))

    def action_describe(self) -> None:
        """Explain the next measure or mark of the distribution in the bottom line, then the current slider.

        After the last one, the line shows the keys again.
        """
        names = ["", *self._explanations]
        position = names.index(self._explained) if self._explained in names else 0
        self._explain(names[(position + 1) % len(names)])

    @property
    def _explanations(self) -> dict[str, str]:
        """The meanings of the measures and marks on the screen, and of the current slider."""
        longest_mark = 8
        slider = self._panel.sliders.current
        return {
            **{name: explanation(name) for name in (*SHOWN_MEASURES, *self._distances)},
            **self._table.marks.entries(self.size.width - longest_mark),
            shown_name(slider): slider.help,
        }

    def _explain(self, name: str) -> None:
        """Show the meaning of a measure, a mark or a slider in the bottom line; without a name, show the keys."""
        text = self._explanations.get(name, "")
        self._explained = name if text else ""
        self._measures.mark(self._explained)
        self.query_one(KeyLine).explain(f"{name}: {text}" if text else "")

    def action_help(self) -> None:
        self.push_screen(SearchDialog("keys and marks", lambda words: help_text(self.key_groups, words)))

    @property
    def _is_edited(self) -> bool:
        return self.state.edit(self._row.number) != RowEdit()

    @property
    def _lists_logits(self) -> bool:
        """Whether the copied command lists the logits of the row, although the input has arguments."""
        if self._input.reads_stdin:
            return self._row.block.partial is None and self._row.classes <= MAX_LISTED
        return self._row.is_short and (self._is_edited or len(self._input.rows) > 1)

    @property
    def command_line(self) -> str:
        """The `tsoft compute` command that shows the same distribution.

        It is empty if no command can show a long row.
        """
        arguments, row = None if self._lists_logits else self._input.arguments, self._row
        if arguments is None and row.classes > MAX_LISTED:
            return ""
        if self._is_edited and arguments is not None:
            biases = edit_biases(self._input.rows.block(row.number).logits[0], row)
            if biases is None or not self.samplers.biases_come_first:
                return ""
            row = replace(row, biases=biases)
        history = self._input.history.arguments_for(self.samplers) if self._input.history else ()
        return command_line(self.samplers, row, arguments, self.state.compared, history=history, bits=self._input.bits)

    @property
    def command_obstacle(self) -> str:
        """Why the options of no command have the same effect as the samplers; empty if those of one have."""
        compared = self.state.compared
        if compared and (obstacle := comparison_obstacle(self.samplers, compared)):
            return f"No command can compare these two engines, because {obstacle}. Press l to follow one engine."
        history = self._input.history
        if self.samplers.needs_history and (history is None or history.arguments is None):
            hint = f" {EXPORT_NUMBERS}" if self.snapshot else ""
            return f"No command can pass the tokens before the row to the penalties and DRY.{hint}"
        return ""

    def action_copy(self) -> None:
        if obstacle := self.command_obstacle:
            self.notify(obstacle)
            return
        line = self.command_line
        if not line:
            self.notify("No command can show this row. Press x to save the state as a .tsoft file, or the numbers.")
            return
        self.copied.append(line)
        self.copy_to_clipboard(line)
        is_for_pipe = self._input.reads_stdin and not self._lists_logits
        self.notify(visible(line), title=COPIED_FOR_PIPE if is_for_pipe else COPIED, markup=False)

    def action_export(self) -> None:
        def write(name: str | None) -> None:
            if name is not None:
                exports = export.Exports(
                    self.snapshots, self._problem, self.export_screenshot, self._saved_state, self._input.bits
                )
                error = export.write(name, exports)
                # The name in it may be very long.
                message = shortened(visible(error or f"wrote {name}"), MAX_MESSAGE)
                self.notify(message, severity="error" if error else "information", markup=False)

        title = "export: .json .csv .svg; .tsoft saves the state"
        self.push_screen(FileNameDialog(title, "tsoft", export.ENDINGS), write)

    def _saved_state(self) -> SavedState:
        """Return the state to save. Raise UnsavableError if a file cannot contain it."""
        rows, state = self._input.rows, self.state
        blocks = tuple(map(rows.block, range(len(rows))))
        # Biases that are off are a part of the state, too.
        biases = tuple(self._all_biases(block) for block in blocks)
        return SavedState(blocks, tuple(rows.titles), biases, state, self._input.bits)

    def _all_biases(self, block: Block) -> LogitBiases:
        with contextlib.suppress(UsageError):
            return self._input.biases(block)
        return ()

    def release(self) -> None:
        """Release the resources of the app after it has ended."""

    def _handle_exception(self, error: Exception) -> None:
        self.failure = self.failure or error
        super()._handle_exception(error)

    def action_interrupt(self) -> None:
        self._end(130)

    def _end(self, code: int) -> None:
        self.exit(return_code=code)
