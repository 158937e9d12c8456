"""Time and memory of a process that reads and writes a large .npy file."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pairs import PYTHON, TSOFT, Measure, Pair, process
from text import PEAK

CLASSES = 131_072
# Rows of the arrays for the peak memory (2 GB) and for the time.
LARGE, SMALL = 4096, 512
# The budget for the peak memory, in MB.
MEMORY_BUDGET = 300.0
SCRIPT = """
import sys, numpy
from scipy.special import softmax
logits = numpy.load(sys.argv[1])
numpy.save(sys.argv[2], softmax(logits / numpy.float32(0.7), axis=-1))
"""

PARQUET = """
import sys, numpy, polars
table = polars.read_parquet(sys.argv[1])
logits = table.to_numpy() / numpy.float32(0.7)
probs = numpy.exp(logits - logits.max(1, keepdims=True))
probs /= probs.sum(1, keepdims=True)
polars.DataFrame(probs, schema=table.columns).write_parquet(sys.argv[2])
"""


def write_rows(path: Path, rows: int) -> Path:
    """Write an array of float32 logits without holding it in memory."""
    array = np.lib.format.open_memmap(path, "w+", np.float32, (rows, CLASSES))
    random = np.random.default_rng(1)
    for first in range(0, rows, 64):
        chunk = array[first : first + 64]
        random.standard_normal(chunk.shape, np.float32, chunk)
    return path


def command(folder: Path, rows: int) -> list[str]:
    source = write_rows(folder / "in.npy", rows)
    return [TSOFT, "compute", "-i", str(source), "--tau", "0.7", "-o", str(folder / "ours.npy")]


def npy_to_npy(folder: Path) -> tuple[Measure, Measure]:
    ours = command(folder, SMALL)
    return process(ours), process([PYTHON, "-c", SCRIPT, str(folder / "in.npy"), str(folder / "theirs.npy")])


def peak(folder: Path) -> tuple[Measure, Measure]:
    """Compare the peak of the resident memory, in MB, with its budget."""
    ours, unit = command(folder, LARGE), 1 if sys.platform == "darwin" else 1024

    def measure() -> float:
        return int(subprocess.check_output([PYTHON, "-c", PEAK, *ours])) * unit / 1e6

    return measure, lambda: MEMORY_BUDGET


def without_unwritten_data(measure: Measure, output: Path) -> Measure:
    """Return the same measure after everything is on the disk and the output is gone. Otherwise, the system slows down
    programs that write, until the disk has caught up."""

    def fresh() -> float:
        output.unlink(missing_ok=True)
        os.sync()
        return measure()

    return fresh


def large_npy_to_npy(folder: Path) -> tuple[Measure, Measure]:
    ours, theirs = folder / "ours.npy", folder / "theirs.npy"
    tsoft = process(command(folder, LARGE))
    cat = process(["cat", str(folder / "in.npy")], stdout=theirs)
    return without_unwritten_data(tsoft, ours), without_unwritten_data(cat, theirs)


def parquet_to_parquet(rows: int, classes: int, dtype: str) -> Callable[[Path], tuple[Measure, Measure]]:
    """Compare the files of a table with one column per class."""

    def prepare(folder: Path) -> tuple[Measure, Measure]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        logits = (np.random.default_rng(1).standard_normal((rows, classes)) * 4).astype(dtype)
        source = folder / "in.parquet"
        pq.write_table(pa.table({f"c{i}": pa.array(column) for i, column in enumerate(logits.T.copy())}), source)
        ours = process([TSOFT, "compute", "-i", str(source), "--tau", "0.7", "-o", str(folder / "ours.parquet")])
        return ours, process([PYTHON, "-c", PARQUET, str(source), str(folder / "theirs.parquet")])

    return prepare


PAIRS: Sequence[Pair] = (
    Pair(
        f"{SMALL} × {CLASSES} float32, .npy to .npy",
        "numpy.load, scipy, numpy.save",
        npy_to_npy,
        needs="scipy",
        repeat=5,
    ),
    Pair(
        "peak memory, 2 GB .npy to .npy",
        f"{MEMORY_BUDGET:g} MB",
        peak,
        budget=1.0,
        needs="resource",
        repeat=1,
        unit="MB",
    ),
    Pair(
        "2 GB .npy to .npy",
        "cat to a file",
        large_npy_to_npy,
        budget=1.6,
        program="cat",
        repeat=3,
    ),
    Pair(
        "200000 × 10 float64, .parquet to .parquet",
        "polars.read_parquet, numpy, write_parquet",
        parquet_to_parquet(200_000, 10, "f8"),
        budget=1.2,
        needs="polars",
        repeat=5,
    ),
    Pair(
        "2000 × 5000 float32, .parquet to .parquet",
        "polars.read_parquet, numpy, write_parquet",
        parquet_to_parquet(2000, 5000, "f4"),
        budget=1.2,
        needs="polars",
        repeat=5,
    ),
)
