"""The options for output: the format, the content of records, and the display on a terminal.

`OnlyIn` marks an option that has an effect on some formats only. `chosen_formats` reads these marks: a display option
implies the format table unless a format is chosen, and any other option without effect is an error.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import Field, fields, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeVar

import typer

from tsoft.errors import UsageError, joined
from tsoft.notes import are_collected
from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel, option_name

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Paper
    from tsoft.options.result import Result

T = TypeVar("T")

RecordFormat = Literal["table", "tsv", "csv", "json", "jsonl", "svg", "png", "pdf"]
ArrayFormat = Literal[
    "table", "tsv", "csv", "json", "jsonl", "npy", "npz", "parquet", "safetensors", "svg", "png", "pdf"
]
OutputFormat = Literal[ArrayFormat, "html"]
TEXT_FORMATS = ("tsv", "csv", "json", "jsonl")
ARRAY_FORMATS = ("npy", "npz", "parquet", "safetensors")
FIGURE_FORMATS = ("svg", "png", "pdf")
PAGE_FORMAT = "html"
# The formats that a terminal would show as noise.
BINARY_FORMATS = (*ARRAY_FORMATS, "png", "pdf")
# The formats that need an extra: its package and its name.
EXTRAS = {
    "parquet": ("pyarrow", "parquet"),
    "safetensors": ("safetensors", "arrays"),
    **dict.fromkeys(FIGURE_FORMATS, ("matplotlib", "figures")),
}

Mean = Annotated[
    bool, typer.Option("--mean", help="Average over the rows: the mean and the standard deviation of each measure.")
]

_output, _display, _figure = in_panel("Output"), in_panel("Table and chart"), in_panel("Figure")
# The sides of a figure, in inches.
_SMALLEST, _LARGEST = 1.0, 40.0


class OnlyIn:
    """The forms of output in which an option has an effect: formats, or `long` for tsv and csv with --long."""

    def __init__(self, *forms: str):
        self.forms = frozenset(forms)

    def __str__(self) -> str:
        """Return the options that choose one of these forms, for messages."""
        known = ("table", *TEXT_FORMATS, *ARRAY_FORMATS, *FIGURE_FORMATS, PAGE_FORMAT)
        formats = [name for name in known if name in self.forms]
        choices = f"--format {joined(formats, 'or')}"
        return f"--long, or {choices}" if "long" in self.forms else choices


class Displayed(OnlyIn):
    """The mark of a display option: it implies the table. It may also have an effect on further forms."""

    def __init__(self, *further: str):
        super().__init__("table", *further)


_digits = _output(
    "--digits",
    min=1,
    max=17,
    metavar="N",
    show_default="all digits; about 4 in a table",
    help="Number of significant digits.",
)


def format_option(formats: str, default: str = "table on a terminal, tsv in a pipe") -> Any:
    """Return the option --format, with these formats and this default in its help."""
    return _output("--format", "-f", metavar="FORMAT", show_default=default, help=f"Format of the output: {formats}.")


@bundle
class OutputOptions:
    """The destination, the format and the digits of a result."""

    format: Annotated[
        OutputFormat | None,
        format_option("table, tsv, csv, json, jsonl, npy, npz, parquet, safetensors, svg, png, pdf or html"),
    ] = None
    output: Annotated[
        list[str] | None,
        _output(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to FILE; its ending selects the format. After an error, FILE is unchanged. Can be repeated.",
        ),
    ] = None
    digits: Annotated[int | None, _digits, OnlyIn("table", *TEXT_FORMATS, PAGE_FORMAT)] = None
    # Whether the result can be written as a page.
    has_page: ClassVar[bool] = True

    @property
    def file(self) -> str | None:
        """The name of the only file; None for stdout."""
        return None if self.output is None else self.output[0]

    @property
    def destinations(self) -> list[Self]:
        """The options for each file. Raise UsageError for --format with several files, or a repeated file."""
        if self.output is None or len(self.output) == 1:
            return [self]
        if self.format is not None:
            raise UsageError("--format has no effect with several files; their endings select the formats")
        # The same file may have several names.
        places = ["-" if name == "-" else os.path.abspath(name) for name in self.output]
        if repeated := [name for i, name in enumerate(self.output) if places[i] in places[:i]]:
            raise UsageError(f"--output {repeated[0]} is repeated; pass each file once")
        return [replace(self, output=[name]) for name in self.output]


@bundle
class ArrayOutputOptions(OutputOptions):
    """The same for a result that cannot be written as a page."""

    format: Annotated[
        ArrayFormat | None,
        format_option("table, tsv, csv, json, jsonl, npy, npz, parquet, safetensors, svg, png or pdf"),
    ] = None
    digits: Annotated[int | None, _digits, OnlyIn("table", *TEXT_FORMATS)] = None
    has_page: ClassVar[bool] = False


@bundle
class RecordOutputOptions(ArrayOutputOptions):
    """The same for a result that cannot be written as an array, either."""

    format: Annotated[RecordFormat | None, format_option("table, tsv, csv, json, jsonl, svg, png or pdf")] = None


@bundle
class TextOutputOptions(OutputOptions):
    """The same for texts, which cannot be written as an array."""

    format: Annotated[
        Literal[RecordFormat, "html"] | None, format_option("table, tsv, csv, json, jsonl, svg, png, pdf or html")
    ] = None


@bundle
class ContentOptions:
    """The content of records of distributions."""

    log: Annotated[
        bool,
        _output("--log", help="Print natural logarithms of the probabilities. json has both."),
        OnlyIn("table", *TEXT_FORMATS, *ARRAY_FORMATS, PAGE_FORMAT),
    ] = False
    long: Annotated[
        bool,
        _output("--long", help="tsv and csv: print one class per line, most probable first."),
        OnlyIn("tsv", "csv"),
    ] = False
    with_logits: Annotated[
        bool, _output("--with-logits", help="json and jsonl: add the logits."), OnlyIn("json", "jsonl")
    ] = False


@bundle
class BitsOptions:
    bits: Annotated[
        bool,
        _output("--bits", help="Show the entropy in bits instead of nats."),
        OnlyIn("table", "json", "jsonl", "measures"),
    ] = False


def show_option(default: str) -> Any:
    """Return the option --show, with this default in its help."""
    return _display(
        "--show", min=1, metavar="N", show_default=default, help="Show only the N most probable classes of each row."
    )


_sort = _display(
    "--sort", help="Sort the classes by probability. If not all classes are shown, they are always sorted."
)


@bundle
class ClassDisplayOptions:
    """The selection and the order of the classes in a table."""

    show: Annotated[int | None, show_option("20"), Displayed(*FIGURE_FORMATS)] = None
    sort: Annotated[bool, _sort, Displayed(*FIGURE_FORMATS)] = False


@bundle
class DisplayOptions(ClassDisplayOptions):
    """The same, and the number of rows."""

    rows: Annotated[
        int, _display(min=1, metavar="N", help="Maximum number of input rows to show."), Displayed(*FIGURE_FORMATS)
    ] = 3


@bundle
class TableDisplayOptions(DisplayOptions):
    """The same for a command whose figure shows no classes."""

    show: Annotated[int | None, show_option("20"), Displayed()] = None
    sort: Annotated[bool, _sort, Displayed()] = False


@bundle
class LongDisplayOptions(DisplayOptions):
    """The same for a command that also has --long."""

    show: Annotated[int | None, show_option("20 in a table, all with --long"), Displayed("long", *FIGURE_FORMATS)] = (
        None
    )


@bundle
class SweepDisplayOptions(LongDisplayOptions):
    """The same for a command whose figure always shows the most probable classes first."""

    sort: Annotated[bool, _sort, Displayed()] = False


@bundle
class ResponseDisplayOptions(LongDisplayOptions):
    """The same for a command that also writes pages."""

    show: Annotated[
        int | None, show_option("20 in a table, all with --long"), Displayed("long", *FIGURE_FORMATS, PAGE_FORMAT)
    ] = None


def _title(help: str) -> Any:
    return _figure("--title", metavar="TEXT", show_default=False, help=help)


@bundle
class FigureOptions:
    """The look of a figure."""

    size: Annotated[
        str,
        _figure(
            "--size",
            metavar="WxH",
            show_default="6.4x4, higher for many rows or classes",
            help="Width and height in inches, such as 6.4x4.",
        ),
        OnlyIn(*FIGURE_FORMATS),
    ] = ""
    dpi: Annotated[
        int, _figure("--dpi", min=30, max=1200, metavar="N", help="Dots per inch of a png."), OnlyIn("png")
    ] = 150
    theme: Annotated[
        Literal["light", "dark", "paper"],
        _figure("--theme", metavar="THEME", help="Colors and text: light, dark, or paper, with smaller text."),
        OnlyIn(*FIGURE_FORMATS),
    ] = "light"
    title: Annotated[str, _title("Title of the figure."), OnlyIn(*FIGURE_FORMATS)] = ""

    @cached_property
    def note(self) -> Callable[[str], None]:
        """A function that prints a note, but the same note only once for several figures of one result."""
        from tsoft.notes import note

        return cache(note)

    def check_size(self) -> None:
        """Raise UsageError for a size that is not one, before a file exists."""
        self._inches()

    def _inches(self) -> tuple[float, float] | None:
        """The width and the height; None without --size. Raise UsageError for a size that is not one."""
        if not self.size:
            return None
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[x×]\s*(\d+(?:\.\d+)?)", self.size.strip())
        inches = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
        if not all(_SMALLEST <= side <= _LARGEST for side in inches):
            expected = f"width and height from {_SMALLEST:g} to {_LARGEST:g} inches, such as 6.4x4"
            raise UsageError(f"--size {self.size}: expected {expected}")
        return inches

    @property
    def paper(self) -> "Paper":
        """The paper for a figure. Raise UsageError for a size that is not one."""
        from tsoft.figures.canvas import Paper

        if (inches := self._inches()) is None:
            return Paper(dpi=self.dpi, theme=self.theme, title=self.title, grows=True)
        return Paper(inches, self.dpi, self.theme, self.title)


@bundle
class PageFigureOptions(FigureOptions):
    """The look of a figure or a page. A page follows the reader's preference for light or dark."""

    title: Annotated[str, _title("Title of the figure or the page."), OnlyIn(*FIGURE_FORMATS, PAGE_FORMAT)] = ""


@bundle
class ChartOptions:
    chart: Annotated[
        bool | None,
        _display(
            "--chart/--no-chart",
            show_default="only with several temperatures",
            help="Draw a bar chart below the table.",
        ),
        Displayed(),
    ] = None


@bundle
class DiagramOptions:
    chart: Annotated[
        bool | None,
        _display("--chart/--no-chart", show_default="chart", help="Draw charts as well as the table."),
        Displayed(),
    ] = None


def chosen_formats(
    output: OutputOptions,
    *bundles: Any,
    arrays: bool = False,
    default: str = "tsv",
    forms: Callable[[str], Iterable[str]] = lambda _: (),
) -> list[tuple[OutputOptions, str]]:
    """Return the options and the format for each file, or for stdout, in the order of writing, after a check of every
    option in the bundles that is not at its default.

    arrays: whether the result can be written as an array of distributions. default: the format in a pipe. forms:
    returns the further forms that a format has here. Raise UsageError for an option without effect on every format.
    """
    limited = [
        (option, marker)
        for option, metadata in _typed_options(output, *bundles)
        for marker in metadata
        if isinstance(marker, OnlyIn)
    ]
    chosen = [(file, _format(file, limited, arrays, default, forms)) for file in output.destinations]
    formats = [format for _, format in chosen]
    written = {form for format in formats for form in (format, *forms(format))}
    for option, mark in limited:
        if mark.forms.isdisjoint(written):
            raise UsageError(f"{option} has no effect on {' or '.join(formats)}; use {mark}")
    for file, format in chosen:
        _check_format(format, file, arrays)
    if not written.isdisjoint(FIGURE_FORMATS):
        for bundle in bundles:
            if isinstance(bundle, FigureOptions):
                bundle.check_size()
    # A page or an array may refuse a result that every other format accepts. No other file exists by then.
    return sorted(chosen, key=lambda each: (each[1] != PAGE_FORMAT, each[1] not in ARRAY_FORMATS))


def _format(
    output: OutputOptions,
    limited: list[tuple[str, OnlyIn]],
    arrays: bool,
    default: str,
    forms: Callable[[str], Iterable[str]],
) -> str:
    """Return the format of one file, or of stdout."""
    format = _named_format(output, arrays)
    if format is not None:
        return format
    format = "table" if output.file is None and _is_terminal(sys.stdout) else default
    is_shown = any(
        isinstance(mark, Displayed) and mark.forms.isdisjoint((format, *forms(format))) for _, mark in limited
    )
    return "table" if is_shown else format


def _check_format(format: str, output: OutputOptions, arrays: bool) -> None:
    """Raise UsageError for a format that the result or the destination does not permit, or that needs a package."""
    if format in ARRAY_FORMATS and not arrays:
        problem = f"{format} is for the distributions of compute and sweep"
        raise UsageError(f"{problem}; pass --format with one of {_format_names(output, arrays)}")
    if format == PAGE_FORMAT and not output.has_page:
        problem = "html is for the texts of generate and score, and of an API response in compute"
        raise UsageError(f"{problem}; pass --format with one of {_format_names(output, arrays)}")
    if format in BINARY_FORMATS:
        from tsoft.output.file import is_terminal

        if is_terminal(output.file):
            place = output.file if output.file not in (None, "-") else "stdout"
            problem = f"{format} is binary, and {place} is a terminal"
            raise UsageError(f"{problem}; write to a file, -o FILE.{format}, or to a pipe")
    if format in EXTRAS:
        from importlib.util import find_spec

        package, extra = EXTRAS[format]
        if find_spec(package) is None:
            raise UsageError(f"{format} needs {package}; run pip install 'tsoft[{extra}]'")


def kept_for(chosen: Sequence[Any], parts: Iterable[T]) -> Iterable[T]:
    """Return the parts of a result, in memory if they are written to several files."""
    return list(parts) if len(chosen) > 1 else parts


def typed_fields(*bundles: Any) -> "list[Field[Any]]":
    """Return the fields of the bundles that are not at their defaults."""
    return [field for bundle in bundles for field in fields(bundle) if getattr(bundle, field.name) != field.default]


def _typed_options(*bundles: Any) -> list[tuple[str, tuple[Any, ...]]]:
    """Return the options that are not at their defaults: each as it was typed, with the metadata of its type."""
    return [
        (option_name(field, getattr(bundle, field.name)), getattr(field.type, "__metadata__", ()))
        for bundle in bundles
        for field in typed_fields(bundle)
    ]


def refuse(command: str, *bundles: Any) -> None:
    """Raise UsageError if an option of the bundles was typed, because it has no effect on the command."""
    for option, _ in _typed_options(*bundles):
        raise UsageError(f"{option} has no effect on {command}; remove {option}")


def _named_format(output: OutputOptions, arrays: bool) -> str | None:
    """Return the format that --format or the ending of the output file chooses; None if neither does."""
    if output.file == "":
        raise UsageError("--output needs a file name")
    if output.format is not None or output.file is None:
        return output.format
    from tsoft.input.formats import by_name

    ending = os.path.splitext(output.file)[1]
    if ending[1:].lower() in (*FIGURE_FORMATS, PAGE_FORMAT):
        return ending[1:].lower()
    known = by_name(output.file)
    is_read_only = known is not None and known.name not in ("text", *TEXT_FORMATS, *ARRAY_FORMATS)
    if is_read_only or (known is None and ending and not os.path.exists(output.file)):
        problem = f"{output.file}: cannot tell the format from the ending {ending}"
        raise UsageError(f"{problem}; pass --format with one of {_format_names(output, arrays)}")
    return known.name if known and known.name in (*TEXT_FORMATS, *ARRAY_FORMATS) else None


def _format_names(output: OutputOptions, arrays: bool) -> str:
    pages = (PAGE_FORMAT,) if output.has_page else ()
    return ", ".join(("table", *TEXT_FORMATS, *(ARRAY_FORMATS if arrays else ()), *FIGURE_FORMATS, *pages))


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()


def is_watched(output: OutputOptions) -> bool:
    """Return whether to show progress: stderr is a terminal on which the result does not appear, too."""
    if are_collected():
        return False
    return _is_terminal(sys.stderr) and not (output.file in (None, "-") and _is_terminal(sys.stdout))


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
