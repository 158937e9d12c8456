"""The target that a distribution is to reach, and a row's solution for it."""

from dataclasses import dataclass

from tsoft.core.block import Block
from tsoft.core.solve import Solution
from tsoft.options.class_names import class_index
from tsoft.sampling.distributions import measure_unit


@dataclass(frozen=True)
class Target:
    """A `value` that a measure is to reach, an entropy in `bits` or nats. The measure `prob` is the probability of the
    class that `label` names."""

    measure: str
    value: float
    label: str = ""
    bits: bool = False

    @property
    def name(self) -> str:
        return self.measure.replace("_", "-") if self.measure != "prob" else f"prob {self.label}"

    @property
    def unit(self) -> float:
        """What the measure is written in, in the core's units."""
        return measure_unit(self.measure, self.bits)

    def index(self, block: Block) -> int | None:
        """The class in a block; None for another measure, and where a later row lacks it."""
        return class_index(block, self.label, "--prob") if self.measure == "prob" else None

    def solutions(self, block: Block) -> list[Solution]:
        """The solutions of a block's rows."""
        from tsoft.core import solve

        if self.measure != "prob":
            solutions: list[Solution] = getattr(solve, f"solve_{self.measure}")(block.logits, self.value * self.unit)
            return solutions
        index = self.index(block)
        if index is None:
            return [Solution((), (), f"no class of this row is called {self.label!r}")] * len(block.logits)
        return solve.solve_prob(block.logits, index, self.value)


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

    @property
    def reason(self) -> str | None:
        """Why there is no solution, in the core's units, which it names where they are not the target's."""
        size = self.target.unit
        units = "" if size == 1 else f" (in nats; a bit is {size:.4f} of them)"
        return self.solution.reason and self.solution.reason + units
