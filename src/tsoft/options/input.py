"""The options for the input: its source, its format, and the kind of its numbers."""

from typing import Annotated, Any, Literal

import typer

from tsoft.errors import UsageError
from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel

InputFormat = Literal[
    "text",
    "tsv",
    "csv",
    "printed",
    "response",
    "json",
    "jsonl",
    "npy",
    "torch",
    "npz",
    "safetensors",
    "parquet",
    "arrow",
    "kld",
]

_option = in_panel("Input")


@bundle
class FileOption:
    """The files to read."""

    inputs: Annotated[
        list[str] | None,
        _option(
            "--input",
            "-i",
            metavar="FILE",
            help="Read logits from FILE, from all files of a folder, or from those that match a pattern in quotes, such"
            " as 'logits/*.npy'; - is stdin. Can be repeated.",
        ),
    ] = None

    @property
    def file(self) -> str | None:
        """The only file, for a command that reads one; None without --input. Raise UsageError for several files."""
        if self.inputs is None:
            return None
        if len(self.inputs) > 1:
            raise UsageError("--input is repeated, but this command reads one file; pass one")
        return self.inputs[0]

    @property
    def has_stdin(self) -> bool:
        """Whether stdin is one of the files."""
        return self.inputs is None or "-" in self.inputs


@bundle
class ReadingOptions:
    """How to read a file: its format, and the kind of its numbers."""

    input_format: Annotated[
        InputFormat | None,
        _option(
            metavar="FORMAT",
            show_default="detected from the file name or the content",
            help=(
                "Format of the input: text, tsv, csv, json, jsonl, npy, npz, safetensors, torch, parquet, arrow, kld"
                " (logits of llama.cpp), printed (by Python), or response (of an API)."
            ),
        ),
    ] = None
    max_line: Annotated[
        int | None,
        _option(
            "--max-line",
            min=1,
            metavar="MB",
            show_default="256",
            help="Longest line of a text, in MB. A JSON document may be four times as long.",
        ),
    ] = None
    key: Annotated[
        str | None,
        _option(
            "--key",
            metavar="NAME",
            show_default="logits, probs, logprobs, log_probs or energies, or the only array",
            help="Name of the array to read from a file that contains several, or of a column of lists or structures.",
        ),
    ] = None
    labels: Annotated[
        str | None,
        _option(
            metavar="A,B,…|@FILE",
            help="Class names: a list, or @FILE with one name per line, a JSON array, a JSON object {token: id}, or a"
            " tokenizer.json.",
        ),
    ] = None
    columns: Annotated[
        str | None,
        _option(
            "--columns",
            metavar="A,B,…",
            show_default="all except row ids and targets",
            help="Columns of a table that are logits, such as cat,dog or 'logit_*'. tsoft ignores the others.",
        ),
    ] = None
    id_column: Annotated[
        str | None,
        _option(
            "--id-column",
            metavar="NAME",
            show_default="a column such as id, image_id or index, if its values are text or consecutive integers",
            help="Column of a table with the row ids. The output has them, too.",
        ),
    ] = None
    energies: Annotated[
        bool, _option("--energies", help="The numbers are energies: logit = -energy, and inf masks a class.")
    ] = False
    probs: Annotated[bool, _option("--probs", help="The numbers are probabilities.")] = False
    logprobs: Annotated[bool, _option("--logprobs", help="The numbers are log-probabilities.")] = False


@bundle
class SourceOptions(ReadingOptions, FileOption):
    """The file to read, its format, and the kind of its numbers."""


@bundle
class ServerOptions:
    """The temperature of an API response."""

    applied_tau: Annotated[
        float | None,
        _option(
            "--applied-tau",
            metavar="τ",
            show_default="1",
            help="For an API response: the temperature that the server applied. tsoft undoes it.",
        ),
    ] = None


def logits_argument(without: str) -> Any:
    """Return the argument for logits. `without` is a sentence about a command line without logits."""
    return typer.Argument(
        metavar="[LOGITS]...",
        show_default=False,
        help=f"Numbers, such as 2 -1 0.5, or LABEL=NUMBER; -inf masks a class. {without}",
    )


def array_key_option(name: str, file: str) -> Any:
    """Return the option that names the array of the logits in another file than that of --input."""
    return _option(
        name,
        metavar="NAME",
        show_default="the array named by --key if the file has one, otherwise chosen as for --key",
        help=f"Name of the array to read from {file}.",
    )


@bundle
class TypedLogits:
    """Logits that are arguments."""

    logits: Annotated[list[str] | None, logits_argument("Without logits, tsoft reads stdin.")] = None


@bundle
class LogitsOptions(ServerOptions, TypedLogits, SourceOptions):
    """Logits from a file or from the arguments, and the temperature of an API response."""


@bundle
class TargetFieldOptions:
    """Where the input has the true classes, and the rows to leave out."""

    target_column: Annotated[
        str | None,
        _option(
            "--target-column",
            metavar="NAME",
            show_default="target, label, y or class",
            help="Column of a table with the true class of each row.",
        ),
    ] = None
    targets_key: Annotated[
        str | None,
        _option(
            "--targets-key",
            metavar="NAME",
            show_default="targets, or labels if these are integers",
            help="Name of the array of true classes in a file with several arrays.",
        ),
    ] = None
    ignore_index: Annotated[
        int | None,
        _option("--ignore-index", metavar="N", help="Leave out the rows whose true class is N, such as -100."),
    ] = None


@bundle
class ListedOptions:
    """Whether an API response counts as the whole distribution."""

    listed_only: Annotated[
        bool,
        _option(
            "--listed-only",
            help="For an API response: treat the listed tokens as the whole distribution.",
        ),
    ] = False


@bundle
class BoundsOptions(ListedOptions):
    """What is assumed about the tokens that an API response does not list: their number, or that there are none."""

    vocab_size: Annotated[
        int | None,
        _option(
            "--vocab-size",
            min=1,
            metavar="N",
            help="For an API response: the size of the model's vocabulary, for tighter bounds on the unlisted tokens.",
        ),
    ] = None


@bundle
class EnergyOptions:
    """The units and degeneracies of energies."""

    units: Annotated[
        Literal["eV", "kJ/mol", "kcal/mol", "cm-1", "K"] | None,
        _option(
            "--units",
            metavar="UNIT",
            help="Unit of the energies: eV, kJ/mol, kcal/mol, cm-1 or K. τ is then in kelvin; otherwise, τ is kT.",
        ),
    ] = None
    degeneracy: Annotated[
        str | None,
        _option("--degeneracy", metavar="G,…", help="With --energies: number of states of each class, such as 1,3,5."),
    ] = None
