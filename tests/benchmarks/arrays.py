"""A large .npy in, an .npy out: a whole process, its time and its memory."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pairs import PYTHON, TSOFT, Measure, Pair, process
from text import PEAK

CLASSES = 131_072
# What the design's budget is for, and what the time is measured of.
LARGE, SMALL = 4096, 512
# In MB.
MOST = 300.0
SCRIPT = """
import sys, numpy
from scipy.special import softmax
logits = numpy.load(sys.argv[1])
numpy.save(sys.argv[2], softmax(logits / numpy.float32(0.7), axis=-1))
"""


def write_rows(path: Path, rows: int) -> Path:
    """An array of so many rows of float32 logits, not held in memory either."""
    array = np.lib.format.open_memmap(path, "w+", np.float32, (rows, CLASSES))
    random = np.random.default_rng(1)
    for first in range(0, rows, 64):
        part = array[first : first + 64]
        random.standard_normal(part.shape, np.float32, part)
    return path


def command(folder: Path, rows: int) -> list[str]:
    source = write_rows(folder / "in.npy", rows)
    return [TSOFT, "compute", "-i", str(source), "--tau", "0.7", "-o", str(folder / "ours.npy")]


def through(folder: Path) -> tuple[Measure, Measure]:
    ours = command(folder, SMALL)
    return process(ours), process([PYTHON, "-c", SCRIPT, str(folder / "in.npy"), str(folder / "theirs.npy")])


def peak(folder: Path) -> tuple[Measure, Measure]:
    """The peak of the resident memory in MB, against what it may be."""
    ours, unit = command(folder, LARGE), 1 if sys.platform == "darwin" else 1024

    def measure() -> float:
        return int(subprocess.check_output([PYTHON, "-c", PEAK, *ours])) * unit / 1e6

    return measure, lambda: MOST


PAIRS: Sequence[Pair] = (
    Pair(
        f"{SMALL} × {CLASSES} float32, .npy to .npy", "numpy.load, scipy, numpy.save", through, needs="scipy", repeat=5
    ),
    Pair("peak memory, 2 GB .npy to .npy", "300 MB", peak, budget=1.0, needs="resource", repeat=1, unit="MB"),
)
