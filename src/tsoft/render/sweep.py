"""A sweep as charts: a curve a class, a measure under it, and a table at a few temperatures."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.average import Averages
from tsoft.core.block import Distributions, distributions, falling, highest, unit
from tsoft.core.temperature import Array
from tsoft.errors import visible
from tsoft.render import curves, heatmap, table
from tsoft.render.style import few, number_text, tau_text
from tsoft.render.table import text_tables
from tsoft.render.view import View

if TYPE_CHECKING:
    from tsoft.core.boltzmann import Ensemble

# More curves than this cannot be told apart; of more classes the rest are one curve.
CURVES = 8
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
    yield table.draw([replace(result, taus=taus[few(len(taus))])], 0, view)


def _shown(result: Distributions, most: int) -> tuple[list[str], Array]:
    """The most probable classes' names and probabilities, (k, classes), and the rest summed. The
    temperatures are worked through in pieces, so that no more than what is shown is kept."""
    logits = result.block.logits[0]
    # At a handful of temperatures: which are the most probable moves little between them.
    some = replace(result, taus=result.taus[few(len(result.taus))])
    ranked = falling(logits, highest([some], 0))
    order, rest = ranked[:most], ranked[most:]
    every = result.block.names

    def chosen(piece: Distributions) -> Array:
        probs = piece.probs[:, 0]
        return np.column_stack([probs[:, order], probs[:, rest].sum(1)])

    probs = np.concatenate([chosen(piece) for piece in distributions(result.block, result.taus, [result.chain])])
    names = [visible(every[i]) for i in order]
    return ([*names, f"{len(rest)} more"], probs) if len(rest) else (names, probs[:, :-1])


def _curves(result: Distributions, view: View, log: bool) -> str:
    names, probs = _shown(result, CURVES)
    rest = len(names) > CURVES
    return drawn_curves(names, result.taus, probs, view, 20, log, "probability", rest=rest)


def drawn_curves(
    names: list[str],
    taus: Array,
    values: Array,
    view: View,
    height: int,
    log: bool,
    title: str,
    *,
    rest: bool = False,
    limits: tuple[float, float] | None = None,
) -> str:
    """Curves on the view's screen, in colours of classes where it takes colours. A mean and its
    deviation may pass what a probability can be, which is the chart's limit, if there is no other."""
    screen = view.screen
    colors = curves.class_colors(len(names), rest=rest) if screen.color else None
    if limits is None and title in ("probability", "top-prob", "margin"):
        limits = (0.0, 1.0)
    chart = curves.curves(
        names,
        taus,
        values,
        width=screen.width,
        height=height,
        log=log,
        colors=colors,
        title=title,
        limits=limits,
    )
    return str(chart)


def _heatmap(result: Distributions, view: View, log: bool) -> str:
    names, probs = _shown(result, max(view.show, HEATED))
    return heatmap.heatmap(names, result.taus, probs, width=view.screen.width, color=view.screen.color, log=log)


def _measure(result: Distributions, view: View, measure: str, log: bool) -> str:
    values = getattr(result, measure) / unit(measure, view.bits)
    title = titled(measure, view, result.block.ensemble)
    return drawn_curves([measure.replace("_", "-")], result.taus, values, view, 10, log, title)


def titled(measure: str, view: View, ensemble: "Ensemble | None" = None) -> str:
    """What a measure is called, with the unit that it is in where it has one."""
    energy = ensemble.units[0] if ensemble else ""
    units = {"entropy": "bits" if view.bits else "nats", "free_energy": energy, "mean_energy": energy}
    unit = units.get(measure, "")
    return measure.replace("_", "-") + (f" ({unit})" if unit else "")


def draw_mean(
    found: Averages, view: View, measure: str, log: bool, ensemble: "Ensemble | None" = None
) -> Iterator[str]:
    """The mean of a measure over the rows with a standard deviation on either side, and a table of
    the means of all measures at a few temperatures."""
    order = np.argsort(found.taus)
    average = found.of[measure]
    band = np.stack([average.mean + average.deviation, average.mean, average.mean - average.deviation], axis=1)
    names = ["mean + sd", "mean", "mean - sd"]
    values = band[order] / unit(measure, view.bits)
    yield drawn_curves(names, found.taus[order], values, view, 16, log, titled(measure, view, ensemble)) + "\n"
    yield _means(found, view, ensemble)


def _means(found: Averages, view: View, ensemble: "Ensemble | None") -> str:
    """The table of means; temperatures that do not fit go on in a further one."""
    names = [f"{found.rows} row{'s' * (found.rows != 1)}", *(titled(name, view, ensemble) for name in found.of)]
    columns = [_mean_column(found, t, view, ensemble) for t in few(len(found.taus))]
    widest = max(len(text) for column in columns for text in column)
    rows = zip(names, *([text.ljust(widest) for text in column] for column in columns), strict=True)
    return text_tables(list(rows), view.screen)


def _mean_column(found: Averages, t: int, view: View, ensemble: "Ensemble | None") -> list[str]:
    """A temperature, and each measure's mean and standard deviation there."""
    cells = [tau_text(float(found.taus[t]), ensemble.units[1] if ensemble else "")]
    for name, average in found.of.items():
        mean, deviation = (float(value[t]) / unit(name, view.bits) for value in (average.mean, average.deviation))
        cells.append(f"{number_text(mean)} ± {number_text(deviation)}")
    return cells
