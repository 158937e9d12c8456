"""A temperature fitted to many rows: its time, and how often it goes through them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pairs import Measure, Pair, call

from tsoft.core.fit import fit_rows
from tsoft.core.interval import bootstrap
from tsoft.core.labelled_rows import LabelledRows
from tsoft.core.softmax import log_softmax
from tsoft.features.calibrate.reliability import score_rows

ROWS, CLASSES, BLOCK = 50_000, 1000, 1000
# What a fit may take, with what is measured at it.
MOST = 12.0


def examples() -> list[LabelledRows]:
    """Blocks of logits that are over-confident by 1.7."""
    random = np.random.default_rng(1)
    blocks = []
    for _ in range(0, ROWS, BLOCK):
        z = random.standard_normal((BLOCK, CLASSES), np.float32) * 3
        blocks.append(LabelledRows(z, (z / 1.7 + random.gumbel(size=z.shape)).argmax(1)))
    return blocks


def fitted(_: Path) -> tuple[Measure, Measure]:
    """To full precision, against a generic minimiser with its own default tolerance, over our softmax."""
    from scipy.optimize import minimize_scalar

    blocks = examples()

    def nll(log_tau: float) -> float:
        parts = (-log_softmax(of.logits, np.exp(log_tau))[np.arange(BLOCK), of.targets].sum() for of in blocks)
        return float(sum(parts))

    return call(lambda: fit_rows(lambda: blocks)), call(lambda: minimize_scalar(nll, bounds=(-5, 5), method="bounded"))


def resampled(_: Path) -> tuple[Measure, Measure]:
    """A thousand refits, against ten fits one after the other."""
    blocks = examples()
    found = fit_rows(lambda: blocks)

    def ours() -> None:
        bootstrap(lambda: blocks, found, 1000, np.random.default_rng(1))

    def theirs() -> None:
        for _ in range(10):
            fit_rows(lambda: blocks)

    return call(ours), call(theirs)


def passes(_: Path) -> tuple[Measure, Measure]:
    """How often the rows are gone through, from the survey to the measures."""
    blocks = examples()

    def measure() -> float:
        count = 0

        def counted() -> Iterable[LabelledRows]:
            nonlocal count
            count += 1
            return blocks

        tau = fit_rows(counted).tau
        score_rows(counted, np.array([1.0, tau]), 2)
        return float(count)

    return measure, lambda: MOST


WHAT = f"{ROWS} × {CLASSES} float32"

PAIRS: Sequence[Pair] = (
    Pair(f"calibration of {WHAT}", "scipy.optimize.minimize_scalar", fitted, None, "scipy", 3, min),
    Pair(f"1000 refits of {WHAT}", "10 fits", resampled, None, repeat=3, typical=min),
    Pair(f"passes of a calibration, {WHAT}", "12 passes", passes, budget=1.0, repeat=1, unit="passes"),
)
