"""Properties of the core that are true for all logits, up to rounding, without a reference."""

import pickle
import threading
from math import inf, log, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tsoft
from cases import each_case
from tsoft.core import softmax, sums, threads

MANY_EXAMPLES = settings(max_examples=25)
U = 2.0**-53
KEEP = [tsoft.softmax, tsoft.log_softmax]
REDUCE = [tsoft.log_sum_exp, tsoft.entropy, tsoft.perplexity, tsoft.top_prob, tsoft.margin, tsoft.varentropy]

# Any row with at least one class that is not masked: masks, subnormals and the largest floats included.
ANY = st.lists(st.floats(allow_nan=False, max_value=1.7976931348623157e308), min_size=1, max_size=40).filter(
    lambda row: max(row) > -inf
)
PLAIN = st.lists(st.one_of(st.floats(-50, 50), st.just(-inf)), min_size=2, max_size=40).filter(
    lambda row: max(row) > -inf
)
SMALL = st.lists(st.one_of(st.integers(-9, 9), st.just(-inf)), min_size=1, max_size=40).filter(
    lambda row: max(row) > -inf
)
LIKELY = st.floats(-3, 3).map(lambda d: 10.0**d)
TAU = st.one_of(st.floats(0, inf), LIKELY, st.sampled_from([0.0, 5e-324, 1.0, inf]))


def rounding(z: Any, tau: float) -> Any:
    """Return the bound of the relative error of each probability, for a tau that is not extreme."""
    z = np.asarray(z, float)
    x = np.where(np.isneginf(z), 0, (z.max() - z) / tau)
    return 4 * (1 + x + log(len(z))) * U


@MANY_EXAMPLES
@given(ANY, TAU)
def test_results_are_in_range_and_not_nan(z: list[float], tau: float) -> None:
    n = len(z)
    p, log_p = tsoft.softmax(z, tau), tsoft.log_softmax(z, tau)
    assert ((p >= 0) & (p <= 1)).all()
    assert (log_p <= 0).all()
    assert abs(p.sum() - 1) <= (4 + np.log2(n)) * 2 * U
    assert (p[np.isneginf(z)] == 0).all()
    assert np.isneginf(log_p[np.isneginf(z)]).all()
    assert not np.isnan(tsoft.log_sum_exp(z, tau))
    assert 0 <= tsoft.entropy(z, tau) <= log(n) + 8 * (1 + log(n)) * U
    assert 1 <= tsoft.perplexity(z, tau) <= n * (1 + 16 * (1 + log(n)) * U)
    assert 1 / n * (1 - 4 * (1 + log(n)) * U) <= tsoft.top_prob(z, tau) <= 1
    assert np.isnan(tsoft.margin(z, tau)) if n == 1 else 0 <= tsoft.margin(z, tau) <= 1
    assert p[tsoft.top(z)] == p.max() or tau == inf


@MANY_EXAMPLES
@given(ANY, TAU)
def test_order_is_kept(z: list[float], tau: float) -> None:
    """A smaller logit has no larger probability, up to the rounding of exp. Equal logits have equal probabilities."""
    order = np.argsort(z)
    p, log_p = tsoft.softmax(z, tau)[order], tsoft.log_softmax(z, tau)[order]
    assert (p[1:] >= p[:-1] * (1 - 4 * U)).all()
    assert (log_p[1:] >= log_p[:-1]).all()
    for v in set(z):
        assert len({*tsoft.softmax(z, tau)[np.equal(z, v)]}) == 1


@MANY_EXAMPLES
@given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=40), st.integers(-(2**30), 2**30), TAU)
def test_a_shift_changes_nothing(z: list[int], shift: int, tau: float) -> None:
    """Multiples of 1/8 and integers add exactly, so every bit is the same."""
    row = np.array(z) / 8
    for f in [*KEEP, *REDUCE[1:]]:
        np.testing.assert_array_equal(f(row + shift, tau), f(row, tau))


@MANY_EXAMPLES
@given(PLAIN, st.lists(st.floats(-2, 3).map(lambda d: 10.0**d), min_size=2, max_size=6))
def test_entropy_does_not_fall_with_tau(z: list[float], taus: list[float]) -> None:
    h = tsoft.entropy(z, [0, *sorted(taus), inf])
    # The bound of the entropy, 4 (H + sum p x^2) u, with |x| at most 50 for a p that is not negligible.
    assert (np.diff(h) >= -4 * (h[1:] + 2500) * U * h[1:]).all()
    assert h[-1] == pytest.approx(log(np.isfinite(z).sum()), rel=4 * U)


@MANY_EXAMPLES
@given(SMALL)
def test_the_limits_are_exact_and_approached(z: list[float]) -> None:
    row = np.array(z, float)
    top, unmasked = row == row.max(), np.isfinite(row)
    at_zero, at_inf = np.where(top, 1 / top.sum(), 0), np.where(unmasked, 1 / unmasked.sum(), 0)
    for tau in [0, 5e-324, 1e-300, 1e-3]:
        np.testing.assert_array_equal(tsoft.softmax(z, tau), at_zero)
    for tau in [1e18, 1.7e308, inf]:
        np.testing.assert_array_equal(tsoft.softmax(z, tau), at_inf)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(tsoft.log_softmax(z, 0), np.log(at_zero), rtol=4 * U)
        np.testing.assert_allclose(tsoft.log_softmax(z, inf), np.log(at_inf), rtol=4 * U)
    np.testing.assert_allclose(tsoft.entropy(z, [0, inf]), np.log([top.sum(), unmasked.sum()]), rtol=4 * U)
    np.testing.assert_array_equal(tsoft.top_prob(z, [0, inf]), [1 / top.sum(), 1 / unmasked.sum()])
    if len(z) > 1:
        single_class = [float(top.sum() == 1), float(unmasked.sum() == 1)]
        np.testing.assert_array_equal(tsoft.margin(z, [0, inf]), single_class)


@pytest.mark.parametrize("n", [3, 40])
def test_log_sum_exp_at_the_limits(n: int) -> None:
    tail = [-5.0] * (n - 3) + [-inf]
    assert tsoft.log_sum_exp([2, 1, *tail], inf) == pytest.approx(log(n - 1), rel=4 * U)
    assert tsoft.log_sum_exp([2, 1, *tail], 0) == inf
    assert tsoft.log_sum_exp([-2, -3, *tail], 0) == -inf
    assert tsoft.log_sum_exp([0, -0.0, *tail], 0) == pytest.approx(log(2), rel=4 * U)
    assert tsoft.log_sum_exp([0, -1, *tail], 0) == 0
    assert tsoft.log_sum_exp([[1, 1, *tail], [-1, -1, *tail]], 5e-324).tolist() == [inf, -inf]


@MANY_EXAMPLES
@given(PLAIN, st.floats(-2, 3).map(lambda d: 10.0**d))
def test_the_functions_agree(z: list[float], tau: float) -> None:
    p, log_p, h = tsoft.softmax(z, tau), tsoft.log_softmax(z, tau), tsoft.entropy(z, tau)
    tolerance = rounding(z, tau)
    normal = p > 1e-300
    assert (abs(np.exp(log_p) - p) <= 3 * tolerance * p)[normal].all()
    assert tsoft.perplexity(z, tau) == pytest.approx(np.exp(h), rel=4 * U)
    assert tsoft.top_prob(z, tau) == pytest.approx(p.max(), rel=2 * U)
    nonzero = p > 0
    assert h == pytest.approx(-(p[nonzero] * log_p[nonzero]).sum(), rel=1e-12, abs=1e-300)
    first, second = np.sort(p)[[-1, -2]]
    assert tsoft.margin(z, tau) == pytest.approx(first - second, rel=1e-12, abs=4 * U)
    # log-sum-exp does not follow from the probabilities: it is z / tau - log p, for every class.
    unmasked = np.isfinite(z)
    lse = tsoft.log_sum_exp(z, tau)
    scale = 8 * U * (1 + abs(lse) + abs(np.array(z)[unmasked] / tau) + max(z) / tau - np.array(z)[unmasked] / tau)
    assert (abs(np.array(z)[unmasked] / tau - log_p[unmasked] - lse) <= scale).all()


@MANY_EXAMPLES
@given(PLAIN, st.lists(TAU, max_size=4))
def test_a_list_of_temperatures_stacks_the_results(z: list[float], taus: list[float]) -> None:
    for f in [*KEEP, *REDUCE]:
        result = f(z, taus)
        assert result.shape == (len(taus), *np.shape(f(z)))
        for single, tau in zip(result, taus, strict=True):
            np.testing.assert_array_equal(single, f(z, tau))


@MANY_EXAMPLES
@given(
    arrays.arrays(
        np.float64,
        arrays.array_shapes(min_dims=1, max_dims=4, max_side=5),
        elements=st.floats(-30, 30, allow_subnormal=False),
    )
)
def test_an_array_of_any_rank_gives_the_results_of_its_rows(z: Any) -> None:
    for f, keeps in [(f, True) for f in KEEP] + [(f, False) for f in REDUCE]:
        result = f(z, 0.7)
        assert result.shape == (z.shape if keeps else z.shape[:-1])
        for index in np.ndindex(z.shape[:-1]):
            np.testing.assert_array_equal(result[index], f(z[index], 0.7))


@pytest.mark.parametrize(
    "n", [2, 5, 8, 11, 12, 32, 61, 64, 1031, 2048, 2049, 4096, 4097, 8193, 32_769, 40_000, 262_157]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_row_does_not_depend_on_its_neighbors(n: int, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bit is the same, so that rows in blocks of another size or layout give the same numbers."""
    rows = (1 << 14) // n
    monkeypatch.setattr(softmax, "BLOCK_SIZE", rows * n)
    monkeypatch.setattr(sums, "SCRATCH_SIZE", 1 << 12)
    z = np.random.default_rng(n).normal(0, 3, (2 * rows + 3, n)).astype(dtype)
    indices = {0, 1, max(rows - 1, 0), rows, len(z) - 1}
    for f in [*KEEP, *REDUCE]:
        results = f(z, 0.7)
        for i in indices:
            np.testing.assert_array_equal(results[i], f(z[i], 0.7))
        np.testing.assert_array_equal(results[5:18], f(z[5:18], 0.7))


@each_case("n", [4, 40])
@each_case("f", [*KEEP, *REDUCE])
def test_memory_layout_does_not_matter(n: int, f: Any) -> None:
    z = np.random.default_rng(n).normal(0, 3, (6, 5, n))
    z[2, 3, 1] = -inf
    expected = f(z, 0.7)
    repeated = np.repeat(z, 2, axis=-1)
    read_only = z.copy()
    read_only.flags.writeable = False
    layouts = [
        # First, because later results may reuse the memory of equal results. Its dtype equals float64, but is not it.
        pickle.loads(pickle.dumps(z)),
        np.asfortranarray(z),
        repeated[..., ::2],
        z[..., ::-1].copy()[..., ::-1],
        z.transpose(2, 0, 1).copy().transpose(1, 2, 0),
        read_only,
        z.tolist(),
        z.astype(">f8"),
    ]
    for layout in layouts:
        np.testing.assert_array_equal(f(layout, 0.7), expected)
    np.testing.assert_array_equal(f(z.swapaxes(0, 1), 0.7), expected.swapaxes(0, 1))
    np.testing.assert_array_equal(f(np.broadcast_to(z[0, 0], (3, n)), 0.7), [f(z[0, 0], 0.7)] * 3)


@each_case("n", [4, 40])
@each_case("dtype", [np.float64, np.float32])
@each_case("tau", [0, 1e-300, 0.7, inf, [0.5, 2]])
def test_the_input_is_never_modified(n: int, dtype: Any, tau: Any) -> None:
    for rows in [1, 3]:
        for order in ("C", "F"):
            z = np.asarray(np.random.default_rng(n).normal(0, 3, (rows, n)), dtype, order=order)
            before = z.copy()
            for f in [*KEEP, *REDUCE]:
                f(z, tau)[...]
                f(z[0], tau)
            tsoft.top(z)
            np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("n", [1, 4, 40])
def test_shapes_of_no_rows_and_one(rows: int, n: int) -> None:
    z = np.zeros((rows, 2, n), np.float32)
    for f in KEEP:
        assert f(z).shape == (rows, 2, n)
        assert f(z, [1, 2]).shape == (2, rows, 2, n)
        assert f(z).dtype == np.float32
        assert f(z, []).shape == (0, rows, 2, n)
    for f in REDUCE:
        assert f(z).shape == (rows, 2)
        assert f(z, [1, 2]).shape == (2, rows, 2)
    assert tsoft.top(z).shape == (rows, 2)


# Threads.


class ThreadRecord:
    """The number of threads that the core starts, so that a test knows that it tests threads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cores: int):
        self.started = 0

        class Counted(threading.Thread):
            def start(thread) -> None:  # noqa: N805  (`self` is the record.)
                self.started += 1
                super().start()

        monkeypatch.setattr(threads, "Thread", Counted)
        monkeypatch.setattr(threads, "available_cores", lambda: cores)


@pytest.mark.parametrize("shape", [(5, 70_001), (9, 72_000), (4000, 80), (80_000, 4)])
def test_threads_give_the_results_of_single_rows(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The test compares the rows at the edges of the span of each thread."""
    record = ThreadRecord(monkeypatch, cores=3)
    monkeypatch.setattr(threads, "MIN_PARALLEL_SIZE", 50_000)
    monkeypatch.setattr(softmax, "BLOCK_SIZE", 1 << 15)
    monkeypatch.setattr(sums, "SCRATCH_SIZE", 1 << 12)
    z = np.random.default_rng(0).standard_normal(shape, np.float32) * 5
    z[0, 1] = -inf
    rows, span = len(z), len(z) // 3
    indices = range(rows) if rows < 10 else [0, span - 1, span, 2 * span, 2 * span + 1, rows - 2, rows - 1]
    for f in [tsoft.softmax, tsoft.log_softmax, tsoft.entropy]:
        started = record.started
        result = f(z, 0.7)
        assert record.started == started + 2
        for i in indices:
            np.testing.assert_array_equal(result[i], f(z[i], 0.7))
        parts = [f(z[i : i + rows // 9 + 1], 0.7) for i in range(0, rows, rows // 9 + 1)]
        np.testing.assert_array_equal(result, np.concatenate(parts))


@pytest.mark.parametrize("n", [20, 50])
def test_threads_report_the_first_bad_row(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    record = ThreadRecord(monkeypatch, cores=4)
    monkeypatch.setattr(threads, "MIN_PARALLEL_SIZE", 1000)
    z = np.zeros((20_000, n))
    z[2500, 2] = inf
    z[3999] = -inf
    with pytest.raises(tsoft.LogitsError) as caught:
        tsoft.softmax(z)
    assert (caught.value.row, caught.value.column) == (2500, 2)
    z[1203, 3] = nan
    with pytest.raises(tsoft.LogitsError) as caught:
        tsoft.entropy(z, [1, 2])
    assert (caught.value.row, caught.value.column) == (1203, 3)
    assert record.started == 2 * 3


# Against scipy, where its arithmetic is accurate enough.


@pytest.mark.parametrize("n", [1, 3, 10, 100])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("tau", [0.3, 1.0, 7.0])
def test_scipy_agrees(n: int, dtype: Any, tau: float) -> None:
    special = pytest.importorskip("scipy.special")
    z = np.random.default_rng(n).normal(0, 2, (50, n)).astype(dtype)
    scaled = z.astype(float) / tau
    p = special.softmax(scaled, -1)
    close = {"rtol": 300 * np.finfo(dtype).eps}
    np.testing.assert_allclose(tsoft.softmax(z, tau), p, **close)
    # A log-sum-exp near 0 has only an absolute error. The other functions of scipy have one, too.
    close["atol"] = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(tsoft.log_softmax(z, tau), special.log_softmax(scaled, -1), **close)
    np.testing.assert_allclose(tsoft.entropy(z, tau), special.entr(p).sum(-1), **close)
    np.testing.assert_allclose(tsoft.log_sum_exp(z, tau), special.logsumexp(scaled, -1), **close)
