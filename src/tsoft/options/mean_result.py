"""The result of `sweep --mean` and `distill --mean`: the mean of each measure over all rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsoft.core.averages import Averages
from tsoft.errors import joined
from tsoft.notes import note
from tsoft.options.result import Result
from tsoft.output.records import Column, Records
from tsoft.sampling.distributions import measure_unit

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.core.thermodynamics import Ensemble
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True, eq=False)
class MeanResult(Result):
    """The mean and the standard deviation of each measure over the rows. `compute` computes them when they are written.

    A table shows all measures, below a curve of the measure `charted` over τ if `chart` is true; `is_log` makes its
    τ axis logarithmic. Records contain the measures `recorded`, or all for None. `bits` converts the entropy to bits.
    `ensemble` is that of energies.
    """

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

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.options.mean_figure import draw

        draw(page, self.compute(), self.charted, view, log=self.is_log, ensemble=self.ensemble)


def noted_averages(averages: Averages) -> Averages:
    """Return the averages. Print notes on measures that some rows do not have."""
    known = {name: int(average.rows.min()) for name, average in averages.by_measure.items()}
    for count in sorted({count for count in known.values() if 0 < count < averages.rows}):
        names = [name for name in known if known[name] == count]
        which = "these measures" if len(names) > 1 else "it"
        over = f"the mean is over {count} of {averages.rows} rows"
        note(f"{joined(names)}: {over}, because the others do not have {which}")
    return averages
