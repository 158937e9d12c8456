"""What a measure would be for a perfectly calibrated model: its mean, and its 95 % range."""

from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np

from tsoft.core.interval import NORMAL_QUANTILE
from tsoft.core.softmax import Array


@dataclass(frozen=True)
class Chance:
    """A measure of perfectly calibrated models on rows of the same probabilities: its `mean`, and a value `high` that
    95 % of these models stay below. If a lower value is a sign of miscalibration, too, 95 % of the models are from
    `low` to `high`; otherwise, `low` is None. All are NaN if they are unknown, as without a simulation."""

    mean: float
    high: float
    low: float | None = None

    @property
    def is_simulated(self) -> bool:
        return not isnan(self.mean)


@dataclass(frozen=True)
class Measurement:
    """A measure: the `name` of its column, its `value`, and its level for a calibrated model, `chance`, if it has
    one."""

    name: str
    value: float
    chance: Chance | None = None

    @property
    def columns(self) -> dict[str, float]:
        """The value and the level, by the names of their columns."""
        columns = {self.name: self.value}
        if self.chance is None:
            return columns
        columns[f"{self.name}_chance_mean"] = self.chance.mean
        if self.chance.low is None:
            return {**columns, f"{self.name}_chance_95": self.chance.high}
        return {**columns, f"{self.name}_chance_low": self.chance.low, f"{self.name}_chance_high": self.chance.high}


# The level of a calibration error without a simulation.
UNKNOWN = Chance(nan, nan)


def one_sided(values: Array) -> Chance:
    """Return the level of a calibration error, which a calibrated model has only because of noise.

    values: the errors of simulated models.

    >>> one_sided(np.array([0.0, 1.0, 2.0])).mean
    1.0
    """
    known = values[~np.isnan(values)]
    return Chance(float(known.mean()), float(np.quantile(known, 0.95))) if len(known) else UNKNOWN


def two_sided(values: Array) -> Chance:
    """Return the level of a score, which miscalibration can make higher or lower.

    >>> two_sided(np.array([])).low
    nan
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return Chance(nan, nan, nan)
    low, high = np.quantile(known, [0.025, 0.975])
    return Chance(float(known.mean()), float(high), float(low))


def normal_range(mean: float, variance: float) -> Chance:
    """Return the level of a mean over many independent rows, which is approximately normal and not negative.

    >>> normal_range(1.0, 0.01).high.__round__(3)
    1.196
    """
    reach = NORMAL_QUANTILE * sqrt(max(variance, 0.0))
    return Chance(mean, mean + reach, max(mean - reach, 0.0))
