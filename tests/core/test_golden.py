"""The core against references of 60 digits and more: the golden cases, and rows made by hypothesis.

The bounds are in units u (2^-53, or 2^-24 for float32), with x_i = (z_i - max z) / tau <= 0, S the sum
of exp(x_i) and H the entropy, all true values. `p` is the design's bound; the others follow the same
way. x is two roundings away, three in float32 where tau is rounded too, and exp and log are within 2u:

    p        4 (1 + |x_i| + H) u p
    log p    4 (|x_i| + H) u       no 1: x_i and -log S have one sign, and log S has log1p's precision
    lse      4 (|max / tau| + H) u
    H        4 (H + M) u           M = sum(p_i x_i^2): the condition of the terms p_i |x_i|
    perplexity   H's, and 4 u of its own
    top      p's, where x is 0
    margin   4 (2 + H) u margin    expm1's condition number is at most 1

Below the normal range a number has an absolute error instead, of the last place of a subnormal: one
for a probability, one a class for a sum over classes, and for H each times its |x| < 1000.
"""

import json
from collections.abc import Iterable
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
from tool import TESTS

GOLDEN = json.loads((TESTS / "data" / "golden.json").read_text(encoding="utf-8"))
WIDE = Context(prec=80, Emax=MAX_EMAX, Emin=MIN_EMIN)
EXACTLY = settings(derandomize=True, deadline=None, database=None, max_examples=200)
# Far beyond any float's range, and near enough for a decimal's exp to be quick.
BEYOND = -2000


@lru_cache(1 << 16)
def exp(x: Decimal) -> Decimal:
    return x.exp() if x > BEYOND else Decimal(0)


def log1p(t: Decimal) -> Decimal:
    # 80 digits lose 30 of t in 1 + t; below that the series' next term is beyond 60 digits.
    return (1 + t).ln() if t > Decimal("1e-30") else t - t * t / 2 + t * t * t / 3


@dataclass(frozen=True)
class Exact:
    """A row's softmax and all that is read off it, to 50 digits or more."""

    x: list[Decimal]
    p: list[Decimal]
    log_p: list[Decimal]
    highest: Decimal
    log_s: Decimal
    entropy: Decimal
    curvature: Decimal
    margin: Decimal | None


def exact(z: Iterable[Any], tau: float) -> Exact:
    """From the exact values of floats: Decimal(float) does not round."""
    with localcontext(WIDE):
        row = [Decimal(float(v)) for v in z]
        top = max(row)
        if tau == 0:
            x = [Decimal(0) if v == top else Decimal("-inf") for v in row]
            highest = Decimal(0) if top == 0 else Decimal("inf").copy_sign(top)
        elif tau == inf:
            x, highest = [Decimal(0) if v.is_finite() else v for v in row], Decimal(0)
        else:
            x, highest = [(v - top) / Decimal(tau) for v in row], top / Decimal(tau)
        e = [exp(v) for v in x]
        ones = sum(v == 0 for v in x)
        tail = sum((t for t, v in zip(e, x, strict=True) if v != 0), Decimal(0))
        s = ones + tail
        log_s = Decimal(ones).ln() + log1p(tail / ones)
        p = [v / s for v in e]
        seen = [(q, -v) for q, v in zip(p, x, strict=True) if q]
        second = sorted(x)[-2] if len(x) > 1 else None
        gap = None if second is None else -expm1(second) / s
        return Exact(
            x=x,
            p=p,
            log_p=[v - log_s for v in x],
            highest=highest,
            log_s=log_s,
            entropy=log_s + sum((q * v for q, v in seen), Decimal(0)),
            curvature=sum((q * v * v for q, v in seen), Decimal(0)),
            margin=gap,
        )


def expm1(x: Decimal) -> Decimal:
    return exp(x) - 1 if x < Decimal("-1e-30") else x + x * x / 2 + x * x * x / 6


def within(got: Any, true: Decimal, error: Decimal, dtype: np.dtype[Any], what: str) -> None:
    """got is true to an error, or is the infinity of its sign where true is beyond the range."""
    got = float(got)
    assert not isnan(got), what
    if isinf(got) or true.is_infinite():
        last = Decimal(float(np.finfo(dtype).max))
        assert isinf(got), what
        assert (got > 0) == (true > 0), what
        assert abs(true) > last * (1 - WIDE.power(2, -20)), what
        return
    off = abs(Decimal(got) - true)
    assert off <= error, f"{what}: {got!r} is {float(off / error):.3g} of the error allowed from {true:.20}"


def check(z: Any, tau: float) -> None:
    """Everything the core says of these rows at tau is within the bounds."""
    z = np.asarray(z)
    rows = z.reshape(-1, z.shape[-1])
    names = ["softmax", "log_softmax", "log_sum_exp", "entropy", "perplexity", "top_prob", "margin"]
    got = {name: getattr(tsoft, name)(rows, tau) for name in names}
    for i, row in enumerate(rows):
        check_row(row, tau, {name: result[i] for name, result in got.items()})


def check_row(row: Any, tau: float, got: dict[str, Any]) -> None:
    dtype = got["softmax"].dtype
    true = exact(row, tau)
    n = len(row)
    with localcontext(WIDE):
        u = Decimal(2) ** (-24 if dtype == np.float32 else -53)
        least = Decimal(float(np.finfo(dtype).smallest_subnormal))
        h = true.entropy
        for i, (x, p, log_p) in enumerate(zip(true.x, true.p, true.log_p, strict=True)):
            size = -x if x.is_finite() else Decimal(0)
            within(got["softmax"][i], p, 4 * (1 + size + h) * u * p + least, dtype, f"p[{i}]")
            within(got["log_softmax"][i], log_p, 4 * (size + h) * u + n * least, dtype, f"log p[{i}]")
        high = abs(true.highest) if true.highest.is_finite() else Decimal(0)
        lse = true.highest + true.log_s
        within(got["log_sum_exp"], lse, 4 * (high + h) * u + n * least, dtype, "log-sum-exp")
        h_error = 4 * (h + true.curvature) * u + 1000 * n * least
        within(got["entropy"], h, h_error, dtype, "entropy")
        within(got["perplexity"], h.exp(), h.exp() * (h_error + 4 * u), dtype, "perplexity")
        top = max(true.p)
        within(got["top_prob"], top, 4 * (1 + h) * u * top, dtype, "top probability")
        if true.margin is None:
            assert isnan(got["margin"])
        else:
            within(got["margin"], true.margin, 4 * (2 + h) * u * true.margin + least, dtype, "margin")
    sums_to_one(got["softmax"])


def sums_to_one(p: Any) -> None:
    assert abs(fsum([*p, -1.0])) <= (4 + log2(len(p))) * np.finfo(p.dtype).eps


def number(text: str) -> float:
    """A decimal string as a float. (float copes with any exponent; Fraction never comes back.)"""
    return float(text)


def by_name(case: dict[str, Any]) -> str:
    return str(case["name"])


@pytest.mark.parametrize("case", GOLDEN, ids=by_name)
def test_golden_case_is_within_the_bounds(case: dict[str, Any]) -> None:
    check([[number(v) for v in map(str, case["logits"])]], number(case["tau"]))


@pytest.mark.parametrize("case", GOLDEN, ids=by_name)
@pytest.mark.parametrize("mine", [True, False], ids=["reference", "core"])
def test_golden_numbers(case: dict[str, Any], mine: bool) -> None:
    """The core against the golden numbers themselves, and the reference above against them too. They
    are worked from the floats' decimal names: a rounding of each logit and of tau away, so that p's
    bound is needed for the reference as well. Where top_prob is 1 their 60 digits lost the tail."""
    z, tau = [number(str(v)) for v in case["logits"]], number(case["tau"])
    true = exact(z, tau)
    h = number(case["entropy_nats"])
    p = [float(v) for v in true.p] if mine else tsoft.softmax(z, tau)
    for got, x, text in zip(p, true.x, case["probs"], strict=True):
        q = number(text)
        assert abs(got - q) <= (4 * (1 - float(x) + h) * 2**-53 * q if q else 0) + 5e-324
    got = {
        "top_prob": max(true.p) if mine else tsoft.top_prob(z, tau),
        "margin": true.margin if mine else tsoft.margin(z, tau),
        "perplexity": true.entropy.exp() if mine else tsoft.perplexity(z, tau),
        "log_sum_exp": true.highest + true.log_s if mine else tsoft.log_sum_exp(z, tau),
    }
    if case["top_prob"] != "1.0":
        got["entropy_nats"] = true.entropy if mine else tsoft.entropy(z, tau)
        logs = true.log_p if mine else tsoft.log_softmax(z, tau)
        golden = [number(v) for v in case["log_probs"]]
        assert [float(v) for v in logs] == pytest.approx(golden, rel=1e-14)
    for name, value in got.items():
        if case[name] is not None:
            # 1e-60: a log-sum-exp of 0 that has lost its tail.
            assert float(value) == pytest.approx(number(case[name]), rel=1e-14, abs=1e-60), name


def test_golden_is_all_there() -> None:
    assert len(GOLDEN) == 41


# Rows made by hypothesis.

LIMITS = {np.float64: (-323, 308), np.float32: (-44, 38)}


def clip(v: float, dtype: Any) -> float:
    last = float(np.finfo(dtype).max)
    return max(-last, min(last, v))


@st.composite
def rows_and_tau(draw: st.DrawFn, dtype: Any, rows: int = 1, classes: int = 40) -> tuple[Any, float]:
    """Rows of one length, each of a magnitude of its own, with ties and masks; and a tau, three times
    in four of the first row's magnitude, where there is most to see."""
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


@EXACTLY
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


@EXACTLY
@given(rows_and_tau(np.float32))
@example((np.array([[3.4e38, -3.4e38, 0.0]], np.float32), 1e38))
@example((np.array([[1e-45, 0.0, -1e-45]], np.float32), 1e-45))
@example((np.array([[2.0, 1.0, 0.5]], np.float32), 0.1))
@example((np.array([[1.0, 1.0 - 2**-24, 0.5]], np.float32), 1e-46))
@example((np.array([[3e38, 1e38, -3e38]], np.float32), 3e38))
def test_bounds_float32(case: tuple[Any, float]) -> None:
    check(*case)


@settings(EXACTLY, max_examples=60)
@given(rows_and_tau(np.float64, rows=6))
def test_bounds_of_rows_of_different_magnitudes(case: tuple[Any, float]) -> None:
    check(*case)


@pytest.mark.parametrize("n", [4, 40])
def test_bounds_of_huge_and_subnormal_rows_in_one_block(n: int) -> None:
    """A row that must be halved may not take with it the row that halving would round."""
    huge, tiny = 1.7e308 * np.linspace(1, -1, n), 5e-324 * np.arange(n)
    z = np.stack([huge, tiny, -huge, np.linspace(0, -3, n), -tiny])
    for tau in [5e-324, 2e-323, 1.0, 1e308]:
        check(z, tau)


@pytest.mark.parametrize("tau", [5e-324, 1e-310, 1e-45, 1e-39, 1e39, 1e300])
def test_float32_with_a_tau_it_cannot_hold(tau: float) -> None:
    z = np.array([[1e-45, 0, -1e-45], [1, 2, 2], [3e38, -3e38, 0], [1, 1, -inf]], np.float32)
    check(z, tau)
    check(np.repeat(z, 20, axis=1), tau)


@pytest.mark.parametrize("n", [31, 32, 33, 127, 500, 700])
@pytest.mark.parametrize("x", [-36.7, -36.8, -40.0, -300.0, -705.0, -744.0])
def test_tail_below_the_rounding_of_one(n: int, x: float) -> None:
    """Hundreds of terms that each vanish beside the 1, and together do not."""
    z = np.full((2, n), x)
    z[:, 0] = 0
    check(z, 1.0)
    check(z[:, ::-1], 1.0)


@pytest.mark.parametrize("n", [8, 32, 33, 64, 127, 128, 500])
@pytest.mark.parametrize("ties", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("near", [0.0, -1e-15, -1e-4])
def test_tail_below_the_rounding_of_a_second_class(n: int, ties: int, dtype: Any, near: float) -> None:
    """The second class of those at the top is itself in the tail's sum: added one by one after it, a
    term of less than half its last place is lost each time."""
    u = np.finfo(dtype).epsneg / 2
    for half in (1.0, 0.5):
        z = np.full((2, n), np.log(0.99 * half * u), dtype)
        z[:, : ties + 1] = near
        z[:, 0] = 0
        check(z, 1.0)
        check(z[:, ::-1], 1.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [2, 10, 32, 33, 300])
def test_bounds_of_normal_rows(dtype: Any, n: int) -> None:
    rng = np.random.default_rng(n)
    z = rng.normal(0, 5, (600 // n + 1, n)).astype(dtype)
    for tau in [0.05, 0.7, 1.0, 30.0]:
        check(z, tau)
