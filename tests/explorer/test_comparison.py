"""The comparison of two distributions."""

from math import inf, log

import numpy as np
import pytest

from tsoft.core.block import Block
from tsoft.explorer.comparison import Comparison
from tsoft.explorer.explorer_rows import ExplorerRows
from tsoft.explorer.snapshot import Snapshot


def snapshot(probs: list[float], labels: str | None = None) -> Snapshot:
    with np.errstate(divide="ignore"):
        block = Block(np.log([probs]), None if labels is None else tuple(labels))
    return Snapshot(ExplorerRows([block]).row(0), 1.0, None)


@pytest.mark.parametrize(
    ("present", "marked", "variation", "divergence"),
    [
        ([0.5, 0.5], [0.25, 0.75], 0.25, 0.5 * log(2) + 0.5 * log(2 / 3)),
        ([0.5, 0.5], [1.0, 0.0], 0.5, inf),
        ([1.0, 0.0], [0.5, 0.5], 0.5, log(2)),
        # A class that only one of them has.
        ([0.5, 0.25, 0.25], [0.5, 0.5], 0.25, inf),
        ([0.5, 0.5], [0.5, 0.25, 0.25], 0.25, 0.5 * log(2)),
        ([0.3, 0.7], [0.3, 0.7], 0, 0),
    ],
)
def test_the_distances(present: list[float], marked: list[float], variation: float, divergence: float) -> None:
    comparison = Comparison(snapshot(present), snapshot(marked))
    assert comparison.is_possible
    assert comparison.total_variation == pytest.approx(variation, abs=1e-15)
    assert comparison.divergence == pytest.approx(divergence, abs=1e-15)
    assert len(comparison.ghost) == len(present)


def test_the_divergence_is_finite_if_a_probability_underflows() -> None:
    rows = ExplorerRows([Block(np.array([[0.0, -1000.0]]))])
    comparison = Comparison(Snapshot(rows.row(0), inf, None), Snapshot(rows.row(0), 1.0, None))
    assert comparison.marked.probs[1] == 0
    assert comparison.divergence == pytest.approx(500 - log(2))


def test_other_classes_are_not_compared() -> None:
    assert not Comparison(snapshot([0.5, 0.5], "ab"), snapshot([0.5, 0.5], "ac")).is_possible
    assert Comparison(snapshot([0.5, 0.25, 0.25], "abc"), snapshot([0.5, 0.5], "ab")).is_possible
