"""A sweep as charts: a curve a class, a measure under it, and a table at a few temperatures."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.charts import heatmap, table
from tsoft.charts.curves import CURVES, drawn_curves, titled
from tsoft.charts.style import evenly_spaced
from tsoft.charts.view import View
from tsoft.core.softmax import Array
from tsoft.errors import visible
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.distributions import Distributions, descending_order, max_probs, measure_unit

if TYPE_CHECKING:
    pass

HEATED = 20


def draw(result: Distributions, view: View, measure: str, as_heatmap: bool, log: bool, chart: bool) -> Iterator[str]:
    """The parts of one row's sweep, each as it is drawn. Without `chart` there is only the table."""
    taus = np.unique(result.taus)
    result = replace(result, taus=taus)
    if chart:
        if as_heatmap:
            yield _heatmap(result, view, log) + "\n"
        else:
            yield _curves(result, view, log) + "\n"
        yield _measure(result, view, measure, log) + "\n"
    yield table.draw([replace(result, taus=taus[evenly_spaced(len(taus))])], 0, view)


def _shown(result: Distributions, most: int) -> tuple[list[str], Array]:
    """The most probable classes' names and probabilities, (k, classes), and the rest summed. The
    temperatures are worked through in pieces, so that no more than what is shown is kept."""
    logits = result.block.logits[0]
    # At a handful of temperatures: which are the most probable moves little between them.
    some = replace(result, taus=result.taus[evenly_spaced(len(result.taus))])
    ranked = descending_order(logits, max_probs([some], 0))
    order, rest = ranked[:most], ranked[most:]
    every = result.block.names

    def chosen(piece: Distributions) -> Array:
        probs = piece.probs[:, 0]
        return np.column_stack([probs[:, order], probs[:, rest].sum(1)])

    probs = np.concatenate([chosen(piece) for piece in distribution_pieces(result.block, result.taus, [result.chain])])
    names = [visible(every[i]) for i in order]
    return ([*names, f"{len(rest)} more"], probs) if len(rest) else (names, probs[:, :-1])


def _curves(result: Distributions, view: View, log: bool) -> str:
    names, probs = _shown(result, CURVES)
    rest = len(names) > CURVES
    return drawn_curves(names, result.taus, probs, view, 20, log, "probability", rest=rest)


def _heatmap(result: Distributions, view: View, log: bool) -> str:
    names, probs = _shown(result, max(view.show, HEATED))
    return heatmap.heatmap(names, result.taus, probs, width=view.screen.width, color=view.screen.color, log=log)


def _measure(result: Distributions, view: View, measure: str, log: bool) -> str:
    values = getattr(result, measure) / measure_unit(measure, view.bits)
    title = titled(measure, view, result.block.ensemble)
    return drawn_curves([measure.replace("_", "-")], result.taus, values, view, 10, log, title)
