"""The options that commands share, in bundles."""

from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any, Literal

import typer

from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU

InputFormat = Literal["text", "tsv", "csv", "response", "json", "jsonl", "npy", "npz"]
OutputFormat = Literal["table", "tsv", "csv", "json", "jsonl", "npy", "npz"]

_INPUT, _OUTPUT, _LOOK, _CHAIN = "LogitsOptions", "DistributionOptions", "Table and chart", "Samplers"


# Every command reads these, and each method of a dataclass that is not needed costs its start.
@dataclass(frozen=True, eq=False, repr=False)
class SourceOptions:
    """A file that logits come from, and what the numbers in it are."""

    file: Annotated[
        str | None,
        typer.Option(
            "--input", "-i", metavar="FILE", help="Read logits from FILE (- is stdin).", rich_help_panel=_INPUT
        ),
    ] = None
    input_format: Annotated[
        InputFormat | None,
        typer.Option(
            metavar="FORMAT",
            help="text, tsv, csv, response, json, jsonl, npy or npz, where the input's name and content do not tell.",
            rich_help_panel=_INPUT,
        ),
    ] = None
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="NAME",
            help="The array of an .npz that is read, by default logits or probs.",
            rich_help_panel=_INPUT,
        ),
    ] = None
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…|@FILE",
            help="The classes' names, or a file of them: one a line, a JSON array, or a JSON object {token: id}.",
            rich_help_panel=_INPUT,
        ),
    ] = None
    energies: Annotated[
        bool,
        typer.Option("--energies", help="The numbers are energies: logit = -E, +inf masks.", rich_help_panel=_INPUT),
    ] = False
    probs: Annotated[bool, typer.Option("--probs", help="The numbers are probabilities.", rich_help_panel=_INPUT)] = (
        False
    )
    logprobs: Annotated[
        bool, typer.Option("--logprobs", help="The numbers are log-probabilities.", rich_help_panel=_INPUT)
    ] = False


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
        typer.Option(
            "--vocab-size",
            min=1,
            metavar="V",
            help="An API response: its model has V tokens, which bounds what the response leaves out.",
            rich_help_panel=_INPUT,
        ),
    ] = None
    applied_tau: Annotated[
        float | None,
        typer.Option(
            "--applied-tau",
            metavar="τ",
            help="An API response: its probabilities are those at τ, not at 1.",
            rich_help_panel=_INPUT,
        ),
    ] = None


@dataclass(frozen=True, eq=False, repr=False)
class EnergyOptions:
    """What is known of energies besides their numbers."""

    units: Annotated[
        Literal["eV", "kJ/mol", "kcal/mol", "cm-1", "K"] | None,
        typer.Option(
            "--units",
            metavar="UNIT",
            help="The energies are in eV, kJ/mol, kcal/mol, cm-1 or K, and τ is in kelvin; by default τ is kT.",
            rich_help_panel=_INPUT,
        ),
    ] = None
    degeneracy: Annotated[
        str | None,
        typer.Option(
            "--degeneracy",
            metavar="G,…",
            help="How many states each energy has, as 1,3,5.",
            rich_help_panel=_INPUT,
        ),
    ] = None


@dataclass(frozen=True, eq=False, repr=False)
class TemperatureOptions:
    tau: Annotated[
        list[str] | None,
        typer.Option(
            "--tau",
            "-t",
            "--temperature",
            metavar="τ,…",
            help="Temperatures from 0 (argmax) to inf (uniform), by default 1, in a sweep a grid, in distill 1 to 16;"
            " may be given again; - reads stdin.",
        ),
    ] = None


# The samplers' knobs, an option each: but for the temperature, which may be a list.
_KNOBS = [
    (
        parameter.name,
        Annotated[
            list[str] | None if parameter is BIAS else float | None,
            typer.Option(parameter.option, metavar=parameter.metavar, help=parameter.help, rich_help_panel=_CHAIN),
        ],
        None,
    )
    for sampler in SAMPLERS.values()
    for parameter in sampler.parameters
    if parameter is not TAU
]
_Knobs: Any = make_dataclass("_Knobs", _KNOBS, frozen=True, repr=False)


class ParameterOptions(_Knobs):  # type: ignore[misc]
    """What the samplers are set to, by the knobs' names; None where they are not."""


def _engines(incomplete: str) -> list[str]:
    from tsoft.sampling.engines import ENGINES

    return [name for name in (*ENGINES, "all") if name.startswith(incomplete)]


@dataclass(frozen=True)
class SamplerOptions:
    """In which order samplers are applied, and by whose rules."""

    samplers: Annotated[
        str | None,
        typer.Option(
            "--samplers",
            metavar="NAME;…",
            help='Their order, as in "top_k;top_p;temperature"; by default transformers\'.',
            rich_help_panel=_CHAIN,
        ),
    ] = None
    like: Annotated[
        list[str] | None,
        typer.Option(
            "--like",
            metavar="ENGINE,…",
            help="The order and the rules of an engine, or of several side by side, or of all.",
            rich_help_panel=_CHAIN,
            autocompletion=_engines,
        ),
    ] = None
    settings: Annotated[
        str | None,
        typer.Option(
            "--settings",
            metavar="FILE",
            help="Knobs from a generation_config.json, a llama.cpp, vLLM or OpenAI request, or a llama.cpp response.",
            rich_help_panel=_CHAIN,
        ),
    ] = None


@dataclass(frozen=True, eq=False, repr=False)
class OutputOptions:
    """Where the result goes, and how it is written."""

    format: Annotated[
        OutputFormat | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="table, tsv, csv, json, jsonl; of distributions npy, npz; by default table on a terminal, else tsv.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to FILE, whole or not at all; its name tells the format.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None
    digits: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=17,
            metavar="N",
            help="Significant digits, by default all that reading back needs.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None


@dataclass(frozen=True, eq=False, repr=False)
class DistributionOptions(OutputOptions):
    """The same of distributions."""

    log: Annotated[
        bool,
        typer.Option("--log", help="Natural logarithms of the probabilities; json has both.", rich_help_panel=_OUTPUT),
    ] = False
    long: Annotated[
        bool,
        typer.Option("--long", help="tsv and csv: a class a line, most probable first.", rich_help_panel=_OUTPUT),
    ] = False
    with_logits: Annotated[
        bool, typer.Option("--with-logits", help="json: the logits too.", rich_help_panel=_OUTPUT)
    ] = False
    bits: Annotated[bool, typer.Option("--bits", help="Entropy in bits, not nats.", rich_help_panel=_OUTPUT)] = False


@dataclass(frozen=True, eq=False, repr=False)
class DisplayOptions:
    """What is seen of the result on a terminal."""

    show: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Of more than N classes the N most probable, by default 20 in a table and all in --long.",
            rich_help_panel=_LOOK,
        ),
    ] = None
    sort: Annotated[
        bool, typer.Option("--sort", help="Classes by probability, not as given.", rich_help_panel=_LOOK)
    ] = False
    rows: Annotated[int, typer.Option(min=1, metavar="N", help="Rows that get a table.", rich_help_panel=_LOOK)] = 3
    chart: Annotated[
        bool | None,
        typer.Option(
            "--chart/--no-chart",
            help="A bar chart under the table, by default where there are several τ.",
            rich_help_panel=_LOOK,
        ),
    ] = None


Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", min=0, metavar="N", help="The same seed gives the same result; by default a new one each time."
    ),
]
