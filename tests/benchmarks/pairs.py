"""A pair of things to measure, ours and theirs, and how it is measured."""

import contextlib
import gc
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from statistics import median

# Runs once and gives what it took.
Measure = Callable[[], float]

PYTHON = sys.executable
# The script that a user runs, of the environment that this Python is of.
TSOFT = str(Path(sysconfig.get_path("scripts"), "tsoft"))


@dataclass(frozen=True)
class Pair:
    """What is measured, and against what. `prepare` is given an empty folder and makes the two
    measures, ours first; they and their data are gone before the next pair. `budget` is the
    highest ratio that is well, None where the row only informs. It needs a module or a `program`, or
    neither. `typical` makes one of many.

    The typical time is the median for a process, whose time varies by itself: its user meets the
    middle. A kernel does the same work at each call, and what comes on top is other programs':
    there it is the minimum.
    """

    what: str
    against: str
    prepare: Callable[[Path], tuple[Measure, Measure]]
    budget: float | None = None
    needs: str | None = None
    repeat: int = 15
    typical: Callable[[Sequence[float]], float] = median
    unit: str = "ms"
    program: str | None = None


@dataclass(frozen=True)
class Result:
    ours: float
    theirs: float
    budget: float | None

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def over(self) -> bool:
        return self.budget is not None and self.ratio > self.budget


def measured(pair: Pair, repeat: int | None = None) -> Result | None:
    """Ours and theirs in turn, so that a busy machine hits both alike; None where what is
    compared with is not installed."""
    if (pair.needs and find_spec(pair.needs) is None) or (pair.program and which(pair.program) is None):
        return None
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = pair.prepare(Path(folder))
        turns = [(ours(), theirs()) for _ in range(repeat or pair.repeat)]
    our_times, their_times = zip(*turns, strict=True)
    return Result(pair.typical(our_times), pair.typical(their_times), pair.budget)


def call(function: Callable[[], object]) -> Measure:
    """How long a call takes, in ms."""

    def measure() -> float:
        # The other's idle threads may spin for a while: torch's wait so for more work.
        time.sleep(0.02)
        gc.collect()
        start = time.perf_counter()
        result = function()
        took = time.perf_counter() - start
        # Not before: to free the result is the caller's affair.
        del result
        return took * 1000

    return measure


def process(
    command: Sequence[str],
    env: dict[str, str] | None = None,
    stdin: Path = Path(os.devnull),
    stdout: Path | None = None,
) -> Measure:
    """How long a process takes from its start to its end, in ms. Its output goes to a file or
    else through a pipe."""

    def measure() -> float:
        with stdin.open("rb") as source, contextlib.ExitStack() as stack:
            sink = stack.enter_context(stdout.open("wb")) if stdout else subprocess.PIPE
            start = time.perf_counter()
            subprocess.run(command, stdin=source, stdout=sink, stderr=subprocess.PIPE, env=env, check=True)
            return (time.perf_counter() - start) * 1000

    return measure
