"""A fitted temperature and how well calibrated it leaves a classifier, out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tsoft.core.fit import TemperatureFit
from tsoft.core.softmax import Array
from tsoft.features.calibrate.interval import Interval
from tsoft.features.calibrate.reliability import Bins, Report
from tsoft.input import json_document
from tsoft.input.fields import join_labels
from tsoft.input.json_lines import json_number
from tsoft.output.number_format import NumberFormat


@dataclass(frozen=True, eq=False)
class Measured:
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
    measured: Sequence[Measured]
    curve_taus: Array
    curve_nll: Array


def write(found: Calibration, name: str, writing: NumberFormat) -> str:
    """The calibration in a format by its name. tsv: the temperature; csv: a line for each report; json and
    jsonl: a record with all of it."""
    if name == "tsv":
        return writing.text(found.fit.tau) + "\n"
    if name == "csv":
        return "".join(_lines(found, writing))
    import orjson

    record = orjson.dumps(_record(found, writing), option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return record + "\n" if name == "jsonl" else "".join(json_document.array([record]))


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


def _lines(found: Calibration, writing: NumberFormat) -> list[str]:
    lines = [join_labels(["data", *_measures(found.measured[0].before)], ",")]
    for measured in found.measured:
        for report in measured.reports:
            tau, rows, *others = _measures(report).values()
            lines.append(",".join([measured.data, writing.text(tau), str(rows), *map(writing.text, others)]))
    return [line + "\n" for line in lines]


def _record(found: Calibration, writing: NumberFormat) -> dict[str, Any]:
    number = partial(json_number, writing=writing)
    interval = found.interval
    return {
        "tau": number(found.fit.tau),
        "tau_low": None if interval is None else number(interval.low),
        "tau_high": None if interval is None else number(interval.high),
        "interval": interval and interval.method,
        "resamples": interval.resamples if interval else 0,
        "resamples_at_limits": interval.limits if interval else 0,
        "log_tau_error": None if found.fit.error is None else number(found.fit.error),
        "seed": found.seed,
        "reason": found.fit.reason,
        "reports": [
            {"data": measured.data, **_report(report, writing)}
            for measured in found.measured
            for report in measured.reports
        ],
    }


def _report(report: Report, writing: NumberFormat) -> dict[str, Any]:
    record: dict[str, Any] = {name: json_number(value, writing) for name, value in _measures(report).items()}
    return record | {
        "rows": report.rows,
        "bins": _bins(report.equal_width, writing),
        "bins_mass": _bins(report.equal_mass, writing),
    }


def _bins(bins: Bins, writing: NumberFormat) -> list[dict[str, Any]]:
    """The bins from low to high; an empty one has no confidence and no accuracy."""
    number = partial(json_number, writing=writing)
    return [
        {
            "low": number(low),
            "high": number(high),
            "rows": int(count),
            "confidence": number(confidence),
            "accuracy": number(accuracy),
        }
        for low, high, count, confidence, accuracy in zip(
            bins.edges, bins.edges[1:], bins.counts, bins.confidence, bins.accuracy, strict=False
        )
    ]
