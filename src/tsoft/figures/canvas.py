"""An empty figure to draw on, and the bytes of a figure in a format."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsoft.errors import UsageError, visible
from tsoft.figures.chart_room import LINE, title_height
from tsoft.figures.figure_theme import THEMES, Theme
from tsoft.figures.fonts import set_fonts
from tsoft.figures.text_lines import wrapped

# Without a date, the same figure has the same bytes.
_METADATA: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
# The start of matplotlib's warning.
_NO_ROOM = "constrained_layout not applied"

# A text may extend beyond the figure by this many points, because its ink is smaller than its extent.
_SLACK = 1.5
# The highest figure that grows, in inches.
HIGHEST = 40.0
# The average width of a bold character, relative to the size of the font, and the lines of a title.
_BOLD, _TITLE_LINES = 0.68, 3


@dataclass(frozen=True)
class Paper:
    """The size of a figure in inches, its dots per inch in a PNG, its theme and its title. A figure that `grows` may
    become higher than this size."""

    size: tuple[float, float] = (6.4, 4.0)
    dpi: int = 150
    theme: str = "light"
    title: str = ""
    grows: bool = False


@dataclass(frozen=True, eq=False)
class Canvas:
    """An empty figure of matplotlib. `note` is called with what the figure cannot show. A figure that `grows` may
    become higher."""

    figure: Any
    theme: Theme
    note: Callable[[str], None] = lambda _: None
    grows: bool = False

    def grow(self, lines: float) -> None:
        """Make a figure that grows high enough for its title and this many other lines of text."""
        height = min((lines + title_height(self.figure)) * LINE * self.theme.font_size / 72, HIGHEST)
        if self.grows and height > self.figure.get_figheight():
            self.figure.set_figheight(height)


@contextmanager
def canvas(paper: Paper, note: Callable[[str], None] = lambda _: None) -> Iterator[Canvas]:
    """Yield an empty figure. Drawing and `encoded` must happen inside the context.

    Raise UsageError if the size is too small for the charts.
    """
    # matplotlib logs that it creates its cache of fonts, and details of fonts.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib
    from matplotlib.figure import Figure

    theme = THEMES[paper.theme]
    # Close to the largest float, the ticks that matplotlib tries beyond the end of an axis overflow.
    overflow = np.errstate(over="ignore")
    with matplotlib.rc_context(theme.settings), warnings.catch_warnings(), overflow:
        warnings.filterwarnings("error", _NO_ROOM)
        figure = Figure(paper.size, dpi=paper.dpi, layout="constrained")
        if paper.title:
            columns = int(paper.size[0] * 72 / (_BOLD * (theme.font_size + 2)))
            figure.suptitle(wrapped(visible(paper.title), columns, _TITLE_LINES), ha="left", x=0.01)
        try:
            yield Canvas(figure, theme, note, paper.grows)
        except UserWarning as warning:
            if not str(warning).startswith(_NO_ROOM):
                raise
            raise _too_small(figure) from None


def _too_small(figure: Any) -> UsageError:
    width, height = figure.get_size_inches()
    problem = f"{width:g} × {height:g} inches are too small for the figure"
    return UsageError(f"{problem}; pass a larger --size, or show less")


def encoded(page: Canvas, format: str) -> bytes:
    """Return the bytes of a figure in a format: svg, png or pdf. Raise UsageError if the figure would cut off a
    text."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The note names the missing characters.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        set_fonts(page.figure, page.note)
        if _cuts_off_text(page.figure):
            raise _too_small(page.figure)
        page.figure.savefig(buffer, format=format, metadata=_METADATA[format])
    return buffer.getvalue()


def _cuts_off_text(figure: Any) -> bool:
    """Return whether a title, the label of an axis or a text in a chart extends beyond the figure. The layout makes
    room for all other texts."""
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    extents = [text.get_window_extent() for text in texts if text.get_text() and text.get_visible()]
    box = figure.bbox.padded(_SLACK * figure.dpi / 72)
    return not all(box.x0 <= e.x0 and e.x1 <= box.x1 and box.y0 <= e.y0 and e.y1 <= box.y1 for e in extents)
