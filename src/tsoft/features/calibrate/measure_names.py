"""The names of the measures of a calibration, in display order, and what they mean."""

from collections.abc import Sequence
from dataclasses import dataclass

from tsoft.errors import unknown


@dataclass(frozen=True)
class MeasureName:
    """The `name` of a measure in options, headers and records, its `label` in a table, and its `meaning`."""

    name: str
    label: str
    meaning: str


MEASURE_NAMES = (
    MeasureName("nll", "NLL", "negative log-likelihood, the mean of −ln p of the targets, in nats; lower is better"),
    MeasureName(
        "brier", "Brier", "the mean squared error of the probabilities, summed over the classes; from 0 (best) to 2"
    ),
    MeasureName(
        "brier_top",
        "Brier, top class",
        "the mean of (confidence − right)², where right is 1 or 0; it is the sum of its four parts below, which use"
        " bins of equal mass",
    ),
    MeasureName(
        "ece",
        "ECE",
        "expected calibration error, the mean gap |accuracy − confidence| of bins of equal width, weighted by rows",
    ),
    MeasureName("ece_mass", "ECE, equal mass", "the same with bins that contain equal numbers of rows"),
    MeasureName(
        "classwise_ece",
        "ECE, classwise",
        "the mean over the classes of the ECE of each class's probability, with bins of equal width",
    ),
    MeasureName("rms_ce", "RMS error", "the root of the mean squared gap of bins of equal width, weighted by rows"),
    MeasureName(
        "smooth_ece", "smooth ECE", "the mean gap, smoothed over the confidence with a width equal to this ECE"
    ),
    MeasureName("mce", "MCE", "maximum calibration error, the largest gap of a bin of equal width"),
    MeasureName(
        "auroc",
        "AUROC",
        "the probability that a right prediction has a higher confidence than a wrong one; 0.5 is chance level",
    ),
    MeasureName(
        "accuracy",
        "accuracy",
        "the share of rows whose most probable class is the target",
    ),
    MeasureName("mean_confidence", "mean confidence", "the mean of the highest probability of each row"),
)

# The parts of the Brier score of the top class.
BRIER_PARTS = (
    MeasureName(
        "brier_top_reliability", "  reliability", "the mean squared gap |accuracy − confidence|; 0 if calibrated"
    ),
    MeasureName(
        "brier_top_resolution", "  − resolution", "the variance of the accuracy between the bins; higher is better"
    ),
    MeasureName("brier_top_uncertainty", "  + uncertainty", "accuracy · (1 − accuracy) of all rows"),
    MeasureName("brier_top_within", "  + within bins", "what the bins do not show, because their confidences differ"),
)

ALL = tuple(measure.name for measure in MEASURE_NAMES)
DEFAULT = ("nll", "brier", "ece", "ece_mass", "accuracy", "mean_confidence")


def chosen_measures(names: Sequence[str]) -> tuple[str, ...]:
    """Return the measures with these names, each once, in display order; `all` stands for all of them.

    Raise ValueError for an unknown name.

    >>> chosen_measures(["mce", "nll", "mce"])
    ('nll', 'mce')
    """
    known = [name.strip().lower().replace("-", "_") for name in names]
    for name, typed in zip(known, names, strict=True):
        if name not in (*ALL, "all"):
            raise ValueError(unknown("measure", typed, [*ALL, "all"]))
    return tuple(name for name in ALL if name in known or "all" in known)
