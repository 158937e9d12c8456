"""The axes that tsoft.plot draws onto: given and new ones, labels, legends, and errors."""

import builtins
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tsoft
from labeled import digits

pytest.importorskip("matplotlib")

import matplotlib
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

ROWS = digits("val")
WRONG: Any = [1, 2]
# A formula that matplotlib cannot parse, private labels, commands of TeX, and control characters.
HOSTILE = ["$\\frac{$", "_x", "\\alpha_1^2", "a\nb\0\x1b[31m", "\ud800", "x" * 90, "%#&~{}", ""]
Z = np.arange(8.0) / 4

Plot = Callable[[Any], Axes]
PLOTS: dict[str, Plot] = {
    "bars": lambda ax: tsoft.plot.bars(Z, labels=HOSTILE, ax=ax),
    "curves": lambda ax: tsoft.plot.curves(Z, labels=HOSTILE, ax=ax),
    "heatmap": lambda ax: tsoft.plot.heatmap(Z, labels=HOSTILE, ax=ax),
    "counts": lambda ax: tsoft.plot.counts(Z, np.arange(8), labels=HOSTILE, ax=ax),
    "measures": lambda ax: tsoft.plot.measures(Z, ["top_prob", "margin"], ax=ax),
    "solve": lambda ax: tsoft.plot.solve(Z, ax, entropy=1),
    "reliability": lambda ax: tsoft.plot.reliability(ROWS.logits, ROWS.targets, ax=ax, resamples=0),
    "nll": lambda ax: tsoft.plot.nll(ROWS.logits, ROWS.targets, ax=ax),
}
every_plot = pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
NAMED = ["bars", "curves", "heatmap", "counts"]


def test_every_function_is_tested() -> None:
    assert sorted(PLOTS) == sorted(tsoft.plot.__all__)


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


def test_without_axes_each_call_makes_a_figure(pyplot: Any) -> None:
    first = tsoft.plot.bars([2, 1])
    second = tsoft.plot.curves([2, 1])
    assert [pyplot.figure(number) for number in pyplot.get_fignums()] == [first.figure, second.figure]


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


@pytest.mark.parametrize("name", NAMED)
def test_labels_are_text_even_for_users_of_tex(name: str) -> None:
    with matplotlib.rc_context({"text.usetex": True}):
        axes: Any = PLOTS[name](Figure().subplots())
    shown = [
        text
        for text in axes.findobj(Text)
        if text.get_visible() and ("frac" in text.get_text() or "alpha" in text.get_text())
    ]
    assert len(shown) == 2
    assert not any(text.get_parse_math() or text.get_usetex() for text in shown)


@pytest.mark.parametrize(
    ("name", "layout"), [*((name, None) for name in NAMED), ("curves", "constrained"), ("bars", "constrained")]
)
def test_no_name_leaves_the_figure(name: str, layout: Any) -> None:
    figure: Any = Figure(layout=layout)
    ax = PLOTS[name](figure.subplots())
    figure.draw_without_rendering()
    legend = ax.get_legend()
    shown = [*(ax.get_yticklabels() if name != "curves" else ()), *ax.texts, *(legend.get_texts() if legend else ())]
    assert len(shown) >= len(Z)
    for text in shown:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()


@pytest.mark.parametrize(
    ("scale", "size", "layout"),
    [(0.2, (6.4, 4.8), None), (3.0, (6.4, 4.8), "constrained"), (1.0, (3.2, 2.4), None)],
)
def test_the_legend_of_a_reliability_diagram_covers_nothing(scale: float, size: Any, layout: Any) -> None:
    figure: Any = Figure(size, layout=layout)
    ax: Any = tsoft.plot.reliability(ROWS.logits * scale, ROWS.targets, ax=figure.subplots(), resamples=0)
    figure.draw_without_rendering()
    box = ax.get_legend().get_window_extent()
    assert ax.transData.inverted().transform((box.x0, box.y0))[1] >= 1
    assert ax.bbox.x0 <= box.x0 <= box.x1 <= ax.bbox.x1
    assert box.y1 <= ax.bbox.y1 + 1


def test_axes_too_small_for_a_legend_have_none() -> None:
    ax: Any = Figure((1, 1)).subplots()
    assert tsoft.plot.reliability(ROWS.logits, ROWS.targets, ax=ax, resamples=0).get_legend() is None


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
        (lambda ax: tsoft.plot.heatmap([2, 1], 0, ax=ax), "taus must be one or more finite numbers above 0"),
        (lambda ax: tsoft.plot.counts([2, 1], [1, 2, 3], ax=ax), r"each of the 2 classes, got shape \(3,\)"),
        (lambda ax: tsoft.plot.counts([2, 1], [1, -2], ax=ax), "counts must be whole numbers from 0"),
        (lambda ax: tsoft.plot.counts([2, 1], [1, 0.5], ax=ax), "counts must be whole numbers from 0"),
        (lambda ax: tsoft.plot.counts([2, 1], [1, np.nan], ax=ax), "counts must be whole numbers from 0"),
        (lambda ax: tsoft.plot.counts([2, 1], [0, 0], ax=ax), "must sum to at least 1 and at most"),
        (lambda ax: tsoft.plot.counts([2, 1], [1 << 62, 1 << 62], ax=ax), r"at most 2\*\*62, got 9.22337e\+18"),
        (
            lambda ax: tsoft.plot.measures([2, 1], "size", ax=ax),
            "entropy, perplexity, top_prob, margin, varentropy, got 'size'",
        ),
        (lambda ax: tsoft.plot.measures([2, 1], [], ax=ax), "one or more of entropy"),
        (lambda ax: tsoft.plot.measures([2, 1], ["entropy", "margin"], ax=ax), "have different units"),
        (lambda ax: tsoft.plot.solve([2, 1], ax), "exactly one"),
        (lambda ax: tsoft.plot.solve([2, 1], ax, entropy=-1), "entropy"),
        (lambda ax: tsoft.plot.reliability([[2, 1]], [2], ax=ax), "targets must be from 0 to 1, got 2"),
        (lambda ax: tsoft.plot.nll([[0.5, 0.5]], [0], ax=ax), "probabilities"),
    ],
)
def test_wrong_arguments_are_errors_that_leave_the_axes_empty(call: Any, problem: str, axes: Any) -> None:
    before = axes.get_children()
    with pytest.raises(ValueError, match=problem):
        call(axes)
    assert axes.get_children() == before


def test_something_else_than_axes_is_an_error(pyplot: Any) -> None:
    several: Any = pyplot.subplots(2, 2)[1]
    with pytest.raises(TypeError, match=r"got ndarray; pass one of them, such as axes\["):
        tsoft.plot.bars([2, 1], ax=several)
    polar = pyplot.figure().add_subplot(projection="polar")
    with pytest.raises(ValueError, match="its projection is polar"):
        tsoft.plot.curves([2, 1], ax=polar)


@every_plot
def test_an_error_while_drawing_leaves_nothing(plot: Plot, pyplot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ax = pyplot.subplots()
    children = set(ax.get_children())
    # Every function sets the limits of an axis when most is drawn.
    monkeypatch.setattr(Axes, "set_xlabel", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        plot(ax)
    assert set(ax.get_children()) == children
    assert ax.figure.axes == [ax]
    with pytest.raises(RuntimeError, match="a fault"):
        plot(None)
    assert [pyplot.figure(number) for number in pyplot.get_fignums()] == [ax.figure]


def fail(*_: Any, **__: Any) -> None:
    raise RuntimeError("a fault")


@every_plot
def test_without_matplotlib_the_error_names_the_extra(plot: Plot, monkeypatch: pytest.MonkeyPatch, axes: Any) -> None:
    real = builtins.__import__

    def without_matplotlib(name: str, *arguments: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r"pip install 'tsoft\[figures\]'"):
        plot(axes)
