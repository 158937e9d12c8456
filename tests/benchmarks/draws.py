"""Draws from a large vocabulary, one by one and only counted."""

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


def each(spread: float) -> Pair:
    """Logits of a standard deviation `spread`: the flatter, the more classes share a cell."""

    def prepare(_: Path) -> tuple[Measure, Measure]:
        torch = import_module("torch")
        probs = distribution(spread)
        theirs = torch.from_numpy(probs)

        def ours() -> Array:
            return np.concatenate(list(draws(probs, SIZE, generator(1, 0, DRAWS))))

        return call(ours), call(lambda: torch.multinomial(theirs, SIZE, replacement=True))

    what = f"{SIZE} draws, {CLASSES} classes, sd {spread:g}"
    return Pair(what, "torch.multinomial(p, n, True)", prepare, 0.5, "torch", 5, min)


def counted(_: Path) -> tuple[Measure, Measure]:
    probs = distribution(4)
    rng = np.random.default_rng(1)
    return call(lambda: counts(probs, MANY, generator(1, 0, COUNTS))), call(lambda: rng.multinomial(MANY, probs))


def whole(folder: Path) -> tuple[Measure, Measure]:
    """The whole process: both read the logits and write what they have of each class."""
    source = folder / "logits.txt"
    logits = np.random.default_rng(1).standard_normal(CLASSES) * 4
    source.write_text("".join(f"{z:.6g}\n" for z in logits.tolist()))
    ours = process([TSOFT, "sample", "-i", str(source), "-n", str(MANY), "--counts"])
    return ours, process([TSOFT, "compute", "-i", str(source)])


PAIRS: Sequence[Pair] = (
    each(4),
    each(0.01),
    Pair(f"{MANY} draws counted, {CLASSES} classes", "numpy's multinomial", counted, None, "numpy", 15, min),
    Pair(f"tsoft sample --counts, {CLASSES} classes", "tsoft compute", whole, None, "numpy", 5),
    start("sample 2 1 0.5 0.1 -n 1e9 --counts", NUMPY),
)
