"""The confidence interval of a fitted temperature, against independent computations."""

from dataclasses import replace
from math import ceil, inf, log, sqrt
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from labeled import CountedPasses, digits, once, random_rows, resampled
from tsoft.core import interval as interval_of
from tsoft.core.fit import TemperatureFit, fit_rows
from tsoft.core.interval import TooLongError, bootstrap, confidence_interval, sandwich, wilson_interval
from tsoft.core.labeled_rows import LabeledRows


def test_the_sandwich_in_closed_form() -> None:
    """If each row has the same gap, and the target is at the top in a share p of them, the score is E[t] - t_y, with
    t = gap / tau or 0. The variance and the curvature are both t^2 p (1 - p).
    """
    rows = LabeledRows(np.tile([3.0, 0.0], (100, 1)), (np.arange(100) >= 80).astype(int))
    fit = fit_rows(once(rows))
    assert fit.error == pytest.approx(1 / (log(4) * sqrt(100 * 0.8 * 0.2)), rel=1e-9)
    interval = sandwich(fit)
    assert interval
    reach = 1.9599639845 * float(fit.error or 0)
    assert (log(interval.low), log(interval.high)) == pytest.approx(
        (log(fit.tau) - reach, log(fit.tau) + reach), abs=1e-9
    )
    assert sandwich(TemperatureFit(0.0)) is None


def test_the_sandwich_of_a_misspecified_model() -> None:
    """Compare with slopes and curvature from differences of scipy's NLL. The inverse curvature alone is 5 % lower."""
    rows, step = digits("val"), 1e-4
    fit = fit_rows(once(rows))

    def nll(side: float) -> Any:
        scaled = rows.logits.astype(float) / (fit.tau * np.exp(side))
        return -special.log_softmax(scaled, axis=1)[np.arange(674), rows.targets]

    slopes = (nll(step) - nll(-step)) / (2 * step)
    curvature = (nll(step) + nll(-step) - 2 * nll(0)).sum() / step**2
    assert fit.error == pytest.approx(sqrt((slopes**2).sum()) / curvature, rel=1e-5)
    assert sqrt(1 / curvature) < 0.97 * float(fit.error or 0)


@pytest.mark.parametrize(
    ("count", "reach", "resamples"), [(674, 6.0, 40), (674, 0.5, 40), (12, 6.0, 120), (3, 6.0, 120)]
)
def test_the_bootstrap_refits_in_full(
    count: int, reach: float, resamples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compare with a separate fit of each resample. With few rows, many resamples have no minimum, or a distant one.
    With a short reach, many minima are outside the nodes.
    """
    monkeypatch.setattr(interval_of, "REACH", reach)
    rows = digits("val") if count == 674 else random_rows(9, count, 3, tau=1.5)
    fit = fit_rows(once(rows))
    assert not fit.is_limit
    parts = [resampled(rows, slice(0, 2)), resampled(rows, slice(2, None))]
    interval = bootstrap(once(*parts), fit, resamples, np.random.default_rng(3))
    random = np.random.default_rng(3)
    taus = []
    for _ in range(resamples):
        drawn = np.sort(random.integers(0, count, count))
        taus.append(fit_rows(once(resampled(rows, drawn))).tau)
    low, high = (sorted(taus)[ceil(resamples * share) - 1] for share in (0.025, 0.975))
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-6)
    assert interval.limits == sum(tau in (0.0, inf) for tau in taus)


def weak(seed: int, count: int) -> LabeledRows:
    """Return logits that hardly predict the targets."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(count, 5)) * 3
    return LabeledRows(z, (z / 60 + random.gumbel(size=z.shape)).argmax(1))


def test_a_resample_near_chance_is_refitted_without_another_pass() -> None:
    """A third of the resamples have no minimum, and the minima of the others are far from the fit."""
    rows = weak(3, 1500)
    fit = fit_rows(once(rows))
    assert float(fit.error or 0) > 0.3
    counted = CountedPasses(rows)
    interval = bootstrap(counted, fit, 80, np.random.default_rng(3))
    assert counted.passes <= 4
    random = np.random.default_rng(3)
    taus = sorted(fit_rows(once(resampled(rows, np.sort(random.integers(0, 1500, 1500))))).tau for _ in range(80))
    assert 0 < interval.limits == sum(tau == inf for tau in taus)
    assert (interval.low, interval.high) == pytest.approx((taus[1], taus[77]), rel=1e-6)


def test_the_sandwich_replaces_a_bootstrap_that_would_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = digits("val")
    fit = fit_rows(once(rows))
    generator = np.random.default_rng(1)
    expected = sandwich(fit)
    assert expected
    assert confidence_interval(once(rows), fit, 674, 0, generator) == expected
    monkeypatch.setattr(interval_of, "MAX_DRAWN", 674 * 10 - 1)
    assert confidence_interval(once(rows), fit, 674, 10, generator) == expected
    assert getattr(confidence_interval(once(rows), fit, 674, 9, generator), "method", None) == "bootstrap"
    monkeypatch.setattr(interval_of, "MAX_EVALUATED", 0)
    interval = confidence_interval(once(rows), fit, 674, 9, generator)
    assert interval == replace(expected, reason="there are too many numbers for the bootstrap")


def test_a_bootstrap_that_would_take_long_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = digits("val")
    fit = fit_rows(once(rows))
    monkeypatch.setattr(interval_of, "MAX_EVALUATED", 674 * 10 * 3)
    with pytest.raises(TooLongError, match="too many numbers"):
        bootstrap(once(rows), fit, 10, np.random.default_rng(1))
    few = random_rows(9, 12, 3, tau=1.5)
    monkeypatch.setattr(interval_of, "MAX_REFITTED", 0)
    monkeypatch.setattr(interval_of, "REACH", 1e-9)
    with pytest.raises(TooLongError, match="too many resamples"):
        bootstrap(once(few), fit_rows(once(few)), 200, np.random.default_rng(1))


@pytest.mark.parametrize("power", [-1040, 1019])
def test_the_interval_scales_with_the_logits(power: int) -> None:
    """At any scale, the interval is computed without a warning, which would be an error here."""
    val = digits("val")
    whole = bootstrap(once(val), fit_rows(once(val)), 100, np.random.default_rng(1))
    rows = LabeledRows(np.ldexp(val.logits.astype(float), power), val.targets)
    scaled = bootstrap(once(rows), fit_rows(once(rows)), 100, np.random.default_rng(1))
    assert np.ldexp([scaled.low, scaled.high], -power) == pytest.approx([whole.low, whole.high], rel=1e-6)


def test_95_percent_intervals_contain_the_true_temperature_about_95_times_in_100() -> None:
    """For 40 classifiers with a known temperature, the expected count is 38, and 32 is four deviations below."""
    inside = {"bootstrap": 0, "sandwich": 0}
    for seed in range(40):
        rows = random_rows(100 + seed, 150, 4, tau=1.6)
        fit = fit_rows(once(rows))
        for interval in (bootstrap(once(rows), fit, 80, np.random.default_rng(seed)), sandwich(fit)):
            assert interval
            inside[interval.method] += interval.low <= 1.6 <= interval.high
    assert min(inside.values()) > 32


@pytest.mark.parametrize("outlier", [1e200, 1e280])
@pytest.mark.parametrize("power", [0, -600])
def test_interval_with_an_outlier(outlier: float, power: int) -> None:
    """The rows determine the temperature so roughly that 1 / tau has no error in float64."""
    z = np.array([[2.0, 0.7], [-0.7, -0.2], [outlier, 0.5], [0.3, 0.1], [1.0, 0.0]])
    rows = LabeledRows(np.ldexp(z, power), np.array([1, 1, 0, 0, 1]))
    fit = fit_rows(once(rows))
    assert 0 < fit.tau < inf
    interval = confidence_interval(once(rows), fit, 5, 30, np.random.default_rng(1))
    assert interval is not None
    assert 0 <= interval.low <= fit.tau * (1 + 1e-9)
    assert fit.tau * (1 - 1e-9) <= interval.high


def test_the_wilson_interval_is_that_of_scipy() -> None:
    cases = [(0, 1), (1, 1), (3, 10), (50, 100), (999, 1000), (0, 10**6)]
    low, high = wilson_interval(*np.array([(right / rows, rows) for right, rows in cases]).T)
    for (right, rows), *ends in zip(cases, low, high, strict=True):
        expected = stats.binomtest(right, rows).proportion_ci(0.95, "wilson")
        assert ends == pytest.approx([expected.low, expected.high], abs=1e-12)
