"""The samplers against their definitions in plain Python, and against the warpers of transformers."""

import ast
import itertools
import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import exp, fsum, inf, log, sqrt, tanh
from pathlib import Path
from statistics import pstdev
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tsoft
from cases import each_case
from tool import TESTS
from tsoft import cli
from tsoft.cli import run
from tsoft.options import chains
from tsoft.options.sampler_options import PARAMETERS
from tsoft.sampling import samplers
from tsoft.sampling.chain import Chain
from tsoft.sampling.cutoffs import Cutoff
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.explanation import explain
from tsoft.sampling.mixture import apply_step
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU
from tsoft.sampling.step import Step

LAST = float(np.finfo(float).max)
SOURCES = Path(tsoft.__file__).parent
# If the file exists, it has the logits of a real model for four prompts.
REAL = TESTS.parents[1] / "shared/data/llm/next-token-logits.npy"

Row = list[float]

# Functions from a number between 0 and 1 to the first parameter. A larger number keeps more classes.
CUTS: dict[str, Callable[[float], float]] = {
    "top_n_sigma": lambda u: 4 * u,
    "top_h": lambda u: u,
    "top_k": lambda u: 1 + int(20 * u),
    "top_p": lambda u: u,
    "min_p": lambda u: 1 - u,
    # It has no number.
    "p_less": lambda _: 1,
    "typ_p": lambda u: u,
    "epsilon_cutoff": lambda u: (1 - u) ** 3,
    "eta_cutoff": lambda u: (1 - u) ** 3,
    "tfs": lambda u: u,
    "top_a": lambda u: 1 - u,
    "xtc": lambda u: u / 2,
}
SHARES = st.floats(0.001, 0.999)


def unmasked(row: Row) -> bool:
    return max(row) > -inf


MASK = st.just(-inf)
# Rows of integers with many ties, of ordinary numbers, and of any numbers.
TIED = st.lists(st.one_of(st.integers(-4, 4).map(float), MASK), min_size=1, max_size=20).filter(unmasked)
PLAIN = st.lists(st.one_of(st.floats(-9, 9), MASK), min_size=1, max_size=20).filter(unmasked)
ANY = st.lists(st.floats(allow_nan=False, max_value=LAST), min_size=1, max_size=20).filter(unmasked)
TAUS = st.one_of(st.floats(0, inf), st.floats(-3, 3).map(lambda d: 10.0**d), st.sampled_from([0.0, 5e-324, 1.0, inf]))


def tables(draw: Callable[[tuple[int, int]], Any]) -> list[Any]:
    """Return arrays of rows of 1 to 20 classes, of which a fifth are masked."""
    drawn = [draw((12, n)) for n in (1, 2, 3, 7, 20)]
    masked = [np.where(RNG.random(z.shape) < 0.2, -inf, z) for z in drawn]
    return [np.where(np.isneginf(m).all(-1, keepdims=True), z, m) for z, m in zip(drawn, masked, strict=True)]


RNG = np.random.default_rng(7)
# Many rows of the same three kinds, and values of the samplers.
TIED_ROWS = tables(lambda shape: RNG.integers(-4, 5, shape).astype(float))
PLAIN_ROWS = tables(lambda shape: RNG.uniform(-9, 9, shape))
ANY_ROWS = tables(lambda shape: RNG.uniform(-1, 1, shape) * 10.0 ** RNG.integers(-323, 309, shape))
VALUES = [0.001, 0.2, 0.5, 0.8, 0.999]


def public_sampler(name: str) -> Callable[[Any, float], Any]:
    """Return the public function of the sampler, which has the name of the function in the table."""
    function: Callable[..., Any] = getattr(tsoft, SAMPLERS[name].function.__name__)
    return (lambda z, _: function(z)) if SAMPLERS[name].parameters[0].is_flag else function


def cutoff(name: str, z: Any, value: float) -> Cutoff:
    decision = SAMPLERS[name].function(z, *[] if SAMPLERS[name].parameters[0].is_flag else [value])
    assert isinstance(decision, Cutoff)
    return decision


def sampler_at(name: str, u: float) -> Callable[[Any], Any]:
    return lambda z: public_sampler(name)(z, CUTS[name](u))


def kept(z: Any) -> list[int]:
    return [int(i) for i in np.flatnonzero(z > -inf)]


# Samplers that remove no class by a rule.
OTHERS: dict[str, Callable[[Any], Any]] = {
    "temperature": lambda z: samplers.temperature(z, 0.7),
    "dynamic": lambda z: samplers.temperature(z, 0.7, 0.5, 2.0),
    "smoothing": lambda z: samplers.smoothing(z, 0.3),
    "cubic": lambda z: samplers.smoothing(z, 0.3, 4.0),
    "logit_bias": lambda z: samplers.logit_bias(z, ((1, 2.5), (3, -inf))),
    "soft_cap": lambda z: samplers.soft_cap(z, 3.0),
    "edt": lambda z: samplers.edt(z, 0.5),
    "adaptive_temperature": samplers.adaptive_temperature,
}


def test_every_sampler_has_a_test() -> None:
    with_other_tests = {"penalties", "dry", "mirostat", "adaptive_p"}
    assert set(SAMPLERS) == {*CUTS, *OTHERS, *with_other_tests} - {"dynamic", "cubic"}


# Properties of every sampler that removes classes.


@each_case("name", CUTS)
def test_a_sampler_keeps_the_logits_of_the_kept_classes(name: str) -> None:
    for z, u in itertools.product(TIED_ROWS + ANY_ROWS, VALUES):
        before = z.tobytes()
        result = sampler_at(name, u)(z)
        is_kept = result > -inf
        assert is_kept.any(-1).all()
        assert result[is_kept].tobytes() == z[is_kept].tobytes()
        assert z.tobytes() == before


def tied_pairs(name: str) -> Any:
    """Return whether the sampler keeps each of two tied classes, the lower index first: (pairs, 2)."""
    pairs = []
    for z, u in itertools.product(TIED_ROWS, VALUES):
        is_kept = sampler_at(name, u)(z) > -inf
        is_tied = np.triu((z[:, :, None] == z[:, None, :]) & (z > -inf)[:, :, None], 1)
        rows, *classes = np.nonzero(is_tied)
        pairs.append(np.stack([is_kept[rows, i] for i in classes], 1))
    return np.concatenate(pairs)


@each_case("name", CUTS)
def test_at_a_tie_the_lower_index_is_kept(name: str) -> None:
    pairs = tied_pairs(name)
    assert pairs.any()
    assert (pairs[:, 0] >= pairs[:, 1]).all()


@pytest.mark.parametrize("name", ["top_n_sigma", "min_p", "p_less", "epsilon_cutoff", "eta_cutoff", "top_a"])
def test_a_threshold_treats_ties_alike(name: str) -> None:
    pairs = tied_pairs(name)
    assert (pairs[:, 0] == pairs[:, 1]).all()


def test_p_less_keeps_equally_probable_classes() -> None:
    """The sum of the squares is the probability of each class, but it is rounded."""
    for n in range(1, 200):
        assert np.isfinite(samplers.p_less(np.zeros(n))).all(), n


def test_ties_at_the_top_stay_if_all_classes_are_below_the_threshold() -> None:
    """As in transformers' EpsilonLogitsWarper, which keeps each score that is not below the highest."""
    z = [0.0, 1.0, 1.0, -1.0]
    for sampler in (samplers.epsilon_cutoff, samplers.eta_cutoff):
        assert sampler(z, 1.0).tolist() == [-inf, 1.0, 1.0, -inf]


@pytest.mark.parametrize("name", [*CUTS, *OTHERS])
def test_any_shape_gives_the_results_of_its_rows(name: str) -> None:
    """The other rows have no effect, in float64 and in float32."""
    functions = [OTHERS[name]] if name in OTHERS else [sampler_at(name, u) for u in (0.1, 0.5, 0.9)]
    rng = np.random.default_rng(0)
    for n in (4, 40):
        z = rng.integers(-4, 5, (2, 2, 2, n)).astype(float)
        z[1] = rng.normal(0, 3, (2, 2, n))
        z[rng.random(z.shape) < 0.2] = -inf
        z[..., 0] = 1.0
        for dtype in (np.float64, np.float32):
            for f in functions:
                result = f(z.astype(dtype))
                assert result.dtype == dtype
                assert result.shape == z.shape
                for i in np.ndindex(z.shape[:-1]):
                    np.testing.assert_array_equal(result[i], f(z[i].astype(dtype)))
                assert f(z[:0]).shape == (0, 2, 2, n)


@pytest.mark.parametrize("name", CUTS)
def test_float16_is_computed_as_float32(name: str) -> None:
    for z, u in itertools.product(TIED_ROWS, VALUES):
        sampler, half = sampler_at(name, u), (z / 4).astype(np.float16)
        assert sampler(half).dtype == np.float32
        np.testing.assert_array_equal(sampler(half), sampler(half.astype(np.float32)))
        assert sampler(np.arange(z.shape[-1])).dtype == np.float64


@pytest.mark.parametrize("name", CUTS)
def test_a_shift_changes_nothing(name: str) -> None:
    """Differences of multiples of 1/8 are exact, so the shift does not change them."""
    for z, u, shift in itertools.product(PLAIN_ROWS, VALUES, (-(2.0**30), 12345.0)):
        eighths = np.round(z * 8) / 8
        # The rounding error of sigma is relative to the largest logit.
        is_certain = cutoff(name, eighths, CUTS[name](u)).slack > 1e-6 if name == "top_n_sigma" else ...
        shifted, same = (sampler_at(name, u)(rows) > -inf for rows in (eighths + shift, eighths))
        assert (shifted == same)[is_certain].all()


@pytest.mark.parametrize("name", CUTS)
def test_a_larger_value_keeps_the_same_or_more_classes(name: str) -> None:
    for z in TIED_ROWS + PLAIN_ROWS:
        for fewer, more in pairwise(sampler_at(name, u)(z) > -inf for u in VALUES):
            assert (fewer <= more).all()


# By the definition.


def softmax(row: Row) -> Row:
    terms = [exp(x - max(row)) for x in row]
    return [term / fsum(terms) for term in terms]


def entropy(probs: Row) -> float:
    return -fsum(p * log(p) for p in probs if p > 0)


def first_to_reach(mass: float, parts: Row) -> tuple[int, float]:
    """Return the number of parts whose sum reaches the mass, and the smallest distance of a partial sum from it."""
    sums = [fsum(parts[: i + 1]) for i in range(len(parts))]
    return next((i + 1 for i, s in enumerate(sums) if s >= mass), len(parts)), nearest(sums, mass)


def nearest(numbers: Row, bound: float) -> float:
    return min((abs(number - bound) for number in numbers), default=inf)


def at_least(scores: Row, bound: float) -> tuple[set[int], float]:
    return {i for i, score in enumerate(scores) if score >= bound}, nearest(scores, bound)


def falling(row: Row) -> list[int]:
    """Return the unmasked classes, the most probable first; of tied classes, the lower index first."""
    return sorted((i for i, x in enumerate(row) if x > -inf), key=lambda i: (-row[i], i))


def by_top_n_sigma(row: Row, n: float) -> tuple[set[int], float]:
    return at_least(row, max(row) - n * pstdev([x for x in row if x > -inf]))


def by_top_h(row: Row, alpha: float) -> tuple[set[int], float]:
    order = falling(row)
    terms = [entropy([p]) for p in softmax([row[i] for i in order[:100]])]
    bound = alpha * fsum(terms)
    sums = [fsum(terms[: i + 1]) for i in range(len(terms))]
    return {*order[: max(1, sum(s <= bound for s in sums))]}, nearest(sums, bound)


def by_top_k(row: Row, k: float) -> tuple[set[int], float]:
    return {*falling(row)[: int(k)]}, inf


def by_top_p(row: Row, p: float) -> tuple[set[int], float]:
    order, probs = falling(row), softmax(row)
    number, near = first_to_reach(p, [probs[i] for i in order])
    return {*order[:number]}, near


def by_min_p(row: Row, p: float) -> tuple[set[int], float]:
    probs = softmax(row)
    return at_least(probs, p * max(probs))


def by_p_less(row: Row, _: float) -> tuple[set[int], float]:
    probs = softmax(row)
    return at_least(probs, fsum(p * p for p in probs))


def by_typ_p(row: Row, mass: float) -> tuple[set[int], float]:
    probs = softmax(row)
    far = {i: abs(-log(probs[i]) - entropy(probs)) for i in falling(row)}
    order = sorted(far, key=lambda i: (far[i], i))
    number, near = first_to_reach(mass, [probs[i] for i in order])
    # If two classes are equally far above and below, rounding decides which is nearer.
    alike = [abs(far[i] - far[j]) for i, j in pairwise(order) if row[i] != row[j]]
    return {*order[:number]}, min(near, *alike, inf)


def by_epsilon_cutoff(row: Row, epsilon: float) -> tuple[set[int], float]:
    probs = softmax(row)
    stay, near = at_least(probs, epsilon)
    return stay or at_least(probs, max(probs))[0], near


def by_eta_cutoff(row: Row, epsilon: float) -> tuple[set[int], float]:
    return by_epsilon_cutoff(row, min(epsilon, sqrt(epsilon) * exp(-entropy(softmax(row)))))


def by_tfs(row: Row, share: float) -> tuple[set[int], float]:
    order, probs = falling(row), softmax(row)
    curve = [probs[i] for i in order]
    slopes = [b - a for a, b in pairwise(curve)]
    bends = [abs(b - a) for a, b in pairwise(slopes)]
    if not fsum(bends):
        return {*order}, inf
    sums = [fsum(bends[: i + 1]) / fsum(bends) for i in range(len(bends))]
    return {*order[: 1 + sum(s <= share for s in sums)]}, min(nearest(sums, share), fsum(bends))


def by_top_a(row: Row, a: float) -> tuple[set[int], float]:
    probs = softmax(row)
    return at_least(probs, a * max(probs) ** 2)


def by_xtc(row: Row, threshold: float) -> tuple[set[int], float]:
    probs = softmax(row)
    order = sorted(falling(row), key=lambda i: (-row[i], -i))
    above = sum(probs[i] >= threshold for i in order)
    return {*order[max(0, above - 1) :]}, nearest(probs, threshold)


# Each definition returns the kept classes of a row, and the smallest distance of a number from its bound.
DEFINITIONS: dict[str, Callable[[Row, float], tuple[set[int], float]]] = {
    "top_n_sigma": by_top_n_sigma,
    "top_h": by_top_h,
    "top_k": by_top_k,
    "top_p": by_top_p,
    "min_p": by_min_p,
    "p_less": by_p_less,
    "typ_p": by_typ_p,
    "epsilon_cutoff": by_epsilon_cutoff,
    "eta_cutoff": by_eta_cutoff,
    "tfs": by_tfs,
    "top_a": by_top_a,
    "xtc": by_xtc,
}


@pytest.mark.parametrize("name", CUTS)
def test_a_sampler_agrees_with_its_definition(name: str) -> None:
    compared = 0
    for z, u in itertools.product(TIED_ROWS + PLAIN_ROWS, VALUES):
        for row, logits in zip(z[:4].tolist(), sampler_at(name, u)(z), strict=False):
            expected, near = DEFINITIONS[name](row, CUTS[name](u))
            if near > 1e-10:
                compared += 1
                assert {*kept(logits)} == {i for i in expected if row[i] > -inf}
    assert compared > 100


# Of these probabilities, each sum of the first is a decimal, and so is the ratio of any two.
DECIMALS = [0.4, 0.3, 0.2, 0.1]


@each_case(
    ("name", "value", "count"),
    [
        ("top_p", 0.9, 3),
        ("top_p", 0.7, 2),
        ("top_p", 0.4, 1),
        ("min_p", 0.75, 2),
        ("min_p", 0.5, 3),
        ("min_p", 0.25, 4),
        ("epsilon_cutoff", 0.3, 2),
        ("epsilon_cutoff", 0.2, 3),
        ("epsilon_cutoff", 0.1, 4),
        ("top_a", 0.625, 4),
    ],
)
@each_case("shift", [0.0, 1.0, -3.0, 1e3])
def test_a_decimal_threshold_is_reached_despite_rounding(name: str, value: float, count: int, shift: float) -> None:
    assert kept(public_sampler(name)(np.log(DECIMALS) + shift, value)) == list(range(count))


@pytest.mark.parametrize("shift", [0.0, 1.0, -0.9, 1e6])
def test_a_gap_between_logits_is_reached_despite_rounding(shift: float) -> None:
    """The standard deviation is 0.45, and the second and third class are two of them below the first."""
    row = np.array([0.9, 0.0, 0.0, -0.3]) + shift
    assert kept(tsoft.top_n_sigma(row, 2.0)) == [0, 1, 2]
    assert kept(tsoft.top_n_sigma(row, 1.9999)) == [0]


def test_a_class_of_large_logits_is_removed_by_its_gap() -> None:
    """The logits are exact, so the gap is not a matter of rounding, though it is a tiny share of them."""
    assert kept(tsoft.top_n_sigma([1e12, 1e12 - 10, 1e12 - 20], 1.0)) == [0]


def test_the_rounding_of_a_sum_is_no_probability() -> None:
    probs = [0.5, 0.49999999998, 2e-11]
    assert kept(tsoft.top_p(np.log(probs), 0.99999999999)) == [0, 1, 2]
    assert kept(tsoft.typical(np.log(probs), 0.99999999999)) == [0, 1, 2]
    assert kept(tsoft.top_h([0.0, -60.0, -61.0], 0.5)) == [0]


@pytest.mark.parametrize("probs", [[0.4, 0.3, 0.2, 0.1], [0.4375, 0.3125, 0.1875, 0.0625]])
def test_tail_free_keeps_all_classes_on_a_line(probs: list[float]) -> None:
    assert kept(tsoft.tail_free(np.log(probs), 0.5)) == [0, 1, 2, 3]


def test_equal_distances_from_the_entropy_tie() -> None:
    """The surprises are 1, 2 and 2 bits, and the entropy is 1.5."""
    for order in itertools.permutations([0.5, 0.25, 0.25]):
        assert kept(tsoft.typical(np.log(order), 0.2)) == [0]


@pytest.mark.parametrize("n", [5, 6, 10, 20, 1000, 100000])
def test_cutoffs_of_equal_classes_keep_their_share(n: int) -> None:
    for k in {1, n // 3, n - 1}:
        assert len(kept(tsoft.top_p(np.zeros(n), k / n))) == k
        assert len(kept(tsoft.typical(np.zeros(n), k / n))) == k
    for k in {k for k in (1, 2, n // 3, n // 2, n - 1) if n <= 100}:
        assert len(kept(tsoft.top_h(np.zeros(n), k / n))) == k


@each_case(
    ("name", "value", "expected"),
    [
        ("top_k", 2, [0, 1]),
        ("top_p", 0.5, [0, 1]),
        ("top_p", np.nextafter(0.5, 0), [0, 1]),
        ("top_p", np.nextafter(0.5, 1), [0, 1]),
        ("top_p", 0.5 + 1e-9, [0, 1, 2]),
        ("top_p", 0.0, [0]),
        ("top_p", 1.0, [0, 1, 2, 3]),
        ("min_p", 1.0, [0, 1, 2, 3]),
        ("p_less", 1.0, [0, 1, 2, 3]),
        ("typ_p", 0.5, [0, 1]),
        ("typ_p", np.nextafter(0.5, 1), [0, 1]),
        ("typ_p", 0.5 + 1e-9, [0, 1, 2]),
        ("epsilon_cutoff", 0.25, [0, 1, 2, 3]),
        ("epsilon_cutoff", 1.0, [0, 1, 2, 3]),
        ("eta_cutoff", 1.0, [0, 1, 2, 3]),
        ("top_a", 1.0, [0, 1, 2, 3]),
        ("top_h", 0.5, [0, 1]),
        ("top_n_sigma", 1.0, [0, 1, 2, 3]),
        ("tfs", 0.5, [0, 1, 2, 3]),
        ("xtc", 0.25, [0]),
        ("xtc", np.nextafter(0.25, 1), [0]),
        ("xtc", 0.25 + 1e-9, [0, 1, 2, 3]),
    ],
)
def test_four_equal_classes(name: str, value: float, expected: list[int]) -> None:
    """The probabilities are exactly 1/4, so they can be exactly at a threshold, or off by rounding."""
    assert kept(public_sampler(name)([7.0] * 4, value)) == expected
    # Masked classes have no effect.
    assert kept(public_sampler(name)([-inf, 7.0, 7.0, -inf, 7.0, 7.0], value)) == [(1, 2, 4, 5)[i] for i in expected]


@each_case(
    ("name", "value"),
    [
        ("top_n_sigma", 1e3),
        ("top_k", 20),
        ("top_p", 1 - 1e-12),
        ("min_p", 1e-12),
        ("typ_p", 1 - 1e-12),
        ("epsilon_cutoff", 1e-12),
        ("eta_cutoff", 1e-12),
        ("top_a", 1e-12),
        ("xtc", 1.0),
    ],
)
def test_a_value_close_to_off_removes_nothing(name: str, value: float) -> None:
    for z in TIED_ROWS:
        np.testing.assert_array_equal(public_sampler(name)(z, value), z)


def test_an_option_at_its_off_value_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    plain = ["compute", "3", "1", "-800", "-inf", "0.5"]
    assert run(plain) == 0
    expected = capsys.readouterr()
    for parameter in (s.parameters[0] for s in SAMPLERS.values()):
        if parameter.off is None or parameter.is_flag:
            continue
        assert run([*plain, parameter.option, f"{parameter.off:g}"]) == 0
        assert capsys.readouterr() == expected, parameter.option


@pytest.mark.parametrize("threshold", [0.0, 0.01])
def test_xtc_ignores_masked_classes(threshold: float) -> None:
    assert kept(samplers.xtc([2.0, 1.0, 0.0], threshold)) == [2]
    assert kept(samplers.xtc([2.0, -inf, 1.0, 0.0, -inf], threshold)) == [3]


def test_top_h_keeps_at_most_a_hundred_classes() -> None:
    row = [3.0, *[0.0] * 200]
    for alpha in (0.5, 0.9):
        assert {*kept(samplers.top_h(row, alpha))} == by_top_h(row, alpha)[0]
    assert kept(samplers.top_h(row, 1.0))[-1] < 100


def test_tail_free_keeps_the_class_at_which_the_share_is_reached() -> None:
    # The second differences are 1/8 and 1/8.
    assert np.isfinite(tsoft.tail_free(-np.log(2) * np.array([0, 1, 2, 2]), 0.5)).tolist() == [True, True, False, False]


def test_top_n_sigma_of_the_largest_logits() -> None:
    """Two standard deviations are half the range of the floats, and twice a standard deviation overflows."""
    row = [LAST, -LAST, 0.0]
    assert kept(samplers.top_n_sigma(row, 1.0)) == [0]
    assert kept(samplers.top_n_sigma(row, 10.0)) == [0, 1, 2]
    # 2.2626 standard deviations are above the highest float, but the threshold is not.
    assert kept(samplers.top_n_sigma([-1e308, 0, 1e308, -1e308], 2.2626)) == [1, 2]
    for name in set(CUTS) - {"top_n_sigma", "top_k", "tfs", "xtc"}:
        assert kept(public_sampler(name)(row, CUTS[name](0.5))) == [0], name


@given(PLAIN, st.lists(st.tuples(st.integers(0, 19), st.one_of(st.floats(-9, 9), MASK)), max_size=5))
def test_a_bias_is_added(row: Row, biases: list[tuple[int, float]]) -> None:
    biases = [(index % len(row), bias) for index, bias in biases]
    z = np.array(row)
    expected = list(row)
    for index, bias in biases:
        expected[index] += bias
    assert samplers.logit_bias(z, tuple(biases)).tolist() == expected
    assert z.tolist() == row


@given(PLAIN, st.floats(1e-6, 10))
def test_smoothing_is_a_parabola(row: Row, factor: float) -> None:
    expected = [max(row) - factor * (max(row) - x) ** 2 if x > -inf else -inf for x in row]
    np.testing.assert_allclose(samplers.smoothing(row, factor), expected, rtol=1e-14, atol=1e-14)


@given(PLAIN, st.floats(1e-3, 3), st.floats(0, 6))
def test_smoothing_with_a_curve_is_a_cubic(row: Row, factor: float, curve: float) -> None:
    """The two terms of text-generation-webui's `QuadraticSamplingLogitsWarper`, with x relative to the maximum."""
    relative = [x - max(row) for x in row]
    k, s = (3 - curve) / 2, (curve - 1) / 2
    cubic = [-(k * factor * x**2) + s * factor * x**3 + max(row) if x > -inf else -inf for x in relative]
    scale = max(1.0, factor * max(abs(x) ** 3 for x in relative if x > -inf))
    np.testing.assert_allclose(samplers.smoothing(row, factor, curve), cubic, rtol=1e-13, atol=1e-13 * scale)


def test_a_curve_above_3_lifts_classes_over_the_top_one() -> None:
    """At 5 those less than (5 - 3) / (5 - 1) = 1/2 below it, and below 1 those far below it."""
    top, near, far = samplers.smoothing([2.0, 1.75, 1.25], 1.0, 5.0)
    assert near > top > far
    assert samplers.smoothing([2.0, 1.5], 1.0, 5.0).tolist() == [2.0, 2.0]
    # At 0, the distance is (3 - 0) / (1 - 0).
    assert samplers.smoothing([2.0, -1.0, -2.0], 1.0, 0.0).tolist() == [2.0, 2.0, 10.0]


@pytest.mark.parametrize("curve", [0.3, 4.0, 1e17, 1e300])
def test_a_curve_does_not_move_a_class_1_below_the_top_one(curve: float) -> None:
    """There the two terms of the curve cancel, however large they are."""
    assert samplers.smoothing([2.0, 1.0], 0.5, curve).tolist() == [2.0, 1.5]


@pytest.mark.parametrize("curve", [0.0, 0.5, 1.0, 2.0, 3.0, 1e300])
def test_smoothing_of_the_largest_logits_is_finite(curve: float) -> None:
    for dtype in (np.float32, np.float64):
        last = np.finfo(dtype).max
        row = np.array([last, 0.0, -last, -inf, 5.0], dtype)
        for factor in (1e-300, 1.0, 1e300):
            smooth = samplers.smoothing(row, factor, curve)
            assert np.isfinite(smooth).tolist() == [True, True, True, False, True]


# The soft cap.


@given(st.one_of(PLAIN, TIED), st.floats(-3, 3).map(lambda d: 10.0**d))
def test_a_soft_cap_is_a_hyperbolic_tangent(row: Row, cap: float) -> None:
    expected = [cap * tanh(x / cap) if x > -inf else -inf for x in row]
    np.testing.assert_allclose(samplers.soft_cap(row, cap), expected, rtol=1e-14, atol=1e-300)


@given(ANY, st.floats(0, LAST, exclude_min=True))
def test_a_soft_cap_of_any_size_keeps_the_order(row: Row, cap: float) -> None:
    z = np.array(row)
    capped = samplers.soft_cap(z, cap)
    assert (np.isneginf(capped) == np.isneginf(z)).all()
    unmasked_row = z > -inf
    assert (abs(capped[unmasked_row]) <= min(cap, LAST)).all()
    assert (abs(capped[unmasked_row]) <= abs(z[unmasked_row])).all()
    assert (np.diff(capped[z.argsort(kind="stable")][(~unmasked_row).sum() :]) >= 0).all()
    narrow = samplers.soft_cap(np.array([3.0, 3e38, -5e-45, -inf], np.float32), cap)
    assert narrow.dtype == np.float32
    assert np.isfinite(narrow).tolist() == [True, True, True, False]


def test_a_soft_cap_far_above_the_logits_changes_nothing() -> None:
    row = [5e-324, -1e-310, 1e-5, -3.0, 0.0, -inf]
    assert samplers.soft_cap(row, 1e300).tolist() == row
    assert samplers.soft_cap([1.0, 2.0], 5e-324).tolist() == [5e-324, 5e-324]


# Temperatures that depend on the entropy.


def adaptive(h: float) -> float:
    """Return the temperature of the paper's `adaptive_temperature_softmax`."""
    beta = ((-0.037 * h + 0.481) * h - 2.3) * h + 4.917
    return 1 / max(beta * h - 1.791, 1.0) if h > 0.5 else 1.0


@given(PLAIN, st.floats(0.01, 5))
def test_edt_divides_by_a_temperature_of_the_entropy(row: Row, theta: float) -> None:
    h = entropy(softmax(row))
    tau = 0.8 ** (theta / h) if h > 0 else 0.0
    assume(tau > 1e-3)
    probs = tsoft.softmax(samplers.edt(row, theta))
    np.testing.assert_allclose(probs, softmax([x / tau for x in row]), rtol=1e-9, atol=1e-300)


@given(st.lists(st.one_of(st.floats(-9, 9), MASK), min_size=1, max_size=300).filter(unmasked))
def test_the_adaptive_temperature_is_a_polynomial_of_the_entropy(row: Row) -> None:
    tau = adaptive(entropy(softmax(row)))
    probs = tsoft.softmax(samplers.adaptive_temperature(row))
    np.testing.assert_allclose(probs, softmax([x / tau for x in row]), rtol=1e-9, atol=1e-300)


def test_the_adaptive_temperature_sharpens_only_between_two_entropies() -> None:
    """The polynomial is 1 at 0.849 and at 5.945 nats, which are ln 2.34 and ln 381.7."""
    for n, sharpens in [(1, False), (2, False), (3, True), (20, True), (381, True), (382, False), (5000, False)]:
        row = np.zeros(n + 1)
        # It has nearly the entropy of equal classes.
        row[-1] = -20.0
        assert (samplers.adaptive_temperature(row)[-1] < -20.0) == sharpens, n


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edt_of_a_certain_distribution_is_greedy(dtype: type) -> None:
    for row in ([3.0], [3.0, -inf], [3.0, -2000.0], [3.0, -40.0], [1e30, -1e30]):
        assert samplers.edt(np.array(row, dtype), 5.0).tolist() == [0.0, *[-inf] * (len(row) - 1)]
    # Of equal classes, no temperature is too low.
    assert samplers.edt(np.array([2.0, 2.0, -inf], dtype), 1e300).tolist() == [0.0, 0.0, -inf]
    last = np.finfo(dtype).max
    for numbers in ([last, -last, last], [0.0, -1e-30, 0.0]):
        z: Any = np.array(numbers, dtype)
        for scaled in (samplers.edt(z, 0.1), samplers.adaptive_temperature(z)):
            assert scaled.dtype == dtype
            assert scaled[0] == scaled[2] == 0
            assert scaled[1] < 0


@each_case("name", [*CUTS, *OTHERS])
def test_only_a_sampler_of_raw_logits_changes_with_a_constant(name: str) -> None:
    sampler = SAMPLERS[{"dynamic": "temperature", "cubic": "smoothing"}.get(name, name)]
    apply = OTHERS.get(name) or sampler_at(name, 0.5)
    row = np.array([2.0, 1.75, 0.5, -1.0, -inf])
    same = np.allclose(tsoft.softmax(apply(row)), tsoft.softmax(apply(row + 4)), rtol=1e-12)
    assert same != any(parameter.needs_raw_logits for parameter in sampler.parameters)
    # The highest logit stays, unless the row says otherwise.
    shifted = apply(row).max() != row.max()
    assert bool(shifted) == (sampler.shifts_logits or name in ("cubic", "logit_bias", "soft_cap", "xtc"))


# Temperature.


@given(st.one_of(ANY, TIED), TAUS)
def test_temperature_agrees_with_softmax(row: Row, tau: float) -> None:
    scaled = samplers.temperature(row, tau)
    np.testing.assert_array_equal(tsoft.softmax(scaled), tsoft.softmax(row, tau))
    # An underflow does not mask a class.
    assert [bool(x > -inf) for x in scaled] == [x > -inf and (tau > 0 or x == max(row)) for x in row]


@each_case("tau", [0.0, 5e-324, 1e-310, 1e-200, 0.5, 1.0, 1e200, LAST, inf])
def test_temperature_at_extreme_values(tau: float) -> None:
    rows = [
        [LAST, -LAST, 0.0, -inf],
        [1e308, 1e308, -1e308, 5e-324],
        [-LAST, -LAST, -inf, -inf],
        [5e-324, 0.0, -5e-324, 1e-323],
        [1.0, 1.0 - 2**-53, 0.0, -inf],
        [1e-310, 3e-311, 0.0, -inf],
    ]
    for row in rows:
        np.testing.assert_array_equal(tsoft.softmax(samplers.temperature(row, tau)), tsoft.softmax(row, tau))
    together = samplers.temperature(rows, tau)
    for row, scaled in zip(rows, together, strict=True):
        np.testing.assert_array_equal(scaled, samplers.temperature(row, tau))


@pytest.mark.parametrize("tau", [1e-50, 0.3, 0.7, 3.0, 1e50])
def test_temperature_of_float32(tau: float) -> None:
    z = np.random.default_rng(0).normal(0, 3, (50, 20)).astype(np.float32)
    z[:, 3] = -inf
    scaled = samplers.temperature(z, tau)
    assert scaled.dtype == np.float32
    x = abs(z - z.max(-1, keepdims=True)).astype(float) / tau
    room = 8 * (1 + np.where(x < 100, x, 0) + log(20)) * 2**-24
    exact = tsoft.softmax(z.astype(float), tau)
    assert (abs(tsoft.softmax(scaled) - exact) <= room * exact + 1e-40).all()


def dynamic(row: Row, tau: float, span: float, exponent: float) -> float:
    """Return the temperature of llama.cpp's `temperature` sampler with a range (llama_sampler_temp_ext_apply)."""
    unmasked_row = [x for x in row if x > -inf]
    share = min(1.0, entropy(softmax(row)) / log(len(unmasked_row))) if len(unmasked_row) > 1 else 0.0
    coldest, hottest = max(0.0, tau - span), tau + span
    return coldest + (hottest - coldest) * float(share**exponent)


@each_case("unit", [1e-310, 1e-50, 1e-38, 1.0, 1e38, 1e50, 1e300])
def test_dynamic_temperatures_of_any_size(unit: float) -> None:
    # The entropy is that of equal classes below the unit 1, and nearly 0 above it.
    row = [2 * unit, unit, 0.0]
    share = entropy(softmax(row)) / log(3)
    expected = tsoft.softmax([2.0, 1.0, 0.0], 0.5 + share)
    probs = tsoft.softmax(samplers.temperature(row, unit, unit / 2))
    assert probs == pytest.approx(expected, rel=1e-12 if unit > 1e-300 else 1e-6)


def test_a_row_with_an_extreme_dynamic_temperature_does_not_change_others() -> None:
    rows = np.array([[9.0, 0.0, 0.0], [1.0, 0.5, 0.0], [900.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    for function in (partial(tsoft.edt, theta=1.0), partial(samplers.temperature, tau=1.0, dynatemp_range=1.0)):
        together = function(rows)
        for row, scaled in zip(rows, together, strict=True):
            np.testing.assert_array_equal(scaled, function(row))


@given(PLAIN, st.floats(0, 3), st.floats(0.1, 3), st.floats(0.1, 4))
def test_dynamic_temperature_follows_the_entropy(row: Row, tau: float, span: float, exponent: float) -> None:
    expected = dynamic(row, tau, span, exponent)
    assume(expected > 1e-3)
    probs = tsoft.softmax(samplers.temperature(row, tau, span, exponent))
    np.testing.assert_allclose(probs, softmax([x / expected for x in row]), rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1e308])
@pytest.mark.parametrize("span", [0.5, 1e308])
def test_dynamic_temperature_is_within_its_range(tau: float, span: float) -> None:
    """A certain distribution has the lowest temperature, and a uniform one the highest. The probability of a single
    class is 1 at any temperature.
    """
    for row in ([3.0], [3.0, -inf], [3.0, -2000.0], [1.0, 1.0, 1.0]):
        probs = tsoft.softmax(samplers.temperature(row, tau, span))
        top = np.equal(row, max(row))
        if tau <= span or top.all() or tsoft.top_prob(row, tau - span) == 1:
            coldest = tsoft.softmax(row, max(0.0, tau - span))
            np.testing.assert_array_equal(probs, coldest)


# XTC's distribution.


def after(functions: list[Callable[[Any], Any]], z: Any) -> Any:
    for function in functions:
        z = function(z)
    return tsoft.softmax(z)


@given(PLAIN, st.floats(0.01, 0.99), SHARES, SHARES, st.floats(0.2, 4))
def test_xtc_is_a_mixture(row: Row, chance: float, u: float, p: float, tau: float) -> None:
    """The result is a mixture of the chain with and without XTC, whatever samplers come before and after it."""
    before: list[Callable[[Any], Any]] = [lambda z: samplers.min_p(z, 0.01)]
    behind: list[Callable[[Any], Any]] = [lambda z: samplers.top_p(z, p), lambda z: samplers.temperature(z, tau)]
    with_it = after([*before, lambda z: samplers.xtc(z, u / 2), *behind], row)
    mixture = (1 - chance) * after([*before, *behind], row) + chance * with_it
    chain = Chain(
        (
            Step(SAMPLERS["min_p"], (0.01,)),
            Step(SAMPLERS["xtc"], (chance, u / 2)),
            Step(SAMPLERS["top_p"], (p,)),
            Step(SAMPLERS["temperature"], (0.0, 1.0)),
        )
    )
    logits = chain.logits(np.array([row]), np.array([tau]))[0, 0]
    np.testing.assert_allclose(tsoft.softmax(logits), mixture, rtol=1e-11, atol=1e-300)
    np.testing.assert_array_equal(logits > -inf, mixture > 0)
    last = explain(chain.at(tau), np.array(row))[-1]
    assert last.entropy == pytest.approx(entropy(mixture.tolist()), rel=1e-10, abs=1e-12)
    assert mixture[last.top] == pytest.approx(max(mixture), rel=1e-11)
    assert np.flatnonzero(last.kept).tolist() == np.flatnonzero(mixture).tolist()


def test_two_xtc_steps_are_a_mixture_of_four_chains() -> None:
    row = np.log([0.4, 0.3, 0.2, 0.1])
    steps = (Step(SAMPLERS["xtc"], (0.25, 0.25)), Step(SAMPLERS["xtc"], (0.5, 0.18)))
    # The branches: no step acts, the first, the second, both. Of .4 .3 .2 .1, the probability .2 is above .18; of
    # .3 .2 .1, it is a third.
    branches = [[0.4, 0.3, 0.2, 0.1], [0, 0.3, 0.2, 0.1], [0, 0, 0.2, 0.1], [0, 0, 0.2, 0.1]]
    weights = [0.375, 0.125, 0.375, 0.125]
    expected = sum(w * np.array(b) / sum(b) for w, b in zip(weights, branches, strict=True))
    actual = tsoft.softmax(Chain(steps).logits(row[np.newaxis], np.array([1.0]))[0, 0])
    np.testing.assert_allclose(actual, expected, rtol=1e-14)


@pytest.mark.parametrize(("chance", "expected"), [(0.0, [0.5, 0.3, 0.2]), (1.0, [0.0, 0.6, 0.4])])
def test_xtc_with_probability_0_and_1(chance: float, expected: Row) -> None:
    chain = Chain((Step(SAMPLERS["xtc"], (chance, 0.25)),))
    logits = chain.logits(np.log([[0.5, 0.3, 0.2]]), np.array([1.0]))[0, 0]
    np.testing.assert_allclose(tsoft.softmax(logits), expected, rtol=1e-15)


# The table of samplers.


@pytest.mark.parametrize("command", ["compute", "sweep"])
def test_every_parameter_is_an_option(command: str) -> None:
    options = [name for parameter in cli.command(command).params for name in parameter.opts]
    for sampler in SAMPLERS.values():
        for parameter in sampler.parameters:
            assert options.count(parameter.option) == 1, parameter


def test_names_of_llama_cpp_are_known() -> None:
    """These are the names that its server lists in `generation_settings`, and older ones. Each name has one meaning."""
    listed = "penalties dry top_n_sigma top_k typ_p top_p min_p xtc temperature"
    assert {*listed.split(), "infill"} <= {*chains.SAMPLERS_BY_NAME, *chains.LACKING}
    for name, sampler in {"temp": "temperature", "typical": "typ_p", "typical_p": "typ_p", "tfs_z": "tfs"}.items():
        assert chains.SAMPLERS_BY_NAME[name] is SAMPLERS[sampler]
    names = [n for s in SAMPLERS.values() for n in {s.name, s.parameters[0].name, *s.aliases}]
    assert len(names) == len({*names}) == len(chains.SAMPLERS_BY_NAME)
    assert len(PARAMETERS) == sum(len(s.parameters) for s in SAMPLERS.values())


# An audit tests three samplers, which are fields of a request to a server.
AUDIT = {
    f"features/audit/{name}.py"
    for name in (
        "requested",
        "requested_range",
        "audit",
        "audited_draws",
        "chart",
        "tails",
        "server/field_findings",
        "server/probe_plan",
        "server/prober",
        "server/probes",
        "server/request_settings",
        "server/server_findings",
    )
}


def test_only_the_table_names_the_samplers() -> None:
    """Other modules get the names from the table, except for temperature and the biases, which have other options."""
    with_options = [s for s in SAMPLERS.values() if s.parameters[0] not in (TAU, BIAS)]
    names = {
        n for s in with_options for n in (s.name, s.function.__name__, *s.aliases, *(k.name for k in s.parameters))
    }
    named = re.compile(rf"\b({'|'.join(names)})\b")
    allowed = {
        "__init__.py",
        "sampling/cutoffs.py",
        "sampling/samplers.py",
        "sampling/text_samplers.py",
        "sampling/penalties.py",
        "sampling/adaptive.py",
        "sampling/class_caveats.py",
        "sampling/states.py",
        "sampling/sampler_table.py",
        "sampling/engines.py",
        "sampling/engine_cutoffs.py",
        "sampling/engine_penalties.py",
        "sampling/engine_samplers.py",
        "sampling/partial_cutoffs.py",
        "sampling/partial_chain.py",
        # A parameter of pipelines of Hugging Face.
        "input/json_rows.py",
        "input/settings/file_kinds.py",
        "input/settings/parameter_numbers.py",
        "input/settings/sampler_orders.py",
        "input/settings/sampling_fields.py",
        "input/settings/settings_reader.py",
        "input/settings/settings_search.py",
        "input/settings/text_numbers.py",
        "explorer/slider_ranges.py",
        "explorer/explorer_input.py",
        "explorer/row_command.py",
        "explorer/sampled_text.py",
        "explorer/saved_state.py",
        "explorer/text_words.py",
        "options/chains.py",
        "options/models.py",
    }
    found = {
        name
        for file in SOURCES.rglob("*.py")
        if (name := file.relative_to(SOURCES).as_posix()) not in allowed | AUDIT and uses(file, named)
    }
    assert found == set()
    assert uses(SOURCES / "sampling/sampler_table.py", named)


def uses(file: Path, named: re.Pattern[str]) -> bool:
    """Return whether a name is in the program, not only in its comments. Parsing takes long."""
    text = file.read_text(encoding="utf-8")
    return bool(named.search(text.replace("-", "_"))) and any(
        named.search(word.replace("-", "_")) for word in identifiers(ast.parse(text))
    )


def identifiers(tree: ast.AST) -> list[str]:
    """Return the names and the strings of a program, without docstrings and the help of options."""
    ignored = {
        id(node)
        for parent in ast.walk(tree)
        for node in (
            [parent.value]
            if isinstance(parent, ast.Expr) or (isinstance(parent, ast.keyword) and parent.arg == "help")
            else []
        )
    }
    words: list[str] = []
    for node in ast.walk(tree):
        if id(node) not in ignored:
            fields = (getattr(node, name, None) for name in ("id", "attr", "arg", "name", "value"))
            words += [field for field in fields if isinstance(field, str)]
    return words


# The warpers of transformers, in float64.

# The samplers that both have. The warper of eta takes a square root in float32, so its values are exact squares.
WARPERS: dict[str, tuple[str, list[float]]] = {
    "temperature": ("TemperatureLogitsWarper", [0.3, 0.71, 2.5]),
    "top_h": ("TopHLogitsWarper", [0.123, 0.456, 0.87]),
    "top_k": ("TopKLogitsWarper", [1, 3, 10]),
    "top_p": ("TopPLogitsWarper", [0.123, 0.517, 0.93]),
    "min_p": ("MinPLogitsWarper", [0.0123, 0.117, 0.67]),
    "typ_p": ("TypicalLogitsWarper", [0.123, 0.517, 0.93]),
    "epsilon_cutoff": ("EpsilonLogitsWarper", [0.00123, 0.0317, 0.35]),
    "eta_cutoff": ("EtaLogitsWarper", [(17 / 2048) ** 2, (39 / 1024) ** 2, (77 / 256) ** 2]),
}


def warped(warpers: list[tuple[str, float]], z: Any) -> Any:
    """Return z after the warpers of transformers for these samplers."""
    torch = pytest.importorskip("torch")
    process = pytest.importorskip("transformers.generation.logits_process")
    # Several threads would only wait for each other.
    torch.set_num_threads(1)
    scores = torch.from_numpy(z.copy())
    for name, value in warpers:
        scores = getattr(process, WARPERS[name][0])(value)(None, scores)
    return scores.numpy()


def row_sets() -> list[Any]:
    """Return rows with and without ties and masks, with few and many classes, and the real rows if they exist."""
    rng = np.random.default_rng(7)
    sets = [rng.integers(-3, 4, (60, n)).astype(float) for n in (1, 3, 8, 150)]
    sets += [rng.normal(0, 2, (60, n)) for n in (2, 40, 300)]
    masked = rng.normal(0, 2, (60, 40))
    masked[:, 1:][rng.random((60, 39)) < 0.3] = -inf
    # torch sorts ties by index only up to 16 classes.
    return [*sets, masked, *([np.load(REAL)[:1].astype(float)] if REAL.exists() else [])]


def agree(logits: Any, expected: Any, alike: Any, case: object) -> None:
    """Check that the sorted probabilities are equal, and that rows in `alike` keep the same classes."""
    probs, expected_probs = tsoft.softmax(logits), tsoft.softmax(expected)
    assert (abs(np.sort(probs) - np.sort(expected_probs)) <= 1e-12).all(), case
    assert ((probs > 0) == (expected_probs > 0))[alike].all(), case


@pytest.mark.oracle
def test_transformers_warpers_agree() -> None:
    """Compare each warper with the rule of the engine, and with the table in rows where the table splits no tie."""
    rules = {sampler.name: sampler for sampler in ENGINES["transformers"].samplers}
    for z in row_sets():
        for name, (_, values) in WARPERS.items():
            for value in values if z.shape[1] < 1000 else values[1:2]:
                expected = warped([(name, value)], z)
                case = (name, value, z.shape)
                if name == "temperature":
                    agree(samplers.temperature(z, value), expected, np.ones(len(z), bool), case)
                    continue
                limit = rules[name].function(z, value)
                assert isinstance(limit, Cutoff)
                agree(limit.apply(z), expected, ~limit.splits_tie, case)
                alike = ~cutoff(name, z, value).splits_tie
                agree(public_sampler(name)(z, value)[alike], expected[alike], np.ones(alike.sum(), bool), case)


@pytest.mark.oracle
def test_transformers_ties_at_the_threshold() -> None:
    """Compare how many of four equal classes are kept."""
    four = np.zeros((1, 4))
    rules = {sampler.name: sampler for sampler in ENGINES["transformers"].samplers}
    for name, value, number in [("top_p", 0.5, 2), ("typ_p", 0.5, 4), ("top_k", 1.0, 4), ("min_p", 1.0, 4)]:
        given_value = int(value) if name == "top_k" else value
        assert len(kept(warped([(name, given_value)], four)[0])) == number, name
        assert len(kept(apply_step(Step(rules[name], (value,)), four)[0])) == number, name


@pytest.mark.oracle
def test_transformers_chains_agree() -> None:
    """Apply several samplers in the order of `_get_logits_processor`."""
    engine = ENGINES["transformers"]
    rules = {sampler.name: sampler for sampler in engine.samplers}
    assert list(WARPERS) == [sampler.name for sampler in engine.samplers if not sampler.uses_indices]
    rng = np.random.default_rng(8)
    for z in row_sets():
        for _ in range(4):
            chosen = [(name, rng.choice(values).item()) for name, (_, values) in WARPERS.items() if rng.random() < 0.6]
            chosen = [(name, int(value) if name == "top_k" else value) for name, value in chosen]
            tau = dict(chosen).get("temperature", 1.0)
            steps = [Step(rules[name], () if name == "temperature" else (value,)) for name, value in chosen]
            chain = Chain(tuple(steps) or (Step(rules["temperature"], ()),), engine)
            logits = chain.logits(z, np.array([tau]))[0]
            distinct = np.array([len({*row.tolist()} - {-inf}) == (row > -inf).sum() for row in z])
            agree(logits, warped(chosen, z), distinct, (chosen, z.shape))


@pytest.mark.oracle
def test_transformers_has_this_order() -> None:
    generation = pytest.importorskip("transformers.generation")
    pytest.importorskip("torch")
    names = {sampler.parameters[0].name: sampler.name for sampler in ENGINES["transformers"].samplers}
    values = {parameter: WARPERS[sampler][1][0] for parameter, sampler in names.items() if sampler in WARPERS}
    values["temperature"] = values.pop("tau")
    config = generation.GenerationConfig(do_sample=True, num_beams=1, **values)
    config._eos_token_tensor = None
    warpers = generation.GenerationMixin()._get_logits_processor(config)
    kinds = {kind: name for name, (kind, _) in WARPERS.items()}
    assert [kinds[type(warper).__name__] for warper in warpers] == list(WARPERS)


@pytest.mark.parametrize("name", ["top_k", "top_n_sigma"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samplers_after_temperature_inf_keep_the_classes_of_a_high_temperature(name: str, dtype: type) -> None:
    """At inf, all probabilities are equal, but the order of the classes remains, as at any finite temperature."""
    row: Any = np.array([0.5, -3.0, 40.0, -np.inf, 7.0, 7.0, 1e-3], dtype)
    sampler, value = public_sampler(name), {"top_k": 4, "top_n_sigma": 0.4}[name]
    hottest = samplers.temperature(row, inf)
    assert tsoft.softmax(hottest).tolist() == tsoft.softmax(row, tau=inf).tolist()
    finite = sampler(samplers.temperature(row, 1e12), value)
    assert (sampler(hottest, value) > -inf).tolist() == (finite > -inf).tolist()
    assert 0 < (finite > -inf).sum() < 6
