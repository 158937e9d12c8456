"""The result of `tsoft calibrate --choices`: the temperature, and bounds on it and on the measures."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.features.calibrate.choice_bounds import Bounds
from tsoft.features.calibrate.choice_calibration import BoundedMeasures, ChoiceCalibration
from tsoft.features.calibrate.measure_names import MEASURE_NAMES
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True, eq=False)
class ChoiceResult(Result):
    """A calibration of choices, to be written in a `format`."""

    calibration: ChoiceCalibration
    format: str

    def records(self) -> Iterator[Records]:
        """Yield the temperature alone for tsv, or one record per report for csv."""
        if self.format == "tsv":
            yield Records([Column("tau", np.array([self.calibration.fit.tau]))])
            return
        records = [_fields(measures) for measures in self.calibration.measured]
        yield Records([Column(name, [record[name] for record in records], In.CSV) for name in records[0]])

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        calibration, interval = self.calibration, self.calibration.interval
        yield [
            {
                "tau": calibration.fit.tau,
                "tau_min": calibration.taus.low,
                "tau_max": calibration.taus.high,
                "tau_low": interval and interval.low,
                "tau_high": interval and interval.high,
                "interval": interval and interval.method,
                "seed": calibration.seed,
                "reason": calibration.fit.reason,
                "reports": [_fields(measures) for measures in calibration.measured],
            }
        ]

    def render(self, view: "View") -> Iterator[str]:
        """Yield the temperature and its bounds, and the table of the measures."""
        from tsoft.charts.style import tau_text, wrapped
        from tsoft.charts.table import text_tables

        measured = self.calibration.measured
        yield wrapped(self._headline(), view.screen.width) + "\n"
        columns = [
            [
                f"{measures.data} {tau_text(measures.tau)}",
                str(measures.rows),
                *(_text(bounds, view.digits) for bounds in measures.bounds.values()),
            ]
            for measures in measured
        ]
        shown = [name for name in MEASURE_NAMES if name.name in measured[0].bounds]
        names = ["", "rows", *(name.label for name in shown)]
        rows = list(zip(names, *columns, strict=True))
        yield text_tables(rows, view.screen, right=[column[0] for column in columns])
        view.legend.add_lines(*(f"{name.label}: {name.meaning}" for name in shown))
        view.legend.add_lines("low–high: bounds, because the response lists only part of the tokens")

    def _headline(self) -> str:
        from tsoft.charts.style import tau_text

        fit, taus, interval = self.calibration.fit, self.calibration.taus, self.calibration.interval
        low, high = (tau_text(end).removeprefix("τ = ") for end in (taus.low, taus.high))
        text = f"{tau_text(fit.tau)} among the listed tokens; from {low} to {high}, whatever the others are."
        if interval is None:
            return text
        ends = (tau_text(end).removeprefix("τ = ") for end in (interval.low, interval.high))
        return f"{text} 95 % interval among the listed tokens: {' to '.join(ends)} ({interval.method})."

    def draw(self, page: "Canvas", view: "View") -> None:
        raise NotImplementedError  # --choices has no effect on figures


def _fields(measures: BoundedMeasures) -> dict[str, Any]:
    """Return the fields of a report, by their names in headers and records."""
    ends = {
        f"{name}_{end}": getattr(bounds, end) for name, bounds in measures.bounds.items() for end in ("low", "high")
    }
    return {"data": measures.data, "tau": measures.tau, "rows": measures.rows, **ends}


def _text(bounds: Bounds, digits: int | None) -> str:
    """Return both bounds, or one number if they look the same."""
    from tsoft.charts.style import prob_text

    low, high = prob_text(bounds.low, digits), prob_text(bounds.high, digits)
    return low if low == high else f"{low}–{high}"
