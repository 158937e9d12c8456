"""The fit of a temperature to labelled rows, against independent computations."""

import itertools
from collections.abc import Iterable
from decimal import Context, Decimal, localcontext
from math import inf, log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from labelled import digits, made, once, reference, resampled
from tsoft.core.fit import fit_rows
from tsoft.core.labelled_rows import CalibrationError, LabelledRows, TargetError, evaluate, row_slopes, summarize

REFERENCE = reference()
FEW = settings(deadline=None, derandomize=True, max_examples=60)


def test_the_reference_s_temperature() -> None:
    assert fit_rows(once(digits("val"))).tau == pytest.approx(REFERENCE["tau"], rel=0, abs=1e-12)


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
    tau = fit_rows(once(rows)).tau
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
    found = log(fit_rows(once(rows)).tau)
    assert found == pytest.approx(least.x, abs=1e-6)
    assert nll(found) <= least.fun + 1e-15


@pytest.mark.parametrize("right", [6, 9, 99, 51])
@pytest.mark.parametrize("gap", [1e-300, 1e-8, 1.0, 2.5, 1e8, 1e307])
def test_two_classes_in_closed_form(right: int, gap: float) -> None:
    """k of n rows are right, each by the same gap: then exp(gap / tau) = k / (n - k)."""
    of = 10 if right < 10 else 100
    z = np.tile([gap, 0.0], (of, 1))
    rows = LabelledRows(z, (np.arange(of) >= right).astype(int))
    assert fit_rows(once(rows)).tau == pytest.approx(gap / log(right / (of - right)), rel=1e-12)


@pytest.mark.parametrize("masked", [1, 6])
def test_a_masked_class_is_none(masked: int) -> None:
    """Two classes and others that are masked are two classes, also to tell what is no better than chance."""
    z = np.tile([1.0, 0.0, *[-inf] * masked], (10, 1))
    assert fit_rows(once(LabelledRows(z, (np.arange(10) >= 6).astype(int)))).tau == pytest.approx(
        1 / log(1.5), rel=1e-12
    )
    assert fit_rows(once(LabelledRows(z, (np.arange(10) >= 5).astype(int)))).tau == inf


@pytest.mark.parametrize("power", [-1000, -300, -7, 0, 7, 300, 1010])
def test_the_temperature_scales_with_the_logits(power: int) -> None:
    val = digits("val")
    rows = LabelledRows(np.ldexp(val.logits.astype(float), power), val.targets)
    assert np.ldexp(fit_rows(once(rows)).tau, -power) == pytest.approx(REFERENCE["tau"], rel=1e-12)


def test_neither_a_row_s_offset_nor_the_blocks_matter() -> None:
    rows = made(2, 100, 5)
    tau = fit_rows(once(rows)).tau
    moved = LabelledRows(rows.logits + np.arange(100)[:, np.newaxis], rows.targets)
    assert fit_rows(once(moved)).tau == pytest.approx(tau, rel=1e-12)
    parts = [resampled(rows, slice(first, first + 7)) for first in range(0, 100, 7)]
    assert fit_rows(once(*parts)).tau == pytest.approx(tau, rel=1e-14)


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

    assert fit_rows(counted).tau == pytest.approx(1.7 * spread, rel=0.6)
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

        tau = fit_rows(counted).tau
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

        found = fit_rows(counted)
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

        found = fit_rows(counted)
        assert found.tau == pytest.approx(REFERENCE["tau"], rel=1e-12)
        assert found.error == pytest.approx(fit_rows(once(val)).error, rel=1e-6)
        assert passes <= 12


def test_a_row_far_from_the_others_costs_them_no_digits() -> None:
    """Its target is at the top, so that it says nothing of the others' temperature, in whatever block it comes."""
    val = digits("val")
    for scale, power in itertools.product([1e-300, 1.0, 1e300], [0, 20, -900]):
        z = np.ldexp(val.logits.astype(float), power)
        far = LabelledRows(np.array([[scale, *[-scale] * 9]]), np.array([0]))
        if scale > 1e3 * np.ldexp(1.0, power):
            for blocks in ((far, LabelledRows(z, val.targets)), (LabelledRows(z, val.targets), far)):
                assert np.ldexp(fit_rows(once(*blocks)).tau, -power) == pytest.approx(REFERENCE["tau"], rel=1e-12)
            joined = LabelledRows(np.vstack([far.logits, z]), np.append(0, val.targets))
            assert np.ldexp(fit_rows(once(joined)).tau, -power) == pytest.approx(REFERENCE["tau"], rel=1e-12)


@pytest.mark.parametrize(("sign", "limit"), [(1, inf), (-1, 0.0)])
def test_a_minimum_that_no_double_holds_is_said(sign: int, limit: float) -> None:
    """gap / log(k / (n - k)), as above, of the largest gap and of the least."""
    right, gap = (51, 1.7e308) if sign > 0 else (99, 5e-324)
    z = np.tile([gap, 0.0], (100, 1))
    found = fit_rows(once(LabelledRows(z, (np.arange(100) >= right).astype(int))))
    assert (found.tau, found.error) == (limit, None)
    power = log(gap) / log(10) - log(log(right / (100 - right))) / log(10)
    assert f"the NLL has its minimum at τ = 10^{power:.2f}, outside the range of float64" in str(found.reason)


def test_rows_that_change_between_passes_are_no_defect() -> None:
    """At no temperature are the rows of the further passes what those of the first are at their best."""
    val, calls = digits("val"), itertools.count()
    other = LabelledRows(val.logits * 1e-6, val.logits.argmin(1))
    with pytest.raises(CalibrationError, match="are the rows the same in every pass"):
        fit_rows(lambda: [other if next(calls) else val])


def test_every_target_at_the_top_is_no_temperature() -> None:
    z = np.array([[2.0, 1.0, -inf], [0.0, 3.0, 3.0]])
    found = fit_rows(once(LabelledRows(z, np.array([0, 1]))))
    assert (found.tau, found.error, found.is_limit) == (0.0, None, True)
    assert "most probable" in str(found.reason)


def test_no_better_than_chance_is_no_temperature() -> None:
    val = digits("val")
    found = fit_rows(once(LabelledRows(-val.logits, val.targets)))
    assert (found.tau, found.is_limit) == (inf, True)
    assert "chance" in str(found.reason)
    # Exactly at chance, too: each class once as the target of the same row.
    even = LabelledRows(np.tile([2.0, 1.0, 0.0], (3, 1)), np.arange(3))
    assert fit_rows(once(even)).tau == inf


def test_what_cannot_be_fitted() -> None:
    flat = LabelledRows(np.ones((3, 4)), np.array([0, 1, 2]))
    with pytest.raises(CalibrationError, match="all logits of each row are equal"):
        fit_rows(once(flat))
    with pytest.raises(CalibrationError, match="no rows"):
        fit_rows(once())
    parts = LabelledRows(np.zeros((2, 3)), np.zeros(2, int)), LabelledRows(np.zeros((2, 4)), np.zeros(2, int))
    with pytest.raises(CalibrationError, match="row 2 has 4 classes, but the rows before it have 3"):
        fit_rows(once(*parts))
    z = made(5, 3, 3).logits
    z[2, 1] = -inf
    with pytest.raises(TargetError, match="row 5: the target, class #1, is masked"):
        fit_rows(once(LabelledRows(np.zeros((3, 3)), np.zeros(3, int)), LabelledRows(z, np.array([0, 0, 1]))))
    many = np.zeros((30_000, 3))
    many[29_000, 2] = -inf
    with pytest.raises(TargetError, match="row 29000: the target, class #2, is masked"):
        fit_rows(once(LabelledRows(many, np.full(30_000, 2))))


def test_probabilities_are_known_for_what_they_are() -> None:
    probs = special.softmax(made(6, 50, 4).logits, axis=1)
    targets = np.zeros(50, int)
    for rounded in (probs, probs.astype(np.float32), probs.astype(np.float16), probs.round(3)):
        assert summarize(once(LabelledRows(rounded, targets))).are_probabilities
    one_off = probs.copy()
    one_off[7] *= 1.03
    for other in (np.log(probs), one_off, probs - 0.1):
        assert not summarize(once(LabelledRows(other, targets))).are_probabilities


@pytest.mark.parametrize("beta", [0.0, 1e-3, 0.7, 2.5])
def test_row_slopes_are_derivatives(beta: float) -> None:
    rows, step = made(7, 30, 4), 1e-5
    log_probs = [special.log_softmax(rows.logits * (beta + side), axis=1) for side in (step, -step)]
    up, down = (-of[np.arange(30), rows.targets] for of in log_probs)
    assert row_slopes(once(rows), np.array([beta]))[0] == pytest.approx((up - down) / (2 * step), abs=1e-8)
