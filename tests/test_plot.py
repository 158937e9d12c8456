"""tsoft.plot: what is drawn is compared with what the functions and the command compute."""

import builtins
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tsoft
from labeled import DATA, digits
from tool import here

pytest.importorskip("matplotlib")

import matplotlib
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.text import Annotation

ROWS = digits("val")
Z = np.array([2.0, 1.0, 0.5, -np.inf, 0.1])
WRONG: Any = [1, 2]
NAMES = ["cat", "$dog$", "owl", "a rather long name of a masked class", "^_\\"]


@pytest.fixture
def axes() -> Any:
    return Figure().subplots()


@pytest.fixture
def pyplot() -> Iterator[Any]:
    """Yield pyplot without a window."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def extents(bars: Any) -> list[float]:
    return [bar.get_width() for bar in bars]


def names(axes: Any) -> list[str]:
    return [name.get_text() for name in axes.get_yticklabels()]


def test_bars_are_the_probabilities(axes: Any) -> None:
    assert tsoft.plot.bars(Z, 0.7, NAMES, axes) == axes
    np.testing.assert_array_equal(extents(axes.patches), tsoft.softmax(Z, 0.7))
    assert [name.replace("\n", " ") for name in names(axes)] == NAMES
    assert axes.get_title() == "τ = 0.7"
    # A label is not a formula.
    axes.figure.draw_without_rendering()
    assert not any(name.get_parse_math() for name in axes.get_yticklabels())


def test_the_classes_beyond_the_first_20_share_a_bar(axes: Any) -> None:
    z = np.random.default_rng(0).normal(size=24)
    tsoft.plot.bars(z, ax=axes)
    probs = np.sort(tsoft.softmax(z))[::-1]
    np.testing.assert_allclose(extents(axes.patches), [*probs[:20], probs[20:].sum()], rtol=1e-12)
    assert names(axes)[::20] == [f"#{z.argmax()}", "… 4 more"]


def test_curves_are_the_probabilities(axes: Any) -> None:
    assert tsoft.plot.curves(Z, [2, 0.5, 1], NAMES, axes) == axes
    curves = axes.lines[: len(Z)]
    for i, curve in enumerate(curves):
        assert curve.get_xdata().tolist() == [0.5, 1, 2]
        np.testing.assert_array_equal(curve.get_ydata(), tsoft.softmax(Z, [0.5, 1, 2])[:, i])
    written = [text.get_text() for text in axes.texts if isinstance(text, Annotation)]
    assert written[:3] == NAMES[:3]
    other: Any = Figure().subplots()
    tsoft.plot.curves(np.arange(12.0), ax=other)
    assert len(other.lines[0].get_xdata()) == 101
    total = sum(line.get_ydata() for line in other.lines[:9])
    np.testing.assert_allclose(total, 1, rtol=1e-12)


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


def test_without_axes_the_current_ones_are_used(pyplot: Any) -> None:
    _, (first, second) = pyplot.subplots(1, 2)
    pyplot.sca(first)
    assert tsoft.plot.bars([2, 1]) is first
    assert not second.patches
    pyplot.sca(second)
    assert tsoft.plot.curves([2, 1]) is second


def test_colors_and_settings_are_those_of_matplotlib(axes: Any) -> None:
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"axes.prop_cycle": cycler(color=["#123456", "#654321"])}):
        tsoft.plot.bars([2, 1], ax=axes)
    assert matplotlib.colors.to_hex(axes.patches[0].get_facecolor()) == "#123456"
    assert dict(matplotlib.rcParams) == before


def test_axes_need_no_grid() -> None:
    figure: Any = Figure()
    tsoft.plot.curves([2, 1, 0.5], ax=figure.add_axes((0.6, 0.2, 0.3, 0.6)))
    tsoft.plot.bars([2, 1, 0.5], ax=figure.subfigures(1, 2)[0].subplots())
    figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda ax: tsoft.plot.bars([[2, 1]], ax=ax), r"one row of shape \(n,\), got shape \(1, 2\)"),
        (lambda ax: tsoft.plot.bars([2, 1], labels=["a"], ax=ax), "each of the 2 classes, got 1"),
        (lambda ax: tsoft.plot.bars([2, 1], WRONG, ax=ax), r"tau must be a single number, got shape \(2,\)"),
        (lambda ax: tsoft.plot.bars([2, np.nan], ax=ax), "class 1: NaN"),
        (lambda ax: tsoft.plot.curves([2, 1], [0, 1], ax=ax), "taus must be one or more finite numbers above 0"),
        (lambda ax: tsoft.plot.curves([2, 1], [1, np.inf], ax=ax), "taus must be one or more finite numbers above 0"),
        (lambda ax: tsoft.plot.curves([2, 1], [], ax=ax), "taus must be one or more finite numbers above 0"),
        (lambda ax: tsoft.plot.reliability([[2, 1]], [2], ax=ax), "targets must be from 0 to 1, got 2"),
        (lambda ax: tsoft.plot.nll([[0.5, 0.5]], [0], ax=ax), "probabilities"),
    ],
)
def test_wrong_arguments_are_errors_that_leave_the_axes_empty(call: Any, problem: str, axes: Any) -> None:
    with pytest.raises(ValueError, match=problem):
        call(axes)
    assert not axes.patches
    assert not axes.lines


def test_without_matplotlib_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, axes: Any) -> None:
    real = builtins.__import__

    def without_matplotlib(name: str, *arguments: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    calls: list[tuple[Any, tuple[Any, ...]]] = [
        (tsoft.plot.bars, ([2, 1],)),
        (tsoft.plot.curves, ([2, 1],)),
        (tsoft.plot.nll, (ROWS.logits, ROWS.targets)),
        (tsoft.plot.reliability, (ROWS.logits, ROWS.targets)),
    ]
    for function, arguments in calls:
        with pytest.raises(ImportError, match=r"pip install 'tsoft\[figures\]'"):
            function(*arguments, ax=axes)
