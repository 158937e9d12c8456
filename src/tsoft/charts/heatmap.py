"""Probabilities as a heat map: a line a class, a column a temperature, in equal steps of τ or of
log τ, under which stands the axis that the chart of curves has."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from rich.cells import cell_len, set_cell_size

from tsoft.charts.axis import TauAxis
from tsoft.charts.style import scale_top
from tsoft.core.softmax import Array
from tsoft.errors import shortened

# From next to nothing to the highest, in equal parts of the scale. Each is lighter than the one
# before, and none is lost on black or on white. What is exactly 0 is blank.
RAMP = (53, 55, 91, 126, 161, 167, 203, 209, 214, 220)
# The same where there are no colours, by how much ink they take.
SHADES = ".:-=+*x#%@"
# Right of the cells, for the axis to be named.
_RIGHT = 2
# Fewer columns of cells say nothing.
_NARROWEST = 4


def heatmap(names: Sequence[str], taus: Array, probs: Array, *, width: int, color: bool, log: bool) -> str:
    """`probs`, (temperatures, classes), over ascending temperatures, in lines of at most `width`
    columns: each cell has the probability at the nearest temperature.

    On a log axis 0 has no place, inf on any: both are left out. Names are shown as they are, so
    escape what is not printable before. Without `color` there is no escape code.
    """
    left = max(1, min(max(map(cell_len, names), default=0), width // 3))
    axis = TauAxis(np.asarray(taus, np.float64), width - left - 1 - _RIGHT, log)
    if not (names and axis.drawn.any()):
        return shortened("… no temperature to chart", width) + "\n"
    if axis.columns < _NARROWEST:
        return shortened("… no room for a chart", width) + "\n"
    probs = np.asarray(probs, np.float64)[axis.drawn]
    top = scale_top(float(probs.max()))
    shades = _levels(probs, top)[_nearest(axis)].T
    rows = [
        set_cell_size(shortened(name, left), left) + "│" + _cells(line.tolist(), color)
        for name, line in zip(names, shades, strict=True)
    ]
    lines = rows + axis.lines(left, _RIGHT) + [_key(top, width, color, blank=bool((shades == 0).any()))]
    return "".join(line.rstrip() + "\n" for line in lines if line)


def _levels(probs: Array, top: float) -> Array:
    """Which shade each probability has, from 1; 0 is that of 0."""
    # A probability that is a shade's upper end, but for rounding, has that shade.
    levels = np.ceil(probs / top * len(SHADES) - 1e-9)
    return np.clip(levels, probs > 0, len(SHADES)).astype(int)


def _nearest(axis: TauAxis) -> Array:
    """For each column the temperature, of those that are drawn, that is nearest to its middle."""
    places = axis.fractions(axis.numbers[axis.drawn])
    middles = (np.arange(axis.columns) + 0.5) / axis.columns
    return np.asarray(np.abs(middles[:, np.newaxis] - places).argmin(1))


def _cells(levels: Sequence[int], color: bool) -> str:
    """A line of cells, with one escape code for all that are alike and side by side."""
    if not color:
        return "".join((" " + SHADES)[level] for level in levels)
    runs = [(level, len(list(run))) for level, run in groupby(levels)]
    return "".join(f"\x1b[38;5;{RAMP[level - 1]}m{'█' * n}\x1b[0m" if level else " " * n for level, n in runs)


def _key(top: float, width: int, color: bool, blank: bool) -> str:
    """Which shade is which probability: five up to half of the scale, five up to its end. What
    there is no room for is left out."""
    half, note = f" {top / 2:g} ", "   blank is 0" if blank else ""
    forms = (
        ("probability ", 2, half, note),
        ("", 2, half, note),
        ("", 1, half, note),
        ("", 1, half, ""),
        ("", 1, "", ""),
    )
    for lead, each, middle, tail in forms:
        if len(f"{lead}0 {middle} {top:g}{tail}") + each * len(SHADES) <= width:
            low, high = (
                "".join(_cells([level] * each, color) for level in levels) for levels in (range(1, 6), range(6, 11))
            )
            return f"{lead}0 {low}{middle}{high} {top:g}{tail}"
    return ""
