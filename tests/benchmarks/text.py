"""Text in, text out: a whole process that reads and writes many lines, its time and its memory."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pairs import PYTHON, TSOFT, Measure, Pair, process

LINES, CLASSES = 200_000, 1_000_000
ROWS = f"{LINES} lines × 10, text to text"
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


# The same by hand: mawk or whatever awk is there, which prints six digits.
AWK = """{
    top = $1; sum = 0
    for (i = 2; i <= NF; i++) if ($i > top) top = $i
    for (i = 1; i <= NF; i++) sum += $i = exp(($i - top) / 0.7)
    for (i = 1; i <= NF; i++) $i /= sum
    print
}"""
PANDAS = """
import sys, numpy, pandas
logits = pandas.read_csv(sys.argv[1], sep=sys.argv[3], header=None).to_numpy() / 0.7
probs = numpy.exp(logits - logits.max(1, keepdims=True))
probs /= probs.sum(1, keepdims=True)
pandas.DataFrame(probs).to_csv(sys.argv[2], sep="\\t", header=False, index=False)
"""
POLARS = """
import sys, numpy, polars
logits = polars.read_csv(sys.argv[1], separator=sys.argv[3], has_header=False).to_numpy() / 0.7
probs = numpy.exp(logits - logits.max(1, keepdims=True))
probs /= probs.sum(1, keepdims=True)
polars.DataFrame(probs).write_csv(sys.argv[2], separator="\\t", include_header=False)
"""
VECTOR = """
import sys, numpy
logits = numpy.loadtxt(sys.argv[1]) / 0.7
probs = numpy.exp(logits - logits.max())
numpy.savetxt(sys.argv[2], probs[None] / probs.sum(), delimiter="\\t")
"""
LONG = """
import sys, numpy, pandas
table = pandas.read_csv(sys.argv[1])
logits = table.pivot(index="row", columns="index", values="logit").to_numpy() / 0.7
probs = numpy.exp(logits - logits.max(1, keepdims=True))
probs /= probs.sum(1, keepdims=True)
pandas.DataFrame(probs).to_csv(sys.argv[2], sep="\\t", header=False, index=False)
"""


def write_lengths(path: Path) -> Path:
    """A file of LINES rows, of nine numbers and of eleven in turn."""
    logits = iter((np.random.default_rng(1).standard_normal(LINES * 10) * 4).tolist())
    with path.open("w") as file:
        for i in range(LINES):
            file.write(" ".join(f"{next(logits):.6g}" for _ in range(9 + i % 2 * 2)) + "\n")
    return path


def write_vector(path: Path) -> Path:
    """A file of one vector, a class a line."""
    logits = np.random.default_rng(1).standard_normal(CLASSES) * 4
    path.write_text("".join(f"{z:.6g}\n" for z in logits.tolist()))
    return path


def write_long(path: Path) -> Path:
    """A file of as many classes in the long form, ten a row."""
    logits = np.random.default_rng(1).standard_normal(CLASSES) * 4
    lines = (f"{i // 10},{i % 10},c{i % 10},{z:.6g}\n" for i, z in enumerate(logits.tolist()))
    path.write_text("row,index,label,logit\n" + "".join(lines))
    return path


def through(
    write: Callable[[Path], Path], *command: str, separator: str = " "
) -> Callable[[Path], tuple[Measure, Measure]]:
    """A file through tsoft, and through another command or, where it is one word, that script."""

    def prepare(folder: Path) -> tuple[Measure, Measure]:
        source = write(folder / "in.txt")
        ours = process([TSOFT, "compute", "--tau", "0.7"], stdin=source, stdout=folder / "ours.txt")
        if len(command) > 1:
            return ours, process(command, stdin=source, stdout=folder / "theirs.txt")
        names = [str(source), str(folder / "theirs.txt"), separator]
        return ours, process([PYTHON, "-c", *command, *names])

    return prepare


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
    Pair(ROWS, "numpy.loadtxt, scipy, numpy.savetxt", through(write_rows, SCRIPT), 0.4, "scipy", 5),
    Pair(ROWS, "polars.read_csv, numpy, write_csv", through(write_rows, POLARS), None, "polars", 5),
    Pair(ROWS, "pandas.read_csv, numpy, to_csv", through(write_rows, PANDAS), None, "pandas", 3),
    Pair(ROWS, "awk, six digits", through(write_rows, "awk", AWK), None, program="awk", repeat=3),
    Pair(
        f"{LINES} lines × 9 and 11 in turn",
        "awk, six digits",
        through(write_lengths, "awk", AWK),
        None,
        program="awk",
        repeat=3,
    ),
    Pair(
        f"{CLASSES} lines × 1, a vector", "numpy.loadtxt, numpy, numpy.savetxt", through(write_vector, VECTOR), repeat=3
    ),
    Pair(
        f"{CLASSES} classes in the long form",
        "pandas.read_csv, pivot, to_csv",
        through(write_long, LONG),
        None,
        "pandas",
        3,
    ),
    Pair(f"peak memory, {LINES * 10} lines", f"the same, {LINES} lines", peaks, needs="resource", repeat=1, unit="MB"),
)
