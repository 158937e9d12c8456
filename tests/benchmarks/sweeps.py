"""One row at many temperatures, and the solution for a temperature."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pairs import Measure, Pair, call

from tsoft.core.block import Block
from tsoft.core.solve import solve_perplexity
from tsoft.sampling.apply_chains import distribution_pieces

CLASSES, TAUS = 131072, np.geomspace(0.1, 10, 100)


def sweep(_: Path) -> tuple[Measure, Measure]:
    """Compare the sweep, in pieces as the command computes it, with one in-place softmax per temperature."""
    logits = np.random.default_rng(1).standard_normal((1, CLASSES)) * 4
    row, work = logits[0], np.empty(CLASSES)

    def ours() -> None:
        for piece in distribution_pieces(Block(logits), TAUS):
            piece.probs  # noqa: B018  (The property computes them.)

    def theirs() -> None:
        for tau in TAUS:
            np.divide(row, tau, out=work)
            np.subtract(work, work.max(), out=work)
            np.exp(work, out=work)
            np.divide(work, work.sum(), out=work)

    return call(ours), call(theirs)


def solve(_: Path) -> tuple[Measure, Measure]:
    """Compare a solution, which takes about 60 evaluations, with 60 softmaxes of the row."""
    logits = np.random.default_rng(1).standard_normal((1, CLASSES)) * 4

    def theirs() -> None:
        for _ in range(60):
            work = logits - logits.max()
            np.exp(work, out=work)
            np.divide(work, work.sum(), out=work)

    return call(lambda: solve_perplexity(logits, 300)), call(theirs)


PAIRS: Sequence[Pair] = (
    Pair(
        f"{len(TAUS)} temperatures of {CLASSES} classes",
        f"{len(TAUS)} numpy softmaxes in place",
        sweep,
        1.2,
        "numpy",
        7,
        min,
    ),
    Pair(f"solve for a perplexity, {CLASSES} classes", "60 numpy softmaxes", solve, None, "numpy", 7, min),
)
