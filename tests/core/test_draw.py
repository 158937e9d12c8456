"""Draws and counts against what they should be: exact cumulative sums, scipy's tests, Gumbel's maximum."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import tsoft
from tsoft.core import draw
from tsoft.core.block import Block
from tsoft.core.chi_square import chi_square_tail, goodness_of_fit
from tsoft.core.draw import COUNTS, DRAWS, PIECE_SIZE, counts, draws, generator
from tsoft.core.softmax import Array
from tsoft.features.sample.samples import Sample, samples
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.chain import Chain, apply_step
from tsoft.sampling.distributions import Distributions
from tsoft.sampling.sampler_table import SAMPLERS
from tsoft.sampling.step import Step

SAME = settings(derandomize=True, deadline=None, database=None, max_examples=150)
# With fixed seeds a test passes or fails for good; draws of another distribution are far below.
CHANCE = 1e-3
WEIGHTS = st.lists(st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 1e-300)), min_size=1, max_size=40).filter(any)
LAST = 1 - 2.0**-53

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


class Given:
    """A generator that gives the uniform numbers it was given."""

    def __init__(self, uniform: Sequence[float]) -> None:
        self.uniform = list(uniform)

    def random(self, count: int) -> Array:
        taken, self.uniform = self.uniform[:count], self.uniform[count:]
        return np.array(taken)


def drawn(probs: Any, uniform: Sequence[float]) -> list[int]:
    """The draws that these uniform numbers give."""
    pieces = draws(np.asarray(probs), len(uniform), cast(np.random.Generator, Given(uniform)))
    return [int(index) for piece in pieces for index in piece]


def tally(probs: Array, count: int, seed: int = 1) -> Array:
    pieces = draws(probs, count, generator(seed, 0, DRAWS))
    found: Array = np.array([np.bincount(piece, minlength=len(probs)) for piece in pieces]).sum(0)
    return found


def chance(found: Array, probs: Array) -> float:
    """How likely counts so far off are, by scipy. Classes expected fewer than 5 times are joined with
    their neighbors of that kind until 10 are expected."""
    assert not found[probs == 0].any()
    expected = found.sum() * (probs.astype(float) / probs.sum(dtype=float))
    rare = expected < 5
    group = np.minimum(expected[rare].cumsum() // 10, max(0, expected[rare].sum() // 10 - 1)).astype(int)
    observed, expected = (
        np.append(values[~rare], np.bincount(group, weights=values[rare])) for values in (found, expected)
    )
    used = expected > 0
    assert used.sum() > 1
    return float(stats.chi2.sf(((observed - expected)[used] ** 2 / expected[used]).sum(), used.sum() - 1))


# Draws


@each_distribution
@pytest.mark.parametrize("count", [50, 1_000_000])
def test_draws_are_of_the_distribution(probs: Array, count: int) -> None:
    assert chance(tally(probs, count), probs) > CHANCE


@each_distribution
def test_gumbels_maximum_agrees(probs: Array) -> None:
    """The class whose log-probability plus Gumbel noise is the largest (Gumbel 1954): other draws of
    the same distribution, with neither sums nor bisection."""
    probs = probs[:100].astype(float) / probs[:100].sum(dtype=float)
    with np.errstate(divide="ignore"):
        noisy = np.log(probs) + np.random.default_rng(3).gumbel(size=(20_000, len(probs)))
    theirs = np.bincount(noisy.argmax(1), minlength=len(probs))
    table = np.stack([theirs, tally(probs, 20_000), counts(probs, 20_000, generator(1, 0, COUNTS))])
    table = table[:, table.sum(0) > 0]
    assert table.shape[1] == 1 or stats.chi2_contingency(table).pvalue > CHANCE


@SAME
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30).filter(any), st.data())
def test_a_draw_is_the_class_that_the_uniform_number_lies_in(weights: list[int], data: st.DataObject) -> None:
    """By exact fractions, on the classes' edges and beside them. The weights are made to sum to a
    power of two, so that the edges are floats; both ways to find a class are tried."""
    whole = 1 << sum(weights).bit_length()
    weights = [*weights, whole - sum(weights)]
    edges = [edge / whole for edge in accumulate(weights)][:-1]
    near = [np.nextafter(edge, to) for edge in edges for to in (0, 1)]
    uniform = data.draw(st.lists(st.sampled_from([0.0, 5e-324, LAST, *edges, *near]) | st.floats(0, LAST), min_size=1))
    uniform = [min(float(u), LAST) for u in uniform]
    expected = [next(i for i, edge in enumerate(accumulate(weights)) if edge > Fraction(u) * whole) for u in uniform]
    few = [index for u in uniform for index in drawn(weights, [u])]
    many = drawn(weights, uniform * (4 * len(weights)))
    assert few == expected
    assert many == expected * (4 * len(weights))


@SAME
@given(WEIGHTS, st.lists(st.sampled_from([0.0, LAST]) | st.floats(0, LAST), min_size=1))
def test_a_class_of_probability_0_is_never_drawn(weights: list[float], uniform: list[float]) -> None:
    for repeat in (1, 4 * len(weights)):
        assert all(weights[index] > 0 for index in drawn(weights, uniform * repeat))


@each_distribution
def test_the_first_draws_of_many_are_those_of_few(probs: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a guide table pays or not, and whatever the size of a piece."""

    def all_of(count: int) -> Array:
        return np.concatenate(list(draws(probs, count, generator(7, 0, DRAWS))))

    many = all_of(2 * PIECE_SIZE + 3)
    assert len(many) == 2 * PIECE_SIZE + 3
    assert many.dtype == all_of(1).dtype == np.int64
    for count in (1, 5, 1000):
        np.testing.assert_array_equal(all_of(count), many[:count])
    monkeypatch.setattr(draw, "PIECE_SIZE", 1001)
    np.testing.assert_array_equal(all_of(len(many)), many)


def test_one_class_is_all_there_is() -> None:
    one = np.array([0.3])
    assert tally(one, 1000).tolist() == counts(one, 1000, generator(1, 0, COUNTS)).tolist() == [1000]


def test_no_draws_are_none() -> None:
    assert list(draws(np.array([1.0]), 0, generator(1, 0, DRAWS))) == []
    assert counts(np.array([0.5, 0.5]), 0, generator(1, 0, COUNTS)).tolist() == [0, 0]


@pytest.mark.parametrize("function", [lambda *given: list(draws(*given)), counts])
@pytest.mark.parametrize("weights", [[0, 0], [0.5, -0.1], [np.nan, 1], [-1]])
def test_weights_that_are_none(function: Callable[..., Any], weights: list[float]) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        function(np.array(weights), 3, generator(1, 0, DRAWS))


# Counts


@each_distribution
@pytest.mark.parametrize("count", [50, 10**6, 10**9, 10**15])
def test_counts_are_of_the_distribution(probs: Array, count: int) -> None:
    found = counts(probs, count, generator(1, 0, COUNTS))
    assert found.dtype == np.int64
    assert found.sum() == count
    assert chance(found, probs) > CHANCE


def test_counts_of_very_many_leave_out_the_impossible() -> None:
    """What is left of 1 after these classes is rounding, of which nothing may come: a class by class
    multinomial gives the last one some."""
    tenths = np.array([0.1] * 10 + [0.0])
    found = [counts(tenths, 2**60, generator(seed, 0, COUNTS)) for seed in range(20)]
    assert all(each[-1] == 0 and each.sum() == 2**60 for each in found)


@pytest.mark.skipif(
    np.random.default_rng(0).binomial(10**16, 2e-17, 1000).sum() == 0,
    reason="this numpy's binomial takes such a p for 0",
)
@pytest.mark.parametrize(("count", "times"), [(10**16, 500), (10**18, 50)])
def test_counts_of_very_many_hold_the_rare(count: int, times: int) -> None:
    """Classes that 1 - p cannot tell from never."""
    probs = np.array([1.0, 2e-17, 4e-17, 0.0, 8e-17])
    rare = [1, 2, 4]
    found = np.array([counts(probs, count, generator(seed, 0, COUNTS))[rare] for seed in range(times)]).sum(0)
    expected = times * count * probs[rare]
    assert stats.chi2.sf(((found - expected) ** 2 / expected).sum(), len(rare)) > CHANCE


def test_counts_are_jointly_multinomial() -> None:
    """The classes' counts hang together as they should: each outcome of three draws comes as often
    as scipy's multinomial says."""
    probs = np.array([0.5, 0.2, 0.3])
    stream = generator(2, 0, COUNTS)
    found = [tuple(counts(probs, 3, stream).tolist()) for _ in range(4000)]
    outcomes = [(a, b, 3 - a - b) for a in range(4) for b in range(4 - a)]
    assert set(found) <= set(outcomes)
    expected = 4000 * stats.multinomial(3, probs).pmf(outcomes)
    assert stats.chisquare([found.count(outcome) for outcome in outcomes], expected).pvalue > CHANCE


@SAME
@given(WEIGHTS, st.integers(0, 2**62), st.integers(0, 2**64 - 1))
def test_counts_add_up_and_leave_out_the_impossible(weights: list[float], count: int, seed: int) -> None:
    found = counts(np.array(weights), count, generator(seed, 0, COUNTS))
    assert found.sum() == count
    assert (found >= 0).all()
    assert all(weight > 0 for weight, times in zip(weights, found, strict=True) if times)


# Samples


def test_a_stream_is_of_its_seed_row_and_kind() -> None:
    keys = [(1, 0, DRAWS), (1, 0, COUNTS), (1, 1, DRAWS), (2, 0, DRAWS), (2**64 - 1, 10**9, COUNTS)]
    first = {key: generator(*key).random(4).tolist() for key in keys}
    assert len({tuple(numbers) for numbers in first.values()}) == len(keys)
    assert all(generator(*key).random(4).tolist() == numbers for key, numbers in first.items())


@pytest.mark.parametrize("piece", [1, 7, 31, 1000])
def test_a_row_s_sample_does_not_depend_on_what_is_around_it(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.random.default_rng(0).normal(0, 1, (5, 6))
    taus = np.array([0.0, 0.5, 1.0, np.inf])

    def told(sample: Sample) -> tuple[Any, ...]:
        each = np.concatenate(list(sample.draws())).tolist()
        return sample.row, sample.tau, sample.probs.tolist(), each, sample.counts.tolist()

    alone = [
        told(sample)
        for row in range(5)
        for tau in taus
        for sample in samples(Distributions(Block(z[row : row + 1], first_row=row), np.array([tau])), 30, 4)
    ]
    monkeypatch.setattr("tsoft.sampling.apply_chains.PIECE_SIZE", piece)
    together = [told(sample) for result in distribution_pieces(Block(z), taus) for sample in samples(result, 30, 4)]
    assert together == alone


def test_at_temperature_0_ties_come_evenly() -> None:
    [sample] = samples(Distributions(Block(np.array([[3.0, 1, 3, -np.inf, 3]])), np.array([0.0])), 30_000, 1)
    for found in (sample.counts, tally(sample.probs, 30_000)):
        assert found[[1, 3]].tolist() == [0, 0]
        assert stats.chisquare(found[[0, 2, 4]]).pvalue > CHANCE
    assert sample.expected.tolist() == pytest.approx([10_000, 0, 10_000, 0, 10_000])


# The test of fit


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 10, 101, 1000, 9999, 131_071, 131_072])
def test_the_tail_is_scipys(degrees: int) -> None:
    for p in (1 - 1e-9, 0.9, 0.5, 0.05, 1e-3, 1e-20, 1e-250):
        statistic = float(stats.chi2.isf(p, degrees))
        expected = float(stats.chi2.sf(statistic, degrees))
        assert chi_square_tail(statistic, degrees) == pytest.approx(expected, rel=1e-13 * max(degrees, statistic))
    assert chi_square_tail(0, degrees) == 1
    assert chi_square_tail(1e-320, degrees) == pytest.approx(1)
    assert chi_square_tail(1e300, degrees) == 0


@SAME
@given(st.lists(st.integers(5, 1000), min_size=2, max_size=30), st.data())
def test_the_fit_is_scipys(weights: list[int], data: st.DataObject) -> None:
    found = np.array(data.draw(st.lists(st.integers(40, 1000), min_size=len(weights), max_size=len(weights))))
    probs = np.array(weights) / sum(weights)
    # As many more as it takes that no class is rare.
    found *= 1 + int(5 / probs.min())
    theirs = stats.chisquare(found, found.sum() * probs)
    ours = goodness_of_fit(found, probs)
    assert ours
    assert ours.degrees == len(weights) - 1
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-10, abs=1e-10)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize(
    ("found", "probs", "cells"),
    [
        # Together the two rare ones are expected 6 times.
        ([94, 2, 4], [0.94, 0.03, 0.03], ([94, 6], [94, 6])),
        # Together they are still rare, and go to the rarest of the others.
        ([80, 17, 1, 2], [0.8, 0.16, 0.02, 0.02], ([80, 20], [80, 20])),
        ([70, 27, 3, 0], [0.7, 0.26, 0.04, 0], ([70, 30], [70, 30])),
        ([8, 2, 1, 1], [0.4, 0.2, 0.2, 0.2], None),
        ([100, 0], [1, 0], None),
        ([100], [1], None),
    ],
)
def test_rare_classes_share_a_cell(found: list[int], probs: list[float], cells: tuple[list[int], ...] | None) -> None:
    ours = goodness_of_fit(np.array(found), np.array(probs))
    if cells is None:
        assert ours is None
    else:
        theirs = stats.chisquare(*cells)
        assert ours
        assert ours.degrees == len(cells[0]) - 1
        assert (ours.statistic, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)


def test_p_values_of_true_draws_are_uniform_and_of_others_tiny() -> None:
    probs = tsoft.softmax(np.random.default_rng(2).normal(0, 2, 60))
    fits = [goodness_of_fit(counts(probs, 5000, generator(seed, 0, COUNTS)), probs) for seed in range(300)]
    assert stats.kstest([fit.p_value for fit in fits if fit], "uniform").pvalue > CHANCE
    other = goodness_of_fit(counts(probs**0.9, 50_000, generator(1, 0, COUNTS)), probs)
    assert other
    assert other.p_value < 1e-12


# A value of each sampler's first knob that cuts some of ten classes, and not all.
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
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_draws_from_what_each_sampler_leaves(name: str) -> None:
    """As many draws by hand: for XTC a coin is tossed each time, and each class is the maximum of its
    logit with Gumbel noise. Both, and the counts, are of the chain's one distribution."""
    sampler = SAMPLERS[name]
    z = np.random.default_rng(11).normal(0, 1.5, 10)
    value: Any = CUTTING[name]
    steps = {"temperature": Step(sampler, (0.0, 1.0)), "xtc": Step(sampler, (value, 0.1))}
    chain = Chain((steps.get(name, Step(sampler, (value,))),))
    tau = value if name == "temperature" else 1.0
    [sample] = samples(Distributions(Block(z[np.newaxis]), np.array([tau]), chain), 40_000, 3)
    by_hand = np.random.default_rng(12)
    tossed = by_hand.random(40_000) < (value if name == "xtc" else 2)
    [step] = chain.at(tau)
    noisy = np.where(tossed[:, np.newaxis], apply_step(step, z), z) + by_hand.gumbel(size=(40_000, 10))
    tallies = {
        "by hand": np.bincount(noisy.argmax(1), minlength=10),
        "drawn": np.array([np.bincount(piece, minlength=10) for piece in sample.draws()]).sum(0),
        "counted": sample.counts,
    }
    for found in tallies.values():
        fit = goodness_of_fit(found, sample.probs)
        assert fit
        assert fit.p_value > CHANCE
        assert not found[sample.probs == 0].any()
    # Without the sampler it is another distribution, which the test would tell.
    other = goodness_of_fit(tallies["by hand"], tsoft.softmax(z))
    assert other is None or other.p_value < 1e-9
