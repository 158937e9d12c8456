"""A row of an API response, and the range of temperatures at which it may reach a target."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.partial_solve import TemperatureRange, top_prob_range
from tsoft.features.solve.target import SolvedRow, Target
from tsoft.options.response_notes import require_whole
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View


@dataclass(frozen=True)
class BoundedRow:
    """A row, and the temperatures at which its most probable token, at `index`, may have the probability of the
    target."""

    row: int
    target: Target
    index: int
    taus: TemperatureRange

    @property
    def reason(self) -> str | None:
        """The reason why no temperature reaches the target."""
        return self.taus.reason

    def records(self) -> Records:
        keys = {"row": self.row, "measure": self.target.column, "target": self.target.value}
        ends = {"tau_low": self.taus.low, "tau_high": self.taus.high}
        return Records(
            [
                *(Column(name, [value], In.CSV | In.JSON) for name, value in keys.items()),
                *(Column(name, np.array([value])) for name, value in ends.items()),
            ]
        )

    def fields(self) -> dict[str, Any]:
        """Return the fields of a JSON object."""
        return {
            "measure": self.target.column,
            "target": self.target.value,
            "tau_low": self.taus.low,
            "tau_high": self.taus.high,
            "reason": self.reason,
        }

    def draw(self, block: Block, view: "View") -> Iterator[str]:
        """Yield the range, and the distributions at its ends."""
        from tsoft.charts import distribution_table
        from tsoft.charts.style import tau_text
        from tsoft.errors import visible
        from tsoft.sampling.apply_chains import compute_distributions

        if self.reason:
            yield f"{visible(self.target.name)} {self.target.value:g}: no temperature\n{self.reason}\n"
            return
        ends = f"{tau_text(self.taus.low)} to {tau_text(self.taus.high)}"
        yield f"{visible(self.target.name)} {self.target.value:g}: from {ends}\n"
        taus = np.unique([self.taus.low, self.taus.high])
        yield "\n" + distribution_table.draw([compute_distributions(block, taus)], view)


SolveRow = SolvedRow | BoundedRow


def bounded_row(block: Block, target: Target) -> BoundedRow:
    """Return the row of a block with a partial distribution.

    Raise UsageError if the target is not the probability of a token that is certainly the most probable one, because
    there are no bounds on other measures.
    """
    partial = block.partial
    assert partial
    top = int(np.nanargmax(partial.logprobs))
    index = target.index(block) if target.measure == "prob" else top
    if target.measure not in ("prob", "top_prob") or index != top or partial.rank_of(top) != 1:
        require_whole(block)
    return BoundedRow(block.first_row, target, top, top_prob_range(partial, top, target.value))
