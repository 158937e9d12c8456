"""Draws and counts against exact cumulative sums, scipy's tests, and the Gumbel-max trick."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import tsoft
from cases import each_case
from tsoft.core import draw
from tsoft.core.block import Block
from tsoft.core.chi_square import chi_square_tail, goodness_of_fit
from tsoft.core.draw import COUNTS, DRAWS, PIECE_SIZE, counts, draws, generator
from tsoft.core.softmax import Array
from tsoft.features.sample.samples import Sample, samples
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.chain import Chain
from tsoft.sampling.distributions import Distributions
from tsoft.sampling.history import History
from tsoft.sampling.mixture import apply_step
from tsoft.sampling.sampler_table import SAMPLERS
from tsoft.sampling.step import Step

# The seeds are fixed, so a test always passes or always fails. Draws from another distribution have a p-value that is
# far below this one.
MIN_P_VALUE = 1e-3
WEIGHTS = st.lists(st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 1e-300)), min_size=1, max_size=40).filter(any)
BELOW_ONE = 1 - 2.0**-53

rng = np.random.default_rng(5)
DISTRIBUTIONS = {
    "few": np.array([0.5, 0.3, 0.15, 0.05]),
    "some never": np.array([0, 0.25, 0, 0, 0.75, 0]),
    "rising": np.arange(1, 101) / 5050,
    "a vocabulary": tsoft.softmax(rng.normal(0, 4, 20_000)),
    "flat": np.full(30_000, 1 / 30_000),
    "float32": tsoft.softmax(rng.normal(0, 2, 500).astype(np.float32)),
}
each_distribution = pytest.mark.parametrize("probs", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())


class FixedUniforms:
    """A generator that returns the numbers of a list."""

    def __init__(self, uniform: Sequence[float]) -> None:
        self.uniform = list(uniform)

    def random(self, count: int) -> Array:
        taken, self.uniform = self.uniform[:count], self.uniform[count:]
        return np.array(taken)


def drawn(probs: Any, uniform: Sequence[float]) -> list[int]:
    """Return the classes that `draws` draws with these uniform numbers."""
    pieces = draws(np.asarray(probs), len(uniform), cast(np.random.Generator, FixedUniforms(uniform)))
    return [int(index) for piece in pieces for index in piece]


def tally(probs: Array, count: int, seed: int = 1) -> Array:
    """Return how often `draws` draws each class."""
    pieces = draws(probs, count, generator(seed, 0, DRAWS))
    total: Array = np.array([np.bincount(piece, minlength=len(probs)) for piece in pieces]).sum(0)
    return total


def p_value(observed: Array, probs: Array) -> float:
    """Return the p-value of Pearson's chi-square test, by scipy.

    The test joins adjacent classes with an expected count below 5 until their expected count is 10.
    """
    assert not observed[probs == 0].any()
    expected = observed.sum() * (probs.astype(float) / probs.sum(dtype=float))
    rare = expected < 5
    group = np.minimum(expected[rare].cumsum() // 10, max(0, expected[rare].sum() // 10 - 1)).astype(int)
    grouped, expected = (
        np.append(values[~rare], np.bincount(group, weights=values[rare])) for values in (observed, expected)
    )
    used = expected > 0
    assert used.sum() > 1
    return float(stats.chi2.sf(((grouped - expected)[used] ** 2 / expected[used]).sum(), used.sum() - 1))


# Draws


@each_distribution
@pytest.mark.parametrize("count", [50, 1_000_000])
def test_draws_follow_the_distribution(probs: Array, count: int) -> None:
    assert p_value(tally(probs, count), probs) > MIN_P_VALUE


@each_distribution
def test_gumbels_maximum_agrees(probs: Array) -> None:
    """The class with the largest sum of log-probability and Gumbel noise (Gumbel 1954) has the same distribution.
    This method uses neither cumulative sums nor bisection.
    """
    probs = probs[:100].astype(float) / probs[:100].sum(dtype=float)
    with np.errstate(divide="ignore"):
        noisy = np.log(probs) + np.random.default_rng(3).gumbel(size=(8000, len(probs)))
    gumbel_counts = np.bincount(noisy.argmax(1), minlength=len(probs))
    table = np.stack([gumbel_counts, tally(probs, 8000), counts(probs, 8000, generator(1, 0, COUNTS))])
    table = table[:, table.sum(0) > 0]
    assert table.shape[1] == 1 or stats.chi2_contingency(table).pvalue > MIN_P_VALUE


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30).filter(any), st.data())
def test_a_draw_is_the_class_whose_interval_contains_the_uniform_number(
    weights: list[int], data: st.DataObject
) -> None:
    """Compare with exact fractions, at the edges of the classes and next to them.

    The sum of the weights is a power of two, so that the edges are floats. Few draws use a bisection, and many draws
    use a guide table.
    """
    total = 1 << sum(weights).bit_length()
    weights = [*weights, total - sum(weights)]
    edges = [edge / total for edge in accumulate(weights)][:-1]
    neighbors = [np.nextafter(edge, limit) for edge in edges for limit in (0, 1)]
    uniform = data.draw(
        st.lists(st.sampled_from([0.0, 5e-324, BELOW_ONE, *edges, *neighbors]) | st.floats(0, BELOW_ONE), min_size=1)
    )
    uniform = [min(float(u), BELOW_ONE) for u in uniform]
    expected = [next(i for i, edge in enumerate(accumulate(weights)) if edge > Fraction(u) * total) for u in uniform]
    single = [index for u in uniform for index in drawn(weights, [u])]
    repeated = drawn(weights, uniform * (4 * len(weights)))
    assert single == expected
    assert repeated == expected * (4 * len(weights))


@given(WEIGHTS, st.lists(st.sampled_from([0.0, BELOW_ONE]) | st.floats(0, BELOW_ONE), min_size=1))
def test_a_class_of_probability_0_is_never_drawn(weights: list[float], uniform: list[float]) -> None:
    for repeat in (1, 4 * len(weights)):
        assert all(weights[index] > 0 for index in drawn(weights, uniform * repeat))


@each_distribution
def test_fewer_draws_are_the_first_of_many_draws(probs: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    """The draws depend neither on the guide table, which only many draws use, nor on the size of a piece."""

    def drawn_array(count: int) -> Array:
        return np.concatenate(list(draws(probs, count, generator(7, 0, DRAWS))))

    many = drawn_array(2 * PIECE_SIZE + 3)
    assert len(many) == 2 * PIECE_SIZE + 3
    assert many.dtype == drawn_array(1).dtype == np.int64
    for count in (1, 5, 1000):
        np.testing.assert_array_equal(drawn_array(count), many[:count])
    monkeypatch.setattr(draw, "PIECE_SIZE", 1001)
    np.testing.assert_array_equal(drawn_array(len(many)), many)


def test_a_single_class_is_always_drawn() -> None:
    one = np.array([0.3])
    assert tally(one, 1000).tolist() == counts(one, 1000, generator(1, 0, COUNTS)).tolist() == [1000]


def test_a_count_of_0_draws_nothing() -> None:
    assert list(draws(np.array([1.0]), 0, generator(1, 0, DRAWS))) == []
    assert counts(np.array([0.5, 0.5]), 0, generator(1, 0, COUNTS)).tolist() == [0, 0]


@each_case("function", [lambda *arguments: list(draws(*arguments)), counts])
@each_case("weights", [[0, 0], [0.5, -0.1], [np.nan, 1], [-1]])
def test_invalid_weights_are_an_error(function: Callable[..., Any], weights: list[float]) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        function(np.array(weights), 3, generator(1, 0, DRAWS))


# Counts


@each_distribution
@pytest.mark.parametrize("count", [50, 10**6, 10**9, 10**15])
def test_counts_follow_the_distribution(probs: Array, count: int) -> None:
    observed = counts(probs, count, generator(1, 0, COUNTS))
    assert observed.dtype == np.int64
    assert observed.sum() == count
    assert p_value(observed, probs) > MIN_P_VALUE


def test_huge_counts_give_nothing_to_a_class_of_probability_0() -> None:
    """The ten probabilities sum to a little less than 1. A multinomial that draws class by class would give the
    difference to the last class, whose probability is 0.
    """
    tenths = np.array([0.1] * 10 + [0.0])
    observed = [counts(tenths, 2**60, generator(seed, 0, COUNTS)) for seed in range(20)]
    assert all(row[-1] == 0 and row.sum() == 2**60 for row in observed)


@pytest.mark.skipif(
    np.random.default_rng(0).binomial(10**16, 2e-17, 1000).sum() == 0,
    reason="this numpy's binomial takes a tiny p as 0",
)
@pytest.mark.parametrize(("count", "times"), [(10**16, 500), (10**18, 50)])
def test_huge_counts_include_rare_classes(count: int, times: int) -> None:
    """The probabilities are so small that 1 - p rounds to 1."""
    probs = np.array([1.0, 2e-17, 4e-17, 0.0, 8e-17])
    rare = [1, 2, 4]
    observed = np.array([counts(probs, count, generator(seed, 0, COUNTS))[rare] for seed in range(times)]).sum(0)
    expected = times * count * probs[rare]
    assert stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), len(rare)) > MIN_P_VALUE


def test_counts_are_jointly_multinomial() -> None:
    """The counts of the classes have the right dependence: the frequency of each outcome of three draws agrees with
    scipy's multinomial distribution.
    """
    probs = np.array([0.5, 0.2, 0.3])
    stream = generator(2, 0, COUNTS)
    observed = [tuple(counts(probs, 3, stream).tolist()) for _ in range(2000)]
    outcomes = [(a, b, 3 - a - b) for a in range(4) for b in range(4 - a)]
    assert set(observed) <= set(outcomes)
    expected = 2000 * stats.multinomial(3, probs).pmf(outcomes)
    assert stats.chisquare([observed.count(outcome) for outcome in outcomes], expected).pvalue > MIN_P_VALUE


@given(WEIGHTS, st.integers(0, 2**62), st.integers(0, 2**64 - 1))
def test_counts_sum_to_the_total_and_are_0_for_probability_0(weights: list[float], count: int, seed: int) -> None:
    observed = counts(np.array(weights), count, generator(seed, 0, COUNTS))
    assert observed.sum() == count
    assert (observed >= 0).all()
    assert all(weight > 0 for weight, times in zip(weights, observed, strict=True) if times)


# Samples


def test_a_random_stream_depends_on_seed_row_and_kind() -> None:
    keys = [(1, 0, DRAWS), (1, 0, COUNTS), (1, 1, DRAWS), (2, 0, DRAWS), (2**64 - 1, 10**9, COUNTS)]
    first = {key: generator(*key).random(4).tolist() for key in keys}
    assert len({tuple(numbers) for numbers in first.values()}) == len(keys)
    assert all(generator(*key).random(4).tolist() == numbers for key, numbers in first.items())


@pytest.mark.parametrize("piece", [1, 7, 31, 1000])
def test_the_sample_of_a_row_does_not_depend_on_the_other_rows(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.random.default_rng(0).normal(0, 1, (5, 6))
    taus = np.array([0.0, 0.5, 1.0, np.inf])

    def values(sample: Sample) -> tuple[Any, ...]:
        drawn_classes = np.concatenate(list(sample.draws())).tolist()
        return sample.row, sample.tau, sample.probs.tolist(), drawn_classes, sample.counts.tolist()

    alone = [
        values(sample)
        for row in range(5)
        for tau in taus
        for sample in samples(Distributions(Block(z[row : row + 1], first_row=row), np.array([tau])), 30, 4)
    ]
    monkeypatch.setattr("tsoft.sampling.apply_chains.PIECE_SIZE", piece)
    together = [values(sample) for result in distribution_pieces(Block(z), taus) for sample in samples(result, 30, 4)]
    assert together == alone


def test_at_temperature_0_tied_classes_are_equally_frequent() -> None:
    [sample] = samples(Distributions(Block(np.array([[3.0, 1, 3, -np.inf, 3]])), np.array([0.0])), 30_000, 1)
    for observed in (sample.counts, tally(sample.probs, 30_000)):
        assert observed[[1, 3]].tolist() == [0, 0]
        assert stats.chisquare(observed[[0, 2, 4]]).pvalue > MIN_P_VALUE
    assert sample.expected.tolist() == pytest.approx([10_000, 0, 10_000, 0, 10_000])


# The test of fit


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 10, 101, 1000, 9999, 131_071, 131_072])
def test_the_chi_square_tail_agrees_with_scipy(degrees: int) -> None:
    for p in (1 - 1e-9, 0.9, 0.5, 0.05, 1e-3, 1e-20, 1e-250):
        statistic = float(stats.chi2.isf(p, degrees))
        expected = float(stats.chi2.sf(statistic, degrees))
        assert chi_square_tail(statistic, degrees) == pytest.approx(expected, rel=1e-13 * max(degrees, statistic))
    assert chi_square_tail(0, degrees) == 1
    assert chi_square_tail(1e-320, degrees) == pytest.approx(1)
    assert chi_square_tail(1e300, degrees) == 0


@given(st.lists(st.integers(5, 1000), min_size=2, max_size=30), st.data())
def test_the_goodness_of_fit_agrees_with_scipy(weights: list[int], data: st.DataObject) -> None:
    observed = np.array(data.draw(st.lists(st.integers(40, 1000), min_size=len(weights), max_size=len(weights))))
    probs = np.array(weights) / sum(weights)
    # Multiply the counts until no class is rare.
    observed *= 1 + int(5 / probs.min())
    expected = stats.chisquare(observed, observed.sum() * probs)
    fit = goodness_of_fit(observed, probs)
    assert fit
    assert fit.degrees == len(weights) - 1
    assert fit.statistic == pytest.approx(expected.statistic, rel=1e-10, abs=1e-10)
    assert fit.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize(
    ("observed", "probs", "cells"),
    [
        # The expected count of the two rare classes together is 6.
        ([94, 2, 4], [0.94, 0.03, 0.03], ([94, 6], [94, 6])),
        # Together they are still rare, so they join the rarest of the other classes.
        ([80, 17, 1, 2], [0.8, 0.16, 0.02, 0.02], ([80, 20], [80, 20])),
        ([70, 27, 3, 0], [0.7, 0.26, 0.04, 0], ([70, 30], [70, 30])),
        ([8, 2, 1, 1], [0.4, 0.2, 0.2, 0.2], None),
        ([100, 0], [1, 0], None),
        ([100], [1], None),
    ],
)
def test_rare_classes_share_a_cell(
    observed: list[int], probs: list[float], cells: tuple[list[int], ...] | None
) -> None:
    fit = goodness_of_fit(np.array(observed), np.array(probs))
    if cells is None:
        assert fit is None
    else:
        expected = stats.chisquare(*cells)
        assert fit
        assert fit.degrees == len(cells[0]) - 1
        assert (fit.statistic, fit.p_value) == pytest.approx((expected.statistic, expected.pvalue), abs=1e-9)


def test_p_values_are_uniform_for_the_right_distribution_and_tiny_for_another() -> None:
    probs = tsoft.softmax(np.random.default_rng(2).normal(0, 2, 60))
    fits = [goodness_of_fit(counts(probs, 5000, generator(seed, 0, COUNTS)), probs) for seed in range(150)]
    assert stats.kstest([fit.p_value for fit in fits if fit], "uniform").pvalue > MIN_P_VALUE
    other = goodness_of_fit(counts(probs**0.9, 50_000, generator(1, 0, COUNTS)), probs)
    assert other
    assert other.p_value < 1e-12


# The random numbers of draws by hand.
by_hand = np.random.default_rng(12)
UNIFORM, GUMBEL = by_hand.random(40_000), by_hand.gumbel(size=(40_000, 10))
# A value of each sampler's first parameter. A sampler that removes classes removes some of the ten, but not all.
CUTTING = {
    "logit_bias": ((2, 1.5), (0, -np.inf)),
    "smoothing": 0.4,
    "temperature": 1.7,
    "top_n_sigma": 1.0,
    "top_h": 0.6,
    "top_k": 4,
    "top_p": 0.8,
    "min_p": 0.2,
    "typ_p": 0.7,
    "epsilon_cutoff": 0.05,
    "eta_cutoff": 0.1,
    "tfs": 0.9,
    "top_a": 0.3,
    "xtc": 0.4,
    "soft_cap": 1.5,
    "edt": 0.4,
    "adaptive_temperature": 1,
    "p_less": 1,
    "penalties": 1.5,
    "dry": 2.0,
    "mirostat": 1.2,
    "adaptive_p": 0.2,
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_draws_follow_the_distribution_of_each_sampler(name: str) -> None:
    """Compare with draws by hand: each drawn class has the largest sum of logit and Gumbel noise, and for XTC a coin
    is tossed before each draw. The draws by hand, `draws` and `counts` follow the distribution of the chain.
    """
    sampler = SAMPLERS[name]
    z = np.random.default_rng(11).normal(0, 1.5, 10)
    value: Any = CUTTING[name]
    steps = {
        "temperature": Step(sampler, (0.0, 1.0)),
        "xtc": Step(sampler, (value, 0.1)),
        "penalties": Step(sampler, (value, 0.5, 0.2, np.inf), History(np.array([3, 1, 3]))),
        "dry": Step(sampler, (value, 1.75, 1, np.inf), History(np.array([3, 1, 3]))),
        "mirostat": Step(sampler, (value, 0.1, None)),
        "adaptive_p": Step(sampler, (value, 0.9, None)),
    }
    chain = Chain((steps.get(name, Step(sampler, (value,))),))
    tau = value if name == "temperature" else 1.0
    [sample] = samples(Distributions(Block(z[np.newaxis]), np.array([tau]), chain), 40_000, 3)
    tossed = (value if name == "xtc" else 2) > UNIFORM
    [step] = chain.at(tau)
    noisy = np.where(tossed[:, np.newaxis], apply_step(step, z), z) + GUMBEL
    tallies = {
        "by hand": np.bincount(noisy.argmax(1), minlength=10),
        "drawn": np.array([np.bincount(piece, minlength=10) for piece in sample.draws()]).sum(0),
        "counted": sample.counts,
    }
    for observed in tallies.values():
        fit = goodness_of_fit(observed, sample.probs)
        assert fit
        assert fit.p_value > MIN_P_VALUE
        assert not observed[sample.probs == 0].any()
    # The distribution without the sampler differs so much that the test rejects it.
    other = goodness_of_fit(tallies["by hand"], tsoft.softmax(z))
    assert other is None or other.p_value < 1e-9
