"""The temperature at which classes were drawn, with and without hidden samplers."""

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2

import tsoft
from tsoft.core.draw_likelihood import likely_tau


def log_likelihood(beta: float, gaps: Any, counts: Any) -> float:
    return float(-beta * (counts * gaps).sum() - (counts.sum(1) * np.log(np.exp(-beta * gaps).sum(1))).sum())


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_the_estimate_and_its_interval_agree_with_a_search_by_scipy(scale: float) -> None:
    random = np.random.default_rng(3)
    gaps = np.sort(random.exponential(2, (4, 12)), axis=1)
    gaps -= gaps[:, :1]
    counts = np.array([random.multinomial(40, np.exp(-gap / 1.7) / np.exp(-gap / 1.7).sum()) for gap in gaps])
    interval = likely_tau(gaps * scale, counts, 0.9)

    def slope(beta: float) -> float:
        return log_likelihood(beta + 1e-6, gaps, counts) - log_likelihood(beta - 1e-6, gaps, counts)

    best = brentq(slope, 0.1, 5)
    bound = log_likelihood(best, gaps, counts) - chi2.ppf(0.9, 1) / 2
    ends = [brentq(lambda b: log_likelihood(b, gaps, counts) - bound, *side) for side in ((0.05, best), (best, 9))]
    assert interval.tau / scale == pytest.approx(1 / best, rel=1e-6)
    assert (interval.high / scale, interval.low / scale) == pytest.approx((1 / ends[0], 1 / ends[1]), rel=1e-6)


def test_the_ends_are_one_sided_at_the_limits() -> None:
    gaps = np.array([[0.0, 1.0, 2.0]])
    always_top = likely_tau(gaps, np.array([[50, 0, 0]]), 0.95)
    assert (always_top.tau, always_top.low) == (0, 0)
    # At the other end, the probability of 50 times the top class is what a one-sided test rejects.
    probs = np.exp(-gaps[0] / always_top.high)
    assert -50 * np.log(probs[0] / probs.sum()) == pytest.approx(chi2.ppf(0.9, 1) / 2, rel=1e-9)
    upside_down = likely_tau(gaps, np.array([[0, 0, 50]]), 0.95)
    assert (upside_down.tau, upside_down.high) == (inf, inf)
    assert 0 < upside_down.low < inf


@pytest.mark.parametrize("counts", [[[0, 0]], [[3, 0]]])
def test_nothing_is_known_without_draws_or_without_gaps(counts: list[list[int]]) -> None:
    gaps = np.array([[0.0, 1.0]]) if not sum(counts[0]) else np.zeros((1, 2))
    interval = likely_tau(gaps, np.array(counts), 0.95)
    assert (interval.low, interval.high) == (0, inf)


@pytest.mark.parametrize("tau", [0.4, 1.0, 2.0])
@pytest.mark.parametrize("sampler", ["none", "top_k", "top_p", "min_p"])
def test_intervals_contain_the_temperature_whatever_was_removed(tau: float, sampler: str) -> None:
    """With 60 experiments per case, a coverage of 95 % gives at least 51 hits with a probability of 0.999."""
    random = np.random.default_rng(11)
    samplers: dict[str, Callable[[Any], Any]] = {
        "none": lambda z: z,
        "top_k": lambda z: tsoft.top_k(z, 6),
        "top_p": lambda z: tsoft.top_p(z, 0.7),
        "min_p": lambda z: tsoft.min_p(z, 0.2),
    }
    removed = samplers[sampler]
    hits = 0
    for _ in range(60):
        z = random.normal(0, 2, 40)
        # The samplers cut after the temperature, so the cut depends on it.
        draws = tsoft.sample(removed(z / tau), size=150, rng=random)
        estimate = tsoft.estimate_temperature(z, draws)
        hits += estimate.tau_low <= tau <= estimate.tau_high
    assert hits >= 51


def test_several_rows_have_one_temperature() -> None:
    random = np.random.default_rng(5)
    z = random.normal(0, 3, (20, 30))
    draws = np.array([tsoft.sample(row, tau=0.7, size=60, rng=random) for row in z])
    estimate = tsoft.estimate_temperature(z, draws)
    single = tsoft.estimate_temperature(z[0], draws[0])
    assert estimate.tau_low < 0.7 < estimate.tau_high
    assert estimate.tau_high - estimate.tau_low < (single.tau_high - single.tau_low) / 2
    assert (estimate.total, single.total) == (1200, 60)
    assert estimate.draws < 1200 * 2 / 3


@pytest.mark.parametrize(
    ("z", "draws", "error"),
    [
        ([1.0, 2.0], [0.5], ValueError),
        ([1.0, 2.0], [2], IndexError),
        ([1.0, 2.0], [-1], IndexError),
        ([1.0, 2.0], 1, ValueError),
        ([1.0, 2.0], [[0]], ValueError),
        ([[1.0, 2.0]] * 2, [[0]] * 3, ValueError),
        ([1.0, -inf], [1], ValueError),
        ([1.0, float("nan")], [1], ValueError),
    ],
)
def test_bad_arguments(z: Any, draws: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        tsoft.estimate_temperature(z, draws)


@pytest.mark.parametrize("level", [0.0, 1.0, float("nan")])
def test_a_level_is_between_0_and_1(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        tsoft.estimate_temperature([1.0, 2.0], [0, 1], level=level)
