"""The peak memory of a command and the processes that it starts."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pairs import Measure

# The time between two looks at the memory, in seconds.
PAUSE = 0.005


def processes(pid: int) -> Iterator[int]:
    """Yield a process and those that it has started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from processes(int(child))


def memory(pid: int) -> float:
    """Return the memory of a process and those that it has started, in MB, by their proportional set sizes: memory that
    several processes share counts once."""
    total = 0
    try:
        for process in processes(pid):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        # The process has just ended.
        return 0.0
    return total * 1024 / 1e6


def peak_of_all(command: Sequence[str], stdin: Path) -> Measure:
    """Return a measure of the peak memory of a command that reads a file, in MB, on Linux."""

    def measure() -> float:
        with stdin.open("rb") as source:
            process = subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL, env=os.environ)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(PAUSE)
        assert process.returncode == 0
        return peak

    return measure
