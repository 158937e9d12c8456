"""Export of a snapshot to a file, and the explanation of its chain as text."""

import os
from collections.abc import Callable

from tsoft.errors import TsoftError
from tsoft.explorer.snapshot import Snapshot
from tsoft.input.formats import by_name
from tsoft.output.distribution_records import Content, DistributionRecords
from tsoft.output.file import open_output
from tsoft.output.number_format import NumberFormat
from tsoft.output.records import write as write_records


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


def write(name: str, snapshot: Snapshot, screenshot: Callable[[], str], *, bits: bool) -> str | None:
    """Write a snapshot, or a screenshot of the app, to a file, completely or not at all.

    Return None on success, and otherwise an error message.
    """
    format = by_name(name)
    try:
        if os.path.exists(name) and not os.path.isfile(name):
            return f"{name}: not a regular file"
        if name.lower().endswith(".svg"):
            with open_output(name) as out:
                out(screenshot())
        elif format and format.name in ("json", "csv"):
            records = DistributionRecords([snapshot.distributions], Content(bits=bits))
            with open_output(name) as out:
                for text in write_records(records, format.name, NumberFormat()):
                    out(text)
        else:
            return f"{name}: cannot tell the format; use a name that ends in .json, .csv, or .svg"
    except (TsoftError, ValueError) as error:
        # A name that contains NUL raises ValueError.
        return str(error)
    return None
