"""The public functions of the core: types, shapes, errors, lazy imports, and the examples in the docstrings."""

import warnings
from math import inf, nan
from typing import Any

import numpy as np
import pytest

import tsoft
from cases import each_case
from tsoft.core import measures
from tsoft.sampling.sampler_table import SAMPLERS

KEEP = [tsoft.softmax, tsoft.log_softmax]
REDUCE = [tsoft.log_sum_exp, tsoft.entropy, tsoft.perplexity, tsoft.top_prob, tsoft.margin, tsoft.varentropy]
ALL = [*KEEP, *REDUCE]


def test_public_names() -> None:
    assert set(tsoft.__all__) <= set(dir(tsoft))
    samplers = {sampler.function.__name__ for sampler in SAMPLERS.values()}
    assert {f.__name__ for f in ALL} | {"LogitsError", "top"} | samplers <= set(tsoft.__all__)
    for name in tsoft.__all__:
        assert getattr(tsoft, name).__name__.removeprefix("tsoft.") == name
    with pytest.raises(AttributeError, match="no attribute 'sofmax'"):
        tsoft.sofmax  # noqa: B018
    names: dict[str, Any] = {}
    exec("from tsoft import *", names)
    assert (names["softmax"], names["margin"]) == (tsoft.softmax, tsoft.margin)


DTYPES = {
    "f4": "f4",
    "f2": "f4",
    ">f4": "f4",
    ">f2": "f4",
    "f8": "f8",
    ">f8": "f8",
    "g": "f8",
    "?": "f8",
    "i1": "f8",
    ">i4": "f8",
    "u8": "f8",
}


@each_case("n", [3, 40])
@each_case("f", ALL)
def test_dtypes(f: Any, n: int) -> None:
    z = np.arange(2 * n).reshape(2, n) % 2
    for tau in [0, 5e-324, 1, [0.5, 1e300], inf]:
        exact = f(z.astype("f8"), tau)
        for dtype, expected in DTYPES.items():
            result = f(z.astype(dtype), tau)
            assert result.dtype == np.dtype(expected), dtype
            assert result.dtype.isnative, dtype
            np.testing.assert_allclose(result, exact, rtol=1e-6, atol=1e-44, err_msg=dtype)
    for dtype, expected in DTYPES.items():
        assert f(z[0].astype(dtype)).dtype == np.dtype(expected), dtype


def test_lists_are_float64() -> None:
    lists: list[Any] = [[1, 2, 3], [1.0, 2.0, 3.0], (1, 2, 3), [True, False], range(3)]
    for z in lists:
        for f in ALL:
            assert f(z).dtype == np.float64
    assert isinstance(tsoft.entropy([1, 2]), np.float64)
    assert tsoft.top([1, 3, 3]) == 1
    assert tsoft.top(np.array([[0, 3], [-inf, -5]])).tolist() == [1, 1]


@pytest.mark.parametrize("z", [[1j, 2], ["1", "2"], [b"1"], [None, 1.0], [10**400, 1], [np.datetime64("2020")]])
def test_logits_that_are_not_real_numbers_are_a_type_error(z: Any) -> None:
    for f in [*ALL, tsoft.top]:
        with pytest.raises(TypeError, match="logits must be real numbers, got an array of "):
            f(z)


@each_case("f", [*ALL, tsoft.top])
def test_shapes_without_classes(f: Any) -> None:
    with pytest.raises(ValueError, match="got a single number"):
        f(3.0)
    for shape in [(0,), (3, 0), (0, 0)]:
        with pytest.raises(ValueError, match="at least one class"):
            f(np.zeros(shape))


def test_numbers_of_python_beyond_64_bits_and_indices_of_arrays_are_arguments() -> None:
    # 2^70 states of energy 1, and one state of energy 0, at T = 1.
    assert tsoft.thermodynamics([0.0, 1.0], 1.0, [1, 2**70]).entropy == pytest.approx(70 * np.log(2), rel=1e-9)
    assert tsoft.solve([2.0, 1.0], prob=0.5, index=np.array(0)).taus[0] == np.inf  # type: ignore[arg-type]


def test_rows_of_different_lengths_are_an_error() -> None:
    for z in ([[1, 2], [3]], [[[1], [2]], [[3]]]):
        with pytest.raises(ValueError, match="the rows have different lengths; pad the shorter ones with -inf"):
            tsoft.softmax(z)


@each_case("f", ALL)
@each_case("tau", [-1, -5e-324, nan, -inf, [1, -1], [nan], [[1, 2]], [[1]]])
def test_invalid_tau_is_an_error(f: Any, tau: Any) -> None:
    with pytest.raises(ValueError, match="tau must be") as caught:
        f([1, 2], tau)
    assert not isinstance(caught.value, tsoft.LogitsError)


def test_tau_in_any_form() -> None:
    for f in ALL:
        expected = f([1, 2, 4], 2.0)
        for tau in [2, np.float32(2), np.int8(2), np.array(2), np.array([2])[0]]:
            np.testing.assert_array_equal(f([1, 2, 4], tau), expected)
        lists: list[Any] = [[2], (2,), np.array([2]), np.array([2], ">f4")]
        for taus in lists:
            np.testing.assert_array_equal(f([1, 2, 4], taus), expected[None])
        np.testing.assert_array_equal(f([1, 2, 4], -0.0), f([1, 2, 4], 0))


@pytest.mark.parametrize("f", ALL)
@pytest.mark.parametrize("n", [3, 50])
@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (nan, "NaN is not a logit; write -inf to mask a class"),
        (inf, "+inf is not a logit; logits are finite, or -inf for a masked class"),
        (-inf, "every class is masked (-inf); at least one needs a finite logit"),
    ],
)
def test_a_row_without_a_softmax_is_an_error(
    f: Any, n: int, bad: float, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bad row is one of many, in the first block, a later one or the last. Two leading axes count as one."""
    # Two blocks of one thread, and several blocks of each of two threads.
    monkeypatch.setattr("tsoft.core.threads.MIN_PARALLEL_SIZE", 1 << 13)
    monkeypatch.setattr("tsoft.core.softmax.BLOCK_SIZE", 1 << 14)
    for dtype, row in ((np.float64, 0), (np.float32, 1), (np.float64, 330), (np.float32, -1)):
        z = np.zeros((1400 if n == 3 else 340, n), dtype)
        z[3, 1] = -inf  # a mask is not an error
        row %= len(z)
        column = None if bad == -inf else 2
        z[row, slice(None) if column is None else column] = bad
        for tau in [0, 0.7, inf]:
            with pytest.raises(tsoft.LogitsError) as caught:
                f(z.reshape(2, -1, n), tau)
            error = caught.value
            assert (error.problem, error.row, error.column) == (problem, row, column), dtype
            where = f"row {row}" if column is None else f"row {row}, class 2"
            assert str(error) == f"{where}: {problem}"
            assert isinstance(error, ValueError)
            assert type(error.row) is int


def test_the_first_of_several_bad_values_is_reported() -> None:
    """In the first bad row, NaN is reported before +inf."""
    z = np.array([[0, 1, 2], [inf, nan, nan], [nan, 0, 0]])
    with pytest.raises(tsoft.LogitsError, match=r"^row 1, class 1: NaN is not a logit; write -inf to mask a class$"):
        tsoft.softmax(z)
    with pytest.raises(
        tsoft.LogitsError,
        match=r"^row 0, class 1: \+inf is not a logit; logits are finite, or -inf for a masked class$",
    ):
        tsoft.softmax([-inf, inf, inf])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_extreme_logits_cause_no_warning(dtype: Any) -> None:
    last = np.finfo(dtype).max
    z = np.array([[last, -last, 0], [-inf, 1, 2], [0, 0, np.finfo(dtype).smallest_subnormal]], dtype)
    # A user may have asked numpy to raise errors, even if a probability underflows.
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for f in ALL:
            for tau in [0, 5e-324, 1e-40, 1, 1e38, 3.5e38, 1.7e308, inf]:
                f(z, tau)
                f(np.repeat(z, 20, axis=1), tau)
                f(z[:, :1][:1], tau)


def test_the_most_probable_of_tied_classes_has_the_highest_original_logit() -> None:
    logits, z = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 0.0]]), np.array([[1.0, 3.0, 5.0], [2.0, 2.0, 1.0]])
    assert measures.most_probable(logits, z).tolist() == [1, 0]
