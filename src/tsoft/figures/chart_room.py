"""The room in a figure: how wide and how high its charts are, before they are drawn."""

from typing import Any

# The height of a line of text, in font sizes.
LINE = 1.25
# The lines of text above and below each chart and those at the ends of a figure, and the part of its height that a
# chart has at least.
CHART_LINES, FIGURE_LINES, _HEIGHT_SHARE = 3, 2.5, 0.35
# The average width of a character, relative to the size of the font.
CHARACTER = 0.55
# Names become smaller by at most this factor.
SMALLEST = 0.75


def width_of(axes: Any) -> float:
    """Return the width of a chart in points, with what is beside it."""
    return figure_points(axes)[0] / _grid(axes)[1]


def height_of(axes: Any) -> float:
    """Return the approximate height of a chart in points, without its title and the numbers below, and without the
    title and the legends of the figure."""
    line, figure = LINE * axes.xaxis.label.get_fontsize(), axes.get_figure()
    legends = sum(legend.get_window_extent().height * 72 / figure.dpi for legend in figure.legends)
    ends = (FIGURE_LINES + title_height(figure)) * line + legends
    room = (figure_points(axes)[1] - ends) / _grid(axes)[0]
    return float(max(room - CHART_LINES * line, room * _HEIGHT_SHARE, line))


def fitting_names(axes: Any) -> int:
    """Return how many names fit beside the vertical axis of a chart, at least two."""
    return max(2, int(height_of(axes) / (LINE * SMALLEST * (axes.yaxis.label.get_fontsize() - 1))))


def title_height(figure: Any) -> float:
    """Return the height of the title of a figure, in lines of text."""
    title = figure.get_suptitle()
    return 1.4 * (title.count("\n") + 1) if title else 0.0


def figure_points(axes: Any) -> tuple[float, float]:
    """Return the width and the height of the figure or the part of a figure that has the axes, in points."""
    figure = axes.get_figure()
    return figure.bbox.width * 72 / figure.dpi, figure.bbox.height * 72 / figure.dpi


def _grid(axes: Any) -> tuple[int, int]:
    """Return the numbers of rows and columns of the charts of a figure."""
    place = axes.get_subplotspec()
    rows, columns = place.get_gridspec().get_geometry() if place else (1, 1)
    return rows, columns
