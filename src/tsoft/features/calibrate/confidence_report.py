"""The measures of confidences: bins for reliability diagrams, calibration errors, Brier score and AUROC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.calibrate.chance import Measurement
from tsoft.features.calibrate.confidence_bins import Bins, binned, equal_masses, equal_widths
from tsoft.features.calibrate.confidence_cells import cell_size, confidence_cells
from tsoft.features.calibrate.confidence_statistics import CONFIDENCE_MEASURES, simulated_levels

# The measures that are those of bins.
BINNED = ("ece", "ece_mass")


@dataclass(frozen=True, eq=False)
class ConfidenceReport:
    """The bins of a reliability diagram, and the requested measures by name."""

    equal_width: Bins
    equal_mass: Bins
    measurements: Mapping[str, Sequence[Measurement]]


def report_confidences(
    confidences: Array, right: Array, bins: int, samples: int, generator: np.random.Generator, measures: Sequence[str]
) -> ConfidenceReport:
    """Return the report on rows with these confidences and shares of right predictions, (rows,) each.

    measures: names, of which those that need more than the confidences are not in the report. `samples` simulations
    determine the levels by chance.
    """
    order = confidences.argsort()
    confidences, right = confidences[order], right[order]
    edges = equal_widths(bins), equal_masses(confidences, bins)
    equal_width, equal_mass = (binned(confidences, right, each, bins) for each in edges)
    counts = equal_width.counts, equal_mass.counts
    # The bins of a diagram have a level, whether or not their ECE is requested.
    simulated = [each for name, group in CONFIDENCE_MEASURES.items() if name in (*measures, *BINNED) for each in group]
    cells = confidence_cells(confidences, *counts, cell_size(len(confidences)))
    chances = simulated_levels(cells, simulated, samples, generator)
    rows = confidence_cells(confidences, *counts)
    measurements = {
        name: [Measurement(each.name, float(each.statistic(rows, right)), chances.get(each.name)) for each in group]
        for name, group in CONFIDENCE_MEASURES.items()
        if name in measures
    }
    measurements["accuracy"] = [Measurement("accuracy", float(right.mean()))]
    measurements["mean_confidence"] = [Measurement("mean_confidence", float(confidences.mean()))]
    return ConfidenceReport(
        replace(equal_width, chance=chances["ece"]), replace(equal_mass, chance=chances["ece_mass"]), measurements
    )
