"""The axes that tsoft.plot draws onto, given or new, which an error leaves as they were; and the room in them for names
and legends."""

# Signatures in help() show the names of the types.
from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any

from tsoft.errors import shortened
from tsoft.figures.text_lines import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tsoft.figures.figure_theme import Theme

# A legend takes at most this part of the height of the axes; in lower axes, there is none.
_HIGHEST_LEGEND = 0.4
# The lengths of names in a legend, the sizes of its text, and the most columns, in the order in which they are tried.
_LENGTHS, _LEGEND_SIZES, _COLUMNS = (30, 15, 8), ("small", "x-small", "xx-small"), 3
# The distance of texts and legends to what is around them, in pixels.
_GAP = 4
# A title becomes smaller by at most this factor, then it has more lines. Names keep at least this many characters.
_SMALLEST, _TITLE_LINES, _SHORTEST = 0.6, 4, 4
# A layout takes some of the room of the axes for what is drawn later, such as the labels of other axes.
_KEPT = 0.85
# Labels are text, not formulas, also for users who write their own labels with TeX.
_PLAIN = {"text.parse_math": False, "text.usetex": False}


@contextmanager
def drawing(ax: Axes | None) -> Iterator[tuple[Axes, Theme]]:
    """Yield the axes, by default those of a new figure of pyplot, and their theme. Inside, labels are plain text.
    After an error, the new figure is closed, or what was drawn onto the given axes is removed.

    Raise ImportError without matplotlib, TypeError if `ax` are not axes, and ValueError if they are polar or 3D.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise ImportError("tsoft.plot needs matplotlib; run pip install 'tsoft[figures]'") from None
    with matplotlib.rc_context(_PLAIN), _new_axes() if ax is None else _given_axes(ax) as axes:
        # Grid lines are behind the bars.
        axes.set_axisbelow(True)
        # These exist already, and will show the names of classes.
        for name in axes.get_yticklabels():
            name.set_parse_math(False)
        # TeX would read the % of a title as the start of a comment.
        for text in (*axes.get_yticklabels(), axes.title, axes.xaxis.label, axes.yaxis.label):
            text.set_usetex(False)
        yield axes, _theme()


@contextmanager
def _new_axes() -> Iterator[Axes]:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(layout="constrained")
    try:
        yield axes
    except BaseException:
        pyplot.close(figure)
        raise


@contextmanager
def _given_axes(ax: Any) -> Iterator[Axes]:
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be axes of matplotlib, got {type(ax).__name__}; pass one of them, such as axes[0, 0]")
    if ax.name != "rectilinear":
        raise ValueError(f"ax must have straight axes, and its projection is {ax.name}")
    figure: Any = ax.figure
    artists, others = set(ax.get_children()), set(figure.axes)
    try:
        yield ax
    except BaseException:
        for artist in (*ax.get_children(), *figure.axes):
            if artist not in artists and artist not in others:
                artist.remove()
        raise


def _theme() -> Theme:
    """Return the colors of matplotlib's settings."""
    from matplotlib import rcParams

    from tsoft.figures.figure_theme import Theme

    cycle = rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    return Theme(rcParams["axes.facecolor"], rcParams["text.color"], "gray", tuple(cycle), rcParams["font.size"])


def add_legend(axes: Any, handles: Sequence[Any], names: Sequence[str]) -> bool:
    """Raise the upper limit of the axes, and draw a legend into this room, where it covers nothing. Return whether the
    axes are large enough for it."""
    width, height = _room(axes)
    style = {"loc": "upper left", "edgecolor": "none", "facecolor": axes.get_facecolor(), "framealpha": 1}
    tight = {"borderaxespad": 0.2, "handlelength": 1.4, "handletextpad": 0.5, "columnspacing": 1.2}
    for length, size, columns in product(_LENGTHS, _LEGEND_SIZES, range(min(_COLUMNS, len(names)), 0, -1)):
        texts = [shortened(name, length) for name in names]
        legend = axes.legend(handles, texts, ncols=columns, fontsize=size, **style, **tight)
        extent = legend.get_window_extent()
        share = (extent.height + 2 * _GAP) / height
        if extent.width <= width and share <= _HIGHEST_LEGEND:
            _raise_top(axes, share)
            return True
        legend.remove()
    return False


def _raise_top(axes: Any, share: float) -> None:
    """Raise the upper limit of the axes, to make room for this share of their height. It has no ticks."""
    from matplotlib.ticker import FixedLocator

    low, high = axes.get_ylim()
    if not isinstance(axes.yaxis.get_major_locator(), FixedLocator):
        axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= high])
    axes.set_ylim(low, low + (high - low) / (1 - share))


def fit_title(axes: Any, text: str) -> None:
    """Set a title. If it is wider than the axes, make it smaller and, if necessary, break its lines."""
    title = axes.set_title(text)
    share = _room(axes)[0] / title.get_window_extent().width
    title.set_fontsize(title.get_fontsize() * min(1.0, max(_SMALLEST, share)))
    if share < _SMALLEST:
        lines = text.splitlines()
        columns = max(_SHORTEST, int(max(map(len, lines)) * share / _SMALLEST))
        title.set_text("\n".join(wrapped(line, columns, _TITLE_LINES) for line in lines))


def place_names(axes: Axes, names: Sequence[str], curves: Sequence[Any]) -> None:
    """Replace names at the ends of curves by a legend if a figure without a layout has no room for them."""
    if axes.figure.get_layout_engine() is not None:
        return
    from matplotlib.text import Annotation

    at_ends = ("axes fraction", "data")
    written = [text for text in axes.texts if isinstance(text, Annotation) and text.xycoords == at_ends]
    ends = [text.get_window_extent().x1 for text in written]
    if written and max(ends) > _right_limit(axes) and add_legend(axes, curves, names):
        for text in written:
            text.remove()


def shorten_names(axes: Axes) -> None:
    """Shorten the names at the left of the axes if a figure without a layout has no room for them."""
    if axes.figure.get_layout_engine() is not None:
        return
    room = axes.get_window_extent().x0 - _left_limit(axes)
    names = axes.get_yticklabels()
    for name in names:
        lines = name.get_text().splitlines()
        for count in range(max(map(len, lines), default=0), _SHORTEST - 1, -1):
            name.set_text("\n".join(shortened(line, count) for line in lines))
            if name.get_window_extent().width + 2 * _GAP <= room:
                break
    axes.set_yticks(axes.get_yticks(), [name.get_text() for name in names])


def widen_for_texts(axes: Any) -> None:
    """Raise the right limit of the axes until the texts beside the bars are inside."""
    # A text outside of the axes is worse than a bar that is too short.
    room = _KEPT * _room(axes)[0]
    left, right = axes.get_xlim()
    for text in axes.texts:
        start, width = text.xy[0], text.get_window_extent().width + 2 * _GAP
        # The bar ends where the room for its text begins.
        right = max(right, left + (start - left) * room / max(room - width, 1.0))
    axes.set_xlim(left, right)


def _room(axes: Axes) -> tuple[float, float]:
    """Return the width and the height of the axes in pixels; somewhat less if a layout may make them smaller."""
    root: Any = axes.figure.canvas.figure
    layout = root.get_layout_engine()
    if layout is None:
        return axes.bbox.width, axes.bbox.height
    with warnings.catch_warnings():
        # Drawing the figure warns again if it is too small.
        warnings.simplefilter("ignore")
        layout.execute(root)
    return _KEPT * axes.bbox.width, _KEPT * axes.bbox.height


def _right_limit(axes: Axes) -> float:
    """Return the left end of the next axes at the right, or the right end of the figure, in pixels."""
    box, figure = axes.get_window_extent(), axes.figure
    starts = [other.x0 for other in _beside(axes) if other.x0 > box.x1]
    return float(min(starts, default=figure.bbox.x1))


def _left_limit(axes: Axes) -> float:
    """Return the right end of the next axes at the left, or the left end of the figure, in pixels."""
    box, figure = axes.get_window_extent(), axes.figure
    ends = [other.x1 for other in _beside(axes) if other.x1 < box.x0]
    return float(max(ends, default=figure.bbox.x0))


def _beside(axes: Axes) -> list[Any]:
    """Return the places of the other axes of the figure at the same height."""
    box = axes.get_window_extent()
    others = [other.get_window_extent() for other in axes.figure.axes if other is not axes]
    return [other for other in others if other.y0 < box.y1 and box.y0 < other.y1]
