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
from tsoft.features.solve.target import SolvedRow
from tsoft.sampling.apply_chains import compute_distributions, distribution_pieces
from tsoft.sampling.distributions import measure_unit

# The curve reaches temperatures this many times colder and hotter than the solutions.
_REACH = 30.0
_POINTS = 121


def draw(block: Block, solved: SolvedRow, view: View) -> Iterator[str]:
    """Yield the parts of a row's solution."""
    target = solved.target
    column, index = target.measure, target.index(block)
    taus = np.array(solved.solution.taus)
    name = visible(target.name)
    answer = f" {target.value:g}: " + (", ".join(map(tau_text, solved.solution.taus)) or "no temperature")
    yield shortened(name, max(4, view.screen.width - len(answer))) + answer + "\n"
    if len(taus):
        yield "\n" + distribution_table.draw([compute_distributions(block, taus)], view)
    else:
        yield f"{solved.reason}\n"
    grid = surrounding_taus(taus, _REACH, _POINTS)
    if not grid[0] < grid[-1]:
        return
    inside = taus[(taus > 0) & (taus < np.inf)]
    grid = np.union1d(grid, inside[(inside > grid[0]) & (inside < grid[-1])])
    values = _values(block, grid, column, index) / measure_unit(column, view.bits)
    names, curves = [name], values[:, np.newaxis]
    if len(inside):
        # The second curve shows only the solutions; the first curve has a gap around each.
        is_solution = np.isin(grid, inside)
        gap = is_solution | np.roll(is_solution, 1) | np.roll(is_solution, -1)
        names = [name, "target"]
        curves = np.column_stack([np.where(gap, np.nan, values), np.where(is_solution, values, np.nan)])
    title = measure_title("entropy", view) if column == "entropy" else name
    limits = measure_limits(column)
    chart = curve_chart(names, grid, curves, view.screen, height=14, log=True, title=title, limits=limits)
    view.legend.add(name)
    yield "\n" + chart_text(chart, view)


def _values(block: Block, taus: Array, column: str, index: int | None) -> Array:
    """Return the measure, or the probability of the class, at each temperature."""
    if index is None:
        return np.asarray(getattr(compute_distributions(block, taus), column)[:, 0])
    return np.concatenate([piece.probs[:, 0, index] for piece in distribution_pieces(block, taus)])
