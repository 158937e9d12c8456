"""The titles and the legend of charts side by side."""

from collections.abc import Sequence
from typing import Any


def add_legend(figure: Any, names: Sequence[str]) -> None:
    """Explain the marks with these names once for all charts, below them, in as many columns as fit."""
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    shown = [name for name in names if name in handles]
    style = {"handlelength": 1.2, "columnspacing": 1.2, "handletextpad": 0.5, "borderaxespad": 0}
    for columns in (4, 3, 2, 1):
        marks = [handles[name] for name in shown]
        legend = figure.legend(marks, shown, loc="outside lower left", ncols=columns, **style)
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
