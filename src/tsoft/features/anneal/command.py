"""`tsoft anneal`: temperatures from one to another, step by step."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import typer

from tsoft.options.command import bundled
from tsoft.options.groups import OutputOptions
from tsoft.options.schedule import ChartOptions, ScheduleOptions


@dataclass(frozen=True)
class Length:
    steps: Annotated[
        int, typer.Option("--steps", min=1, max=10_000_000, metavar="N", help="How many temperatures.")
    ] = 100


@bundled
def anneal(annealing: ScheduleOptions, length: Length, output: OutputOptions, charts: ChartOptions) -> None:
    """Go from a hot temperature to a cold one, step by step.

    A terminal gets the schedules as curves and a table; a pipe gets a
    temperature a line, which compute and sweep take as --tau -, and of
    several schedules a column each.

    tsoft anneal --schedule all
    tsoft anneal --from 5 --to 0.1 --steps 10 | tsoft sweep 2 1 0.5 --tau -
    tsoft anneal --from 1 --to 0 --schedule linear -f csv
    """
    from tsoft.options import results, schedule

    name = results.checked_destination(output)
    courses = schedule.chosen_schedules(annealing, length.steps)
    if name == "table":
        from tsoft.features.anneal import chart as drawing

        texts: Iterable[str | bytes] = drawing.draw(courses, results.plain_view(output), charts.chart)
    else:
        from tsoft.features.anneal import records as forms
        from tsoft.output.number_format import NumberFormat

        texts = forms.write(courses, name, NumberFormat(digits=output.digits))
    results.put(texts, name, output)
