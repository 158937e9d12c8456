"""The result of `tsoft solve`: the temperatures at which each row reaches the target."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.block import Block
from tsoft.features.solve.target import SolvedRow, Target
from tsoft.notes import note
from tsoft.options.result import Result
from tsoft.output.records import Column, Records
from tsoft.output.row_keys import ID, id_field

if TYPE_CHECKING:
    from tsoft.charts.view import View


class SolveResult(Result):
    """The solutions of the blocks' rows, to be written in a `format`. A table shows `rows` rows."""

    def __init__(self, blocks: Iterable[Block], target: Target, format: str, rows: int):
        self._blocks, self._target, self._format, self._rows = blocks, target, format, rows
        self.has_unsolved = False

    def _solved(self) -> Iterator[tuple[Block, list[SolvedRow]]]:
        """Yield the blocks with the solutions of their rows, and print a note for each row without a solution."""
        for block in self._blocks:
            solutions = zip(block.rows, self._target.solutions(block), strict=True)
            rows = [SolvedRow(row, self._target, solution) for row, solution in solutions]
            for row in rows:
                if row.reason:
                    self.has_unsolved = True
                    note(f"row {row.row}: {row.reason}")
            yield block, rows

    def records(self) -> Iterator[Records]:
        """Yield, for tsv, one line per row with its solutions from cold to hot; for csv, one line per solution. A row
        without a solution has NaN."""
        for block, rows in self._solved():
            yield Records(_by_row(rows) if self._format == "tsv" else _by_solution(block, rows))

    def objects(self) -> Iterator[Iterable[dict[str, Any]]]:
        for block, rows in self._solved():
            yield (
                {
                    "row": row.row,
                    **id_field(block, row.row - block.first_row),
                    "measure": row.target.name,
                    "target": row.target.value,
                    "taus": row.solution.taus,
                    "reached": row.reached,
                    "reason": row.reason,
                }
                for row in rows
            )

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.charts.row_report import DrawRow, each_row
        from tsoft.features.solve.chart import draw

        def row_drawer(solved: list[SolvedRow]) -> DrawRow:
            return lambda block, index: draw(block, solved[index], view)

        yield from each_row(((block, row_drawer(solved)) for block, solved in self._solved()), self._rows)


def _by_row(rows: list[SolvedRow]) -> list[Column]:
    widths = np.array([max(1, len(row.solution.taus)) for row in rows])
    taus = np.full((len(rows), widths.max()), np.nan)
    for line, row in zip(taus, rows, strict=True):
        line[: len(row.solution.taus)] = row.solution.taus
    return [Column("tau", taus, labels=[], widths=widths)]


def _by_solution(block: Block, rows: list[SolvedRow]) -> list[Column]:
    records = [
        (row.row, row.target.name, row.target.value, tau, reached)
        for row in rows
        for tau, reached in zip(row.solution.taus or [np.nan], row.reached or [np.nan], strict=True)
    ]
    names = ("row", "measure", "target", "tau", "reached")
    row, *others = (Column(name, values) for name, values in zip(names, zip(*records, strict=True), strict=True))
    keys = None if block.keys is None else [block.keys[index - block.first_row] for index in row.values]
    return [row, *([] if keys is None else [Column(ID, keys)]), *others]
