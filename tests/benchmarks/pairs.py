"""A pair of measurements, one of tsoft and one of another program."""

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

# Runs the task once and returns the time or the memory that it took.
Measure = Callable[[], float]

PYTHON = sys.executable
# The `tsoft` script that belongs to this Python.
TSOFT = str(Path(sysconfig.get_path("scripts"), "tsoft"))


@dataclass(frozen=True)
class Pair:
    """A task of tsoft and what it is compared with.

    `prepare` gets an empty folder and returns the two measures, tsoft's first. The folder is removed before the next
    pair. `budget` is the highest acceptable ratio; None for a row that only informs. The pair is skipped if the module
    `needs` or the `program` is not installed. `typical` reduces the times of all repetitions to one.

    A process has a varying time, and its user experiences the median. A function does the same work in each call, and
    other programs can only add to its time, so that the minimum is right.
    """

    task: str
    against: str
    prepare: Callable[[Path], tuple[Measure, Measure]]
    budget: float | None = None
    needs: str | None = None
    repeat: int = 15
    typical: Callable[[Sequence[float]], float] = median
    unit: str = "ms"
    program: str | None = None

    @property
    def missing(self) -> str | None:
        """The module or the program that is not installed, if there is one."""
        if self.needs and find_spec(self.needs) is None:
            return self.needs
        return self.program if self.program and which(self.program) is None else None


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
    """Run both measures in turn, so that a busy machine slows down both.

    Returns None if the other program is not installed.
    """
    if pair.missing:
        return None
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = pair.prepare(Path(folder))
        turns = [(ours(), theirs()) for _ in range(repeat or pair.repeat)]
    our_times, their_times = zip(*turns, strict=True)
    return Result(pair.typical(our_times), pair.typical(their_times), pair.budget)


def call(function: Callable[[], object]) -> Measure:
    """Return a measure of the time of a call, in ms."""

    def measure() -> float:
        # The idle threads of the other side, such as torch's, may spin for a while.
        time.sleep(0.02)
        gc.collect()
        start = time.perf_counter()
        result = function()
        seconds = time.perf_counter() - start
        # The time to free the result does not count.
        del result
        return seconds * 1000

    return measure


def process(
    command: Sequence[str],
    env: dict[str, str] | None = None,
    stdin: Path = Path(os.devnull),
    stdout: Path | None = None,
    status: int = 0,
) -> Measure:
    """Return a measure of the time of a whole process, in ms. It writes to `stdout`, or to a pipe, and must end with
    the exit code `status`.

    Python may write bytecode, because tsoft would otherwise be compiled in each run, unlike installed packages.
    """
    environ = {name: value for name, value in (env or os.environ).items() if name != "PYTHONDONTWRITEBYTECODE"}

    def measure() -> float:
        with stdin.open("rb") as source, contextlib.ExitStack() as stack:
            sink = stack.enter_context(stdout.open("wb")) if stdout else subprocess.PIPE
            start = time.perf_counter()
            done = subprocess.run(command, stdin=source, stdout=sink, stderr=subprocess.PIPE, env=environ)
            seconds = time.perf_counter() - start
        if done.returncode != status:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
        return seconds * 1000

    return measure
