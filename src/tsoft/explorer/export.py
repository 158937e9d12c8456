"""Export of snapshots, of a screenshot or of the whole state to a file."""

import os
from collections.abc import Callable

from tsoft.errors import TsoftError, joined
from tsoft.explorer.saved_state import ENDING
from tsoft.explorer.session import Session
from tsoft.input.formats import by_name
from tsoft.output.distribution_records import Content, DistributionRecords
from tsoft.output.file import open_output
from tsoft.output.number_format import NumberFormat
from tsoft.output.records import write as write_records

# The endings of the names of exported files, the proposed one first.
ENDINGS = (".json", ".csv", ".svg", ENDING)


def write(name: str, session: Session, screenshot: Callable[[], str]) -> str | None:
    """Write a file in the format of its ending, completely or not at all: the numbers of each engine, the whole state,
    or a screenshot.

    Return None on success, and otherwise an error message.
    """
    format = by_name(name)
    try:
        if os.path.exists(name) and not os.path.isfile(name):
            return f"{name}: not a regular file"
        if name.lower().endswith(".svg"):
            with open_output(name) as out:
                out(screenshot())
        elif name.lower().endswith(ENDING):
            state = session.saved_state().text()
            with open_output(name) as out:
                out(state)
        elif not session.snapshots:
            return f"there are no numbers to export: {session.problem}"
        elif format and format.name in ("json", "csv"):
            results = [snapshot.distributions for snapshot in session.snapshots]
            records = DistributionRecords(results, Content(bits=session.input.bits))
            with open_output(name) as out:
                for text in write_records(records, format.name, NumberFormat()):
                    out(text)
        else:
            return f"{name}: cannot tell the format; use a name that ends in {joined(ENDINGS, 'or')}"
    except (TsoftError, ValueError) as error:
        # A name that contains NUL raises ValueError.
        return str(error)
    return None
