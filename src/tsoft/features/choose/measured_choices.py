"""The best temperatures for several numbers of answers, and how their intervals are computed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tsoft.features.choose.temperature_choice import TemperatureChoice, checked_resamples


@dataclass(frozen=True, eq=False)
class MeasuredChoices:
    """The best temperature for each of the numbers of answers `ks`, by one measure, `pass` or `majority`."""

    measure: str
    ks: Sequence[int]
    choices: Sequence[TemperatureChoice]

    @property
    def name(self) -> str:
        return f"{self.measure}@k"


@dataclass(frozen=True)
class Resampling:
    """The number of resamples of the bootstrap, and their seed."""

    resamples: int
    seed: int

    def of_problems(self, problems: int) -> "Resampling":
        """Return the resampling of a number of problems: there are no resamples of a single one."""
        return replace(self, resamples=checked_resamples(self.resamples, problems))
