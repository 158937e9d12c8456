"""The titles and the legend of one or more charts."""

from collections.abc import Iterable, Sequence
from typing import Any

from tsoft.figures.axes import draw_legend

# Titles that are too long are made smaller at most so many times, each time by a little more than necessary.
_PASSES, _MARGIN = 2, 0.96


def marks(charts: Iterable[Any], names: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Return the marks with these names in the charts, each name once and in this order, for a legend."""
    handles: dict[str, Any] = {}
    for axes in charts:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    shown = [name for name in names if name in handles]
    return [handles[name] for name in shown], shown


def add_legend(figure: Any, names: Sequence[str], remark: str = "") -> None:
    """Explain the marks with these names once for all charts, below them and below a remark about the charts."""
    draw_legend(figure.axes[0], *marks(figure.axes, names), title=remark)


def shrink_titles(figure: Any) -> None:
    """Make the titles of charts side by side so small that none covers the next chart, all in the same size."""
    titles = {axes: axes.title if axes.title.get_text() else axes._left_title for axes in figure.axes}
    # Smaller titles leave more room for the charts, which may move them.
    for _ in range(_PASSES):
        figure.get_layout_engine().execute(figure)
        starts = [axes.get_tightbbox().x0 for axes in figure.axes] + [figure.bbox.x1]
        shares = [_share(title.get_window_extent(), starts) for title in titles.values() if title.get_text()]
        if min(shares, default=1.0) >= 1:
            return
        for title in titles.values():
            title.set_fontsize(title.get_fontsize() * _MARGIN * min(shares))


def _share(extent: Any, starts: Sequence[float]) -> float:
    """Return the room for a title, up to the next chart or the end of the figure, relative to its width."""
    return float((min(start for start in starts if start > extent.x0 + 1) - extent.x0) / extent.width)
