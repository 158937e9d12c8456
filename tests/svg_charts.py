"""Read the texts, bars, curves and bands of a figure back from its SVG, in the units of its axes."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from figure_charts import Chart, Points

SVG = "{http://www.w3.org/2000/svg}"


def texts(file: Path) -> list[str]:
    """Return the lines of text of a figure."""
    return ["".join(text.itertext()) for text in ElementTree.parse(file).iter(f"{SVG}text")]


def names_beside_places(file: Path) -> list[list[tuple[float, float]]]:
    """Return the vertical positions and the sizes in points of the names beside each vertical axis, from the top."""
    columns: dict[str, list[tuple[float, float]]] = {}
    for text in ElementTree.parse(file).iter(f"{SVG}text"):
        style = text.get("style", "")
        size = re.search(r"([\d.]+)px", style)
        if "text-anchor: end" in style and "rotate(-0" in text.get("transform", "") and size:
            columns.setdefault(text.get("x", ""), []).append((float(text.get("y", "")), float(size[1])))
    return [sorted(column) for column in columns.values()]


def charts(file: Path, *, log: bool = False) -> list[Chart]:
    """Return the charts of a figure; with `log`, their horizontal axes are logarithmic."""
    groups = ElementTree.parse(file).iter(f"{SVG}g")
    return [_chart(group, log) for group in groups if re.fullmatch(r"axes_\d+", group.get("id", ""))]


def _chart(axes: ElementTree.Element, log: bool) -> Chart:
    parts = [(group.get("id", ""), group) for group in axes.findall(f"{SVG}g")]
    x, y = (_scale(axes, name, log and name == "x") for name in "xy")

    def groups(*kind: str) -> list[ElementTree.Element]:
        return [group for id, group in parts if id.startswith(kind)]

    def paths(kind: str) -> list[ElementTree.Element]:
        return [path for group in groups(kind) for path in group.findall(f"{SVG}path")]

    def in_units(points: Points) -> Points:
        horizontal = points[:, 0] * x[0] + x[1]
        return np.column_stack([10**horizontal if log else horizontal, points[:, 1] * y[0] + y[1]])

    # Before matplotlib 3.10, the group of a band had the other name.
    curves = [in_units(_points(path)) for path in paths("line2d")]
    bands = [in_units(_used_points(group)) for group in groups("FillBetween", "PolyCollection")]
    # The background and the frame are not clipped.
    bars = [float(np.ptp(in_units(_points(path))[:, 0])) for path in paths("patch") if path.get("clip-path")]
    # A line with two ends is a reference or a target.
    return Chart([curve for curve in curves if len(curve) > 2], bands, bars)


def _points(path: ElementTree.Element) -> Points:
    numbers = [float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", path.get("d", ""))]
    return np.array(numbers).reshape(-1, 2)


def _used_points(group: ElementTree.Element) -> Points:
    """Return the points of a path that is defined once, and used at a place."""
    path, use = group.find(f".//{SVG}path"), group.find(f".//{SVG}use")
    assert path is not None
    assert use is not None
    return _points(path) + [float(use.get(name, "0")) for name in "xy"]


def _scale(axes: ElementTree.Element, name: str, log: bool) -> tuple[float, float]:
    """Return the slope and the intercept from points to the units of an axis, or to their logarithms."""
    places, values = [], []
    for tick in (group for group in axes.iter(f"{SVG}g") if group.get("id", "").startswith(f"{name}tick_")):
        mark, text = tick.find(f".//{SVG}use"), tick.find(f".//{SVG}text")
        if mark is not None and text is not None:
            try:
                value = float("".join(text.itertext()).replace("−", "-"))
            except ValueError:
                continue
            places.append(float(mark.get(name, "")))
            values.append(math.log10(value) if log else value)
    if len(places) < 2:
        return 1.0, 0.0
    slope, intercept = np.polyfit(places, values, 1)
    return float(slope), float(intercept)
