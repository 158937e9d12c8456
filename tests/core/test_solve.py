"""The temperature at which a measure has a value: at the solution, the measure has this value."""

from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from math import exp, inf, log, nan, nextafter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import tsoft
from cases import each_case
from tsoft.core.solve import (
    ROUNDING,
    Solution,
    solve_entropy,
    solve_margin,
    solve_perplexity,
    solve_prob,
    solve_top_prob,
)

Solve = Callable[[Any, float], list[Solution]]
Compute = Callable[[Any, Any], Any]

# A difference 1 - p of 1e-200 needs 200 of these digits.
WIDE = Context(prec=260, Emax=MAX_EMAX, Emin=MIN_EMIN)
LAST = float(np.finfo(float).max)
# Below this, the value or exp(x) has fewer digits than a relative error of 1e-12 needs.
NEARLY_SUBNORMAL = 1e-290


def prob(index: int) -> tuple[Solve, Compute]:
    return (lambda z, value: solve_prob(z, index, value)), (lambda z, tau: tsoft.softmax(z, tau)[..., index])


MONOTONIC: dict[str, tuple[Solve, Compute]] = {
    "top_prob": (solve_top_prob, tsoft.top_prob),
    "entropy": (solve_entropy, tsoft.entropy),
    "perplexity": (solve_perplexity, tsoft.perplexity),
    "margin": (solve_margin, tsoft.margin),
}
MEASURES = [*MONOTONIC, "prob"]


def pair(name: str, index: int = 0) -> tuple[Solve, Compute]:
    return MONOTONIC.get(name) or prob(index)


def check(z: Any, value: float, solution: Solution, compute: Compute) -> None:
    """Check that the temperatures are sorted, and that the public function and `reached` have the value."""
    assert solution.taus, solution.reason
    assert solution.reason is None
    assert list(solution.taus) == sorted(set(solution.taus))
    assert len(solution.reached) == len(solution.taus)
    for tau, reached in zip(solution.taus, solution.reached, strict=True):
        assert type(tau) is type(reached) is float
        slack = 1e-12 * value if value > NEARLY_SUBNORMAL else 1e-9 * value + 1e3 * np.shape(z)[-1] * 5e-324
        assert abs(float(compute(z, tau)) - value) <= slack
        assert abs(reached - value) <= slack


def only(solutions: list[Solution]) -> Solution:
    (solution,) = solutions
    return solution


def decimal(name: str, z: list[float], tau: float, index: int = 0) -> Decimal:
    """Return the measure with at least 50 digits. Decimal(float) does not round."""
    with localcontext(WIDE):
        x = [(Decimal(v) - Decimal(max(z))) / Decimal(tau) for v in z if v > -inf]
        e = [v.exp() for v in x]
        s = sum(e)
        p = sorted((v / s for v in e), reverse=True)
        entropy = -sum((q * q.ln() for q in p), Decimal(0))
        return {
            "top_prob": p[0],
            "entropy": entropy,
            "perplexity": entropy.exp(),
            "margin": p[0] - p[1],
            "prob": ((Decimal(z[index]) - Decimal(max(z))) / Decimal(tau)).exp() / s,
        }[name]


# Against 50 digits.


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("top_prob", 0.73, 1),
        ("top_prob", 0.2500001, 1),
        ("top_prob", 1 - 1e-12, 1),
        ("entropy", 1.0, 1),
        ("entropy", 1e-12, 1),
        ("entropy", 1e-200, 1),
        ("entropy", log(4) - 1e-9, 1),
        ("perplexity", 3.0, 1),
        ("perplexity", 1 + 1e-9, 1),
        ("margin", 0.2, 1),
        ("margin", 1e-12, 1),
        ("margin", 1 - 1e-12, 1),
        ("prob", 0.2, 1),
        ("prob", 0.25, 1),
        ("prob", 0.2502, 2),
        ("prob", 1e-300, 1),
    ],
)
def test_the_exact_measure_has_the_value_at_the_solution(name: str, value: float, count: int) -> None:
    """At the solution, the exact measure has the value. (`prob` is the probability of class 1, which has two solutions
    above 1/4.)
    """
    z = [2.0, 1.0, 0.5, 0.1]
    taus = [tau for tau in only(pair(name, 1)[0](z, value)).taus if tau != inf]
    assert len(taus) == count
    for tau in taus:
        with localcontext(WIDE):
            assert abs(decimal(name, z, tau, 1) - Decimal(value)) <= Decimal("1e-12") * Decimal(value)


def test_the_temperature_of_the_article_s_top_probability() -> None:
    """The top probability is 73 % at 0.65, not at 0.5 as an article claims."""
    z, value = [2.0, 1.0, 0.5, 0.1], 0.73
    tau = only(solve_top_prob(z, value)).taus[0]
    assert tau == pytest.approx(0.651715948857, rel=1e-11)
    assert decimal("top_prob", z, tau * (1 - 1e-14)) > Decimal(value) > decimal("top_prob", z, tau * (1 + 1e-14))


def test_two_classes_in_closed_form() -> None:
    """p / (1 - p) = exp(gap / tau), at every magnitude. The last gap is larger than the largest float."""
    for half in [1e-290, 1e-20, 1.0, 1e20, 1e290, 1.5e308]:
        for p in [0.73, 0.999999] if half < 1e300 else [0.99, 0.999999]:
            tau = only(solve_top_prob([half, -half], p)).taus[0]
            assert tau == pytest.approx(half / (log(p) - log(1 - p)) * 2, rel=1e-10)
            assert only(solve_prob([half, -half], 1, 1 - p)).taus[0] == pytest.approx(tau, rel=1e-10)


# Rows that hypothesis generates.


@st.composite
def rows(draw: st.DrawFn, sizes: tuple[int, ...] = (1, 2, 3, 4, 8, 32, 33, 128, 129, 200)) -> tuple[Any, float]:
    """Draw a row with ties and masks, and a temperature, mostly of the magnitude of the row's spread."""
    n = draw(st.sampled_from(sizes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["normal", "whole", "near", "low"]))
    z = rng.normal(size=n) * 2
    if kind == "whole":
        z = np.round(z)
    elif kind == "near":
        z = 1 + 1e-9 * z
    elif kind == "low":
        z[1:] -= 30
    if draw(st.booleans()):
        z[rng.random(n) < 0.3] = -inf
    if np.isneginf(z).all():
        z[0] = 1.0
    power = draw(st.one_of(st.integers(-3, 3), st.integers(-270, 300)))
    with np.errstate(over="ignore"):
        z = np.maximum(np.minimum(z * 10.0**power, LAST), np.where(z == -inf, -inf, -LAST))
    spread = 10.0**power * (1e-9 if kind == "near" else 1)
    tau = spread * 10 ** draw(st.one_of(st.floats(-1.5, 1.5), st.floats(-3, 9)))
    assume(1e-300 <= tau <= 1e300)
    return z, tau


@pytest.mark.parametrize("name", MEASURES)
@given(case=rows(), index_share=st.floats(0, 1, exclude_max=True))
def test_round_trip(name: str, case: tuple[Any, float], index_share: float) -> None:
    """The value at a temperature leads back to this temperature, or to one with the same value up to rounding."""
    z, tau = case
    assume(name != "margin" or len(z) > 1)
    solve_value, compute = pair(name, int(index_share * len(z)))
    value = float(compute(z, tau))
    solution = only(solve_value(z, value))
    if value == 0 and solution.taus == (1.0,):
        assert compute(z, 0) == compute(z, 1.0) == compute(z, inf) == 0
    check(z, value, solution, compute)
    # If the curve is neither flat nor near its peak, only this temperature has the value.
    neighbors = [float(compute(z, tau * scale)) for scale in (0.999, 1, 1.001)]
    if (
        abs(neighbors[0] - neighbors[2]) > 1e-6 * neighbors[1]
        and (neighbors[0] - neighbors[1]) * (neighbors[1] - neighbors[2]) > 0
    ):
        assert min(abs(solved / tau - 1) for solved in solution.taus) < 1e-7


@pytest.mark.parametrize("n", [2, 3, 33, 5000])
def test_round_trip_at_every_value(n: int) -> None:
    """Values over the whole range of each measure, and near its ends."""
    rng = np.random.default_rng(n)
    z = rng.normal(size=n) * 3
    ends = [1e-12, 1e-6, 0.3, 0.9, 1 - 1e-12]
    for solve_value, compute in MONOTONIC.values():
        low, high = sorted([float(compute(z, 0)), float(compute(z, inf))])
        for share in ends:
            value = low + share * (high - low)
            solution = only(solve_value(z, value))
            check(z, value, solution, compute)
            assert len(solution.taus) == 1
            assert 0 < solution.taus[0] < inf
    for value in [1e-200, 1e-300]:
        check(z, value, only(solve_entropy(z, value)), tsoft.entropy)
        check(z, value, only(solve_margin(z, value)), tsoft.margin)
        check(z, value, only(solve_prob(z, int(z.argmin()), value)), prob(int(z.argmin()))[1])


@given(case=rows((2, 3, 4, 6)), index_share=st.floats(0, 1, exclude_max=True), share=st.floats(0.01, 1.1))
@example(case=(np.array([2.0, 1.0, 0.0, -3.0]), 1.0), index_share=0.3, share=0.95)  # two solutions
@example(case=(np.array([2.0, 2.0, 1.9, -3.0]), 1.0), index_share=0.6, share=0.99)
@example(case=(np.array([2.0, 1.0, 0.0, -3.0]), 1.0), index_share=0.6, share=0.95)  # one, no peak
@example(case=(np.array([2.0, 1.0, 0.0, -3.0]), 1.0), index_share=0.0, share=0.5)  # one, falling
def test_the_number_of_solutions_agrees_with_a_dense_scan(
    case: tuple[Any, float], index_share: float, share: float
) -> None:
    z, index = case[0], int(index_share * len(case[0]))
    free = z[z > -inf]
    spread = float(np.ptp(free / 4)) * 4
    assume(z[index] > -inf and 1e-290 < spread < 1e300)
    x = free - free.max()
    scan = np.geomspace(max(-x[x < 0].max() / 50, 1e-300), spread * 1e5, 6000)
    e = np.exp(x / scan[:, np.newaxis])
    p = np.exp((z[index] - free.max()) / scan) / e.sum(1)
    value = float(share * p.max())
    # The scan misses a solution outside its range, and two solutions between two of its points.
    assume(abs(value - 1 / len(free)) > 1e-3 * value and abs(value / p.max() - 1) > 1e-4)
    assume(abs(value - p[0]) > 1e-9)
    crossings = np.flatnonzero((p[:-1] < value) != (p[1:] < value))
    solution = only(solve_prob(z, index, value))
    assert len(solution.taus) == len(crossings)
    for tau, i in zip(solution.taus, crossings, strict=True):
        assert scan[i] <= tau <= scan[i + 1]
    assert (solution.reason is None) == bool(solution.taus)


# The peak of one class's probability.


def test_both_sides_of_the_peak() -> None:
    z = [2.0, 1.0, 0.0, -3.0]
    reason = only(solve_prob(z, 1, 0.5)).reason
    assert reason is not None
    words = reason.split()
    peak_tau = float(words[words.index("temperature") + 1].rstrip(";"))
    p = tsoft.softmax(z, peak_tau)
    assert np.dot(p, z) == pytest.approx(1, abs=1e-8)  # the mean logit is the class's
    peak = float(p[1])
    distance = inf
    for below in [1e-2, 1e-4, 1e-8, 1e-12]:
        cold, hot = only(solve_prob(z, 1, peak * (1 - below))).taus
        assert cold < peak_tau < hot
        assert hot - cold < distance
        distance = hot - cold
        check(z, peak * (1 - below), only(solve_prob(z, 1, peak * (1 - below))), prob(1)[1])
    at_peak = only(solve_prob(z, 1, peak))
    assert list(at_peak.taus) == pytest.approx([peak_tau], rel=1e-6)
    assert only(solve_prob(z, 1, nextafter(peak, 1))).taus == at_peak.taus
    assert only(solve_prob(z, 1, peak * (1 + 1e-12))).taus == ()
    at_uniform = only(solve_prob(z, 1, 0.25))
    check(z, 0.25, at_uniform, prob(1)[1])
    assert at_uniform.taus[0] < peak_tau
    assert at_uniform.taus[1:] == (inf,)
    assert len(only(solve_prob(z, 1, 0.2)).taus) == 1


def test_peak_at_every_magnitude() -> None:
    """The two temperatures scale with the logits, up to where a difference of logits overflows."""
    z = np.array([2.0, 1.0, 0.0, -3.0])
    cold, hot = only(solve_prob(z, 1, 0.28)).taus
    for power in range(-960, 1021, 220):
        taus = only(solve_prob(z * 2.0**power, 1, 0.28)).taus
        assert np.ldexp(taus, -power).tolist() == pytest.approx([cold, hot], rel=1e-12)
    # -3 * 2^1022 is near the lowest float, and the hot temperature is over the largest.
    taus = only(solve_prob(z * 2.0**1022, 1, 0.28)).taus
    assert np.ldexp(taus, -1022).tolist() == pytest.approx([cold], rel=1e-12)


@pytest.mark.parametrize("n", [40, 500])
def test_peak_of_a_class_in_a_wide_row(n: int) -> None:
    """One class is above this class and many are far below, so the peak is far above 1 / n."""
    z = np.r_[np.full(n - 2, -4.0), 1.0, 0.5]
    cold, hot = only(solve_prob(z, n - 1, 0.2)).taus
    assert cold < hot
    check(z, 0.2, only(solve_prob(z, n - 1, 0.2)), prob(n - 1)[1])
    assert only(solve_prob(z, n - 1, 0.5)).taus == ()


def test_no_peak_if_the_logit_is_the_mean() -> None:
    for middle in [0.0, -0.5, 1e-9]:
        assert only(solve_prob([1, middle, -1], 1, 1 / 3)).taus == (inf,)
        assert len(only(solve_prob([1, middle, -1], 1, 0.3)).taus) == 1
        assert only(solve_prob([1, middle, -1], 1, 0.34)).taus == ()
    assert list(only(solve_prob([1, 0.01, -1], 1, 1 / 3)).taus) == pytest.approx([50, inf], rel=1e-3)


# Values without a solution.


@each_case(
    ("solve_value", "z", "value", "reason"),
    [
        (
            solve_top_prob,
            [1, 0, 2, 3],
            0.2,
            "the top class's probability is at least 1/4 = 0.25, reached at temperature inf; it can be from 0.25 to 1",
        ),
        (
            solve_top_prob,
            [1, 1, 0],
            0.9,
            "the top class's probability is at most 1/2 = 0.5, reached at temperature 0, "
            "since 2 classes are tied at the top; it can be from 0.3333333333 to 0.5",
        ),
        (
            solve_top_prob,
            [1, 1, 0, -inf],
            0.2,
            "the top class's probability is at least 1/3 = 0.3333333333, reached at temperature inf, "
            "since 3 of 4 classes are not masked; it can be from 0.3333333333 to 0.5",
        ),
        (
            solve_top_prob,
            [5, 5],
            0.9,
            "all classes are equal, so the top class's probability is 1/2 = 0.5 at every temperature",
        ),
        (
            solve_entropy,
            [5, -inf, 5],
            0.5,
            "all classes that are not masked are equal, so the entropy is ln 2 = 0.6931471806 at every temperature",
        ),
        (solve_entropy, [7], 0.5, "there is only one class, so the entropy is 0 at every temperature"),
        (
            solve_perplexity,
            [7, -inf],
            2,
            "only one class is not masked, so the perplexity is 1 at every temperature",
        ),
        (
            solve_entropy,
            [1, 2, 3, 4],
            1.4,
            "the entropy is at most ln 4 = 1.386294361, reached at temperature inf; it can be from 0 to 1.386294361",
        ),
        (
            solve_perplexity,
            [1, 2],
            0.5,
            "the perplexity is at least 1, reached at temperature 0; it can be from 1 to 2",
        ),
        (
            solve_perplexity,
            [1, 2],
            inf,
            "the perplexity is at most 2, reached at temperature inf; it can be from 1 to 2",
        ),
        (
            solve_margin,
            [1, 2],
            1.5,
            "the margin is at most 1, reached at temperature 0; it can be from 0 to 1",
        ),
        (
            solve_margin,
            [2, 2, 1],
            0.1,
            "2 classes are tied at the top, so the margin is 0 at every temperature",
        ),
        (solve_margin, [2], 0.1, "the margin needs two classes, and there is only one"),
        (solve_margin, [2], 1, "the margin needs two classes, and there is only one"),
        (
            prob(1)[0],
            [2, 1, 0, -3],
            0.5,
            "the class's probability is at most 0.2972630986, reached at temperature 2.516189447; "
            "it can be from 0 to 0.2972630986",
        ),
        (
            prob(2)[0],
            [2, 1, 0, -3],
            0.26,
            "the class's probability is at most 1/4 = 0.25, reached at temperature inf; it can be from 0 to 0.25",
        ),
        (
            prob(0)[0],
            [2, 1, 0, -3],
            0.2,
            "the class's probability is at least 1/4 = 0.25, reached at temperature inf; it can be from 0.25 to 1",
        ),
        (
            prob(1)[0],
            [2, -inf, 0],
            0.2,
            "the class is masked, so the class's probability is 0 at every temperature",
        ),
        (
            solve_margin,
            [1e308, -1e308],
            1e-300,
            "no float is near enough to the temperature: the nearest is 1.797693135e+308, with 0.5052035418",
        ),
        (
            solve_margin,
            [1e-320, 0],
            0.5,
            "no float is near enough to the temperature: the nearest is 9.100689196e-321, with 0.5000725055",
        ),
        (
            solve_top_prob,
            [1e-323, 0],
            0.6,
            "no float is near enough to the temperature: the nearest is 2.470328229e-323, with 0.5986876601",
        ),
    ],
)
def test_a_value_without_a_solution_has_a_reason(solve_value: Solve, z: list[float], value: float, reason: str) -> None:
    assert only(solve_value(z, value)) == Solution((), (), reason)


# The limits.


@pytest.mark.parametrize("n", [2, 5, 40, 1000])
@pytest.mark.parametrize("ties", [1, 2, 3])
def test_a_value_at_a_limit_is_solved_by_the_limit(n: int, ties: int) -> None:
    """The value at a limit, exact or rounded, has this limit as its solution."""
    z = np.arange(n + ties, 0.0, -1)
    z[:ties] = z[0]
    z = np.r_[-inf, z]
    free = n + ties
    for value in [1 / free, nextafter(1 / free, 0), nextafter(1 / free, 1)]:
        assert only(solve_top_prob(z, value)) == Solution((inf,), (1 / free,))
        assert only(solve_prob(z, 1, value)).taus == (inf,)
    for value in [1 / ties, nextafter(1 / ties, 0), nextafter(1 / ties, 2)]:
        assert only(solve_top_prob(z, value)) == Solution((0.0,), (1 / ties,))
        assert only(solve_prob(z, 1, value)).taus == (0.0,)
    for count, tau in (free, inf), (ties, 0.0):
        for value in [log(count), float(tsoft.entropy(z, tau)), nextafter(log(count), inf) if count > 1 else 0]:
            assert only(solve_entropy(z, value)).taus == (tau,)
        for value in [count, float(tsoft.perplexity(z, tau)), exp(log(count))]:
            assert only(solve_perplexity(z, value)) == Solution((tau,), (float(count),))
    assert only(solve_prob(z, len(z) - 1, 0)) == Solution((0.0,), (0.0,))
    assert only(solve_margin(z, 0)) == Solution((inf if ties == 1 else 1.0,), (0.0,))
    if ties == 1:
        assert only(solve_margin(z, 1)) == Solution((0.0,), (1.0,))


def test_near_a_limit_is_not_the_limit() -> None:
    z = [3.0, 1.0, 0.0]
    for name, (solve_value, compute) in MONOTONIC.items():
        for limit in 0.0, inf:
            end = float(compute(z, limit))
            inward = 1 if float(compute(z, 1)) > end else -1
            value = end + inward * max(1e-14 * end, 1e-290)
            solution = only(solve_value(z, value))
            assert 0 < solution.taus[0] < inf, name
            check(z, value, solution, compute)


def test_a_value_that_rounding_moves_past_a_limit_is_solved() -> None:
    """The computed perplexity of 5000 classes may be a few units in the last place above 5000."""
    z = np.random.default_rng(0).normal(size=5000)
    values = [float(tsoft.perplexity(z, 10.0**power)) for power in range(8, 40)]
    assert max(values) > 5000 * (1 + ROUNDING)
    for value in values:
        check(z, value, only(solve_perplexity(z, value)), tsoft.perplexity)


def test_a_value_at_every_temperature_gives_1() -> None:
    always = Solution((1.0,), (0.5,))
    assert only(solve_top_prob([4, 4, -inf], 0.5)) == always
    assert only(solve_prob([4, 4, -inf], 1, 0.5)) == always
    assert only(solve_prob([4, 3, -inf], 2, 0)) == Solution((1.0,), (0.0,))
    assert only(solve_entropy([4, 4, 4], log(3))).taus == (1.0,)
    assert only(solve_perplexity([4], 1)).taus == (1.0,)
    assert only(solve_top_prob([4], 1)).taus == (1.0,)
    assert only(solve_margin([4, -inf], 1)).taus == (1.0,)


def test_tau_is_the_nearest_float() -> None:
    """The measure changes by many units in the last place between neighboring temperatures."""
    z = [2.0, 1.0, 0.5, 0.1]
    for power in range(-280, -20, 20):
        value = 10.0**power
        for name, (solve_value, compute) in {"entropy": MONOTONIC["entropy"], "prob": prob(1)}.items():
            tau = only(solve_value(z, value)).taus[0]
            errors = [abs(compute(z, t) - value) for t in (nextafter(tau, 0), tau, nextafter(tau, inf))]
            assert min(errors) == errors[1], name


# Extremes.


@pytest.mark.parametrize(
    "z",
    [
        [LAST, -LAST],
        [LAST, LAST, -LAST],
        [LAST, 0.0, -LAST, -inf],
        [1e308, 1e308 - 1e293, -1e308],
        [1e-290, 0.0],
        [1e-290, -1e-290, -inf, -LAST],
        [1.0, 1.0 - 2**-53, 0.0],
        [1e-300, 0.0, -1e300],
        [0.0, *[-800.0] * 40],
        [0.0, *[-LAST] * 200, LAST],
    ],
)
def test_round_trip_of_extreme_rows(z: list[float]) -> None:
    """From temperatures near the magnitude of the row, and far below and above it. The perplexity is that of the
    entropy.
    """
    for name in ("top_prob", "entropy", "margin", "prob"):
        for index in {0, 1, len(z) - 1} if name == "prob" else [0]:
            solve_value, compute = pair(name, index)
            for tau in [1e-300, 1e-290, 1e-17, 1.0, 1e289, LAST]:
                value = float(compute(z, tau))
                if 0 < value < NEARLY_SUBNORMAL:
                    continue
                check(z, value, only(solve_value(z, value)), compute)


def test_a_row_that_must_be_halved_does_not_change_another() -> None:
    """A subnormal row next to a row whose spread overflows has the same temperature as alone."""
    for n in [3, 150]:
        z = np.full((2, n), -inf)
        z[0, :3] = LAST, -LAST, 0.0
        z[1, :3] = 1e-321, 3e-322, 0.0
        assert solve_top_prob(z, 0.99)[1] == only(solve_top_prob(z[1], 0.99))
        check(z[0], 0.99, solve_top_prob(z, 0.99)[0], tsoft.top_prob)


def test_subnormal_logits() -> None:
    """A solution has the value; without one, no float is close enough."""
    z = [1e-310, 3e-311, 0.0]
    for value in np.linspace(0.34, 0.999, 15):
        solution = only(solve_top_prob(z, value))
        if solution.taus:
            check(z, value, solution, tsoft.top_prob)
        else:
            assert str(solution.reason).startswith("no float is near enough")


# Many rows, shapes, types, errors.


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        *((name, (132, 5)) for name in MEASURES),
        ("entropy", (33, 20)),
        ("prob", (33, 20)),
        ("margin", (2, 700)),
        ("prob", (2, 700)),
    ],
)
def test_many_rows_are_solved_independently(name: str, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows fill a block and a part of another one, or each row is larger than a block."""
    monkeypatch.setattr("tsoft.core.solve.BLOCK_SIZE", 650)
    rng = np.random.default_rng(3)
    z = rng.normal(size=shape).round(1) * 4
    z[rng.random(shape) < 0.1] = -inf
    z[:, 0] = 20.0
    z[:, 1] = 19.5
    solve_value, _ = pair(name, 1)
    value = {"top_prob": 0.4, "entropy": 1.1, "perplexity": 2.5, "margin": 0.1, "prob": 0.22}[name]
    solutions = solve_value(z, value)
    assert len(solutions) == len(z)
    for row in {*range(0, len(z), max(1, len(z) // 6)), len(z) - 1}:
        assert solutions[row] == only(solve_value(z[row], value))
    assert any(solution.taus for solution in solutions)


def test_shapes_and_types() -> None:
    z = np.array([[[2, 1, 0], [3, 3, 1]]] * 2)
    solutions = solve_entropy(z, 0.8)
    assert len(solutions) == 4
    assert solutions[:2] == solutions[2:]
    assert solve_entropy(np.zeros((0, 3)), 0.8) == []
    assert solve_margin(np.zeros((0, 1)), 0.8) == []
    assert len(solve_margin(np.zeros((2, 3, 1)), 0.8)) == 6
    assert solve_entropy(z.tolist(), 0.8) == solve_entropy(z.astype(np.float16), 0.8) == solutions
    single = np.array([0.1, 0.7, 0.4], np.float32)
    for name in MEASURES:
        assert pair(name)[0](single, 0.3) == pair(name)[0](single.astype(float), 0.3)
    before = single.copy()
    wide = np.linspace(0, 1, 300)
    solve_top_prob(wide, 0.5)
    assert np.array_equal(wide, np.linspace(0, 1, 300))
    assert np.array_equal(single, before)


@pytest.mark.parametrize("name", MEASURES)
def test_invalid_arguments_are_errors(name: str) -> None:
    solve_value, _ = pair(name)
    for value in [nan, -1e-300, -1.0, -inf]:
        with pytest.raises(ValueError, match="must be a number of at least 0, got"):
            solve_value([1, 2], value)
        with pytest.raises(ValueError, match="must be a number of at least 0, got"):
            solve_value([1], value)
    assert solve_value([1, 2], -0.0) == solve_value([1, 2], 0.0)
    for bad, problem in [(nan, "row 4, class 1: NaN"), (inf, r"row 4, class 1: \+inf")]:
        z = np.zeros((2, 3, 2))
        z[1, 1, 1] = bad
        with pytest.raises(tsoft.LogitsError, match=problem):
            solve_value(z, 0.5)
    with pytest.raises(tsoft.LogitsError, match="row 0: every class is masked"):
        solve_value([-inf], 0.5)
    with pytest.raises(ValueError, match="at least one class"):
        solve_value([], 0.5)
    with pytest.raises(TypeError, match="real numbers"):
        solve_value(["a"], 0.5)


@pytest.mark.parametrize("index", [-1, 2, 100])
def test_a_class_outside_the_row_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError, match=f"there is no class {index}; the classes are 0 to 1"):
        solve_prob([1, 2], index, 0.5)
