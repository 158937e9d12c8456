"""The options of schedules, in bundles."""

from dataclasses import dataclass
from typing import Annotated

import typer


@dataclass(frozen=True)
class Charts:
    """What is seen of a result that is no distribution."""

    chart: Annotated[
        bool,
        typer.Option("--chart/--no-chart", help="The charts above the table.", rich_help_panel="Table and chart"),
    ] = True


def _schedules(incomplete: str) -> list[str]:
    from tsoft.core.schedules import SCHEDULES

    return [name for name in (*SCHEDULES, "all") if name.startswith(incomplete)]


@dataclass(frozen=True)
class Annealing:
    """From which temperature to which, and how."""

    first: Annotated[float, typer.Option("--from", metavar="τ", help="The first temperature.")] = 5.0
    last: Annotated[
        float, typer.Option("--to", metavar="τ", help="The last temperature; linear and cosine reach 0.")
    ] = 0.1
    schedule: Annotated[
        list[str] | None,
        typer.Option(
            "--schedule",
            metavar="NAME,…",
            help="constant, linear, cosine, exponential, inverse-time or logarithmic, several of them, or all;"
            " by default cosine.",
            autocompletion=_schedules,
        ),
    ] = None
