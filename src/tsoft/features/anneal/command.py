"""`tsoft anneal`: temperature schedules."""

from typing import Annotated

import typer

from tsoft.options.bundle import bundle
from tsoft.options.command import bundled
from tsoft.options.output import DiagramOptions, FigureOptions, RecordOutputOptions
from tsoft.options.schedule import ScheduleOptions


@bundle
class StepsOptions:
    """The length of the schedules."""

    steps: Annotated[
        int, typer.Option("--steps", min=1, max=10_000_000, metavar="N", help="Number of temperatures.")
    ] = 100


@bundled
def anneal(
    annealing: ScheduleOptions,
    length: StepsOptions,
    output: RecordOutputOptions,
    charts: DiagramOptions,
    figure: FigureOptions,
) -> None:
    """Compute a temperature schedule, from hot to cold.

    On a terminal, draws the schedules and prints a table. In a pipe, prints one
    step per line, with one column of temperatures per schedule. Other commands
    read a single schedule with --tau -.

    Examples:
      tsoft anneal --schedule all
      tsoft anneal --from 5 --to 0.1 --steps 10 | tsoft sweep 2 1 0.5 --tau -
      tsoft anneal --from 1 --to 0 --schedule linear --format csv
    """
    from tsoft.features.anneal.result import AnnealResult
    from tsoft.options.chosen_formats import chosen_formats
    from tsoft.options.schedule import chosen_schedules
    from tsoft.options.writing import view, write

    chosen = chosen_formats(output, charts, figure)
    result = AnnealResult(chosen_schedules(annealing, length.steps), charts.chart is not False)
    for file, format in chosen:
        write(result, format, file, lambda: view(output), figure)
