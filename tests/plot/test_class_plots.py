"""The plots of classes: what is drawn is compared with scipy."""

from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats

import tsoft

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure
from matplotlib.text import Annotation

Z = np.array([2.0, 1.0, 0.5, -np.inf, 0.1])
NAMES = ["cat", "$dog$", "owl", "a rather long name of a masked class", "^_\\"]
MANY = np.random.default_rng(0).normal(size=24)
TAUS = [0.5, 1.0, 2.0]


@pytest.fixture
def axes() -> Any:
    return Figure(layout="constrained").subplots()


def probs(z: Any, tau: Any) -> Any:
    return scipy.special.softmax(np.asarray(z) / np.expand_dims(tau, -1), axis=-1)


def names(axes: Any) -> list[str]:
    return [name.get_text().replace("\n", " ") for name in axes.get_yticklabels()]


def test_bars_are_the_probabilities(axes: Any) -> None:
    assert tsoft.plot.bars(Z, 0.7, NAMES, axes) == axes
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], probs(Z, 0.7), rtol=1e-14)
    assert names(axes) == NAMES
    assert axes.get_title() == "τ = 0.7"


def test_the_classes_beyond_the_first_20_share_a_bar(axes: Any) -> None:
    tsoft.plot.bars(MANY, ax=axes)
    expected = np.sort(probs(MANY, 1))[::-1]
    drawn = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(drawn, [*expected[:20], expected[20:].sum()], rtol=1e-12)
    assert names(axes)[::20] == [f"#{MANY.argmax()}", "… 4 more"]


def test_curves_are_the_probabilities(axes: Any) -> None:
    assert tsoft.plot.curves(Z, [2, 0.5, 1], NAMES, axes) == axes
    for i, curve in enumerate(axes.lines[: len(Z)]):
        assert curve.get_xdata().tolist() == TAUS
        np.testing.assert_allclose(curve.get_ydata(), probs(Z, TAUS)[:, i], rtol=1e-14)
    written = [text.get_text() for text in axes.texts if isinstance(text, Annotation)]
    assert written[:3] == NAMES[:3]


def test_curves_of_many_classes_have_a_rest_and_default_temperatures(axes: Any) -> None:
    tsoft.plot.curves(np.arange(12.0), ax=axes)
    curves = axes.lines[:9]
    taus = curves[0].get_xdata()
    assert (len(taus), taus[0], taus[-1]) == (101, 0.1, 10)
    np.testing.assert_allclose(sum(curve.get_ydata() for curve in curves), 1, rtol=1e-12)


def test_a_heatmap_has_the_probabilities_around_their_temperatures(axes: Any) -> None:
    assert tsoft.plot.heatmap(Z, [2, 0.5, 1], NAMES, axes) == axes
    [mesh] = axes.collections
    np.testing.assert_allclose(mesh.get_array(), probs(Z, TAUS).T, rtol=1e-14)
    edges = mesh.get_coordinates()[0, :, 0]
    assert all(low <= tau <= high for low, tau, high in zip(edges, TAUS, edges[1:], strict=False))
    assert names(axes) == NAMES
    [bar] = [other for other in axes.figure.axes if other is not axes]
    assert (bar.get_ylabel(), *bar.get_ylim()) == ("probability", 0, 1)


def test_a_heatmap_of_one_temperature_has_a_column_around_it(axes: Any) -> None:
    tsoft.plot.heatmap(Z, 0.7, ax=axes)
    [mesh] = axes.collections
    np.testing.assert_allclose(mesh.get_array()[:, 0], probs(Z, 0.7), rtol=1e-14)
    low, high = mesh.get_coordinates()[0, :, 0]
    assert axes.get_xlim()[0] <= low < 0.7 < high <= axes.get_xlim()[1]
    assert high / low > 1.5


def test_a_heatmap_of_many_classes_has_a_row_for_the_rest(axes: Any) -> None:
    tsoft.plot.heatmap(MANY, TAUS, ax=axes)
    rows = axes.collections[0].get_array()
    assert rows.shape == (21, 3)
    np.testing.assert_allclose(rows.sum(0), 1, rtol=1e-12)
    assert names(axes)[-1] == "… 4 more"


def test_counts_are_beside_the_expected_ones(axes: Any) -> None:
    z, counts = np.delete(Z, 3), [60, 26, 14, 9]
    assert tsoft.plot.counts(z, counts, 1.5, ["a", "b", "$c$", "d"], axes) == axes
    assert [bar.get_width() for bar in axes.patches] == counts
    share = probs(z, 1.5)
    points, *_ = axes.lines
    np.testing.assert_allclose(points.get_xdata(), 109 * share, rtol=1e-12)
    for (low, high), p in zip(axes.collections[0].get_segments(), share, strict=True):
        deviation = scipy.stats.binom(109, p).std()
        assert [low[0], high[0]] == pytest.approx([109 * p - 2 * deviation, 109 * p + 2 * deviation])
    p_value = scipy.stats.chisquare(counts, 109 * share).pvalue
    assert axes.get_title() == f"τ = 1.5, 109 draws\np-value {p_value:.4f}"


@pytest.mark.parametrize(("counts", "p_value"), [([3, 1], "0"), ([4, 0], "–")])
def test_draws_of_an_impossible_class_have_the_p_value_0(counts: list[int], p_value: str, axes: Any) -> None:
    tsoft.plot.counts([1, -np.inf], counts, ax=axes)
    assert axes.get_title().splitlines()[1] == f"p-value {p_value}"
