"""From results to a terminal, a pipe or a file."""

import os
import sys
from collections.abc import Iterable

from tsoft.commands.options import Look, Output
from tsoft.core.block import Distributions
from tsoft.errors import UsageError
from tsoft.formats import FORMATS, OUTPUTS, by_name, stream
from tsoft.formats.write import Writing


def write(results: Iterable[Distributions], output: Output, look: Look) -> None:
    """Writes the results, each as soon as it is there, in the format that was asked for."""
    name = _format(output)
    if output.long and name not in ("tsv", "csv"):
        raise UsageError(f"--long is a form of tsv and csv, not of {name}")
    if output.with_logits and name not in ("json", "jsonl"):
        raise UsageError(f"--with-logits adds to json and jsonl records, not to {name}")
    if name == "table":
        encoding = sys.stdout.encoding if output.output is None and sys.stdout else "utf-8"
        with stream.writing(output.output, encoding) as out:
            _show(results, output, look, out)
        return
    with stream.writing(output.output) as out:
        writing = Writing(output.log, output.digits, output.long, look.show, output.with_logits, output.bits)
        for text in FORMATS[name].writer()(results, writing):
            out(text)


def _format(output: Output) -> str:
    """The result's format: as asked for, by the file's name, or by who will read it."""
    if output.output == "":
        raise UsageError("--output needs a file's name")
    if output.format is not None:
        return output.format
    if output.output is None:
        return "table" if sys.stdout is not None and sys.stdout.isatty() else "tsv"
    told = by_name(output.output)
    ending = os.path.splitext(output.output)[1]
    if told is None and ending and not os.path.exists(output.output):
        names = ", ".join(("table", *OUTPUTS))
        raise UsageError(f"{output.output}: its ending {ending} tells no format; --format names one of {names}")
    return told.name if told and told.writes else "tsv"


def _show(results: Iterable[Distributions], output: Output, look: Look, out: stream.Write) -> None:
    """Tables of the first rows, each on the screen before its chart is drawn, and how many rows
    there are besides."""
    from tsoft.render import table
    from tsoft.render.view import Screen, View

    view = View(Screen.of_stdout(), look.show or 20, look.sort, output.bits, output.digits, output.log)
    shown = total = 0
    for result in results:
        for row in range(len(result.block.logits)):
            total += 1
            if shown == look.rows:
                continue
            shown += 1
            title = f"row {result.block.rows[row]}\n" if len(result.block.rows) > 1 or shown > 1 else ""
            out(("" if shown == 1 else "\n") + title + table.draw(result, row, view))
            if look.chart or (look.chart is None and len(result.taus) > 1):
                from tsoft.render import chart

                out("\n" + chart.draw(result, row, view))
    if total > shown:
        rows = "row" if total - shown == 1 else "rows"
        out(f"\n… {total - shown} more {rows} (--rows N shows more)\n")
