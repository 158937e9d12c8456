"""Whether a classifier is as often right as it is confident.

A row's confidence is its highest probability, and its prediction the class that has it. Rows are put into
bins by their confidence; in a calibrated model the accuracy of each bin is its mean confidence:

    ECE = sum_b n_b / N |accuracy_b - confidence_b|        MCE = max_b |accuracy_b - confidence_b|

(Naeini, Cooper & Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian binning"; Guo,
Pleiss, Sun & Weinberger 2017, "On calibration of modern neural networks", eqs. 3 and 5.) Since the
absolute value of noise does not average out, a perfectly calibrated model has an ECE above 0 as well: what
it has on as many rows is simulated, by drawing each row's outcome with the probability that is its
confidence (Broecker & Smith 2007, "Increasing the reliability of reliability diagrams").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import nan

import numpy as np

from tsoft.core.labelled_rows import LabelledRows, Passes
from tsoft.core.softmax import Array, log_softmax, softmax

# So many probabilities are worked at once, and so many outcomes drawn.
PIECE = 1 << 20
# Confidences that differ by no more than this, of themselves, differ by rounding.
ROUNDING = 1e-15
# A simulation draws the outcomes of rows that are neighbours by confidence together, where there are more
# rows than so many.
CELLS = 1 << 11


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of confidence, from low to high. `edges` are (b + 1,): a bin holds what is above its lower edge
    and not above its upper, so that a confidence of exactly 1 has its bin. `counts`, `confidence` and
    `accuracy` are (b,), the last two means, NaN where a bin is empty. `asked` is how many bins were asked
    for: those of equal mass are fewer where confidences tie."""

    edges: Array
    counts: Array
    confidence: Array
    accuracy: Array
    asked: int

    @property
    def is_merged(self) -> bool:
        """Whether there are fewer than asked for."""
        return len(self.counts) < self.asked

    @cached_property
    def gaps(self) -> Array:
        """|accuracy - confidence| of each bin, 0 where it is empty."""
        return np.where(self.counts > 0, abs(self.accuracy - self.confidence), 0.0)

    @property
    def ece(self) -> float:
        """The expected calibration error."""
        return float((self.counts * self.gaps).sum() / self.counts.sum())

    @property
    def mce(self) -> float:
        """The maximum calibration error."""
        return float(self.gaps.max())


@dataclass(frozen=True)
class Chance:
    """What a perfectly calibrated model's ECE is on as many rows with the same confidences: its `mean`, and
    the value `high` that 95 % of such models stay below; NaN where none was simulated."""

    mean: float
    high: float


@dataclass(frozen=True, eq=False)
class Report:
    """How probabilities at the temperature `tau` fit N rows. `nll` is in nats; `brier` is the sum over all
    classes of the squared differences to 0 and 1, from 0 to 2 (Brier 1950, "Verification of forecasts
    expressed in terms of probability"). `widths` and `masses` are the bins of equal width and of equal mass,
    each with what the ECE is by `chance`."""

    tau: float
    rows: int
    nll: float
    brier: float
    accuracy: float
    confidence: float
    widths: Bins
    masses: Bins
    widths_chance: Chance
    masses_chance: Chance


@dataclass(frozen=True, eq=False)
class Scores:
    """What a pass gathers: the mean NLL at each of k temperatures, (k,); at the first few the mean Brier score,
    (few,), and each row's confidence, (few, rows); and which rows' predictions are right, (rows,)."""

    taus: Array
    nll: Array
    brier: Array
    confidences: Array
    right: Array

    @property
    def rows(self) -> int:
        return len(self.right)


def scores(passes: Passes, taus: Array, few: int) -> Scores:
    """The scores at k temperatures, from 0 to inf, in one pass. What is kept of each row takes 8 bytes for each
    of the few, and one. The prediction is the class with the highest logit, the first of those
    that tie, and so the same at every temperature.

    >>> rows = LabelledRows(np.array([[0.0, 0.0], [np.log(3), 0.0]]), np.array([0, 0]))
    >>> found = scores(lambda: [rows], np.array([1.0]), 1)
    >>> found.confidences.round(2), found.right
    (array([[0.5 , 0.75]]), array([ True,  True]))
    """
    nll: list[Array] = []
    brier: list[Array] = []
    confidences: list[Array] = []
    right: list[Array] = []
    for examples in passes():
        for piece in _pieces(examples, len(taus)):
            z = piece.logits.astype(np.float64)
            log_probs = log_softmax(z, taus)
            places = np.arange(len(piece.targets)), piece.targets
            with np.errstate(over="ignore"):
                nll.append(-log_probs[:, *places].sum(1))
            # The exponential of a logarithm may lie beside a bin's edge that the probability is on.
            probs = softmax(z, taus[:few])
            brier.append((np.einsum("kij,kij->ki", probs, probs) - 2 * probs[:, *places] + 1).sum(1))
            confidences.append(probs.max(2))
            right.append(piece.logits.argmax(1) == piece.targets)
    rows = sum(map(len, right))
    with np.errstate(over="ignore"):
        means = [np.array(parts).sum(0) / rows for parts in (nll, brier)]
    return Scores(taus, means[0], means[1], np.concatenate(confidences, axis=1), np.concatenate(right))


def _pieces(examples: LabelledRows, taus: int) -> Iterator[LabelledRows]:
    step = max(1, PIECE // (examples.logits.shape[1] * taus))
    for first in range(0, len(examples.targets), step):
        yield LabelledRows(examples.logits[first : first + step], examples.targets[first : first + step])


def report(found: Scores, t: int, bins: int, samples: int, generator: np.random.Generator) -> Report:
    """The report at the temperature of index t, with so many bins. What the ECE is by chance is worked from
    so many samples of outcomes, drawn from the generator."""
    order = found.confidences[t].argsort()
    confidences, right = found.confidences[t][order], found.right[order]
    widths = _bins(confidences, right, np.arange(bins + 1) / bins, bins)
    masses = _bins(confidences, right, equal_masses(confidences, bins), bins)
    chances = (chance(confidences, kind.counts, samples, generator) for kind in (widths, masses))
    return Report(
        float(found.taus[t]),
        found.rows,
        float(found.nll[t]),
        float(found.brier[t]),
        float(right.mean()),
        float(confidences.mean()),
        widths,
        masses,
        *chances,
    )


def equal_masses(confidences: Array, bins: int) -> Array:
    """Edges of bins that hold equally many of the confidences, which are in ascending order, or as nearly as
    can be: those that tie share a bin, and where that leaves one empty it is merged with its neighbour.

    >>> equal_masses(np.array([0.3, 0.5, 0.7, 0.9]), 2)
    array([0. , 0.5, 1. ])
    >>> equal_masses(np.array([0.3, 0.9, 0.9, 0.9]), 2)
    array([0., 1.])
    """
    places = np.arange(1, bins) * len(confidences) // bins
    # Those that are equal but for rounding end together, and beyond the highest nothing is left for a bin.
    ends = np.flatnonzero(np.diff(confidences) > ROUNDING * confidences[:-1])
    beyond = np.searchsorted(ends, places[places > 0] - 1)
    return np.concatenate([[0.0], np.unique(confidences[ends[beyond[beyond < len(ends)]]]), [1.0]])


def _bins(confidences: Array, right: Array, edges: Array, asked: int) -> Bins:
    # Rounding may take a confidence past the edge that it is on, be it 1.
    places = np.minimum(np.searchsorted(edges * (1 + ROUNDING), confidences, "left") - 1, len(edges) - 2)
    counts = np.bincount(places, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (
            np.bincount(places, values, len(edges) - 1) / counts for values in (confidences, right.astype(np.float64))
        )
    return Bins(edges, counts, confidence, accuracy, asked)


def chance(confidences: Array, counts: Array, samples: int, generator: np.random.Generator) -> Chance:
    """What the ECE of a perfectly calibrated model is with these confidences, in ascending order, in bins of
    these counts. Beyond a few thousand rows those next to each other in a bin are drawn together, with their
    mean confidence, which is as good as the same.

    >>> found = chance(np.array([0.5]), np.array([1]), 10, np.random.default_rng(1))
    >>> found.mean, found.high  # right or wrong, it is off by a half
    (0.5, 0.5)
    """
    if not samples:
        return Chance(nan, nan)
    counts = counts[counts > 0]
    starts, firsts = _cells(counts)
    sizes = np.diff(np.append(starts, len(confidences)))
    sums = np.add.reduceat(confidences, starts)
    expected = np.add.reduceat(sums, firsts)
    shares = np.clip(sums / sizes, 0.0, 1.0)
    step = max(1, PIECE // len(sizes))
    found = np.empty(samples)
    for first in range(0, samples, step):
        stop = min(first + step, samples)
        outcomes = generator.binomial(sizes, shares, (stop - first, len(sizes)))
        found[first:stop] = abs(np.add.reduceat(outcomes, firsts, axis=1) - expected).sum(1) / len(confidences)
    return Chance(float(found.mean()), float(np.quantile(found, 0.95)))


def _cells(counts: Array) -> tuple[Array, Array]:
    """Where the cells of rows that are drawn together start, and which of them is the first of each bin."""
    rows = int(counts.sum())
    each = -(-rows // CELLS)
    ends = counts.cumsum()
    starts = [np.arange(end - count, end, each) for end, count in zip(ends, counts, strict=True)]
    lengths = np.array([len(part) for part in starts])
    return np.concatenate(starts), lengths.cumsum() - lengths
