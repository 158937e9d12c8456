"""`tsoft sweep`: a distribution across temperatures."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tsoft.errors import UsageError
from tsoft.options.command import bundled, in_panel
from tsoft.options.input import EnergyOptions, LogitsOptions
from tsoft.options.output import (
    BitsOptions,
    ChartOptions,
    ContentOptions,
    Displayed,
    DisplayOptions,
    Mean,
    OnlyIn,
    OutputOptions,
)
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.temperatures import TemperatureOptions

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.core.softmax import Array
    from tsoft.core.thermodynamics import Ensemble

_display = in_panel("Table and chart")

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
class GridOptions:
    """The grid of temperatures, if --tau does not list them."""

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

    @property
    def is_log(self) -> bool:
        return self.scale != "linear"


@dataclass(frozen=True)
class SweepOptions:
    """The measure of a sweep, and its charts."""

    measure: Annotated[
        Measure | None,
        _display(
            "--measure",
            metavar="MEASURE",
            help="The second chart, by default entropy, and all that a pipe gets: entropy, perplexity, top-prob, margin"
            " or log-sum-exp; of --energies also log-z, free-energy, mean-energy or heat-capacity.",
        ),
        OnlyIn("table", "tsv", "csv", "json", "jsonl"),
    ] = None
    heatmap: Annotated[bool, _display("--heatmap", help="Classes and temperatures as a heat map."), Displayed()] = False
    mean: Mean = False


@bundled
def sweep(
    input: LogitsOptions,
    energies: EnergyOptions,
    temperatures: TemperatureOptions,
    grid: GridOptions,
    sweeping: SweepOptions,
    parameters: ParameterOptions,
    samplers: SamplerOptions,
    output: OutputOptions,
    content: ContentOptions,
    bits: BitsOptions,
    display: DisplayOptions,
    charts: ChartOptions,
) -> None:
    """Follow a distribution from cold to hot.

    A terminal gets the curve of each class over τ, the curve of a measure and
    a table at a handful of temperatures; a pipe gets a line for each row and
    τ, which comes first. csv and json include the measures too.

    tsoft sweep 2 1 0.5 0.1
    tsoft sweep 2 1 0.5 0.1 --measure entropy | cat
    tsoft sweep cat=2 dog=1 --from 0.5 --to 2 --steps 100 --format csv
    tsoft sweep --energies 0 1 --measure heat-capacity
    some-program | tsoft sweep --mean
    """
    from tsoft.features.sweep.result import SweepPicture, SweepResult, average_rows, measure_names
    from tsoft.options import logits
    from tsoft.options import output as outputs
    from tsoft.options.distribution_result import chosen_form, write
    from tsoft.options.energies import ensemble, with_ensemble
    from tsoft.options.mean_result import MeanResult
    from tsoft.options.plan import make_plan

    # A grid overrides a file's temperature, as --tau does.
    plan = make_plan(samplers, parameters, temperatures.tau or [])
    has_taus = temperatures.tau is not None or None not in (grid.coldest, grid.hottest)
    energy = ensemble(input, energies, plan, has_taus=has_taus, how="--tau 100,300, or --from 10 --to 1000")
    blocks = with_ensemble(logits.blocks(input, temperatures.tau), energy)
    taus = _temperatures(temperatures, grid)
    if plan.chains[0] and not plan.chains[0].has_temperature:
        raise UsageError("--samplers lists no temperature, which a sweep varies; add temperature to the list")
    measure = _measure(sweeping, energy)

    def view() -> "View":
        return outputs.view(output, display, bits=bits.bits, log=content.log)

    if sweeping.mean:
        outputs.refuse("sweep --mean", content, display)
        if sweeping.heatmap:
            raise UsageError("--heatmap has no effect on sweep --mean")
        if len(plan.chains) > 1:
            raise UsageError("sweep --mean averages over one engine; pass only one to --like")
        format = outputs.chosen_format(output, bits, charts, forms=lambda _: ["measures"])
        recorded = None if measure is None else [measure]
        means = MeanResult(
            lambda: average_rows(blocks, taus, plan, measure_names(energy)),
            measure or "entropy",
            recorded,
            bits.bits,
            grid.is_log,
            energy,
            charts.chart is not False,
        )
        outputs.write(means, format, output, view)
        return
    form = chosen_form(output, content, bits, display, charts, sweeping, measured=lambda f: measure or f == "csv")
    if measure and (content.long or content.log or content.with_logits or form.format in outputs.ARRAY_FORMATS):
        raise UsageError(
            f"--measure {sweeping.measure} writes one number per distribution; remove --long, --log, --with-logits,"
            " npy or npz"
        )
    picture = SweepPicture(display.rows, display.show, charts.chart is not False, sweeping.heatmap, grid.is_log)
    write(SweepResult(blocks, taus, plan, form, picture, measure), output, view)


def _measure(sweeping: SweepOptions, energy: "Ensemble | None") -> str | None:
    """Return the requested measure, by its name in records."""
    from tsoft.features.sweep.result import measure_names

    name = sweeping.measure and sweeping.measure.replace("-", "_")
    if name is not None and name not in measure_names(energy):
        raise UsageError(f"--measure {sweeping.measure} needs --energies, and no samplers")
    return name


def _temperatures(temperatures: TemperatureOptions, grid: GridOptions) -> "Array":
    """Return the temperatures that --tau lists, or those of a grid, which includes both ends."""
    import numpy as np

    from tsoft.options.temperatures import temperatures as parsed

    if temperatures.tau:
        if grid != GridOptions():
            raise UsageError("--tau lists the temperatures; use either --tau or --from, --to, --steps and --scale")
        return parsed(temperatures.tau)
    coldest = 0.1 if grid.coldest is None else grid.coldest
    hottest = 10.0 if grid.hottest is None else grid.hottest
    if not 0 <= coldest < hottest < np.inf:
        raise UsageError(f"--from {coldest:g} --to {hottest:g}: expected 0 ≤ --from < --to < inf")
    if grid.is_log and coldest == 0:
        raise UsageError("--from 0: a logarithmic grid cannot include 0; pass --scale linear, or list 0 in --tau")
    return (np.geomspace if grid.is_log else np.linspace)(coldest, hottest, grid.steps or 25)
