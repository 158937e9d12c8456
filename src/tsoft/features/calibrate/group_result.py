"""The result of `tsoft calibrate --by`: the temperature and the measures of each group of rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.features.calibrate.group_calibration import GroupedCalibration
from tsoft.features.calibrate.result import fit_fields, report_fields, report_objects
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas


@dataclass(frozen=True, eq=False)
class GroupedResult(Result):
    """The calibration of groups, to be written in a `format`."""

    calibration: GroupedCalibration
    format: str

    def records(self) -> Iterator[Records]:
        """Yield the groups and their temperatures for tsv. For csv, yield one record per report: first those of all
        rows together, whose group is empty."""
        groups = self.calibration.groups
        if self.format == "tsv":
            taus = np.array([group.fit.tau for group in groups])
            yield Records([Column("group", [group.name for group in groups]), Column("tau", taus)])
            return
        parts = [("", self.calibration.together.measured), *((group.name, group.measured) for group in groups)]
        records = [
            {"group": name, **report_fields(rows, report)}
            for name, measured in parts
            for rows in measured
            for report in rows.reports
        ]
        yield Records([Column(name, [record.get(name) for record in records], In.CSV) for name in records[0]])

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        together, difference = self.calibration.together, self.calibration.difference
        groups = [
            {
                "group": group.name,
                **fit_fields(group.fit, group.interval, together.seed),
                "reports": report_objects(group.measured),
            }
            for group in self.calibration.groups
        ]
        yield [
            {
                **fit_fields(together.fit, together.interval, together.seed),
                "reports": report_objects(together.measured),
                "by": self.calibration.column,
                "difference_statistic": difference and difference.statistic,
                "difference_degrees": difference and difference.degrees,
                "difference_p": difference and difference.p_value,
                "groups": groups,
            }
        ]

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.calibrate.group_chart import draw

        return draw(self.calibration, view)

    def draw(self, page: "Canvas", view: "View") -> None:
        raise NotImplementedError  # --by has no effect on figures
