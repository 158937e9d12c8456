"""Distillation: the information in a teacher's soft targets, and a student's loss on them.

Let p and q be the softmax of the teacher's logits t and of the student's logits v at tau. The loss on the soft
targets, and its gradient by the student's logits, are (Hinton, Vinyals & Dean 2015, "Distilling the Knowledge
in a Neural Network", section 2)

    KL(p || q) = sum_i p_i log(p_i / q_i)        dKL/dv_i = (q_i - p_i) / tau

Both fall as 1 / tau^2, so they are multiplied by tau^2 before another loss is added. At high tau, p and q are
nearly equal and both differences cancel. Therefore they are computed from the differences of the logits, centered
by p:

    d_i = (t_i - v_i) / tau - E_p[(t - v) / tau]        log(p_i / q_i) = d_i + KL

It follows that KL = log E_p[exp(-d)] = log(1 + E_p[exp(-d) - 1 + d]), whose terms are not negative, and that
q_i - p_i = p_i (exp(-d_i - KL) - 1). Times tau^2, they have limits at tau = inf: half the variance of t - v, and
the deviations of t - v from its mean, divided by n.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import factorial

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.block import Block
from tsoft.core.labeled_rows import validate_examples
from tsoft.core.measures import entropy, top
from tsoft.core.softmax import (
    BLOCK_SIZE,
    Array,
    Taus,
    log_softmax,
    require_softmax,
    softmax,
    validate_logits,
    validate_taus,
)
from tsoft.input.columns import STUDENT_MEASURES, TARGET_MEASURES, TEACHER_MEASURES

# The difference of larger numbers could overflow.
MAX_DIFFERENCE = 1e307


@dataclass(frozen=True, eq=False)
class StudentLoss:
    """A student's loss on the soft targets, each (...) or (k, ...). Part of the result of `tsoft.soft_targets`.

    Attributes
    ----------
    kl, kl_tau2 : ndarray
        KL(teacher || student) in nats, and the same times tau^2.
    gradient, gradient_tau2 : ndarray
        The norm of the gradient of KL by the student's logits, and the same times tau^2.
    cross_entropy : ndarray or None
        -ln of the student's probability of the target at tau = 1; None without targets.
    loss : ndarray or None
        alpha * cross_entropy + (1 - alpha) * kl_tau2; None without targets.
    """

    kl: Array
    kl_tau2: Array
    gradient: Array
    gradient_tau2: Array
    cross_entropy: Array | None = None
    loss: Array | None = None


@dataclass(frozen=True, eq=False)
class SoftTargets:
    """A teacher's soft targets and their information. The result of `tsoft.soft_targets`.

    The other classes of a row are all but its target or, without targets, all but the teacher's most probable
    class.

    Attributes
    ----------
    probs : ndarray, shape (..., n) or (k, ..., n)
        The soft targets: the teacher's probabilities.
    rest_prob : ndarray, shape (...) or (k, ...)
        The probability of the other classes together.
    rest_entropy : ndarray, shape (...) or (k, ...)
        The entropy, in nats, of the distribution over the other classes; NaN if all of them are masked.
    information : ndarray, shape (...) or (k, ...)
        What the soft targets contain beyond label smoothing, in nats: their KL divergence from targets that
        share the probability of the other classes evenly. NaN if these are all masked.
    student : StudentLoss or None
        The student's loss on the soft targets; None without a student.
    """

    probs: Array
    rest_prob: Array
    rest_entropy: Array
    information: Array
    student: StudentLoss | None = None


def soft_targets(
    teacher: ArrayLike,
    tau: Taus = 1.0,
    *,
    student: ArrayLike | None = None,
    targets: ArrayLike | None = None,
    alpha: float = 0.5,
) -> SoftTargets:
    """Return a teacher's soft targets for distillation, and a student's loss on them.

    Distillation trains a student on the teacher's probabilities at a temperature above 1, which show how
    similar the teacher finds the other classes to the true one [1]_.

    Parameters
    ----------
    teacher : array_like, shape (..., n)
        The teacher's logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the results.
    student : array_like, shape (..., n), optional
        The student's logits for the same rows.
    targets : array_like of int, shape (...), optional
        The index, from 0, of each row's true class. By default the teacher's most probable class.
    alpha : float, default 0.5
        The weight, from 0 to 1, of the cross-entropy with the targets in the loss.

    Returns
    -------
    SoftTargets
        ``probs``, ``rest_prob``, ``rest_entropy`` and ``information``. With a student, ``student`` has ``kl``,
        ``kl_tau2``, ``gradient`` and ``gradient_tau2``, and with targets also ``cross_entropy`` and ``loss``.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If the student's shape is not the teacher's, if the targets do not match the rows, or if `alpha` or a
        temperature is out of range.

    Notes
    -----
    The loss is ``alpha * CE + (1 - alpha) * tau**2 * KL(teacher || student)``. KL and its gradient fall as
    1 / tau^2; the factor keeps the balance of the two terms at every temperature. All of these are exact in the
    limits 0 and inf, and do not cancel for a student that is very similar to the teacher.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals and J. Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.

    Examples
    --------
    >>> import tsoft
    >>> result = tsoft.soft_targets([6, 4, 0, -1], tau=[1, 4])
    >>> result.probs.round(3)
    array([[0.878, 0.119, 0.002, 0.001],
           [0.499, 0.303, 0.111, 0.087]])
    >>> result.information.round(3)
    array([0.118, 0.078])
    >>> tsoft.soft_targets([6, 4, 0, -1], tau=4, student=[5, 4, 1, 0]).student.kl_tau2.round(3)
    np.float64(0.314)
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha}")
    t, taus = validate_logits(teacher), validate_taus(tau)
    require_softmax(t)
    rows, classes = t.shape[:-1], t.shape[-1]
    v = None if student is None else validate_logits(student)
    if v is not None:
        if v.shape != t.shape:
            raise ValueError(f"student must have the teacher's shape {t.shape}, got {v.shape}")
        require_softmax(v)
    indices = None if targets is None else validate_examples(t, targets).targets
    distillation = Distillation(
        Block(t.reshape(-1, classes)),
        taus.reshape(-1),
        indices,
        None if v is None else v.reshape(-1, classes),
        alpha,
    )

    def shaped(name: str) -> Array:
        """Return a measure, (k, rows), in the shape of the result."""
        return np.asarray(getattr(distillation, name).reshape(taus.shape + rows))[()]

    loss = None if v is None else StudentLoss(*map(shaped, distillation.measures[len(TEACHER_MEASURES) :]))
    probs = distillation.probs.reshape(taus.shape + t.shape)
    return SoftTargets(probs, shaped("rest_prob"), shaped("rest_entropy"), shaped("information"), loss)


@dataclass(frozen=True, eq=False)
class Divergence:
    """KL(p || q) and the norm of its gradient by the student's logits: plain, and times tau^2."""

    kl: Array
    kl_tau2: Array
    gradient: Array
    gradient_tau2: Array


def divergence(teacher: Array, student: Array, tau: float) -> Divergence:
    """Return KL(teacher || student) at a temperature, and the norm of its gradient.

    teacher, student: logits, (rows, n); -inf masks a class. Each field of the result is (rows,).

    The limits at tau = 0 and inf are exact. If the student masks a class that the teacher does not, KL is inf at
    every temperature. At tau = 0, if the student's top classes include the teacher's, KL is the logarithm of the
    ratio of their numbers, and 0 times tau^2; otherwise it is inf. At tau = inf, if both mask the same classes, KL is
    0, and half the variance of the differences of the logits times tau^2.

    Source: Hinton, Vinyals & Dean 2015, section 2 and eq. 2 to 4.

    >>> teacher, student = np.array([[2.0, 1.0, 0.0]]), np.array([[1.0, 1.0, 0.0]])
    >>> [divergence(teacher, student, tau).kl.round(4).tolist() for tau in (0, 1, 10)]
    [[0.6931], [0.1196], [0.0012]]
    >>> [divergence(teacher, student, tau).kl_tau2.round(4).tolist() for tau in (0, 1, 10, np.inf)]
    [[0.0], [0.1196], [0.1151], [0.1111]]
    """
    return Divergence(*_by_rows(lambda pair: (*pair.kl, *pair.gradient), teacher, student, tau))


def _by_rows(
    function: Callable[[_DistributionPair], tuple[Array, ...]], teacher: Array, student: Array, tau: float
) -> list[Array]:
    """Return the results of a function for each row. It is called with pieces that fit in a core's cache."""
    teacher, student = np.asarray(teacher, np.float64), np.asarray(student, np.float64)
    step = max(1, BLOCK_SIZE // teacher.shape[1])
    pieces = (slice(first, first + step) for first in range(0, len(teacher), step))
    with np.errstate(all="ignore"):
        results = [function(_DistributionPair(teacher[piece], student[piece], tau)) for piece in pieces]
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
    def scale(self) -> float:
        """A factor that keeps the differences of the logits from overflow."""
        finite = (abs(z[np.isfinite(z)]).max() for z in (self.teacher, self.student))
        return 0.25 if max(finite) > MAX_DIFFERENCE else 1.0

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

    @property
    def top_gap(self) -> Array:
        """The gaps between the student's top logit and its logits, averaged by p: (rows,). This is the limit of
        tau KL as tau goes to 0."""
        student = self.student * self.scale
        gaps = np.where(self.p > 0, self.p * (student.max(-1, keepdims=True) - student), 0.0)
        return np.asarray(gaps.sum(-1) / self.scale)

    @cached_property
    def kl(self) -> tuple[Array, Array]:
        """KL and tau^2 KL.

        If KL >= 1, the plain sum is accurate, since its negative terms sum to at least -1. Otherwise it only shows
        how large the terms of the other formula are.
        """
        tau, d = self.tau, self.differences
        x = d / tau / self.scale
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
        # If KL overflows, tau KL does not.
        by_tau = np.where(np.isinf(kl), self.top_gap, _scaled_by(tau, kl))
        kl_tau2 = np.where(
            is_similar,
            (weights * (d / self.scale) ** 2).sum(-1) * _ratio_to_x(np.log1p, excess)
            + _scaled_by(tau, _scaled_by(tau, stray_term)),
            _scaled_by(tau, by_tau),
        )
        return np.where(self.is_unreachable, np.inf, kl), np.where(self.is_unreachable, np.inf, kl_tau2)

    @property
    def gradient(self) -> tuple[Array, Array]:
        """The norm of (q - p) / tau, and the same times tau^2. Unless q and p are nearly equal, they are subtracted
        directly."""
        tau, d, (kl, _) = self.tau, self.differences, self.kl
        x = d / tau / self.scale
        exponent = -x - kl[:, np.newaxis]
        is_near = ~self.masked & (abs(x) < 1) & (kl < 1)[:, np.newaxis]
        change = np.where(is_near, self.p * np.expm1(exponent), self.q - self.p)
        by_tau = -d - self.scale * _scaled_by(tau, kl)[:, np.newaxis]
        change_tau = np.where(
            is_near, self.p * by_tau * _ratio_to_x(np.expm1, exponent), self.scale * _scaled_by(tau, change)
        )
        norm = _norm(change)
        return np.where(norm == 0, 0.0, norm / tau), _norm(change_tau) / self.scale


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


def _ratio_to_x(function: np.ufunc, x: Array) -> Array:
    """Return function(x) / x, which is 1 at 0."""
    return np.where(x == 0, 1.0, function(x) / x)


def _norm(x: Array) -> Array:
    """Return the Euclidean norm of each row, without overflow."""
    largest = abs(x).max(-1)
    scale = np.where((largest > 0) & (largest < np.inf), largest, 1.0)
    return np.asarray(scale * np.sqrt(((x / scale[:, np.newaxis]) ** 2).sum(-1)))


def _scaled_by(tau: float, x: Array) -> Array:
    """Return tau x, with 0 times inf = 0."""
    with np.errstate(invalid="ignore"):
        return np.where((x == 0) | (tau == 0), 0.0, tau * x)


@dataclass(frozen=True, eq=False)
class Distillation:
    """A teacher's block at k temperatures: the soft targets, their information about the other classes, and a
    student's loss on them.

    `student` are logits of the block's shape, or None. The main class of each row is its target if there are
    `targets`, (rows,); otherwise it is the teacher's top class. Measures are (k, rows), in nats, each computed on
    first use. `alpha` is the weight of the cross-entropy in the loss.
    """

    block: Block
    taus: Array
    targets: Array | None = None
    student: Array | None = None
    alpha: float = 0.5

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of the measures."""
        with_student = STUDENT_MEASURES if self.student is not None else ()
        with_targets = TARGET_MEASURES if self.student is not None and self.targets is not None else ()
        return TEACHER_MEASURES + with_student + with_targets

    def part(self, first: int, stop: int) -> Distillation:
        """Return the distillation of some rows, counted from the first of the block."""
        targets, student = (None if array is None else array[first:stop] for array in (self.targets, self.student))
        return replace(self, block=self.block.part(first, stop), targets=targets, student=student)

    @cached_property
    def main_classes(self) -> Array:
        """The main class of each row: (rows,)."""
        return top(self.block.logits) if self.targets is None else self.targets

    @cached_property
    def probs(self) -> Array:
        """The soft targets: (k, rows, n)."""
        return softmax(self.block.logits, self.taus)

    @cached_property
    def rest_prob(self) -> Array:
        """The probability of all classes other than the main class."""
        probs = softmax(self.block.logits.astype(np.float64), self.taus)
        return np.asarray(np.where(self._is_rest, probs, 0.0).sum(-1))

    @cached_property
    def rest_entropy(self) -> Array:
        """The entropy of the distribution over the other classes; NaN if all of them are masked."""
        return np.where(self._is_alone, np.nan, entropy(self._rest, self.taus))

    @cached_property
    def information(self) -> Array:
        """KL from targets that divide the same probability evenly among the other classes, as label smoothing does.

        This is rest_prob (ln(n - 1) - rest_entropy). It is 0 if the other classes have no probability, as at tau = 0 if
        the main class is the teacher's top class, and if they are equally likely, as at tau = inf.
        """
        uniform = np.where(np.isneginf(self._rest), -np.inf, 0.0)
        divergences = np.array(
            [_by_rows(lambda pair: pair.kl, self._rest, uniform, tau)[0] for tau in self.taus.tolist()]
        )
        return np.where(self._is_alone, np.nan, self.rest_prob * divergences)

    @property
    def kl(self) -> Array:
        return self._over_taus("kl")

    @property
    def kl_tau2(self) -> Array:
        return self._over_taus("kl_tau2")

    @property
    def gradient(self) -> Array:
        return self._over_taus("gradient")

    @property
    def gradient_tau2(self) -> Array:
        return self._over_taus("gradient_tau2")

    @cached_property
    def cross_entropy(self) -> Array:
        """-log q of the target at tau = 1. It is the same at every temperature of the soft targets."""
        assert self.student is not None
        log_probs = log_softmax(self.student.astype(np.float64))
        target_log_probs = np.take_along_axis(log_probs, self.main_classes[:, np.newaxis], -1)[:, 0]
        return np.broadcast_to(-target_log_probs, (len(self.taus), len(target_log_probs)))

    @cached_property
    def loss(self) -> Array:
        """alpha CE + (1 - alpha) tau^2 KL (Hinton, Vinyals & Dean 2015, section 2)."""
        return _scaled_by(self.alpha, self.cross_entropy) + _scaled_by(1 - self.alpha, self.kl_tau2)

    @cached_property
    def _is_rest(self) -> Array:
        """Whether each class is not the main class: (rows, n)."""
        return np.asarray(np.arange(self.block.logits.shape[1]) != self.main_classes[:, np.newaxis])

    @cached_property
    def _is_alone(self) -> Array:
        """Whether every other class is masked: (rows,)."""
        return np.asarray(~(self._is_rest & ~np.isneginf(self.block.logits)).any(-1))

    @cached_property
    def _rest(self) -> Array:
        """The logits with the main class masked; 0 in a row without other classes, so that its softmax exists."""
        masked = np.where(self._is_rest, self.block.logits.astype(np.float64), -np.inf)
        return np.where(self._is_alone[:, np.newaxis], 0.0, masked)

    @cached_property
    def _divergences(self) -> list[Divergence]:
        assert self.student is not None
        return [divergence(self.block.logits, self.student, tau) for tau in self.taus.tolist()]

    def _over_taus(self, name: str) -> Array:
        return np.array([getattr(each, name) for each in self._divergences])
