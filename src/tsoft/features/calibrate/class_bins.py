"""The classwise ECE: the mean over the classes of the ECE of each class's probability.

With n_kb rows in bin b of class k, the share y_kb of those with the target k, and their mean probability p_kb,

    classwise ECE = 1 / K sum_k sum_b n_kb / N |y_kb - p_kb|

(Kull et al. 2019, "Beyond temperature scaling: Obtaining well-calibrated multi-class probabilities with Dirichlet
calibration", eq. 4). In the models that show its level by chance, the target of each row is drawn with the
probabilities of its classes.
"""

from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.calibrate.chance import UNKNOWN, Chance, one_sided
from tsoft.features.calibrate.confidence_bins import ROUNDING, bin_places, equal_widths

# The largest number of bins of all classes together, and the largest number of counts in the simulations.
MAX_BINS, MAX_COUNTS = 1 << 23, 1 << 24
# The largest number of drawn targets, unless there would be fewer simulations than this. With fewer counts than these
# simulations need, there is none.
MAX_DRAWN, FEWEST = 1 << 24, 40
# The number of targets that are drawn at once.
PIECE_SIZE = 1 << 20


@dataclass(frozen=True, eq=False)
class ClassDraws:
    """The number of `bins` of each class, and the simulations: their number of `samples`, and the `generator`."""

    bins: int
    samples: int
    generator: np.random.Generator


class TooManyBinsError(ValueError):
    """The bins of all classes do not fit in memory."""


def class_draws(rows: int, classes: int, bins: int, samples: int, generator: np.random.Generator) -> ClassDraws:
    """Return how to measure the classwise ECE, with at most `samples` simulations. Raise TooManyBinsError."""
    if classes * bins > MAX_BINS:
        problem = f"{bins} bins for each of {classes} classes are too many for the classwise ECE"
        raise TooManyBinsError(f"{problem}; use at most {MAX_BINS // classes} bins")
    return ClassDraws(bins, class_samples(rows, classes, bins, samples), generator)


def class_samples(rows: int, classes: int, bins: int, samples: int) -> int:
    """Return how many of the requested simulations have room and do not take too long.

    >>> class_samples(1000, 10, 15, 1000), class_samples(10**6, 1000, 15, 1000), class_samples(1000, 10**5, 15, 1000)
    (1000, 40, 0)
    """
    most = min(max(MAX_DRAWN // rows, FEWEST), MAX_COUNTS // (classes * bins))
    return min(samples, most) if most >= min(FEWEST, samples) else 0


class ClassBins:
    """The bins of each class, filled piece by piece."""

    def __init__(self, classes: int, draws: ClassDraws):
        self._bins, self._draws, self._classes = draws.bins, draws, classes
        self._edges = equal_widths(draws.bins)
        self._rows = 0
        # The sums of the probabilities and the numbers of targets in the bins of each class, and the sums of all bins.
        self._expected = np.zeros(classes * draws.bins)
        self._totals = np.zeros(classes)
        self._counts = np.zeros(classes * draws.bins)
        self._simulated = np.zeros((draws.samples, classes * draws.bins), np.int32)

    def add(self, probs: Array, targets: Array) -> None:
        """Add rows with these probabilities, (rows, n), and targets, (rows,)."""
        self._rows += len(probs)
        self._totals += probs.sum(0)
        # Most probabilities are in the first bin. A row has fewer others than there are bins.
        rows, classes = np.nonzero(probs > self._edges[1] * (1 + ROUNDING))
        above = probs[rows, classes]
        np.add.at(self._expected, self._places(classes, above), above)
        np.add.at(self._counts, self._places(targets, probs[np.arange(len(targets)), targets]), 1)
        step = max(1, PIECE_SIZE // len(probs))
        for first in range(0, self._draws.samples, step):
            self._simulate(probs, range(first, min(first + step, self._draws.samples)))

    def _places(self, classes: Array, probs: Array) -> Array:
        # The targets of a file are small integers, in which the product would overflow.
        return classes.astype(np.int64) * self._bins + bin_places(probs, self._edges)

    def _simulate(self, probs: Array, samples: range) -> None:
        """Draw a target for each row and sample."""
        sums = probs.cumsum(1)
        rows = np.arange(len(probs))[:, np.newaxis]
        uniform = self._draws.generator.random((len(probs), len(samples))) * sums[:, -1:]
        # A number is added to each row, so that the sums of all rows ascend.
        offset = 2.0 * rows
        flat = np.searchsorted((sums + offset).ravel(), uniform + offset, "right")
        drawn = np.minimum(flat - rows * probs.shape[1], probs.shape[1] - 1)
        places = self._places(drawn, probs[rows, drawn]) + np.arange(samples.start, samples.stop) * len(self._expected)
        np.add.at(self._simulated.reshape(-1), places.ravel(), np.int32(1))

    def error(self) -> tuple[float, Chance]:
        """Return the classwise ECE, and its level by chance."""
        expected = self._expected.reshape(self._classes, self._bins).copy()
        expected[:, 0] += self._totals - expected.sum(1)
        scale = self._rows * self._classes
        value = float(abs(self._counts - expected.ravel()).sum() / scale)
        errors = np.array([abs(counts - expected.ravel()).sum() / scale for counts in self._simulated])
        return value, one_sided(errors) if len(errors) else UNKNOWN
