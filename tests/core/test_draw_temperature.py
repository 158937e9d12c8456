"""The temperature at which classes were drawn, with and without hidden samplers."""

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2

import tsoft
from cases import each_case
from tsoft.core.draw_likelihood import ConditionalDraws, TauLikelihood


def drawn(random: np.random.Generator, gaps: Any, sizes: Any, tau: float) -> ConditionalDraws:
    """Draw from the softmax over the first classes of each row."""
    counts = np.zeros_like(sizes)
    for r, size in np.argwhere(sizes):
        probs = np.exp(-gaps[r, : size + 1] / tau)
        counts[r, : size + 1] += random.multinomial(sizes[r, size], probs / probs.sum())
    return ConditionalDraws(gaps, sizes, counts)


def log_likelihood(beta: float, draws: ConditionalDraws) -> float:
    """Return the sum over the draws of ln P, without the code under test."""
    total = -beta * (draws.counts * draws.gaps).sum()
    for r, size in np.argwhere(draws.sizes):
        total -= draws.sizes[r, size] * np.log(np.exp(-beta * draws.gaps[r, : size + 1]).sum())
    return float(total)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_the_estimate_and_its_interval_agree_with_a_search_by_scipy(scale: float) -> None:
    random = np.random.default_rng(3)
    gaps = np.sort(random.exponential(2, (4, 12)), axis=1)
    gaps -= gaps[:, :1]
    sizes = np.zeros(gaps.shape, int)
    sizes[:, 11], sizes[:3, 4], sizes[1, 0] = 25, 15, 7
    draws = drawn(random, gaps, sizes, 1.7)
    likelihood = TauLikelihood(ConditionalDraws(gaps * scale, sizes, draws.counts))
    interval = likelihood.interval(0.9)

    def slope(beta: float) -> float:
        return log_likelihood(beta + 1e-6, draws) - log_likelihood(beta - 1e-6, draws)

    best = brentq(slope, 0.1, 5)
    bound = log_likelihood(best, draws) - chi2.ppf(0.9, 1) / 2
    ends = [brentq(lambda b: log_likelihood(b, draws) - bound, *side) for side in ((0.05, best), (best, 9))]
    assert interval.tau / scale == pytest.approx(1 / best, rel=1e-6)
    assert (interval.high / scale, interval.low / scale) == pytest.approx((1 / ends[0], 1 / ends[1]), rel=1e-6)
    for tau in (0.8, 1.7, 5.0):
        ratio = 2 * (log_likelihood(best, draws) - log_likelihood(1 / tau, draws))
        assert likelihood.p_value(tau * scale) == pytest.approx(chi2.sf(ratio, 1), rel=1e-6)


def at_end(gaps: list[float], counts: list[int]) -> TauLikelihood:
    """Return the likelihood of draws from all classes of a row."""
    sizes = [0] * (len(gaps) - 1) + [sum(counts)]
    return TauLikelihood(ConditionalDraws(np.array([gaps]), np.array([sizes]), np.array([counts])))


def test_the_ends_are_one_sided_at_the_limits() -> None:
    gaps = [0.0, 1.0, 2.0]
    likelihood = at_end(gaps, [50, 0, 0])
    always_top = likelihood.interval(0.95)
    assert (always_top.tau, always_top.low) == (0, 0)
    # At the other end, the probability of 50 times the top class is what a one-sided test rejects.
    probs = np.exp(-np.array(gaps) / always_top.high)
    assert (probs[0] / probs.sum()) ** 50 == pytest.approx(0.025, rel=1e-9)
    assert likelihood.p_value(0) == 1
    upside_down = at_end(gaps, [0, 0, 50]).interval(0.95)
    assert (upside_down.tau, upside_down.high) == (inf, inf)
    assert 0 < upside_down.low < inf


@pytest.mark.parametrize(("gaps", "counts"), [([0.0, 1.0], [0, 0]), ([0.0, 0.0], [3, 0]), ([0.0, 0.0], [1, 2])])
def test_nothing_is_known_without_draws_or_without_gaps(gaps: list[float], counts: list[int]) -> None:
    likelihood = at_end(gaps, counts)
    interval = likelihood.interval(0.95)
    assert (interval.low, interval.high) == (0, inf)
    assert likelihood.p_value(0.3) == 1


def test_draws_from_a_set_of_one_class_have_no_effect() -> None:
    gaps, counts = np.array([[0.0, 1.0, 2.0]]), np.array([[30, 15, 5]])
    alone = TauLikelihood(ConditionalDraws(gaps, np.array([[0, 0, 50]]), counts)).interval(0.95)
    others = TauLikelihood(ConditionalDraws(gaps, np.array([[70, 0, 50]]), counts + np.array([[70, 0, 0]]))).interval(
        0.95
    )
    assert (others.tau, others.low, others.high) == pytest.approx((alone.tau, alone.low, alone.high), rel=1e-9)


@pytest.mark.parametrize(("sampler", "tau"), [("none", 2.0), ("top_k", 1.0), ("top_p", 0.4), ("min_p", 1.0)])
def test_intervals_contain_the_temperature_whatever_was_removed(sampler: str, tau: float) -> None:
    """With 30 experiments per case, a coverage of 95 % gives at least 24 hits with a probability of 0.999."""
    random = np.random.default_rng(11)
    samplers: dict[str, Callable[[Any], Any]] = {
        "none": lambda z: z,
        "top_k": lambda z: tsoft.top_k(z, 6),
        "top_p": lambda z: tsoft.top_p(z, 0.7),
        "min_p": lambda z: tsoft.min_p(z, 0.2),
    }
    removed = samplers[sampler]
    hits = 0
    for _ in range(30):
        z = random.normal(0, 2, 40)
        # The samplers cut after the temperature, so the cut depends on it.
        draws = tsoft.sample(removed(z / tau), size=150, rng=random)
        estimate = tsoft.estimate_temperature(z, draws)
        hits += estimate.tau_low <= tau <= estimate.tau_high
    assert hits >= 24


def test_several_rows_have_one_temperature() -> None:
    random = np.random.default_rng(5)
    z = random.normal(0, 3, (20, 30))
    draws = np.array([tsoft.sample(row, tau=0.7, size=60, rng=random) for row in z])
    estimate = tsoft.estimate_temperature(z, draws)
    single = tsoft.estimate_temperature(z[0], draws[0])
    assert estimate.tau_low < 0.7 < estimate.tau_high
    assert estimate.tau_high - estimate.tau_low < (single.tau_high - single.tau_low) / 2
    assert (estimate.total, single.total) == (1200, 60)
    # A draw that makes its set larger does not count.
    assert 1200 * 2 / 3 < estimate.draws < 1200


@pytest.mark.parametrize("sign", [1, -1])
def test_sorted_draws_give_no_other_temperature(sign: int) -> None:
    z = np.log(np.arange(1, 41)) * sign
    draws = np.sort(tsoft.sample(z, tau=1.0, size=400, rng=4))
    estimate = tsoft.estimate_temperature(z, draws)
    assert estimate.tau_low < 1 < estimate.tau_high
    assert estimate.draws > 300


@each_case(
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
