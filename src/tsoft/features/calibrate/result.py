"""What `tsoft calibrate` found: the fitted temperature, and how well calibrated it leaves the classifier."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.fit import TemperatureFit
from tsoft.core.softmax import Array
from tsoft.features.calibrate.interval import Interval
from tsoft.features.calibrate.reliability import Bins, Report
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View


@dataclass(frozen=True, eq=False)
class MeasuredRows:
    """The reports on some rows, at τ = 1 and at the fitted temperature: the rows that it was fitted to, `fit`,
    or others, `test`."""

    data: str
    before: Report
    after: Report

    @property
    def reports(self) -> tuple[Report, Report]:
        return self.before, self.after


@dataclass(frozen=True, eq=False)
class Calibration:
    """A fit, its interval where there is one, and the reports on its rows and on others. `curve_taus` and
    `curve_nll`, (k,) each, are where a curve is to be drawn. What was drawn at random came from `seed`."""

    fit: TemperatureFit
    interval: Interval | None
    seed: int
    measured: Sequence[MeasuredRows]
    curve_taus: Array
    curve_nll: Array


def _measures(report: Report) -> dict[str, float]:
    """A report's numbers by the names that headers and records give them."""
    return {
        "tau": report.tau,
        "rows": report.rows,
        "nll": report.nll,
        "ece": report.equal_width.ece,
        "ece_chance_mean": report.equal_width.chance.mean,
        "ece_chance_95": report.equal_width.chance.high,
        "ece_mass": report.equal_mass.ece,
        "ece_mass_chance_mean": report.equal_mass.chance.mean,
        "ece_mass_chance_95": report.equal_mass.chance.high,
        "mce": report.equal_width.mce,
        "brier": report.brier,
        "accuracy": report.accuracy,
        "mean_confidence": report.confidence,
    }


@dataclass(frozen=True, eq=False)
class CalibrateResult(Result):
    """A calibration, to be written in a `format`. A picture has a `chart`, or is the table alone."""

    calibration: Calibration
    format: str
    chart: bool = True

    def records(self) -> Iterator[Records]:
        """In tsv the temperature alone; in csv a record for each report."""
        if self.format == "tsv":
            yield Records([Column("tau", np.array([self.calibration.fit.tau]))])
            return
        reports = [(rows.data, report) for rows in self.calibration.measured for report in rows.reports]
        columns = [Column("data", [data for data, _ in reports], In.CSV)]
        for name in _measures(reports[0][1]):
            columns.append(Column(name, [_measures(report)[name] for _, report in reports], In.CSV))
        yield Records(columns)

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        calibration, interval = self.calibration, self.calibration.interval
        yield [
            {
                "tau": calibration.fit.tau,
                "tau_low": interval and interval.low,
                "tau_high": interval and interval.high,
                "interval": interval and interval.method,
                "resamples": interval.resamples if interval else 0,
                "resamples_at_limits": interval.limits if interval else 0,
                "log_tau_error": calibration.fit.error,
                "seed": calibration.seed,
                "reason": calibration.fit.reason,
                "reports": [
                    {"data": rows.data, **_report(report)} for rows in calibration.measured for report in rows.reports
                ],
            }
        ]

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.calibrate.chart import draw

        return draw(self.calibration, view, self.chart)


def _report(report: Report) -> dict[str, Any]:
    return {**_measures(report), "bins": _bins(report.equal_width), "bins_mass": _bins(report.equal_mass)}


def _bins(bins: Bins) -> list[dict[str, Any]]:
    """The bins from low to high; an empty one has no confidence and no accuracy."""
    columns = bins.edges, bins.edges[1:], bins.counts, bins.confidence, bins.accuracy
    return [
        {
            "low": float(low),
            "high": float(high),
            "rows": int(count),
            "confidence": float(confidence),
            "accuracy": float(accuracy),
        }
        for low, high, count, confidence, accuracy in zip(*columns, strict=False)
    ]
