"""The options for logits: where they come from, and what the numbers are."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from tsoft.options.command import in_panel

InputFormat = Literal["text", "tsv", "csv", "response", "json", "jsonl", "npy", "npz"]

_option = in_panel("Input")


# Every command reads these classes, and each method of a dataclass that is not needed costs its start.
@dataclass(frozen=True, eq=False, repr=False)
class SourceOptions:
    """A file that logits come from, and what the numbers in it are."""

    file: Annotated[
        str | None, _option("--input", "-i", metavar="FILE", help="Read logits from FILE (- is stdin).")
    ] = None
    input_format: Annotated[
        InputFormat | None,
        _option(
            metavar="FORMAT",
            help="text, tsv, csv, response, json, jsonl, npy or npz, where the input's name and content do not tell.",
        ),
    ] = None
    key: Annotated[
        str | None,
        _option("--key", metavar="NAME", help="The array of an .npz that is read, by default logits or probs."),
    ] = None
    labels: Annotated[
        str | None,
        _option(
            metavar="A,B,…|@FILE",
            help="The classes' names, or a file of them: one a line, a JSON array, or a JSON object {token: id}.",
        ),
    ] = None
    energies: Annotated[bool, _option("--energies", help="The numbers are energies: logit = -E, +inf masks.")] = False
    probs: Annotated[bool, _option("--probs", help="The numbers are probabilities.")] = False
    logprobs: Annotated[bool, _option("--logprobs", help="The numbers are log-probabilities.")] = False


@dataclass(frozen=True, eq=False, repr=False)
class LogitsOptions(SourceOptions):
    """Where logits come from: a file, or what was typed; and what is known of a response."""

    logits: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LOGITS]...",
            show_default=False,
            help="Numbers, negative ones too, or LABEL=NUMBER; -inf masks a class. Without any, stdin is read.",
        ),
    ] = None
    vocab_size: Annotated[
        int | None,
        _option(
            "--vocab-size",
            min=1,
            metavar="V",
            help="An API response: its model has V tokens, which bounds what the response leaves out.",
        ),
    ] = None
    applied_tau: Annotated[
        float | None,
        _option("--applied-tau", metavar="τ", help="An API response: its probabilities are those at τ, not at 1."),
    ] = None


@dataclass(frozen=True, eq=False, repr=False)
class EnergyOptions:
    """What is known of energies besides their numbers."""

    units: Annotated[
        Literal["eV", "kJ/mol", "kcal/mol", "cm-1", "K"] | None,
        _option(
            "--units",
            metavar="UNIT",
            help="The energies are in eV, kJ/mol, kcal/mol, cm-1 or K, and τ is in kelvin; by default τ is kT.",
        ),
    ] = None
    degeneracy: Annotated[
        str | None, _option("--degeneracy", metavar="G,…", help="How many states each energy has, as 1,3,5.")
    ] = None
