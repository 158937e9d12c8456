"""The options for output: the format, what records hold, and what a terminal shows.

Each option that has an effect on some formats only says so with `OnlyIn`. `chosen_format` reads these: a display
option implies the format table unless a format is chosen, and any other option without effect is an error.
"""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import Field, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tsoft.errors import UsageError
from tsoft.options.command import in_panel, option_name

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.options.result import Result

RecordFormat = Literal["table", "tsv", "csv", "json", "jsonl"]
OutputFormat = Literal[RecordFormat, "npy", "npz"]
TEXT_FORMATS = ("tsv", "csv", "json", "jsonl")
ARRAY_FORMATS = ("npy", "npz")

Mean = Annotated[
    bool, typer.Option("--mean", help="Print the mean and the standard deviation of each measure over the rows.")
]

_output, _display = in_panel("Output"), in_panel("Table and chart")


class OnlyIn:
    """The forms of output in which an option has an effect: formats, or `long` for tsv and csv with --long."""

    def __init__(self, *forms: str):
        self.forms = frozenset(forms)

    def __str__(self) -> str:
        names = ("table", "tsv", "csv", "json", "jsonl", "npy", "npz", "long")
        words = ["--long" if name == "long" else name for name in names if name in self.forms]
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


class Displayed(OnlyIn):
    """An option of what a terminal shows, which may have an effect on further forms: it implies the table."""

    def __init__(self, *further: str):
        super().__init__("table", *further)


def format_option(formats: str, default: str = "table on a terminal, tsv in a pipe") -> Any:
    """The option --format of a command, whose help lists these formats and names this default."""
    return _output("--format", "-f", metavar="FORMAT", show_default=default, help=f"Format of the output: {formats}.")


@dataclass(frozen=True, eq=False, repr=False)
class OutputOptions:
    """Where the result goes, and its format: one of all formats."""

    format: Annotated[OutputFormat | None, format_option("table, tsv, csv, json, jsonl, npy or npz")] = None
    output: Annotated[
        str | None,
        _output(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to FILE, in the format of its ending. After an error, FILE is unchanged.",
        ),
    ] = None
    digits: Annotated[
        int | None,
        _output(
            min=1, max=17, metavar="N", show_default="enough to read back the same number", help="Significant digits."
        ),
        OnlyIn("table", *TEXT_FORMATS),
    ] = None


@dataclass(frozen=True, eq=False, repr=False)
class RecordOutputOptions(OutputOptions):
    """The same for a result that is no array of distributions."""

    format: Annotated[RecordFormat | None, format_option("table, tsv, csv, json or jsonl")] = None


@dataclass(frozen=True, eq=False, repr=False)
class ContentOptions:
    """What the records of distributions hold."""

    log: Annotated[bool, _output("--log", help="Print natural logarithms of the probabilities; json has both.")] = False
    long: Annotated[
        bool, _output("--long", help="tsv, csv: print one class per line, most probable first."), OnlyIn("tsv", "csv")
    ] = False
    with_logits: Annotated[
        bool, _output("--with-logits", help="json, jsonl: add the logits."), OnlyIn("json", "jsonl")
    ] = False


@dataclass(frozen=True, eq=False, repr=False)
class BitsOptions:
    bits: Annotated[
        bool,
        _output("--bits", help="Show the entropy in bits instead of nats."),
        OnlyIn("table", "json", "jsonl", "measures"),
    ] = False


def show_option(default: str) -> Any:
    """The option --show of a command, whose help names this default."""
    return _display(
        "--show", min=1, metavar="N", show_default=default, help="Show only the N most probable classes of a row."
    )


@dataclass(frozen=True, eq=False, repr=False)
class DisplayOptions:
    """Which classes and rows a terminal shows."""

    show: Annotated[int | None, show_option("20"), Displayed()] = None
    sort: Annotated[bool, _display("--sort", help="Sort the classes by probability."), Displayed()] = False
    rows: Annotated[int, _display(min=1, metavar="N", help="Number of input rows to show."), Displayed()] = 3


@dataclass(frozen=True, eq=False, repr=False)
class LongDisplayOptions(DisplayOptions):
    """The same for a command that has --long, too."""

    show: Annotated[int | None, show_option("20 in a table, all with --long"), Displayed("long")] = None


@dataclass(frozen=True, eq=False, repr=False)
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


@dataclass(frozen=True, eq=False, repr=False)
class DiagramOptions:
    chart: Annotated[
        bool | None,
        _display("--chart/--no-chart", show_default="chart", help="Draw charts as well as the table."),
        Displayed(),
    ] = None


def chosen_format(
    output: OutputOptions,
    *bundles: Any,
    arrays: bool = False,
    default: str = "tsv",
    forms: Callable[[str], Iterable[str]] = lambda _: (),
) -> str:
    """The format of a result, after a check of every option in the bundles that is not at its default.

    A command whose result is an array of distributions has `arrays` too; `default` is the format in a pipe; `forms`
    gives the further forms that a format has here. Raises UsageError for an option without effect.
    """
    limited = [
        (option_name(field), marker)
        for field in typed_fields(output, *bundles)
        for marker in getattr(field.type, "__metadata__", ())
        if isinstance(marker, OnlyIn)
    ]
    format = _named_format(output)
    if format is None:
        format = "table" if output.output is None and _is_terminal(sys.stdout) else default
        if any(isinstance(only, Displayed) and only.forms.isdisjoint((format, *forms(format))) for _, only in limited):
            format = "table"
    for option, only in limited:
        if only.forms.isdisjoint((format, *forms(format))):
            raise UsageError(f"{option} has no effect on {format}; it is for {only}")
    if format in ARRAY_FORMATS:
        _check_array(format, output, arrays)
    return format


def typed_fields(*bundles: Any) -> "list[Field[Any]]":
    """The options of the bundles that are not at their defaults."""
    return [field for bundle in bundles for field in fields(bundle) if getattr(bundle, field.name) != field.default]


def refuse(command: str, *bundles: Any) -> None:
    """Raises UsageError for an option of the bundles, which the command has no use for."""
    for field in typed_fields(*bundles):
        raise UsageError(f"{option_name(field)} has no effect on {command}")


def _named_format(output: OutputOptions) -> str | None:
    """The format that was chosen: by --format, or by the ending of the file's name."""
    from tsoft.input.formats import by_name

    if output.output == "":
        raise UsageError("--output needs a file's name")
    if output.format is not None or output.output is None:
        return output.format
    known = by_name(output.output)
    ending = os.path.splitext(output.output)[1]
    if known is None and ending and not os.path.exists(output.output):
        names = ", ".join(("table", *TEXT_FORMATS, *ARRAY_FORMATS))
        raise UsageError(f"{output.output}: its ending {ending} tells no format; --format names one of {names}")
    return known.name if known and known.name in (*TEXT_FORMATS, *ARRAY_FORMATS) else None


def _check_array(format: str, output: OutputOptions, arrays: bool) -> None:
    if not arrays:
        raise UsageError(f"{format} holds distributions, as compute and sweep give them, and not this result")
    if output.output is None and _is_terminal(sys.stdout):
        raise UsageError(f"{format} is not for a terminal: name a file with -o, or pipe it on")


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()


def is_watched(output: OutputOptions) -> bool:
    """Whether progress on stderr is seen, and does not stand among the result."""
    return _is_terminal(sys.stderr) and not (output.output is None and _is_terminal(sys.stdout))


def view(
    output: OutputOptions, display: DisplayOptions | None = None, *, bits: bool = False, log: bool = False
) -> "View":
    """How a person wants to look at a result."""
    from tsoft.charts.view import Screen, View

    display = display or DisplayOptions()
    return View(Screen.of_stdout(), display.show or 20, display.sort, bits, output.digits, log)


def encoding(format: str, output: OutputOptions) -> str:
    """What a result is encoded in: a terminal may not take UTF-8."""
    to_stdout = format == "table" and output.output is None and sys.stdout is not None
    return sys.stdout.encoding if to_stdout else "utf-8"


def write(result: "Result", format: str, output: OutputOptions, view: "Callable[[], View]") -> None:
    """Writes a result in a format, piece by piece as it comes. `view` is asked for where it is drawn.

    Raises UsageError where a sampler that was typed removes every class.
    """
    from tsoft.output import records
    from tsoft.output.file import open_output
    from tsoft.output.number_format import NumberFormat
    from tsoft.sampling.step import AllRemovedError

    with open_output(output.output, encoding(format, output)) as out:
        try:
            if format != "table":
                for piece in records.write(result, format, NumberFormat(output.digits)):
                    out(piece)
                return
            shown = view()
            for piece in result.render(shown):
                out(piece)
            # What is explained is known only when everything is drawn.
            out(shown.draw_legend())
        except AllRemovedError as error:
            raise UsageError(str(error)) from None
