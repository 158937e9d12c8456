"""Time and memory of a process that reads and writes many lines of text."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from memory import peak_of_all
from pairs import PYTHON, TSOFT, Measure, Pair, process

LINES, CLASSES = 200_000, 1_000_000
# The budget for the peak memory of all processes, in MB.
MEMORY_BUDGET = 150.0
ROWS = f"{LINES} lines × 10 numbers, text to text"
# What a user would write without tsoft. loadtxt is fastest with file names.
SCRIPT = """
import sys, numpy
from scipy.special import softmax
logits = numpy.loadtxt(sys.argv[1])
numpy.savetxt(sys.argv[2], softmax(logits / 0.7, axis=-1))
"""
# On Linux, the peak of a process includes the memory of its parent at the fork, so a small process starts tsoft.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def write_rows(path: Path, times: int = 1) -> Path:
    """Write a file with the same LINES rows, repeated `times` times."""
    rows = np.random.default_rng(1).standard_normal((LINES, 10)) * 4
    text = "".join(" ".join(f"{z:.6g}" for z in row) + "\n" for row in rows.tolist())
    with path.open("w") as file:
        for _ in range(times):
            file.write(text)
    return path


# Any awk, such as mawk. It prints six digits.
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
    """Write a file of LINES rows with 9 and 11 numbers in turn."""
    logits = iter((np.random.default_rng(1).standard_normal(LINES * 10) * 4).tolist())
    with path.open("w") as file:
        for i in range(LINES):
            file.write(" ".join(f"{next(logits):.6g}" for _ in range(9 + i % 2 * 2)) + "\n")
    return path


def write_vector(path: Path) -> Path:
    """Write a file with one vector, one class per line."""
    logits = np.random.default_rng(1).standard_normal(CLASSES) * 4
    path.write_text("".join(f"{z:.6g}\n" for z in logits.tolist()))
    return path


def write_long(path: Path) -> Path:
    """Write a file in the long form, with ten classes per row."""
    logits = np.random.default_rng(1).standard_normal(CLASSES) * 4
    lines = (f"{i // 10},{i % 10},c{i % 10},{z:.6g}\n" for i, z in enumerate(logits.tolist()))
    path.write_text("row,index,label,logit\n" + "".join(lines))
    return path


def text_to_text(
    write: Callable[[Path], Path], *command: str, separator: str = " "
) -> Callable[[Path], tuple[Measure, Measure]]:
    """Compare tsoft with another command, or with a Python script if there is only one word."""

    def prepare(folder: Path) -> tuple[Measure, Measure]:
        source = write(folder / "in.txt")
        ours = process([TSOFT, "compute", "--tau", "0.7"], stdin=source, stdout=folder / "ours.txt")
        if len(command) > 1:
            return ours, process(command, stdin=source, stdout=folder / "theirs.txt")
        arguments = [str(source), str(folder / "theirs.txt"), separator]
        return ours, process([PYTHON, "-c", *command, *arguments])

    return prepare


def peak(source: Path) -> Measure:
    """Return a measure of the peak resident memory of a run on a file, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024

    def measure() -> float:
        with source.open("rb") as file:
            command = [PYTHON, "-c", PEAK, TSOFT, "compute", "--tau", "0.7"]
            return int(subprocess.check_output(command, stdin=file)) * unit / 1e6

    return measure


def peaks(folder: Path) -> tuple[Measure, Measure]:
    return peak(write_rows(folder / "many.txt", 10)), peak(write_rows(folder / "few.txt"))


def peak_in_total(folder: Path) -> tuple[Measure, Measure]:
    """Compare the peak memory of all processes of a run, in MB, with its budget."""
    ours = peak_of_all([TSOFT, "compute", "--tau", "0.7"], write_rows(folder / "in.txt", 10))
    return ours, lambda: MEMORY_BUDGET


PAIRS: Sequence[Pair] = (
    Pair(ROWS, "numpy.loadtxt, scipy, numpy.savetxt", text_to_text(write_rows, SCRIPT), 0.4, "scipy", 5),
    Pair(ROWS, "polars.read_csv, numpy, write_csv", text_to_text(write_rows, POLARS), 1.0, "polars", 5),
    Pair(ROWS, "pandas.read_csv, numpy, to_csv", text_to_text(write_rows, PANDAS), None, "pandas", 3),
    Pair(ROWS, "awk, with six digits", text_to_text(write_rows, "awk", AWK), None, program="awk", repeat=3),
    Pair(
        f"{LINES} lines × 9 or 11 numbers in turn",
        "awk, with six digits",
        text_to_text(write_lengths, "awk", AWK),
        None,
        program="awk",
        repeat=3,
    ),
    Pair(
        f"a vector of {CLASSES} lines, text to text",
        "numpy.loadtxt, numpy, numpy.savetxt",
        text_to_text(write_vector, VECTOR),
        repeat=3,
    ),
    Pair(
        f"{CLASSES} lines in the long form, text to text",
        "pandas.read_csv, pivot, to_csv",
        text_to_text(write_long, LONG),
        None,
        "pandas",
        3,
    ),
    Pair(
        f"peak memory, {LINES * 10} lines", f"peak memory, {LINES} lines", peaks, needs="resource", repeat=1, unit="MB"
    ),
    *(
        [
            Pair(
                f"peak memory of all processes, {LINES * 10} lines",
                f"{MEMORY_BUDGET:g} MB",
                peak_in_total,
                budget=1.0,
                repeat=1,
                unit="MB",
            )
        ]
        if sys.platform == "linux"
        else []
    ),
)
