"""The result of `tsoft solve`: the temperatures at which each row reaches the target."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.block import Block
from tsoft.features.solve.bounded_row import BoundedRow, SolveRow, bounded_row
from tsoft.features.solve.target import SolvedRow, Target
from tsoft.notes import note
from tsoft.options.result import Result
from tsoft.output.records import Column, Records
from tsoft.output.row_keys import ID, id_field

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


Solved = tuple[Block, Sequence[SolveRow]]


def solved_blocks(blocks: Iterable[Block], target: Target) -> Iterator[Solved]:
    """Yield the blocks with the solutions of their rows, and print a note for each row without a solution."""
    is_noted = False
    for block in blocks:
        rows = _rows_of(block, target)
        if isinstance(rows[0], BoundedRow) and not is_noted:
            is_noted = True
            note(f"row {rows[0].row}: τ is between two bounds, because the response lists only part of the tokens")
        for row in rows:
            if row.reason:
                note(f"row {row.row}: {row.reason}")
        yield block, rows


def _rows_of(block: Block, target: Target) -> Sequence[SolveRow]:
    if block.partial is not None and block.partial.unlisted != 0:
        return [bounded_row(block, target)]
    solutions = zip(block.rows, target.solutions(block), strict=True)
    return [SolvedRow(row, target, solution) for row, solution in solutions]


class SolveResult(Result):
    """The solutions of the blocks' rows, to be written in a `format`. A table shows `rows` rows."""

    def __init__(self, solved: Iterable[Solved], format: str, rows: int):
        self._all, self._format, self._rows = solved, format, rows
        self.has_unsolved = False

    def _solved(self) -> Iterator[Solved]:
        for block, rows in self._all:
            self.has_unsolved |= any(row.reason for row in rows)
            yield block, rows

    def records(self) -> Iterator[Records]:
        """Yield, for tsv, one line per row with its solutions from cold to hot; for csv, one line per solution. A row
        without a solution has NaN."""
        for block, rows in self._solved():
            if isinstance(rows[0], BoundedRow):
                yield rows[0].records()
                continue
            solved = [row for row in rows if isinstance(row, SolvedRow)]
            yield Records(_by_row(solved) if self._format == "tsv" else _by_solution(block, solved))

    def objects(self) -> Iterator[Iterable[dict[str, Any]]]:
        for block, rows in self._solved():
            yield ({"row": row.row, **id_field(block, row.row - block.first_row), **row.fields()} for row in rows)

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.charts.row_report import DrawRow, each_row
        from tsoft.features.solve.chart import draw

        def row_drawer(solved: Sequence[SolveRow]) -> DrawRow:
            def draw_row(block: Block, index: int) -> Iterable[str]:
                row = solved[index]
                return row.draw(block, view) if isinstance(row, BoundedRow) else draw(block, row, view)

            return draw_row

        yield from each_row(((block, row_drawer(solved)) for block, solved in self._solved()), self._rows)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.solve.figure import draw
        from tsoft.options.figure_rows import first_of

        def row_of(block: Block, rows: Sequence[SolveRow]) -> Callable[[int], tuple[Block, SolveRow]]:
            return lambda index: (block.part(index, index + 1), rows[index])

        batches = ((len(rows), row_of(block, rows)) for block, rows in self._solved())
        draw(page, first_of(batches, self._rows, page.note), view)


def _by_row(rows: list[SolvedRow]) -> list[Column]:
    widths = np.array([max(1, len(row.solution.taus)) for row in rows])
    taus = np.full((len(rows), widths.max()), np.nan)
    for line, row in zip(taus, rows, strict=True):
        line[: len(row.solution.taus)] = row.solution.taus
    return [Column("tau", taus, labels=[], widths=widths)]


def _by_solution(block: Block, rows: list[SolvedRow]) -> list[Column]:
    records = [
        (row.row, row.target.column, row.target.value, tau, reached)
        for row in rows
        for tau, reached in zip(row.solution.taus or [np.nan], row.reached or [np.nan], strict=True)
    ]
    names = ("row", "measure", "target", "tau", "reached")
    row, *others = (Column(name, values) for name, values in zip(names, zip(*records, strict=True), strict=True))
    keys = None if block.keys is None else [block.keys[index - block.first_row] for index in row.values]
    return [row, *([] if keys is None else [Column(ID, keys)]), *others]
