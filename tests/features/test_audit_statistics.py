"""The statistics of an audit: exact checks on tiny rows, and simulated servers.

`tests/simulations/audit.py` is the whole simulation. What a test allows here is exceeded by chance in fewer than one of
10,000 seeds.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, chi2

from simulated_servers import CELLS, FORMS, Cell, SimulatedServer
from tsoft.core.block import Block
from tsoft.core.draw_likelihood import ConditionalDraws, TauLikelihood
from tsoft.core.gap_weights import gap_weights
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.features.audit.audit import LEVEL, Audit
from tsoft.features.audit.evidence import UNLISTED, DrawnRow, Evidence
from tsoft.features.audit.findings import Finding, Verdict
from tsoft.features.audit.softmax_fit import expected_counts, fit_test
from tsoft.features.audit.supports import Supports, outside_draws
from tsoft.features.audit.tails import Tails
from tsoft.features.audit.unlisted_draws import log_probability_of_fewer

WHOLE = FORMS[0]


def cell(name: str) -> Cell:
    [found] = [each for each in CELLS if each.name == name]
    return found


def audit_of(logits: Sequence[Any], draws: Sequence[Any], tau: float = 1.0, **cutoffs: float) -> Audit:
    """Return the audit of draws from rows of logits, with the cutoffs that were requested."""
    requested = Cell("", SimulatedServer("transformers", tau), tau, cutoffs, WHOLE).requested
    rows = [DrawnRow(Block(np.array([z], float), first_row=r), np.array(draws[r])) for r, z in enumerate(logits)]
    return Audit(Evidence(tuple(rows)), requested)


def finding(audit: Audit, name: str) -> Finding:
    [found] = [each for each in audit.report.findings if each.name == name]
    return found


# What never came


def outcomes(probs: Sequence[Any], draws: int) -> Iterator[tuple[list[Any], float]]:
    """Yield the draws of each row and their probability, for all outcomes of some draws per row."""
    classes = [np.flatnonzero(row).tolist() for row in probs]
    for drawn in itertools.product(*(itertools.product(each, repeat=draws) for each in classes)):
        yield list(drawn), float(np.prod([row[list(each)] for row, each in zip(probs, drawn, strict=True)]))


@pytest.mark.parametrize(
    ("rows", "draws", "cutoffs"),
    [(1, 4, {}), (2, 2, {}), (1, 3, {"top_k": 3}), (2, 2, {"top_p": 0.8}), (2, 2, {"min_p": 0.2, "top_k": 3})],
)
def test_a_p_value_of_what_never_came_is_at_most_a_with_a_probability_of_at_most_a(
    rows: int, draws: int, cutoffs: dict[str, float]
) -> None:
    z = [np.array([2.0, 0.0, 1.0, 1.5]), np.array([0.0, 0.3, 3.0, -1.0])][:rows]
    server = SimulatedServer("transformers", 0.8, cutoffs)
    probability = defaultdict[float, float](float)
    for drawn, chance in outcomes([np.exp(server.logprobs(row)) for row in z], draws):
        audit = audit_of(z, drawn, 0.8, **cutoffs)
        probability[Tails(Supports(audit.evidence), audit.requested, [0.8]).p_value()] += chance
    values = sorted(probability)
    assert sum(probability.values()) == pytest.approx(1)
    assert all(sum(probability[p] for p in values if p <= a) <= a + 1e-12 for a in values)


@pytest.mark.parametrize(("name", "value"), [("top_k", 3), ("top_p", 0.85), ("min_p", 0.1)])
def test_a_p_value_of_the_true_cutoff_is_at_most_a_with_a_probability_of_at_most_a(name: str, value: float) -> None:
    z = [np.array([2.0, 0.0, 1.0, 1.5]), np.array([0.0, 0.3, 3.0, -1.0])]
    server = SimulatedServer("transformers", 1.2, {name: value})
    probability = defaultdict[float, float](float)
    for drawn, chance in outcomes([np.exp(server.logprobs(row)) for row in z], 2):
        audit = audit_of(z, drawn, 1.2)
        tails = Tails(Supports(audit.evidence), audit.requested, [1.2])
        # Top-p keeps a class if those before it sum to less than p, and the score of min-p is negative.
        probability[tails.p_value(name, -value if name == "min_p" else value)] += chance
    values = sorted(probability)
    assert all(sum(probability[p] for p in values if p <= a) <= a + 1e-12 for a in values)


def test_draws_that_are_always_at_the_top_contradict_the_temperature_and_no_cutoffs_together() -> None:
    audit = audit_of([[0, 1, 2]], [[2] * 50])
    probs = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    found = finding(audit, "together")
    assert found.verdict is Verdict.CONTRADICTED
    assert found.p_value == pytest.approx(3 * probs[2] ** 50)
    assert [each.verdict for each in audit.report.findings].count(Verdict.CONTRADICTED) == 1


# Draws beyond a list


def listing(z: Any, count: int, tau: float = 1.0) -> tuple[PartialDistribution, float]:
    """Return a list of the most probable classes of logits, and the probability of the others at a temperature."""
    logprobs = -np.sort(-(z - np.log(np.exp(z).sum())))
    probs = np.exp(logprobs / tau) / np.exp(logprobs / tau).sum()
    return PartialDistribution(logprobs[:count], 0, logprobs[count - 1]), float(probs[count:].sum())


def listed_row(z: Any, count: int, unlisted: int, draws: int) -> DrawnRow:
    partial, _ = listing(z, count)
    return DrawnRow(Block(partial.logprobs[np.newaxis], partial=partial), np.repeat([UNLISTED, 0], [unlisted, draws]))


@pytest.mark.parametrize("tau", [0.3, 0.9, 1.0, 1.1, 3.0])
def test_the_probability_beyond_a_list_is_within_its_bounds(tau: float) -> None:
    random = np.random.default_rng(4)
    for scale in (0.1, 1.0, 4.0):
        z = random.normal(0, scale, 200)
        partial, share = listing(z, 20, tau)
        row = DrawnRow(Block(partial.logprobs[np.newaxis], partial=partial), np.zeros(1, int))
        low, high = row.unlisted_bounds(tau)
        assert low - 1e-9 <= share <= high + 1e-9
        assert tau != 1 or low == pytest.approx(high, abs=1e-5)
        noisy = row.unlisted_bounds(tau, 0.01)
        assert noisy[0] <= low
        assert noisy[1] >= high


def test_few_draws_beyond_a_list_are_at_least_as_probable_as_their_bound_says() -> None:
    random = np.random.default_rng(9)
    z = [random.normal(0, 1, 12), random.normal(0, 2, 12)]
    shares = [listing(row, 3)[1] for row in z]
    # The distribution of the number of unlisted draws, 20 of the first row and 30 of the second one.
    exact = np.convolve(*(binom.pmf(np.arange(n + 1), n, q) for n, q in zip((20, 30), shares, strict=True)))
    for unlisted in range(0, 20, 3):
        rows = (listed_row(z[0], 3, unlisted, 20 - unlisted), listed_row(z[1], 3, 0, 30))
        found = log_probability_of_fewer(Evidence(rows), 1.0)
        assert found is not None
        assert np.exp(found) >= exact[: unlisted + 1].sum()
        assert found == 0 or np.exp(found) < 30 * exact[: unlisted + 1].sum()


def test_whole_rows_and_lists_of_the_drawn_token_say_nothing_about_draws_beyond_a_list() -> None:
    z = np.log([4.0, 3, 2, 1])
    assert log_probability_of_fewer(audit_of([z], [[0]]).evidence, 1.0) is None
    row = replace(listed_row(z, 2, 0, 1), has_chosen=True)
    assert log_probability_of_fewer(Evidence((row,)), 1.0) is None


# Fit


def fits(weights: Any, sizes: Any) -> Iterator[tuple[Any, float]]:
    """Yield the counts of the classes and their probability, for all outcomes of draws from the first classes."""
    probability = {(0,) * len(weights): 1.0}
    for size, draws in enumerate(sizes, 1):
        probs = weights[:size] / weights[:size].sum()
        for _ in range(draws):
            following = defaultdict[tuple[int, ...], float](float)
            for counts, chance in probability.items():
                for i, prob in enumerate(probs):
                    following[(*counts[:i], counts[i] + 1, *counts[i + 1 :])] += chance * prob
            probability = following
    yield from ((np.array([counts]), chance) for counts, chance in probability.items())


def test_the_mean_of_the_statistic_of_fit_is_its_degrees_and_its_tail_is_that_of_chi_square() -> None:
    gaps, sizes = np.array([[0.0, 0.2, 0.5]]), np.array([[3, 12, 42]])
    mean, tail, expected = 0.0, 0.0, np.zeros((1, 3))
    for counts, chance in fits(np.exp(-gaps[0] / 1.5), sizes[0]):
        test = fit_test(ConditionalDraws(gaps, sizes, counts), 1.5)
        assert test is not None
        assert test.degrees == 2
        mean += chance * test.statistic
        tail += chance * (test.p_value <= 0.01)
        expected += chance * counts
    assert mean == pytest.approx(2, rel=1e-9)
    assert tail < 0.012
    assert expected_counts(ConditionalDraws(gaps, sizes, sizes), gap_weights(gaps, 1.5)) == pytest.approx(
        expected, rel=1e-9
    )


def test_one_draw_of_a_rare_class_contradicts_no_fit() -> None:
    """Its probability is above 1 %, and its class has too few expected draws for a cell of its own."""
    gaps, sizes = np.array([[0.0, 0.0, 9.0]]), np.array([[0, 0, 400]])
    test = fit_test(ConditionalDraws(gaps, sizes, np.array([[200, 199, 1]])), 1.0)
    assert 1 - (1 - np.exp(-9) / (2 + np.exp(-9))) ** 400 > 0.01
    assert test is not None
    assert test.p_value > 0.5


def test_counts_that_no_temperature_explains_contradict() -> None:
    gaps, sizes = np.array([[0.0, 1.0, 2.0]]), np.array([[0, 0, 150]])
    draws = ConditionalDraws(gaps, sizes, np.array([[20, 50, 80]]))
    tau = TauLikelihood(draws).best
    assert tau == inf
    test = fit_test(draws, tau)
    assert test is not None
    # Against 50 draws of each class.
    assert test.statistic == pytest.approx((30**2 + 30**2) / 50)
    assert test.degrees == 2


# Evidence


@pytest.mark.parametrize("name", ["chosen5/transformers/1/plain", "chosen20/llama.cpp/0.7/hidden top_p=0.9"])
def test_no_set_has_a_class_that_is_listed_only_because_it_was_drawn(name: str) -> None:
    audit = smaller(cell(name)).audit(np.random.default_rng(2))
    counted = [int(row.is_counted.sum()) for row in audit.evidence.rows]
    assert audit.draws.informative
    for sizes, number in zip(audit.draws.sizes, counted, strict=True):
        assert not sizes[number:].any()


@pytest.mark.parametrize("shift", [-5000.0, 5000.0])
def test_a_constant_in_all_logits_changes_nothing(shift: float) -> None:
    draws = np.random.default_rng(1).choice(4, 60, p=[0.5, 0.3, 0.15, 0.05])
    z = np.log([8.0, 4, 2, 1])
    before, after = (audit_of([row], [draws], 1.0, top_k=3, min_p=0.01) for row in (z, z + shift))
    for first, second in zip(before.report.findings, after.report.findings, strict=True):
        assert (first.name, first.verdict, first.reason) == (second.name, second.verdict, second.reason)
        assert (first.p_value or 0) == pytest.approx(second.p_value or 0, rel=1e-6)


@pytest.mark.parametrize("tau", [0.0, 1e-300, 1e300, inf])
@pytest.mark.parametrize(
    ("z", "draws"),
    [
        ([0, 1, 2], [0] * 50),
        ([0, 0, 0], [0, 1, 2]),
        ([5], [0]),
        ([0, -inf, 1], [0, 2]),
        ([1e308, -1e308, 0], [0, 2]),
        ([8e307, 0, -8e307], [0, 1, 2] * 30),
    ],
)
def test_extreme_rows_have_a_report(tau: float, z: list[float], draws: list[int]) -> None:
    for cutoffs in ({}, {"top_k": 2, "top_p": 0.5, "min_p": 0.01}):
        report = audit_of([z], [draws], tau, **cutoffs).report
        assert len(report.findings) >= 5
        assert all(0 <= each.p_value <= 1 for each in report.findings if each.p_value is not None)


@pytest.mark.parametrize(("counts", "verdict"), [((700, 300), "contradicted"), ((505, 495), "inconclusive")])
def test_an_infinite_temperature_is_tested_like_a_very_high_one(counts: tuple[int, int], verdict: str) -> None:
    draws = np.random.default_rng(1).permutation(np.repeat([0, 1], counts))
    infinite, high = (finding(audit_of([[0.5, 0]], [draws], tau), "tau") for tau in (inf, 1e9))
    assert str(infinite.verdict) == str(high.verdict) == verdict
    # About the likelihood ratio of 50 % and the share of the draws.
    ratio = 2 * sum(count * np.log(count / 500) for count in counts)
    assert infinite.p_value
    assert infinite.p_value == pytest.approx(high.p_value, rel=1e-6)
    assert np.log(infinite.p_value) == pytest.approx(chi2.logsf(ratio, 1), rel=0.05, abs=0.2)


def test_draws_that_contradict_temperature_0_show_the_cutoffs_at_their_own_temperature() -> None:
    z, generator = np.array([2, 1, 0.5, 0, -1]), np.random.default_rng(2)
    draws = generator.choice(5, 1000, p=np.exp(z) / np.exp(z).sum())
    zero, one = audit_of([z], [draws], 0.0), audit_of([z], [draws], 1.0)
    assert finding(zero, "tau").verdict is Verdict.CONTRADICTED
    assert finding(zero, "top_k").found == "at least 5"
    for name in ("top_k", "top_p", "min_p"):
        assert finding(zero, name).found == finding(one, name).found


def test_a_list_that_a_hidden_cutoff_may_end_does_not_agree() -> None:
    """All draws are listed. At a low temperature, the classes beyond the list may have any probability."""
    hidden = Cell("", SimulatedServer("transformers", 0.7, {"top_k": 5}), 0.7, {}, FORMS[3])
    audit = hidden.audit(np.random.default_rng(3))
    assert min(row.unlisted for row in audit.evidence.rows) > 0.05
    assert finding(audit, "other_cutoffs").verdict is Verdict.INCONCLUSIVE


def test_the_range_of_top_p_counts_what_is_not_listed() -> None:
    """With the top-p of the probability that the lists have, the draws would be the same."""
    hidden = Cell("", SimulatedServer("transformers", 1.0, {"top_k": 5}), 1.0, {}, FORMS[3])
    audit = hidden.audit(np.random.default_rng(3))
    found = finding(audit, "top_p")
    assert found.low is not None
    assert found.low < max(1 - row.unlisted for row in audit.evidence.rows)


@pytest.mark.parametrize(("noise", "is_outside"), [(1e-3, True), (0.05, False)])
@pytest.mark.parametrize(
    ("cutoffs", "top"), [({"top_p": 0.9}, 0.903), ({"top_k": 1}, 0.505), ({"min_p": 0.999}, 0.505)]
)
def test_a_draw_that_the_noise_moves_across_a_cutoff_is_not_outside(
    cutoffs: dict[str, float], top: float, noise: float, is_outside: bool
) -> None:
    audit = audit_of([np.log([top, 1 - top])], [[0, 1, 0]], **cutoffs)
    supports = Supports(replace(audit.evidence, noise=noise))
    # An interval of temperatures would keep everything.
    assert bool(outside_draws(supports, audit.requested.chain, [1.0])) == is_outside


@pytest.mark.parametrize(
    ("cutoffs", "noise", "is_outside"),
    [
        ({"top_p": 0.9}, 1e-3, True),
        ({"top_p": 0.9}, 0.05, False),
        ({"min_p": 0.2}, 1e-3, True),
        ({"min_p": 0.2}, 0.05, False),
        ({"top_k": 3}, 0.05, True),
        ({"top_k": 3}, 0.5, False),
    ],
)
def test_an_unlisted_draw_is_outside_only_beyond_the_noise(
    cutoffs: dict[str, float], noise: float, is_outside: bool
) -> None:
    """The listed classes sum to just above 0.9, and an unlisted one may have just below a fifth of the first one."""
    listed = np.log([0.5, 0.25, 0.151])
    block = Block(listed[np.newaxis], partial=PartialDistribution(listed, 0, listed[2]))
    evidence = Evidence((DrawnRow(block, np.array([0, 1, UNLISTED])),), noise)
    chain = audit_of([listed], [[0]], **cutoffs).requested.chain
    assert bool(outside_draws(Supports(evidence), chain, [1.0])) == is_outside


@pytest.mark.parametrize(
    "name",
    [
        "tempered20/llama.cpp/0.3/top_p=0.9",
        "tempered20/llama.cpp/1.4/min_p=0.05",
        "cut20/llama.cpp/0.3/min_p=0.05",
        "cut20/llama.cpp/1.4/top_p=0.9",
    ],
)
def test_numbers_that_may_come_after_the_samplers_contradict_no_cutoff(name: str) -> None:
    each = cell(name)
    report = each.audit(np.random.default_rng(1)).report
    assert not {"top_p", "min_p", "other_cutoffs", "order"} & set(each.false_contradictions(report))


# Simulated servers


def smaller(each: Cell) -> Cell:
    """Return the same cell with at most 40 rows, which are fast."""
    return replace(each, form=replace(each.form, rows=min(each.form.rows, 40)))


COVERAGE_CELLS = [
    "whole/transformers/0.7/plain",
    "whole/llama.cpp/1.4/hidden top_k=40+top_p=0.9",
    "list5/transformers/0.3/ignored min_p=0.05",
]


@pytest.mark.parametrize("name", COVERAGE_CELLS)
def test_intervals_cover_the_temperature(name: str) -> None:
    random, each = np.random.default_rng(6), cell(name)
    intervals = [each.audit(random).interval for _ in range(20)]
    missed = sum(not interval.low <= each.true_tau <= interval.high for interval in intervals)
    assert missed <= binom.isf(1e-4, 20, 0.05)
    assert sum(interval.high < 4 * interval.low for interval in intervals) >= 15


@pytest.mark.parametrize(
    "name",
    ["whole/transformers/0.7/top_k=40+top_p=0.9", "list20/llama.cpp/1.4/min_p=0.05", "chosen5/transformers/1/plain"],
)
def test_servers_that_apply_the_requested_settings_are_rarely_contradicted(name: str) -> None:
    random, each = np.random.default_rng(8), smaller(cell(name))
    reports = [each.audit(random).report for _ in range(2)]
    assert sum(bool(each.false_contradictions(report)) for report in reports) <= binom.isf(1e-4, 2, LEVEL)


@pytest.mark.parametrize(
    "name",
    [
        "whole/transformers/1/hidden top_k=20",
        "whole/transformers/0.7/ignored top_p=0.9",
        "whole/llama.cpp/1/requested tau 1.25x",
        "single/vllm@pytorch/1/ignored min_p=0.05",
        "list20/transformers/1/hidden top_k=20",
    ],
)
def test_what_a_server_does_wrong_is_found(name: str) -> None:
    each = smaller(cell(name))
    reports = [each.audit(np.random.default_rng(seed)).report for seed in range(3)]
    assert sum(map(each.is_found, reports)) >= 2
