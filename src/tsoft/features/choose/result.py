"""The results of `tsoft choose`: the best temperature for each k, or the turning point of the entropy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.features.choose.measured_choices import MeasuredChoices, Resampling
from tsoft.features.choose.trials import Trials
from tsoft.features.choose.turning_point import BEST_OF_N, TurningPoint
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True, eq=False)
class ChooseResult(Result):
    """The best temperatures by each measure. A display has charts if `chart` is true."""

    measured: Sequence[MeasuredChoices]
    trials: Trials
    resampling: Resampling
    chart: bool = True

    def records(self) -> Iterator[Records]:
        """Yield one record per measure and k."""
        for each in self.measured:
            yield Records(self._columns(each))

    def _columns(self, each: MeasuredChoices) -> list[Column]:
        choices, count = each.choices, len(each.choices)
        text = In.CSV | In.JSON
        return [
            Column("measure", [each.measure] * count, text),
            Column("k", each.ks),
            Column("tau", [choice.tau for choice in choices]),
            Column("estimate", [float(choice.estimates[choice.best]) for choice in choices]),
            Column("low", [_known(choice.low[choice.best]) for choice in choices]),
            Column("high", [_known(choice.high[choice.best]) for choice in choices]),
            Column("win_share", [_known(choice.win_shares[choice.best]) for choice in choices], text),
            Column("next_tau", [choice.next_tau for choice in choices], text),
            *(
                Column(name, [_known(choice.difference[i]) for choice in choices], text)
                for i, name in enumerate(("difference", "difference_low", "difference_high"))
            ),
            Column("clear", [_flag(choice.is_clear) for choice in choices], text),
            Column("problems", [len(self.trials.problems)] * count, text),
            Column("taus", [choice.taus.tolist() for choice in choices], In.JSON),
            Column("estimates", [choice.estimates.tolist() for choice in choices], In.JSON),
            Column("win_shares", [list(map(_known, choice.win_shares)) for choice in choices], In.JSON),
            Column("resamples", [self.resampling.resamples] * count, In.JSON),
            Column("seed", [self.resampling.seed] * count, In.JSON),
        ]

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.choose.chart import draw_choices

        return draw_choices(self.measured, self.trials, self.resampling, view, chart=self.chart)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.choose.figure import draw_choices

        draw_choices(page, self.measured, self.trials)


@dataclass(frozen=True, eq=False)
class TurningResult(Result):
    """The turning point of the entropy of texts to a number of problems. A display has a chart if `chart` is true."""

    point: TurningPoint
    problems: int
    resampling: Resampling
    chart: bool = True

    def records(self) -> Iterator[Records]:
        """Yield one record."""
        point, text = self.point, In.CSV | In.JSON
        best_of_n = None if point.tau is None else round(point.tau + BEST_OF_N, 12)
        yield Records(
            [
                Column("turning_point", [point.tau]),
                Column("best_of_n_tau", [best_of_n]),
                Column("low", [_known(point.low)]),
                Column("high", [_known(point.high)]),
                Column("first", [point.first], text),
                Column("last", [point.last], text),
                Column("problems", [self.problems], text),
                Column("taus", [point.taus.tolist()], In.JSON),
                *(
                    Column(f"{name}_{end}", [bounds[i].tolist()], In.JSON)
                    for name, bounds in (("entropies", point.entropies), ("curvatures", point.curvatures))
                    for i, end in enumerate(("low", "high"))
                ),
                Column("resamples", [self.resampling.resamples], In.JSON),
                Column("seed", [self.resampling.seed], In.JSON),
            ]
        )

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.choose.chart import draw_turning_point

        return draw_turning_point(self.point, self.problems, view, chart=self.chart)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.choose.figure import draw_turning_point

        draw_turning_point(page, self.point, self.problems)


def _known(value: Any) -> float | None:
    """Return a number, or None for NaN: without a bootstrap, there is no interval."""
    return None if np.isnan(value) else float(value)


def _flag(value: bool | None) -> int | None:
    return None if value is None else int(value)
