"""`tsoft anneal`: temperatures from one to another, step by step."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import typer

from tsoft.commands.command import bundled
from tsoft.commands.options import Destination
from tsoft.commands.schedule import Annealing, Charts


@dataclass(frozen=True)
class Length:
    steps: Annotated[
        int, typer.Option("--steps", min=1, max=10_000_000, metavar="N", help="How many temperatures.")
    ] = 100


@bundled
def anneal(annealing: Annealing, length: Length, output: Destination, charts: Charts) -> None:
    """Go from a hot temperature to a cold one, step by step.

    A terminal gets the schedules as curves and a table; a pipe gets a
    temperature a line, which compute and sweep take as --tau -, and of
    several schedules a column each.

    tsoft anneal --schedule all
    tsoft anneal --from 5 --to 0.1 --steps 10 | tsoft sweep 2 1 0.5 --tau -
    tsoft anneal --from 1 --to 0 --schedule linear -f csv
    """
    from tsoft.commands import annealing as schedules
    from tsoft.commands import outputs

    name = outputs.checked_destination(output)
    courses = schedules.courses(annealing, length.steps)
    if name == "table":
        from tsoft.render import schedules as drawing

        texts: Iterable[str | bytes] = drawing.draw(courses, outputs.plain_view(output), charts.chart)
    else:
        from tsoft.formats import courses as forms
        from tsoft.formats.write import Writing

        texts = forms.write(courses, name, Writing(digits=output.digits))
    outputs.put(texts, name, output)
