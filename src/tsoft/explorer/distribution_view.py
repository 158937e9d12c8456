"""The widgets that show the distribution of a session."""

from tsoft.charts.curves import class_colors
from tsoft.errors import shortened
from tsoft.explorer.chain_chart import ChainChart
from tsoft.explorer.class_table import ClassTable
from tsoft.explorer.curve_chart import CurveChart
from tsoft.explorer.draw_panel import DrawPanel
from tsoft.explorer.keys import explanation
from tsoft.explorer.measure_panel import MeasurePanel
from tsoft.explorer.session import Session
from tsoft.explorer.snapshot import SHOWN_MEASURES, TemperatureCurves

# The number of classes with a curve, from the most probable down.
CURVE_COUNT = 5
# The columns of the longest mark that the bottom line explains.
_LONGEST_MARK = 8


class DistributionView:
    """The widgets. Each receives its part of the numbers."""

    def __init__(self, session: Session, draw_hint: str):
        self._session = session
        self.measures = MeasurePanel(bits=session.input.bits)
        self.table = ClassTable()
        self.chain_chart = ChainChart()
        self.curve_chart = CurveChart()
        self.draw_panel = DrawPanel(draw_hint)
        # The curves on the screen; None after a change to another row.
        self.curves: TemperatureCurves | None = None

    def show(self) -> None:
        """Show the distribution, or that there is none."""
        session = self._session
        self.chain_chart.show(session.snapshots)
        if session.snapshot:
            self.measures.show(session.snapshot)
            self.show_classes()
        else:
            self.measures.clear()
            self.table.clear()
            self.draw_panel.show(session.row, session.counts, session.samplers.tau)

    def show_classes(self) -> None:
        """Show what depends on the draws or on the current class, if there is a distribution."""
        session = self._session
        if session.snapshot is None:
            return
        indices = self.curve_indices
        colors = dict(zip(indices, class_colors(len(indices)), strict=True))
        counts = session.counts if session.counts.total else None
        comparison = session.comparison
        ghost = comparison.ghost if comparison and comparison.is_possible else None
        self.table.show(session.snapshots, session.listing, colors, counts, ghost)
        self.curve_chart.show(session.snapshot.tau)
        self.draw_panel.show(session.row, session.counts, session.snapshot.tau)

    def show_title(self) -> None:
        """Show which classes are listed, and in which order."""
        session = self._session
        title = "distribution" if session.row.block.partial is None else "listed alternatives"
        if session.state.filter:
            title += f", {len(session.listing)} with {shortened(repr(session.state.filter), 20)}"
        self.table.show_title(title + ", in input order" * session.state.input_order)

    @property
    def curve_indices(self) -> list[int]:
        """The classes that have a curve: the most probable ones and the current one."""
        first = self._session.row.order[:CURVE_COUNT].tolist()
        current = self.table.current
        return first if current is None or current in first else [*first, current]

    @property
    def has_all_curves(self) -> bool:
        """Whether the curves on the screen are those of the classes that have one."""
        return self.curves is not None and set(self.curve_indices) == set(self.curves.indices)

    def show_curves(self, curves: TemperatureCurves) -> None:
        """Show curves of the session's row."""
        self.curves = curves
        self.measures.show_curves(curves)
        self.curve_chart.show_curves(self._session.row, curves)

    def explanations(self, columns: int) -> dict[str, str]:
        """Return the meanings of the measures and marks on a screen with some columns."""
        names = (*SHOWN_MEASURES, *self._session.distances)
        return {name: explanation(name) for name in names} | self.table.marks.entries(columns - _LONGEST_MARK)
