"""The result of `tsoft sweep`: distributions over a grid of temperatures, or averages of their measures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.averages import Averages, PartialAverages, averages_of_blocks, merge_averages
from tsoft.core.block import Block
from tsoft.core.measures import MEASURES
from tsoft.core.softmax import Array
from tsoft.core.thermodynamics import THERMODYNAMICS
from tsoft.features.sweep.picture import SweepPicture
from tsoft.options.distribution_result import DistributionsResult, Form
from tsoft.options.plan import Plan
from tsoft.options.response_notes import require_exact
from tsoft.options.result import Result
from tsoft.output.distribution_records import classes, keys, measures
from tsoft.output.records import Column, Fields, In
from tsoft.sampling.apply_chains import compute_distributions
from tsoft.sampling.distributions import Distributions

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.core.thermodynamics import Ensemble
    from tsoft.figures.canvas import Canvas


class SweepResult(DistributionsResult):
    """Distributions over a grid of temperatures. With a requested `measure`, records contain only this measure."""

    def __init__(
        self, blocks: Iterable[Block], taus: Array, plan: Plan, form: Form, picture: SweepPicture, measure: str | None
    ):
        super().__init__(blocks, taus, plan, form)
        self.picture, self.measure = picture, measure
        self.has_all_measures = measure is None

    def columns(self, result: Distributions) -> list[Column]:
        key = keys(result, tau=In.ALL)
        if self.measure is not None:
            require_exact(result)
            return [*key, *measures(result, [self.measure], self.form.content, In.ALL)]
        return [
            *key,
            *measures(result, result.measure_names, self.form.content, In.CSV),
            classes(result, self.form.content),
        ]

    def objects(self) -> Iterator[Iterable[Mapping[str, Any] | Fields]]:
        return super().objects() if self.measure is None else Result.objects(self)

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.charts.chain_report import sampler_order
        from tsoft.charts.curves import MAX_CURVES
        from tsoft.charts.row_report import each_row
        from tsoft.features.sweep.chart import draw

        picture, measure = self.picture, self.measure or "entropy"
        view = replace(view, show=picture.classes or MAX_CURVES)

        def draw_row(row: Block, _: int) -> Iterator[str]:
            for i, result in enumerate(self.plan.results(row, self.taus)):
                if result.chain:
                    yield "\n" * (i > 0) + sampler_order([result], view) + "\n"
                yield from draw(result, view, measure, picture.heatmap, picture.is_log, picture.chart)

        yield from each_row(((block, draw_row) for block in self.blocks), picture.rows)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.sweep.figure import draw
        from tsoft.options.distribution_result import first_rows

        rows = first_rows(self.blocks, self.picture.rows, page.note)
        results = [result for row in rows for result in self.plan.results(row, self.taus)]
        draw(page, results, self.picture, self.measure or "entropy", view)


def average_rows(blocks: Iterable[Block], taus: Array, plan: Plan, names: Sequence[str]) -> Averages:
    """Return these measures of the distributions, averaged over the rows of all blocks."""
    return merge_averages(average_blocks(blocks, taus, plan, names), taus, names)


def average_blocks(blocks: Iterable[Block], taus: Array, plan: Plan, names: Sequence[str]) -> Iterator[PartialAverages]:
    """Yield these measures of the distributions, averaged over blocks of a fixed number of rows."""

    def measures() -> Iterator[Array]:
        for block in plan.noted(blocks, taus):
            result = compute_distributions(block, taus, plan.chains_for(block)[0])
            require_exact(result)
            yield np.array([getattr(result, name) for name in names])

    return averages_of_blocks(measures())


def measure_names(ensemble: "Ensemble | None") -> tuple[str, ...]:
    """Return the names of the measures, with those of thermodynamics for energies."""
    return MEASURES if ensemble is None else (*MEASURES, *THERMODYNAMICS)
