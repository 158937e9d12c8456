"""The results of `tsoft compare`: statistics over the rows, or the measures of each row."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.compare.rows import ComparedRows, ComparisonSettings, top_names
from tsoft.features.compare.summary import ENDS, QUANTILE_NAMES, ComparisonSummary
from tsoft.options.result import Result
from tsoft.output.records import Column, Records
from tsoft.output.row_keys import id_column

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True, eq=False)
class SummaryResult(Result):
    """The mean and the quantiles of each measure over the rows, which `compute` returns when they are written, and the
    expected tokens per step with this number of `draft_tokens`. A display has charts if `chart` is true."""

    compute: Callable[[], ComparisonSummary]
    settings: ComparisonSettings
    draft_tokens: int
    chart: bool = True

    def records(self) -> Iterator[Records]:
        """Yield one record per temperature."""
        summary = self.compute()
        count = len(self.settings.taus)
        columns = [*_tau_columns(self.settings), Column("rows", [summary.rows] * count)]
        for name, ends in summary.statistics.items():
            columns += _columns(name, dict(zip(ENDS, (each.mean for each in ends), strict=True)), summary.is_partial)
            # The quantiles of a measure that is 0 or 1 show nothing.
            for i, quantile in enumerate(QUANTILE_NAMES if name != "same_top" else ()):
                values = dict(zip(ENDS, (each.quantiles[i] for each in ends), strict=True))
                columns += _columns(name, values, summary.is_partial, f"_{quantile}")
        columns.append(Column("draft_tokens", [self.draft_tokens] * count))
        for name, bounds in summary.tokens(self.draft_tokens).items():
            tokens = name.replace("acceptance", "tokens_per_step")
            columns += _columns(tokens, dict(zip(ENDS, bounds, strict=True)), summary.is_partial)
        yield Records(columns)

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.compare.chart import draw_summary

        return draw_summary(self.compute(), self.settings, self.draft_tokens, view, chart=self.chart)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.compare.figure import draw

        draw(page, self.compute(), self.settings)


@dataclass(frozen=True, eq=False)
class RowsResult(Result):
    """The measures of each row, computed when they are written. A display contains `shown` rows."""

    rows: Iterable[ComparedRows]
    settings: ComparisonSettings
    shown: int
    is_partial: bool

    def records(self) -> Iterator[Records]:
        """Yield one record per row and temperature, row by row."""
        count = len(self.settings.taus)
        for rows in self.rows:
            columns = [Column("row", [row for row in rows.first.rows for _ in range(count)])]
            columns += id_column(rows.first, count)
            columns += [Column(c.name, np.tile(c.values, len(rows.first.rows))) for c in _tau_columns(self.settings)]
            for name, block, tops in zip(("top", "draft_top"), (rows.first, rows.second), rows.tops, strict=True):
                columns.append(Column(name, top_names(block, tops.T.reshape(-1))))
            if rows.chosen is not None:
                columns.append(Column("chosen", [name for name in rows.chosen for _ in range(count)]))
            for name, bounds in rows.bounds.items():
                values = {end: bound.T.reshape(-1) for end, bound in zip(ENDS, bounds, strict=True)}
                columns += _columns(name, values, self.is_partial)
            yield Records(columns, rows.first.location)

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.compare.chart import draw_rows

        return draw_rows(self.rows, self.settings, self.shown, view)

    def draw(self, page: "Canvas", view: "View") -> None:
        raise NotImplementedError  # a figure shows all rows together


def _tau_columns(settings: ComparisonSettings) -> list[Column]:
    """Return the column of the temperatures, and of the draft's if they differ by option."""
    columns = [Column("tau", settings.taus)]
    return columns if settings.draft_tau is None else [*columns, Column("draft_tau", settings.draft_taus)]


def _columns(name: str, values: Mapping[str, Array], is_partial: bool, suffix: str = "") -> list[Column]:
    """Return the column of a measure, or those of its bounds if a distribution is partial."""
    if not is_partial:
        return [Column(name + suffix, values["low"])]
    return [Column(f"{name}_{end}{suffix}", bound) for end, bound in values.items()]
