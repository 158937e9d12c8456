"""The temperature that was asked for: what it is, the distribution there, and the curve it lies on."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tsoft.charts import table
from tsoft.charts.curves import drawn_curves, titled
from tsoft.charts.style import cut, tau_text
from tsoft.charts.view import View
from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import visible
from tsoft.sampling.apply_chains import distributions
from tsoft.sampling.distributions import Distributions, unit

if TYPE_CHECKING:
    from tsoft.features.solve.result import SolvedRow

# The curve is drawn this many times colder and hotter than the solutions.
AROUND = 30.0
POINTS = 121


def draw(block: Block, solved: "SolvedRow", view: View) -> Iterator[str]:
    """The parts of a row's answer."""
    target = solved.target
    column, index = target.measure, target.index(block)
    taus = np.array(solved.solution.taus)
    found = f" {target.value:g}: " + (", ".join(map(tau_text, solved.solution.taus)) or "no temperature")
    yield cut(visible(target.name), max(4, view.screen.width - len(found))) + found + "\n"
    if len(taus):
        yield "\n" + table.draw([Distributions(block, taus)], 0, view)
    else:
        yield f"{solved.reason}\n"
    inside = taus[(taus > 0) & (taus < np.inf)]
    low, high = (inside.min(), inside.max()) if len(inside) else (1.0, 1.0)
    # Beyond these the steps of the grid and of the axis would overflow.
    ends = max(low, 1e-290) / AROUND, min(high, 1e290) * AROUND
    if not ends[0] < ends[1]:
        return
    grid = np.union1d(np.geomspace(*ends, POINTS), inside[(inside > ends[0]) & (inside < ends[1])])
    values = _values(block, grid, column, index) / unit(column, view.bits)
    names = [visible(target.name)]
    if len(inside):
        # A curve of its own that is only where the solutions are, where the other leaves it room.
        asked = np.isin(grid, inside)
        beside = asked | np.roll(asked, 1) | np.roll(asked, -1)
        values = np.column_stack([np.where(beside, np.nan, values), np.where(asked, values, np.nan)])
        names.append("asked")
    else:
        values = values[:, np.newaxis]
    yield "\n" + drawn_curves(names, grid, values, view, 14, True, _title(solved, view))


def _title(solved: "SolvedRow", view: View) -> str:
    return titled("entropy", view) if solved.target.name == "entropy" else visible(solved.target.name)


def _values(block: Block, taus: Array, column: str, index: int | None) -> Array:
    """The measure, or the probability of the class, at each temperature."""
    if index is None:
        return np.asarray(getattr(Distributions(block, taus), column)[:, 0])
    return np.concatenate([piece.probs[:, 0, index] for piece in distributions(block, taus)])
