"""The core of calibration: the fit, its interval, and the measures, each against another way to the same."""

import itertools
import json
from collections.abc import Callable, Iterable
from decimal import Context, Decimal, localcontext
from math import ceil, inf, log, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from tool import TESTS
from tsoft.core.fit import TemperatureFit, fit_temperature
from tsoft.core.labelled_rows import CalibrationError, LabelledRows, TargetError, evaluate, row_slopes, survey
from tsoft.features.calibrate import interval as interval_of
from tsoft.features.calibrate.interval import LongError, bootstrap, sandwich
from tsoft.features.calibrate.reliability import Bins, Report, chance, equal_masses, report, scores

DATA = TESTS / "data"
REFERENCE = json.loads((DATA / "digits-reference.json").read_text())["digits"]
FEW = settings(deadline=None, derandomize=True, max_examples=60)


def digits(name: str) -> LabelledRows:
    """The logits of a classifier of handwritten digits, and the digits."""
    with np.load(DATA / f"digits-{name}.npz") as held:
        return LabelledRows(held["logits"], held["labels"])


def once(*blocks: LabelledRows) -> Callable[[], Iterable[LabelledRows]]:
    return lambda: blocks


def made(seed: int, rows: int, classes: int, tau: float = 1.0) -> LabelledRows:
    """Logits whose targets are drawn from their softmax at a temperature."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(rows, classes)) * 3
    return LabelledRows(z, (z / tau + random.gumbel(size=z.shape)).argmax(1))


def resampled(rows: LabelledRows, chosen: Any) -> LabelledRows:
    return LabelledRows(rows.logits[chosen], rows.targets[chosen])


def measured(rows: LabelledRows, tau: float, bins: int = 15, samples: int = 1, seed: int = 1) -> Report:
    found = scores(once(rows), np.array([tau]), 1)
    return report(found, 0, bins, samples, np.random.default_rng(seed))


# The reference, which was worked out in extended precision.


def test_the_reference_s_temperature() -> None:
    assert fit_temperature(once(digits("val"))).tau == pytest.approx(REFERENCE["tau"], rel=0, abs=1e-12)


@pytest.mark.parametrize("name", ["val", "test"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_reference_s_measures(name: str, when: str) -> None:
    found = measured(digits(name), 1.0 if when == "before" else REFERENCE["tau"])
    assert found.nll == pytest.approx(REFERENCE[f"nll_{name}_{when}"], rel=0, abs=1e-13)
    assert found.widths.ece == pytest.approx(REFERENCE[f"ece15_{name}_{when}"], rel=0, abs=1e-13)


# The fit.


def slope(rows: LabelledRows, tau: Decimal) -> Decimal:
    """d NLL / d tau times tau^2, to 50 digits: the sum of z_y - E[z], which grows with tau's NLL."""
    total = Decimal(0)
    for row, target in zip(rows.logits.tolist(), rows.targets.tolist(), strict=True):
        z = [Decimal(value) for value in row if value > -inf]
        weights = [((value - max(z)) / tau).exp() for value in z]
        mean = sum((w * value for w, value in zip(weights, z, strict=True)), Decimal(0)) / sum(weights, Decimal(0))
        total += Decimal(row[target]) - mean
    return total


@FEW
@given(
    st.integers(0, 10**6),
    st.integers(2, 12),
    st.integers(2, 6),
    st.floats(-3, 3),
    st.sampled_from([0, 0, 2, 6]),
    st.booleans(),
)
def test_the_true_slope_changes_its_sign_at_the_fit(
    seed: int, count: int, classes: int, power: float, apart: int, masked: bool
) -> None:
    """Also where the rows' logits are of sizes that are far `apart`."""
    rows = made(seed, count, classes)
    z = rows.logits * 10 ** (power + apart * np.random.default_rng(seed).normal(size=(count, 1)))
    if masked and classes > 2:
        z[np.arange(count), (rows.targets + 1) % classes] = -inf
    rows = LabelledRows(z, rows.targets)
    tau = fit_temperature(once(rows)).tau
    assume(0 < tau < inf)
    with localcontext(Context(prec=50)):
        # Near chance, or where a target is hardly below the top, the sums' rounding moves the minimum more.
        off = Decimal("1e-9")
        assert slope(rows, Decimal(tau) * (1 - off)) < 0 < slope(rows, Decimal(tau) * (1 + off))


def test_scipy_finds_no_lower_nll() -> None:
    rows = made(1, 300, 7, tau=2.0)

    def nll(log_tau: float) -> float:
        scaled = special.log_softmax(rows.logits / np.exp(log_tau), axis=1)
        return float(-scaled[np.arange(300), rows.targets].mean())

    least = optimize.minimize_scalar(nll, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10})
    found = log(fit_temperature(once(rows)).tau)
    assert found == pytest.approx(least.x, abs=1e-6)
    assert nll(found) <= least.fun + 1e-15


@pytest.mark.parametrize("right", [6, 9, 99, 51])
@pytest.mark.parametrize("gap", [1e-300, 1e-8, 1.0, 2.5, 1e8, 1e307])
def test_two_classes_in_closed_form(right: int, gap: float) -> None:
    """k of n rows are right, each by the same gap: then exp(gap / tau) = k / (n - k)."""
    of = 10 if right < 10 else 100
    z = np.tile([gap, 0.0], (of, 1))
    rows = LabelledRows(z, (np.arange(of) >= right).astype(int))
    assert fit_temperature(once(rows)).tau == pytest.approx(gap / log(right / (of - right)), rel=1e-12)


@pytest.mark.parametrize("masked", [1, 6])
def test_a_masked_class_is_none(masked: int) -> None:
    """Two classes and others that are masked are two classes, also to tell what is no better than chance."""
    z = np.tile([1.0, 0.0, *[-inf] * masked], (10, 1))
    assert fit_temperature(once(LabelledRows(z, (np.arange(10) >= 6).astype(int)))).tau == pytest.approx(
        1 / log(1.5), rel=1e-12
    )
    assert fit_temperature(once(LabelledRows(z, (np.arange(10) >= 5).astype(int)))).tau == inf


@pytest.mark.parametrize("power", [-1000, -300, -7, 0, 7, 300, 1010])
def test_the_temperature_scales_with_the_logits(power: int) -> None:
    val = digits("val")
    rows = LabelledRows(np.ldexp(val.logits.astype(float), power), val.targets)
    assert np.ldexp(fit_temperature(once(rows)).tau, -power) == pytest.approx(REFERENCE["tau"], rel=1e-12)


def test_neither_a_row_s_offset_nor_the_blocks_matter() -> None:
    rows = made(2, 100, 5)
    tau = fit_temperature(once(rows)).tau
    moved = LabelledRows(rows.logits + np.arange(100)[:, np.newaxis], rows.targets)
    assert fit_temperature(once(moved)).tau == pytest.approx(tau, rel=1e-12)
    parts = [resampled(rows, slice(first, first + 7)) for first in range(0, 100, 7)]
    assert fit_temperature(once(*parts)).tau == pytest.approx(tau, rel=1e-14)


@pytest.mark.parametrize("offset", [0, 1e6])
@pytest.mark.parametrize("spread", [1e-6, 1e-3, 0.05, 1.0, 20.0, 1e3, 1e6])
@pytest.mark.parametrize("of", [(3, 400), (1000, 50), (2, 2000)])
def test_a_fit_takes_few_passes(spread: float, of: tuple[int, int], offset: float) -> None:
    """However far the logits are from 0, and their scale from 1."""
    classes, count = of
    rows = made(3, count, classes, tau=1.7)
    rows = LabelledRows((rows.logits + offset) * spread, rows.targets)
    passes = 0

    def counted() -> Iterable[LabelledRows]:
        nonlocal passes
        passes += 1
        return [rows]

    assert fit_temperature(counted).tau == pytest.approx(1.7 * spread, rel=0.6)
    assert passes <= 7


@pytest.mark.parametrize("wrong", [1, 3])
def test_few_passes_next_to_perfection_and_to_chance(wrong: int) -> None:
    random = np.random.default_rng(4)
    z = random.normal(size=(2000, 4)) * 5
    top = z.argmax(1)
    for targets in (np.where(np.arange(2000) < wrong, (top + 1) % 4, top), random.integers(0, 4, 2000)):
        passes = 0

        def counted(rows: LabelledRows = LabelledRows(z, targets)) -> Iterable[LabelledRows]:  # noqa: B008
            nonlocal passes
            passes += 1
            return [rows]

        tau = fit_temperature(counted).tau
        # A twelfth is for what is measured at the fit.
        assert passes <= 11
        if 0 < tau < inf:
            [sums] = evaluate(counted, [tau])
            assert abs(sums.slope) <= 1e-9 * sums.mean


@pytest.mark.parametrize("kind", ["cauchy", "log-normal", "rows apart"])
def test_logits_of_very_different_sizes(kind: str) -> None:
    """Newton's method alone does not get on there."""
    for seed in range(150):
        random = np.random.default_rng(seed)
        shape = int(random.integers(2, 60)), int(random.integers(2, 50))
        z = {
            "cauchy": random.standard_cauchy(shape),
            "log-normal": np.exp(5 * random.normal(size=shape)),
            "rows apart": random.normal(size=shape) * np.exp(6 * random.normal(size=(shape[0], 1))),
        }[kind]
        rows = LabelledRows(z, (z / z.std() * 3 + random.gumbel(size=shape)).argmax(1))
        passes = 0

        def counted(rows: LabelledRows = rows) -> Iterable[LabelledRows]:
            nonlocal passes
            passes += 1
            return [rows]

        found = fit_temperature(counted)
        assert passes <= 14
        if not found.is_limit:
            [sums] = evaluate(counted, [found.tau])
            assert abs(sums.slope) <= 1e-8 * sums.mean


@pytest.mark.parametrize("mask", [-1e5, -1e30, -1e150, -1e300, np.finfo(float).min])
def test_a_mask_that_is_a_number_is_as_good_as_one_that_is_none(mask: float) -> None:
    """However far down: the temperature has all the digits that it has without these classes."""
    val = digits("val")
    for columns in (2, 40):
        z = np.hstack([val.logits.astype(float), np.full((674, columns), mask)])
        passes = 0

        def counted(rows: LabelledRows = LabelledRows(z, val.targets)) -> Iterable[LabelledRows]:  # noqa: B008
            nonlocal passes
            passes += 1
            return [rows]

        found = fit_temperature(counted)
        assert found.tau == pytest.approx(REFERENCE["tau"], rel=1e-12)
        assert found.error == pytest.approx(fit_temperature(once(val)).error, rel=1e-6)
        assert passes <= 12


def test_a_row_far_from_the_others_costs_them_no_digits() -> None:
    """Its target is at the top, so that it says nothing of the others' temperature, in whatever block it comes."""
    val = digits("val")
    for scale, power in itertools.product([1e-300, 1.0, 1e300], [0, 20, -900]):
        z = np.ldexp(val.logits.astype(float), power)
        far = LabelledRows(np.array([[scale, *[-scale] * 9]]), np.array([0]))
        if scale > 1e3 * np.ldexp(1.0, power):
            for blocks in ((far, LabelledRows(z, val.targets)), (LabelledRows(z, val.targets), far)):
                assert np.ldexp(fit_temperature(once(*blocks)).tau, -power) == pytest.approx(
                    REFERENCE["tau"], rel=1e-12
                )
            joined = LabelledRows(np.vstack([far.logits, z]), np.append(0, val.targets))
            assert np.ldexp(fit_temperature(once(joined)).tau, -power) == pytest.approx(REFERENCE["tau"], rel=1e-12)


@pytest.mark.parametrize(("sign", "limit"), [(1, inf), (-1, 0.0)])
def test_a_minimum_that_no_double_holds_is_said(sign: int, limit: float) -> None:
    """gap / log(k / (n - k)), as above, of the largest gap and of the least."""
    right, gap = (51, 1.7e308) if sign > 0 else (99, 5e-324)
    z = np.tile([gap, 0.0], (100, 1))
    found = fit_temperature(once(LabelledRows(z, (np.arange(100) >= right).astype(int))))
    assert (found.tau, found.error) == (limit, None)
    power = log(gap) / log(10) - log(log(right / (100 - right))) / log(10)
    assert f"the NLL is least at τ = 10^{power:.2f}, which no double holds" in str(found.reason)


def test_rows_that_change_between_passes_are_no_defect() -> None:
    """At no temperature are the rows of the further passes what those of the first are at their best."""
    val, calls = digits("val"), itertools.count()
    other = LabelledRows(val.logits * 1e-6, val.logits.argmin(1))
    with pytest.raises(CalibrationError, match="are the rows the same in every pass"):
        fit_temperature(lambda: [other if next(calls) else val])


def test_every_target_at_the_top_is_no_temperature() -> None:
    z = np.array([[2.0, 1.0, -inf], [0.0, 3.0, 3.0]])
    found = fit_temperature(once(LabelledRows(z, np.array([0, 1]))))
    assert (found.tau, found.error, found.is_limit) == (0.0, None, True)
    assert "most probable" in str(found.reason)


def test_no_better_than_chance_is_no_temperature() -> None:
    val = digits("val")
    found = fit_temperature(once(LabelledRows(-val.logits, val.targets)))
    assert (found.tau, found.is_limit) == (inf, True)
    assert "chance" in str(found.reason)
    # Exactly at chance, too: each class once as the target of the same row.
    even = LabelledRows(np.tile([2.0, 1.0, 0.0], (3, 1)), np.arange(3))
    assert fit_temperature(once(even)).tau == inf


def test_what_cannot_be_fitted() -> None:
    flat = LabelledRows(np.ones((3, 4)), np.array([0, 1, 2]))
    with pytest.raises(CalibrationError, match="all alike"):
        fit_temperature(once(flat))
    with pytest.raises(CalibrationError, match="no rows"):
        fit_temperature(once())
    parts = LabelledRows(np.zeros((2, 3)), np.zeros(2, int)), LabelledRows(np.zeros((2, 4)), np.zeros(2, int))
    with pytest.raises(CalibrationError, match="row 2 has 4 classes, but the rows before it 3"):
        fit_temperature(once(*parts))
    z = made(5, 3, 3).logits
    z[2, 1] = -inf
    with pytest.raises(TargetError, match="row 5: the target, class #1, is masked"):
        fit_temperature(once(LabelledRows(np.zeros((3, 3)), np.zeros(3, int)), LabelledRows(z, np.array([0, 0, 1]))))
    many = np.zeros((30_000, 3))
    many[29_000, 2] = -inf
    with pytest.raises(TargetError, match="row 29000: the target, class #2, is masked"):
        fit_temperature(once(LabelledRows(many, np.full(30_000, 2))))


def test_probabilities_are_known_for_what_they_are() -> None:
    probs = special.softmax(made(6, 50, 4).logits, axis=1)
    targets = np.zeros(50, int)
    for rounded in (probs, probs.astype(np.float32), probs.astype(np.float16), probs.round(3)):
        assert survey(once(LabelledRows(rounded, targets))).are_probabilities
    one_off = probs.copy()
    one_off[7] *= 1.03
    for other in (np.log(probs), one_off, probs - 0.1):
        assert not survey(once(LabelledRows(other, targets))).are_probabilities


# The interval.


def test_the_sandwich_in_closed_form() -> None:
    """With the same gap in every row, and a share p of them right, the score is E[t] - t_y with t = gap / tau
    or 0: its variance is t^2 p (1 - p), and so is the curvature."""
    rows = LabelledRows(np.tile([3.0, 0.0], (100, 1)), (np.arange(100) >= 80).astype(int))
    found = fit_temperature(once(rows))
    assert found.error == pytest.approx(1 / (log(4) * sqrt(100 * 0.8 * 0.2)), rel=1e-9)
    interval = sandwich(found)
    assert interval
    reach = 1.9599639845 * float(found.error or 0)
    assert (log(interval.low), log(interval.high)) == pytest.approx(
        (log(found.tau) - reach, log(found.tau) + reach), abs=1e-9
    )
    assert sandwich(TemperatureFit(0.0)) is None


def test_the_sandwich_of_a_model_that_is_wrong() -> None:
    """Slopes and curvature as differences of scipy's NLL; here the inverse curvature alone is 5 % lower."""
    rows, step = digits("val"), 1e-4
    found = fit_temperature(once(rows))

    def nll(side: float) -> Any:
        scaled = rows.logits.astype(float) / (found.tau * np.exp(side))
        return -special.log_softmax(scaled, axis=1)[np.arange(674), rows.targets]

    slopes = (nll(step) - nll(-step)) / (2 * step)
    curvature = (nll(step) + nll(-step) - 2 * nll(0)).sum() / step**2
    assert found.error == pytest.approx(sqrt((slopes**2).sum()) / curvature, rel=1e-5)
    assert sqrt(1 / curvature) < 0.97 * float(found.error or 0)


@pytest.mark.parametrize("beta", [0.0, 1e-3, 0.7, 2.5])
def test_row_slopes_are_derivatives(beta: float) -> None:
    rows, step = made(7, 30, 4), 1e-5
    log_probs = [special.log_softmax(rows.logits * (beta + side), axis=1) for side in (step, -step)]
    up, down = (-of[np.arange(30), rows.targets] for of in log_probs)
    assert row_slopes(once(rows), np.array([beta]))[0] == pytest.approx((up - down) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("count", [674, 40, 12, 3])
def test_the_bootstrap_refits_in_full(count: int) -> None:
    """The same resamples, each fitted for itself. Of few rows many have no minimum, or one far away."""
    rows = digits("val") if count == 674 else made(9, count, 3, tau=1.5)
    found = fit_temperature(once(rows))
    assert not found.is_limit
    parts = [resampled(rows, slice(0, 2)), resampled(rows, slice(2, None))]
    interval = bootstrap(once(*parts), found, 200, np.random.default_rng(3))
    random = np.random.default_rng(3)
    taus = []
    for _ in range(200):
        drawn = np.sort(random.integers(0, count, count))
        taus.append(fit_temperature(once(resampled(rows, drawn))).tau)
    low, high = sorted(taus)[ceil(200 * 0.025) - 1], sorted(taus)[ceil(200 * 0.975) - 1]
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-6)
    assert interval.limits == sum(tau in (0.0, inf) for tau in taus)


def counting(rows: LabelledRows) -> tuple[Callable[[], Iterable[LabelledRows]], list[int]]:
    """The rows, and how many passes were made."""
    passes = [0]

    def counted() -> Iterable[LabelledRows]:
        passes[0] += 1
        return [rows]

    return counted, passes


def weak(seed: int, count: int) -> LabelledRows:
    """Logits that hardly tell the targets."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(count, 5)) * 3
    return LabelledRows(z, (z / 60 + random.gumbel(size=z.shape)).argmax(1))


def test_a_resample_near_chance_is_refitted_without_another_pass() -> None:
    """A third of them have no minimum, and the others theirs far from the fit."""
    rows = weak(3, 1500)
    found = fit_temperature(once(rows))
    assert float(found.error or 0) > 0.3
    passes, count = counting(rows)
    interval = bootstrap(passes, found, 150, np.random.default_rng(3))
    assert count[0] <= 4
    random = np.random.default_rng(3)
    taus = sorted(
        fit_temperature(once(resampled(rows, np.sort(random.integers(0, 1500, 1500))))).tau for _ in range(150)
    )
    assert 0 < interval.limits == sum(tau == inf for tau in taus)
    assert (interval.low, interval.high) == pytest.approx((taus[3], taus[146]), rel=1e-6)


def test_a_bootstrap_that_would_take_long_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = digits("val")
    found = fit_temperature(once(rows))
    monkeypatch.setattr(interval_of, "WORKED", 674 * 10 * 3)
    with pytest.raises(LongError, match="too many numbers"):
        bootstrap(once(rows), found, 10, np.random.default_rng(1))
    few = made(9, 12, 3, tau=1.5)
    monkeypatch.setattr(interval_of, "REFITTED", 0)
    monkeypatch.setattr(interval_of, "AROUND", 1e-9)
    with pytest.raises(LongError, match="too many resamples"):
        bootstrap(once(few), fit_temperature(once(few)), 200, np.random.default_rng(1))


@pytest.mark.parametrize("power", [-1040, -1000, 1000, 1019])
def test_the_interval_scales_with_the_logits(power: int) -> None:
    """No warning either, each of which would be an error here."""
    val = digits("val")
    whole = bootstrap(once(val), fit_temperature(once(val)), 100, np.random.default_rng(1))
    rows = LabelledRows(np.ldexp(val.logits.astype(float), power), val.targets)
    found = bootstrap(once(rows), fit_temperature(once(rows)), 100, np.random.default_rng(1))
    assert np.ldexp([found.low, found.high], -power) == pytest.approx([whole.low, whole.high], rel=1e-6)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Of 100 classifiers with a known temperature: 95 are expected, and 85 are four deviations below."""
    inside = {"bootstrap": 0, "sandwich": 0}
    for seed in range(100):
        rows = made(100 + seed, 150, 4, tau=1.6)
        found = fit_temperature(once(rows))
        for interval in (bootstrap(once(rows), found, 200, np.random.default_rng(seed)), sandwich(found)):
            assert interval
            inside[interval.method] += interval.low <= 1.6 <= interval.high
    assert min(inside.values()) > 85


# The measures.


def naive_ece(confidences: list[float], right: list[bool], edges: list[float]) -> tuple[float, float]:
    """ECE and MCE, row by row: a bin is above its lower edge, and up to its upper."""
    gaps, worst = 0.0, 0.0
    for low, high in itertools.pairwise(edges):
        inside = [i for i, c in enumerate(confidences) if low < c <= high]
        if inside:
            gap = abs(sum(right[i] for i in inside) - sum(confidences[i] for i in inside))
            gaps, worst = gaps + gap, max(worst, gap / len(inside))
    return gaps / len(confidences), worst


@FEW
@given(st.integers(0, 10**6), st.integers(1, 200), st.integers(2, 6), st.integers(1, 20), st.sampled_from([0.3, 1, 4]))
def test_measures_row_by_row(seed: int, count: int, classes: int, bins: int, tau: float) -> None:
    rows = made(seed, count, classes)
    found = measured(rows, tau, bins)
    log_probs = special.log_softmax(rows.logits / tau, axis=1)
    probs = np.exp(log_probs)
    one_hot = np.eye(classes)[rows.targets]
    assert found.nll == pytest.approx(-(log_probs * one_hot).sum(1).mean(), abs=1e-12)
    assert found.brier == pytest.approx(((probs - one_hot) ** 2).sum(1).mean(), abs=1e-12)
    right = probs.argmax(1) == rows.targets
    assert found.accuracy == right.mean()
    assert found.confidence == pytest.approx(probs.max(1).mean(), abs=1e-12)
    edges = [b / bins for b in range(bins + 1)]
    ece, mce = naive_ece(probs.max(1).tolist(), right.tolist(), edges)
    assert (found.widths.ece, found.widths.mce) == pytest.approx((ece, mce), abs=1e-12)
    assert found.masses.counts.sum() == found.widths.counts.sum() == count
    # As nearly as can be the same number in each bin.
    assert np.ptp(found.masses.counts) <= 1
    assert len(found.masses.counts) == min(bins, count)
    order, first, total = probs.max(1).argsort(), 0, 0.0
    for inside in found.masses.counts.tolist():
        part = order[first : first + inside]
        total += abs(right[part].sum() - probs[part].max(1).sum())
        first += inside
    assert found.masses.ece == pytest.approx(total / count, abs=1e-12)


def of_confidences(confidences: list[float], bins: int) -> Report:
    """A report on two classes, the first of which has these probabilities and is the target."""
    p = np.array(confidences)
    with np.errstate(divide="ignore"):
        z = np.log(np.column_stack([p, 1 - p]))
    return measured(LabelledRows(z, np.zeros(len(p), int)), 1.0, bins)


def test_a_confidence_of_1_has_its_bin() -> None:
    found = of_confidences([1.0, 1.0, 0.5], 10)
    assert found.widths.counts.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 2]
    assert found.widths.ece == pytest.approx(0.5 / 3)
    assert np.isnan(found.widths.accuracy[0])


@pytest.mark.parametrize("tau", [0.0, inf])
def test_the_limits_are_measured(tau: float) -> None:
    rows = LabelledRows(np.array([[3.0, 0.0, 0.0], [1.0, 2.0, -inf]]), np.array([0, 1]))
    found = measured(rows, tau)
    assert found.nll == pytest.approx(0.0 if tau == 0 else (log(3) + log(2)) / 2)
    assert found.accuracy == 1
    assert found.confidence == pytest.approx(1.0 if tau == 0 else (1 / 3 + 1 / 2) / 2)


def test_confidences_that_tie_share_a_bin_of_equal_mass() -> None:
    found = of_confidences([0.6] * 5 + [0.7] + [0.9] * 6, 4).masses
    assert found.counts.tolist() == [5, 1, 6]
    assert found.is_merged
    assert found.asked == 4
    assert of_confidences([0.8] * 9, 4).masses.counts.tolist() == [9]
    assert equal_masses(np.array([0.5, 0.6]), 5).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("classes", range(2, 41))
def test_a_confidence_on_an_edge_is_in_the_bin_below(classes: int) -> None:
    """Each class has 1 / classes, which is an edge of bins of equal width; and a third of the rows are of a
    confidence above it."""
    random = np.random.default_rng(classes)
    offsets = np.tile(random.normal(size=(30, 1)) * 10, (1, classes))
    offsets[20:, 0] += 0.05
    found = measured(LabelledRows(offsets, np.zeros(30, int)), 1.3, classes)
    assert found.widths.counts[:2].tolist() == [20, 10]
    assert found.masses.counts.tolist() == [20, 10] if classes < 4 else found.masses.is_merged


def test_confidences_that_are_equal_but_for_rounding_share_a_bin_of_equal_mass() -> None:
    random = np.random.default_rng(1)
    # The same probabilities of five classes in another order, whose sum is rounded otherwise.
    z = np.array([random.permutation([2.0, 0.3, 0.1, -0.7, 1.1]) + shift for shift in random.normal(size=60)])
    found = measured(LabelledRows(z, z.argmax(1)), 1.7, 6).masses
    assert found.counts.tolist() == [60]


@FEW
@given(st.lists(st.sampled_from([0.5, 0.55, 0.6, 0.75, 0.9, 1.0]), min_size=1, max_size=60), st.integers(1, 12))
def test_no_bin_of_equal_mass_is_empty(confidences: list[float], bins: int) -> None:
    found = of_confidences(confidences, bins).masses
    assert found.counts.min() > 0
    assert len(found.counts) <= min(bins, len(set(confidences)))
    assert (np.diff(found.edges) > 0).all()
    assert found.accuracy.tolist() == [1] * len(found.counts)


def enumerated(confidences: list[float], counts: list[int]) -> float:
    """The mean ECE of a calibrated model, over every outcome."""
    mean, bounds = 0.0, [0, *itertools.accumulate(counts)]
    for outcome in itertools.product([0, 1], repeat=len(confidences)):
        likely = np.prod([c if o else 1 - c for c, o in zip(confidences, outcome, strict=True)])
        off = [abs(sum(outcome[a:b]) - sum(confidences[a:b])) for a, b in itertools.pairwise(bounds)]
        mean += float(likely) * sum(off) / len(confidences)
    return mean


def test_chance_is_the_mean_over_every_outcome() -> None:
    confidences, counts = [0.3, 0.5, 0.55, 0.6, 0.8, 0.9, 0.95, 0.99], [3, 0, 5]
    samples = 20_000
    found = chance(np.array(confidences), np.array(counts), samples, np.random.default_rng(1))
    # A deviation of a sample is below 0.15.
    assert found.mean == pytest.approx(enumerated(confidences, [3, 5]), abs=5 * 0.15 / sqrt(samples))
    assert found.high > found.mean


def test_many_rows_are_drawn_together() -> None:
    """Of a single bin the ECE is |a normal number| over the root of the rows, whose mean and 95 % are known."""
    confidences = np.sort(np.random.default_rng(2).uniform(0.4, 1, 30_000))
    deviation = sqrt((confidences * (1 - confidences)).sum()) / len(confidences)
    found = chance(confidences, np.array([len(confidences)]), 4000, np.random.default_rng(3))
    assert found.mean == pytest.approx(deviation * sqrt(2 / np.pi), rel=0.05)
    assert found.high == pytest.approx(deviation * 1.96, rel=0.05)


def test_a_calibrated_model_is_within_chance() -> None:
    """Targets drawn from the probabilities themselves: 5 % of the models are beyond the 95 % value."""
    beyond = 0
    for seed in range(200):
        found = measured(made(1000 + seed, 200, 3), 1.0, 10, 200, seed)
        beyond += found.widths.ece > found.widths_chance.high
    assert 1 <= beyond <= 25


def test_scikit_learn_agrees() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    base = pytest.importorskip("sklearn.base")
    frozen = pytest.importorskip("sklearn.frozen")

    class Logits(base.ClassifierMixin, base.BaseEstimator):  # type: ignore[misc, name-defined]
        """A classifier whose features are its logits."""

        def fit_temperature(self, z: Any, y: Any) -> Any:
            self.classes_ = np.arange(z.shape[1])
            return self

        def decision_function(self, z: Any) -> Any:
            return z

        def predict(self, z: Any) -> Any:
            return z.argmax(1)

    val, test = digits("val"), digits("test")
    z = val.logits.astype(float)
    model = Logits().fit(z, val.targets)
    try:
        wrapped = calibration.CalibratedClassifierCV(frozen.FrozenEstimator(model), method="temperature")
        wrapped.fit(z, val.targets)
    except ValueError as error:
        pytest.skip(f"no temperature calibration: {error}")
    probs = wrapped.predict_proba(test.logits.astype(float))
    tau = fit_temperature(once(val)).tau
    assert probs == pytest.approx(special.softmax(test.logits.astype(float) / tau, axis=1), abs=1e-7)
    [fitted] = wrapped.calibrated_classifiers_
    assert 1 / fitted.calibrators[0].beta_ == pytest.approx(tau, rel=1e-7)


def test_bins_know_their_errors() -> None:
    bins = Bins(np.array([0.0, 0.5, 1.0]), np.array([0, 4]), np.array([np.nan, 0.8]), np.array([np.nan, 0.5]), 2)
    assert bins.ece == bins.mce == pytest.approx(0.3)
