"""`tsoft bandit`: Boltzmann exploration along temperature schedules."""

import itertools
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tsoft.errors import UsageError
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled
from tsoft.options.output import DiagramOptions, FigureOptions, RecordOutputOptions
from tsoft.options.schedule import ScheduleOptions
from tsoft.options.seeds import Seed

if TYPE_CHECKING:
    from tsoft.core.schedules import TemperatureSchedule
    from tsoft.core.softmax import Array
    from tsoft.features.bandit.simulation import BanditStep, Exploration, Rewards, RunAverages
    from tsoft.input.arguments import TypedNumbers

# The square of a sum of larger numbers could overflow.
LARGEST = 1e100
# The maximum number of probabilities, steps × arms, in a result: 1 GB.
MAX_PROBS = 1 << 27


@bundle
class ArmOptions:
    """The rewards of the arms."""

    means: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MEANS...",
            show_default=False,
            help="Mean reward of each arm: numbers, such as 1 0.9 -0.5, or LABEL=NUMBER.",
        ),
    ] = None
    rewards: Annotated[
        Literal["gaussian", "bernoulli"],
        typer.Option(
            "--rewards",
            metavar="KIND",
            help="Distribution of the rewards: gaussian, or bernoulli (1 with probability MEAN, else 0).",
        ),
    ] = "gaussian"
    sd: Annotated[
        float | None,
        typer.Option("--sd", metavar="SD", show_default="1", help="Standard deviation of gaussian rewards."),
    ] = None


@bundle
class RunOptions:
    """The number of steps and of runs, and their seed."""

    steps: Annotated[
        int, typer.Option("--steps", min=1, max=1_000_000, metavar="N", help="Number of pulls in a run.")
    ] = 1000
    runs: Annotated[
        int,
        typer.Option(
            "--runs", min=1, max=1_000_000, metavar="N", help="Number of independent runs. tsoft averages over them."
        ),
    ] = 1000
    seed: Seed = None


@bundled
def bandit(
    arms: ArmOptions,
    annealing: ScheduleOptions,
    runs: RunOptions,
    output: RecordOutputOptions,
    charts: DiagramOptions,
    figure: FigureOptions,
) -> None:
    """Simulate softmax exploration of a multi-armed bandit.

    At each step, a run draws an arm from the softmax of the mean rewards so
    far, at the temperature of the schedule. On a terminal, compares the
    schedules: the regret (the reward lost relative to the best arm), how often
    runs pull the best arm, and the probability of each arm over time. In a
    pipe, prints one line per schedule and step: schedule, step, τ, regret so
    far, its standard error, share of runs that pull the best arm, and the
    probability of each arm.

    Examples:
      tsoft bandit 1.0 0.9 0.5 --schedule cosine,linear
      tsoft bandit a=0.9 b=0.5 --rewards bernoulli --from 1 --to 0.01
      tsoft bandit 1 0.5 --schedule constant --from 0.2 --seed 1 | tail -1
    """
    from tsoft.features.bandit.result import BanditResult
    from tsoft.input.arguments import parse_arguments
    from tsoft.notes import note
    from tsoft.options.chosen_formats import chosen_formats, kept_for
    from tsoft.options.schedule import chosen_schedules
    from tsoft.options.seeds import chosen_seed
    from tsoft.options.writing import view, write

    chosen = chosen_formats(output, charts, figure)
    if not arms.means:
        raise UsageError("no arms; pass the mean reward of each arm (tsoft bandit 1 0.9 0.5)")
    typed = parse_arguments(arms.means, "pass the mean reward of the arm")
    rewards = _rewards(arms, typed)
    if runs.steps * len(typed.numbers) > MAX_PROBS:
        most = MAX_PROBS // len(typed.numbers)
        raise UsageError(
            f"--steps {runs.steps} with {len(typed.numbers)} arms is too much; pass at most --steps {most}"
        )
    schedules = chosen_schedules(annealing, runs.steps)
    seed = chosen_seed(runs.seed)
    explorations = kept_for(chosen, _explorations(typed, schedules, rewards, runs.runs, seed))
    # A table contains the seed.
    if runs.seed is None and any(format != "table" for _, format in chosen):
        note(f"--seed {seed} repeats this result")
    result = BanditResult(explorations, charts.chart is not False)
    for file, format in chosen:
        write(result, format, file, lambda: view(output), figure)


def _rewards(arms: ArmOptions, typed: "TypedNumbers") -> "Rewards":
    """Return the rewards of the requested kind. Raise UsageError for a mean or a standard deviation out of range."""
    from tsoft.features.bandit.simulation import bernoulli, gaussian

    if arms.rewards == "bernoulli" and arms.sd is not None:
        raise UsageError("--sd has no effect on bernoulli rewards; remove --sd or use --rewards gaussian")
    low, high = (0.0, 1.0) if arms.rewards == "bernoulli" else (-LARGEST, LARGEST)
    for place, mean in zip(typed.places, typed.numbers, strict=True):
        if not low <= mean <= high:
            problem = f"argument {place}: {mean:g} is not a mean of {arms.rewards} rewards"
            raise UsageError(f"{problem}; pass a number from {low:g} to {high:g}")
    sd = 1.0 if arms.sd is None else arms.sd
    if not 0 <= sd <= LARGEST:
        raise UsageError(f"--sd: {sd:g} is not a standard deviation; pass a number from 0 to {LARGEST:g}")
    return bernoulli if arms.rewards == "bernoulli" else gaussian(sd)


def _explorations(
    typed: "TypedNumbers", schedules: "list[TemperatureSchedule]", rewards: "Rewards", runs: int, seed: int
) -> "Iterator[Exploration]":
    """Yield the exploration along each schedule. All use the same random numbers."""
    import numpy as np

    from tsoft.features.bandit.simulation import Exploration

    means = np.array(typed.numbers)
    for schedule in schedules:
        yield Exploration(schedule.schedule, seed, means, typed.labels, _history(means, schedule, rewards, runs, seed))


def _history(
    means: "Array", schedule: "TemperatureSchedule", rewards: "Rewards", runs: int, seed: int
) -> "RunAverages":
    """Return the averages over the runs, with a progress bar if they take long."""
    from functools import reduce

    from tsoft.features.bandit.simulation import combined, history, play, run_blocks

    blocks = list(run_blocks(runs, len(means), seed))
    steps_of_blocks: Iterator[Iterator[BanditStep]] = (
        play(means, schedule.taus, block.runs, rewards, block.generator) for block in blocks
    )
    if sys.stderr is not None and sys.stderr.isatty():
        steps_of_blocks = watched_steps(steps_of_blocks, schedule, len(blocks))
    return reduce(combined, (history(steps, means) for steps in steps_of_blocks))


def watched_steps(
    steps_of_blocks: "Iterator[Iterator[BanditStep]]", schedule: "TemperatureSchedule", blocks: int
) -> "Iterator[Iterator[BanditStep]]":
    """Yield the steps of each block, with a progress bar over all steps if they take long."""
    from tsoft.output.watching import watched

    count, steps_per_block = itertools.count(1), len(schedule.taus)
    steps = itertools.chain.from_iterable(steps_of_blocks)
    shown = watched(steps, lambda *_: (schedule.schedule, next(count)), lambda _: steps_per_block * blocks)
    for _ in range(blocks):
        yield itertools.islice(shown, steps_per_block)
    # This removes the progress bar.
    next(shown, None)
