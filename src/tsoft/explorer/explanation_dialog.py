"""The dialog with the arithmetic of a class and the chain step by step."""

from collections.abc import Sequence

from rich.text import Text

from tsoft.explorer.arithmetic import arithmetic
from tsoft.explorer.dialogs import TextDialog, box_width
from tsoft.explorer.snapshot import Snapshot

# The columns of the frame and of the scroll bar, and the minimum width of the text.
_FRAME, _MIN_WIDTH = 6, 20


class ExplanationDialog(TextDialog):
    """The arithmetic of the class at `index`, then the chain of each snapshot, on a screen with some columns."""

    def __init__(self, snapshots: Sequence[Snapshot], index: int, columns: int, *, bits: bool):
        width = max(_MIN_WIDTH, box_width(columns) - _FRAME)
        parts = [arithmetic(snapshots[0], index, width)]
        if snapshots[0].chain is not None:
            parts.append(_chain_text(snapshots, width, bits))
        super().__init__("the arithmetic", Text.from_ansi("\n".join(parts).rstrip("\n")))


def _chain_text(snapshots: Sequence[Snapshot], width: int, bits: bool) -> str:
    """Return the chain of each snapshot step by step, and the differences between two engines, as text."""
    from tsoft.charts import chain_report
    from tsoft.charts.view import Screen, View

    view = View(Screen(width, True), bits=bits)
    results = [snapshot.distributions for snapshot in snapshots]
    notes = "".join(_low_tau_note(snapshot, width) for snapshot in snapshots)
    report = [chain_report.sampler_order(results, view), *[notes] * bool(notes)]
    report += chain_report.step_tables(results, view)
    if len(results) > 1:
        report.append(chain_report.comparison(results, view))
    # The legend explains the columns that were drawn, so it comes last.
    return "\n".join(report) + view.draw_legend()


def _low_tau_note(snapshot: Snapshot, width: int) -> str:
    from tsoft.charts.style import wrapped

    engine = snapshot.chain.engine if snapshot.chain else None
    message = engine.low_tau_message(snapshot.tau) if engine else None
    return wrapped(f"{engine.name} {message}.", width) if engine and message else ""
