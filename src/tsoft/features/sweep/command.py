"""`tsoft sweep`: a distribution across temperatures."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tsoft.errors import UsageError
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled, in_panel
from tsoft.options.folder_options import FolderOptions
from tsoft.options.history_options import HistoryOptions
from tsoft.options.input import BoundsOptions, EnergyOptions, LogitsOptions
from tsoft.options.into_folder import into_folder
from tsoft.options.output import (
    FIGURE_FORMATS,
    ArrayOutputOptions,
    BitsOptions,
    ContentOptions,
    DiagramOptions,
    Displayed,
    FigureOptions,
    Mean,
    OnlyIn,
    SweepDisplayOptions,
)
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.saved_calibration import CalibrationOptions
from tsoft.options.temperatures import TemperatureOptions, tau_option

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
    "varentropy",
    "log-sum-exp",
    "log-z",
    "free-energy",
    "mean-energy",
    "heat-capacity",
]


@bundle
class SweepTemperatures(TemperatureOptions):
    tau: Annotated[list[str] | None, tau_option("a grid from 0.1 to 10")] = None


@bundle
class GridOptions:
    """The grid of temperatures, if --tau does not list them."""

    coldest: Annotated[
        float | None,
        typer.Option("--from", metavar="τ", show_default="0.1", help="Lowest temperature of the grid."),
    ] = None
    hottest: Annotated[
        float | None, typer.Option("--to", metavar="τ", show_default="10", help="Highest temperature of the grid.")
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            min=2,
            max=10_000_000,
            metavar="N",
            show_default="25",
            help="Number of temperatures in the grid.",
        ),
    ] = None
    scale: Annotated[
        Literal["log", "linear"] | None,
        typer.Option("--scale", metavar="SCALE", show_default="log", help="Spacing of the grid: log or linear."),
    ] = None

    @property
    def is_log(self) -> bool:
        return self.scale != "linear"


@bundle
class SweepOptions:
    """The measure of a sweep, and its charts."""

    measure: Annotated[
        Measure | None,
        _display(
            "--measure",
            metavar="MEASURE",
            show_default="entropy, on a terminal",
            help="Chart this measure below the curves or, in a pipe, print it instead of the probabilities: entropy,"
            " perplexity, top-prob, margin, varentropy or log-sum-exp; with --energies also log-z, free-energy,"
            " mean-energy or heat-capacity.",
        ),
        OnlyIn("table", "tsv", "csv", "json", "jsonl", *FIGURE_FORMATS),
    ] = None
    heatmap: Annotated[
        bool,
        _display("--heatmap", help="Draw a heat map of the probabilities instead of curves."),
        Displayed(*FIGURE_FORMATS),
    ] = False
    mean: Mean = False


@bundled
@into_folder
def sweep(
    input: LogitsOptions,
    energies: EnergyOptions,
    bounds: BoundsOptions,
    calibration: CalibrationOptions,
    temperatures: SweepTemperatures,
    grid: GridOptions,
    sweeping: SweepOptions,
    parameters: ParameterOptions,
    samplers: SamplerOptions,
    history: HistoryOptions,
    output: ArrayOutputOptions,
    content: ContentOptions,
    bits: BitsOptions,
    display: SweepDisplayOptions,
    charts: DiagramOptions,
    figure: FigureOptions,
    folder: FolderOptions,
) -> None:
    """Compute and chart a distribution over many temperatures.

    On a terminal, draws the curve of each class over τ, the curve of one
    measure, and a table at five temperatures. In a pipe, prints one line per
    row and temperature, with τ first. csv and json include all measures.

    Examples:
      tsoft sweep 2 1 0.5 0.1
      tsoft sweep 2 1 0.5 0.1 --measure entropy | cat
      tsoft sweep cat=2 dog=1 --from 0.5 --to 2 --steps 100 --format csv
      some-program | tsoft sweep --mean
      tsoft sweep --energies 0 1 --measure heat-capacity
      tsoft sweep --mean -i 'logits/*.npy' --jobs 8
    """
    from functools import cache

    from tsoft.features.sweep.picture import SweepPicture
    from tsoft.features.sweep.result import SweepResult, average_rows, measure_names
    from tsoft.features.sweep.sweep_input import SweepInput
    from tsoft.options import writing
    from tsoft.options.chosen_formats import chosen_formats, kept_for, refuse
    from tsoft.options.distribution_result import chosen_forms, write
    from tsoft.options.mean_result import MeanResult, noted_averages
    from tsoft.sampling.distributions import measure_unit

    folder.refuse(jobs=not sweeping.mean, jobs_need="-o FOLDER/ or --mean")
    folder.check()
    # Several files are averaged one by one, so that jobs do not change the result.
    files = _files(input, folder) if sweeping.mean else []
    if files:
        input = replace(input, inputs=files)
    selected = SweepInput(input, energies, bounds, calibration, parameters, samplers, history, temperatures.tau)
    plan = selected.plan()
    has_taus = temperatures.tau is not None or None not in (grid.coldest, grid.hottest)
    ensemble = selected.ensemble(plan, has_taus=has_taus)
    blocks = selected.blocks(ensemble)
    taus = _temperatures(temperatures, grid)
    if plan.chains[0] and not plan.chains[0].has_temperature:
        raise UsageError("the samplers include no temperature, which a sweep varies; pass --samplers with temperature")
    measure = _measure(sweeping, input, ensemble)

    def view() -> "View":
        return writing.view(output, display, bits=bits.bits, log=content.log)

    if sweeping.mean:
        refuse("sweep --mean", content, display)
        if sweeping.heatmap:
            raise UsageError("--heatmap has no effect on sweep --mean; remove --heatmap")
        if len(plan.chains) > 1:
            raise UsageError("--like: sweep --mean takes only one engine; pass one")
        formats = chosen_formats(output, bits, charts, figure, forms=lambda _: ["measures"])
        recorded, names = None if measure is None else [measure], measure_names(ensemble)
        if files:
            from tsoft.features.sweep.mean_jobs import average_files

            compute = cache(lambda: noted_averages(average_files(selected, taus, names, folder)))
        else:
            compute = cache(lambda: noted_averages(average_rows(blocks, taus, plan, names)))
        means = MeanResult(
            compute,
            measure or "entropy",
            recorded,
            bits.bits,
            grid.is_log,
            ensemble,
            charts.chart is not False,
        )
        for file, format in formats:
            writing.write(means, format, file, view, figure)
        return
    if measure:
        refuse(f"sweep --measure {sweeping.measure}", content)
    forms = chosen_forms(
        output,
        content,
        bits,
        display,
        charts,
        figure,
        sweeping,
        measured=lambda f: (
            (measure or f in ("csv", *FIGURE_FORMATS)) and measure_unit(measure or "entropy", bits=True) != 1
        ),
    )
    picture = SweepPicture(display.rows, display.show, charts.chart is not False, sweeping.heatmap, grid.is_log)
    kept = kept_for(forms, blocks)
    for file, form in forms:
        write(SweepResult(kept, taus, plan, form, picture, measure), file, view, figure)


def _files(input: LogitsOptions, jobs: FolderOptions) -> list[str]:
    """Return the names of several files; an empty list for a single input. Raise UsageError for jobs without effect."""
    from tsoft.options.input_files import listed_files

    files = [] if input.logits or input.has_stdin else listed_files(input.inputs or [])
    if len(files) < 2 and jobs.are_typed:
        raise UsageError(f"{jobs.typed} has no effect on a single input; pass several files, such as -i FOLDER/")
    return files if len(files) > 1 else []


def _measure(sweeping: SweepOptions, input: LogitsOptions, ensemble: "Ensemble | None") -> str | None:
    """Return the requested measure, by its name in records."""
    from tsoft.features.sweep.result import measure_names

    name = sweeping.measure and sweeping.measure.replace("-", "_")
    if name is not None and name not in measure_names(ensemble):
        if input.energies:
            raise UsageError(f"--measure {sweeping.measure} works only without samplers; remove them")
        raise UsageError(f"--measure {sweeping.measure} needs energies; add --energies if the numbers are energies")
    return name


def _temperatures(temperatures: SweepTemperatures, grid: GridOptions) -> "Array":
    """Return the temperatures that --tau lists, or those of a grid, which includes both ends."""
    import numpy as np

    from tsoft.options.temperatures import parsed_temperatures

    if temperatures.tau:
        if grid != GridOptions():
            raise UsageError("--tau lists the temperatures; use either --tau or --from, --to, --steps and --scale")
        return parsed_temperatures(temperatures.tau)
    coldest = 0.1 if grid.coldest is None else grid.coldest
    hottest = 10.0 if grid.hottest is None else grid.hottest
    if not 0 <= coldest < hottest < np.inf:
        raise UsageError(f"--from {coldest:g} --to {hottest:g}: expected 0 ≤ --from < --to < inf")
    if grid.is_log and coldest == 0:
        raise UsageError("--from 0: a logarithmic grid cannot include 0; pass --scale linear, or list 0 in --tau")
    return (np.geomspace if grid.is_log else np.linspace)(coldest, hottest, grid.steps or 25)
