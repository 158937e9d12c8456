"""The axes of charts: temperatures, steps, quantities and names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tsoft.core.softmax import Array
from tsoft.figures.chart_room import CHARACTER, LINE, SMALLEST, height_of, width_of
from tsoft.figures.figure_theme import Theme
from tsoft.figures.text_lines import LABEL_LINES, MARGIN, SHORTEST, label, quantity_lines, wrapped

# A logarithmic axis whose ends differ by less than this factor has numbers between the powers of 10.
_FEW = 30
# A number on an axis with at most this many characters is short. The distance of longer ones, in characters.
_SHORT_NUMBER, _BETWEEN = 5, 2


@dataclass(frozen=True, eq=False)
class TauScale:
    """The temperatures of a chart, (k,), which are ascending and finite, and above 0 if the axis is logarithmic; and
    the `name` of the axis."""

    taus: Array
    log: bool = True
    name: str = "τ"


def set_tau_axis(axes: Any, scale: TauScale, theme: Theme) -> None:
    """Make the horizontal axis one of temperatures with readable ticks, and mark τ = 1."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = float(scale.taus[0]), float(scale.taus[-1])
    if scale.log:
        axes.set_xscale("log")
        subs = (1, 2, 5) if high / low < _FEW else (1,)
        axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=_most_numbers(axes, low, high)))
        # The smallest floats have too few digits to be powers of 10.
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if low < high:
        axes.set_xlim(low, high)
    axes.set_xlabel(scale.name)
    if low < 1 < high:
        axes.axvline(1, color=theme.muted, linewidth=0.9, linestyle=(0, (2, 2)), zorder=0)


def _most_numbers(axes: Any, low: float, high: float) -> int | None:
    """Return how many numbers from low to high fit on a horizontal logarithmic axis, at least two; None if they are
    short, so that as many fit as matplotlib chooses."""
    font, longest = axes.xaxis.label.get_fontsize(), max(len(f"{end:.1g}") for end in (low, high))
    if longest <= _SHORT_NUMBER:
        return None
    return max(2, int((width_of(axes) - MARGIN * font) / (CHARACTER * font * (longest + _BETWEEN))))


def set_step_axis(axes: Any, steps: Array, name: str = "step") -> None:
    """Make the horizontal axis one of steps, with ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(steps.min()), float(steps.max())
    if low < high:
        axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10], integer=True))
        axes.set_xlim(low, high)
    else:
        axes.set_xticks([int(low)])
    axes.set_xlabel(name)


def set_quantity(axes: Any, text: str) -> None:
    """Label the vertical axis, in lines that fit beside it, smaller if necessary. No word is broken."""
    lines, size = quantity_lines(axes, text)
    axes.set_ylabel(lines, fontsize=size)
    if len(text) == 1:
        # A letter, such as τ, is upright.
        axes.yaxis.label.set(rotation=0, ha="right", va="center")


def set_row_name(axes: Any, text: str) -> None:
    """Write the name of a row of charts beside its first chart, in lines that fit, shortened if necessary."""
    room = height_of(axes) / (CHARACTER * axes.yaxis.label.get_fontsize())
    axes.set_ylabel(wrapped(text, max(SHORTEST, int(room)), LABEL_LINES))


def name_places(axes: Any, places: Array, names: Sequence[str]) -> float:
    """Write names beside places of the vertical axis that are 1 apart, in lines that fit, smaller if necessary. Return
    the size of the names, for a text beside each of them."""
    font, room = axes.yaxis.label.get_fontsize() - 1, height_of(axes) / max(1, len(names))
    lines = min(LABEL_LINES, max(1, int(room / (LINE * font))))
    size = float(font * min(1, max(SMALLEST, room / (LINE * font))))
    axes.set_yticks(places, [label(axes, name, lines) for name in names], fontsize=size)
    axes.tick_params(axis="y", length=0)
    return size
