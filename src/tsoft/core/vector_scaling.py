"""Vector scaling: one weight and one bias per class (Guo et al. 2017, "On calibration of modern neural networks").

The calibrated probabilities are softmax(w ⊙ z + b). The fit starts from the best single temperature tau, with the
logits x = z / tau and the relative weights u = tau w, and minimizes

    f(u, b) = mean over the rows of the NLL of softmax(u ⊙ x + b)  +  l2 / (2 rows) (sum_c (u_c - 1)^2 + sum_c b_c^2)

The penalty is that of independent normal priors, with the standard deviation l2^(-1/2), of each relative weight around
1 and each bias around 0. With few rows, it keeps the fit near the single temperature. f is strictly convex, so it has
one minimum, which Newton's method finds. A constant added to b does not change the NLL, so sum_c b_c = 0 at the
minimum.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tsoft.core.labeled_rows import CalibrationError, LabeledRows
from tsoft.core.softmax import Array

# The number of numbers in a piece.
_PIECE_SIZE = 1 << 20
# Newton's method stops when the next step lowers f by less than this, or after this number of steps. A step is halved
# at most this often, until it lowers f by this share of what the gradient promises.
_TOLERANCE, _STEPS, _HALVINGS, _SHARE = 1e-15, 200, 60, 1e-4


@dataclass(frozen=True, eq=False)
class VectorScaling:
    """The weight and the bias of each class, (n,) each: the calibrated logits are w ⊙ z + b."""

    weights: Array
    biases: Array

    def logits(self, z: Array) -> Array:
        """Return the calibrated logits of rows, (..., n). A masked class stays masked.

        Raise CalibrationError for a number out of the range of float64.

        >>> VectorScaling(np.array([0.5, 1.0]), np.array([0.0, -1.0])).logits(np.array([2.0, -np.inf]))
        array([  1., -inf])
        """
        is_masked = np.isneginf(z)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.where(is_masked, 0.0, z) * self.weights + self.biases
        if not np.isfinite(scaled).all():
            raise CalibrationError("the calibrated logits are out of the range of float64")
        return np.where(is_masked, -np.inf, scaled)


@dataclass(frozen=True, eq=False)
class Expansion:
    """The `value` of f at a point, its `gradient`, (2n,), and its `hessian`, (2n, 2n)."""

    value: float
    gradient: Array
    hessian: Array


class VectorObjective:
    """The function f of the n relative weights and the n biases, which are one vector of parameters."""

    def __init__(self, rows: Sequence[LabeledRows], tau: float, l2: float):
        self._rows, self._tau = rows, tau
        self.count = sum(len(each.targets) for each in rows)
        self.classes = rows[0].logits.shape[1]
        self._penalty = l2 / self.count
        # The parameters of the single temperature.
        self.start = np.concatenate([np.ones(self.classes), np.zeros(self.classes)])

    def value(self, parameters: Array) -> float:
        """Return f alone."""
        total = sum(piece.softmax(parameters)[1] for piece in self._pieces())
        return total / self.count + self._penalty * float(((parameters - self.start) ** 2).sum()) / 2

    def expansion(self, parameters: Array) -> Expansion:
        """Return f with its derivatives."""
        n = self.classes
        total, gradient, hessian = 0.0, np.zeros((2, n)), np.zeros((2, n, 2, n))
        places = np.arange(n)
        for piece in self._pieces():
            (probs, nll), x = piece.softmax(parameters), piece.x
            total += nll
            # A derivative with respect to a weight has a factor of x, and with respect to a bias a factor of 1.
            terms = probs * x, probs
            target_x = x[np.arange(len(piece.targets)), piece.targets]
            gradient[0] += terms[0].sum(0) - np.bincount(piece.targets, target_x, n)
            gradient[1] += terms[1].sum(0) - np.bincount(piece.targets, minlength=n)
            for i, j in ((0, 0), (0, 1), (1, 1)):
                hessian[i, :, j] -= terms[i].T @ terms[j]
            hessian[0, places, 0, places] += np.einsum("ij,ij->j", terms[0], x)
            hessian[0, places, 1, places] += terms[0].sum(0)
            hessian[1, places, 1, places] += terms[1].sum(0)
        hessian[1, :, 0] = hessian[0, :, 1].T
        distance = parameters - self.start
        return Expansion(
            total / self.count + self._penalty * float((distance**2).sum()) / 2,
            gradient.reshape(-1) / self.count + self._penalty * distance,
            hessian.reshape(2 * n, 2 * n) / self.count + self._penalty * np.eye(2 * n),
        )

    def _pieces(self) -> "Iterator[_ScaledPiece]":
        step = max(1, _PIECE_SIZE // self.classes)
        for rows in self._rows:
            for first in range(0, len(rows.targets), step):
                z = rows.logits[first : first + step].astype(np.float64)
                is_masked = np.isneginf(z)
                x = np.where(is_masked, 0.0, z) / self._tau
                yield _ScaledPiece(x, is_masked, rows.targets[first : first + step])


@dataclass(frozen=True, eq=False)
class _ScaledPiece:
    """Some rows: the logits at the single temperature, 0 for a masked class, (rows, n), and the targets, (rows,)."""

    x: Array
    is_masked: Array
    targets: Array

    def softmax(self, parameters: Array) -> tuple[Array, float]:
        """Return the probabilities, (rows, n), and the sum of the NLL over the rows."""
        weights, biases = np.split(parameters, 2)
        logits = self.x * weights
        logits += biases
        logits[self.is_masked] = -np.inf
        logits -= logits.max(1, keepdims=True)
        target_logits = logits[np.arange(len(logits)), self.targets]
        probs = np.exp(logits, out=logits)
        sums = probs.sum(1)
        probs /= sums[:, np.newaxis]
        return probs, float((np.log(sums) - target_logits).sum())


def fit_vector(
    rows: Sequence[LabeledRows], tau: float, l2: float = 1.0, start: VectorScaling | None = None
) -> VectorScaling:
    """Return the vector scaling with the least f, near the single temperature `tau`, which is finite and above 0.

    rows: all rows, in blocks. l2: the strength of the penalty, above 0. start: where the search starts, such as the fit
    to similar rows; by default, at the single temperature. Raise CalibrationError if the logits are too large for the
    squares in the derivatives.

    >>> rows = LabeledRows(np.array([[1.0, 0.0]] * 3), np.array([0, 0, 1]))
    >>> scaling = fit_vector([rows], 1.0, l2=1e-9)  # the first class has 2/3
    >>> bool(np.isclose(scaling.weights[0] + scaling.biases[0] - scaling.biases[1], np.log(2)))
    True
    """
    objective = VectorObjective(rows, tau, l2)
    parameters = objective.start if start is None else np.concatenate([start.weights * tau, start.biases])
    with np.errstate(over="ignore", invalid="ignore"):
        here = objective.expansion(parameters)
        for _ in range(_STEPS):
            if not np.isfinite(here.hessian).all() or not np.isfinite(here.gradient).all():
                break
            step = -_solution(here)
            # The decrease that the quadratic function promises is half of this.
            promised = -float(here.gradient @ step)
            if promised / 2 < _TOLERANCE * (1 + abs(here.value)):
                return _scaling(parameters + step, tau)
            after = objective.expansion(parameters + step)
            # Most whole steps lower f enough, and their derivatives are needed next.
            if after.value <= here.value - _SHARE * promised:
                parameters, here = parameters + step, after
                continue
            shorter = _line_search(objective, parameters, step / 2, here.value, promised / 2)
            if shorter is None:
                # Only rounding prevents a decrease.
                return _scaling(parameters, tau)
            parameters, here = shorter, objective.expansion(shorter)
    raise CalibrationError("the logits are too large for vector scaling; divide them by a constant")


def _solution(expansion: Expansion) -> Array:
    """Return the solution of Newton's equations."""
    classes = len(expansion.gradient) // 2
    matrix = expansion.hessian.copy()
    # The sum of the biases is 0 already. This keeps rounding from changing it if the penalty is small.
    matrix[classes:, classes:] += 1 / classes
    try:
        return np.linalg.solve(matrix, expansion.gradient)
    except np.linalg.LinAlgError:
        problem = "the penalty is too small for these rows to determine the weights and biases"
        raise CalibrationError(f"{problem}; pass a larger one") from None


def _line_search(
    objective: VectorObjective, parameters: Array, step: Array, value: float, promised: float
) -> Array | None:
    """Return the parameters after the step or the longest of its halves that lowers f enough; None if none does."""
    share = 1.0
    for _ in range(_HALVINGS):
        after = parameters + share * step
        if objective.value(after) <= value - _SHARE * share * promised:
            return after
        share /= 2
    return None


def _scaling(parameters: Array, tau: float) -> VectorScaling:
    weights, biases = np.split(parameters, 2)
    return VectorScaling(weights / tau, biases - biases.mean())
