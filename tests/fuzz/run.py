"""Run tsoft on random command lines and inputs, and report each run that fails in a way no run should.

    python tests/fuzz/run.py --runs 10000 --seed 1
    python tests/fuzz/run.py --kind round-trips --runs 1000

The kind `commands` draws a command with options and an input, which is damaged in a third of the runs. `round-trips`
compares the probabilities that tsoft reads from its own output with the formula.

A run fails with an internal error, a traceback, a warning of Python on stderr, an exit code that the manual does not
list, no end within the limit, or a JSON output that does not parse. The exit code is 1 if a run failed. Each failure
shows the options that repeat it: `--seed S --case N`.
"""

import argparse
import collections
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import re
import resource
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import command_lines
import round_trips
import tool

EXIT_CODES = {0, 1, 2, 3, 4, 130, 141}
SECONDS = 20
MEMORY = 6 << 30
NOISE = re.compile(r"internal error|Traceback|Warning:|not enough memory")


class Hang(BaseException):
    """A run reached its limit of time. No `except Exception` of the program catches it."""


Outcome = tuple[str, str, int | str]
"""The command of a run, its problem (empty if it has none) and its exit code."""


def run_round_trip(seed: int, number: int) -> Outcome:
    """Make one round trip in this process."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), _limit():
        try:
            problem = round_trips.problem(random.Random(f"{seed} {number}"))
        except Hang:
            problem = f"no end within {SECONDS} s"
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
    if problem:
        problem = f"--kind round-trips --seed {seed} --case {number}: {problem}"
    return "compute", problem, 1 if problem else 0


def run_command(seed: int, number: int) -> Outcome:
    """Run one command in this process."""
    case = command_lines.draw(random.Random(f"{seed} {number}"), _parameters())
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), _limit():
        for name, data in case.files.items():
            Path(name).write_bytes(data)
        before = set(os.listdir())
        status: int | str
        try:
            done = tool.here_in_bytes(*case.arguments, stdin=case.stdin)
            status = done.returncode
            problem = _problem(status, done.stdout, done.stderr.decode(errors="replace"), case.arguments)
        except Hang:
            status, problem = "hang", f"no end within {SECONDS} s"
        except BaseException as error:
            status, problem = "exception", f"{type(error).__name__}: {error}"
        created = set(os.listdir()) - before
        outputs = {word for word in case.arguments if word.startswith("out.")}
        if not problem and created - outputs:
            problem = f"unexpected files: {sorted(created - outputs)}"
        if not problem and status in (1, 2) and created:
            problem = f"a file of a run with exit code {status}: {sorted(created)}"
    if problem:
        command = shlex.join(case.arguments)[:1000]
        problem = f"--seed {seed} --case {number}: {problem}\n    tsoft {command}\n    stdin {case.stdin[:300]!r}"
    return case.arguments[0], problem, status


def _problem(status: int, stdout: bytes, stderr: str, arguments: list[str]) -> str:
    if status not in EXIT_CODES:
        return f"exit code {status}"
    if noise := NOISE.search(stderr):
        return stderr[max(0, noise.start() - 100) : noise.start() + 300]
    formats = [value for name, value in itertools.pairwise(arguments) if name in ("-f", "--format")]
    if status == 0 and stdout and "-o" not in arguments and formats and formats[-1] in ("json", "jsonl"):
        try:
            for document in [stdout] if formats[-1] == "json" else stdout.splitlines():
                json.loads(document)
        except ValueError as error:
            return f"stdout is not {formats[-1]}: {error}"
    return ""


def _parameters() -> dict[str, list[object]]:
    from tsoft.cli import Commands

    commands = Commands()
    return {name: commands.get(name).params for name in command_lines.COMMANDS}


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


KINDS = {"commands": run_command, "round-trips": run_round_trip}


def _run_numbered(numbered: tuple[str, int, int]) -> Outcome:
    kind, seed, number = numbered
    return KINDS[kind](seed, number)


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
        for command, problem, status in pool.imap_unordered(_run_numbered, cases, chunksize=20):
            codes[command, status] += 1
            if problem:
                failures += 1
                print(problem, flush=True)
    for (command, status), count in sorted(codes.items(), key=str):
        print(f"{command:10} exit {status}: {count}")
    succeeded = sum(count for (_, status), count in codes.items() if status == 0)
    print(f"{len(cases)} runs, {failures} failures, {100 * succeeded / len(cases):.1f} % with exit code 0")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
