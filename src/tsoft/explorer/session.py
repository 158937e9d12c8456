"""The present state of the explorer, and the numbers that it shows. It knows no Textual."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.explorer.comparison import Comparison
from tsoft.explorer.draw_counts import DrawCounts
from tsoft.explorer.engine_comparison import EngineComparison
from tsoft.explorer.explorer_input import ExplorerInput
from tsoft.explorer.explorer_rows import ExplorerRow
from tsoft.explorer.explorer_state import ChangeHistory, ExplorerState, Picture
from tsoft.explorer.sampled_rows import SampledRows
from tsoft.explorer.sampler_state import SamplerState
from tsoft.explorer.snapshot import Snapshot
from tsoft.sampling.sampler_table import TAU

if TYPE_CHECKING:
    from tsoft.explorer.saved_state import SavedState


@dataclass(frozen=True)
class Effects:
    """What a new state changes, apart from the temperature.

    `other_row` stands for a row with another number, `classes` for other classes in the list or another order, and
    `curves` for other probabilities at some temperature.
    """

    other_row: bool = False
    classes: bool = False
    curves: bool = False


class Session:
    """The states, the row of the present one, its distribution, its draws, and its comparisons.

    After `show` or `move_to`, `compute` computes the distribution and the comparisons anew.
    """

    def __init__(self, explorer_input: ExplorerInput, rows: SampledRows):
        self.input, self.sampled_rows = explorer_input, rows
        self.history = ChangeHistory(explorer_input.state)
        # The row with its edits, and why it has no biases.
        self.row: ExplorerRow
        self.bias_problem: str
        # The indices of the classes that match the filter, in the selected order.
        self.listing: Array
        self.counts: DrawCounts
        self._open_row()
        # None if the samplers cannot be applied, or remove every class. The problem says why.
        self.snapshot: Snapshot | None = None
        self.problem = ""
        # The samplers with their states at the row.
        self.row_samplers = self.samplers
        # The marked picture, and its snapshot.
        self._marked_picture: Picture | None = None
        self._marked: Snapshot | None = None
        # The comparison with the mark.
        self.comparison: Comparison | None = None
        # The comparison with the second engine, or the error message if its samplers remove every class.
        self.engine_comparison: EngineComparison | None = None
        self.engine_problem = ""

    @property
    def state(self) -> ExplorerState:
        return self.history.present

    @property
    def samplers(self) -> SamplerState:
        return self.state.samplers

    @property
    def snapshots(self) -> list[Snapshot]:
        """The snapshot, and the one of the second engine, if there are any."""
        second = self.engine_comparison.second if self.engine_comparison else None
        return [snapshot for snapshot in (self.snapshot, second) if snapshot]

    @property
    def unedited_block(self) -> Block:
        """The row without its edits."""
        return self.input.rows.block(self.row.number)

    @property
    def missing_biases(self) -> Sequence[str]:
        """The names of the biases that have no effect on the row, because it lacks their classes."""
        return () if self.bias_problem else self.sampled_rows.missing_biases(self.row.block, self.samplers)

    @property
    def distances(self) -> tuple[str, ...]:
        """The names of the distances from the mark that are known."""
        return ("TV", "KL") if self.comparison and self.comparison.is_possible else ()

    def saved_state(self) -> "SavedState":
        """Return the state to save. Raise UnsavableError if a file cannot contain it."""
        return self.sampled_rows.saved(self.state)

    # Changes of the state.

    def end_run(self) -> None:
        """Let the next change not continue a run."""
        self.history = self.history.run_ended()

    def show(self, history: ChangeHistory) -> Effects:
        """Make the present state of a history the present one."""
        before, self.history = self.state, history
        state = self.state
        if state.number != before.number:
            return self._open_row()
        curves = state.samplers.with_value(TAU, 1.0) != before.samplers.with_value(TAU, 1.0)
        is_edited = state.edit(state.number) != before.edit(state.number)
        classes = (state.filter, state.input_order) != (before.filter, before.input_order)
        if curves or is_edited:
            row, self.bias_problem = self.sampled_rows.row(state.picture)
            if is_edited or row.biases != self.row.biases:
                self.row, classes = row, True
            if row.classes != len(self.counts.counts):
                self.clear_draws()
        if classes:
            self._list_classes()
        return Effects(classes=classes, curves=curves or is_edited)

    def move_to(self, number: int) -> Effects:
        """Read another row, or the same one anew, as a change that cannot be undone."""
        self.history = self.history.replaced(replace(self.state, number=number))
        return self._open_row()

    def _open_row(self) -> Effects:
        """Read the row of the present state, without the draws of the previous one."""
        self.row, self.bias_problem = self.sampled_rows.row(self.state.picture)
        self.clear_draws()
        self._list_classes()
        return Effects(other_row=True, classes=True, curves=True)

    def _list_classes(self) -> None:
        self.listing = self.row.listing(self.state.filter, input_order=self.state.input_order)

    def clear_draws(self) -> None:
        self.counts = DrawCounts(self.input.generator, self.row.classes)

    def drop_marks_from(self, number: int) -> None:
        """Drop the marks of rows from this number on."""
        self.history = self.history.without_marks_from(number)
        # A new mark may look the same, but on a row after other tokens.
        self._marked_picture = None

    # The distribution.

    def compute(self) -> bool:
        """Compute the distribution and the comparisons. Return whether the states of samplers have changed."""
        self.snapshot, self.problem = self.sampled_rows.snapshot(self.row, self.samplers)
        samplers = self.samplers.with_states(self.snapshot.chain) if self.snapshot else self.samplers
        has_new_states = samplers.with_value(TAU, 1.0) != self.row_samplers.with_value(TAU, 1.0)
        self.row_samplers = samplers
        self.comparison = self._compare()
        self.engine_comparison, self.engine_problem = self._compare_engines()
        return has_new_states

    def _compare(self) -> Comparison | None:
        """Return the comparison of the snapshot with the mark; None without one of the two."""
        mark = self.state.mark
        if mark is None or self.snapshot is None:
            return None
        if mark != self._marked_picture:
            self._marked_picture = mark
            self._marked, _ = self.sampled_rows.snapshot(self.sampled_rows.row(mark)[0], mark.samplers)
        return Comparison(self.snapshot, self._marked) if self._marked else None

    def _compare_engines(self) -> tuple[EngineComparison | None, str]:
        """Return the comparison of the snapshot with the second engine, if there is one, and an error message."""
        samplers = self.state.compared_samplers
        if samplers is None or self.snapshot is None:
            return None, ""
        second, problem = self.sampled_rows.snapshot(self.row, samplers)
        return EngineComparison(self.snapshot, second) if second else None, problem


class SessionApp(Protocol):
    """What shows a session on the screen."""

    def change(self, state: ExplorerState, run: Hashable = None) -> None:
        """Change the state, and show it. Consecutive changes of the same run are undone together."""

    def notify(self, message: str) -> None: ...
