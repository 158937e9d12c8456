"""Writing a result in a format: as records, as a table, as a figure or as a page."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tsoft.errors import UsageError
from tsoft.notes import are_collected
from tsoft.options.chosen_formats import is_terminal
from tsoft.options.output import FIGURE_FORMATS, PAGE_FORMAT, ClassDisplayOptions, FigureOptions, OutputOptions

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Paper
    from tsoft.options.result import Result


def is_watched(output: OutputOptions) -> bool:
    """Return whether to show progress: stderr is a terminal on which the result does not appear, too."""
    if are_collected():
        return False
    return is_terminal(sys.stderr) and not (output.file in (None, "-") and is_terminal(sys.stdout))


def view(
    output: OutputOptions, display: ClassDisplayOptions | None = None, *, bits: bool = False, log: bool = False
) -> "View":
    """Return how to show a result on the terminal, or in a file, where colors would be control characters."""
    from tsoft.charts.view import Screen, View

    display = display or ClassDisplayOptions()
    screen = Screen.of_stdout()
    if output.file not in (None, "-") and not os.environ.get("FORCE_COLOR"):
        screen = replace(screen, color=False)
    return View(screen, display.show or 20, display.sort, bits, output.digits, log)


def encoding(format: str, output: OutputOptions) -> str:
    """Return the encoding of a result: UTF-8, except that a table on stdout uses the encoding of stdout."""
    to_stdout = format == "table" and output.file is None and sys.stdout is not None
    return sys.stdout.encoding if to_stdout else "utf-8"


def write(
    result: "Result",
    format: str,
    output: OutputOptions,
    view: "Callable[[], View]",
    figure: FigureOptions = FigureOptions(),  # noqa: B008
) -> None:
    """Write a result in a format, piece by piece. `view` is called only for a table, a figure or a page.

    Raise UsageError if a sampler removes every class.
    """
    from tsoft.output import records
    from tsoft.output.file import open_output
    from tsoft.output.number_format import NumberFormat
    from tsoft.sampling.step import ChainError

    paper = figure.paper if format in FIGURE_FORMATS else None
    with open_output(output.file, encoding(format, output)) as out:
        try:
            if paper is not None:
                out(drawn(result, format, paper, view(), figure.note))
                return
            if format == PAGE_FORMAT:
                for piece in paged(result, figure.title, view()):
                    out(piece)
                return
            if format != "table":
                out.lines(records.write(result, format, NumberFormat(output.digits)))
                return
            shown = view()
            for piece in result.render(shown):
                out(piece)
            # The legend explains what was drawn, so it comes last.
            out(shown.draw_legend())
        except ChainError as error:
            raise UsageError(error.with_fix) from None


def drawn(result: "Result", format: str, paper: "Paper", view: "View", note: Callable[[str], None]) -> bytes:
    """Return the figure of a result in a format. `note` is called with what it does not show."""
    from tsoft.figures.canvas import canvas, encoded

    with canvas(paper, note) as page:
        result.draw(page, view)
        return encoded(page, format)


def paged(result: "Result", title: str, view: "View") -> Iterator[str]:
    """Yield the page of a result, with this title if it is not empty, in pieces."""
    from tsoft.output.text_page import page_html

    page = result.page(view)
    return page_html(replace(page, title=title or page.title))
