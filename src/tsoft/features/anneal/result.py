"""The result of `tsoft anneal`: the temperatures of schedules."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.schedules import TemperatureSchedule
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas

# The number of steps per piece of the output.
PIECE_SIZE = 1 << 16


@dataclass(frozen=True, eq=False)
class AnnealResult(Result):
    """The temperatures of schedules over the same steps. With `chart`, the display contains their curves."""

    schedules: Sequence[TemperatureSchedule]
    chart: bool = True

    def records(self) -> Iterator[Records]:
        """Yield one record per step, with one column per schedule."""
        names = [schedule.schedule for schedule in self.schedules]
        taus = np.column_stack([schedule.taus for schedule in self.schedules])
        for first in range(0, len(taus), PIECE_SIZE):
            piece = taus[first : first + PIECE_SIZE]
            steps = Column("step", range(first, first + len(piece)), In.CSV)
            yield Records([steps, Column("tau", piece, labels=names)])

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        """Yield one object per schedule and step."""
        for schedule in self.schedules:
            taus = enumerate(schedule.taus.tolist())
            yield ({"schedule": schedule.schedule, "step": step, "tau": tau} for step, tau in taus)

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.anneal.chart import draw

        return draw(self.schedules, view, self.chart)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.anneal.figure import draw

        draw(page, self.schedules)
