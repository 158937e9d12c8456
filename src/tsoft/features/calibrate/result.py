"""The result of `tsoft calibrate`: the fitted temperature, and measures of the calibration with and without it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.fit import TemperatureFit
from tsoft.core.interval import Interval
from tsoft.features.calibrate.calibration import FittedCalibration, MeasuredRows
from tsoft.features.calibrate.confidence_bins import Bins
from tsoft.features.calibrate.reliability import Report
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True, eq=False)
class CalibrateResult(Result):
    """A calibration, to be written in a `format`. With `chart`, the display contains charts."""

    calibration: FittedCalibration
    format: str
    chart: bool = True

    def records(self) -> Iterator[Records]:
        """Yield the temperature alone for tsv, or one record per report for csv."""
        if self.format == "tsv":
            yield Records([Column("tau", np.array([self.calibration.fit.tau]))])
            return
        records = [report_fields(rows, report) for rows, report in self._reports]
        yield Records([Column(name, [record[name] for record in records], In.CSV) for name in records[0]])

    @property
    def _reports(self) -> list[tuple[MeasuredRows, Report]]:
        """Each report, with its rows."""
        return [(rows, report) for rows in self.calibration.measured for report in rows.reports]

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        calibration = self.calibration
        fields = fit_fields(calibration.fit, calibration.interval, calibration.seed)
        yield [{**fields, "reports": report_objects(calibration.measured)}]

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.calibrate.chart import draw

        return draw(self.calibration, view, self.chart)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.calibrate.figure import draw

        draw(page, self.calibration)


def fit_fields(fit: TemperatureFit, interval: Interval | None, seed: int) -> dict[str, Any]:
    """Return the fields of a fit, by their names in records."""
    return {
        "tau": fit.tau,
        "tau_low": interval and interval.low,
        "tau_high": interval and interval.high,
        "interval": interval and interval.method,
        "resamples": interval.resamples if interval else 0,
        "resamples_at_limits": interval.limits if interval else 0,
        "log_tau_error": fit.error,
        "seed": seed,
        "reason": fit.reason,
    }


def report_objects(measured: Sequence[MeasuredRows]) -> list[dict[str, Any]]:
    """Return the reports with their bins."""
    return [
        {
            **report_fields(rows, report),
            "bins": report_bins(report.equal_width),
            "bins_mass": report_bins(report.equal_mass),
        }
        for rows in measured
        for report in rows.reports
    ]


def report_fields(rows: MeasuredRows, report: Report) -> dict[str, Any]:
    """Return the fields of a report without its bins, by their names in headers and records."""
    ignored = {} if rows.ignored is None else {"ignored": rows.ignored}
    return {"data": rows.data, "tau": report.tau, "rows": report.rows, **ignored, **report.measures}


def report_bins(bins: Bins) -> list[dict[str, Any]]:
    """Return the bins from low to high. An empty bin has no confidence and no accuracy."""
    names = ("low", "high", "rows", "confidence", "accuracy")
    columns = bins.edges[:-1], bins.edges[1:], bins.counts, bins.confidence, bins.accuracy
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]
