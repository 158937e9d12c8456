"""Find the temperature at which a distribution reaches a target: the inverse of softmax.

With beta = 1 / tau the distribution is an exponential family (Wainwright & Jordan 2008, "Graphical
Models, Exponential Families, and Variational Inference", proposition 3.1), so that

    d ln p_i / d beta = z_i - <z>        d2 ln p_i / d beta2 = -Var(z) <= 0

with <z> and Var(z) the mean and the variance of the logits under p. So, as tau grows:

- The top class's probability and the margin fall, and entropy and perplexity rise, each between its
  values at tau = 0 and tau = inf: at most one solution.
- Any other class's probability rises from 0 until the falling <z> reaches z_i. After that it falls.
  There are at most two solutions, one on each side of this peak. If z_i is not above the plain mean
  of the logits, there is no peak: the probability rises all the way.

Each curve consists of a few turning points with a monotone segment between neighbors, and one search
is enough for all curves: bisection over the bit patterns of the positive floats, which have the order
of the floats. It ends after at most 63 steps at two neighboring floats with the target between them,
so there is no tolerance to tune, and takes the nearer of the two. The measures are computed by the
kernels of `tsoft.entropy` and the other functions: `reached` is their value at a solution.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, isinf, isnan, nan
from operator import index as as_index
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.library_arguments import require_index, require_number
from tsoft.core.measures import _entropy, _margin, _top_prob
from tsoft.core.softmax import (
    Array,
    Kernel,
    divide_by_taus,
    highest,
    normalizer,
    per_row,
    require_softmax,
    subtract_maximum,
    validate_logits,
)
from tsoft.core.sums import add_up

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# A block of this many numbers and its scratch arrays about fit in a core's cache.
BLOCK_SIZE = 1 << 17
# A value that differs from a limit by no more than softmax's relative error bound, 4 (1 + H) u, counts as the
# limit: a kernel cannot distinguish the two, and a user's ln 4 or 1/3 may differ from ours by an ulp.
ROUNDING = 4 * 2.0**-53
# The relative error of a solution. It is larger by a few subnormals per class if the target is nearly subnormal.
PRECISION = 1e-12
# The temperatures next to the limits.
MIN_TAU, MAX_TAU = 5e-324, float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Solution:
    """The temperatures at which one row reaches a target.

    `taus` are all such temperatures in ascending order, possibly 0 and inf; (1.0,) if every temperature
    reaches the target. `reached` is the measure at each, within a relative 1e-12 of the target. If there
    is no solution, `reason` is a sentence with the cause and the range that can be reached, else None.
    """

    taus: tuple[float, ...]
    reached: tuple[float, ...]
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Solutions:
    """The temperatures at which each row reaches a target. The result of `tsoft.solve`.

    Attributes
    ----------
    taus : ndarray, shape (..., s)
        The temperatures in ascending order, s = 2 for the probability of a class, else s = 1. NaN if
        there is no solution, and in the second place if there is only one.
    reached : ndarray, shape (..., s)
        The measure at each temperature, within a relative 1e-12 of the target.
    reason : str or None, or ndarray of these, shape (...)
        Why a row has no solution, with the range that can be reached; None if it has one.
    """

    taus: Array
    reached: Array
    reason: Any

    @property
    def tau(self) -> Array:
        """The lowest temperature of each row, NaN if there is no solution: (...), a scalar for a single row."""
        return np.asarray(self.taus[..., 0])[()]


def solve(
    z: ArrayLike,
    *,
    top_prob: float | None = None,
    entropy: float | None = None,
    perplexity: float | None = None,
    margin: float | None = None,
    prob: float | None = None,
    index: int | None = None,
) -> Solutions:
    """Find the temperature at which each row's distribution reaches a target.

    Pass exactly one target.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class. The arithmetic is in float64.
    top_prob : float, optional
        The probability of the most probable class.
    entropy : float, optional
        The entropy in nats.
    perplexity : float, optional
        The perplexity: the effective number of classes, exp(entropy).
    margin : float, optional
        The first minus the second probability.
    prob : float, optional
        The probability of the class `index`.
    index : int, optional
        The index, from 0, of the class with the probability `prob`.

    Returns
    -------
    Solutions
        ``tau`` has the lowest solution of each row, NaN for a row without a solution. ``taus`` has all solutions:
        a class may have the same probability at two temperatures. ``reached`` has the measure at each
        temperature, and ``reason`` the cause if a row has no solution.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If there is not exactly one target, or if the target is negative or NaN.
    TypeError
        If the target is not a number, or `index` not an integer.
    IndexError
        If there is no class `index`.

    Notes
    -----
    The solutions include the exact limits 0 and inf. If every temperature reaches the target, as with equal
    logits, the solution is 1. The search is a bisection over the floats, which ends at two neighboring
    floats with the target between them; there is no tolerance to choose.

    References
    ----------
    .. [1] M. J. Wainwright and M. I. Jordan, "Graphical Models, Exponential Families, and Variational
       Inference", Foundations and Trends in Machine Learning 1, 2008, proposition 3.1.

    Examples
    --------
    >>> import tsoft
    >>> solution = tsoft.solve([2, 1, 0.5, 0.1], top_prob=0.73)
    >>> solution.tau.round(6)
    np.float64(0.651716)
    >>> tsoft.top_prob([2, 1, 0.5, 0.1], tau=solution.tau).round(12)
    np.float64(0.73)

    The probability of a class below the top can have a peak. A target below the peak has two solutions:

    >>> tsoft.solve([2, 1, 0, -3], prob=0.27, index=1).taus.round(4)
    array([ 1.2618, 11.0135])

    Some targets cannot be reached at any temperature:

    >>> tsoft.solve([[2, 1, 0], [3, 3, 0]], top_prob=0.6).tau.round(4)
    array([1.2785,    nan])
    >>> tsoft.solve([3, 3, 0], top_prob=0.6).reason  # doctest: +NORMALIZE_WHITESPACE
    "the top class's probability is at most 1/2 = 0.5, reached at temperature 0, since 2 classes are tied
    at the top; it can be from 0.3333333333 to 0.5"
    """
    targets = {"top_prob": top_prob, "entropy": entropy, "perplexity": perplexity, "margin": margin, "prob": prob}
    passed = {name: value for name, value in targets.items() if value is not None}
    if len(passed) != 1:
        raise ValueError(f"pass exactly one of {', '.join(targets)}; got {' and '.join(passed) or 'none'}")
    if (prob is None) != (index is None):
        raise ValueError("prob needs index, and index needs prob; pass both")
    z = validate_logits(z)
    [(name, value)] = passed.items()
    require_number(name, value)
    if name not in UNBOUNDED and value > 1:
        raise ValueError(f"{name} must be a number from 0 to 1, got {value:g}")
    if index is not None:
        require_index("index", index)
        solutions, size = solve_prob(z, index, value), 2
    else:
        solutions, size = SOLVERS[name](z, value), 1
    taus, reached = np.full((2, len(solutions), size), nan)
    reasons = np.empty(len(solutions), object)
    for row, solution in enumerate(solutions):
        taus[row, : len(solution.taus)] = solution.taus
        reached[row, : len(solution.taus)] = solution.reached
        reasons[row] = solution.reason
    rows = z.shape[:-1]
    return Solutions(taus.reshape(*rows, size), reached.reshape(*rows, size), reasons.reshape(rows)[()])


def solve_top_prob(z: ArrayLike, value: float) -> list[Solution]:
    """Solve for the probability of the most probable class.

    z: logits, (..., n), as for `tsoft.softmax`; the arithmetic is in float64. The result has one
    Solution per row, over all leading axes.

    A value that differs from a limit only by rounding has the solution 0 or inf. There is no solution if
    no float is near enough to the temperature, which may be above the largest float or among the smallest.

    Raise the errors of softmax for z, and ValueError for a value that is negative or NaN.

    >>> from tsoft.core.solve import solve_top_prob
    >>> [solution] = solve_top_prob([2, 1, 0.5, 0.1], 0.73)
    >>> round(solution.taus[0], 6), round(solution.reached[0], 12)
    (0.651716, 0.73)
    >>> solve_top_prob([2, 1, 0.5, 0.1], 0.25)[0].taus
    (inf,)
    >>> solve_top_prob([2, 2, 0], 0.9)[0].reason  # doctest: +NORMALIZE_WHITESPACE
    "the top class's probability is at most 1/2 = 0.5, reached at temperature 0, since 2 classes
    are tied at the top; it can be from 0.3333333333 to 0.5"
    """
    return _solve(
        z,
        value,
        _Curve("the top class's probability", _top_prob, _monotone_limits(lambda count: 1 / count), _format_fraction),
    )


def solve_entropy(z: ArrayLike, value: float) -> list[Solution]:
    """Solve for the entropy in nats. Arguments, result and errors are those of `solve_top_prob`.

    >>> from tsoft.core.solve import solve_entropy
    >>> round(solve_entropy([2, 1, 0.5, 0.1], 1.0)[0].taus[0], 6)
    0.809147
    """
    return _solve(z, value, _Curve("the entropy", _entropy, _monotone_limits(np.log), _format_logarithm))


def solve_perplexity(z: ArrayLike, value: float) -> list[Solution]:
    """Solve for the perplexity. Arguments, result and errors are those of `solve_top_prob`.

    >>> from tsoft.core.solve import solve_perplexity
    >>> solve_perplexity([2, 1, 0.5, 0.1], 4)[0].taus
    (inf,)
    """
    return _solve(
        z, value, _Curve("the perplexity", _perplexity, _monotone_limits(lambda count: 1.0 * count), _format_number)
    )


def solve_margin(z: ArrayLike, value: float) -> list[Solution]:
    """Solve for the first minus the second probability. Arguments, result and errors are those of
    `solve_top_prob`. A row of one class has no margin and no solution.

    >>> from tsoft.core.solve import solve_margin
    >>> solve_margin([[3, 3, 1], [2, 1, 0]], 0.2)[0].reason
    '2 classes are tied at the top, so the margin is 0 at every temperature'
    """
    z = validate_logits(z)
    curve = _Curve("the margin", _margin, _monotone_limits(lambda count: 1.0 * (count == 1)), _format_number)
    solutions = _solve(z, value, curve)
    if z.shape[-1] > 1:
        return solutions
    return [Solution((), (), "the margin needs two classes, and there is only one")] * len(solutions)


def solve_prob(z: ArrayLike, index: int, value: float) -> list[Solution]:
    """Solve for the probability of class `index`, from 0. Up to two temperatures reach it. Arguments, result
    and errors are those of `solve_top_prob`. Raise IndexError if there is no class with that index.

    A value that differs from the peak only by rounding has one solution, at the peak. The higher of two
    solutions is omitted if it is above the largest float.

    >>> from tsoft.core.solve import solve_prob
    >>> [round(tau, 6) for tau in solve_prob([2, 1, 0, -3], 1, 0.27)[0].taus]
    [1.261753, 11.013499]
    >>> solve_prob([2, 1, 0, -3], 1, 0.5)[0].reason  # doctest: +NORMALIZE_WHITESPACE
    "the class's probability is at most 0.2972630986, reached at temperature 2.516189447; it can be from
    0 to 0.2972630986"
    """
    z, index = validate_logits(z), as_index(index)
    if not 0 <= index < z.shape[-1]:
        raise IndexError(f"there is no class {index}; the classes are 0 to {z.shape[-1] - 1}")
    name = "the class's probability"
    return _solve(z, value, _Curve(name, _prob_of(index), _limits_and_peak(index), _format_fraction, index))


# The solver of each measure of a distribution.
SOLVERS = {
    "top_prob": solve_top_prob,
    "entropy": solve_entropy,
    "perplexity": solve_perplexity,
    "margin": solve_margin,
}
# The measures that may be above 1.
UNBOUNDED = ("entropy", "perplexity")


@dataclass(frozen=True, eq=False)
class _Evaluator:
    """An evaluator of kernels on m rows, each at a different temperature.

    `gaps` is (z - max z), times `scale` unless that is None. `scale` has one number per row: 1/2 if the
    difference might overflow, otherwise 1. `tops` is the index of one maximum of each row in the flattened rows, and
    `x` has the shape of `gaps`. `ties` counts the classes at each row's maximum, `unmasked` the classes that are not
    masked.
    """

    gaps: Array
    scale: Array | None
    tops: Array
    x: Array
    ties: Array
    unmasked: Array

    @property
    def classes(self) -> int:
        return int(self.gaps.shape[-1])

    def evaluate(self, taus: Array, kernel: Kernel) -> Array:
        """Return the kernel's value of each row, (m,), at finite temperatures, (m,)."""
        out = np.empty(len(taus))
        with np.errstate(all="ignore"):
            divide_by_taus(self.gaps, self.scale, per_row(taus), self.x)
            kernel(self.x, self.tops, out)
        return out


def _evaluator(z: Array) -> _Evaluator:
    """Return the evaluator of (m, n) logits. Each row must have a softmax."""
    z = np.ascontiguousarray(z, np.float64)
    maximum, tops = highest(z)
    gaps = np.empty_like(z)
    scale = subtract_maximum(z, per_row(maximum), gaps)
    ties, unmasked = (gaps == 0).sum(-1), (~np.isneginf(z)).sum(-1)
    return _Evaluator(gaps, scale, tops, np.empty_like(gaps), ties, unmasked)


@dataclass(frozen=True, eq=False)
class _TurningPoint:
    """A turning point of each row's curve, which is a limit or a peak: the temperatures and the values
    there, (m,) each. Another value counts as equal within the relative error `rounding`, (m,)."""

    taus: Array
    values: Array
    rounding: Array

    def is_at(self, value: float) -> Array:
        return np.asarray(abs(self.values - value) <= self.rounding * self.values)


def _limit(tau: float, values: Array, count: Array) -> _TurningPoint:
    """Return the limit at which `count` classes share the probability evenly and the entropy is ln `count`."""
    return _TurningPoint(np.full(len(count), tau), values, ROUNDING * (1 + np.log(count)))


@dataclass(frozen=True)
class _Curve:
    """A measure as a function of temperature. `turning_points` finds the turning points of each row,
    `format` formats a value at a limit. `index` is the class of the measure, None for the whole row."""

    name: str
    kernel: Kernel
    turning_points: Callable[[_Evaluator], list[_TurningPoint]]
    format: Callable[[float], str]
    index: int | None = None


def _monotone_limits(value_of_equal: Callable[[Array], Array]) -> Callable[[_Evaluator], list[_TurningPoint]]:
    """Return a function that finds the turning points of a monotone measure. `value_of_equal` is the
    measure's value if a number of classes share the probability evenly. At 0 these are the ties at the
    top, at inf all unmasked classes."""
    return lambda rows: [
        _limit(0.0, value_of_equal(rows.ties), rows.ties),
        _limit(inf, value_of_equal(rows.unmasked), rows.unmasked),
    ]


def _limits_and_peak(index: int) -> Callable[[_Evaluator], list[_TurningPoint]]:
    """Return a function that finds the turning points of a class's probability."""

    def turning_points(rows: _Evaluator) -> list[_TurningPoint]:
        gap = rows.gaps[:, index]
        cold = _limit(0.0, np.where(gap == 0, 1 / rows.ties, 0.0), rows.ties)
        hot = _limit(inf, np.where(np.isneginf(gap), 0.0, 1 / rows.unmasked), rows.unmasked)
        return [cold, _peak(rows, index, cold, hot), hot]

    return turning_points


def _peak(rows: _Evaluator, index: int, cold: _TurningPoint, hot: _TurningPoint) -> _TurningPoint:
    """Return the peak, at which z_i - <z> changes its sign from minus to plus. For a monotone curve, or if
    the peak is not above rounding from the limit at inf, return that limit."""
    has_peak = cold.values < hot.values
    _, hotter = _bisect(rows, _peak_condition(index), 0.0, (cold.taus, hot.taus), rising=has_peak, active=has_peak)
    taus = np.where(has_peak, np.minimum(hotter, MAX_TAU), 1.0)
    values = rows.evaluate(taus, _prob_of(index))
    # The bound on p, 4 (1 + |x_i| + H) u, where neither |x_i| nor H is more than ln n.
    rounding = ROUNDING * (1 + 2 * np.log(rows.unmasked))
    has_distinct_peak = has_peak & (values > hot.values * (1 + rounding))
    taus, values = np.where(has_distinct_peak, (taus, values), (hot.taus, hot.values))
    return _TurningPoint(taus, values, rounding)


def _perplexity(x: Array, tops: Array, out: Array) -> None:
    _entropy(x, tops, out)
    np.exp(out, out=out)


def _prob_of(index: int) -> Kernel:
    def kernel(x: Array, tops: Array, out: Array) -> None:
        exp_x = np.exp(x)
        out[...] = exp_x[:, index] / normalizer(exp_x, tops)

    return kernel


def _peak_condition(index: int) -> Kernel:
    """Return a kernel with the sign of z_i - <z>: the sum of exp(x_j) (x_i - x_j)."""

    def kernel(x: Array, tops: Array, out: Array) -> None:
        # exp(x) is 0 well above -1e4. The clip prevents inf - inf and inf * 0.
        np.maximum(x, -1e4, out=x)
        exp_x = np.exp(x)
        np.subtract(x[:, [index]], x, out=x)
        np.multiply(x, exp_x, out=x)
        out[...] = add_up(x)

    return kernel


def _solve(z: ArrayLike, value: float, curve: _Curve) -> list[Solution]:
    value = float(value)
    if isnan(value) or value < 0:
        raise ValueError(f"{curve.name} must be a number of at least 0, got {value}")
    z = validate_logits(z)
    classes = z.shape[-1]
    require_softmax(z)
    rows = z.reshape(-1, classes)
    step = max(1, BLOCK_SIZE // classes)
    solutions = []
    for first in range(0, len(rows), step):
        solutions += _solve_block(_evaluator(rows[first : first + step]), value, curve)
    return solutions


def _solve_block(rows: _Evaluator, value: float, curve: _Curve) -> list[Solution]:
    turning_points = curve.turning_points(rows)
    segments = [_search(rows, value, curve.kernel, *endpoints) for endpoints in pairwise(turning_points)]
    return [_solution(rows, row, value, curve, turning_points, segments) for row in range(len(rows.unmasked))]


@dataclass(frozen=True, eq=False)
class _Segment:
    """The result of the search between two turning points, for each row: the nearest temperature, the
    value there, and whether that is the target. NaN for a row without a search."""

    taus: Array
    reached: Array
    is_solution: Array


def _search(rows: _Evaluator, value: float, kernel: Kernel, start: _TurningPoint, end: _TurningPoint) -> _Segment:
    low, high = np.minimum(start.values, end.values), np.maximum(start.values, end.values)
    at_start, at_end = start.is_at(value), end.is_at(value)
    between = (low < value) & (value < high)
    pair = _bisect(rows, kernel, value, (start.taus, end.taus), start.values < end.values, between)
    taus, reached = _nearer(rows, kernel, value, pair, between)
    is_solution = between & (abs(reached - value) <= PRECISION * value + 1e3 * rows.classes * MIN_TAU)
    for point, is_reached in (start, at_start), (end, at_end):
        taus, reached = np.where(is_reached, (point.taus, point.values), (taus, reached))
    return _Segment(taus, reached, is_solution | at_start | at_end)


def _bisect(
    rows: _Evaluator, kernel: Kernel, value: float, ends: tuple[Array, Array], rising: Array, active: Array
) -> tuple[Array, Array]:
    """Return, for each active row, the neighboring floats between which the kernel passes the value. The
    kernel is monotone between the ends. These may be 0 and inf and are not evaluated: the value is known to
    be between those at the ends."""
    cold, hot = (np.where(active, taus, 1.0).view(np.int64) for taus in ends)
    while (unfinished := hot - cold > 1).any():
        middle = cold + (hot - cold) // 2
        values = rows.evaluate(np.where(unfinished, middle.view(np.float64), 1.0), kernel)
        before = (values < value) == rising
        cold, hot = np.where(unfinished & before, middle, cold), np.where(unfinished & ~before, middle, hot)
    return cold.view(np.float64), hot.view(np.float64)


def _nearer(
    rows: _Evaluator, kernel: Kernel, value: float, pair: tuple[Array, Array], active: Array
) -> tuple[Array, Array]:
    """Return, for each row, the temperature of the pair at which the value is nearer to the target, or the
    lower one if both are equally near, and the value there."""
    if not active.any():
        return np.full(len(active), nan), np.full(len(active), nan)
    cold, hot = (np.clip(taus, MIN_TAU, MAX_TAU) for taus in pair)
    at_cold, at_hot = rows.evaluate(cold, kernel), rows.evaluate(hot, kernel)
    colder = abs(at_cold - value) <= abs(at_hot - value)
    taus, reached = np.where(colder, (cold, at_cold), (hot, at_hot))
    return np.where(active, taus, nan), np.where(active, reached, nan)


def _solution(
    rows: _Evaluator,
    row: int,
    value: float,
    curve: _Curve,
    turning_points: list[_TurningPoint],
    segments: list[_Segment],
) -> Solution:
    points = [(float(point.values[row]), float(point.taus[row])) for point in turning_points]
    low, high = min(points), max(points)
    # A turning point belongs to two segments, but is one solution.
    solutions = {
        float(segment.taus[row]): float(segment.reached[row]) for segment in segments if segment.is_solution[row]
    }
    if solutions and low[0] == high[0]:
        return Solution((1.0,), (low[0],))
    if solutions:
        taus, reached = zip(*sorted(solutions.items()), strict=True)
        return Solution(taus, reached)
    if low[0] == high[0]:
        return Solution((), (), _why_constant(rows, row, curve, low[0]))
    if low[0] < value < high[0]:
        nearest = next(segment for segment in segments if not isnan(segment.taus[row]))
        tau, value_at_tau = _format_number(nearest.taus[row]), _format_number(nearest.reached[row])
        return Solution(
            (), (), f"no float is near enough to the temperature: the nearest is {tau}, with {value_at_tau}"
        )
    return Solution((), (), _why_outside(rows, row, value, curve, low, high))


def _why_constant(rows: _Evaluator, row: int, curve: _Curve, constant: float) -> str:
    ties, unmasked = rows.ties[row], rows.unmasked[row]
    has_masks = unmasked < rows.classes
    if curve.index is not None and constant == 0:
        why = "the class is masked"
    elif unmasked == 1:
        why = "only one class is not masked" if has_masks else "there is only one class"
    elif ties == unmasked:
        why = "all classes that are not masked are equal" if has_masks else "all classes are equal"
    else:
        why = f"{ties} classes are tied at the top"
    return f"{why}, so {curve.name} is {curve.format(constant)} at every temperature"


def _why_outside(
    rows: _Evaluator, row: int, value: float, curve: _Curve, low: tuple[float, float], high: tuple[float, float]
) -> str:
    side, (bound, tau) = ("at least", low) if value < low[0] else ("at most", high)
    reason = ""
    if tau == 0 and rows.ties[row] > 1:
        reason = f", since {rows.ties[row]} classes are tied at the top"
    elif isinf(tau) and rows.unmasked[row] < rows.classes:
        reason = f", since {rows.unmasked[row]} of {rows.classes} classes are not masked"
    limit = f"{curve.name} is {side} {curve.format(bound)}"
    reachable = f"it can be from {_format_number(low[0])} to {_format_number(high[0])}"
    return f"{limit}, reached at temperature {_format_number(tau)}{reason}; {reachable}"


def _format_number(number: float) -> str:
    return f"{number:.10g}"


def _format_fraction(number: float) -> str:
    count = round(1 / number) if number else 0
    return f"1/{count} = {number:.10g}" if count > 1 and number == 1 / count else _format_number(number)


def _format_logarithm(number: float) -> str:
    count = round(exp(number))
    return f"ln {count} = {number:.10g}" if count > 1 and number == np.log(count) else _format_number(number)
