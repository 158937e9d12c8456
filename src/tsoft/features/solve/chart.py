"""The temperatures that reach a target, the distributions there, and the curve of the measure."""

from collections.abc import Iterator

import numpy as np

from tsoft.charts import distribution_table
from tsoft.charts.curves import chart_text, curve_chart, measure_limits, measure_title, surrounding_taus
from tsoft.charts.style import tau_text
from tsoft.charts.view import View
from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import shortened, visible
from tsoft.features.solve.target import SolvedRow, Target
from tsoft.sampling.apply_chains import compute_distributions, distribution_pieces
from tsoft.sampling.distributions import measure_unit

# The curve reaches temperatures this many times colder and hotter than the solutions.
REACH = 30.0
POINTS = 121


def draw(block: Block, solved: SolvedRow, view: View) -> Iterator[str]:
    """Yield the parts of a row's solution."""
    target = solved.target
    taus = np.array(solved.solution.taus)
    name = visible(target.name)
    answer = f" {target.value:g}: " + (", ".join(map(tau_text, solved.solution.taus)) or "no temperature")
    yield shortened(name, max(4, view.screen.width - len(answer))) + answer + "\n"
    if len(taus):
        yield "\n" + distribution_table.draw([compute_distributions(block, taus)], view)
    else:
        yield f"{solved.reason}\n"
    grid = surrounding_taus(taus, REACH, POINTS)
    if not grid[0] < grid[-1]:
        return
    inside = taus[(taus > 0) & (taus < np.inf)]
    grid = np.union1d(grid, inside[(inside > grid[0]) & (inside < grid[-1])])
    values = measure_values(block, grid, target, view)
    if values is None:
        return
    names, curves = [name], values[:, np.newaxis]
    if len(inside):
        # The second curve shows only the solutions; the first curve has a gap around each.
        is_solution = np.isin(grid, inside)
        gap = is_solution | np.roll(is_solution, 1) | np.roll(is_solution, -1)
        names = [name, "target"]
        curves = np.column_stack([np.where(gap, np.nan, values), np.where(is_solution, values, np.nan)])
    title = measure_title("entropy", view) if target.measure == "entropy" else name
    limits = measure_limits(target.measure)
    chart = curve_chart(names, grid, curves, view.screen, height=14, log=True, title=title, limits=limits)
    view.legend.add(name)
    yield "\n" + chart_text(chart, view)


def measure_values(block: Block, taus: Array, target: Target, view: View) -> Array | None:
    """Return the measure, or the probability of the class, at each temperature; None if the row lacks the class."""
    if target.measure != "prob":
        values = getattr(compute_distributions(block, taus), target.measure)[:, 0]
        return np.asarray(values / measure_unit(target.measure, view.bits))
    index = target.index(block)
    if index is None:
        return None
    return np.concatenate([piece.probs[:, 0, index] for piece in distribution_pieces(block, taus)])
