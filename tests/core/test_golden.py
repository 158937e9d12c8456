"""The core against references of at least 60 digits: the golden cases, and rows that hypothesis generates.

The bounds are in units u (2^-53, or 2^-24 for float32). x_i = (z_i - max z) / tau <= 0, S is the sum of exp(x_i), and
H is the entropy, all exact. The bound of p is the documented bound; the others follow in the same way. Two roundings
produce x, or three in float32, which rounds tau, too. The error of exp and log is at most 2u:

    p        4 (1 + |x_i| + H) u p
    log p    4 (|x_i| + H) u       without 1: x_i and -log S have the same sign, and log S has log1p's precision
    lse      4 (|max / tau| + H) u
    H        4 (H + M) u           M = sum(p_i x_i^2): the condition of the terms p_i |x_i|
    perplexity   the bound of H, and 4 u
    top      the bound of p at x = 0
    margin   4 (2 + H) u margin    expm1's condition number is at most 1

Below the normal range, a number has an absolute error in units of the smallest subnormal: one unit for a probability,
one unit per class for a sum over classes, and for H one unit per class times |x| < 1000.
"""

import itertools
import json
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from functools import lru_cache
from math import fsum, inf, isinf, isnan, log2
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tsoft
from cases import each_case
from tool import TESTS

GOLDEN = json.loads((TESTS / "data" / "golden.json").read_text(encoding="utf-8"))
WIDE = Context(prec=80, Emax=MAX_EMAX, Emin=MIN_EMIN)
MANY_EXAMPLES = settings(max_examples=40)
# exp of this is far below the smallest float, and Decimal.exp is still fast.
BEYOND = -2000


@lru_cache(1 << 16)
def exp(x: Decimal) -> Decimal:
    return x.exp() if x > BEYOND else Decimal(0)


def log1p(t: Decimal) -> Decimal:
    # With 80 digits, 1 + t loses at most 30 digits of t. For smaller t, the next term of the series is below 60 digits.
    return (1 + t).ln() if t > Decimal("1e-30") else t - t * t / 2 + t * t * t / 3


@dataclass(frozen=True)
class Exact:
    """The softmax of a row and its measures, with at least 50 digits. x, p and log_p are those of the distinct logits,
    in ascending order.
    """

    x: list[Decimal]
    p: list[Decimal]
    log_p: list[Decimal]
    highest: Decimal
    log_s: Decimal
    entropy: Decimal
    curvature: Decimal
    varentropy: Decimal
    varentropy_scale: Decimal
    margin: Decimal | None


@lru_cache
def exact(logits: tuple[float, ...], times: tuple[int, ...], tau: float) -> Exact:
    """Compute from the exact values of the floats: Decimal(float) does not round. `times` says how many classes have
    each of the distinct logits.
    """
    with localcontext(WIDE):
        row = [Decimal(v) for v in logits]
        top = max(row)
        if tau == 0:
            x = [Decimal(0) if v == top else Decimal("-inf") for v in row]
            highest = Decimal(0) if top == 0 else Decimal("inf").copy_sign(top)
        elif tau == inf:
            x, highest = [Decimal(0) if v.is_finite() else v for v in row], Decimal(0)
        else:
            x, highest = [(v - top) / Decimal(tau) for v in row], top / Decimal(tau)
        e = [exp(v) for v in x]
        ones = sum(k for k, v in zip(times, x, strict=True) if v == 0)
        tail = sum((k * t for k, t, v in zip(times, e, x, strict=True) if v != 0), Decimal(0))
        s = ones + tail
        log_s = Decimal(ones).ln() + log1p(tail / ones)
        p = [v / s for v in e]
        log_p = [v - log_s for v in x]
        nonzero = [(k * q, -v) for k, q, v in zip(times, p, x, strict=True) if q]
        mean = sum((q * v for q, v in nonzero), Decimal(0))
        deviations = [(q, v, abs(v - mean)) for q, v in nonzero]
        second = Decimal(0) if times[-1] > 1 else x[-2] if len(x) > 1 else None
        margin = None if second is None else -expm1(second) / s
        return Exact(
            x=x,
            p=p,
            log_p=log_p,
            highest=highest,
            log_s=log_s,
            entropy=log_s + sum((q * v for q, v in nonzero), Decimal(0)),
            curvature=sum((q * v * v for q, v in nonzero), Decimal(0)),
            varentropy=sum((q * d * d for q, _, d in deviations), Decimal(0)),
            # The rounding of x changes a deviation by up to (x + mean) u, and a weight by the factor 1 + x u.
            varentropy_scale=sum((q * d * (v + mean + d * (1 + v)) for q, v, d in deviations), Decimal(0)),
            margin=margin,
        )


def exact_row(row: Any, tau: float) -> tuple[Exact, Any, Any]:
    """Return the exact results, the index of a class with each of the distinct logits, and the place of each class's
    logit among these.
    """
    values, first, places, counts = np.unique(
        np.asarray(row, np.float64), return_index=True, return_inverse=True, return_counts=True
    )
    return exact(tuple(values.tolist()), tuple(counts.tolist()), tau), first, places


def expm1(x: Decimal) -> Decimal:
    return exp(x) - 1 if x < Decimal("-1e-30") else x + x * x / 2 + x * x * x / 6


def within(actual: Any, expected: Decimal, error: Decimal, dtype: np.dtype[Any], name: str) -> None:
    """Check that the actual value is within an error of the expected value, or is the infinity of its sign if the
    expected value is outside the range of the dtype.
    """
    actual = float(actual)
    assert not isnan(actual), name
    if isinf(actual) or expected.is_infinite():
        last = Decimal(float(np.finfo(dtype).max))
        assert isinf(actual), name
        assert (actual > 0) == (expected > 0), name
        assert abs(expected) > last * (1 - WIDE.power(2, -20)), name
        return
    difference = abs(Decimal(actual) - expected)
    times = float(difference / error) if error else inf
    assert difference <= error, f"{name}: {actual!r} differs from {expected:.20} by {times:.3g} times the allowed error"


def check(z: Any, tau: float) -> None:
    """Check that all results of the core for these rows at tau are within the bounds."""
    z = np.asarray(z)
    rows = z.reshape(-1, z.shape[-1])
    names = ["softmax", "log_softmax", "log_sum_exp", "entropy", "perplexity", "top_prob", "margin", "varentropy"]
    results = {name: getattr(tsoft, name)(rows, tau) for name in names}
    # A row and its results may repeat. Decimals are slow, so they are checked once.
    distinct = {(row.tobytes(), *(r[i].tobytes() for r in results.values())): i for i, row in enumerate(rows)}
    for i in distinct.values():
        check_row(rows[i], tau, {name: result[i] for name, result in results.items()})


def check_row(row: Any, tau: float, results: dict[str, Any]) -> None:
    dtype = results["softmax"].dtype
    expected, first, places = exact_row(row, tau)
    n = len(row)
    with localcontext(WIDE):
        u = Decimal(2) ** (-24 if dtype == np.float32 else -53)
        least = Decimal(float(np.finfo(dtype).smallest_subnormal))
        h = expected.entropy
        # A class with the logit and the results of another one needs no check.
        p, log_p = results["softmax"], results["log_softmax"]
        others = np.flatnonzero((p != p[first][places]) | (log_p != log_p[first][places]))
        for i in (*first, *others):
            place = places[i]
            x, exact_p, exact_log_p = expected.x[place], expected.p[place], expected.log_p[place]
            size = -x if x.is_finite() else Decimal(0)
            within(p[i], exact_p, 4 * (1 + size + h) * u * exact_p + least, dtype, f"p[{i}]")
            within(log_p[i], exact_log_p, 4 * (size + h) * u + n * least, dtype, f"log p[{i}]")
        scaled_max = abs(expected.highest) if expected.highest.is_finite() else Decimal(0)
        lse = expected.highest + expected.log_s
        within(results["log_sum_exp"], lse, 4 * (scaled_max + h) * u + n * least, dtype, "log-sum-exp")
        h_error = 4 * (h + expected.curvature) * u + 1000 * n * least
        within(results["entropy"], h, h_error, dtype, "entropy")
        perplexity = exp(h)
        within(results["perplexity"], perplexity, perplexity * (h_error + 4 * u), dtype, "perplexity")
        top = max(expected.p)
        within(results["top_prob"], top, 4 * (1 + h) * u * top, dtype, "top probability")
        # A term may have underflowed before it is multiplied by x², at most about 745².
        error = 8 * u * expected.varentropy_scale + 10**6 * n * least
        within(results["varentropy"], expected.varentropy, error, dtype, "varentropy")
        if expected.margin is None:
            assert isnan(results["margin"])
        else:
            within(results["margin"], expected.margin, 4 * (2 + h) * u * expected.margin + least, dtype, "margin")
    sums_to_one(results["softmax"])


def sums_to_one(p: Any) -> None:
    assert abs(fsum([*p.tolist(), -1.0])) <= (4 + log2(len(p))) * np.finfo(p.dtype).eps


def case_name(case: dict[str, Any]) -> str:
    return str(case["name"])


@each_case("case", GOLDEN)
def test_golden_case_is_within_the_bounds(case: dict[str, Any]) -> None:
    check([[float(v) for v in case["logits"]]], float(case["tau"]))


@each_case("case", GOLDEN)
@each_case("of_reference", [True, False])
def test_golden_numbers(case: dict[str, Any], of_reference: bool) -> None:
    """Compare the core, and the reference above, with the golden numbers.

    The golden numbers come from the decimal texts of the logits and tau, which differ from the floats by a rounding.
    So the reference needs the bound of p, too. If top_prob is 1.0, the 60 digits of the golden numbers lost the tail.
    """
    z, tau = [float(v) for v in case["logits"]], float(case["tau"])
    reference, _, places = exact_row(z, tau)
    h = float(case["entropy_nats"])
    p = [float(reference.p[i]) for i in places] if of_reference else tsoft.softmax(z, tau)
    for actual, place, text in zip(p, places, case["probs"], strict=True):
        x, golden_p = reference.x[place], float(text)
        assert abs(actual - golden_p) <= (4 * (1 - float(x) + h) * 2**-53 * golden_p if golden_p else 0) + 5e-324
    values: dict[str, Any] = {
        "top_prob": max(reference.p) if of_reference else tsoft.top_prob(z, tau),
        "margin": reference.margin if of_reference else tsoft.margin(z, tau),
        "perplexity": reference.entropy.exp() if of_reference else tsoft.perplexity(z, tau),
        "log_sum_exp": reference.highest + reference.log_s if of_reference else tsoft.log_sum_exp(z, tau),
    }
    if case["top_prob"] != "1.0":
        values["entropy_nats"] = reference.entropy if of_reference else tsoft.entropy(z, tau)
        logs = [reference.log_p[i] for i in places] if of_reference else tsoft.log_softmax(z, tau)
        golden = [float(v) for v in case["log_probs"]]
        assert [float(v) for v in logs] == pytest.approx(golden, rel=1e-14)
    for name, value in values.items():
        if case[name] is not None:
            # 1e-60 is for a golden log-sum-exp of 0 that has lost its tail.
            assert float(value) == pytest.approx(float(case[name]), rel=1e-14, abs=1e-60), name


def test_golden_file_has_all_cases() -> None:
    assert len(GOLDEN) == 41


# Rows that hypothesis generates.

LIMITS = {np.float64: (-323, 308), np.float32: (-44, 38)}


def clip(v: float, dtype: Any) -> float:
    last = float(np.finfo(dtype).max)
    return max(-last, min(last, v))


@st.composite
def rows_and_tau(draw: st.DrawFn, dtype: Any, rows: int = 1, classes: int = 40) -> tuple[Any, float]:
    """Draw rows of one length and different magnitudes, with ties and masks, and a tau.

    Most taus have about the magnitude of the first row, where the probabilities differ most from the limits.
    """
    low, high = LIMITS[dtype]
    n = draw(st.integers(1, classes))
    powers = [draw(st.integers(low, high)) for _ in range(rows)]
    unit = st.one_of(st.floats(-1, 1, allow_subnormal=False), st.sampled_from([0.0, 0.5, 1.0, -1.0, -inf]))
    table = []
    for power in powers:
        units = draw(st.lists(unit, min_size=n, max_size=n))
        row = [clip(v * 10.0**power, dtype) if v > -inf else v for v in units]
        if max(row) == -inf:
            row[draw(st.integers(0, n - 1))] = 10.0**power
        table.append(row)
    near = st.floats(-3, 2).map(lambda d: 10.0 ** min(308, max(-323, powers[0] + d)))
    anywhere = st.one_of(st.floats(5e-324, 1.7e308), st.integers(-323, 308).map(lambda k: 10.0**k))
    tau = draw(st.one_of(near, near, near, anywhere, st.sampled_from([0.0, inf, 5e-324, 1.7e308])))
    return np.array(table, dtype), tau


@MANY_EXAMPLES
@given(rows_and_tau(np.float64))
@example((np.array([[1.7976931348623157e308, -1.7976931348623157e308, 0.0]]), 1e308))
@example((np.array([[1.7976931348623157e308, 1.797693134862315e308, 5e-324]]), 1e292))
@example((np.array([[-1.7976931348623157e308, -1.797693134862315e308, -inf]]), 1e292))
@example((np.array([[5e-324, 0.0, -5e-324]]), 5e-324))
@example((np.array([[3e-323, 2e-323, -1.5e-323]]), 1e-323))
@example((np.array([[1.0, 1.0, 1.0 - 2**-53]]), 1e-17))
@example((np.array([[1e-20, 0.0]]), 1.0))
def test_bounds_float64(case: tuple[Any, float]) -> None:
    check(*case)


@MANY_EXAMPLES
@given(rows_and_tau(np.float32))
@example((np.array([[3.4e38, -3.4e38, 0.0]], np.float32), 1e38))
@example((np.array([[1e-45, 0.0, -1e-45]], np.float32), 1e-45))
@example((np.array([[2.0, 1.0, 0.5]], np.float32), 0.1))
@example((np.array([[1.0, 1.0 - 2**-24, 0.5]], np.float32), 1e-46))
@example((np.array([[3e38, 1e38, -3e38]], np.float32), 3e38))
def test_bounds_float32(case: tuple[Any, float]) -> None:
    check(*case)


@given(rows_and_tau(np.float64, rows=4))
def test_bounds_of_rows_of_different_magnitudes(case: tuple[Any, float]) -> None:
    check(*case)


@pytest.mark.parametrize("n", [4, 40])
def test_bounds_of_huge_and_subnormal_rows_in_one_block(n: int) -> None:
    """One row must be halved, and halving would round another row."""
    huge, tiny = 1.7e308 * np.linspace(1, -1, n), 5e-324 * np.arange(n)
    z = np.stack([huge, tiny, -huge, np.linspace(0, -3, n), -tiny])
    for tau in [5e-324, 2e-323, 1.0, 1e308]:
        check(z, tau)


@pytest.mark.parametrize("tau", [5e-324, 1e-310, 1e-45, 1e-39, 1e39, 1e300])
def test_bounds_of_float32_with_a_tau_outside_its_range(tau: float) -> None:
    z = np.array([[1e-45, 0, -1e-45], [1, 2, 2], [3e38, -3e38, 0], [1, 1, -inf]], np.float32)
    check(z, tau)
    check(np.repeat(z, 20, axis=1), tau)


@each_case("n", [31, 32, 33, 127, 500, 700])
@each_case("x", [-36.7, -36.8, -40.0, -300.0, -705.0, -744.0])
def test_tail_below_the_rounding_of_one(n: int, x: float) -> None:
    """Each of hundreds of terms is below the rounding of 1, but their sum is not."""
    z = np.full(n, x)
    z[0] = 0
    check([z, z[::-1]], 1.0)


# On both sides of the lengths at which the order of the sum changes. The last piece of 32769 terms has one term.
@pytest.mark.parametrize("n", [8, 11, 12, 33, 64, 111, 127, 128, 1031, 2048, 2049, 4096, 4097, 8193, 32_769, 40_000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tail_below_the_rounding_of_a_second_class(n: int, dtype: Any) -> None:
    """The sum of the tail includes the second class at the top. A sum that added the small terms to it one by one
    would lose each of them, or round it up.
    """
    u = np.finfo(dtype).epsneg
    # Sums of 1, 2, 4 or 8 of them are about half of the last digit of 1.
    terms = (0.12375, 0.12625, 0.2475, 0.2525, 0.495, 0.505, 0.99, 1.01)
    rows = []
    hard = [(term, 1, 0.0) for term in terms]
    others = itertools.product((0.2525, 0.505, 0.99), ((1, -1e-15), (1, -1e-4), (2, 0.0), (3, 0.0)))
    # Exact sums of long rows take long. One tie is the hardest case.
    for term, ties, near in hard + [(term, *other) for term, other in others if n <= 2000]:
        z = np.full(n, np.log(term * u), dtype)
        z[: ties + 1] = near
        z[0] = 0
        rows += [z, z[::-1]]
    check(rows, 1.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [2, 10, 32, 33, 300])
def test_bounds_of_normal_rows(dtype: Any, n: int) -> None:
    rng = np.random.default_rng(n)
    z = rng.normal(0, 5, (60 // n + 1, n)).astype(dtype)
    for tau in [0.05, 0.7, 1.0, 30.0]:
        check(z, tau)
