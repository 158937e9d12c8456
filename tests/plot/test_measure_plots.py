"""The plots of measures: the curves and the solutions are compared with scipy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats

import tsoft

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

Z = np.array([2.0, 1.0, 0.0, -3.0])


def probs(tau: float) -> Any:
    return scipy.special.softmax(Z / tau)


MEASURES: dict[str, Callable[[float], float]] = {
    "entropy": lambda tau: scipy.stats.entropy(probs(tau)),
    "perplexity": lambda tau: np.exp(scipy.stats.entropy(probs(tau))),
    "top_prob": lambda tau: probs(tau).max(),
    "margin": lambda tau: np.diff(np.sort(probs(tau)))[-1],
    "varentropy": lambda tau: float(np.cov(np.log(probs(tau)), aweights=probs(tau), ddof=0)),
}
QUANTITIES = {
    "entropy": "entropy (nats)",
    "perplexity": "perplexity (classes)",
    "top_prob": "top-prob",
    "margin": "margin",
    "varentropy": "varentropy (nats²)",
}


@pytest.fixture
def axes() -> Any:
    return Figure(layout="constrained").subplots()


@pytest.mark.parametrize("name", MEASURES)
def test_measures_are_those_of_scipy(name: str, axes: Any) -> None:
    assert tsoft.plot.measures(Z, name, [3, 0.4], axes) == axes
    taus, values = axes.lines[0].get_data()
    assert taus.tolist() == [0.4, 3]
    assert values.tolist() == pytest.approx([MEASURES[name](0.4), MEASURES[name](3)], rel=1e-12)
    assert axes.get_ylabel() == QUANTITIES[name]


def test_probabilities_share_axes(axes: Any) -> None:
    tsoft.plot.measures(Z, ["margin", "top_prob"], ax=axes)
    drawn = {line.get_label(): line.get_ydata()[50] for line in axes.lines[:2]}
    assert drawn == pytest.approx({"margin": MEASURES["margin"](1), "top-prob": MEASURES["top_prob"](1)})
    assert axes.get_ylabel() == "probability"


@pytest.mark.parametrize(
    ("name", "target"), [("entropy", 0.7), ("perplexity", 2.5), ("top_prob", 0.8), ("margin", 0.2)]
)
def test_a_solution_is_where_scipy_finds_it(name: str, target: float, axes: Any) -> None:
    targets: Any = {name: target}
    assert tsoft.plot.solve(Z, axes, **targets) == axes
    root = scipy.optimize.brentq(lambda tau: MEASURES[name](tau) - target, 0.05, 50, xtol=1e-12)
    curve, *others = axes.lines
    [dot] = [line for line in others if line.get_marker() == "o"]
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == pytest.approx((root, target), rel=1e-9)
    taus, values = curve.get_data()
    assert values[::40].tolist() == pytest.approx([MEASURES[name](tau) for tau in taus[::40]], rel=1e-9, abs=1e-12)
    assert any(set(line.get_ydata()) == {target} for line in others)
    assert axes.get_title() == f"{name.replace('_', '-')} = {target:g} at τ = {root:.4g}"


def test_the_probability_of_a_class_may_have_two_solutions(axes: Any) -> None:
    tsoft.plot.solve(Z, axes, prob=0.27, index=1)
    dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert [probs(tau)[1] for tau in dots] == pytest.approx([0.27, 0.27])
    assert axes.get_title() == "probability of class 1 = 0.27 at τ = 1.262 and τ = 11.01"


def test_a_target_without_a_solution_has_the_reason_in_the_title(axes: Any) -> None:
    title = tsoft.plot.solve([2, 2, 0], axes, top_prob=0.9).get_title()
    [target] = [line for line in axes.lines if set(line.get_ydata()) == {0.9}]
    assert axes.get_ylim()[0] < target.get_ydata()[0] < axes.get_ylim()[1]
    assert title.splitlines()[0] == "top-prob = 0.9 at no τ"
    assert "2 classes are tied at the top" in title.replace("\n", " ")
