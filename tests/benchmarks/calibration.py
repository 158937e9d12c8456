"""The fit of a temperature to many rows: its time, and how many passes over the rows it needs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pairs import Measure, Pair, call

from tsoft.core.fit import fit_rows
from tsoft.core.interval import bootstrap
from tsoft.core.labeled_rows import LabeledRows, StoredRows
from tsoft.core.softmax import log_softmax
from tsoft.features.calibrate.row_scores import score_rows

ROWS, CLASSES, BLOCK = 50_000, 1000, 1000
# The budget for the passes of a fit and its measures.
PASS_BUDGET = 8.0


class CountedBlocks:
    """Blocks that count the passes over them."""

    def __init__(self, blocks: Sequence[LabeledRows]):
        self._blocks, self.passes = blocks, 0

    def __iter__(self) -> Iterator[LabeledRows]:
        self.passes += 1
        return iter(self._blocks)


def examples() -> list[LabeledRows]:
    """Return blocks of overconfident logits, whose true temperature is 1.7."""
    random = np.random.default_rng(1)
    blocks = []
    for _ in range(0, ROWS, BLOCK):
        z = random.standard_normal((BLOCK, CLASSES), np.float32) * 3
        blocks.append(LabeledRows(z, (z / 1.7 + random.gumbel(size=z.shape)).argmax(1)))
    return blocks


def fitted(_: Path) -> tuple[Measure, Measure]:
    """Compare the fit with scipy's scalar minimizer on tsoft's log-softmax.

    tsoft fits to full precision; scipy fits to its default tolerance.
    """
    from scipy.optimize import minimize_scalar

    rows = StoredRows(examples())

    def nll(log_tau: float) -> float:
        total = 0.0
        for block in rows:
            log_probs = log_softmax(block.logits, np.exp(log_tau))
            total -= float(log_probs[np.arange(BLOCK), block.targets].sum())
        return total

    return call(lambda: fit_rows(rows)), call(lambda: minimize_scalar(nll, bounds=(-5, 5), method="bounded"))


def resampled(_: Path) -> tuple[Measure, Measure]:
    """Compare 1000 bootstrap refits with 10 single fits."""
    rows = StoredRows(examples())
    fit = fit_rows(rows)

    def ours() -> None:
        bootstrap(rows, fit, 1000, np.random.default_rng(1))

    def theirs() -> None:
        for _ in range(10):
            fit_rows(rows)

    return call(ours), call(theirs)


def passes(_: Path) -> tuple[Measure, Measure]:
    """Count the passes over the rows, from the first look at the data to the measures."""
    blocks = examples()

    def measure() -> float:
        counted = CountedBlocks(blocks)
        rows = StoredRows(counted)
        tau = fit_rows(rows).tau
        score_rows(rows, np.array([1.0, tau]), 2)
        return float(counted.passes)

    return measure, lambda: PASS_BUDGET


DATA = f"{ROWS} × {CLASSES} float32"

PAIRS: Sequence[Pair] = (
    Pair(f"fit of τ to {DATA}", "scipy.optimize.minimize_scalar", fitted, None, "scipy", 3, min),
    Pair(f"1000 bootstrap refits of τ to {DATA}", "10 fits", resampled, None, repeat=3, typical=min),
    Pair(
        f"passes to fit τ and measure, {DATA}", f"{PASS_BUDGET:g} passes", passes, budget=1.0, repeat=1, unit="passes"
    ),
)
