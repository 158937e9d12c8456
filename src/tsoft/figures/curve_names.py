"""The names at the ends of curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tsoft.figures.chart_room import LINE, height_of
from tsoft.figures.text_lines import label

# Names become smaller by at most this factor. A line to a name is this wide, in points.
_SMALLEST, _LEADER = 0.6, 18


def name_curves(
    axes: Any,
    ends: Sequence[float],
    names: Sequence[str],
    colors: Sequence[str],
    *,
    dashes: Sequence[str] | None = None,
    lines: int = 1,
) -> None:
    """Write the names, in up to this many `lines`, at the right ends of curves, so far apart that none covers another.
    `ends` are their values. More names than fit become smaller. A line with the dashes of the curve leads to a name
    that is not beside the end of its curve."""
    low, high = axes.get_ylim()
    font = axes.xaxis.label.get_fontsize()
    texts = [label(axes, name, lines) for name in names]
    height = height_of(axes)
    step = (high - low) * LINE * font * max(text.count("\n") + 1 for text in texts) / height
    if step * len(names) > high - low:
        font *= max(_SMALLEST, (high - low) / (step * len(names)))
        step = (high - low) / len(names)
    # A curve without an end has its name at the bottom.
    known = np.clip(np.nan_to_num(ends, nan=low, posinf=high, neginf=low), low, high).tolist()
    places = spread(known, step, low, high)
    # The names are in one column.
    has_lines = any(abs(y - end) > step / 2 for y, end in zip(places, known, strict=True))
    for i, (y, end) in enumerate(zip(places, known, strict=True)):
        leader = {"arrowstyle": "-", "color": colors[i], "linewidth": 0.8, "shrinkA": 1, "shrinkB": 2}
        axes.annotate(
            texts[i],
            (1, end),
            (_LEADER if has_lines else 6, y),
            xycoords=("axes fraction", "data"),
            textcoords=("offset points", "data"),
            color=colors[i],
            fontsize=font,
            va="center",
            annotation_clip=False,
            arrowprops={**leader, "relpos": (0, 0.5), "linestyle": dashes[i]} if dashes and has_lines else None,
        )


def spread(values: Sequence[float], step: float, low: float, high: float) -> list[float]:
    """Return positions from low to high, in the order of the values and at least `step` apart, that are as near to
    them as possible in the mean. Positions that touch are centered on their values.

    >>> spread([0.5, 0.52, 0.9], 0.1, 0.0, 1.0)
    [0.46, 0.56, 0.9]
    """
    order = np.argsort(values, kind="stable")
    # Groups of touching positions: the position of the first one, and the number of positions.
    groups: list[tuple[float, int]] = []
    for value in np.asarray(values, float)[order].tolist():
        first, count = value, 1
        while groups and groups[-1][0] + groups[-1][1] * step > first:
            before, size = groups.pop()
            # The mean of the values minus their offsets in the merged group.
            first = (before * size + (first - size * step) * count) / (size + count)
            count += size
        groups.append((first, count))
    places = np.array([first + i * step for first, count in groups for i in range(count)])
    # Move those that are outside back, without changing their order.
    lows, highs = low + step * np.arange(len(places)), high - step * np.arange(len(places))[::-1]
    result = np.empty(len(places))
    result[order] = np.clip(places, lows, highs)
    return [round(float(place), 12) for place in result]
