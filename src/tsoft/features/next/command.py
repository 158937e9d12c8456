"""`tsoft next`: the distribution of the token after a prompt, by a language model."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import UsageError
from tsoft.options.bundle import bundle
from tsoft.options.chosen_formats import typed_fields
from tsoft.options.command import bundled
from tsoft.options.models import ModelOptions, PromptArgument
from tsoft.options.output import (
    ARRAY_FORMATS,
    FIGURE_FORMATS,
    ArrayFormat,
    ArrayOutputOptions,
    BitsOptions,
    ChartOptions,
    ClassDisplayOptions,
    Displayed,
    FigureOptions,
    format_option,
)
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.temperatures import TemperatureOptions

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.options.plan import Plan
    from tsoft.sampling.distributions import Distributions
    from tsoft.sampling.history import History


@bundle
class LogOptions:
    """The option for logarithms."""

    log: Annotated[
        bool,
        typer.Option("--log", help="Print natural logarithms of the probabilities.", rich_help_panel="Output"),
        Displayed(),
    ] = False


@bundle
class NextOutputOptions(ArrayOutputOptions):
    format: Annotated[
        ArrayFormat | None,
        format_option(
            "table, tsv, csv, json, jsonl, npy, npz, parquet, safetensors, svg, png or pdf",
            "table on a terminal, jsonl in a pipe",
        ),
    ] = None


@bundled
def next(
    prompt: PromptArgument,
    model: ModelOptions,
    temperatures: TemperatureOptions,
    parameters: ParameterOptions,
    samplers: SamplerOptions,
    output: NextOutputOptions,
    log: LogOptions,
    bits: BitsOptions,
    display: ClassDisplayOptions,
    charts: ChartOptions,
    figure: FigureOptions,
) -> None:
    """Get the logits of the next token from a language model.

    On a terminal, prints the table of tsoft compute, at the temperatures and
    with the samplers that you pass. In a pipe, prints the tokens and their
    logits as one JSON object, which all commands that take logits read. Pass
    temperatures and samplers to those commands, not to next.

    Examples:
      tsoft next "The capital of France is" --tau 0.5,1,2
      tsoft next "The capital of France is" | tsoft compute --top-p 0.9 --show 10
      tsoft next "Once upon a time" -o next.npz
      tsoft next "the cat sat on" --ngram book.txt
    """
    from functools import cache

    from tsoft.features.next.result import NextResult
    from tsoft.notes import note
    from tsoft.options import models
    from tsoft.options.chosen_formats import chosen_formats
    from tsoft.options.plan import make_plan
    from tsoft.options.writing import view, write

    # In a pipe, the default is an object, because numbers alone do not name the tokens.
    chosen = chosen_formats(output, log, display, charts, figure, arrays=True, default="jsonl")
    has_chain = bool(typed_fields(parameters, samplers))
    plain = [format for _, format in chosen if format not in ("table", *FIGURE_FORMATS)]
    if plain and (temperatures.tau is not None or has_chain or bits.bits):
        raise UsageError(
            f"in {plain[0]}, next writes the raw logits, so --tau, --bits and samplers have no effect; pass these"
            " to the tsoft compute that reads the output, or write a table or a figure"
        )
    if bits.bits and not any(format == "table" for _, format in chosen):
        raise UsageError("--bits has no effect on a figure of next; remove --bits")
    text = models.read_prompt(prompt.typed, model, temperatures.tau)
    with closing(models.open_model(model)) as opened_model:
        tokens = opened_model.prompt(text)
        [distribution] = opened_model.next([tokens])
        if distribution.caveat:
            note(distribution.caveat)
        plan = make_plan(samplers, parameters, temperatures.tau)
        history = models.text_history(opened_model, len(tokens), plan).before(distribution, tokens)
        shown = cache(lambda: _distributions(distribution.block, plan, history))
        for file, format in chosen:
            result = NextResult(text, opened_model.name, distribution, format, shown, charts.chart)
            if format in ARRAY_FORMATS:
                from tsoft.output.file import open_output

                with open_output(file.file) as out:
                    out(result.array())
            else:
                write(result, format, file, lambda: view(output, display, bits=bits.bits, log=log.log), figure)


def _distributions(block: "Block", plan: "Plan", history: "History") -> "list[Distributions]":
    """Return the distributions at the plan's temperatures after each of its chains. Print the notes about them."""
    from tsoft.options.response_notes import with_notes
    from tsoft.options.temperatures import parsed_temperatures

    taus = parsed_temperatures(plan.taus)
    [noted] = plan.noted(with_notes(iter([block])), taus, history)
    return plan.results(noted, taus, history)
