"""plotext's figure, for bars and curves, and its lines as text.

plotext places the marks in cells and draws the vertical scale. It counts a wide character as one column, so
names are added to its lines afterwards.
"""

from collections.abc import Mapping
from typing import Any

from tsoft.charts.style import COLD_TO_HOT


def new_figure(width: int, height: int) -> Any:
    """Return plotext's single figure, emptied, in this size even if the terminal has another size. It has the
    terminal's default colors, and only the left axis."""
    import plotext  # slow to import

    plotext.add_theme("tsoft", sequence=COLD_TO_HOT)
    plotext.terminal.limit(width=False, height=False)
    figure = plotext.figure.clear()
    figure.theme("tsoft")
    figure.plot_size(width, height)
    figure.axes(False)
    figure.axes(True, axis="y", side="left")
    return figure


def figure_lines(figure: Any, x_end: float, y_end: int, scale: Mapping[float, str], *, color: bool) -> list[str]:
    """Return the figure's lines. Its axes run from 0 to `x_end` and from 0 to `y_end`; `scale` maps heights to the
    texts on the left."""
    for axis, end in ("x", x_end), ("y", y_end):
        figure.ruler(axis).lim(0, end)
        figure.ruler(axis).alignment(lim="edge")
    # plotext sets a tick under each bar.
    figure.ruler("x").ticks([])
    figure.ruler("y").ticks(list(scale), labels=list(scale.values()))
    text: str = figure.build().string(colorless=not color)
    return text.splitlines()
