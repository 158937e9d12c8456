"""The means of measures over all rows, as `sweep --mean` and `distill --mean` give them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsoft.core.averages import Averages
from tsoft.options.result import Result
from tsoft.output.records import Column, Records
from tsoft.sampling.distributions import measure_unit

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.core.thermodynamics import Ensemble


@dataclass(frozen=True, eq=False)
class MeanResult(Result):
    """The means over rows, which `compute` computes when they are written, and their standard deviations.

    A terminal shows the curve of the measure `charted`, with τ on a logarithmic axis where `is_log`, unless `chart`
    is false, and a table. Records hold the measures `recorded`, by default all. Energies have an `ensemble`."""

    compute: Callable[[], Averages]
    charted: str
    recorded: Sequence[str] | None = None
    bits: bool = False
    is_log: bool = True
    ensemble: "Ensemble | None" = None
    chart: bool = True

    def records(self) -> Iterator[Records]:
        averages = self.compute()
        columns = [Column("tau", averages.taus), Column("rows", [averages.rows] * len(averages.taus))]
        for name in self.recorded or averages.by_measure:
            average, unit = averages.by_measure[name], measure_unit(name, self.bits)
            columns += [Column(name, average.mean / unit), Column(f"{name}_sd", average.deviation / unit)]
        yield Records(columns)

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.charts.mean_chart import draw_curve, draw_table

        averages = self.compute()
        if self.chart:
            yield draw_curve(averages, self.charted, view, log=self.is_log, ensemble=self.ensemble)
        yield draw_table(averages, view, self.ensemble)
