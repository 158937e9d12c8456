"""Figures of distributions: bars, curves over τ, and heat maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from sys import float_info
from typing import Any

import numpy as np

from tsoft.core.softmax import Array
from tsoft.errors import visible
from tsoft.figures.axes import TauScale, name_places, set_quantity, set_tau_axis
from tsoft.figures.curve_names import name_curves
from tsoft.figures.figure_theme import Theme
from tsoft.figures.text_lines import quantity_lines, title_lines

# The column of a heat map with a single temperature extends to this factor of it.
_WIDE = 1.5


@dataclass(frozen=True, eq=False)
class Bars:
    """The bars of a chart: the names of the classes, and the lower and the upper bounds of their probabilities, (n,)
    each, which are equal where a probability is known."""

    names: Sequence[str]
    low: Array
    high: Array
    title: str = ""


def draw_bars(axes: Any, bars: Bars, theme: Theme) -> None:
    """Draw a horizontal bar for each class, the first one at the top. The hatched end of a bar is the range of a
    probability that is not known exactly. A class without a probability has no bar."""
    places = np.arange(len(bars.names))
    axes.barh(places, bars.low, height=0.72, color=theme.color(0))
    if (bars.high > bars.low).any():
        style = {"facecolor": "none", "edgecolor": theme.color(0), "hatch": "////", "linewidth": 0.6}
        axes.barh(places, bars.high - bars.low, height=0.72, left=bars.low, **style)
    size = name_places(axes, places, bars.names)
    axes.set_ylim(len(bars.names) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    # The short "0" and "1" do not touch those of a chart beside this one.
    # To the right of 1 is room for the numbers beside the bars.
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}" if value < 1.01 else "")
    axes.set_xlabel("probability")
    axes.set_title(title_lines(axes, bars.title))
    # Charts side by side share their axis, so none may make it shorter.
    others = axes.get_shared_x_axes().get_siblings(axes)
    axes.set_xlim(0, 1.25 * max(bar.get_x() + bar.get_width() for other in others for bar in other.patches))
    for place, low, high in zip(places, bars.low.tolist(), bars.high.tolist(), strict=True):
        text = prob_text(low) if low == high else f"{prob_text(low)} to {prob_text(high)}"
        axes.annotate(text, (high, place), (3, 0), textcoords="offset points", va="center", fontsize=size)


def prob_text(prob: float) -> str:
    """Return a probability with three digits.

    >>> prob_text(0.82816), prob_text(0.0), prob_text(1.2e-7)
    ('0.828', '0', '1.2e-07')
    """
    return "0" if prob == 0 else f"{prob:.3f}" if prob >= 0.0005 else f"{prob:.1e}"


def draw_curves(
    axes: Any,
    names: Sequence[str],
    scale: TauScale,
    values: Array,
    theme: Theme,
    *,
    quantity: str = "probability",
) -> None:
    """Draw a curve over τ for each name. `values` has the shape (names, taus). Names are at the ends of the curves."""
    colors = [theme.color(i) for i in range(len(names))]
    for i, (name, curve) in enumerate(zip(names, values, strict=True)):
        # A single point has no line.
        marker = "o" if len(scale.taus) == 1 else None
        # Only a legend that a user of tsoft.plot adds shows this label.
        style = {"color": colors[i], "linestyle": theme.dash(i), "marker": marker}
        axes.plot(scale.taus, curve, label=visible(name), **style)
    axes.grid(axis="y")
    set_quantity(axes, quantity)
    # A band around a curve may be lower than the curve.
    axes.set_ylim(bottom=min(0.0, float(axes.dataLim.y0)))
    set_tau_axis(axes, scale, theme)
    if len(names) > 1:
        dashes = list(map(theme.dash, range(len(names))))
        name_curves(axes, [float(curve[-1]) for curve in values], names, colors, dashes=dashes)


def draw_heatmap(
    axes: Any,
    names: Sequence[str],
    scale: TauScale,
    probs: Array,
    theme: Theme,
    *,
    quantity: str = "probability",
) -> None:
    """Draw the probabilities as colors: a row for each class. `probs` has the shape (names, taus)."""
    # Viewers of SVG and PDF show gaps between cells without edges.
    style = {"cmap": "cividis", "vmin": 0, "vmax": 1, "edgecolors": "face", "linewidth": 0.8}
    image = axes.pcolormesh(_edges(scale), np.arange(len(names) + 1), probs, **style)
    axes.set_ylim(len(names), 0)
    name_places(axes, np.arange(len(names)) + 0.5, names)
    set_tau_axis(axes, scale, theme)
    lines, size = quantity_lines(axes, quantity)
    colorbar = axes.get_figure().colorbar(image, ax=axes)
    colorbar.set_label(lines, fontsize=size)
    # To the right of the bar, the label would be beside that of the next chart.
    colorbar.ax.yaxis.set_label_position("left")


def _edges(scale: TauScale) -> Array:
    """Return the edges of the columns of a heat map: the middles between the temperatures, and the first and the last
    temperature. A single column extends around its temperature."""
    if len(scale.taus) == 1:
        tau = float(scale.taus[0])
        return np.array([tau / _WIDE, min(tau * _WIDE, float_info.max)])
    places = np.log(scale.taus) if scale.log else scale.taus
    middles = (places[:-1] + places[1:]) / 2
    edges = np.concatenate([places[:1], middles, places[-1:]])
    return np.exp(edges) if scale.log else edges
