"""Distillation: what a teacher's soft targets say at a temperature, and what a student learns from them.

With p and q the softmax of the teacher's logits t and the student's logits v at tau, the loss on the soft
targets and its gradient by the student's logits are (Hinton, Vinyals & Dean 2015, "Distilling the Knowledge
in a Neural Network", section 2)

    KL(p || q) = sum_i p_i log(p_i / q_i)        dKL/dv_i = (q_i - p_i) / tau

which fall with tau^2, so that beside another loss they are multiplied by it. Near uniform p and q are alike
and both differences cancel. They are worked from the differences of the logits, centred by p,

    d_i = (t_i - v_i) / tau - E_p[(t - v) / tau]        log(p_i / q_i) = d_i + KL

from which follows KL = log E_p[exp(-d)] = log(1 + E_p[exp(-d) - 1 + d]), whose terms are not negative, and
q_i - p_i = p_i (exp(-d_i - KL) - 1). The limits of what is multiplied by tau^2 are those of the terms: at
tau = inf, half the variance of t - v, and its deviations from its mean over n.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import factorial

import numpy as np

from tsoft.core.block import Block
from tsoft.core.measures import entropy, top
from tsoft.core.softmax import BLOCK, Array, log_softmax, softmax
from tsoft.input.columns import STUDENT_MEASURES, TARGET_MEASURES, TEACHER_MEASURES

# Beyond this the difference of two numbers may overflow.
HUGE = 1e307


@dataclass(frozen=True, eq=False)
class Divergence:
    """KL(p || q) and the norm of its gradient by the student's logits, as they are and times tau^2."""

    kl: Array
    kl_tau2: Array
    gradient: Array
    gradient_tau2: Array


def divergence(teacher: Array, student: Array, tau: float) -> Divergence:
    """KL(teacher || student) at a temperature, and its gradient's norm.

    teacher, student: logits, (rows, n), of which -inf masks a class; each number of the result is (rows,).
    The limits at tau = 0 and inf are exact. Where the student masks a class that the teacher does not, KL is
    inf at every temperature. At tau = 0 it is inf, too, unless the student's top classes are the teacher's
    or more, then the logarithm of how many times more; times tau^2 it goes to 0. At inf KL is 0 where the
    same classes are masked, and times tau^2 half the variance of the logits' differences.

    Source: Hinton, Vinyals & Dean 2015, section 2 and eq. 2 to 4.

    >>> teacher, student = np.array([[2.0, 1.0, 0.0]]), np.array([[1.0, 1.0, 0.0]])
    >>> [divergence(teacher, student, tau).kl.round(4).tolist() for tau in (0, 1, 10)]
    [[0.6931], [0.1196], [0.0012]]
    >>> [divergence(teacher, student, tau).kl_tau2.round(4).tolist() for tau in (0, 1, 10, np.inf)]
    [[0.0], [0.1196], [0.1151], [0.1111]]
    """
    return Divergence(*_by_rows(lambda pair: (*pair.kl, *pair.gradient), teacher, student, tau))


def _by_rows(
    function: "Callable[[_Pair], tuple[Array, ...]]", teacher: Array, student: Array, tau: float
) -> list[Array]:
    """The numbers that are worked out of each row, as many rows at once as stay in a core's cache."""
    teacher, student = np.asarray(teacher, np.float64), np.asarray(student, np.float64)
    step = max(1, BLOCK // teacher.shape[1])
    pieces = (slice(first, first + step) for first in range(0, len(teacher), step))
    with np.errstate(all="ignore"):
        found = [function(_Pair(teacher[piece], student[piece], tau)) for piece in pieces]
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two distributions of each row, and what their divergence is made of."""

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
        """The classes that the teacher does not have."""
        return np.isneginf(self.teacher)

    @cached_property
    def apart(self) -> Array:
        """Whether the student cannot give what the teacher does: (rows,)."""
        return np.asarray((np.isneginf(self.student) & ~self.masked).any(-1))

    @cached_property
    def lost(self) -> Array:
        """What the student gives to classes that the teacher does not have: (rows,)."""
        return np.asarray(np.where(self.masked, self.q, 0.0).sum(-1))

    @cached_property
    def part(self) -> float:
        """What the logits are multiplied by so that no difference of two overflows."""
        finite = (abs(z[np.isfinite(z)]).max() for z in (self.teacher, self.student))
        return 0.25 if max(finite) > HUGE else 1.0

    @cached_property
    def differences(self) -> Array:
        """The differences of the logits, centred by p, times the part: (rows, n)."""
        highest = self.teacher.argmax(-1)[:, np.newaxis]
        (t, t_rest), (v, v_rest) = (
            _difference(z * self.part, np.take_along_axis(z, highest, -1) * self.part)
            for z in (self.teacher, self.student)
        )
        gaps = np.where(self.masked, 0.0, (t - v) + (t_rest - v_rest))
        middle = (self.p * gaps).sum(-1, keepdims=True)
        return np.where(self.masked, 0.0, gaps - middle)

    @property
    def behind(self) -> Array:
        """How far below its own top the student has the teacher's, on average: (rows,). As tau goes to 0 that
        is tau KL."""
        student = self.student * self.part
        gaps = np.where(self.p > 0, self.p * (student.max(-1, keepdims=True) - student), 0.0)
        return np.asarray(gaps.sum(-1) / self.part)

    @cached_property
    def kl(self) -> tuple[Array, Array]:
        """KL and tau^2 KL. From 1 on nothing cancels in its plain sum, whose negative terms are at least -1
        together; below, it only says how large the terms of the other are."""
        tau, d = self.tau, self.differences
        x = d / tau / self.part
        plain = np.where(self.p > 0, self.p * (log_softmax(self.teacher, tau) - log_softmax(self.student, tau)), 0.0)
        kl = plain.sum(-1)
        near = self.masked | (abs(x) < 1)
        alike = (kl < 1) & near.all(-1)
        weights = self.p * _curvature(x)
        # Where p is nothing x may be infinite.
        far = self.q * np.exp(kl)[:, np.newaxis] + np.where(self.p > 0, self.p * (x - 1), 0.0)
        excess = np.where(near, weights * x**2, far).sum(-1)
        beyond = -np.log1p(-self.lost)
        kl = np.where((kl < 1) & (tau > 0), np.log1p(excess) + beyond, kl)
        # Where KL overflows, tau KL does not.
        by_tau = np.where(np.isinf(kl), self.behind, _times(tau, kl))
        kl_tau2 = np.where(
            alike,
            (weights * (d / self.part) ** 2).sum(-1) * _ratio(np.log1p, excess) + _times(tau, _times(tau, beyond)),
            _times(tau, by_tau),
        )
        return np.where(self.apart, np.inf, kl), np.where(self.apart, np.inf, kl_tau2)

    @property
    def gradient(self) -> tuple[Array, Array]:
        """The norm of (q - p) / tau, and the same times tau^2. Where q and p are not alike they are
        subtracted as they are."""
        tau, d, (kl, _) = self.tau, self.differences, self.kl
        x = d / tau / self.part
        exponent = -x - kl[:, np.newaxis]
        near = ~self.masked & (abs(x) < 1) & (kl < 1)[:, np.newaxis]
        change = np.where(near, self.p * np.expm1(exponent), self.q - self.p)
        by_tau = -d - self.part * _times(tau, kl)[:, np.newaxis]
        change_tau = np.where(near, self.p * by_tau * _ratio(np.expm1, exponent), self.part * _times(tau, change))
        norm = _norm(change)
        return np.where(norm == 0, 0.0, norm / tau), _norm(change_tau) / self.part


def _difference(a: Array, b: Array) -> tuple[Array, Array]:
    """a - b, and what rounding took off it (Knuth 1997, "The Art of Computer Programming" 2, section 4.2.2,
    theorem B): a student may be so near its teacher that it is all there is."""
    difference = a - b
    back = difference - a
    return difference, (a - (difference - back)) - (b + back)


def _curvature(x: Array) -> Array:
    """(exp(-x) - 1 + x) / x^2, which is 1/2 at 0, for |x| < 1: by its series, to the last digit."""
    total, minus = np.zeros_like(x), -x
    for k in range(18, -1, -1):
        total *= minus
        total += 1 / factorial(k + 2)
    return total


def _ratio(function: "np.ufunc", x: Array) -> Array:
    """function(x) / x, which is 1 at 0."""
    return np.where(x == 0, 1.0, function(x) / x)


def _norm(x: Array) -> Array:
    """The root of each row's sum of squares, without their overflow."""
    largest = abs(x).max(-1)
    scale = np.where((largest > 0) & (largest < np.inf), largest, 1.0)
    return np.asarray(scale * np.sqrt(((x / scale[:, np.newaxis]) ** 2).sum(-1)))


def _times(tau: float, x: Array) -> Array:
    """tau x, where 0 times inf is 0."""
    with np.errstate(invalid="ignore"):
        return np.where((x == 0) | (tau == 0), 0.0, tau * x)


@dataclass(frozen=True, eq=False)
class Distillation:
    """A teacher's block over a list of k temperatures: the soft targets, what they say besides the one class,
    and with a `student`, logits of the block's shape, what it has to learn from them. The one class of each
    row is its target, (rows,), where there are `targets`, else the teacher's top class. Measures are (k, rows),
    each worked out when it is first asked for, in nats. `alpha` weighs the targets in the loss."""

    block: Block
    taus: Array
    targets: Array | None = None
    student: Array | None = None
    alpha: float = 0.5

    @property
    def measures(self) -> tuple[str, ...]:
        """Those that it has."""
        with_student = STUDENT_MEASURES if self.student is not None else ()
        with_targets = TARGET_MEASURES if self.student is not None and self.targets is not None else ()
        return TEACHER_MEASURES + with_student + with_targets

    def part(self, first: int, stop: int) -> "Distillation":
        """Some of the block's rows, counted from its first."""
        targets, student = (None if of is None else of[first:stop] for of in (self.targets, self.student))
        return replace(self, block=self.block.part(first, stop), targets=targets, student=student)

    @cached_property
    def classes(self) -> Array:
        """The one class of each row: (rows,)."""
        return top(self.block.logits) if self.targets is None else self.targets

    @cached_property
    def probs(self) -> Array:
        """The soft targets: (k, rows, n)."""
        return softmax(self.block.logits, self.taus)

    @cached_property
    def rest_prob(self) -> Array:
        """What all classes but the one have together."""
        probs = softmax(self.block.logits.astype(np.float64), self.taus)
        return np.asarray(np.where(self._is_rest, probs, 0.0).sum(-1))

    @cached_property
    def rest_entropy(self) -> Array:
        """The entropy of how that is shared among them; NaN where there are none."""
        return np.where(self._alone, np.nan, entropy(self._rest, self.taus))

    @cached_property
    def information(self) -> Array:
        """What the soft targets say beyond targets that leave the others as much and share it evenly, as label
        smoothing does: the divergence of one from the other, which is rest_prob (ln(n - 1) - rest_entropy).
        It is nothing where the others have nothing, as at tau = 0 if the one class is the teacher's top, and
        where they are alike, as at inf."""
        even = np.where(np.isneginf(self._rest), -np.inf, 0.0)
        beyond = np.array([_by_rows(lambda pair: pair.kl, self._rest, even, tau)[0] for tau in self.taus.tolist()])
        return np.where(self._alone, np.nan, self.rest_prob * beyond)

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
        """-log q of the target at tau = 1, at every temperature."""
        assert self.student is not None
        log_probs = log_softmax(self.student.astype(np.float64))
        own = np.take_along_axis(log_probs, self.classes[:, np.newaxis], -1)[:, 0]
        return np.broadcast_to(-own, (len(self.taus), len(own)))

    @cached_property
    def loss(self) -> Array:
        """alpha CE + (1 - alpha) tau^2 KL (Hinton, Vinyals & Dean 2015, section 2)."""
        return _times(self.alpha, self.cross_entropy) + _times(1 - self.alpha, self.kl_tau2)

    @cached_property
    def _is_rest(self) -> Array:
        """Which classes are not the one: (rows, n)."""
        return np.asarray(np.arange(self.block.logits.shape[1]) != self.classes[:, np.newaxis])

    @cached_property
    def _alone(self) -> Array:
        """The rows in which every other class is masked."""
        return np.asarray(~(self._is_rest & ~np.isneginf(self.block.logits)).any(-1))

    @cached_property
    def _rest(self) -> Array:
        """The logits without the one class; where it is alone anything else that has a softmax."""
        masked = np.where(self._is_rest, self.block.logits.astype(np.float64), -np.inf)
        return np.where(self._alone[:, np.newaxis], 0.0, masked)

    @cached_property
    def _divergences(self) -> list[Divergence]:
        assert self.student is not None
        return [divergence(self.block.logits, self.student, tau) for tau in self.taus.tolist()]

    def _over_taus(self, name: str) -> Array:
        return np.array([getattr(found, name) for found in self._divergences])
