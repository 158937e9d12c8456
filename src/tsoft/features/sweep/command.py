"""`tsoft sweep`: a distribution across temperatures."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

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
    from tsoft.charts.view import View
    from tsoft.core.averages import Averages
    from tsoft.core.softmax import Array
    from tsoft.core.thermodynamics import Ensemble
    from tsoft.sampling.distributions import Distributions

Measure = Literal[
    "entropy",
    "perplexity",
    "top-prob",
    "margin",
    "log-sum-exp",
    "log-z",
    "free-energy",
    "mean-energy",
    "heat-capacity",
]


@dataclass(frozen=True)
class Grid:
    """The temperatures, where --tau does not list them."""

    coldest: Annotated[
        float | None, typer.Option("--from", metavar="τ", help="The coldest temperature of the grid, by default 0.1.")
    ] = None
    hottest: Annotated[
        float | None, typer.Option("--to", metavar="τ", help="The hottest temperature, by default 10.")
    ] = None
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=2, max=10_000_000, metavar="N", help="How many temperatures, by default 25."),
    ] = None
    scale: Annotated[
        Literal["log", "linear"] | None,
        typer.Option("--scale", metavar="SCALE", help="log or linear: how they are spaced, by default log."),
    ] = None


@dataclass(frozen=True)
class Curves:
    """What is drawn of a sweep."""

    measure: Annotated[
        Measure,
        typer.Option(
            "--measure",
            metavar="MEASURE",
            help="The second chart: entropy, perplexity, top-prob, margin or log-sum-exp; of --energies also log-z,"
            " free-energy, mean-energy or heat-capacity.",
            rich_help_panel="Table and chart",
        ),
    ] = "entropy"
    heatmap: Annotated[
        bool,
        typer.Option("--heatmap", help="Classes and temperatures as a heat map.", rich_help_panel="Table and chart"),
    ] = False
    mean: Annotated[
        bool, typer.Option("--mean", help="The measures' means over the rows, and their standard deviations.")
    ] = False


@bundled
def sweep(
    input: LogitsOptions,
    energies: EnergyOptions,
    temperatures: TemperatureOptions,
    grid: Grid,
    curves: Curves,
    parameters: ParameterOptions,
    rules: SamplerOptions,
    output: DistributionOptions,
    look: DisplayOptions,
) -> None:
    """Follow a distribution from cold to hot.

    A terminal gets the curve of each class over τ, the curve of a measure and
    a table at a handful of temperatures; a pipe gets a line for each row and
    τ, which comes first. csv and json carry the measures too.

    tsoft sweep 2 1 0.5 0.1
    tsoft sweep cat=2 dog=1 --from 0.5 --to 2 --steps 100 --format csv
    tsoft sweep --energies 0 1 --measure heat-capacity
    some-program | tsoft sweep --mean
    """
    from tsoft.errors import UsageError
    from tsoft.options import logits, results
    from tsoft.options.energies import ensemble, with_ensemble
    from tsoft.options.plan import plan as planned

    # A grid overrules a file's temperature as --tau does.
    plan = planned(rules, parameters, temperatures.tau or [])
    said = temperatures.tau is not None or None not in (grid.coldest, grid.hottest)
    levels = ensemble(input, energies, plan, said=said, how="--tau 100,300, or --from 10 --to 1000")
    blocks = with_ensemble(logits.blocks(input, temperatures.tau), levels)
    taus = logits.temperatures(temperatures.tau) if temperatures.tau else _grid(grid)
    if temperatures.tau and grid != Grid():
        raise UsageError("--tau lists the temperatures, so --from, --to, --steps and --scale have nothing to say")
    if plan.chains[0] and not plan.chains[0].has_temperature:
        raise UsageError("--samplers lists no temperature, so there is nothing to sweep")
    measure = _measure(curves, levels)
    if curves.mean:
        from tsoft.core.averages import averages

        results.refuse(
            "sweep --mean",
            heatmap=curves.heatmap,
            log=output.log,
            long=output.long,
            with_logits=output.with_logits,
        )
        if len(plan.chains) > 1:
            raise UsageError("sweep --mean is of one engine: --like one of them")
        with results.followed(blocks, taus, plan) as followed:
            found = averages(followed, taus, lambda block: plan.of(block)[0], _measures(levels))
        _write_mean(found, measure, output, look, _is_log(grid), levels)
        return

    def draw(results: "list[Distributions]", view: "View") -> Iterator[str]:
        from tsoft.charts.curves import MAX_CURVES
        from tsoft.features.sweep import chart as drawing

        fewer = replace(view, show=look.show or MAX_CURVES)
        for i, result in enumerate(results):
            if result.chain:
                from tsoft.charts.chain_report import sampler_order

                yield "\n" * (i > 0) + sampler_order([result], view) + "\n"
            yield from drawing.draw(result, fewer, measure, curves.heatmap, _is_log(grid), look.chart is not False)

    results.write(blocks, taus, plan, output, look, draw, before=True)


def _measure(curves: Curves, levels: "Ensemble | None") -> str:
    """The measure that is drawn, as records name it."""
    from tsoft.errors import UsageError

    name = curves.measure.replace("-", "_")
    if name not in _measures(levels):
        when = "with --energies and without samplers"
        raise UsageError(f"--measure {curves.measure} is of Boltzmann's distribution: it comes {when}")
    return name


def _measures(levels: "Ensemble | None") -> tuple[str, ...]:
    """The measures that there are, of energies more."""
    from tsoft.core.measures import MEASURES
    from tsoft.core.thermodynamics import THERMODYNAMICS

    return MEASURES if levels is None else (*MEASURES, *THERMODYNAMICS)


def _is_log(grid: Grid) -> bool:
    return grid.scale != "linear"


def _grid(grid: Grid) -> "Array":
    """The temperatures of a grid, both ends among them."""
    import numpy as np

    from tsoft.errors import UsageError

    coldest = 0.1 if grid.coldest is None else grid.coldest
    hottest = 10.0 if grid.hottest is None else grid.hottest
    if not 0 <= coldest < hottest < np.inf:
        raise UsageError(f"--from {coldest:g} --to {hottest:g}: a grid rises from 0 or more to a finite temperature")
    if _is_log(grid) and coldest == 0:
        raise UsageError("--from 0: a logarithmic grid does not reach 0; --scale linear does, and --tau 0,… lists it")
    return (np.geomspace if _is_log(grid) else np.linspace)(coldest, hottest, grid.steps or 25)


def _write_mean(
    found: "Averages",
    measure: str,
    output: DistributionOptions,
    look: DisplayOptions,
    log: bool,
    levels: "Ensemble | None",
) -> None:
    from tsoft.options import results

    name = results.checked_format(output)
    if name == "table":
        from tsoft.charts.mean_chart import draw_mean

        texts: Iterable[str] = draw_mean(found, results.view(output, look), measure, log, levels)
    else:
        from tsoft.output import averages
        from tsoft.output.number_format import NumberFormat

        texts = [averages.write(found, name, NumberFormat(digits=output.digits, bits=output.bits))]
    results.put(texts, name, output)
