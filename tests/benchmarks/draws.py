"""Random draws from a large vocabulary: each draw, or only the counts."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
from pairs import TSOFT, Measure, Pair, call, process
from startup import NUMPY, start

import tsoft
from tsoft.core.draw import COUNTS, DRAWS, counts, draws, generator
from tsoft.core.softmax import Array

CLASSES, SIZE, MANY = 131072, 10_000_000, 10**9


def distribution(spread: float) -> Array:
    logits: Array = np.random.default_rng(1).standard_normal(CLASSES) * spread
    return tsoft.softmax(logits)


def separate_draws(spread: float) -> Pair:
    """Draw from logits with standard deviation `spread`.

    tsoft looks up each draw in a table; the flatter the distribution, the more classes share one cell of it.
    """

    def prepare(_: Path) -> tuple[Measure, Measure]:
        torch = import_module("torch")
        probs = distribution(spread)
        theirs = torch.from_numpy(probs)

        def ours() -> Array:
            return np.concatenate(list(draws(probs, SIZE, generator(1, 0, DRAWS))))

        return call(ours), call(lambda: torch.multinomial(theirs, SIZE, replacement=True))

    task = f"{SIZE} draws from {CLASSES} classes, logits with sd {spread:g}"
    return Pair(task, "torch.multinomial(p, n, True)", prepare, 0.3, "torch", 5, min)


def counted(_: Path) -> tuple[Measure, Measure]:
    probs = distribution(4)
    rng = np.random.default_rng(1)
    return call(lambda: counts(probs, MANY, generator(1, 0, COUNTS))), call(lambda: rng.multinomial(MANY, probs))


def whole(folder: Path) -> tuple[Measure, Measure]:
    """Compare two whole processes that read the same logits and print one line per class."""
    source = folder / "logits.txt"
    logits = np.random.default_rng(1).standard_normal(CLASSES) * 4
    source.write_text("".join(f"{z:.6g}\n" for z in logits.tolist()))
    ours = process([TSOFT, "sample", "-i", str(source), "-n", str(MANY), "--counts"])
    return ours, process([TSOFT, "compute", "-i", str(source)])


PAIRS: Sequence[Pair] = (
    separate_draws(4),
    separate_draws(0.01),
    Pair(
        f"counts of {MANY} draws from {CLASSES} classes",
        "numpy's Generator.multinomial",
        counted,
        None,
        "numpy",
        15,
        min,
    ),
    Pair(f"tsoft sample --counts, {CLASSES} classes", "tsoft compute", whole, None, "numpy", 5),
    start("sample 2 1 0.5 0.1 -n 1e9 --counts", NUMPY),
)
