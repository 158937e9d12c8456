"""The result of `tsoft calibrate --method vector`: the weights and biases, and measures on held-out rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsoft.core.block import class_names
from tsoft.features.calibrate.result import report_bins
from tsoft.features.calibrate.vector_calibration import MeasuredMethod, VectorCalibration
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True, eq=False)
class VectorResult(Result):
    """A calibration by vector scaling, to be written in a `format`."""

    calibration: VectorCalibration
    format: str

    def records(self) -> Iterator[Records]:
        """Yield the class, the weight and the bias of each class for tsv, or one record per report for csv."""
        scaling = self.calibration.scaling
        if self.format == "tsv":
            names = class_names(self.calibration.labels, len(scaling.weights))
            yield Records([Column("class", names), Column("weight", scaling.weights), Column("bias", scaling.biases)])
            return
        records = [_fields(measured) for measured in self.calibration.measured]
        yield Records([Column(name, [record[name] for record in records], In.CSV) for name in records[0]])

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        calibration, difference = self.calibration, self.calibration.difference
        yield [
            {
                "method": "vector",
                "labels": calibration.labels,
                "weights": calibration.scaling.weights,
                "biases": calibration.scaling.biases,
                "l2": calibration.settings.l2,
                "folds": calibration.settings.folds,
                "tau": calibration.fit.tau,
                "nll_difference": difference.mean,
                "nll_difference_low": difference.low,
                "nll_difference_high": difference.high,
                "interval": difference.method,
                "resamples": difference.resamples,
                "seed": calibration.seed,
                "reports": [
                    {
                        **_fields(measured),
                        "bins": report_bins(measured.report.equal_width),
                        "bins_mass": report_bins(measured.report.equal_mass),
                    }
                    for measured in calibration.measured
                ],
            }
        ]

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.calibrate.vector_chart import draw

        return draw(self.calibration, view)

    def draw(self, page: "Canvas", view: "View") -> None:
        raise NotImplementedError  # --method vector has no effect on figures


def _fields(measured: MeasuredMethod) -> dict[str, Any]:
    """Return the fields of a report without its bins, by their names in headers and records."""
    return {
        "data": measured.data,
        "method": measured.method,
        "rows": measured.report.rows,
        **measured.report.measures,
    }
