"""plotext's figure, for bars and curves: what is drawn on it, line by line as text.

plotext places what is drawn in its cells and draws the vertical scale. It counts a wide character as one
column, so that names are added to its lines afterwards.
"""

from collections.abc import Mapping
from typing import Any

from tsoft.charts.style import COLD_TO_HOT


def new_figure(width: int, height: int) -> Any:
    """plotext's only figure, emptied, of exactly this size whatever the terminal's is, in the terminal's
    default colours and without axes but the left one."""
    import plotext  # here, since it takes long

    plotext.add_theme("tsoft", sequence=COLD_TO_HOT)
    plotext.terminal.limit(width=False, height=False)
    figure = plotext.figure.clear()
    figure.theme("tsoft")
    figure.plot_size(width, height)
    figure.axes(False)
    figure.axes(True, axis="y", side="left")
    return figure


def figure_lines(figure: Any, across: float, up: int, scale: Mapping[float, str], *, color: bool) -> list[str]:
    """The figure's lines. Its corner is at 0, its ends are at `across` and `up`; `scale` has the texts on the
    left by their height."""
    for axis, end in ("x", across), ("y", up):
        figure.ruler(axis).lim(0, end)
        figure.ruler(axis).alignment(lim="edge")
    # Bars set ticks under themselves.
    figure.ruler("x").ticks([])
    figure.ruler("y").ticks(list(scale), labels=list(scale.values()))
    text: str = figure.build().string(colorless=not color)
    return text.splitlines()
