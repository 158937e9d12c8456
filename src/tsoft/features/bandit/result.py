"""The result of `tsoft bandit`: the exploration along each schedule."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsoft.features.bandit.simulation import Exploration
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True, eq=False)
class BanditResult(Result):
    """The explorations, each computed when it is written. With `chart`, the display contains charts."""

    explorations: Iterable[Exploration]
    chart: bool = True

    def records(self) -> Iterator[Records]:
        """Yield one record per schedule and step."""
        for exploration in self.explorations:
            history, labels = exploration.history, exploration.labels
            steps, arms = len(history.taus), labels or [str(i) for i in range(len(exploration.means))]
            yield Records(
                [
                    Column("schedule", [exploration.schedule] * steps),
                    Column("step", range(steps)),
                    Column("tau", history.taus),
                    Column("labels", [labels] * steps, In.JSON),
                    Column("probs", history.probs, In.JSON),
                    Column("regret", history.regret),
                    Column("regret_se", history.regret_se),
                    Column("best_share", history.best_share),
                    Column("runs", [history.runs] * steps, In.JSON),
                    Column("seed", [exploration.seed] * steps, In.JSON),
                    Column("arms", history.probs, In.TSV | In.CSV, arms),
                ]
            )

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.bandit.chart import draw

        return draw(list(self.explorations), view, self.chart)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.bandit.figure import draw

        draw(page, list(self.explorations))
