"""Export of a snapshot to a file, and the explanation of its chain as text."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from tsoft.errors import TsoftError
from tsoft.explorer.dialogs import alternatives
from tsoft.explorer.saved_state import ENDING, SavedState
from tsoft.explorer.snapshot import Snapshot
from tsoft.input.formats import by_name
from tsoft.output.distribution_records import Content, DistributionRecords
from tsoft.output.file import open_output
from tsoft.output.number_format import NumberFormat
from tsoft.output.records import write as write_records

# The endings of the names of exported files, the proposed one first.
ENDINGS = (".json", ".csv", ".svg", ENDING)


def explanation(snapshot: Snapshot, width: int, bits: bool) -> str:
    """Return the chain step by step, as text."""
    from tsoft.charts import chain_report
    from tsoft.charts.style import wrapped
    from tsoft.charts.view import Screen, View

    assert snapshot.chain
    view = View(Screen(width, True), bits=bits)
    engine = snapshot.chain.engine
    low_tau_message = engine.low_tau_message(snapshot.tau) if engine else None
    notes = [wrapped(f"{engine.name} {low_tau_message}.", width)] if engine and low_tau_message else []
    results = [snapshot.distributions]
    report = [chain_report.sampler_order(results, view), *notes, *chain_report.step_tables(results, view)]
    # The legend explains the columns that were drawn, so it comes last.
    return "\n".join(report) + view.draw_legend()


@dataclass(frozen=True)
class Exports:
    """What a file can contain: a snapshot's numbers, a screenshot of the app, or the whole state.

    The snapshot is None if a sampler removes every class.
    """

    snapshot: Snapshot | None
    screenshot: Callable[[], str]
    saved_state: Callable[[], SavedState]
    bits: bool


def write(name: str, exports: Exports) -> str | None:
    """Write a file in the format of its ending, completely or not at all.

    Return None on success, and otherwise an error message.
    """
    format = by_name(name)
    try:
        if os.path.exists(name) and not os.path.isfile(name):
            return f"{name}: not a regular file"
        if name.lower().endswith(".svg"):
            with open_output(name) as out:
                out(exports.screenshot())
        elif name.lower().endswith(ENDING):
            state = exports.saved_state().text()
            with open_output(name) as out:
                out(state)
        elif exports.snapshot is None:
            return "A sampler removes every class, so there are no numbers to export."
        elif format and format.name in ("json", "csv"):
            records = DistributionRecords([exports.snapshot.distributions], Content(bits=exports.bits))
            with open_output(name) as out:
                for text in write_records(records, format.name, NumberFormat()):
                    out(text)
        else:
            return f"{name}: cannot tell the format; use a name that ends in {alternatives(ENDINGS)}"
    except (TsoftError, ValueError) as error:
        # A name that contains NUL raises ValueError.
        return str(error)
    return None
