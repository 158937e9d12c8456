"""Means and quantiles of the measures over all rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.compare.model_comparison import ACCEPTANCES, tokens_per_step
from tsoft.features.compare.rows import ComparedRows

# The quantiles, and the ends of their names.
QUANTILES = (0.05, 0.5, 0.95)
QUANTILE_NAMES = ("q05", "q50", "q95")
ENDS = ("low", "high")


@dataclass(frozen=True, eq=False)
class Statistics:
    """The mean over the rows, (k,), and the quantiles, (3, k); NaN without rows that have the measure."""

    mean: Array
    quantiles: Array


def statistics(values: Array) -> Statistics:
    """Return the statistics of values, (k, rows), over the rows that have the measure.

    >>> result = statistics(np.array([[1.0, 2.0, np.inf, np.nan]]))
    >>> result.mean, result.quantiles.tolist()
    (array([inf]), [[1.0], [2.0], [inf]])
    """
    known = values[:, ~np.isnan(values).any(0)]
    if not known.shape[1]:
        return Statistics(np.full(len(values), np.nan), np.full((len(QUANTILES), len(values)), np.nan))
    # Order statistics: the mean of inf and another number would be inf.
    return Statistics(known.mean(1), np.quantile(known, QUANTILES, axis=1, method="inverted_cdf"))


# Bounds on each measure by its name: a lower and an upper one, (2, k, rows), or (1, k, rows) if they are equal.
MeasureBounds = dict[str, Array]


@dataclass(frozen=True, eq=False)
class ComparisonSummary:
    """The measures of all rows, by their names: a lower and an upper bound, (2, k, rows) each. `is_partial` is true if
    the bounds of some row may differ."""

    bounds: dict[str, Array]
    is_partial: bool

    @property
    def rows(self) -> int:
        return int(self.bounds["kl"].shape[2])

    @cached_property
    def statistics(self) -> dict[str, tuple[Statistics, Statistics]]:
        """The statistics of the lower and of the upper bounds, by the name of the measure."""
        return {name: (statistics(low), statistics(high)) for name, (low, high) in self.bounds.items()}

    def tokens(self, draft_tokens: int) -> dict[str, tuple[Array, Array]]:
        """Return bounds on the expected tokens per step, (k,) each, by the name of the acceptance rate."""
        means = {name: [each.mean for each in self.statistics[name]] for name in ACCEPTANCES}
        return {
            name: (tokens_per_step(low, draft_tokens), tokens_per_step(high, draft_tokens))
            for name, (low, high) in means.items()
        }


def measure_bounds(rows: Iterable[ComparedRows], *, is_partial: bool) -> MeasureBounds:
    """Return the bounds on the measures of rows, which are all that a summary needs of them."""
    ends = slice(None) if is_partial else slice(1)
    return _joined({name: bounds[ends] for name, bounds in each.bounds.items()} for each in rows)


def summarize(parts: Iterable[MeasureBounds], *, is_partial: bool) -> ComparisonSummary:
    """Return the summary of the rows of all parts, which have the same measures. It empties the parts."""
    joined = _joined(parts)
    both = {name: np.broadcast_to(values, (2, *values.shape[1:])) for name, values in joined.items()}
    return ComparisonSummary(both, is_partial)


def _joined(parts: Iterable[MeasureBounds]) -> MeasureBounds:
    """Return the bounds on the rows of all parts. It empties the parts, so that the pieces of a measure are released
    before those of the next are joined."""
    pieces: dict[str, list[Array]] = {}
    for part in parts:
        while part:
            name = next(iter(part))
            pieces.setdefault(name, []).append(part.pop(name))
    return {name: np.concatenate(pieces.pop(name), axis=2) for name in list(pieces)}
