"""What the log-probabilities of two responses are: exact cases, and simulated servers with rounding, noise and hidden
samplers, of which no claim may be false."""

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import t as student_t

from cases import each_case
from tsoft.core.softmax import Array
from tsoft.features.audit.pair_kind import LogprobPair, LogprobsForm, LogprobsKind, logprobs_kind
from tsoft.features.audit.pair_slope import fit_slope, t_quantile

INF = math.inf
RAW, TEMPERED, TRUNCATED, UNKNOWN = LogprobsForm


def top_k(logprobs: Array, k: int) -> Array:
    return np.where(logprobs >= np.sort(logprobs)[-k], logprobs, -INF)


def top_p(logprobs: Array, p: float) -> Array:
    order = np.argsort(-logprobs)
    count = int((np.exp(logprobs[order]).cumsum() < p).sum()) + 1
    return top_k(logprobs, count)


def renormalized(logprobs: Array) -> Array:
    return log_softmax(logprobs)  # type: ignore[no-any-return]


def listed(first: Array, second: Array, count: int, decimals: int | None = None) -> LogprobPair:
    """Return what two servers show that list `count` tokens with a probability above 0."""
    sides = []
    for logprobs in (first, second):
        order = [int(i) for i in np.argsort(-logprobs)[:count] if logprobs[i] > -INF]
        numbers = logprobs[order] if decimals is None else logprobs[order].round(decimals)
        error = 1e-9 if decimals is None else 0.5 * 10.0**-decimals
        most = max(0.0, 1 - float(np.exp(numbers).sum())) + error
        ceiling = min(float(numbers.min()) + error, math.log(most))
        least = max(0.0, 1 - float(np.exp(numbers).sum()) - error)
        sides.append((dict(zip(order, numbers.tolist(), strict=True)), error, ceiling, least))
    (a, error, ceiling, rest), (b, other_error, other_ceiling, other_rest) = sides
    both = [i for i in a if i in b]
    return LogprobPair(
        np.array([a[i] for i in both]),
        np.array([b[i] for i in both]),
        (error, other_error),
        np.array([a[i] for i in a if i not in b]),
        np.array([b[i] for i in b if i not in a]),
        (ceiling, other_ceiling),
        (rest, other_rest),
    )


def rows(seed: int, positions: int = 6, classes: int = 300) -> Array:
    return np.random.default_rng(seed).normal(size=(positions, classes)) * 3


# Exact cases


def test_raw_numbers_are_the_same_at_different_temperatures() -> None:
    pairs = [listed(log_softmax(z), log_softmax(z), 5, decimals=4) for z in rows(1)]
    kind = logprobs_kind(pairs, (0.5, 1.0))
    assert (kind.form, kind.is_tempered, kind.contradicts) == (RAW, False, False)
    assert kind.fit
    assert kind.fit.slope == pytest.approx(1.0)


@pytest.mark.parametrize("taus", [(0.5, 1.0), (1.0, 0.7), (0.2, 2.0), (1.5, 1.2)])
def test_tempered_numbers_have_the_slope_of_the_temperatures(taus: tuple[float, float]) -> None:
    pairs = [listed(log_softmax(z / taus[0]), log_softmax(z / taus[1]), 8, decimals=5) for z in rows(2)]
    kind = logprobs_kind(pairs, taus)
    assert (kind.form, kind.is_tempered, kind.contradicts) == (TEMPERED, True, False)
    assert kind.fit
    assert kind.fit.slope == pytest.approx(taus[0] / taus[1], rel=1e-4)
    assert kind.fit.low <= taus[0] / taus[1] <= kind.fit.high


def test_another_slope_contradicts_and_names_exchanged_temperatures() -> None:
    """The server takes 0.7 to be 0.9; then the temperatures are typed in the wrong order."""
    pairs = [listed(log_softmax(z / 0.9), log_softmax(z), 8) for z in rows(3)]
    kind = logprobs_kind(pairs, (0.7, 1.0))
    assert (kind.form, kind.contradicts) == (TEMPERED, True)
    assert "slope 0.9, but the temperatures give 0.7" in kind.reason
    exchanged = logprobs_kind(pairs, (1.0, 0.9))
    assert exchanged.contradicts
    assert exchanged.reason.endswith("it fits the temperatures in the other order")


@each_case("cut", [lambda p: top_k(p, 4), lambda p: top_p(p, 0.8)])
@each_case("side", [0, 1])
@each_case("taus", [(1.0, 1.0), (0.6, 1.2)])
def test_a_cutoff_shows_as_tokens_that_the_other_response_predicts(
    cut: Callable[[Array], Array], side: int, taus: tuple[float, float]
) -> None:
    pairs = []
    for z in rows(4):
        both = [log_softmax(z / tau) for tau in taus]
        both[side] = renormalized(cut(both[side]))
        pairs.append(listed(both[0], both[1], 10, decimals=5))
    kind = logprobs_kind(pairs, (0.6, 1.2))
    assert (kind.form, kind.is_tempered) == (TRUNCATED, taus[0] != taus[1])
    # The top-p of the hotter response keeps more tokens than it lists.
    assert kind.removal.classes[side] > 0 or kind.removal.shift > 0.01
    assert kind.removal.classes[1 - side] == 0
    assert not kind.contradicts


def test_a_cutoff_below_the_listed_tokens_shows_as_a_shift() -> None:
    """The shift is the logarithm of the kept probability, most of it in the flattest row."""
    full = [log_softmax(z) for z in rows(5)]
    kept = [top_p(logprobs, 0.9) for logprobs in full]
    pairs = [listed(a, renormalized(b), 3, decimals=6) for a, b in zip(full, kept, strict=True)]
    kind = logprobs_kind(pairs, (0.5, 1.0))
    assert (kind.form, kind.is_tempered, sum(kind.removal.classes)) == (TRUNCATED, False, 0)
    shift = max(-math.log(np.exp(logprobs).sum()) for logprobs in kept)
    assert kind.removal.shift == pytest.approx(shift, abs=1e-5)


def test_noise_that_would_hide_a_cutoff_is_named() -> None:
    """Three standard deviations of the differences, which are those of one response times the square root of 2."""
    noise = np.random.default_rng(17).normal(size=(2, 30, 300)) * 0.01
    pairs = [
        listed(log_softmax(z + one), log_softmax(z + other), 20)
        for z, one, other in zip(rows(16, positions=30), *noise, strict=True)
    ]
    kind = logprobs_kind(pairs, (0.5, 1.0))
    assert kind.form == RAW
    found = re.search(r"which would hide a cutoff of less than ([\d.]+) %", kind.reason)
    assert found
    assert float(found[1]) == pytest.approx(3 * math.sqrt(2), rel=0.1)
    # A cutoff that removes a little more may be noise or not; one that removes far more is no noise.
    for p, form in ((0.9, UNKNOWN), (0.7, TRUNCATED)):
        cut = [
            listed(log_softmax(z + one), renormalized(top_p(log_softmax(z + other), p)), 5)
            for z, one, other in zip(rows(16, positions=30), *noise, strict=True)
        ]
        assert logprobs_kind(cut, (0.5, 1.0)).form == form


def test_a_probability_of_zero_is_a_removed_token() -> None:
    """Servers with processed log-probabilities return -inf for what a sampler removed."""
    pairs = [LogprobPair(log_softmax(z), renormalized(top_k(log_softmax(z), 4))) for z in rows(6, classes=10)]
    kind = logprobs_kind(pairs, (0.5, 1.0))
    assert (kind.form, kind.is_tempered) == (TRUNCATED, False)
    assert 0 < kind.removal.classes[1] <= 6 * len(pairs)


def test_equal_temperatures_do_not_separate_raw_from_tempered() -> None:
    pairs = [listed(log_softmax(z), log_softmax(z), 5) for z in rows(7)]
    kind = logprobs_kind(pairs, (0.7, 0.7))
    assert (kind.form, kind.is_tempered) == (UNKNOWN, None)
    assert "the temperatures are equal" in kind.reason
    cut = [listed(log_softmax(z), renormalized(top_k(log_softmax(z), 4)), 10) for z in rows(7)]
    assert (logprobs_kind(cut, (0.7, 0.7)).form, logprobs_kind(cut, (0.7, 0.7)).is_tempered) == (TRUNCATED, None)
    hotter = [listed(log_softmax(z), log_softmax(z / 2), 8) for z in rows(7)]
    assert logprobs_kind(hotter, (0.7, 0.7)).contradicts


@pytest.mark.parametrize(
    ("taus", "applied", "form"),
    [
        ((0.0, 0.5), (1.0, 1.0), RAW),
        ((0.0, 0.5), (1.0, 0.5), TEMPERED),
        ((0.5, 0.0), (0.5, 1.0), TEMPERED),
        ((0.0, 1.0), (1.0, 1.0), UNKNOWN),
        # Some servers divide by a small number.
        ((0.0, 1.0), (0.2, 1.0), UNKNOWN),
    ],
)
def test_temperature_zero_may_be_computed_at_one(
    taus: tuple[float, float], applied: tuple[float, float], form: LogprobsForm
) -> None:
    pairs = [listed(log_softmax(z / applied[0]), log_softmax(z / applied[1]), 6) for z in rows(8)]
    kind = logprobs_kind(pairs, taus)
    assert (kind.form, kind.contradicts) == (form, False)


@pytest.mark.parametrize(("applied", "tempered"), [((0.6, 1.0), "A"), ((1.0, 1.5), "B")])
def test_one_tempered_response_does_not_contradict(applied: tuple[float, float], tempered: str) -> None:
    """The other one may be from a server with raw log-probabilities."""
    pairs = [listed(log_softmax(z / applied[0]), log_softmax(z / applied[1]), 8) for z in rows(14)]
    kind = logprobs_kind(pairs, (0.6, 1.5))
    assert (kind.form, kind.contradicts) == (UNKNOWN, False)
    assert f"it fits tempered numbers in {tempered} and raw ones in" in kind.reason


def test_listed_tokens_with_all_of_the_probability_may_be_the_rest_of_a_cutoff() -> None:
    """The same top-k before the temperature leaves no other trace."""
    kept = [np.where(z >= np.sort(z)[-6], z, -INF) for z in rows(15)]
    pairs = [listed(log_softmax(z / 0.9), log_softmax(z / 1.2), 10, decimals=6) for z in kept]
    kind = logprobs_kind(pairs, (0.9, 1.2))
    assert kind.form == TEMPERED
    assert "have all of the probability in A and B, so a sampler may have removed others" in kind.reason
    full = [listed(log_softmax(z / 0.9), log_softmax(z / 1.2), 10, decimals=6) for z in rows(15)]
    assert "all of the probability" not in logprobs_kind(full, (0.9, 1.2)).reason


def test_too_little_is_unknown() -> None:
    z = rows(9)[0]
    one = LogprobPair(log_softmax(z)[:1], log_softmax(z)[:1])
    greedy = LogprobPair(np.array([0.0]), np.array([-0.5]), second_only=np.array([-1.5]))
    few = listed(log_softmax(z), log_softmax(z / 2), 4, decimals=2)
    equal = LogprobPair(np.array([-1.0, -1.0]), np.array([-2.0, -2.0]))
    expected = {
        "no position in common": ([], (0.5, 1.0)),
        "request more alternatives": ([one], (0.5, 1.0)),
        "a temperature near 0 and a cutoff explain alike": ([greedy], (0.0, 1.0)),
        "only known to be between": ([few], (0.5, 1.0)),
        "the temperatures differ too much": ([listed(log_softmax(z), log_softmax(z), 9)], (1e-300, 1.0)),
        "use finite temperatures": ([listed(log_softmax(z), log_softmax(z), 9)], (1.0, INF)),
        "do not determine a slope": ([equal] * 5, (0.5, 1.0)),
        "use temperatures that differ more": ([listed(log_softmax(z), log_softmax(z), 20)], (1.0, 1.01)),
    }
    for reason, (pairs, taus) in expected.items():
        kind = logprobs_kind(pairs, taus)
        assert (kind.form, kind.is_tempered, kind.contradicts) == (UNKNOWN, None, False), reason
        assert reason in kind.reason


def test_other_distributions_are_unknown() -> None:
    pairs = [listed(log_softmax(z), log_softmax(other), 250) for z, other in zip(rows(10), rows(11), strict=True)]
    assert logprobs_kind(pairs, (0.5, 1.0)).form == UNKNOWN
    near = [
        listed(log_softmax(z), log_softmax(z + 0.1 * other), 20) for z, other in zip(rows(10), rows(11), strict=True)
    ]
    assert logprobs_kind(near, (0.5, 1.0)).form == UNKNOWN


def test_nearly_even_distributions_that_differ_by_less_than_the_noise_are_unknown() -> None:
    flat, other = rows(10) * 0.05, rows(11) * 0.015
    pairs = [listed(log_softmax(z), log_softmax(z + change), 300) for z, change in zip(flat, other, strict=True)]
    kind = logprobs_kind(pairs, (0.5, 1.0))
    assert (kind.form, kind.contradicts) == (UNKNOWN, False)


def test_few_outliers_hardly_move_the_slope_but_show_as_the_residual() -> None:
    pairs = []
    for z in rows(12, classes=20):
        first, second = log_softmax(z), log_softmax(z / 2)
        second[3] += 2.0
        pairs.append(LogprobPair(first, second))
    kind = logprobs_kind(pairs, (1.0, 2.0))
    assert (kind.form, kind.contradicts) == (TEMPERED, False)
    assert kind.fit
    assert kind.fit.slope == pytest.approx(0.5)
    assert kind.fit.residual == pytest.approx(2.0)
    assert kind.fit.outliers == len(pairs)


def test_quantiles_are_those_of_scipy() -> None:
    for degrees in (1, 2, 3, 4, 17, 200):
        assert t_quantile(degrees) == pytest.approx(student_t.isf(5e-7, degrees), rel=1e-8)
        assert t_quantile(degrees, 0.05) == pytest.approx(student_t.isf(0.025, degrees))
    # More degrees of freedom have a smaller quantile.
    assert t_quantile(10**6) == t_quantile(200)


def test_the_fit_is_that_of_least_squares_without_outliers() -> None:
    """A regression with one constant per position."""
    rng = np.random.default_rng(13)
    xs = [rng.normal(size=n) * 3 for n in (5, 2, 9)]
    ys = [0.6 * x + rng.normal() + rng.normal(size=len(x)) * 1e-3 for x in xs]
    fit = fit_slope(xs, ys, (0.0, 0.0), 0.1)
    assert fit
    x, y = np.concatenate(xs), np.concatenate(ys)
    constants = np.repeat(np.eye(3), [5, 2, 9], axis=0)
    solution, squares, *_ = np.linalg.lstsq(np.column_stack([x, constants]), y)
    assert fit.slope == pytest.approx(solution[0], rel=1e-9)
    assert fit.scatter == pytest.approx(math.sqrt(squares[0] / (16 - 4)), rel=1e-6)
    inverse = fit_slope(ys, xs, (0.0, 0.0), 0.1)
    assert inverse
    assert inverse.slope == pytest.approx(1 / fit.slope)
    assert inverse.low == pytest.approx(1 / fit.high)


# Simulated servers


@dataclass(frozen=True)
class Case:
    """Two responses, the temperatures requested, what the server does, and the largest shift of a cutoff."""

    truth: str
    taus: tuple[float, float]
    pairs: list[LogprobPair]
    shift: float


TRUTHS = ("raw", "tempered", "truncated", "both", "unrelated", "perturbed", "other")


def simulated(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    truth = TRUTHS[seed % len(TRUTHS)]
    classes, positions, count = (int(rng.choice(some)) for some in ([50, 400], [1, 2, 3, 6, 12], [2, 3, 5, 10, 20]))
    scale, noise = rng.choice([1.0, 2.0, 4.0]), rng.choice([0.0, 1e-3])
    decimals = [None, 4, 5, 6][rng.integers(4)]
    taus = tuple(rng.choice([0.2, 0.5, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0], 2, replace=False).tolist())
    applied = taus if truth in ("tempered", "both") or rng.random() < 0.5 else (1.0, 1.0)
    if truth in ("raw", "truncated"):
        applied = (1.0, 1.0)
    if truth == "other":
        # The slope is neither 1 nor that of the temperatures.
        applied = (taus[0] * (1.5 if taus[0] * 1.5 < taus[1] or taus[0] > taus[1] else 0.6), taus[1])
    cuts = [rng.integers(4) if truth in ("truncated", "both") else 0 for _ in range(2)]
    pairs, shift = [], 0.0
    for _ in range(positions):
        z = rng.normal(size=classes) * scale
        z[0] += rng.choice([0, 3, 8])
        change = {"unrelated": rng.normal(size=classes) * scale - z, "perturbed": rng.normal(size=classes) * 0.5}
        sides = [
            log_softmax(y / tau + rng.normal(size=classes) * noise)
            for y, tau in zip((z, z + change.get(truth, 0)), applied, strict=True)
        ]
        cut = [
            [side, top_k(side, 5), top_p(side, 0.8), top_p(side, 0.95)][i] for side, i in zip(sides, cuts, strict=True)
        ]
        kept = [math.log(np.exp(each).sum()) for each in cut]
        shift = max(shift, abs(kept[1] - kept[0]))
        pairs.append(listed(renormalized(cut[0]), renormalized(cut[1]), count, decimals))
    return Case(truth, (taus[0], taus[1]), pairs, shift)


def is_false(case: Case, kind: LogprobsKind) -> bool:
    """Return whether a claim is false. A cutoff may remain hidden if it shifts the numbers by no more than the noise,
    or if the numbers are tempered."""
    claim = (kind.form, kind.is_tempered, kind.contradicts)
    allowed = {
        "raw": [(RAW, False, False)],
        "tempered": [(TEMPERED, True, False)],
        "truncated": [(TRUNCATED, False, False), *[(RAW, False, False)] * (case.shift < 0.02)],
        "both": [(TRUNCATED, True, False), (TEMPERED, True, False)],
        "other": [(TEMPERED, True, True)],
    }
    return kind.form != UNKNOWN and claim not in allowed.get(case.truth, [])


def test_simulated_servers_are_found_and_no_claim_is_false() -> None:
    found: Counter[tuple[str, LogprobsForm]] = Counter()
    for seed in range(105):
        case = simulated(seed)
        kind = logprobs_kind(case.pairs, case.taus)
        assert not is_false(case, kind), (seed, case.truth, case.taus, kind)
        found[case.truth, kind.form] += 1
    # In the others there are too few numbers.
    for truth, form in (("raw", RAW), ("tempered", TEMPERED), ("other", TEMPERED)):
        assert found[truth, form] > 9, found
    assert found["truncated", TRUNCATED] > 7
    assert found["both", TRUNCATED] > 4
