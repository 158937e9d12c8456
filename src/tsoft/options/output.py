"""The options for output: the format, the content of records, and the display on a terminal.

`OnlyIn` marks an option that has an effect on some formats only. `chosen_formats` reads these marks.
"""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeVar

import typer

from tsoft.errors import UsageError, joined
from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel

if TYPE_CHECKING:
    from tsoft.figures.canvas import Paper

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
