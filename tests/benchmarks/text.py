"""Text in, text out: a whole process that reads and writes many lines, its time and its memory."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pairs import PYTHON, TSOFT, Measure, Pair, process

LINES = 200_000
# What a user would write without tsoft. Given names and not streams, loadtxt is at its quickest.
SCRIPT = """
import sys, numpy
from scipy.special import softmax
logits = numpy.loadtxt(sys.argv[1])
numpy.savetxt(sys.argv[2], softmax(logits / 0.7, axis=-1))
"""
# To a process's peak Linux adds its parent's at the fork, so that the parent must be a small one.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def write_rows(path: Path, times: int = 1) -> Path:
    """A file of LINES rows, so many times over."""
    rows = np.random.default_rng(1).standard_normal((LINES, 10)) * 4
    text = "".join(" ".join(f"{z:.6g}" for z in row) + "\n" for row in rows.tolist())
    with path.open("w") as file:
        for _ in range(times):
            file.write(text)
    return path


def through(folder: Path) -> tuple[Measure, Measure]:
    source = write_rows(folder / "in.txt")
    ours = process([TSOFT, "compute", "--tau", "0.7"], stdin=source, stdout=folder / "ours.txt")
    theirs = process([PYTHON, "-c", SCRIPT, str(source), str(folder / "theirs.txt")])
    return ours, theirs


def peak(source: Path) -> Measure:
    """The peak of the resident memory while a file goes through, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024

    def measure() -> float:
        with source.open("rb") as file:
            command = [PYTHON, "-c", PEAK, TSOFT, "compute", "--tau", "0.7"]
            return int(subprocess.check_output(command, stdin=file)) * unit / 1e6

    return measure


def peaks(folder: Path) -> tuple[Measure, Measure]:
    return peak(write_rows(folder / "many.txt", 10)), peak(write_rows(folder / "few.txt"))


PAIRS: Sequence[Pair] = (
    # A budget of 0.4 comes with the quick reader.
    Pair(f"{LINES} lines × 10, text to text", "numpy.loadtxt, scipy, numpy.savetxt", through, needs="scipy", repeat=3),
    Pair(f"peak memory, {LINES * 10} lines", f"the same, {LINES} lines", peaks, needs="resource", repeat=1, unit="MB"),
)
