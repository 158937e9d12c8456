"""What `tsoft solve` found: the temperatures at which each row reaches the target."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.solve import Solution
from tsoft.core.solve import solve_prob as prob_solutions
from tsoft.notes import note
from tsoft.options.class_names import index_of
from tsoft.output.records import Column, Records, Result
from tsoft.sampling.distributions import unit

if TYPE_CHECKING:
    from tsoft.charts.view import View


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
        return unit(self.measure, self.bits)

    def index(self, block: Block) -> int | None:
        """The class in a block; None for another measure, and where a later row lacks it."""
        return index_of(block, self.label, "--prob") if self.measure == "prob" else None

    def solutions(self, block: Block) -> list[Solution]:
        """The solutions of a block's rows."""
        from tsoft.core import solve

        if self.measure != "prob":
            solutions: list[Solution] = getattr(solve, f"solve_{self.measure}")(block.logits, self.value * self.unit)
            return solutions
        index = self.index(block)
        if index is None:
            return [Solution((), (), f"no class of this row is called {self.label!r}")] * len(block.logits)
        return prob_solutions(block.logits, index, self.value)


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


class SolveResult(Result):
    """The solutions of the blocks' rows. A table has `rows` of them; `format` is what they are written in."""

    def __init__(self, blocks: Iterable[Block], target: Target, format: str, rows: int):
        self._blocks, self._target, self._format, self._rows = blocks, target, format, rows
        self.has_unsolved = False

    def _solved(self) -> Iterator[tuple[Block, list[SolvedRow]]]:
        """The blocks with the solutions of their rows, each row without one noted."""
        for block in self._blocks:
            solutions = self._target.solutions(block)
            rows = [
                SolvedRow(*pair) for pair in zip(block.rows, [self._target] * len(solutions), solutions, strict=True)
            ]
            for row in rows:
                if row.reason:
                    self.has_unsolved = True
                    note(f"row {row.row}: {row.reason}")
            yield block, rows

    def records(self) -> Iterator[Records]:
        """In tsv a line for each row, from cold to hot; in csv a line for each solution. NaN stands where there is
        none."""
        for _, rows in self._solved():
            yield Records(_by_row(rows) if self._format == "tsv" else _by_solution(rows))

    def objects(self) -> Iterator[Iterable[dict[str, Any]]]:
        for _, rows in self._solved():
            yield (
                {
                    "row": row.row,
                    "measure": row.target.name,
                    "target": row.target.value,
                    "taus": row.solution.taus,
                    "reached": row.reached,
                    "reason": row.reason,
                }
                for row in rows
            )

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.charts.row_report import each_row
        from tsoft.features.solve.chart import draw

        solved: dict[int, SolvedRow] = {}

        def blocks() -> Iterator[Block]:
            for block, rows in self._solved():
                solved.clear()
                solved.update({row.row: row for row in rows})
                yield block

        return each_row(blocks(), self._rows, lambda block: draw(block, solved[block.first_row], view))


def _by_row(rows: list[SolvedRow]) -> list[Column]:
    widths = np.array([max(1, len(row.solution.taus)) for row in rows])
    taus = np.full((len(rows), widths.max()), np.nan)
    for line, row in zip(taus, rows, strict=True):
        line[: len(row.solution.taus)] = row.solution.taus
    return [Column("tau", taus, labels=[], widths=widths)]


def _by_solution(rows: list[SolvedRow]) -> list[Column]:
    pairs = [
        (row, tau, reached)
        for row in rows
        for tau, reached in zip(row.solution.taus or [np.nan], row.reached or [np.nan], strict=True)
    ]
    return [
        Column("row", [row.row for row, _, _ in pairs]),
        Column("measure", [row.target.name for row, _, _ in pairs]),
        Column("target", [row.target.value for row, _, _ in pairs]),
        Column("tau", np.array([tau for _, tau, _ in pairs])),
        Column("reached", np.array([reached for _, _, reached in pairs])),
    ]
