"""What is seen, for elsewhere: as a file, and as an explanation in words."""

import os
from typing import TYPE_CHECKING

from tsoft.errors import TsoftError
from tsoft.explorer.snapshot import Seen
from tsoft.input.formats import by_name
from tsoft.output.distribution_records import Content, DistributionRecords
from tsoft.output.file import open_output
from tsoft.output.number_format import NumberFormat
from tsoft.output.records import write as write_records

if TYPE_CHECKING:
    from textual.app import App


def explanation(seen: Seen, width: int, bits: bool) -> str:
    """The chain, step by step."""
    from tsoft.charts import chain_report
    from tsoft.charts.style import wrapped
    from tsoft.charts.view import Screen, View

    if seen.chain is None:
        return "No sampler is on: the temperature alone makes this distribution.\n"
    view = View(Screen(width, True), bits=bits)
    engine = seen.chain.engine
    cold = engine.when_cold(seen.tau) if engine else None
    said = [wrapped(f"{engine.name} {cold}.", width)] if engine and cold else []
    order, steps = chain_report.sampler_order([seen.result], view), chain_report.step_tables([seen.result], view)
    return "\n".join([order, *said, *steps])


def write(app: "App[None]", seen: Seen, name: str, bits: bool) -> str | None:
    """Writes what is seen to a file, whole or not at all; what is wrong, where something is."""
    told = by_name(name)
    try:
        if os.path.exists(name) and not os.path.isfile(name):
            return f"{name}: it is no file"
        if name.lower().endswith(".svg"):
            with open_output(name) as out:
                out(app.export_screenshot(title=app.title))
        elif told and told.name in ("json", "csv"):
            with open_output(name) as out:
                for text in write_records(
                    DistributionRecords([seen.result], Content(bits=bits)), told.name, NumberFormat()
                ):
                    out(text)
        else:
            return f"{name}: its ending is none of .json, .csv and .svg"
    except (TsoftError, ValueError) as error:
        # No file's name has a NUL.
        return str(error)
    return None
