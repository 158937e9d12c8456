"""Charts of an example distribution, and the charts that are stored as snapshots."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyte

import tsoft
from tsoft.charts.bars import grouped_bars
from tsoft.charts.curves import curve_chart
from tsoft.charts.heatmap import heatmap
from tsoft.charts.style import tau_colors
from tsoft.charts.view import Screen

CLASSES = ["positive", "neutral", "negative", "other"]
LOGITS = [2, 1, 0.5, 0.1]
SERIES = ["τ = 0.5", "τ = 1", "τ = 2"]
TAUS = np.geomspace(0.1, 10, 25)
PROBS = tsoft.softmax(LOGITS, TAUS)
UNUSUAL_NAMES = ["日本語のとても長い名前", "", "x" * 60, "[red]\\x1b[31m\\n", "né́", "한국어", "…", " ", "rest"]


def plain(text: str) -> list[str]:
    """Return the lines of a text without colors."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


def on_screen(text: str, width: int) -> pyte.Screen:
    """Return a terminal of this width with the text on it. A line that is too long wraps to the next."""
    screen = pyte.Screen(width, text.count("\n") + 1)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    return screen


def bar_example(width: int, color: bool = False) -> str:
    probs = tsoft.softmax(LOGITS, [0.5, 1, 2])
    return grouped_bars(CLASSES, SERIES, probs, width=width, colors=tau_colors(range(3)) if color else None)


def curve_text(
    values: Any,
    taus: Any = None,
    *,
    names: list[str] | None = None,
    width: int = 80,
    color: bool = False,
    **options: Any,
) -> str:
    """Return the chart of the values' curves, by default with short names and a log axis."""
    values = np.asarray(values, float)
    taus = np.geomspace(0.1, 10, len(values)) if taus is None else np.asarray(taus, float)
    names = names or [f"n{i}" for i in range(values.shape[1])]
    options = {"height": 17, "log": True, **options}
    return str(curve_chart(names, taus, values, Screen(width, color), **options))


def curve_example(width: int, color: bool = False) -> str:
    title = "probability over τ"
    return curve_text(PROBS, TAUS, names=CLASSES, width=width, height=18, color=color, title=title, limits=(0, 1))


def heatmap_example(width: int, color: bool = False) -> str:
    return heatmap(CLASSES, TAUS, PROBS, width=width, color=color, log=True)


def _entropy() -> str:
    return curve_text(tsoft.entropy(LOGITS, TAUS)[:, None], height=8, names=["entropy"], title="in nats")


def _log_sum_exp() -> str:
    taus = np.linspace(0, 5, 26)
    return curve_text(tsoft.log_sum_exp([-8, -9], taus)[:, None], taus, height=10, log=False)


def _nine() -> str:
    logits = np.sort(np.random.default_rng(1).normal(0, 2, 9))[::-1]
    return curve_text(tsoft.softmax(logits, TAUS), names=UNUSUAL_NAMES, height=8)


def _fine(width: int) -> str:
    return "".join(line + "\n" for line in plain(curve_example(width, color=True)))


# Snapshots at two widths show two layouts.
PICTURES: dict[str, Callable[[], str]] = {
    "chart-40": lambda: bar_example(40),
    "chart-80": lambda: bar_example(80),
    "curves-letters-40": lambda: curve_example(40),
    "curves-letters-80": lambda: curve_example(80),
    "curves-fine-40": lambda: _fine(40),
    "curves-fine-80": lambda: _fine(80),
    "heatmap-cells-40": lambda: heatmap_example(40),
    "heatmap-cells-80": lambda: heatmap_example(80),
    "curves-entropy-80": _entropy,
    "curves-log-sum-exp-80": _log_sum_exp,
    "curves-nine-80": _nine,
    "curves-two-80": lambda: curve_text(tsoft.softmax(LOGITS, [0.5, 2]), [0.5, 2], height=12),
    "curves-constant-80": lambda: curve_text(np.full((9, 3), 0.25), height=8),
}
