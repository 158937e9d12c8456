"""The calibration of a classifier: whether its accuracy equals its confidence.

A row's confidence is its highest probability, and its prediction is the class with this probability. Rows are
binned by confidence. In a calibrated model, the accuracy of each bin is its mean confidence:

    ECE = sum_b n_b / N |accuracy_b - confidence_b|        MCE = max_b |accuracy_b - confidence_b|

(Naeini, Cooper & Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian binning"; Guo,
Pleiss, Sun & Weinberger 2017, "On calibration of modern neural networks", eqs. 3 and 5.) A perfectly calibrated
model has an ECE above 0, too, because the absolute value of noise does not average out. A simulation with the same
rows determines its ECE: whether a row is right is drawn with its confidence as the probability (Broecker & Smith
2007, "Increasing the reliability of reliability diagrams").
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf, isnan, nan

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.draw import Rng, as_generator, whole_number
from tsoft.core.labeled_rows import LabeledRows, ReadRows, validate_examples
from tsoft.core.softmax import Array, log_softmax, softmax, validate_taus

# The number of probabilities, or of simulated outcomes, in a piece.
PIECE_SIZE = 1 << 20
# Confidences with at most this relative difference count as equal, because it can be due to rounding.
ROUNDING = 1e-15
# With more rows than this, a simulation draws the outcomes of rows of similar confidence together.
CELLS = 1 << 11


@dataclass(frozen=True)
class ChanceEce:
    """The ECE of simulated, perfectly calibrated models on rows of the same confidences: the `mean`, and the value
    `high` that is above the ECE of 95 % of these models. Both are NaN without a simulation."""

    mean: float
    high: float

    @property
    def is_simulated(self) -> bool:
        return not isnan(self.mean)


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of confidence, from low to high.

    `edges` are (b + 1,). A bin contains the confidences above its lower edge up to and including its upper edge, so a
    confidence of exactly 1 has a bin. `counts` are the numbers of rows, `confidence` and `accuracy` the means, NaN for
    an empty bin: (b,) each. `requested` is the requested number of bins; there are fewer bins of equal mass if
    confidences tie. `chance` is the ECE by chance with these bins.
    """

    edges: Array
    counts: Array
    confidence: Array
    accuracy: Array
    requested: int
    chance: ChanceEce = ChanceEce(nan, nan)

    @property
    def is_merged(self) -> bool:
        """Whether there are fewer bins than requested."""
        return len(self.counts) < self.requested

    @cached_property
    def gaps(self) -> Array:
        """|accuracy - confidence| of each bin, 0 for an empty bin: (b,)."""
        return np.where(self.counts > 0, abs(self.accuracy - self.confidence), 0.0)

    @property
    def ece(self) -> float:
        """The expected calibration error."""
        return float((self.counts * self.gaps).sum() / self.counts.sum())

    @property
    def mce(self) -> float:
        """The maximum calibration error."""
        return float(self.gaps.max())


@dataclass(frozen=True, eq=False)
class Report:
    """Measures of the probabilities of some rows at the temperature `tau`.

    `nll` is in nats. `brier` is the squared error of the probabilities, summed over the classes, from 0 to 2
    (Brier 1950, "Verification of forecasts expressed in terms of probability"). Each of `nll`, `brier`, `accuracy`
    and `confidence` is a mean over the rows.
    """

    tau: float
    rows: int
    nll: float
    brier: float
    accuracy: float
    confidence: float
    equal_width: Bins
    equal_mass: Bins

    def __repr__(self) -> str:
        """Return the attributes without the bins."""
        names = ("tau", "rows", "nll", "ece", "mce", "brier", "accuracy", "confidence")
        values = {name: getattr(self, name) for name in names}
        return f"Report({', '.join(f'{name}={value:.6g}' for name, value in values.items())})"

    @property
    def ece(self) -> float:
        """The expected calibration error with bins of equal width."""
        return self.equal_width.ece

    @property
    def mce(self) -> float:
        """The maximum calibration error with bins of equal width."""
        return self.equal_width.mce

    @property
    def measures(self) -> dict[str, float]:
        """The measures by name, in display order."""
        return {
            "nll": self.nll,
            "ece": self.ece,
            "ece_chance_mean": self.equal_width.chance.mean,
            "ece_chance_95": self.equal_width.chance.high,
            "ece_mass": self.equal_mass.ece,
            "ece_mass_chance_mean": self.equal_mass.chance.mean,
            "ece_mass_chance_95": self.equal_mass.chance.high,
            "mce": self.mce,
            "brier": self.brier,
            "accuracy": self.accuracy,
            "mean_confidence": self.confidence,
        }


def reliability(
    z: ArrayLike,
    targets: ArrayLike,
    tau: float = 1.0,
    *,
    bins: int = 15,
    resamples: int = 1000,
    rng: Rng = None,
) -> Report:
    """Measure how well calibrated a classifier's probabilities are at a temperature.

    A row's confidence is its highest probability. The classifier is calibrated if its prediction is right in 80 % of
    the rows with a confidence of 80 %, and so on. The expected calibration error (ECE) is the average difference
    between confidence and accuracy over bins of confidence [1]_.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    targets : array_like of int, shape (...)
        The index, from 0, of each row's true class.
    tau : float, default 1
        The temperature, from 0 to inf.
    bins : int, default 15
        The number of bins of confidence.
    resamples : int, default 1000
        The number of simulations of a perfectly calibrated classifier, which determine the ECE that is due to
        chance [2]_. With 0, this is NaN.
    rng : int or numpy.random.Generator, optional
        A seed, or the generator for the simulations. By default the seed comes from the operating system.

    Returns
    -------
    Report
        ``nll`` (in nats), ``brier`` (from 0 to 2), ``accuracy``, ``confidence``, ``ece`` and ``mce``, and the
        bins of a reliability diagram, ``equal_width`` and ``equal_mass``. Each has ``edges``, ``counts``,
        ``confidence``, ``accuracy``, ``ece``, ``mce`` and ``chance``: the ``mean`` ECE of a perfectly calibrated
        classifier with the same confidences, and the value ``high`` that 95 % of these stay below.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If the targets do not match the rows, if there are no rows, or if the temperature, the number of bins or
        `resamples` is out of range.

    See Also
    --------
    fit_temperature : The temperature that calibrates the probabilities.

    Notes
    -----
    A bin contains the confidences above its lower edge up to its upper edge. The prediction is the most probable
    class. If the target ties with other classes at the top, the row counts in the accuracy as 1 divided by the
    number of these classes, as if one of them were drawn. At tau = inf, all unmasked classes tie.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
       eqs. 3 and 5.
    .. [2] J. Broecker and L. A. Smith, "Increasing the Reliability of Reliability Diagrams", Weather and
       Forecasting 22, 2007.

    Examples
    --------
    >>> import tsoft
    >>> z, targets = [[2, 0], [2, 0], [2, 0]], [0, 0, 1]
    >>> report = tsoft.reliability(z, targets, rng=0)
    >>> round(report.confidence, 4), round(report.accuracy, 4), round(report.ece, 4)
    (0.8808, 0.6667, 0.2141)
    >>> tau = tsoft.fit_temperature(z, targets).tau
    >>> round(tsoft.reliability(z, targets, tau).ece, 4)
    0.0
    """
    whole_number("bins", bins, low=1)
    whole_number("resamples", resamples)
    taus = validate_taus(tau)
    if taus.ndim:
        raise ValueError(f"tau must be a single number, got shape {taus.shape}")
    rows = validate_examples(z, targets)
    if not len(rows.targets):
        raise ValueError("there are no rows")
    scores = score_rows(lambda: [rows], taus.reshape(1), 1)
    return report(scores, 0, bins, resamples, as_generator(rng))


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores from one pass over the rows.

    `taus` and the mean `nll` are (k,). The first `scored` of these temperatures have a mean `brier` score, (scored,).
    `confidences`, (scored, rows), are those of the rows, and `right`, (scored, rows), is 1 if the prediction is right,
    0 if it is wrong, and 1 / m if the target is one of m classes that tie.
    """

    taus: Array
    nll: Array
    brier: Array
    confidences: Array
    right: Array

    @property
    def rows(self) -> int:
        return int(self.right.shape[1])


def score_rows(read_rows: ReadRows, taus: Array, scored: int) -> Scores:
    """Compute the scores at k temperatures, from 0 to inf, in one pass.

    The result takes 16 bytes per row and scored temperature. The prediction is the class with the highest probability.
    If several classes tie, which all do at inf, one of them is drawn.

    >>> rows = LabeledRows(np.array([[0.0, 0.0], [np.log(3), 0.0]]), np.array([0, 0]))
    >>> scores = score_rows(lambda: [rows], np.array([1.0]), 1)
    >>> scores.confidences.round(2), scores.right
    (array([[0.5 , 0.75]]), array([[0.5, 1. ]]))
    """
    nll: list[Array] = []
    brier: list[Array] = []
    confidences: list[Array] = []
    right: list[Array] = []
    for examples in read_rows():
        for piece in _pieces(examples, len(taus)):
            z = piece.logits.astype(np.float64)
            log_probs = log_softmax(z, taus)
            places = np.arange(len(piece.targets)), piece.targets
            with np.errstate(over="ignore"):
                nll.append(-log_probs[:, *places].sum(1))
            # The exponential of a logarithm could fall on the wrong side of the edge of a bin.
            probs = softmax(z, taus[:scored])
            brier.append((np.einsum("kij,kij->ki", probs, probs) - 2 * probs[:, *places] + 1).sum(1))
            confidences.append(probs.max(2))
            right.append(np.array([_right(piece, tau) for tau in taus[:scored].tolist()]))
    rows = sum(part.shape[1] for part in right)
    with np.errstate(over="ignore"):
        means = [np.array(parts).sum(0) / rows for parts in (nll, brier)]
    return Scores(taus, means[0], means[1], np.concatenate(confidences, axis=1), np.concatenate(right, axis=1))


def _right(rows: LabeledRows, tau: float) -> Array:
    """Return the probability that a row's prediction, drawn from the most probable classes, is the target: (rows,)."""
    # The logits have the order of the probabilities without their rounding.
    lowest_top = -np.finfo(rows.logits.dtype).max if tau == inf else rows.logits.max(1, keepdims=True)
    is_top = rows.logits >= lowest_top
    return np.asarray(is_top[np.arange(len(is_top)), rows.targets] / is_top.sum(1))


def _pieces(examples: LabeledRows, taus: int) -> Iterator[LabeledRows]:
    step = max(1, PIECE_SIZE // (examples.logits.shape[1] * taus))
    for first in range(0, len(examples.targets), step):
        yield LabeledRows(examples.logits[first : first + step], examples.targets[first : first + step])


def report(scores: Scores, t: int, bins: int, samples: int, generator: np.random.Generator) -> Report:
    """Return the report at the temperature of index t. `samples` simulations determine the ECE by chance."""
    order = scores.confidences[t].argsort()
    confidences, right = scores.confidences[t][order], scores.right[t][order]
    edges = np.arange(bins + 1) / bins, equal_masses(confidences, bins)
    equal_width, equal_mass = (_bins(confidences, right, each, bins, samples, generator) for each in edges)
    return Report(
        float(scores.taus[t]),
        scores.rows,
        float(scores.nll[t]),
        float(scores.brier[t]),
        float(right.mean()),
        float(confidences.mean()),
        equal_width,
        equal_mass,
    )


def equal_masses(confidences: Array, bins: int) -> Array:
    """Return the edges of bins with numbers of confidences that are as equal as possible.

    The confidences are in ascending order. Equal ones share a bin; if this makes another bin empty, there are fewer
    bins.

    >>> equal_masses(np.array([0.3, 0.5, 0.7, 0.9]), 2)
    array([0. , 0.5, 1. ])
    >>> equal_masses(np.array([0.3, 0.9, 0.9, 0.9]), 2)
    array([0., 1.])
    """
    places = np.arange(1, bins) * len(confidences) // bins
    # Confidences that differ only by rounding share an end. No bin starts at the highest confidence.
    ends = np.flatnonzero(np.diff(confidences) > ROUNDING * confidences[:-1])
    beyond = np.searchsorted(ends, places[places > 0] - 1)
    return np.concatenate([[0.0], np.unique(confidences[ends[beyond[beyond < len(ends)]]]), [1.0]])


def _bins(
    confidences: Array, right: Array, edges: Array, requested: int, samples: int, generator: np.random.Generator
) -> Bins:
    # Rounding may move a confidence beyond the edge that it equals, even beyond 1.
    places = np.minimum(np.searchsorted(edges * (1 + ROUNDING), confidences, "left") - 1, len(edges) - 2)
    counts = np.bincount(places, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (np.bincount(places, values, len(edges) - 1) / counts for values in (confidences, right))
    chance = simulate_chance(confidences, counts, samples, generator)
    return Bins(edges, counts, confidence, accuracy, requested, chance)


def simulate_chance(confidences: Array, counts: Array, samples: int, generator: np.random.Generator) -> ChanceEce:
    """Simulate the ECE of a perfectly calibrated model with these confidences.

    confidences: (rows,), in ascending order. counts: the number of rows in each bin, (b,). With more than a few
    thousand rows, rows of similar confidence in a bin are drawn together, with their mean confidence. This makes
    almost no difference.

    >>> chance = simulate_chance(np.array([0.5]), np.array([1]), 10, np.random.default_rng(1))
    >>> chance.mean, chance.high  # right or wrong, the gap is a half
    (0.5, 0.5)
    """
    if not samples:
        return ChanceEce(nan, nan)
    counts = counts[counts > 0]
    starts, firsts = _cells(counts)
    sizes = np.diff(np.append(starts, len(confidences)))
    sums = np.add.reduceat(confidences, starts)
    expected = np.add.reduceat(sums, firsts)
    shares = np.clip(sums / sizes, 0.0, 1.0)
    step = max(1, PIECE_SIZE // len(sizes))
    eces = np.empty(samples)
    for first in range(0, samples, step):
        stop = min(first + step, samples)
        outcomes = generator.binomial(sizes, shares, (stop - first, len(sizes)))
        eces[first:stop] = abs(np.add.reduceat(outcomes, firsts, axis=1) - expected).sum(1) / len(confidences)
    return ChanceEce(float(eces.mean()), float(np.quantile(eces, 0.95)))


def _cells(counts: Array) -> tuple[Array, Array]:
    """Return the first row of each cell, whose rows are drawn together, and the index of each bin's first cell."""
    rows = int(counts.sum())
    cell_size = -(-rows // CELLS)
    ends = counts.cumsum()
    starts = [np.arange(end - count, end, cell_size) for end, count in zip(ends, counts, strict=True)]
    lengths = np.array([len(bin_starts) for bin_starts in starts])
    return np.concatenate(starts), lengths.cumsum() - lengths
