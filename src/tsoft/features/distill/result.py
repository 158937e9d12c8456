"""The result of `tsoft distill`: the soft targets and their measures, or the averages of the measures."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.averages import Averages, average_measures
from tsoft.core.softmax import Array
from tsoft.features.distill.soft_targets import Distillation
from tsoft.options.result import Result
from tsoft.output.records import Column, Records
from tsoft.output.row_keys import id_column, id_field

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True, eq=False)
class DistillResult(Result):
    """Distillations, each computed when it is written. A display contains `rows` rows, with charts if `chart` is
    true."""

    distillations: Iterable[Distillation]
    rows: int = 3
    chart: bool = True

    def records(self) -> Iterator[Records]:
        """Yield one record per row and temperature, row by row."""
        for distillation in self.distillations:
            block, taus, measures = distillation.block, distillation.taus, distillation.measures
            numbers = np.stack([getattr(distillation, name) for name in measures], -1)
            probs = distillation.probs.swapaxes(0, 1)
            columns = [
                Column("row", [row for row in block.rows for _ in range(len(taus))]),
                *id_column(block, len(taus)),
                Column("tau", np.tile(taus, len(block.rows))),
                Column("target", np.repeat(distillation.main_classes, len(taus))),
                Column("measures", numbers.swapaxes(0, 1).reshape(-1, len(measures)), labels=measures),
                Column(
                    "probs",
                    probs.reshape(-1, probs.shape[2]),
                    labels=block.labels or [str(i) for i in range(probs.shape[2])],
                ),
            ]
            yield Records(columns, block.location)

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        return (
            (
                _object(distillation, t, r)
                for r in range(len(distillation.block.logits))
                for t in range(len(distillation.taus))
            )
            for distillation in self.distillations
        )

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.charts.row_report import DrawRow, each_row
        from tsoft.features.distill.chart import draw

        def row_drawer(distillation: Distillation) -> DrawRow:
            return lambda _, index: draw(distillation.part(index, index + 1), view, self.chart)

        return each_row(((each.block, row_drawer(each)) for each in self.distillations), self.rows)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.distill.figure import draw
        from tsoft.options.figure_rows import first_of

        def row_of(distillation: Distillation) -> Callable[[int], Distillation]:
            return lambda index: distillation.part(index, index + 1)

        batches = ((len(each.block.logits), row_of(each)) for each in self.distillations)
        draw(page, first_of(batches, self.rows, page.note))


def _object(distillation: Distillation, t: int, r: int) -> dict[str, Any]:
    labels, target = distillation.block.labels, int(distillation.main_classes[r])
    return {
        "row": distillation.block.rows[r],
        **id_field(distillation.block, r),
        "tau": float(distillation.taus[t]),
        "labels": labels,
        "probs": distillation.probs[t, r],
        "target": target if labels is None else labels[target],
        **{name: float(getattr(distillation, name)[t, r]) for name in distillation.measures},
        **({"alpha": distillation.alpha} if "loss" in distillation.measures else {}),
    }


def average_distillations(distillations: Iterator[Distillation], taus: Array) -> Averages:
    """Return the averages of the measures over the rows of all distillations, which have the same measures."""
    first = next(distillations)
    values = (
        np.array([getattr(distillation, name) for name in first.measures])
        for distillation in chain([first], distillations)
    )
    return average_measures(values, taus, first.measures)
