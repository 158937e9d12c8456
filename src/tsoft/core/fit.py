"""Find the temperature at which a classifier's probabilities best fit the true classes.

    NLL(tau) = mean over rows of  log sum_j exp(z_j / tau) - z_y / tau

with y a row's target (Guo, Pleiss, Sun & Weinberger 2017, "On calibration of modern neural networks",
section 4.2). It is convex in 1/tau. With the gaps g_j = max z - z_j, the scaled gaps t_j = g_j / tau, and
expectations under the softmax at tau,

    d NLL / d log tau = mean of E[t] - t_y        d^2 NLL / d (log tau)^2 = mean of Var[t] at the minimum

Let R(tau) be the sum over rows of E[g], which rises from 0 at tau = 0 to R(inf), the sum of the mean gaps,
and D the sum of the targets' gaps. The minimum is at R = D, so it is finite if 0 < D < R(inf). If D = 0,
every target is at the top of its row. If D >= R(inf), the targets' logits are no higher than the average.
Otherwise, Newton's method solves

    log(R / (R(inf) - R)) = log(D / (R(inf) - D))      in log tau,

which is nearly linear even far from the minimum. Each evaluation narrows the bracket around the solution.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log, log10, nan, sqrt

from tsoft.core.labeled_rows import (
    MAX_SCALED_GAP,
    MAX_SUMMABLE,
    CalibrationError,
    GapSums,
    RowPasses,
    RowSummary,
    evaluate,
    summarize,
)

# After a Newton step this short, in log tau, the error is about the square of the step.
STEP_TOLERANCE = 1e-8
# A longer step is not taken, because it leaves the region in which the equation is nearly linear.
MAX_STEP = 3.0
# The residual of the equation that may be due to rounding.
ROUNDING = 1e-6
# The largest |log tau|, in units of the logits, and the largest number of iterations.
MAX_LOG_TAU, MAX_ITERATIONS = 700.0, 100
# At a temperature below this, in units of the logits, clipped gaps do not matter.
LARGEST_UNCLIPPED = MAX_SUMMABLE / MAX_SCALED_GAP
# The number of parts into which a pass splits the bracket.
PARTS = 24


@dataclass(frozen=True)
class TemperatureFit:
    """The temperature with the least NLL.

    `tau` is 0 or inf if the NLL falls all the way to that limit; `reason` is then the cause. `error` is the
    sandwich estimate of the standard error of log tau, None at a limit and for a single row. It is valid even
    if the model's probabilities are not the true ones (White 1982, "Maximum likelihood estimation of
    misspecified models", Econometrica 50, theorem 3.2). `unit` is that of the summary.
    """

    tau: float
    error: float | None = None
    reason: str | None = None
    unit: float = 1.0

    @property
    def is_limit(self) -> bool:
        return self.tau in (0.0, inf)


def fit_rows(rows: RowPasses, summary: RowSummary | None = None) -> TemperatureFit:
    """Fit the temperature with the least NLL, to full precision.

    If the targets' logits are hardly higher than the others', the mean gap R(inf) and D are nearly equal, and their
    rounding limits the precision: the relative error of tau is about 1e-16 * D / (R(inf) - D).

    rows: all rows, over which there are about six passes.
    summary: that of the rows, if already known.

    Raise CalibrationError if there are no rows, if the logits of every row are equal, so that the temperature has
    no effect, or if outliers beyond the range of float64 determine the temperature; TargetError for a masked target.

    >>> import numpy as np
    >>> from tsoft.core.labeled_rows import LabeledRows, StoredRows
    >>> rows = LabeledRows(np.array([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]]), np.array([0, 0, 1]))
    >>> tau = fit_rows(StoredRows([rows])).tau
    >>> bool(np.isclose(tau, 2 / np.log(2)))  # then the first class has 2/3
    True
    """
    summary = summary or summarize(rows)
    if summary.mean_gap == 0:
        raise CalibrationError("all logits of each row are equal, so the temperature has no effect")
    if summary.target_gap == 0:
        return TemperatureFit(
            0.0, reason="every target is the most probable class of its row, so the NLL falls all the way"
        )
    if summary.is_out_of_range:
        return _fit_without_clipping(rows, summary)
    return _fit(rows, summary)


def _fit_without_clipping(rows: RowPasses, summary: RowSummary) -> TemperatureFit:
    """Fit the temperature although some gaps may be clipped. Raise CalibrationError if it depends on these."""
    with contextlib.suppress(CalibrationError):
        fit = _fit(rows, summary)
        # At this temperature, the classes with clipped gaps have the probability 0.
        if fit.tau < summary.unit * LARGEST_UNCLIPPED:
            return fit
    problem = f"some logits are more than 10^{log10(MAX_SUMMABLE):.0f} times as far from the others as the targets are"
    raise CalibrationError(f"{problem}; remove these outliers, or mask them with -inf")


def _fit(rows: RowPasses, summary: RowSummary) -> TemperatureFit:
    """Fit the temperature to rows whose targets are not all at the top."""
    if summary.is_at_chance:
        rounding = "" if summary.target_gap >= summary.mean_gap else ", up to rounding"
        reason = f"on average, the targets' logits are no higher than the others'{rounding} (no better than chance)"
        return TemperatureFit(inf, reason=f"{reason}, so the NLL falls all the way")
    theta, sums = _solve_log_tau(lambda taus: evaluate(rows, taus, summary.unit), summary)
    tau = exp(theta) * summary.unit
    if tau in (0.0, inf):
        power = (theta + log(summary.unit)) / log(10)
        minimum = f"at τ = 10^{power:.2f}, outside the range of float64"
        return TemperatureFit(tau, reason=f"the NLL has its minimum {minimum}, so it falls all the way")
    error = sqrt(sums.squares) / sums.variance if summary.rows > 1 and sums.variance > 0 else None
    return TemperatureFit(tau, error, unit=summary.unit)


@dataclass(frozen=True)
class _Evaluation:
    """An evaluation at `theta`, log tau in units: the `residual` of the equation and Newton's step to its
    solution. Both are NaN if the evaluation shows only on which side the solution is."""

    theta: float
    sums: GapSums
    residual: float
    newton_step: float


def _solve_log_tau(evaluate_at: Callable[[list[float]], list[GapSums]], summary: RowSummary) -> tuple[float, GapSums]:
    """Return log tau, in units, at R = D, and the sums of the last evaluation, which is very near it. If Newton's
    method does not halve the residual, for example because the logits of some rows are far larger than those of
    others, a pass evaluates several temperatures to narrow the bracket."""
    low, high, last_residual = -MAX_LOG_TAU, MAX_LOG_TAU, inf
    thetas = [log(summary.spread)]
    for _ in range(MAX_ITERATIONS):
        evaluations = [
            _evaluation(theta, sums, summary)
            for theta, sums in zip(thetas, evaluate_at([exp(t) for t in thetas]), strict=True)
        ]
        low = max([low, *(each.theta for each in evaluations if each.sums.slope < 0)])
        high = min([high, *(each.theta for each in evaluations if each.sums.slope >= 0)])
        best = min(evaluations, key=lambda each: each.residual if each.residual == each.residual else inf)
        if abs(best.newton_step) < STEP_TOLERANCE:
            return best.theta + best.newton_step, best.sums
        # If the residual is due to rounding, the bracket cannot become narrower.
        if (
            best.sums.slope == 0
            or high - low < STEP_TOLERANCE
            or (best.residual < ROUNDING and best.residual >= last_residual)
        ):
            after_step = best.theta + best.newton_step
            return after_step if low < after_step < high else best.theta, best.sums
        thetas = _next_thetas(best, low, high, last_residual)
        if not thetas:
            break
        last_residual = best.residual
    raise CalibrationError("the search did not find the minimum; are the rows the same in every pass?")


def _next_thetas(best: _Evaluation, low: float, high: float, last_residual: float) -> list[float]:
    """Return the points to evaluate next: after Newton's step or, if that makes no progress, across the bracket."""
    after_step = best.theta + best.newton_step
    if low < after_step < high and abs(best.newton_step) < MAX_STEP and best.residual < last_residual / 2:
        return [after_step]
    if high == MAX_LOG_TAU:
        return [theta for k in range(1, 9) if (theta := low + 2.0**k) < high]
    if low == -MAX_LOG_TAU:
        return [theta for k in range(1, 9) if (theta := high - 2.0**k) > low]
    return [low + (high - low) * k / PARTS for k in range(1, PARTS)]


def _evaluation(theta: float, sums: GapSums, summary: RowSummary) -> _Evaluation:
    tau = exp(theta)
    gap_sum, remainder = tau * sums.mean, summary.mean_gap - tau * sums.mean
    if not (0 < gap_sum < inf and remainder > 0 and sums.variance > 0):
        return _Evaluation(theta, sums, nan, nan)
    residual = log(summary.target_gap) - log(summary.mean_gap - summary.target_gap) - log(gap_sum) + log(remainder)
    derivative = sums.variance / sums.mean + tau * sums.variance / remainder
    return _Evaluation(theta, sums, abs(residual), residual / derivative if 0 < derivative < inf else nan)
