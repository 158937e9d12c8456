"""What the user of the explorer can change, and the history of these changes."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from tsoft.explorer.row_edit import RowEdit
from tsoft.explorer.sampler_state import SamplerState
from tsoft.sampling.engines import Engine

# The maximum number of changes that can be undone.
MAX_CHANGES = 1000


@dataclass(frozen=True)
class Picture:
    """What determines a distribution on the screen: the number of the row, its edits, and the samplers."""

    number: int
    edit: RowEdit
    samplers: SamplerState


@dataclass(frozen=True)
class ExplorerState:
    """The samplers, the number of the row, the order of its classes, and the text that filters them.

    `edits` are pairs of a row number and the edits of that row. The screen compares its distribution with the `mark`,
    and the engine of the samplers with the `compared` one.
    """

    samplers: SamplerState
    number: int = 0
    input_order: bool = False
    filter: str = ""
    edits: tuple[tuple[int, RowEdit], ...] = ()
    mark: Picture | None = None
    compared: Engine | None = None

    @property
    def compared_samplers(self) -> SamplerState | None:
        """The same samplers by the rules and in the order of the compared engine; None without one."""
        return self.samplers.with_engine(self.compared) if self.compared else None

    def like(self, engine: Engine | None, compared: Engine | None = None) -> "ExplorerState":
        """Return the state with an engine's rules and order, compared with another engine.

        Two different engines are compared. Without an engine, or with the same one, nothing is compared.
        """
        other = None if engine is None or compared is engine else compared
        return replace(self, samplers=self.samplers.with_engine(engine), compared=other)

    @property
    def all_samplers(self) -> list[SamplerState]:
        """The samplers of the distribution and of the mark."""
        return [self.samplers, *([self.mark.samplers] if self.mark else [])]

    @property
    def picture(self) -> Picture:
        return Picture(self.number, self.edit(self.number), self.samplers)

    def edit(self, number: int) -> RowEdit:
        """Return the edits of a row."""
        return dict(self.edits).get(number, RowEdit())

    def with_edit(self, edit: RowEdit) -> "ExplorerState":
        """Return the state with other edits of the current row."""
        edits = {**dict(self.edits), self.number: edit}
        return replace(self, edits=tuple(sorted((n, edit) for n, edit in edits.items() if edit != RowEdit())))


@dataclass(frozen=True)
class ChangeHistory:
    """The present state, the states before it, and the undone states, the next one first.

    Consecutive changes of the same `run`, such as the drag of a slider, count as one change.

    >>> state = ExplorerState(SamplerState.from_chain(None, 1.0))
    >>> history = ChangeHistory(state).changed(replace(state, number=1)).changed(replace(state, number=2))
    >>> history.undone().present.number, history.undone().redone().present.number
    (1, 2)
    """

    present: ExplorerState
    past: tuple[ExplorerState, ...] = ()
    future: tuple[ExplorerState, ...] = ()
    run: Hashable = field(default=None, compare=False)

    def changed(self, present: ExplorerState, run: Hashable = None) -> "ChangeHistory":
        """Return the history after a change, which drops the undone states. The same state is not a change."""
        if present == self.present:
            return self
        continues = run is not None and run == self.run
        past = self.past if continues else (*self.past, self.present)[-MAX_CHANGES:]
        return ChangeHistory(present, past, run=run)

    def replaced(self, present: ExplorerState) -> "ChangeHistory":
        """Return the history with another present state, which cannot be undone."""
        return replace(self, present=present)

    def without_marks_from(self, number: int) -> "ChangeHistory":
        """Return the history without marks of rows from this number on."""

        def unmarked(state: ExplorerState) -> ExplorerState:
            return replace(state, mark=None) if state.mark and state.mark.number >= number else state

        states = (tuple(map(unmarked, states)) for states in ((self.present,), self.past, self.future))
        (present,), past, future = states
        return ChangeHistory(present, past, future, self.run)

    def run_ended(self) -> "ChangeHistory":
        """Return the history in which the next change does not continue a run."""
        return replace(self, run=None)

    def undone(self) -> "ChangeHistory":
        """Return the history before the last change, or the same one if there is no change."""
        if not self.past:
            return self
        *past, present = self.past
        return ChangeHistory(present, tuple(past), (self.present, *self.future))

    def redone(self) -> "ChangeHistory":
        """Return the history after the change that was undone last, or the same one if there is none."""
        if not self.future:
            return self
        present, *future = self.future
        return ChangeHistory(present, (*self.past, self.present), tuple(future))
