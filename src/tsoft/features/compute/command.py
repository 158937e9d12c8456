"""`tsoft compute`: the distribution at each temperature."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.options.command import bundled
from tsoft.options.groups import (
    DisplayOptions,
    DistributionOptions,
    EnergyOptions,
    LogitsOptions,
    ParameterOptions,
    SamplerOptions,
    TemperatureOptions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsoft.charts.view import View
    from tsoft.sampling.distributions import Distributions


@dataclass(frozen=True)
class Response:
    chosen: Annotated[
        bool,
        typer.Option(
            "--chosen",
            help="An API response: the token that was drawn, its probability and rank, and the whole text's.",
            rich_help_panel="LogitsOptions",
        ),
    ] = False


@dataclass(frozen=True)
class Explanation:
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="The chain step by step: what each sampler leaves and cuts, and at which threshold.",
            rich_help_panel="Samplers",
        ),
    ] = False


@bundled
def compute(
    input: LogitsOptions,
    energies: EnergyOptions,
    response: Response,
    temperatures: TemperatureOptions,
    parameters: ParameterOptions,
    rules: SamplerOptions,
    explanation: Explanation,
    output: DistributionOptions,
    look: DisplayOptions,
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
    from tsoft.options import logits, results
    from tsoft.options.energies import ensemble, with_ensemble
    from tsoft.options.plan import plan as planned

    plan = planned(rules, parameters, temperatures.tau, always=explanation.explain)
    levels = ensemble(input, energies, plan, said=temperatures.tau is not None)
    blocks = with_ensemble(logits.blocks(input, plan.taus, ragged=True), levels)
    taus = logits.temperatures(plan.taus)
    charted = len(taus) > 1 if look.chart is None else look.chart

    def draw(found: "list[Distributions]", view: "View") -> "Iterator[str]":
        from tsoft.charts.row_report import draw_row

        return draw_row(found, view, chart=charted, explain=explanation.explain)

    results.write(blocks, taus, plan, output, look, draw, explain=explanation.explain, chosen=response.chosen)
