"""The titles and the axes of the charts of a grid."""

from collections.abc import Sequence
from typing import Any

# Long titles are made smaller at most this many times, each time to this share of the size that would just fit.
_PASSES, _MARGIN = 2, 0.96


def label_once(grid: Any) -> None:
    """Label the horizontal axis only in the last row of a grid of charts."""
    for axes in grid[:-1].flat:
        axes.set_xlabel("")


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
