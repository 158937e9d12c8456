"""Run tsoft on random command lines and inputs, and report each run that fails in a way no run should.

    python tests/fuzz/run.py --runs 10000 --seed 1
    python tests/fuzz/run.py --kind round-trips --runs 1000

The module of each kind describes its runs; .github/CONTRIBUTING.md lists the kinds.

A run fails with an internal error, a traceback, a warning of Python on stderr, an exit code that the manual does not
list, no end within the limit, or a JSON output that does not parse. The exit code is 1 if a run failed. Each failure
shows the options that repeat it: `--seed S --case N`.
"""

import argparse
import collections
import contextlib
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import command_lines
import explorer_sessions
import gguf_files
import hostile_server
import processes
import round_trips
from outcomes import Outcome

SECONDS = 20
MEMORY = 6 << 30


class Hang(BaseException):
    """A run reached its limit of time. No `except Exception` of the program catches it."""


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    """Raise Hang in this process after the limit of seconds."""

    def end(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def _start(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    os.environ.update({"PYTHONWARNINGS": "default", "TERM": "xterm-256color"})
    for name in ("OPENAI_API_KEY", "TSOFT_TRACEBACK", "COLUMNS", "LINES"):
        os.environ.pop(name, None)


KINDS = {
    "commands": command_lines.run,
    "explorer": explorer_sessions.run,
    "gguf": gguf_files.run,
    "processes": processes.run,
    "round-trips": round_trips.run,
    "server": hostile_server.run,
}


def _run_numbered(numbered: tuple[str, int, int]) -> Outcome:
    """Make one run in an empty folder, and add to its problem the options that repeat it."""
    kind, seed, number = numbered
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), _limit():
        try:
            outcome = KINDS[kind](random.Random(f"{seed} {number}"))
        except Hang:
            outcome = Outcome(kind, "hang", f"no end within {SECONDS} s")
        except BaseException as error:
            outcome = Outcome(kind, "exception", f"{type(error).__name__}: {error}")
    if outcome.problem:
        return replace(outcome, problem=f"--kind {kind} --seed {seed} --case {number}: {outcome.problem}")
    return outcome


def main() -> int:
    """Run the cases, print the failures and a summary, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=list(KINDS), default="commands")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="run only this case of the seed")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    numbers = range(options.runs) if options.case is None else [options.case]
    cases = [(options.kind, options.seed, number) for number in numbers]
    codes: collections.Counter[tuple[str, int | str]] = collections.Counter()
    failures = 0
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.workers, _start, (MEMORY,)) as pool:
        for outcome in pool.imap_unordered(_run_numbered, cases, chunksize=20):
            codes[outcome.name, outcome.status] += 1
            if outcome.problem:
                failures += 1
                print(outcome.problem, flush=True)
    for (command, status), count in sorted(codes.items(), key=str):
        print(f"{command:10} exit {status}: {count}")
    succeeded = sum(count for (_, status), count in codes.items() if status == 0)
    print(f"{len(cases)} runs, {failures} failures, {100 * succeeded / len(cases):.1f} % with exit code 0")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
