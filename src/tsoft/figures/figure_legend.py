"""The legend of a figure, below its charts."""

from collections.abc import Iterable, Sequence
from typing import Any

from tsoft.errors import visible
from tsoft.figures.chart_room import CHARACTER, figure_points
from tsoft.figures.text_lines import LABEL_LINES, wrapped

# The width of the keys of a legend, in characters, and the width that its names have at least.
_KEY, _NARROWEST = 4, 8


def draw_legend(axes: Any, handles: Sequence[Any], names: Sequence[str], title: str = "") -> None:
    """Draw a legend below the figure that has the axes, in as many columns as fit, with an optional title."""
    figure, font = axes.get_figure(), axes.xaxis.label.get_fontsize() - 1
    width = int(figure_points(axes)[0] / (CHARACTER * font))
    style = {"handlelength": 1.2, "columnspacing": 1.2, "handletextpad": 0.5, "borderaxespad": 0, "alignment": "left"}
    if title:
        style |= {"title": wrapped(title, width, LABEL_LINES), "title_fontsize": font}
    texts = [wrapped(visible(name), max(_NARROWEST, width - _KEY), LABEL_LINES) for name in names]
    for columns in (4, 3, 2, 1):
        legend = figure.legend(handles, texts, loc="outside lower left", ncols=columns, **style)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def marks(charts: Iterable[Any], names: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Return the marks with these names in the charts, each name once and in this order, for a legend."""
    handles: dict[str, Any] = {}
    for axes in charts:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    shown = [name for name in names if name in handles]
    return [handles[name] for name in shown], shown


def draw_mark_legend(figure: Any, names: Sequence[str], remark: str = "") -> None:
    """Explain the marks with these names once for all charts, below them and below a remark about the charts."""
    draw_legend(figure.axes[0], *marks(figure.axes, names), title=remark)
