"""The explorer: change the temperature and the samplers, and watch the distribution."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from tsoft.errors import shortened, visible
from tsoft.explorer.class_filter import ClassFilter
from tsoft.explorer.curve_chart import CurveChart
from tsoft.explorer.curve_thread import CurvesComputed, start_curves
from tsoft.explorer.dialogs import FileNameDialog, SearchDialog
from tsoft.explorer.distribution_view import DistributionView
from tsoft.explorer.engine_comparison import new_omissions
from tsoft.explorer.engine_dialog import EngineDialog, SelectedEngines
from tsoft.explorer.entry import Entry
from tsoft.explorer.explanation_dialog import ExplanationDialog
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_state import ChangeHistory, ExplorerState, Picture
from tsoft.explorer.head_line import HeadLine
from tsoft.explorer.key_line import KeyLine
from tsoft.explorer.keys import KEY_GROUPS, KEY_HINTS, KEYS, ROWS_HINT, KeyGroup, help_text
from tsoft.explorer.parameter_panel import ParameterPanel
from tsoft.explorer.row_command import RowCommand
from tsoft.explorer.row_editor import RowEditor
from tsoft.explorer.row_strip import RowStrip
from tsoft.explorer.sampled_rows import SampledRows
from tsoft.explorer.sampler_control import SamplerControl
from tsoft.explorer.sampler_dialog import SamplerDialog
from tsoft.explorer.sampler_state import SamplerState, shown_name
from tsoft.explorer.session import Effects, Session
from tsoft.explorer.sliders import Sliders
from tsoft.explorer.snapshot import Snapshot
from tsoft.explorer.terminal_app import TerminalApp
from tsoft.explorer.value_field import ValueField
from tsoft.sampling.sampler_table import TAU

# The notice if samplers on an API response leave something undecided.
CANNOT_DRAW = "The response does not determine the distribution after these samplers, so tsoft cannot draw from it."

# The maximum number of columns of a message that contains the name of a file.
MAX_MESSAGE = 400

# The titles of the notice after a copy.
COPIED = "copied; also printed when you quit"
COPIED_FOR_PIPE = "copied; the command reads stdin, so pipe the same input into it"


class Explorer(TerminalApp):
    """The app. Keys and messages change the session, and the widgets show it."""

    # Absolute, because a subclass may be in another folder.
    CSS_PATH = Path(__file__).with_name("explorer.tcss")
    # The start of the first line, too.
    TITLE = "tsoft explore"
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

    def __init__(self, explorer_input: ExplorerInput):
        super().__init__()
        self.session = Session(explorer_input, self._sampled_rows(explorer_input))
        self._command = self._row_command()
        self._view = DistributionView(self.session, self.draw_hint)
        self._head = HeadLine(self.TITLE)
        self._strip = self._row_strip()
        self._panel = ParameterPanel()
        self._filter = ClassFilter()
        self._entry = Entry()
        self._key_line = KeyLine(self._hints)
        self._editor = RowEditor(self.session, self, self._view.table, self._entry)
        self._control = SamplerControl(self.session, self, self._panel.sliders, self._entry)
        self.copied: list[str] = []

    @property
    def state(self) -> ExplorerState:
        return self.session.state

    @property
    def samplers(self) -> SamplerState:
        return self.session.samplers

    @property
    def command_line(self) -> str:
        """The command that shows the same distribution; empty if none can."""
        return self._command.line

    @property
    def current(self) -> int | None:
        """The index of the selected class; None if no class is listed."""
        return self._view.table.current

    # The parts that depend on the kind of the input. Subclasses override these methods.

    def _sampled_rows(self, explorer_input: ExplorerInput) -> SampledRows:
        return SampledRows(explorer_input)

    def _row_command(self) -> RowCommand:
        return RowCommand(self.session)

    def _row_strip(self) -> RowStrip:
        return RowStrip(self.session.input.rows)

    def _position_words(self) -> list[str]:
        """Return the number of the row, for the first line."""
        rows = self.session.input.rows
        return [f"row {self.session.row.number} (0 to {len(rows) - 1})"] if len(rows) > 1 else []

    def _update_strip(self) -> None:
        session, state = self.session, self.state

        def likelihood(number: int) -> float:
            return session.sampled_rows.likelihood(Picture(number, state.edit(number), state.samplers))

        self._strip.show(session.row.number, likelihood)

    def after_update(self) -> None:
        """React to another state, other draws or another class on the screen."""

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._strip
        yield self._view.measures
        with Horizontal(id="main"):
            with Vertical(id="left"):
                yield self._view.table
                yield self._filter
                yield self._entry
            with Vertical(id="side"):
                yield self._panel
                yield self._view.chain_chart
                yield self._view.curve_chart
                yield self._view.draw_panel
        yield self._key_line

    @property
    def _hints(self) -> Sequence[str]:
        """The hints in the bottom line."""
        rows_hint = [ROWS_HINT] * (len(self.session.input.rows) > 1)
        return [*self.key_hints[:2], *rows_hint, *self.key_hints[2:]]

    def on_mount(self) -> None:
        self.handle_signals()
        self._strip.display = self._strip.is_needed
        self._filter.show(self.state.filter)
        self._view.show_title()
        self._update(curves=True)

    # Updates of the widgets.

    def _update(self, *, curves: bool) -> None:
        """Show the row with the current state. Set `curves` if the curves change, too."""
        session = self.session
        # The temperature may have changed the states of samplers, and so the curves.
        curves = session.compute() or curves
        self._panel.show(session.row_samplers, self.state.compared)
        self._update_head()
        self._view.show()
        if curves:
            self._start_curves()
        self._update_strip()
        # The explained mark may mean something else now.
        if self._key_line.explained:
            self._explain(self._key_line.explained)
        self.after_update()

    def _update_classes(self) -> None:
        """Update the widgets that depend on the draws or on the current class."""
        if self.session.snapshot:
            self._view.show_classes()
            self.after_update()

    def _update_head(self) -> None:
        self._head.show(self.session, self._position_words())

    def _start_curves(self) -> None:
        start_curves(self, self.session, self._view.curve_indices)

    # Messages from the widgets.

    def on_curves_computed(self, message: CurvesComputed) -> None:
        if message.row is self.session.row:
            self._view.show_curves(message.curves)

    def on_sliders_value_changed(self, message: Sliders.ValueChanged) -> None:
        self._control.set(message.parameter, message.value, message.run)

    def on_sliders_stepped(self, message: Sliders.Stepped) -> None:
        self._control.step(message.parameter, message.by, coarse=message.coarse)

    def on_curve_chart_tau_selected(self, message: CurveChart.TauSelected) -> None:
        self._control.set(TAU, message.tau, message.run)

    def on_row_strip_row_selected(self, message: RowStrip.RowSelected) -> None:
        self._go(message.number)

    def on_class_table_class_selected(self) -> None:
        if not self._view.has_all_curves:
            self._start_curves()
        self._update_classes()

    # Changes of the state.

    def change(self, state: ExplorerState, run: Hashable = None) -> None:
        """Change the state. Consecutive changes of the same run are undone together."""
        history = self.session.history.changed(state, run)
        if history is not self.session.history:
            self._show_history(history)

    def _show_history(self, history: ChangeHistory) -> None:
        """Show the present state of a history."""
        before = self.state
        effects = self.session.show(history)
        # The first line may have no room for it.
        if omissions := new_omissions(before.compared_samplers, self.state.compared_samplers):
            self.notify(omissions)
        if self.state.filter != before.filter:
            self._filter.show(self.state.filter)
        self._show(effects)

    def _show(self, effects: Effects) -> None:
        """Show the state with its effects. The curves stay if only τ or the list of the classes changes."""
        if effects.other_row:
            self._view.curves = None
        if effects.classes:
            self._view.show_title()
        self._update(curves=effects.curves)

    def _go(self, number: int) -> None:
        """Go to a row, or to the nearest one that exists."""
        self._set_number(min(max(number, 0), len(self.session.input.rows) - 1))

    def _set_number(self, number: int) -> None:
        self.change(replace(self.state, number=number), "row")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether the explorer handles a key: not while a field or a dialog is open."""
        if action in ("interrupt", "suspend_process"):
            return True
        return not isinstance(self.focused, Input) and not self.screen.is_modal

    def action_turn(self, by: int, coarse: bool = False) -> None:
        self._control.turn(by, coarse=coarse)

    def action_next(self, by: int) -> None:
        if self._view.table.has_focus:
            self._panel.sliders.move_to_end(0 if by > 0 else -1)
            self.screen.set_focus(self._panel.sliders)
        elif not self._panel.sliders.move(by):
            self.screen.set_focus(self._view.table)
        self.session.end_run()

    def action_up(self, by: int) -> None:
        if self._view.table.has_focus:
            self._view.table.move(by)
        else:
            self._panel.sliders.move(by)
            self.session.end_run()

    def action_end(self, position: int) -> None:
        self._view.table.move_to_end(position)

    def action_type(self) -> None:
        """Type a logit for the current class if the table has the focus; otherwise type a value for the slider."""
        if self._view.table.has_focus:
            self._editor.type_logit()
        else:
            self._panel.edit()

    def action_new_class(self) -> None:
        self._editor.type_class()

    def action_mask(self) -> None:
        self._editor.toggle_mask()

    def action_switch(self) -> None:
        self._control.switch()

    def action_move(self, by: int) -> None:
        self._control.move(by)

    def action_tau(self, tau: float) -> None:
        self._control.set(TAU, float(tau))

    def action_target(self) -> None:
        self._control.type_target()

    def action_tau_infinity(self) -> None:
        self.action_tau(inf)

    def action_row(self, by: int) -> None:
        self._go(self.session.row.number + by)

    def action_page(self, by: int) -> None:
        self._view.table.move_page(by)

    def action_order(self) -> None:
        self.change(replace(self.state, input_order=not self.state.input_order))

    def action_draw(self, count: int) -> None:
        snapshot = self._snapshot_or_notice()
        if snapshot and not snapshot.can_draw:
            self.notify(CANNOT_DRAW)
        elif snapshot:
            self.session.counts.draw(snapshot.probs, count)
            self._update_classes()

    def _snapshot_or_notice(self) -> Snapshot | None:
        """Return the snapshot; None without one, which is reported."""
        if self.session.snapshot is None:
            self._notify_problem(self.session.problem)
        return self.session.snapshot

    def _notify_problem(self, problem: str) -> None:
        """Report why there is no distribution, since the key that was pressed has no effect."""
        self.notify_literally(problem, title="There is no distribution.")

    def action_clear(self) -> None:
        self.session.clear_draws()
        self._update_classes()

    def action_find(self) -> None:
        self._filter.open()

    @on(Input.Changed, "#filter")
    def _filter_changed(self) -> None:
        # After quickly typed keys, the message has an older text than the field.
        self.change(replace(self.state, filter=self._filter.value), "filter")

    @on(Input.Submitted, "#filter")
    def _filter_submitted(self) -> None:
        self.session.end_run()
        self.screen.set_focus(self._view.table)

    @on(Input.Blurred, "#filter")
    def _filter_left(self) -> None:
        self._filter.show(self.state.filter)

    @on(ValueField.Canceled)
    def _filter_canceled(self) -> None:
        self.action_show_all()
        self.screen.set_focus(self._view.table)

    def action_show_all(self) -> None:
        self._explain("")
        self.change(replace(self.state, filter=""))
        self._filter.show("")

    def action_undo(self) -> None:
        if not self.session.history.past:
            self.notify("There is no change to undo.")
        self._show_history(self.session.history.undone())

    def action_redo(self) -> None:
        if not self.session.history.future:
            self.notify("There is no undone change to redo.")
        self._show_history(self.session.history.redone())

    def action_add(self) -> None:
        dialog = SamplerDialog(self.samplers, has_history=self.session.sampled_rows.has_history)

        def switch(name: str | None) -> None:
            if name is not None:
                self._control.toggle(dialog.parameters[name])
                self._panel.sliders.choose(dialog.parameters[name])

        self.push_screen(dialog, switch)

    def action_like(self) -> None:
        def follow(engines: SelectedEngines | None) -> None:
            if engines is not None:
                self.change(self.state.like(*engines))

        self.push_screen(EngineDialog(self.samplers.engine, self.state.compared), follow)

    def action_mark(self) -> None:
        """Mark the distribution on the screen, or remove the mark from it."""
        snapshot, picture = self._snapshot_or_notice(), self.state.picture
        if snapshot and not snapshot.is_exact:
            self.notify("The response lists only some tokens, so tsoft cannot compare the whole distribution.")
        elif snapshot:
            self.change(replace(self.state, mark=None if picture == self.state.mark else picture))

    def action_explain(self) -> None:
        session = self.session
        if snapshot := self._snapshot_or_notice():
            index = snapshot.top if self.current is None else self.current
            dialog = ExplanationDialog(session.snapshots, index, self.size.width, bits=session.input.bits)
            self.push_screen(dialog)

    def action_describe(self) -> None:
        """Explain the next measure or mark of the distribution in the bottom line, then the current slider.

        After the last one, the line shows the keys again.
        """
        self._explain(self._key_line.next_name(self._explanations))

    @property
    def _explanations(self) -> dict[str, str]:
        """The meanings of the measures and marks on the screen, and of the current slider."""
        slider = self._panel.sliders.current
        return self._view.explanations(self.size.width) | {shown_name(slider): slider.help}

    def _explain(self, name: str) -> None:
        """Show the meaning of a measure, a mark or a slider in the bottom line; without a name, show the keys."""
        self._key_line.explain(name, self._explanations)
        self._view.measures.mark(self._key_line.explained)

    def action_help(self) -> None:
        self.push_screen(SearchDialog("keys and marks", lambda words: help_text(self.key_groups, words)))

    def action_copy(self) -> None:
        if obstacle := self._command.obstacle:
            self.notify(obstacle)
            return
        line = self._command.line
        self.copied.append(line)
        self.copy_to_clipboard(line)
        title = COPIED_FOR_PIPE if self._command.reads_stdin else COPIED
        self.notify_literally(line, title=title)

    def action_export(self) -> None:
        # Most users export nothing, and the formats would delay the start.
        from tsoft.explorer import export

        def write(name: str | None) -> None:
            if name is not None:
                error = export.write(name, self.session, self.export_screenshot)
                # The name in it may be very long.
                message = shortened(visible(error or f"wrote {name}"), MAX_MESSAGE)
                self.notify(message, severity="error" if error else "information", markup=False)

        title = "export: .json .csv .svg; .tsoft saves the state"
        self.push_screen(FileNameDialog(title, "tsoft", export.ENDINGS), write)

    def release(self) -> None:
        """Release the resources of the app after it has ended."""
