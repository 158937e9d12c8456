"""The test of whether the temperatures of groups differ."""

from math import inf
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

import tsoft
from labeled import digits, once, random_rows
from tsoft.core.fit import fit_rows
from tsoft.core.labeled_rows import LabeledRows


def total_nll(rows: LabeledRows, tau: float) -> float:
    log_probs = special.log_softmax(rows.logits / tau, axis=1)
    return -float(log_probs[np.arange(len(rows.targets)), rows.targets].sum())


def misfit(rows: LabeledRows, tau: float) -> tuple[float, float]:
    """Return the sums of the squared derivatives of the NLL by log tau, and of the second derivatives."""
    probs = special.softmax(rows.logits / tau, axis=1)
    mean = (probs * rows.logits).sum(1)
    scores = (rows.logits[np.arange(len(rows.targets)), rows.targets] - mean) / tau
    return float((scores**2).sum()), float((((probs * rows.logits**2).sum(1) - mean**2) / tau**2).sum())


def part(rows: LabeledRows, chosen: Any) -> LabeledRows:
    return LabeledRows(rows.logits[chosen], rows.targets[chosen])


def ratio_and_correction(rows: LabeledRows, groups: Any) -> tuple[float, float]:
    """Return the likelihood ratio and its mean for groups that do not differ, per degree of freedom."""
    parts = [part(rows, groups == name) for name in np.unique(groups)]
    taus = [fit_rows(once(each)).tau for each in parts]
    fitted = sum(total_nll(each, tau) for each, tau in zip(parts, taus, strict=True))
    sums = [misfit(each, tau) for each, tau in zip(parts, taus, strict=True)]
    total = sum(curvature for _, curvature in sums)
    correction = sum(squares / curvature * (1 - curvature / total) for squares, curvature in sums)
    return 2 * (total_nll(rows, fit_rows(once(rows)).tau) - fitted), correction / (len(parts) - 1)


@pytest.mark.parametrize("classes", [2, 5])
def test_the_statistic_is_the_corrected_likelihood_ratio(classes: int) -> None:
    rows = random_rows(1, 300, classes, 1.6)
    # Some targets are noise, so that no temperature makes the probabilities the true ones.
    rows.targets[::5] = np.arange(60) % classes
    groups = np.arange(300) % 3
    difference = tsoft.temperature_difference(rows.logits, rows.targets, groups)
    ratio, correction = ratio_and_correction(rows, groups)
    assert difference
    assert difference.statistic == pytest.approx(ratio / correction, rel=1e-8)
    assert abs(correction - 1) > 0.05
    assert difference.degrees == 2
    assert difference.p_value == pytest.approx(stats.chi2.sf(difference.statistic, 2), rel=1e-9)


def test_true_probabilities_need_hardly_any_correction() -> None:
    """The statistic is then the likelihood ratio, whose distribution Wilks found."""
    parts = [random_rows(seed, 10_000, 3, tau) for seed, tau in enumerate((1.5, 1.55, 1.5))]
    rows = LabeledRows(np.concatenate([p.logits for p in parts]), np.concatenate([p.targets for p in parts]))
    groups = np.repeat(["a", "b", "c"], 10_000)
    difference = tsoft.temperature_difference(rows.logits, rows.targets, groups)
    assert difference
    assert difference.statistic == pytest.approx(ratio_and_correction(rows, groups)[0], rel=0.05)


def test_groups_at_random_differ_by_chance() -> None:
    """Also for targets that have the probabilities at no temperature. The p-values are uniform."""
    random = np.random.default_rng(1)
    z = random.normal(size=(500, 3)) * 3
    noise = random.random(500) < 0.3
    targets = np.where(noise, random.integers(0, 3, 500), (z + random.gumbel(size=z.shape)).argmax(1))
    p_values = []
    for _ in range(50):
        difference = tsoft.temperature_difference(z, targets, random.integers(0, 4, 500))
        assert difference
        p_values.append(difference.p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


def test_groups_of_different_temperatures_differ() -> None:
    rows = digits("val")
    groups = np.arange(len(rows.targets)) % 2
    z = rows.logits * np.where(groups == 1, 2.0, 1.0)[:, np.newaxis]
    difference = tsoft.temperature_difference(z, rows.targets, groups)
    assert difference
    assert difference.p_value < 0.001


def test_a_group_at_a_limit_takes_part() -> None:
    """Every target of the second group is right, so its temperature is 0."""
    z = np.tile([[1.0, 0.0]], (80, 1))
    targets = np.repeat([0, 1, 0], [30, 10, 40])
    difference = tsoft.temperature_difference(z, targets, np.repeat(["x", "y"], 40))
    assert difference
    assert difference.p_value < 0.01
    assert tsoft.fit_temperature(z[40:], targets[40:]).tau == 0


def test_without_a_temperature_there_is_no_test() -> None:
    assert tsoft.temperature_difference([[2, 0], [0, 1]], [0, 1], [0, 1]) is None
    assert tsoft.fit_temperature([[2, 0], [0, 1]], [1, 0]).tau == inf
    assert tsoft.temperature_difference([[2, 0], [0, 1]], [1, 0], [0, 1]) is None
    assert tsoft.temperature_difference([[2, 0], [0, 1], [3, 1]], [0, 1, 1], [5, 5, 5]) is None


def test_groups_that_do_not_match_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"groups must have shape \(2,\), one per row of logits; got \(3,\)"):
        tsoft.temperature_difference([[2, 0], [0, 1]], [0, 1], [0, 1, 1])
