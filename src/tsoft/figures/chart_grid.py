"""The titles and the legend of one or more charts."""

from collections.abc import Iterable, Sequence
from typing import Any


def marks(charts: Iterable[Any], names: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Return the marks with these names in the charts, each name once and in this order, for a legend."""
    handles: dict[str, Any] = {}
    for axes in charts:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    shown = [name for name in names if name in handles]
    return [handles[name] for name in shown], shown


def add_legend(figure: Any, names: Sequence[str]) -> None:
    """Explain the marks with these names once for all charts, below them, in as many columns as fit."""
    explained = marks(figure.axes, names)
    style = {"handlelength": 1.2, "columnspacing": 1.2, "handletextpad": 0.5, "borderaxespad": 0}
    for columns in (4, 3, 2, 1):
        legend = figure.legend(*explained, loc="outside lower left", ncols=columns, **style)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def shrink_titles(figure: Any) -> None:
    """Make the titles of charts side by side so small that none covers the next chart."""
    figure.draw_without_rendering()
    starts = [axes.get_tightbbox().x0 for axes in figure.axes] + [figure.bbox.x1]
    for axes in figure.axes:
        title = axes.title if axes.title.get_text() else axes._left_title
        extent = title.get_window_extent()
        room = min(start for start in starts if start > extent.x0 + 1) - extent.x0
        if room < extent.width:
            title.set_fontsize(title.get_fontsize() * 0.97 * room / extent.width)
