"""The temperature at which a classifier's probabilities fit the true classes best.

    NLL(tau) = mean over rows of  log sum_j exp(z_j / tau) - z_y / tau

with y a row's target (Guo, Pleiss, Sun & Weinberger 2017, "On calibration of modern neural networks",
section 4.2). It is convex in 1/tau. Everything is worked from the gaps g_j = max z - z_j, over the
temperature t_j = g_j / tau, with expectations under the softmax at tau:

    d NLL / d log tau = mean of E[t] - t_y        d^2 NLL / d (log tau)^2 = mean of Var[t], where that is 0

With R(tau) the sum over rows of E[g], which rises from 0 at tau = 0 to R(inf), the sum of the mean gaps,
and D the sum of the targets' gaps, the minimum is where R = D. So it is finite where 0 < D < R(inf): D = 0
says that every target is at the top of its row, D >= R(inf) that the targets' logits are no higher than
the average. In between Newton's method solves

    log(R / (R(inf) - R)) = log(D / (R(inf) - D))      in log tau,

which is nearly a line far from the minimum too, within a bracket that every evaluation narrows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log, nan, sqrt

from tsoft.core.labelled_rows import CalibrationError, GapSums, Passes, Survey, evaluate, survey

# A Newton step this short, in log tau, leaves an error of about its square.
STEP = 1e-8
# A longer one is not taken, since it leaves the curve that it was read off.
LONGEST = 3.0
# What rounding may leave of the equation.
ROUNDING = 1e-6
# No logarithm of a temperature is farther from 0, in units of the logits; and no bracket is split more often.
FARTHEST, MOST = 700.0, 100
# A pass splits a bracket in so many parts.
PARTS = 24


@dataclass(frozen=True)
class TemperatureFit:
    """The temperature that fits best: 0 and inf where the NLL falls all the way to that limit, and `reason`
    then says why. `error` is the sandwich estimate of the standard error of log tau, None at a limit and of a
    single row: it holds whether or not the probabilities are the true ones (White 1982, "Maximum likelihood
    estimation of misspecified models", Econometrica 50, theorem 3.2). `unit` is the survey's."""

    tau: float
    error: float | None = None
    reason: str | None = None
    unit: float = 1.0

    @property
    def is_limit(self) -> bool:
        return self.tau in (0.0, inf)


def fit_temperature(passes: Passes, found: Survey | None = None) -> TemperatureFit:
    """The temperature of the least NLL, to full precision.

    passes: each call gives all the rows anew, in blocks of any size; it is called about six times. found:
    their survey, where it has been made.

    Raises CalibrationError for no rows, and where every row's logits are all alike, which leaves the
    temperature open; TargetError for a target that is masked.

    >>> import numpy as np
    >>> from tsoft.core.labelled_rows import LabelledRows
    >>> rows = LabelledRows(np.array([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]]), np.array([0, 0, 1]))
    >>> tau = fit_temperature(lambda: [rows]).tau
    >>> bool(np.isclose(tau, 2 / np.log(2)))  # then the first class has 2/3
    True
    """
    found = found or survey(passes)
    if found.mean_gap == 0:
        raise CalibrationError("the logits of every row are all alike, so that no temperature changes anything")
    if found.target_gap == 0:
        return TemperatureFit(
            0.0, reason="every target is the most probable class of its row, so that the NLL falls all the way"
        )
    if found.target_gap >= found.mean_gap:
        reason = "the targets' logits are on average no higher than the others', which is no better than chance"
        return TemperatureFit(inf, reason=f"{reason}, so that the NLL falls all the way")
    theta, sums = _root(lambda taus: evaluate(passes, taus, found.unit), found)
    tau = exp(theta) * found.unit
    if tau in (0.0, inf):
        power = (theta + log(found.unit)) / log(10)
        where = f"at τ = 10^{power:.2f}, which no double holds"
        return TemperatureFit(tau, reason=f"the NLL is least {where}, so that it falls all the way")
    error = sqrt(sums.squares) / sums.variance if found.rows > 1 and sums.variance > 0 else None
    return TemperatureFit(tau, error, unit=found.unit)


@dataclass(frozen=True)
class _Point:
    """An evaluation at `theta`, log tau in units: how far the equation is from its solution, and Newton's step
    to it, NaN both where that tells no more than the side."""

    theta: float
    sums: GapSums
    off: float
    step: float


def _root(at: Callable[[list[float]], list[GapSums]], found: Survey) -> tuple[float, GapSums]:
    """log tau, in units, where R = D, and the sums of the last evaluation, which is next to it. Where Newton's
    method does not halve what it is off by, as where some rows' logits are far larger than others', a pass
    evaluates several temperatures to narrow the bracket."""
    low, high, before = -FARTHEST, FARTHEST, inf
    thetas = [log(found.spread)]
    for _ in range(MOST):
        points = [_point(theta, sums, found) for theta, sums in zip(thetas, at([exp(t) for t in thetas]), strict=True)]
        low = max([low, *(point.theta for point in points if point.sums.slope < 0)])
        high = min([high, *(point.theta for point in points if point.sums.slope >= 0)])
        best = min(points, key=lambda point: point.off if point.off == point.off else inf)
        if abs(best.step) < STEP:
            return best.theta + best.step, best.sums
        # Where rounding is all that is left, the bracket is as narrow as it gets.
        if best.sums.slope == 0 or high - low < STEP or (best.off < ROUNDING and best.off >= before):
            after = best.theta + best.step
            return after if low < after < high else best.theta, best.sums
        thetas = _next(best, low, high, before)
        if not thetas:
            break
        before = best.off
    raise CalibrationError("no minimum is found, though there is one: are the rows the same in every pass?")


def _next(best: _Point, low: float, high: float, before: float) -> list[float]:
    """Where to evaluate: after Newton's step, or, where that does not get on, at points all over the bracket."""
    after = best.theta + best.step
    if low < after < high and abs(best.step) < LONGEST and best.off < before / 2:
        return [after]
    if high == FARTHEST:
        return [theta for k in range(1, 9) if (theta := low + 2.0**k) < high]
    if low == -FARTHEST:
        return [theta for k in range(1, 9) if (theta := high - 2.0**k) > low]
    return [low + (high - low) * k / PARTS for k in range(1, PARTS)]


def _point(theta: float, sums: GapSums, found: Survey) -> _Point:
    tau = exp(theta)
    below, above = tau * sums.mean, found.mean_gap - tau * sums.mean
    if not (0 < below < inf and above > 0 and sums.variance > 0):
        return _Point(theta, sums, nan, nan)
    off = log(found.target_gap) - log(found.mean_gap - found.target_gap) - log(below) + log(above)
    rise = sums.variance / sums.mean + tau * sums.variance / above
    return _Point(theta, sums, abs(off), off / rise if 0 < rise < inf else nan)
