"""`tsoft bandit`: Boltzmann exploration, along schedules of temperatures."""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tsoft.options.command import bundled
from tsoft.options.groups import OutputOptions, Seed
from tsoft.options.schedule import ChartOptions, ScheduleOptions

if TYPE_CHECKING:
    from tsoft.core.schedules import TemperatureSchedule
    from tsoft.features.bandit.simulation import Exploration, Rewards, Step
    from tsoft.options.logits import Typed
    from tsoft.output.progress import ProgressBar

# Squares of numbers beyond this, and of their sums, might overflow.
LARGEST = 1e100


@dataclass(frozen=True)
class Arms:
    """What the arms pay."""

    means: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MEANS...",
            show_default=False,
            help="What each arm pays on average, negative too, or LABEL=NUMBER.",
        ),
    ] = None
    rewards: Annotated[
        Literal["gaussian", "bernoulli"],
        typer.Option(
            "--rewards", metavar="KIND", help="gaussian, or bernoulli: 1 with the mean's probability, else 0."
        ),
    ] = "gaussian"
    sd: Annotated[
        float | None,
        typer.Option("--sd", metavar="SD", help="gaussian rewards' standard deviation, by default 1."),
    ] = None


@dataclass(frozen=True)
class Runs:
    """How long and how often."""

    steps: Annotated[int, typer.Option("--steps", min=1, max=1_000_000, metavar="N", help="Pulls in each run.")] = 1000
    runs: Annotated[
        int, typer.Option("--runs", min=1, max=1_000_000, metavar="N", help="Independent runs to average over.")
    ] = 1000
    seed: Seed = None


@bundled
def bandit(arms: Arms, annealing: ScheduleOptions, runs: Runs, output: OutputOptions, charts: ChartOptions) -> None:
    """Explore a bandit's arms by the softmax of what they paid so far.

    Each run pulls an arm drawn at the step's temperature, and keeps the mean
    of what each arm paid. A terminal gets the regret, how often the best arm
    was pulled and the distribution over time, schedules side by side; a pipe
    gets a line for each schedule and step: schedule, step, τ, regret so far,
    its standard error, share of runs at the best arm, each arm's probability.

    tsoft bandit 1.0 0.9 0.5 --schedule cosine,linear
    tsoft bandit a=0.9 b=0.5 --rewards bernoulli --schedule all --from 1 --to 0.01
    tsoft bandit 1 0.5 --schedule constant --from 0.2 --seed 1 | tail -1
    """
    from tsoft.errors import UsageError
    from tsoft.options import logits, results, schedule, seeds

    name = results.checked_destination(output)
    if not arms.means:
        raise UsageError("no arms: type what each pays on average (tsoft bandit 1 0.9 0.5)")
    typed = logits.typed(arms.means)
    rewards = _rewards(arms, typed)
    courses = schedule.chosen_schedules(annealing, runs.steps)
    seed = seeds.chosen(runs.seed)
    found = _explored(typed, courses, rewards, runs, seed)
    results.put(_texts(found, name, output, charts, seed if runs.seed is None else None), name, output)


def _texts(
    found: "Iterator[Exploration]", name: str, output: OutputOptions, charts: ChartOptions, seed: int | None
) -> "Iterator[str | bytes]":
    """What is written, worked out as it is. A `seed` that was not typed is said."""
    from tsoft.notes import note
    from tsoft.options import results

    if name == "table":
        from tsoft.features.bandit import chart as drawing

        yield from drawing.draw(list(found), results.plain_view(output), charts.chart)
    else:
        from tsoft.features.bandit import records as forms
        from tsoft.output.number_format import NumberFormat

        if seed is not None:
            note(f"--seed {seed} gives this again")
        yield from forms.write(found, name, NumberFormat(digits=output.digits))


def _rewards(arms: Arms, typed: "Typed") -> "Rewards":
    """The rewards that were asked for, which the means can be those of."""
    from tsoft.errors import UsageError
    from tsoft.features.bandit.simulation import bernoulli, gaussian

    if arms.rewards == "bernoulli" and arms.sd is not None:
        raise UsageError("--sd is for gaussian rewards; a bernoulli's follows from its mean")
    low, high = (0.0, 1.0) if arms.rewards == "bernoulli" else (-LARGEST, LARGEST)
    for place, mean in zip(typed.places, typed.numbers, strict=True):
        if not low <= mean <= high:
            raise UsageError(
                f"argument {place}: {mean:g} is not a mean of {arms.rewards} rewards, from {low:g} to {high:g}"
            )
    sd = 1.0 if arms.sd is None else arms.sd
    if not 0 <= sd <= LARGEST:
        raise UsageError(f"--sd: {sd:g} is not a standard deviation, from 0 to {LARGEST:g}")
    return bernoulli if arms.rewards == "bernoulli" else gaussian(sd)


def _explored(
    typed: "Typed", courses: "list[TemperatureSchedule]", rewards: "Rewards", runs: Runs, seed: int
) -> "Iterator[Exploration]":
    """What becomes of each schedule, all with the same uniform numbers."""
    import numpy as np

    from tsoft.features.bandit.simulation import Exploration, history, play

    means = np.array(typed.numbers)
    for course in courses:
        steps = play(means, course.taus, runs.runs, rewards, np.random.default_rng(seed))
        with _watched(steps, course) as watched:
            found = history(watched, means)
        yield Exploration(course.schedule, seed, means, typed.labels, found)


@contextlib.contextmanager
def _watched(steps: "Iterator[Step]", course: "TemperatureSchedule") -> "Iterator[Iterator[Step]]":
    """The steps, with how far they are on stderr, once that takes longer than a moment."""
    from tsoft.options.results import MOMENT

    bar: ProgressBar | None = None
    total = len(course.taus)

    def shown() -> "Iterator[Step]":
        nonlocal bar
        start = time.monotonic()
        for done, step in enumerate(steps, 1):
            yield step
            if time.monotonic() - start > MOMENT:
                from tsoft.output import progress

                bar = bar or progress.ProgressBar(total)
                bar.show(course.schedule, done, total)

    try:
        yield shown() if sys.stderr is not None and sys.stderr.isatty() else steps
    finally:
        if bar:
            bar.stop()
