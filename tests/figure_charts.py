"""The texts, bars, curves and bands of a figure, read from the objects that matplotlib would draw.

Encoding takes most of the time of a figure, and a file has rounded points in place of values. `svg_charts` reads the
same charts back from a file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tool import here

Points = np.ndarray


@dataclass(frozen=True)
class Chart:
    """The parts of a chart, in the units of its axes: each curve and each outline of a band as points (x, y), and the
    length of each bar."""

    curves: list[Points]
    bands: list[Points]
    bars: list[float]


@dataclass(frozen=True)
class Drawing:
    """A figure of matplotlib that a command drew, and its notes."""

    figure: Any
    stderr: str

    @property
    def charts(self) -> list[Chart]:
        """The charts of the figure."""
        return [chart(axes) for axes in self.figure.axes]

    @property
    def texts(self) -> list[str]:
        """The lines of text of the figure."""
        return texts(self.figure)


def drawn(*arguments: str, stdin: str | None = None, exit_code: int = 0) -> Drawing:
    """Run `tsoft`, which must draw one figure, and return the figure in place of encoding it. Its file is empty."""
    with captured() as figures:
        done = here(*arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (exit_code, ""), done.stderr
    [figure] = figures
    return Drawing(figure, done.stderr)


@contextmanager
def captured() -> Iterator[list[Any]]:
    """Yield a list to which each figure that tsoft would encode is added. The files of figures are empty."""
    figures: list[Any] = []

    def keep(page: Any, format: str) -> bytes:
        figures.append(page.figure)
        return b""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tsoft.figures.canvas.encoded", keep)
        yield figures


def texts(artist: Any) -> list[str]:
    """Return the lines of text of a figure or of one of its charts."""
    return [line for text in _texts(artist) for line in text.get_text().split("\n") if line]


def _texts(artist: Any) -> Iterator[Any]:
    """Yield the texts that would be drawn: an artist hides its parts, and a text at a place outside its chart, or of a
    tick outside its axis, is omitted."""
    from matplotlib.axis import Axis
    from matplotlib.text import Annotation, Text

    if not artist.get_visible():
        return
    if isinstance(artist, Annotation) and artist.xycoords == "data" and not _is_inside(artist):
        return
    if isinstance(artist, Text):
        yield artist
    is_axis = isinstance(artist, Axis)
    for part in (artist.label, *artist._update_ticks()) if is_axis else artist.get_children():
        yield from _texts(part)


def _is_inside(annotation: Any) -> bool:
    return bool(annotation.axes.contains_point(annotation.axes.transData.transform(annotation.xy)))


def chart(axes: Any) -> Chart:
    """Return the parts of a chart."""
    from matplotlib.collections import PolyCollection

    # A line with two ends is a reference or a target. Error bars have marks without a line.
    lines = [line for line in axes.lines if line.get_visible() and line.get_linestyle() != "None"]
    curves = [line.get_xydata() for line in lines if line.get_transform() == axes.transData]
    # The last point closes the outline.
    areas = [area for area in axes.collections if isinstance(area, PolyCollection)]
    bands = [np.asarray(area.get_paths()[0].vertices)[:-1] for area in areas]
    outlines = [patch.get_path().transformed(patch.get_patch_transform()).vertices for patch in axes.patches]
    bars = [float(np.ptp(outline[:, 0])) for outline in outlines]
    return Chart([curve for curve in curves if len(curve) > 2], bands, bars)
