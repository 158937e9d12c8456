"""The counts of the draws."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.states import ROW, Z
from tsoft.core.chi_square import goodness_of_fit
from tsoft.explorer.draw_counts import RECENT_DRAWS, DrawCounts
from tsoft.explorer.snapshot import Snapshot


@given(st.lists(st.integers(1, 300), min_size=1, max_size=5), st.integers(0, 99))
def test_every_draw_is_counted(sizes: list[int], seed: int) -> None:
    counts = DrawCounts(np.random.default_rng(seed), len(Z))
    for i, size in enumerate(sizes):
        counts.draw(Snapshot(ROW, [0.1, 1.0, inf][i % 3], None).probs, size)
    assert counts.total == counts.counts.sum() == sum(sizes)
    assert counts.expected.sum() == pytest.approx(sum(sizes), rel=1e-12)
    assert counts.counts[-1] == counts.expected[-1] == 0
    assert len(counts.recent) == min(RECENT_DRAWS, sum(sizes))
    if sum(sizes) <= RECENT_DRAWS:
        assert np.bincount(counts.recent, minlength=len(Z)).tolist() == counts.counts.tolist()
    indices = counts.most_frequent(99)
    highest = np.maximum(counts.counts, counts.expected)
    assert [highest[i] for i in indices] == sorted((h for h in highest.tolist() if h > 0), reverse=True)
    assert counts.most_frequent(2) == indices[:2]


def test_draws_at_two_temperatures() -> None:
    """Half of the draws are at one temperature and half at another. Neither alone explains the counts."""
    counts = DrawCounts(np.random.default_rng(1), len(Z))
    cold, hot = Snapshot(ROW, 0.3, None).probs, Snapshot(ROW, 3.0, None).probs
    for probs in (cold, hot):
        counts.draw(probs, 20000)
    fits = [goodness_of_fit(counts.counts, probs) for probs in (counts.expected, cold, hot)]
    p_values = [fit.p_value for fit in fits if fit]
    assert p_values[0] > 0.01
    assert max(p_values[1:]) < 1e-9


@pytest.mark.parametrize("limit", [1, 2, 13, 200])
def test_most_frequent_of_many_classes_with_ties(limit: int) -> None:
    counts = DrawCounts(np.random.default_rng(1), 1000)
    for values in (np.zeros(1000), np.ones(1000), np.arange(1000) % 7, np.random.default_rng(2).poisson(0.01, 1000)):
        counts.expected = values.astype(float)
        descending = sorted(np.flatnonzero(values).tolist(), key=lambda i: (-values[i], i))
        assert counts.most_frequent(limit) == descending[:limit]
