"""One row at many temperatures, and the temperature that gives what is asked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pairs import Measure, Pair, call

from tsoft.core.block import Block
from tsoft.core.solve import solve_perplexity
from tsoft.sampling.apply_chains import distribution_pieces

CLASSES, TAUS = 131072, np.geomspace(0.1, 10, 100)


def sweep(_: Path) -> tuple[Measure, Measure]:
    """The sweep as the command works it, piece by piece, against a softmax in place a temperature."""
    logits = np.random.default_rng(1).standard_normal((1, CLASSES)) * 4
    row, work = logits[0], np.empty(CLASSES)

    def ours() -> None:
        for piece in distribution_pieces(Block(logits), TAUS):
            piece.probs  # noqa: B018  (worked out when it is asked for)

    def theirs() -> None:
        for tau in TAUS:
            np.divide(row, tau, out=work)
            np.subtract(work, work.max(), out=work)
            np.exp(work, out=work)
            np.divide(work, work.sum(), out=work)

    return call(ours), call(theirs)


def solve(_: Path) -> tuple[Measure, Measure]:
    """A solution takes some sixty evaluations: against as many softmaxes of the row."""
    logits = np.random.default_rng(1).standard_normal((1, CLASSES)) * 4

    def theirs() -> None:
        for _ in range(60):
            work = logits - logits.max()
            np.exp(work, out=work)
            np.divide(work, work.sum(), out=work)

    return call(lambda: solve_perplexity(logits, 300)), call(theirs)


PAIRS: Sequence[Pair] = (
    Pair(f"sweep of {len(TAUS)} τ, {CLASSES} float64", "as many numpy softmaxes in place", sweep, 1.2, "numpy", 7, min),
    Pair(f"solve for a perplexity, {CLASSES} float64", "60 numpy softmaxes", solve, None, "numpy", 7, min),
)
