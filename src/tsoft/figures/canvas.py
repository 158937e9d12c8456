"""A figure of a size and a theme, and its bytes in a format."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from tsoft.figures.fonts import families
from tsoft.figures.theme import THEMES, Theme

FIGURE_FORMATS = ("svg", "png", "pdf")


@dataclass(frozen=True)
class Paper:
    """The size of a figure in inches, its dots per inch in a PNG, its theme and its title."""

    size: tuple[float, float] = (6.4, 4.0)
    dpi: int = 150
    theme: str = "light"
    title: str = ""


@dataclass(frozen=True, eq=False)
class Canvas:
    """A figure of matplotlib, to be drawn on. `note` is called with what a figure cannot show."""

    figure: Any
    theme: Theme
    note: Callable[[str], None] = lambda _: None


@contextmanager
def canvas(paper: Paper, texts: str = "", note: Callable[[str], None] = lambda _: None) -> Iterator[Canvas]:
    """Yield an empty figure. Drawing and writing must happen inside the context. `texts` has the characters of the
    labels, for which the system may need other fonts."""
    import matplotlib
    from matplotlib.figure import Figure

    theme = THEMES[paper.theme]
    found = families(texts + paper.title)
    if found.missing:
        note(f"no font on this system has {found.missing_names}; the figure shows boxes instead")
    with matplotlib.rc_context({**theme.settings, "font.family": list(found.names)}):
        figure = Figure(paper.size, dpi=paper.dpi, layout="constrained")
        if paper.title:
            figure.suptitle(paper.title, ha="left", x=0.01)
        yield Canvas(figure, theme, note)


def write(figure: Any, format: str, stream: BinaryIO) -> None:
    """Write a figure, without the date, so that the same figure has the same bytes."""
    metadata: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format, metadata=metadata[format])
    stream.write(buffer.getvalue())
