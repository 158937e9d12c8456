"""Measures of the confidence of predictions, each for observed outcomes and for those of simulated models.

With n_b rows, the accuracy a_b and the mean confidence c_b in bin b, and N rows in total:

    ECE = sum_b n_b / N |a_b - c_b|      RMS error = sqrt(sum_b n_b / N (a_b - c_b)^2)      MCE = max_b |a_b - c_b|

(Naeini, Cooper & Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian binning"; Guo, Pleiss, Sun &
Weinberger 2017, "On calibration of modern neural networks", eqs. 3 and 5; Hendrycks, Mazeika & Dietterich 2019, "Deep
anomaly detection with outlier exposure".) The Brier score of the top class is the mean of (c_i - right_i)^2. With the
accuracy a of all rows, it is

    sum_b n_b / N (c_b - a_b)^2  -  sum_b n_b / N (a_b - a)^2  +  a (1 - a)  +  within bins
          reliability                     resolution            uncertainty

    within bins = 1 / N sum_b sum_i in b  (c_i - c_b)^2 - 2 (c_i - c_b) (right_i - a_b)

(Murphy 1973, "A new vector partition of the probability score"; Stephenson, Coelho & Jolliffe 2008, "Two extra
components in the Brier score decomposition", Weather and Forecasting 23.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.calibrate.chance import Chance, one_sided, two_sided
from tsoft.features.calibrate.confidence_cells import ConfidenceCells, simulated_outcomes
from tsoft.features.calibrate.smooth_error import smooth_ece

Statistic = Callable[[ConfidenceCells, Array], Array]


@dataclass(frozen=True)
class ConfidenceMeasure:
    """A measure: the `name` of its column, its `statistic`, which takes outcomes, (..., c), and returns values, (...),
    and `level`, which returns the level of calibrated models from their values, None if the measure has none."""

    name: str
    statistic: Statistic
    level: Callable[[Array], Chance] | None


@dataclass(frozen=True, eq=False)
class _BinnedOutcomes:
    """The numbers of rows, (b,), the mean confidences, (b,), and the accuracies, (..., b), of bins with rows."""

    counts: Array
    confidence: Array
    accuracy: Array

    def mean(self, values: Array) -> Array:
        """Return the mean over the rows of a value of each bin."""
        return np.asarray((values * self.counts).sum(-1) / self.counts.sum())


def _binned(cells: ConfidenceCells, outcomes: Array, starts: Array) -> _BinnedOutcomes:
    counts = np.add.reduceat(cells.sizes, starts)
    confidence = np.add.reduceat(cells.expected, starts) / counts
    return _BinnedOutcomes(counts, confidence, np.add.reduceat(outcomes, starts, axis=-1) / counts)


def expected_calibration_error(cells: ConfidenceCells, outcomes: Array) -> Array:
    """The ECE of bins of equal width.

    >>> from tsoft.features.calibrate.confidence_cells import confidence_cells
    >>> cells = confidence_cells(np.array([0.6, 0.8, 0.9]), np.array([1, 2]), np.array([1, 2]))
    >>> float(expected_calibration_error(cells, np.array([1, 1, 0])).round(6))  # gaps of 0.4, and of 0.35 in two rows
    0.366667
    """
    bins = _binned(cells, outcomes, cells.width_starts)
    return bins.mean(abs(bins.accuracy - bins.confidence))


def expected_calibration_error_by_mass(cells: ConfidenceCells, outcomes: Array) -> Array:
    """The ECE of bins of equal mass."""
    bins = _binned(cells, outcomes, cells.mass_starts)
    return bins.mean(abs(bins.accuracy - bins.confidence))


def rms_calibration_error(cells: ConfidenceCells, outcomes: Array) -> Array:
    """The root mean squared gap of bins of equal width."""
    bins = _binned(cells, outcomes, cells.width_starts)
    return np.sqrt(bins.mean((bins.accuracy - bins.confidence) ** 2))


def maximum_calibration_error(cells: ConfidenceCells, outcomes: Array) -> Array:
    """The largest gap of a bin of equal width."""
    bins = _binned(cells, outcomes, cells.width_starts)
    return np.asarray(abs(bins.accuracy - bins.confidence).max(-1))


def brier_of_top(cells: ConfidenceCells, outcomes: Array) -> Array:
    """The Brier score of the top class. In a cell of several rows, all have its mean confidence.

    >>> from tsoft.features.calibrate.confidence_cells import confidence_cells
    >>> brier_of_top(confidence_cells(np.array([0.6, 0.9]), np.array([2]), np.array([2])), np.array([0, 1]))
    array(0.185)
    """
    # (c - right)^2 = c^2 + (1 - 2 c) right, because right is 0 or 1. With a probability in its place, as for a tie, the
    # sum is the expected score.
    sums = (cells.expected * cells.confidence).sum() + (outcomes * (1 - 2 * cells.confidence)).sum(-1)
    return np.asarray(sums / cells.rows)


def reliability_term(cells: ConfidenceCells, outcomes: Array) -> Array:
    """The mean squared gap of bins of equal mass."""
    bins = _binned(cells, outcomes, cells.mass_starts)
    return bins.mean((bins.accuracy - bins.confidence) ** 2)


def resolution_term(cells: ConfidenceCells, outcomes: Array) -> Array:
    """The variance of the accuracies of bins of equal mass."""
    bins = _binned(cells, outcomes, cells.mass_starts)
    return bins.mean((bins.accuracy - bins.mean(bins.accuracy)[..., np.newaxis]) ** 2)


def uncertainty_term(cells: ConfidenceCells, outcomes: Array) -> Array:
    """The Brier score of a model that always has the accuracy as its confidence."""
    accuracy = outcomes.sum(-1) / cells.rows
    return np.asarray(accuracy * (1 - accuracy))


def within_bins_term(cells: ConfidenceCells, outcomes: Array) -> Array:
    """What the bins of equal mass do not show of the Brier score: the variance of the confidences within the bins,
    minus twice their covariance with the outcomes."""
    bins = _binned(cells, outcomes, cells.mass_starts)
    cells_per_bin = np.diff(np.append(cells.mass_starts, len(cells.sizes)))
    deviations = cells.confidence - np.repeat(bins.confidence, cells_per_bin)
    sums = (cells.sizes * deviations**2).sum() - 2 * (deviations * outcomes).sum(-1)
    return np.asarray(sums / cells.rows)


def auroc(cells: ConfidenceCells, outcomes: Array) -> Array:
    """The share of the pairs of a right and a wrong prediction in which the right one has the higher confidence; ties
    count half. NaN if all predictions are right, or all are wrong.

    >>> from tsoft.features.calibrate.confidence_cells import confidence_cells
    >>> cells = confidence_cells(np.array([0.6, 0.8, 0.8, 0.9]), np.array([4]), np.array([4]))
    >>> auroc(cells, np.array([0, 0, 1, 1]))  # one tie in four pairs
    array(0.875)
    """
    right, sizes = (np.add.reduceat(values, cells.tie_starts, axis=-1) for values in (outcomes, cells.sizes))
    wrong = sizes - right
    # A row that is right in part does not pair with itself.
    same = (outcomes * (1 - outcomes) * (cells.sizes == 1)).sum(-1)
    in_order = (right * (wrong.cumsum(-1) - wrong / 2)).sum(-1) - same / 2
    with np.errstate(invalid="ignore"):
        return np.asarray(in_order / (right.sum(-1) * wrong.sum(-1) - same))


# The measures of each name, in display order.
CONFIDENCE_MEASURES: dict[str, tuple[ConfidenceMeasure, ...]] = {
    "brier_top": (
        ConfidenceMeasure("brier_top", brier_of_top, two_sided),
        ConfidenceMeasure("brier_top_reliability", reliability_term, one_sided),
        ConfidenceMeasure("brier_top_resolution", resolution_term, two_sided),
        ConfidenceMeasure("brier_top_uncertainty", uncertainty_term, two_sided),
        ConfidenceMeasure("brier_top_within", within_bins_term, None),
    ),
    "ece": (ConfidenceMeasure("ece", expected_calibration_error, one_sided),),
    "ece_mass": (ConfidenceMeasure("ece_mass", expected_calibration_error_by_mass, one_sided),),
    "rms_ce": (ConfidenceMeasure("rms_ce", rms_calibration_error, one_sided),),
    "smooth_ece": (ConfidenceMeasure("smooth_ece", smooth_ece, one_sided),),
    "mce": (ConfidenceMeasure("mce", maximum_calibration_error, one_sided),),
    "auroc": (ConfidenceMeasure("auroc", auroc, two_sided),),
}


def simulated_levels(
    cells: ConfidenceCells, measures: Sequence[ConfidenceMeasure], samples: int, generator: np.random.Generator
) -> dict[str, Chance]:
    """Return the levels of calibrated models by the names of their measures."""
    pieces = [
        [measure.statistic(cells, outcomes) for measure in measures]
        for outcomes in simulated_outcomes(cells, samples, generator)
    ]
    columns = zip(*pieces, strict=True) if pieces else [[np.empty(0)]] * len(measures)
    return {
        measure.name: measure.level(np.concatenate(values))
        for measure, values in zip(measures, columns, strict=True)
        if measure.level
    }
