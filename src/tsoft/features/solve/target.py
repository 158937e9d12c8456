"""The target of `tsoft solve`, and a row's solution."""

from dataclasses import dataclass
from typing import Any

from tsoft.core.block import Block
from tsoft.core.solve import Solution
from tsoft.options.class_names import class_index
from tsoft.sampling.distributions import measure_unit


@dataclass(frozen=True)
class Target:
    """The `value` that a measure should reach; an entropy is in `bits` or nats. The measure `prob` is the probability
    of the class that `label` names."""

    measure: str
    value: float
    label: str = ""
    bits: bool = False

    @property
    def name(self) -> str:
        """The name of the measure as in the options, with the class."""
        return self.column.replace("_", "-") if self.measure != "prob" else self.column

    @property
    def column(self) -> str:
        """The name of the measure as in the columns of other commands, with the class."""
        return self.measure if self.measure != "prob" else f"prob {self.label}"

    @property
    def unit(self) -> float:
        """The unit of `value`, in the core's units."""
        return measure_unit(self.measure, self.bits)

    def index(self, block: Block) -> int | None:
        """Return the index of the class in a block; None for another measure, or if a later row lacks the class."""
        return class_index(block, self.label, "--prob") if self.measure == "prob" else None

    def solutions(self, block: Block) -> list[Solution]:
        """Return the solutions of a block's rows."""
        from tsoft.core.solve import SOLVERS, solve_prob

        if self.measure != "prob":
            return SOLVERS[self.measure](block.logits, self.value * self.unit)
        index = self.index(block)
        if index is None:
            return [Solution((), (), f"this row has no class {self.label!r}")] * len(block.logits)
        return solve_prob(block.logits, index, self.value)


@dataclass(frozen=True)
class SolvedRow:
    """A row's solution for a target."""

    row: int
    target: Target
    solution: Solution

    @property
    def reached(self) -> list[float]:
        """The measure at each of the temperatures, in its unit."""
        return [reached / self.target.unit for reached in self.solution.reached]

    def fields(self) -> dict[str, Any]:
        """Return the fields of a JSON object."""
        return {
            "measure": self.target.column,
            "target": self.target.value,
            "taus": self.solution.taus,
            "reached": self.reached,
            "reason": self.reason,
        }

    @property
    def reason(self) -> str | None:
        """The reason why there is no solution, in the core's units, which are named if the target has other units."""
        size = self.target.unit
        units = "" if size == 1 else f" (in nats; 1 bit is {size:.4f} nats)"
        return self.solution.reason and self.solution.reason + units
