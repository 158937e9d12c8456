"""The plots of a calibration: what is drawn is compared with numpy, with the functions and with the command."""

import json
from typing import Any

import numpy as np
import pytest
import scipy.special

import tsoft
from labeled import DATA, digits
from tool import here

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

ROWS = digits("val")


@pytest.fixture
def axes() -> Any:
    return Figure().subplots()


def test_the_reliability_diagram_is_that_of_the_command(axes: Any) -> None:
    done = here("calibrate", "-i", str(DATA / "digits-val.npz"), "--bins", "9", "-f", "json", "--resamples", "0")
    [record] = json.loads(done.stdout)
    assert tsoft.plot.reliability(ROWS.logits, ROWS.targets, record["tau"], axes, bins=9, resamples=0) == axes
    bins = [b for b in record["reports"][1]["bins"] if b["rows"]]
    bars = {container.get_label(): container.patches for container in axes.containers}
    assert [bar.get_height() for bar in bars["accuracy"]] == pytest.approx([b["accuracy"] for b in bins])
    for name, sign in (("overconfident", 1), ("underconfident", -1)):
        expected = [(b["low"], b["accuracy"], b["confidence"]) for b in bins]
        expected = [gap for gap in expected if sign * (gap[2] - gap[1]) > 0]
        drawn = [(bar.get_x(), bar.get_y(), bar.get_y() + bar.get_height()) for bar in bars[name]]
        np.testing.assert_allclose(drawn, expected, atol=1e-12)
    [intervals] = axes.collections
    for segment, b in zip(intervals.get_segments(), bins, strict=True):
        assert segment[:, 0].tolist() == pytest.approx([b["confidence"]] * 2)
        assert segment[0, 1] <= b["accuracy"] <= segment[1, 1]
    assert "chance" not in axes.get_title()


def test_the_counts_below_are_the_rows_per_bin(axes: Any) -> None:
    tsoft.plot.reliability(ROWS.logits, ROWS.targets, 2, axes, bins=9, resamples=0)
    [below] = axes.child_axes
    confidence = scipy.special.softmax(ROWS.logits / 2, axis=1).max(1)
    expected, edges = np.histogram(confidence, np.linspace(0, 1, 10))
    assert [bar.get_height() for bar in below.patches] == expected.tolist()
    np.testing.assert_allclose([bar.get_x() for bar in below.patches], edges[:-1], atol=1e-12)
    assert [tick.get_text() for tick in below.get_yticklabels()] == [str(expected.max())]
    # Their horizontal axis is that of the diagram, and they are below its bars.
    axes.figure.draw_without_rendering()
    assert [below.bbox.x0, below.bbox.x1] == pytest.approx(axes.transData.transform([(0, 0), (1, 0)])[:, 0])
    assert axes.bbox.y0 <= below.bbox.y0 < below.bbox.y1 <= axes.transData.transform((0, 0))[1]
    assert "rows per bin" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_ece_by_chance_is_in_the_title(axes: Any) -> None:
    title = tsoft.plot.reliability(ROWS.logits, ROWS.targets, ax=axes, resamples=30, rng=3).get_title()
    report = tsoft.reliability(ROWS.logits, ROWS.targets, resamples=30, rng=3)
    assert title.splitlines() == [
        f"τ = 1: NLL {report.nll:.3g}",
        f"ECE {report.ece:.3f}, by chance {report.equal_width.chance.mean:.3f}",
    ]


def test_the_nll_has_its_minimum_at_the_fit(axes: Any) -> None:
    assert tsoft.plot.nll(ROWS.logits, ROWS.targets, axes) == axes
    fit = tsoft.fit_temperature(ROWS.logits, ROWS.targets)
    curve, dot = axes.lines[:2]
    taus, values = curve.get_data()
    assert taus[values.argmin()] == fit.tau == dot.get_xdata()[0]
    for i in (0, 20, values.argmin(), -1):
        expected = tsoft.reliability(ROWS.logits, ROWS.targets, taus[i], resamples=0).nll
        assert values[i] == pytest.approx(expected, rel=1e-12)
    [band] = axes.patches
    assert [band.get_x(), band.get_x() + band.get_width()] == pytest.approx([fit.tau_low, fit.tau_high])
    assert [line for line in axes.lines if list(line.get_xdata()) == [1, 1]]


@pytest.mark.parametrize(("scale", "drawn"), [(20.0, True), (0.04, True), (1e-5, False)])
def test_the_nll_shows_tau_1_unless_the_fit_is_far_from_it(scale: float, drawn: bool, axes: Any) -> None:
    tsoft.plot.nll(ROWS.logits * scale, ROWS.targets, axes)
    low, high = axes.get_xlim()
    assert (low < 1 < high) == drawn


def test_the_nll_of_a_perfect_classifier_has_no_minimum(axes: Any) -> None:
    z = np.random.default_rng(0).normal(size=(50, 3))
    tsoft.plot.nll(z, z.argmax(1), axes)
    assert axes.get_title() == "fitted τ = 0"
    assert axes.get_legend() is None
    assert not axes.patches
