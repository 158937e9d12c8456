"""A sweep as charts: the probabilities as curves or a heat map, the curve of a measure, and a table of a few
temperatures."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tsoft.charts import distribution_table
from tsoft.charts.curves import MAX_CURVES, chart_text, curve_chart, listed_part, measure_limits, measure_title
from tsoft.charts.heatmap import heatmap
from tsoft.charts.style import evenly_spaced
from tsoft.charts.view import ClassSelection, View
from tsoft.core.softmax import Array
from tsoft.errors import shortened
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.distributions import Distributions, descending_order, max_probs, measure_unit

# A heat map has room for at least this many classes.
HEATMAP_CLASSES = 20


def draw(result: Distributions, view: View, measure: str, as_heatmap: bool, log: bool, chart: bool) -> Iterator[str]:
    """Yield the parts of one row's sweep, each as soon as it is drawn; without `chart`, only the table."""
    taus = np.unique(result.taus)
    result = replace(result, taus=taus)
    if chart:
        yield (_heatmap if as_heatmap else _curves)(result, view, log) + "\n"
        yield _measure(result, view, measure, log) + "\n"
    yield distribution_table.draw([replace(result, taus=taus[evenly_spaced(len(taus))])], view)


def most_probable(result: Distributions, count: int) -> tuple[list[str], Array]:
    """Return the names and the probabilities, (k, classes), of the `count` most probable classes and of a rest.

    The temperatures are processed in pieces, so that only these probabilities are kept in memory.
    """
    logits = result.block.logits[0]
    # A few temperatures suffice: the ranking changes little between them.
    subset = replace(result, taus=result.taus[evenly_spaced(len(result.taus))])
    order = descending_order(logits, max_probs([subset]))
    selection = ClassSelection(order[:count], order[count:])
    pieces = distribution_pieces(result.block, result.taus, [result.chain])
    probs = np.concatenate([selection.values(piece.probs[:, 0]) for piece in pieces])
    return selection.labels(result.block.names, "{} more"), probs


def _curves(result: Distributions, view: View, log: bool) -> str:
    names, probs = most_probable(result, MAX_CURVES)
    rest, limits, title = len(names) > MAX_CURVES, (0.0, 1.0), f"probability{listed_part(result)}"
    chart = curve_chart(
        names, result.taus, probs, view.screen, height=20, title=title, log=log, limits=limits, rest=rest
    )
    if rest:
        view.legend.add("more")
    return chart_text(chart, view)


def _heatmap(result: Distributions, view: View, log: bool) -> str:
    count = max(view.show, HEATMAP_CLASSES)
    names, probs = most_probable(result, count)
    view.legend.add("shades", *["more"] * (len(names) > count))
    chart = heatmap(names, result.taus, probs, width=view.screen.width, color=view.screen.color, log=log)
    if part := listed_part(result):
        chart = shortened(f"probability{part}", view.screen.width) + "\n" + chart
    return chart


def _measure(result: Distributions, view: View, measure: str, log: bool) -> str:
    values = getattr(result, measure) / measure_unit(measure, view.bits)
    name = measure.replace("_", "-")
    title = measure_title(measure, view, result.block.ensemble) + listed_part(result)
    limits = measure_limits(measure)
    view.legend.add(name)
    chart = curve_chart([name], result.taus, values, view.screen, height=10, log=log, title=title, limits=limits)
    return chart_text(chart, view)
