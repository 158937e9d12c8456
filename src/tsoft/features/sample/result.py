"""The result of `tsoft sample`: draws or counts for each row at each temperature."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.chi_square import goodness_of_fit
from tsoft.core.softmax import Array
from tsoft.features.sample.samples import Sample, samples
from tsoft.options.plan import Plan
from tsoft.options.result import Result
from tsoft.output.records import Column, Fields, In, Records
from tsoft.output.row_keys import ID
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.distributions import Distributions

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True)
class SampleForm:
    """The form of written samples: each draw or only the counts; in tsv, the index of a class or its label. `draws`
    makes the draws of a sample, with or without a progress bar, and `kind` determines what its counts are."""

    each_draw: bool
    by_index: bool
    draws: Callable[[Sample], Iterator[Array]] = Sample.draws
    kind: type[Sample] = Sample


class SampleResult(Result):
    """Samples of `size` draws from the rows of blocks at each temperature, after the chains of a plan. A table shows
    `rows` rows."""

    def __init__(
        self, blocks: Iterable[Block], taus: Array, plan: Plan, form: SampleForm, *, size: int, seed: int, rows: int
    ):
        self._taus, self._plan, self._form = taus, plan, form
        self._size, self._seed, self._rows = size, seed, rows
        self._blocks = plan.noted(blocks, taus)
        self._has_engine = any(chain and chain.engine for chain in plan.chains)

    def _batches(self) -> Iterator[Iterator[Sample]]:
        """Yield the samples, one batch per piece of a block."""
        return (
            self._sampled(result)
            for block in self._blocks
            for result in distribution_pieces(block, self._taus, self._plan.chains_for(block))
        )

    def _sampled(self, result: Distributions) -> Iterator[Sample]:
        return samples(result, self._size, self._seed, self._form.kind)

    def records(self) -> Iterator[Records]:
        for batch in self._batches():
            for sample in batch:
                columns = _classes(sample, self._has_engine, by_index=self._form.by_index)
                if self._form.each_draw:
                    yield Records(columns, picks=self._form.draws(sample))
                else:
                    counts = [Column("count", sample.counts), Column("expected", sample.expected, In.CSV)]
                    yield Records([*columns, *counts])

    def objects(self) -> Iterator[Iterable[Fields]]:
        return (map(self._fields, batch) for batch in self._batches())

    def _fields(self, sample: Sample) -> Fields:
        """Yield the fields of a sample: the draws while they are made, then their counts."""
        yield "row", sample.row
        if sample.key is not None:
            yield ID, sample.key
        yield "tau", sample.tau
        if self._has_engine:
            yield "engine", sample.engine
        yield "n", sample.size
        yield "seed", sample.seed
        yield "labels", sample.labels
        yield "probs", sample.probs
        yield "expected", sample.expected
        counts = np.zeros(len(sample.probs), np.int64) if self._form.each_draw else sample.counts
        if self._form.each_draw:
            yield "draws", self._counted(sample, counts)
        fit = goodness_of_fit(counts, sample.probs)
        yield "counts", counts
        yield "statistic", fit and fit.statistic
        yield "degrees", fit and fit.degrees
        yield "p_value", fit and fit.p_value

    def _counted(self, sample: Sample, counts: Array) -> Iterator[Array]:
        """Yield the draws, and add each to the counts."""
        for piece in self._form.draws(sample):
            counts += np.bincount(piece, minlength=len(counts))
            yield piece

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.charts.row_report import each_row
        from tsoft.features.sample.chart import draw

        def draw_row(row: Block, _: int) -> Iterator[str]:
            return draw(self._plan.results(row, self._taus), self._sampled, view)

        yield from each_row(((block, draw_row) for block in self._blocks), self._rows)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.sample.figure import draw
        from tsoft.options.distribution_result import first_rows

        by_row = [self._plan.results(row, self._taus) for row in first_rows(self._blocks, self._rows, page.note)]
        sampled = [[sample for result in results for sample in self._sampled(result)] for results in by_row]
        draw(page, list(zip(by_row, sampled, strict=True)), view)


def _classes(sample: Sample, has_engine: bool, *, by_index: bool) -> list[Column]:
    """Return the columns of a sample's classes."""
    count = len(sample.probs)
    in_tsv = by_index or sample.labels is None
    labels: list[Any] = list(sample.labels or [""] * count)
    return [
        Column("row", [sample.row] * count, In.CSV),
        *([] if sample.key is None else [Column(ID, [sample.key] * count, In.CSV)]),
        Column("tau", [sample.tau] * count, In.CSV),
        *([Column("engine", [sample.engine] * count, In.CSV)] if has_engine else []),
        Column("index", range(count), In.CSV | In.TSV if in_tsv else In.CSV),
        Column("label", labels, In.CSV if in_tsv else In.CSV | In.TSV),
    ]
