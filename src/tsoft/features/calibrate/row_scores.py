"""The scores of rows at several temperatures, in one pass: NLL, Brier score, confidences, and right predictions."""

# The classes are in the order in which they are read.
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

import numpy as np

from tsoft.core.labeled_rows import LabeledRows, RowPasses
from tsoft.core.softmax import Array, log_softmax, softmax
from tsoft.features.calibrate.chance import Chance, Measurement, normal_range
from tsoft.features.calibrate.class_bins import ClassBins, ClassDraws

# The number of probabilities in a piece.
PIECE_SIZE = 1 << 20
# At a lower log-probability, the probability is 0 in float64.
LOWEST_LOG = -800.0


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores from one pass over the rows.

    `taus` and the mean `nll` are (k,). The first `scored` of these temperatures have a mean `brier` score, (scored,),
    and, for a calibrated model, levels of both scores by chance. `confidences`, (scored, rows), are those of the rows,
    and `right`, (scored, rows), is 1 if the prediction is right, 0 if it is wrong, and 1 / m if the target is one of m
    classes that tie. `classwise` are the classwise ECEs if requested.
    """

    taus: Array
    nll: Array
    brier: Array
    chances: Sequence[ScoreChances]
    confidences: Array
    right: Array
    classwise: Sequence[Measurement] = ()

    @property
    def rows(self) -> int:
        return int(self.right.shape[1])


@dataclass(frozen=True)
class ScoreChances:
    """The levels of the NLL and of the Brier score for a calibrated model."""

    nll: Chance
    brier: Chance


def score_rows(rows: RowPasses, taus: Array, scored: int, draws: ClassDraws | None = None) -> Scores:
    """Compute the scores at k temperatures, from 0 to inf, in one pass.

    The result takes 16 bytes per row and scored temperature. The prediction is the class with the highest probability.
    If several classes tie, which all do at inf, one of them is drawn. With `draws`, the result has the classwise ECE,
    after a further pass.

    >>> from tsoft.core.labeled_rows import StoredRows
    >>> rows = StoredRows([LabeledRows(np.array([[0.0, 0.0], [np.log(3), 0.0]]), np.array([0, 0]))])
    >>> scores = score_rows(rows, np.array([1.0]), 1)
    >>> scores.confidences.round(2), scores.right
    (array([[0.5 , 0.75]]), array([[0.5, 1. ]]))
    """
    blocks = list(rows.map(partial(_block_scores, taus=taus, scored=scored)))
    count = sum(block.right.shape[1] for block in blocks)
    with np.errstate(over="ignore"):
        mean_nll = np.concatenate([block.nll for block in blocks]).sum(0) / count
    sums = np.concatenate([block.moments for block in blocks]).sum(0)
    chances = [
        ScoreChances(normal_range(entropy / count, surprise / count**2), normal_range(error / count, spread / count**2))
        for _, entropy, surprise, error, spread in sums.T.tolist()
    ]
    return Scores(
        taus,
        mean_nll,
        sums[0] / count,
        chances,
        np.concatenate([block.confidences for block in blocks], axis=1),
        np.concatenate([block.right for block in blocks], axis=1),
        [] if draws is None else _classwise(rows, taus, scored, draws),
    )


@dataclass(frozen=True, eq=False)
class _BlockScores:
    """Scores of the rows of a block: the sums of the NLL over each piece, (pieces, k), those of `_score_moments`,
    (pieces, 5, scored), and the confidences and the right predictions, (scored, rows) each."""

    nll: Array
    moments: Array
    confidences: Array
    right: Array


def _block_scores(examples: LabeledRows, *, taus: Array, scored: int) -> _BlockScores:
    nll, moments, confidences, right = [], [], [], []
    for piece in _pieces(examples, len(taus)):
        z = piece.logits.astype(np.float64)
        log_probs = log_softmax(z, taus)
        places = np.arange(len(piece.targets)), piece.targets
        with np.errstate(over="ignore"):
            nll.append(-log_probs[:, *places].sum(1))
        # The exponential of a logarithm could fall on the wrong side of the edge of a bin.
        probs = softmax(z, taus[:scored])
        moments.append(_score_moments(probs, log_probs[:scored], places))
        confidences.append(probs.max(2))
        right.append(np.array([_right(piece, tau) for tau in taus[:scored].tolist()]))
    return _BlockScores(
        np.array(nll), np.array(moments), np.concatenate(confidences, axis=1), np.concatenate(right, axis=1)
    )


def _classwise(rows: RowPasses, taus: Array, scored: int, draws: ClassDraws) -> list[Measurement]:
    """Return the classwise ECE at the scored temperatures. The simulations draw in the order of the rows, so the pass
    is not split."""
    class_bins: list[ClassBins] = []
    for examples in rows:
        class_bins = class_bins or [ClassBins(examples.logits.shape[1], draws) for _ in range(scored)]
        for piece in _pieces(examples, len(taus)):
            probs = softmax(piece.logits.astype(np.float64), taus[:scored])
            for bins, class_probs in zip(class_bins, probs, strict=True):
                bins.add(class_probs, piece.targets)
    return [Measurement("classwise_ece", *bins.error()) for bins in class_bins]


def _score_moments(probs: Array, log_probs: Array, places: tuple[Array, Array]) -> Array:
    """Return sums over the rows: the Brier score and, for targets drawn with these probabilities, the mean and the
    variance of the NLL and of the Brier score. These are the entropy, the varentropy, 1 - sum p^2, and 4 Var[p]."""
    terms = np.maximum(log_probs, LOWEST_LOG)
    entropy = -np.einsum("kij,kij->ki", probs, terms)
    terms *= terms
    varentropy = np.einsum("kij,kij->ki", probs, terms) - entropy**2
    np.multiply(probs, probs, out=terms)
    squares = np.einsum("kij->ki", terms)
    spread = 4 * (np.einsum("kij,kij->ki", probs, terms) - squares**2)
    brier = squares - 2 * probs[:, *places] + 1
    return np.array([part.sum(1) for part in (brier, entropy, varentropy, 1 - squares, spread)])


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
