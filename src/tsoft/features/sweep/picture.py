"""The options for drawing a sweep."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SweepPicture:
    """The options for drawing a sweep: the numbers of rows and of classes, whether to draw charts, whether a `heatmap`
    replaces the curves, and whether the axis of temperatures is logarithmic (`is_log`)."""

    rows: int = 3
    classes: int | None = None
    chart: bool = True
    heatmap: bool = False
    is_log: bool = True
