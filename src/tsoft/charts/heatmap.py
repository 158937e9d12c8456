"""Probabilities as a heat map: one line per class, columns in equal steps of τ or log τ, above the same axis as
the chart of curves."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from rich.cells import cell_len, set_cell_size

from tsoft.charts.axis import TauAxis
from tsoft.charts.style import colored, scale_top
from tsoft.core.softmax import Array
from tsoft.errors import shortened

# Colors for equal parts of the scale, from the lowest to the highest probability. Each is lighter than the one
# before, and visible on black and on white. A cell of probability 0 is blank.
RAMP = (53, 55, 91, 126, 161, 167, 203, 209, 214, 220)
# The shades on a screen without colors, from light to dense.
SHADES = ".:-=+*x#%@"
# The columns to the right of the cells, for the name of the axis.
_RIGHT = 2
# With fewer columns of cells a heat map shows nothing useful.
_NARROWEST = 4


def heatmap(names: Sequence[str], taus: Array, probs: Array, *, width: int, color: bool, log: bool) -> str:
    """Return `probs`, (temperatures, classes), over ascending temperatures, in lines of at most `width` columns.
    Each cell shows the probability at the nearest temperature.

    Temperatures that the axis cannot show are omitted. Names are printed unchanged: the caller escapes
    unprintable characters. Without `color` the text has no escape codes.
    """
    left = max(1, min(max(map(cell_len, names), default=0), width // 3))
    axis = TauAxis(np.asarray(taus, np.float64), width - left - 1 - _RIGHT, log)
    if not (names and axis.valid.any()):
        return shortened("… no temperature to chart", width) + "\n"
    if axis.columns < _NARROWEST:
        return shortened("… no room for a chart", width) + "\n"
    probs = np.asarray(probs, np.float64)[axis.valid]
    top = scale_top(float(probs.max()))
    shades = _levels(probs, top)[_nearest(axis)].T
    rows = [
        set_cell_size(shortened(name, left), left) + "│" + _cells(line.tolist(), color)
        for name, line in zip(names, shades, strict=True)
    ]
    lines = rows + axis.lines(left, _RIGHT) + [_key(top, width, color, blank=bool((shades == 0).any()))]
    return "".join(line.rstrip() + "\n" for line in lines if line)


def _levels(probs: Array, top: float) -> Array:
    """Return the shade of each probability, numbered from 1; 0 is the blank of probability 0."""
    # A probability that equals a shade's upper end, except for rounding, has that shade.
    levels = np.ceil(probs / top * len(SHADES) - 1e-9)
    return np.clip(levels, probs > 0, len(SHADES)).astype(int)


def _nearest(axis: TauAxis) -> Array:
    """Return, for each column, the index of the valid temperature that is nearest to its middle."""
    places = axis.fractions(axis.numbers[axis.valid])
    middles = (np.arange(axis.columns) + 0.5) / axis.columns
    return np.asarray(np.abs(middles[:, np.newaxis] - places).argmin(1))


def _cells(levels: Sequence[int], color: bool) -> str:
    """Return a line of cells, with one escape code for each run of equal cells."""
    if not color:
        return "".join((" " + SHADES)[level] for level in levels)
    runs = [(level, len(list(run))) for level, run in groupby(levels)]
    return "".join(colored("█" * count, RAMP[level - 1]) if level else " " * count for level, count in runs)


def _key(top: float, width: int, color: bool, blank: bool) -> str:
    """Return the scale: five shades up to half of the highest probability, five up to the highest. On a narrow
    screen the less important parts are omitted."""
    half, note = f" {top / 2:g} ", "   blank is 0" if blank else ""
    forms = (
        ("probability ", 2, half, note),
        ("", 2, half, note),
        ("", 1, half, note),
        ("", 1, half, ""),
        ("", 1, "", ""),
    )
    for title, repeats, middle, end in forms:
        if len(f"{title}0 {middle} {top:g}{end}") + repeats * len(SHADES) <= width:
            shades = [_cells([level] * repeats, color) for level in range(1, 11)]
            return f"{title}0 {''.join(shades[:5])}{middle}{''.join(shades[5:])} {top:g}{end}"
    return ""
