"""The Kullback-Leibler divergence of two distributions, and its gradient, without cancellation.

Let p and q be the softmax of the logits t of a teacher and v of a student at tau. The divergence and its gradient with
respect to the student's logits are (Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a Neural Network",
section 2)

    KL(p || q) = sum_i p_i log(p_i / q_i)        dKL/dv_i = (q_i - p_i) / tau

If p and q are nearly equal, both differences cancel. Therefore they are computed from the differences of the logits,
centered by p:

    d_i = (t_i - v_i) / tau - E_p[(t - v) / tau]        log(p_i / q_i) = d_i + KL

It follows that KL = log E_p[exp(-d)] = log(1 + E_p[exp(-d) - 1 + d]), whose terms are not negative, and that
q_i - p_i = p_i (exp(-d_i - KL) - 1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import factorial

import numpy as np

from tsoft.core.softmax import Array, log_softmax, softmax
from tsoft.core.threads import in_threads

# The number of logits in a piece.
PIECE_SIZE = 1 << 15
# A divergence takes about as long as this many softmaxes.
WORK = 8
# The difference of larger numbers could overflow.
MAX_DIFFERENCE = 1e307


@dataclass(frozen=True, eq=False)
class Divergence:
    """KL(p || q) and the norm of its gradient with respect to the student's logits: plain, and times tau^2."""

    kl: Array
    kl_tau2: Array
    gradient: Array
    gradient_tau2: Array


def divergence(teacher: Array, student: Array, tau: float) -> Divergence:
    """Return KL(teacher || student) at a temperature, and the norm of its gradient.

    teacher, student: logits, (rows, n); -inf masks a class. Each field of the result is (rows,).

    The limits at tau = 0 and inf are exact. If the student masks a class that the teacher does not, KL and tau^2 KL
    are inf at every temperature. Otherwise, at tau = 0, KL is the logarithm of the ratio of the numbers of top classes
    if the student's include the teacher's, and inf if they do not; tau^2 KL is 0. At tau = inf, if both mask the same
    classes, KL is 0, and tau^2 KL is half the variance of the logit differences.

    Source: Hinton, Vinyals & Dean 2015, section 2 and eq. 2 to 4.

    >>> teacher, student = np.array([[2.0, 1.0, 0.0]]), np.array([[1.0, 1.0, 0.0]])
    >>> [divergence(teacher, student, tau).kl.round(4).tolist() for tau in (0, 1, 10)]
    [[0.6931], [0.1196], [0.0012]]
    >>> [divergence(teacher, student, tau).kl_tau2.round(4).tolist() for tau in (0, 1, 10, np.inf)]
    [[0.0], [0.1196], [0.1151], [0.1111]]
    """
    return Divergence(*_by_rows(lambda pair: (*pair.kl, *pair.gradient), teacher, student, tau))


def kl_divergence(teacher: Array, student: Array, tau: float) -> Array:
    """Return only the `kl` of `divergence`: (rows,).

    >>> kl_divergence(np.array([[2.0, 1.0, 0.0]]), np.array([[1.0, 1.0, 0.0]]), 1.0).round(4)
    array([0.1196])
    """
    return _by_rows(lambda pair: pair.kl, teacher, student, tau)[0]


@dataclass(frozen=True, eq=False)
class Difference:
    """KL(p || q) and KL(q || p), (rows,), and q - p, (rows, n)."""

    kl: Array
    kl_reverse: Array
    change: Array


def difference(z: Array, v: Array, tau: float) -> Difference:
    """Return how p = softmax(z / tau) and q = softmax(v / tau) differ. z, v: logits, (rows, n); -inf masks a class.

    Small differences keep their digits.

    >>> difference(np.array([[1e-20, 0.0]]), np.array([[0.0, 0.0]]), 1.0).change
    array([[-2.5e-21,  2.5e-21]])
    """
    kl, change = _by_rows(lambda pair: (pair.kl[0], pair.change), z, v, tau)
    return Difference(kl, kl_divergence(v, z, tau), change)


def _by_rows(
    function: "Callable[[_DistributionPair], tuple[Array, ...]]", teacher: Array, student: Array, tau: float
) -> list[Array]:
    """Return the results of a function for each row. It is called with pieces whose arrays fit in a core's cache."""
    teacher, student = np.asarray(teacher, np.float64), np.asarray(student, np.float64)
    step = max(1, PIECE_SIZE // teacher.shape[1])
    # Without rows, one piece without rows gives the shapes of the results.
    firsts = range(0, max(len(teacher), 1), step)

    @np.errstate(all="ignore")
    def of_pieces(part: slice) -> "list[tuple[Array, ...]]":
        pieces = (slice(first, first + step) for first in firsts[part])
        return [function(_DistributionPair(teacher[piece], student[piece], tau)) for piece in pieces]

    results = [each for part in in_threads(of_pieces, len(firsts), WORK * teacher.size) for each in part]
    return [np.concatenate(parts) for parts in zip(*results, strict=True)]


@dataclass(frozen=True, eq=False)
class _DistributionPair:
    """The teacher's and the student's distribution of each row, and the terms of their divergence."""

    teacher: Array
    student: Array
    tau: float

    @cached_property
    def p(self) -> Array:
        return softmax(self.teacher, self.tau)

    @cached_property
    def q(self) -> Array:
        return softmax(self.student, self.tau)

    @cached_property
    def masked(self) -> Array:
        """Whether the teacher masks each class: (rows, n)."""
        return np.isneginf(self.teacher)

    @cached_property
    def is_unreachable(self) -> Array:
        """Whether the student masks a class that the teacher does not: (rows,)."""
        return np.asarray((np.isneginf(self.student) & ~self.masked).any(-1))

    @cached_property
    def stray_prob(self) -> Array:
        """The student's probability of the classes that the teacher masks: (rows,)."""
        return np.asarray(np.where(self.masked, self.q, 0.0).sum(-1))

    @cached_property
    def scale(self) -> Array:
        """A factor that keeps the differences of each row's logits from overflow: (rows, 1), or (1, 1) for all rows."""
        finite = (np.where(np.isneginf(z), 0.0, z) for z in (self.teacher, self.student))
        largest = np.maximum(*(abs(z).max(-1, keepdims=True) for z in finite))
        scale = np.where(largest > MAX_DIFFERENCE, 0.25, 1.0)
        return scale if (scale < 1).any() else scale[:1]

    @cached_property
    def differences(self) -> Array:
        """The differences of the logits, centered by p, times the scale: (rows, n)."""
        teacher_top = self.teacher.argmax(-1)[:, np.newaxis]
        (t, t_error), (v, v_error) = (
            _exact_difference(z * self.scale, np.take_along_axis(z, teacher_top, -1) * self.scale)
            for z in (self.teacher, self.student)
        )
        gaps = np.where(self.masked, 0.0, (t - v) + (t_error - v_error))
        mean = (self.p * gaps).sum(-1, keepdims=True)
        return np.where(self.masked, 0.0, gaps - mean)

    @cached_property
    def x(self) -> Array:
        """The differences divided by tau: (rows, n)."""
        return self.differences / self.tau / self.scale

    @property
    def top_gap(self) -> Array:
        """The gaps between the student's top logit and its logits, averaged by p: (rows,). This is the limit of
        tau KL as tau goes to 0."""
        student = self.student * self.scale
        gaps = np.where(self.p > 0, self.p * (student.max(-1, keepdims=True) - student), 0.0)
        return np.asarray(gaps.sum(-1) / self.scale[:, 0])

    @cached_property
    def kl(self) -> tuple[Array, Array]:
        """KL and tau^2 KL.

        If KL >= 1, the plain sum is accurate, since its negative terms sum to at least -1. Otherwise it only shows
        how large the terms of the other formula are.
        """
        tau, d, x = self.tau, self.differences, self.x
        plain = np.where(self.p > 0, self.p * (log_softmax(self.teacher, tau) - log_softmax(self.student, tau)), 0.0)
        kl = plain.sum(-1)
        is_near = self.masked | (abs(x) < 1)
        is_similar = (kl < 1) & is_near.all(-1)
        weights = self.p * _curvature(x)
        # If p is 0, x may be infinite.
        far_terms = self.q * np.exp(kl)[:, np.newaxis] + np.where(self.p > 0, self.p * (x - 1), 0.0)
        excess = np.where(is_near, weights * x**2, far_terms).sum(-1)
        stray_term = -np.log1p(-self.stray_prob)
        kl = np.where((kl < 1) & (tau > 0), np.log1p(excess) + stray_term, kl)
        by_tau = scaled_by(tau, kl)
        overflows = np.isinf(kl)
        if overflows.any():
            # If KL overflows, tau KL does not.
            by_tau = np.where(overflows, self.top_gap, by_tau)
        kl_tau2 = np.where(
            is_similar,
            (weights * (d / self.scale) ** 2).sum(-1) * _ratio(np.log1p(excess), excess)
            + scaled_by(tau, scaled_by(tau, stray_term)),
            scaled_by(tau, by_tau),
        )
        return np.where(self.is_unreachable, np.inf, kl), np.where(self.is_unreachable, np.inf, kl_tau2)

    @cached_property
    def near(self) -> tuple[Array, Array, Array]:
        """Where q and p are nearly equal, and log(q / p) and q / p - 1 there: (rows, n) each."""
        x, kl = self.x, self.kl[0][:, np.newaxis]
        log_ratio = -x - kl
        return ~self.masked & (abs(x) < 1) & (kl < 1), log_ratio, np.expm1(log_ratio)

    @cached_property
    def change(self) -> Array:
        """q - p: (rows, n). Unless they are nearly equal, they are subtracted directly."""
        is_near, _, relative = self.near
        # Adding 0 turns -0 into 0.
        return np.where(is_near, self.p * relative, self.q - self.p) + 0.0

    @property
    def gradient(self) -> tuple[Array, Array]:
        """The norm of (q - p) / tau, and the same times tau^2."""
        tau, d, kl, (is_near, log_ratio, relative) = self.tau, self.differences, self.kl[0], self.near
        by_tau = -d - self.scale * scaled_by(tau, kl[:, np.newaxis])
        change_tau = np.where(
            is_near, self.p * by_tau * _ratio(relative, log_ratio), self.scale * scaled_by(tau, self.change)
        )
        norm = _norm(self.change)
        return np.where(norm == 0, 0.0, norm / tau), _norm(change_tau) / self.scale[:, 0]


def _exact_difference(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a - b and its rounding error (Knuth 1997, "The Art of Computer Programming" 2, section 4.2.2, theorem B).

    For a student that is very similar to the teacher, the rounding errors are the whole difference.
    """
    difference = a - b
    minus_b = difference - a
    return difference, (a - (difference - minus_b)) - (b + minus_b)


def _curvature(x: Array) -> Array:
    """Return (exp(-x) - 1 + x) / x^2, which is 1/2 at 0, for |x| < 1. Its series is exact to the last digit."""
    total, minus = np.zeros_like(x), -x
    for k in range(18, -1, -1):
        total *= minus
        total += 1 / factorial(k + 2)
    return total


def _ratio(value: Array, x: Array) -> Array:
    """Return value / x for a function that is nearly x at 0, where the ratio is 1."""
    return np.where(x == 0, 1.0, value / x)


def _norm(x: Array) -> Array:
    """Return the Euclidean norm of each row, without overflow."""
    largest = abs(x).max(-1)
    scale = np.where((largest > 0) & (largest < np.inf), largest, 1.0)
    return np.asarray(scale * np.sqrt(((x / scale[:, np.newaxis]) ** 2).sum(-1)))


def scaled_by(tau: float, x: Array) -> Array:
    """Return tau x, with 0 times inf = 0."""
    if 0 < tau < np.inf:
        return tau * x
    with np.errstate(invalid="ignore"):
        return np.where((x == 0) | (tau == 0), 0.0, tau * x)
