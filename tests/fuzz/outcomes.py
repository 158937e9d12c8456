"""How a run of the fuzzer ended, and what no run of tsoft may do."""

import itertools
import json
import re
import subprocess
from dataclasses import dataclass

EXIT_CODES = {0, 1, 2, 3, 4, 130, 141}
NOISE = re.compile(r"internal error|Traceback|Warning:|not enough memory")


@dataclass(frozen=True)
class Outcome:
    """The name of a run, its exit code or another word for its end, and its problem; empty if it has none."""

    name: str
    status: int | str
    problem: str = ""


def problem_of(done: subprocess.CompletedProcess[bytes], arguments: list[str]) -> str:
    """Return what a run of tsoft with these arguments did wrong; empty if nothing."""
    stderr = done.stderr.decode(errors="replace")
    if done.returncode not in EXIT_CODES:
        return f"exit code {done.returncode}"
    if noise := NOISE.search(stderr):
        return stderr[max(0, noise.start() - 100) : noise.start() + 300]
    formats = [value for name, value in itertools.pairwise(arguments) if name in ("-f", "--format")]
    if done.returncode == 0 and done.stdout and "-o" not in arguments and formats and formats[-1] in ("json", "jsonl"):
        try:
            for document in [done.stdout] if formats[-1] == "json" else done.stdout.splitlines():
                json.loads(document)
        except ValueError as error:
            return f"stdout is not {formats[-1]}: {error}"
    return ""
