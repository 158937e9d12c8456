"""The fit of a temperature to labeled rows, against independent computations."""

import itertools
from collections.abc import Iterator
from decimal import Context, Decimal, localcontext
from math import inf, log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, special

import tsoft
from cases import each_case
from labeled import CountedPasses, digits, once, random_rows, reference, resampled
from tsoft.core.fit import fit_rows
from tsoft.core.labeled_rows import (
    CalibrationError,
    LabeledRows,
    StoredRows,
    TargetError,
    evaluate,
    row_slopes,
    summarize,
)

REFERENCE = reference()


def test_the_fit_agrees_with_the_reference() -> None:
    assert fit_rows(once(digits("val"))).tau == pytest.approx(REFERENCE["tau"], rel=0, abs=1e-12)


def slope(rows: LabeledRows, tau: Decimal) -> Decimal:
    """Return the sum of z_y - E[z], which is tau^2 times the derivative of the NLL by tau, with 50 digits."""
    total = Decimal(0)
    for row, target in zip(rows.logits.tolist(), rows.targets.tolist(), strict=True):
        z = [Decimal(value) for value in row if value > -inf]
        weights = [((value - max(z)) / tau).exp() for value in z]
        mean = sum((w * value for w, value in zip(weights, z, strict=True)), Decimal(0)) / sum(weights, Decimal(0))
        total += Decimal(row[target]) - mean
    return total


@given(
    st.integers(0, 10**6),
    st.integers(2, 12),
    st.integers(2, 6),
    st.floats(-3, 3),
    st.sampled_from([0, 0, 2, 6]),
    st.booleans(),
)
def test_the_true_slope_changes_its_sign_at_the_fit(
    seed: int, count: int, classes: int, power: float, size_range: int, masked: bool
) -> None:
    """Also if the sizes of the rows' logits differ by a factor of about 10^`apart`."""
    rows = random_rows(seed, count, classes)
    z = rows.logits * 10 ** (power + size_range * np.random.default_rng(seed).normal(size=(count, 1)))
    if masked and classes > 2:
        z[np.arange(count), (rows.targets + 1) % classes] = -inf
    rows = LabeledRows(z, rows.targets)
    tau = fit_rows(once(rows)).tau
    assume(0 < tau < inf)
    with localcontext(Context(prec=50)):
        # Near chance, or if a target is hardly below the top, the rounding of the sums moves the minimum by more than
        # the rounding of tau.
        tolerance = Decimal("1e-9")
        assert slope(rows, Decimal(tau) * (1 - tolerance)) < 0 < slope(rows, Decimal(tau) * (1 + tolerance))


def test_scipy_finds_no_lower_nll() -> None:
    rows = random_rows(1, 300, 7, tau=2.0)

    def nll(log_tau: float) -> float:
        scaled = special.log_softmax(rows.logits / np.exp(log_tau), axis=1)
        return float(-scaled[np.arange(300), rows.targets].mean())

    minimum = optimize.minimize_scalar(nll, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10})
    log_tau_of_fit = log(fit_rows(once(rows)).tau)
    assert log_tau_of_fit == pytest.approx(minimum.x, abs=1e-6)
    assert nll(log_tau_of_fit) <= minimum.fun + 1e-15


@each_case("right", [6, 9, 99, 51])
@each_case("gap", [1e-300, 1e-8, 1.0, 2.5, 1e8, 1e307])
def test_two_classes_in_closed_form(right: int, gap: float) -> None:
    """If k of n rows have the target at the top, and all have the same gap, exp(gap / tau) = k / (n - k)."""
    count = 10 if right < 10 else 100
    z = np.tile([gap, 0.0], (count, 1))
    rows = LabeledRows(z, (np.arange(count) >= right).astype(int))
    assert fit_rows(once(rows)).tau == pytest.approx(gap / log(right / (count - right)), rel=1e-12)


@pytest.mark.parametrize("masked", [1, 6])
def test_masked_classes_do_not_change_the_fit(masked: int) -> None:
    """The second fit is at chance, which depends on the number of classes that are not masked."""
    z = np.tile([1.0, 0.0, *[-inf] * masked], (10, 1))
    assert fit_rows(once(LabeledRows(z, (np.arange(10) >= 6).astype(int)))).tau == pytest.approx(
        1 / log(1.5), rel=1e-12
    )
    assert fit_rows(once(LabeledRows(z, (np.arange(10) >= 5).astype(int)))).tau == inf


@each_case("power", [-1000, -300, -7, 0, 7, 300, 1010])
def test_the_temperature_scales_with_the_logits(power: int) -> None:
    val = digits("val")
    rows = LabeledRows(np.ldexp(val.logits.astype(float), power), val.targets)
    assert np.ldexp(fit_rows(once(rows)).tau, -power) == pytest.approx(REFERENCE["tau"], rel=1e-12)


def test_the_fit_depends_neither_on_row_offsets_nor_on_blocks() -> None:
    rows = random_rows(2, 100, 5)
    tau = fit_rows(once(rows)).tau
    moved = LabeledRows(rows.logits + np.arange(100)[:, np.newaxis], rows.targets)
    assert fit_rows(once(moved)).tau == pytest.approx(tau, rel=1e-12)
    parts = [resampled(rows, slice(first, first + 7)) for first in range(0, 100, 7)]
    assert fit_rows(once(*parts)).tau == pytest.approx(tau, rel=1e-14)


@each_case("offset", [0, 1e6])
@each_case("spread", [1e-6, 1e-3, 0.05, 1.0, 20.0, 1e3, 1e6])
@each_case("shape", [(3, 400), (1000, 50), (2, 2000)])
def test_a_fit_takes_few_passes(spread: float, shape: tuple[int, int], offset: float) -> None:
    """Neither an offset nor the scale of the logits adds passes."""
    classes, count = shape
    rows = random_rows(3, count, classes, tau=1.7)
    rows = LabeledRows((rows.logits + offset) * spread, rows.targets)
    counted = CountedPasses(rows)
    assert fit_rows(counted).tau == pytest.approx(1.7 * spread, rel=0.6)
    assert counted.passes <= 7


@pytest.mark.parametrize("wrong", [1, 3])
def test_few_passes_near_perfect_accuracy_and_near_chance(wrong: int) -> None:
    random = np.random.default_rng(4)
    z = random.normal(size=(2000, 4)) * 5
    top = z.argmax(1)
    for targets in (np.where(np.arange(2000) < wrong, (top + 1) % 4, top), random.integers(0, 4, 2000)):
        counted = CountedPasses(LabeledRows(z, targets))
        tau = fit_rows(counted).tau
        # Calibration needs one more pass, for the measures at the fit.
        assert counted.passes <= 11
        if 0 < tau < inf:
            [sums] = evaluate(counted, [tau])
            assert abs(sums.slope) <= 1e-9 * sums.mean


@pytest.mark.parametrize("kind", ["cauchy", "log-normal", "rows of different scale"])
def test_logits_of_very_different_sizes(kind: str) -> None:
    """On these logits, Newton's method alone does not converge."""
    for seed in range(50):
        random = np.random.default_rng(seed)
        shape = int(random.integers(2, 60)), int(random.integers(2, 50))
        z = {
            "cauchy": random.standard_cauchy(shape),
            "log-normal": np.exp(5 * random.normal(size=shape)),
            "rows of different scale": random.normal(size=shape) * np.exp(6 * random.normal(size=(shape[0], 1))),
        }[kind]
        rows = LabeledRows(z, (z / z.std() * 3 + random.gumbel(size=shape)).argmax(1))
        counted = CountedPasses(rows)
        fit = fit_rows(counted)
        assert counted.passes <= 14
        if not fit.is_limit:
            [sums] = evaluate(counted, [fit.tau])
            assert abs(sums.slope) <= 1e-8 * sums.mean


@pytest.mark.parametrize("mask", [-1e5, -1e150, np.finfo(float).min])
def test_a_finite_mask_gives_the_fit_without_the_masked_classes(mask: float) -> None:
    """The temperature has the same digits as without these classes, whatever the number is."""
    val = digits("val")
    for columns in (2, 40):
        z = np.hstack([val.logits.astype(float), np.full((674, columns), mask)])
        counted = CountedPasses(LabeledRows(z, val.targets))
        fit = fit_rows(counted)
        assert fit.tau == pytest.approx(REFERENCE["tau"], rel=1e-12)
        assert fit.error == pytest.approx(fit_rows(once(val)).error, rel=1e-6)
        assert counted.passes <= 12


def test_a_row_far_from_the_others_costs_them_no_digits() -> None:
    """The target of this row is at the top by far, so that the row does not change the temperature of the others, in
    its own block or in theirs.
    """
    val = digits("val")
    for scale, power in itertools.product([1e-300, 1.0, 1e300], [0, 20, -900]):
        z = np.ldexp(val.logits.astype(float), power)
        far = LabeledRows(np.array([[scale, *[-scale] * 9]]), np.array([0]))
        if scale > 1e3 * np.ldexp(1.0, power):
            for blocks in ((far, LabeledRows(z, val.targets)), (LabeledRows(z, val.targets), far)):
                assert np.ldexp(fit_rows(once(*blocks)).tau, -power) == pytest.approx(REFERENCE["tau"], rel=1e-12)
            joined = LabeledRows(np.vstack([far.logits, z]), np.append(0, val.targets))
            assert np.ldexp(fit_rows(once(joined)).tau, -power) == pytest.approx(REFERENCE["tau"], rel=1e-12)


@pytest.mark.parametrize(("sign", "limit"), [(1, inf), (-1, 0.0)])
def test_a_minimum_outside_the_range_of_float64_is_reported(sign: int, limit: float) -> None:
    """gap / log(k / (n - k)), as above, for the largest and the smallest gap."""
    right, gap = (51, 1.7e308) if sign > 0 else (99, 5e-324)
    z = np.tile([gap, 0.0], (100, 1))
    fit = fit_rows(once(LabeledRows(z, (np.arange(100) >= right).astype(int))))
    assert (fit.tau, fit.error) == (limit, None)
    power = log(gap) / log(10) - log(log(right / (100 - right))) / log(10)
    assert f"the NLL has its minimum at τ = 10^{power:.2f}, outside the range of float64" in str(fit.reason)


def test_rows_that_change_between_passes_are_a_calibration_error() -> None:
    """In the later passes, the NLL at every temperature is above the minimum of the first pass."""
    val, calls = digits("val"), itertools.count()
    other = LabeledRows(val.logits * 1e-6, val.logits.argmin(1))

    class ChangingBlocks(list[LabeledRows]):
        def __iter__(self) -> Iterator[LabeledRows]:
            return iter([other if next(calls) else val])

    with pytest.raises(CalibrationError, match="are the rows the same in every pass"):
        fit_rows(StoredRows(ChangingBlocks()))


def test_targets_that_are_all_at_the_top_give_temperature_0() -> None:
    z = np.array([[2.0, 1.0, -inf], [0.0, 3.0, 3.0]])
    fit = fit_rows(once(LabeledRows(z, np.array([0, 1]))))
    assert (fit.tau, fit.error, fit.is_limit) == (0.0, None, True)
    assert "most probable" in str(fit.reason)


def test_a_fit_at_chance_gives_temperature_inf() -> None:
    val = digits("val")
    fit = fit_rows(once(LabeledRows(-val.logits, val.targets)))
    assert (fit.tau, fit.is_limit) == (inf, True)
    assert "chance" in str(fit.reason)
    # Exactly at chance: each class is once the target of the same row.
    even = LabeledRows(np.tile([2.0, 1.0, 0.0], (3, 1)), np.arange(3))
    assert fit_rows(once(even)).tau == inf


def test_rows_that_cannot_be_fitted_are_an_error() -> None:
    flat = LabeledRows(np.ones((3, 4)), np.array([0, 1, 2]))
    with pytest.raises(CalibrationError, match="all logits of each row are equal"):
        fit_rows(once(flat))
    with pytest.raises(CalibrationError, match="no rows"):
        fit_rows(once())
    parts = LabeledRows(np.zeros((2, 3)), np.zeros(2, int)), LabeledRows(np.zeros((2, 4)), np.zeros(2, int))
    with pytest.raises(CalibrationError, match="row 2 has 4 classes, but the rows before it have 3"):
        fit_rows(once(*parts))
    z = random_rows(5, 3, 3).logits
    z[2, 1] = -inf
    with pytest.raises(TargetError, match="row 5: the target, class #1, is masked"):
        fit_rows(once(LabeledRows(np.zeros((3, 3)), np.zeros(3, int)), LabeledRows(z, np.array([0, 0, 1]))))
    zeros = np.zeros((30_000, 3))
    zeros[29_000, 2] = -inf
    with pytest.raises(TargetError, match="row 29000: the target, class #2, is masked"):
        fit_rows(once(LabeledRows(zeros, np.full(30_000, 2))))


def test_rows_that_are_probabilities_are_recognized() -> None:
    probs = special.softmax(random_rows(6, 50, 4).logits, axis=1)
    targets = np.zeros(50, int)
    for rounded in (probs, probs.astype(np.float32), probs.astype(np.float16), probs.round(3)):
        assert summarize(once(LabeledRows(rounded, targets))).are_probabilities
    changed_row = probs.copy()
    changed_row[7] *= 1.03
    # A few small numbers among many zeros are not what rounding leaves of a distribution.
    small = np.zeros((50, 300))
    small[:, 0] = 0.03
    for logits in (np.log(probs), changed_row, probs - 0.1, small):
        summary = summarize(once(LabeledRows(logits, targets)))
        assert (summary.are_probabilities, summary.are_percentages) == (False, False)
    assert not summarize(once(LabeledRows(100 * small, targets))).are_percentages


def test_percentages_are_refused() -> None:
    percentages = 100 * special.softmax(random_rows(6, 50, 4).logits, axis=1)
    with pytest.raises(CalibrationError, match="every row looks like percentages, not logits"):
        tsoft.fit_temperature(percentages, np.zeros(50, int))


@pytest.mark.parametrize("beta", [0.0, 1e-3, 0.7, 2.5])
def test_row_slopes_are_derivatives(beta: float) -> None:
    rows, step = random_rows(7, 30, 4), 1e-5
    log_probs = [special.log_softmax(rows.logits * (beta + side), axis=1) for side in (step, -step)]
    up, down = (-row_log_probs[np.arange(30), rows.targets] for row_log_probs in log_probs)
    assert row_slopes(once(rows), np.array([beta]))[0] == pytest.approx((up - down) / (2 * step), abs=1e-8)


OUTLIERS = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.integers(0, 2),
        st.sampled_from([1e5, -1e10, 1e100, -1e150, 1e160, -1e300, 1e308, -1.7e308, 1.7e308]),
    ),
    min_size=1,
    max_size=3,
)


def outlying_rows(seed: int, outliers: list[tuple[int, int, float]]) -> LabeledRows:
    rows = random_rows(seed, 12, 3)
    for row, column, value in outliers:
        rows.logits[row, column] = value
    return rows


def fitted(rows: LabeledRows) -> float | None:
    """Return the fit; None if it depends on logits out of range."""
    try:
        return fit_rows(once(rows)).tau
    except CalibrationError as error:
        if "remove these outliers" not in str(error):
            raise
    return None


@settings(max_examples=10)
@given(st.integers(0, 10**6), OUTLIERS)
def test_outliers_of_any_size(seed: int, outliers: list[tuple[int, int, float]]) -> None:
    """The fit is at the true minimum, or it is an error."""
    rows = outlying_rows(seed, outliers)
    tau = fitted(rows)
    largest = Decimal(abs(rows.logits).max())
    with localcontext(Context(prec=400)):
        # At a very high temperature, the slope is the distance of the targets' logits from the average.
        distance = slope(rows, Decimal("1e500"))
        if tau == inf:
            assert distance <= largest * Decimal("1e-11")
        elif tau:
            # Near chance, the rounding of the sums moves the minimum.
            tolerance = Decimal("1e-9") + largest * Decimal("1e-15") / abs(distance)
            assert slope(rows, Decimal(tau) * (1 - tolerance)) < 0 < slope(rows, Decimal(tau) * (1 + tolerance))


@given(st.integers(0, 10**6), OUTLIERS, st.integers(-900, 1000))
def test_the_fit_with_outliers_scales_with_the_logits(
    seed: int, outliers: list[tuple[int, int, float]], power: int
) -> None:
    rows = outlying_rows(seed, outliers)
    with np.errstate(over="ignore"):
        scaled = LabeledRows(np.ldexp(rows.logits, power), rows.targets)
    assume(np.isfinite(scaled.logits).all())
    tau, scaled_tau = fitted(rows), fitted(scaled)
    if tau is None or scaled_tau is None:
        assert tau is scaled_tau
    else:
        with np.errstate(over="ignore"):
            assert scaled_tau == pytest.approx(float(np.ldexp(tau, power)), rel=1e-12)


def test_gaps_that_overflow() -> None:
    """The difference of these logits is not a float64."""
    far = np.array([[1e308, -1e308], [-1.7e308, 1.7e308]])
    assert fit_rows(once(LabeledRows(far, np.array([0, 1])))).tau == 0
    assert fit_rows(once(LabeledRows(far, np.array([1, 0])))).tau == inf
    # Four of five targets are at the top: exp(gap / tau) = 4.
    rows = LabeledRows(np.tile([-1e308, 1e308], (5, 1)), np.array([1, 1, 0, 1, 1]))
    assert fit_rows(once(rows)).tau == pytest.approx(1e308 / log(4) * 2, rel=1e-12)
    # The first row alone would give tau = 0, and the others inf. Together they have a minimum near 10^305.
    mixed = LabeledRows(np.vstack([far[:1], [[0.0, 1.0]], [[0.0, 0.5]]]), np.array([0, 0, 0]))
    with pytest.raises(CalibrationError, match=r"^some logits are more than 10\^290 times as far from the others"):
        fit_rows(once(mixed))


@pytest.mark.parametrize("gap", [1e13, 1e100, 1e300])
def test_distance_from_chance_that_is_lost_in_rounding(gap: float) -> None:
    """The target's logit is above the average by 0.1, which is lost in the mean gap."""
    rows = LabeledRows(np.array([[gap, 0.3, -gap], [1.0, 1.0, 1.0]]), np.array([1, 0]))
    fit = fit_rows(once(rows))
    assert fit.tau == inf
    assert "no higher than the others', up to rounding (no better than chance)" in str(fit.reason) or gap > 1e15
