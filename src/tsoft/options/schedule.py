"""The options for temperature schedules."""

from typing import TYPE_CHECKING, Annotated

import typer

from tsoft.errors import UsageError, unknown
from tsoft.options.bundle import bundle
from tsoft.options.names import split_names

if TYPE_CHECKING:
    from tsoft.core.schedules import TemperatureSchedule


# The names of `core.schedules.SCHEDULES`, so that completion does not import numpy.
SCHEDULE_NAMES = ("constant", "linear", "cosine", "exponential", "inverse-time", "logarithmic")


def _schedules(incomplete: str) -> list[str]:
    return [name for name in (*SCHEDULE_NAMES, "all") if name.startswith(incomplete)]


@bundle
class ScheduleOptions:
    """The first and the last temperature, and the schedules between them."""

    first: Annotated[float, typer.Option("--from", metavar="τ", show_default="5", help="First temperature.")] = 5.0
    last: Annotated[
        float | None,
        typer.Option(
            "--to", metavar="τ", show_default="0.1", help="Last temperature. Only linear and cosine can end at 0."
        ),
    ] = None
    schedule: Annotated[
        list[str] | None,
        typer.Option(
            "--schedule",
            metavar="NAME,…",
            show_default="cosine",
            help="Schedules: constant, linear, cosine, exponential, inverse-time, logarithmic, or all.",
            autocompletion=_schedules,
        ),
    ] = None


def chosen_schedules(options: ScheduleOptions, steps: int) -> "list[TemperatureSchedule]":
    """Return the schedules that were typed, each once, with their temperatures. Raise UsageError for an end that a
    schedule cannot have, and for one that none of them has."""
    names = _names(options.schedule)
    if names == ["constant"] and options.last is not None:
        raise UsageError("--to has no effect on --schedule constant; remove --to")
    last = 0.1 if options.last is None else options.last
    return [_schedule(name, options.first, last, steps) for name in names]


def _names(typed: list[str] | None) -> list[str]:
    names = [name.lower().replace("_", "-") for name in split_names(typed or ["cosine"])]
    for name in names:
        if name not in SCHEDULE_NAMES and name != "all":
            raise UsageError(f"--schedule: {unknown('schedule', name, [*SCHEDULE_NAMES, 'all'])}")
    return list(SCHEDULE_NAMES) if "all" in names else list(dict.fromkeys(names))


def _schedule(name: str, first: float, last: float, steps: int) -> "TemperatureSchedule":
    from tsoft.core.schedules import SCHEDULES, ScheduleEndError, TemperatureSchedule

    try:
        return TemperatureSchedule(name, SCHEDULES[name](first, last, steps))
    except ScheduleEndError as error:
        raise UsageError(f"{'--to' if error.last else '--from'} {error.tau:g}: {name} {error.problem}") from None
