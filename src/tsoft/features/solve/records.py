"""Temperatures that give what was asked, out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsoft.input import json_document
from tsoft.input.fields import join_labels
from tsoft.input.json_lines import json_number
from tsoft.output.number_format import NumberFormat

if TYPE_CHECKING:
    from tsoft.core.solve import Solution


@dataclass(frozen=True)
class Solved:
    """A row's solutions for a measure of which so much was asked. `unit` is what the measure is
    written in, in the core's units."""

    row: int
    measure: str
    asked: float
    solution: "Solution"
    unit: float = 1.0

    @property
    def reached(self) -> list[float]:
        return [reached / self.unit for reached in self.solution.reached]

    @property
    def reason(self) -> str | None:
        """Why there is none, in the core's units, which it says where they are not those asked in."""
        units = "" if self.unit == 1 else f" (in nats; a bit is {self.unit:.4f} of them)"
        return self.solution.reason and self.solution.reason + units


def write(solved: Iterable[Sequence[Solved]], name: str, writing: NumberFormat) -> Iterator[str]:
    """The solutions of each block's rows in a format by its name. tsv: a line a row, from cold to
    hot, nan where there is none; csv: a line a solution; json and jsonl: a record a row."""
    if name == "json":
        yield from json_document.array(_record(row, writing) for rows in solved for row in rows)
        return
    header = "row,measure,asked,tau,reached\n" if name == "csv" else ""
    lines = {"tsv": _line, "csv": _lines, "jsonl": _record_line}[name]
    for rows in solved:
        yield header + "".join(lines(row, writing) for row in rows)
        header = ""


def _line(row: Solved, writing: NumberFormat) -> str:
    return "\t".join(map(writing.text, row.solution.taus or (np.nan,))) + "\n"


def _lines(row: Solved, writing: NumberFormat) -> str:
    pairs = list(zip(row.solution.taus, row.reached, strict=True)) or [(np.nan, np.nan)]
    head = join_labels([str(row.row), row.measure, writing.text(row.asked)], ",")
    return "".join(f"{head},{writing.text(tau)},{writing.text(reached)}\n" for tau, reached in pairs)


def _record_line(row: Solved, writing: NumberFormat) -> str:
    return _record(row, writing) + "\n"


def _record(row: Solved, writing: NumberFormat) -> str:
    import orjson

    return orjson.dumps(
        {
            "row": row.row,
            "measure": row.measure,
            "asked": json_number(row.asked, writing),
            "taus": json_number(row.solution.taus, writing),
            "reached": json_number(row.reached, writing),
            "reason": row.reason,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    ).decode()
