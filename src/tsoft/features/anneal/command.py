"""`tsoft anneal`: temperatures from one to another, step by step."""

from dataclasses import dataclass
from typing import Annotated

import typer

from tsoft.options.command import bundled
from tsoft.options.output import DiagramOptions, OutputOptions
from tsoft.options.schedule import ScheduleOptions


@dataclass(frozen=True)
class StepsOptions:
    steps: Annotated[
        int, typer.Option("--steps", min=1, max=10_000_000, metavar="N", help="How many temperatures.")
    ] = 100


@bundled
def anneal(annealing: ScheduleOptions, length: StepsOptions, output: OutputOptions, charts: DiagramOptions) -> None:
    """Go from a hot temperature to a cold one, step by step.

    A terminal gets the schedules as curves and a table; a pipe gets a
    temperature a line, which compute and sweep take as --tau -, and of
    several schedules a column each.

    tsoft anneal --schedule all
    tsoft anneal --from 5 --to 0.1 --steps 10 | tsoft sweep 2 1 0.5 --tau -
    tsoft anneal --from 1 --to 0 --schedule linear -f csv
    """
    from tsoft.features.anneal.result import AnnealResult
    from tsoft.options.output import chosen_format, view, write
    from tsoft.options.schedule import chosen_schedules

    format = chosen_format(output, charts)
    result = AnnealResult(chosen_schedules(annealing, length.steps), charts.chart is not False)
    write(result, format, output, lambda: view(output))
