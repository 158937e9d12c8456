"""`tsoft compute`: the distribution at each temperature."""

from dataclasses import dataclass
from typing import Annotated

import typer

from tsoft.options.command import bundled
from tsoft.options.input import EnergyOptions, LogitsOptions
from tsoft.options.output import (
    BitsOptions,
    ChartOptions,
    ContentOptions,
    Displayed,
    DisplayOptions,
    OutputOptions,
)
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.temperatures import TemperatureOptions


@dataclass(frozen=True)
class ResponseOptions:
    chosen: Annotated[
        bool,
        typer.Option(
            "--chosen",
            help="An API response: the token that was drawn, its probability and rank, and the whole text's.",
            rich_help_panel="Input",
        ),
        Displayed("json", "jsonl"),
    ] = False


@dataclass(frozen=True)
class ExplanationOptions:
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="The chain step by step: what each sampler leaves and cuts, and at which threshold.",
            rich_help_panel="Samplers",
        ),
        Displayed("json", "jsonl"),
    ] = False


@bundled
def compute(
    input: LogitsOptions,
    energies: EnergyOptions,
    response: ResponseOptions,
    temperatures: TemperatureOptions,
    parameters: ParameterOptions,
    samplers: SamplerOptions,
    explanation: ExplanationOptions,
    output: OutputOptions,
    content: ContentOptions,
    bits: BitsOptions,
    display: DisplayOptions,
    charts: ChartOptions,
) -> None:
    """Show or print the probabilities of each class at each temperature.

    A terminal gets a table with bars and under it the entropy, the
    perplexity (the effective number of classes) and the margin (first minus
    second probability); a pipe gets a line of numbers for each row and τ.

    tsoft compute 2 1 0.5 0.1 --tau 0.5,1,2
    tsoft compute cat=2 dog=1 bird=0.5 --tau 0.7
    some-program | tsoft compute --tau 0.7 --format csv
    some-program | tsoft compute --tau 0.7 --top-k 40 --top-p 0.9 --explain
    some-program | tsoft compute --tau 0.7 --top-p 0.9 --min-p 0.05 --like all
    tsoft compute --energies 0 0.025 --units eV --tau 300
    curl … | tsoft compute --tau 0.7 --chosen --vocab-size 49152
    """
    from tsoft.features.compute.result import ChosenResult, ComputeResult
    from tsoft.options import logits
    from tsoft.options.distribution_result import chosen_form, write
    from tsoft.options.energies import ensemble, with_ensemble
    from tsoft.options.output import view
    from tsoft.options.plan import make_plan
    from tsoft.options.temperatures import temperatures as parsed

    form = chosen_form(output, content, bits, display, charts, response, explanation, steps=explanation.explain)
    plan = make_plan(samplers, parameters, temperatures.tau, explain=explanation.explain)
    energy = ensemble(input, energies, plan, has_taus=temperatures.tau is not None)
    blocks = with_ensemble(logits.blocks(input, plan.taus, ragged=True), energy)
    kind = ChosenResult if response.chosen else ComputeResult
    result = kind(blocks, parsed(plan.taus), plan, form, rows=display.rows, chart=charts.chart)
    write(result, output, lambda: view(output, display, bits=bits.bits, log=content.log))
