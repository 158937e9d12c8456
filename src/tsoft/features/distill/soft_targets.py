"""Distillation: the information in a teacher's soft targets, and a student's loss on them.

Let p and q be the softmax of the teacher's logits t and of the student's logits v at tau. The loss on the soft
targets, and its gradient with respect to the student's logits, are (Hinton, Vinyals & Dean 2015, "Distilling the
Knowledge in a Neural Network", section 2)

    KL(p || q) = sum_i p_i log(p_i / q_i)        dKL/dv_i = (q_i - p_i) / tau

Both fall as 1 / tau^2, so they are multiplied by tau^2 before another loss is added. Times tau^2, they have limits at
tau = inf: half the variance of t - v, and the deviations of t - v from its mean, divided by n. `core.divergence`
computes both without cancellation.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.block import Block
from tsoft.core.divergence import Divergence, divergence, kl_divergence, scaled_by
from tsoft.core.labeled_rows import validate_examples
from tsoft.core.library_arguments import require_number
from tsoft.core.measures import entropy, top
from tsoft.core.softmax import (
    Array,
    Taus,
    log_softmax,
    require_softmax,
    softmax,
    validate_logits,
    validate_taus,
)
from tsoft.input.columns import STUDENT_MEASURES, TARGET_MEASURES, TEACHER_MEASURES


@dataclass(frozen=True, eq=False)
class StudentLoss:
    """A student's loss on the soft targets, each (...) or (k, ...). Part of the result of `tsoft.soft_targets`.

    Attributes
    ----------
    kl, kl_tau2 : ndarray
        KL(teacher || student) in nats, and the same times tau^2.
    gradient, gradient_tau2 : ndarray
        The norm of the gradient of KL with respect to the student's logits, and the same times tau^2.
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
    require_number("alpha", alpha)
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
        divergences = np.array([kl_divergence(self._rest, uniform, tau) for tau in self.taus.tolist()])
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
        # Adding 0 turns -0 into 0.
        return np.broadcast_to(0.0 - target_log_probs, (len(self.taus), len(target_log_probs)))

    @cached_property
    def loss(self) -> Array:
        """alpha CE + (1 - alpha) tau^2 KL (Hinton, Vinyals & Dean 2015, section 2)."""
        return scaled_by(self.alpha, self.cross_entropy) + scaled_by(1 - self.alpha, self.kl_tau2)

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
