"""From the options of a schedule to its temperatures."""

from tsoft.commands.names import listed, nearest, one_of
from tsoft.commands.schedule import Annealing
from tsoft.core.schedules import SCHEDULES, Course, EndError
from tsoft.errors import UsageError


def courses(options: Annealing, steps: int) -> list[Course]:
    """The courses of the schedules that were typed, each once."""
    return [_course(name, options, steps) for name in _names(options.schedule)]


def _names(typed: list[str] | None) -> list[str]:
    names = [name.lower().replace("_", "-") for name in listed(typed or ["cosine"])]
    for name in names:
        if name not in SCHEDULES and name != "all":
            hint = f"{nearest(name, SCHEDULES)}; {one_of(SCHEDULES)}, or all"
            raise UsageError(f"--schedule: no schedule is called {name!r}{hint}")
    return list(SCHEDULES) if "all" in names else list(dict.fromkeys(names))


def _course(name: str, options: Annealing, steps: int) -> Course:
    try:
        return Course(name, SCHEDULES[name](options.first, options.last, steps))
    except EndError as error:
        raise UsageError(f"{'--to' if error.last else '--from'} {error.tau:g}: {name} {error.problem}") from None
