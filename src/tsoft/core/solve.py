"""The temperature at which a row's distribution has what is asked: softmax the other way round.

With beta = 1 / tau the distribution is an exponential family (Wainwright & Jordan 2008, "Graphical
Models, Exponential Families, and Variational Inference", proposition 3.1), so that

    d ln p_i / d beta = z_i - <z>        d2 ln p_i / d beta2 = -Var(z) <= 0

with <z> and Var(z) the mean and the variance of the logits under p. Hence, as tau grows:

- the top class's probability and the margin fall, entropy and perplexity rise, each between its
  values at tau = 0 and tau = inf: one solution at most;
- any other class's probability rises from 0 until <z>, which falls, has come down to z_i, and falls
  from there on: two solutions at most, one on each side of that peak. There is no peak where z_i is
  not above the plain mean of the logits: the probability rises all the way.

So a curve is a few turning points with a monotone leg between each two, and one search does for
all: bisection over the bit patterns of the positive floats, which are ordered as the floats are. It
ends after 63 steps at two neighbouring floats with what is asked between them, so there is no
tolerance to tune, and the nearer of the two is taken. The measures are worked by the kernels behind
`tsoft.entropy` and its kin: what those functions say at a solution is what is `reached`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, isinf, isnan, nan
from operator import index as as_index

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.measures import _entropy, _margin, _top_prob, top_prob
from tsoft.core.softmax import BLOCK, NARROW, Array, Kernel, Scaled, add_up, as_logits, gaps_below, sums

# A value within the core's own bound, 4 (1 + H) u relatively, of a limit's is taken to be the limit's:
# a kernel cannot tell the two apart, and another's ln 4 or 1/3 may be an ulp from ours.
ROUNDING = 4 * 2.0**-53
# A solution gives what is asked to this, relatively, and to a few subnormals a class where what is
# asked is itself nearly one.
PRECISION = 1e-12
# The temperatures next to the limits.
LEAST, LAST = 5e-324, float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Solution:
    """What a row's temperatures can do about what is asked. `taus`: every temperature that gives it,
    from cold to hot, 0 and inf among them; (1.0,) where every temperature does. `reached`: the measure
    at each, within 1e-12 of what is asked, relatively. `reason`: where there is none, a sentence that
    says why, with the range that can be reached; else None."""

    taus: tuple[float, ...]
    reached: tuple[float, ...]
    reason: str | None = None


def solve_top_prob(z: ArrayLike, value: float) -> list[Solution]:
    """Where the most probable class has probability `value`.

    z: logits, (..., n), as for `tsoft.softmax`; all is worked in float64. The result has a Solution a
    row, over all leading axes: an empty list where there are no rows.

    A value within rounding of a limit's has the solution 0 or inf. Where no float is near enough to
    the temperature (it may be over the largest, or among the smallest) there is none.

    Raises what softmax raises for z, and ValueError for a value that is negative or NaN.

    >>> from tsoft.core.solve import solve_top_prob
    >>> [solution] = solve_top_prob([2, 1, 0.5, 0.1], 0.73)
    >>> round(solution.taus[0], 6), round(solution.reached[0], 12)
    (0.651716, 0.73)
    >>> solve_top_prob([2, 1, 0.5, 0.1], 0.25)[0].taus
    (inf,)
    >>> solve_top_prob([2, 2, 0], 0.9)[0].reason  # doctest: +NORMALIZE_WHITESPACE
    "the top class's probability is never over 1/2 = 0.5, which temperature 0 gives, since 2 classes
    are tied at the top; it can be from 0.3333333333 to 0.5"
    """
    return _solve(
        z, value, _Measure("the top class's probability", _top_prob, _limits_by(lambda count: 1 / count), _share)
    )


def solve_entropy(z: ArrayLike, value: float) -> list[Solution]:
    """Where the entropy is `value` nats. Arguments, result and errors as for `solve_top_prob`.

    >>> from tsoft.core.solve import solve_entropy
    >>> round(solve_entropy([2, 1, 0.5, 0.1], 1.0)[0].taus[0], 6)
    0.809147
    """
    return _solve(z, value, _Measure("the entropy", _entropy, _limits_by(np.log), _log_of_count))


def solve_perplexity(z: ArrayLike, value: float) -> list[Solution]:
    """Where the perplexity is `value` classes. Arguments, result and errors as for `solve_top_prob`.

    >>> from tsoft.core.solve import solve_perplexity
    >>> solve_perplexity([2, 1, 0.5, 0.1], 4)[0].taus
    (inf,)
    """
    return _solve(z, value, _Measure("the perplexity", _perplexity, _limits_by(lambda count: 1.0 * count), _plain))


def solve_margin(z: ArrayLike, value: float) -> list[Solution]:
    """Where the first probability is `value` more than the second. Arguments, result and errors as for
    `solve_top_prob`; a row of one class has no margin, and so no solution.

    >>> from tsoft.core.solve import solve_margin
    >>> solve_margin([[3, 3, 1], [2, 1, 0]], 0.2)[0].reason
    '2 classes are tied at the top, so no temperature changes the margin: it is always 0'
    """
    z = as_logits(z)
    measure = _Measure("the margin", _margin, _limits_by(lambda count: 1.0 * (count == 1)), _plain)
    solutions = _solve(z, value, measure)
    if z.shape[-1] > 1:
        return solutions
    return [Solution((), (), "the margin is between two classes, and there is only one")] * len(solutions)


def solve_prob(z: ArrayLike, index: int, value: float) -> list[Solution]:
    """Where class `index`, from 0, has probability `value`: at up to two temperatures. Otherwise as
    `solve_top_prob`; IndexError where the rows have no such class.

    A value within rounding of the peak has one solution, at the peak. Of two solutions the hot one is
    left out where it is above the largest float.

    >>> from tsoft.core.solve import solve_prob
    >>> [round(tau, 6) for tau in solve_prob([2, 1, 0, -3], 1, 0.27)[0].taus]
    [1.261753, 11.013499]
    >>> solve_prob([2, 1, 0, -3], 1, 0.5)[0].reason  # doctest: +NORMALIZE_WHITESPACE
    "the class's probability is never over 0.2972630986, which temperature 2.516189447 gives; it can be
    from 0 to 0.2972630986"
    """
    z, index = as_logits(z), as_index(index)
    if not 0 <= index < z.shape[-1]:
        raise IndexError(f"there is no class {index} among {z.shape[-1]}, which are counted from 0")
    name = "the class's probability"
    return _solve(z, value, _Measure(name, _prob_of(index), _limits_and_peak(index), _share, index))


@dataclass(frozen=True, eq=False)
class _Rows:
    """A block of m rows, ready for a temperature each. `gaps` is (z - max z) times `part`, which is
    None or one number a row: 1, or 1/2 where the difference would overflow. It is laid out as kernels
    like it, (n, m) for narrow rows and (m, n) for wide ones; `x` and `spare` are scratch of its shape.
    `ties` counts each row's classes at the top, `free` those that are not masked."""

    gaps: Array
    part: Array | None
    maximum: Array
    top: tuple[Array, Array] | None
    x: Array
    spare: Array
    ties: Array
    free: Array

    @property
    def axis(self) -> int:
        return 0 if self.top is None else 1

    @property
    def classes(self) -> int:
        return int(self.gaps.shape[self.axis])

    def at(self, taus: Array, kernel: Kernel) -> Array:
        """What the kernel says of each row at its own finite temperature: (m,) of both."""
        out = np.empty(len(taus))
        with np.errstate(all="ignore"):
            np.divide(self.gaps, np.expand_dims(taus, self.axis), out=self.x)
            if self.part is not None:
                np.divide(self.x, self.part, out=self.x)
            # There is no one temperature; a kernel that asked for it would have NaN.
            kernel(Scaled(self.x, self.spare, self.maximum, self.top, nan), out)
        return out


def _rows(z: Array) -> _Rows:
    """(m, n) logits, of which each row has a softmax."""
    z = z.astype(np.float64, copy=False)
    top = None
    if z.shape[1] <= NARROW:
        z = np.ascontiguousarray(z.T)
    else:
        top = np.arange(len(z)), z.argmax(1)
    axis = 0 if top is None else 1
    maximum, gaps = z.max(axis, keepdims=True), np.empty_like(z)
    part = gaps_below(z, maximum, gaps)
    ties, free = (gaps == 0).sum(axis), (~np.isneginf(z)).sum(axis)
    return _Rows(gaps, part, maximum, top, np.empty_like(gaps), np.empty_like(gaps), ties, free)


@dataclass(frozen=True, eq=False)
class _Turn:
    """A turning point of each row's curve, a limit or a peak: its temperature and its value there, (m,)
    both. A value that is within `rounding` of it, relatively and (m,) too, is at it."""

    taus: Array
    values: Array
    rounding: Array

    def has(self, value: float) -> Array:
        return np.asarray(abs(self.values - value) <= self.rounding * self.values)


def _limit(tau: float, values: Array, count: Array) -> _Turn:
    """A limit, where `count` classes share the probability evenly and H is its logarithm."""
    return _Turn(np.full(len(count), tau), values, ROUNDING * (1 + np.log(count)))


@dataclass(frozen=True)
class _Measure:
    """What is asked about: `turns` finds the turning points of each row's curve, `write` makes a text of
    a value that is a limit. `index` is the class that it is of, None where it is of the whole row."""

    name: str
    kernel: Kernel
    turns: Callable[[_Rows], list[_Turn]]
    write: Callable[[float], str]
    index: int | None = None


def _limits_by(of_equal: Callable[[Array], Array]) -> Callable[[_Rows], list[_Turn]]:
    """The turns of a measure that goes one way: `of_equal` is its value where a count of classes share
    the probability evenly, as those at the top do at 0 and all that are not masked at inf."""
    return lambda rows: [_limit(0.0, of_equal(rows.ties), rows.ties), _limit(inf, of_equal(rows.free), rows.free)]


def _limits_and_peak(index: int) -> Callable[[_Rows], list[_Turn]]:
    """The turns of a class's probability."""

    def turns(rows: _Rows) -> list[_Turn]:
        own = rows.gaps.take(index, rows.axis)
        cold = _limit(0.0, np.where(own == 0, 1 / rows.ties, 0.0), rows.ties)
        hot = _limit(inf, np.where(np.isneginf(own), 0.0, 1 / rows.free), rows.free)
        return [cold, _peak(rows, index, cold, hot), hot]

    return turns


def _peak(rows: _Rows, index: int, cold: _Turn, hot: _Turn) -> _Turn:
    """Where z_i - <z> goes from below 0 to above, or the higher limit where that is the highest value:
    on a curve that only rises or only falls, or whose peak does not stand out from the limit at inf."""
    may = cold.values < hot.values
    _, after = _bisect(rows, _lead_of(index), 0.0, (cold.taus, hot.taus), rising=may, wanted=may)
    taus = np.where(may, np.minimum(after, LAST), 1.0)
    values = rows.at(taus, _prob_of(index))
    # The bound on p, 4 (1 + |x_i| + H) u, where neither |x_i| nor H is more than ln n.
    rounding = ROUNDING * (1 + 2 * np.log(rows.free))
    stands_out = may & (values > hot.values * (1 + rounding))
    limit = np.where(may, (hot.taus, hot.values), (cold.taus, cold.values))
    taus, values = np.where(stands_out, (taus, values), limit)
    return _Turn(taus, values, rounding)


def _perplexity(block: Scaled, out: Array) -> None:
    _entropy(block, out)
    np.exp(out, out=out)


def _prob_of(index: int) -> Kernel:
    def kernel(block: Scaled, out: Array) -> None:
        exp_x = np.exp(block.x, out=block.spare)
        own = exp_x.take(index, block.axis)
        out[...] = own / sums(block, exp_x, exp_x).total.squeeze(block.axis)

    return kernel


def _lead_of(index: int) -> Kernel:
    """The sign of z_i - <z>, as the sum of exp(x_j) (x_i - x_j)."""

    def kernel(block: Scaled, out: Array) -> None:
        # exp(x) is 0 long before the clip, which keeps inf - inf and inf * 0 away.
        x = np.maximum(block.x, -1e4, out=block.x)
        exp_x = np.exp(x, out=block.spare)
        np.subtract(np.expand_dims(x.take(index, block.axis), block.axis), x, out=x)
        np.multiply(x, exp_x, out=x)
        out[...] = add_up(x, block.axis, x).squeeze(block.axis)

    return kernel


def _solve(z: ArrayLike, value: float, measure: _Measure) -> list[Solution]:
    value = float(value)
    if isnan(value) or value < 0:
        raise ValueError(f"{measure.name} is a number from 0 up, not {value}")
    z = as_logits(z)
    classes = z.shape[-1]
    top_prob(z, 0.0)  # raises LogitsError for a row that has no softmax
    rows = z.reshape(-1, classes)
    step = max(1, BLOCK // classes)
    solutions = []
    for first in range(0, len(rows), step):
        solutions += _solve_block(_rows(rows[first : first + step]), value, measure)
    return solutions


def _solve_block(rows: _Rows, value: float, measure: _Measure) -> list[Solution]:
    turns = measure.turns(rows)
    legs = [_leg(rows, value, measure.kernel, *ends) for ends in pairwise(turns)]
    return [_solution(rows, row, value, measure, turns, legs) for row in range(len(rows.free))]


@dataclass(frozen=True, eq=False)
class _Leg:
    """What a search between two turning points came to, for each row: the nearest temperature, the
    value that it gives, and whether that is what is asked. NaN where there was nothing to search."""

    taus: Array
    reached: Array
    found: Array


def _leg(rows: _Rows, value: float, kernel: Kernel, start: _Turn, end: _Turn) -> _Leg:
    low, high = np.minimum(start.values, end.values), np.maximum(start.values, end.values)
    at_start, at_end = start.has(value), end.has(value)
    inside = (low < value) & (value < high)
    pair = _bisect(rows, kernel, value, (start.taus, end.taus), start.values < end.values, inside)
    taus, reached = _nearer(rows, kernel, value, pair, inside)
    found = inside & (abs(reached - value) <= PRECISION * value + 1e3 * rows.classes * LEAST)
    for turn, at in (start, at_start), (end, at_end):
        taus, reached = np.where(at, (turn.taus, turn.values), (taus, reached))
    return _Leg(taus, reached, found | at_start | at_end)


def _bisect(
    rows: _Rows, kernel: Kernel, value: float, ends: tuple[Array, Array], rising: Array, wanted: Array
) -> tuple[Array, Array]:
    """For the rows that are wanted, the neighbouring floats between which the kernel, which rises or
    falls from one end to the other, passes the value. The ends, which may be 0 and inf, are not tried:
    the kernel is known to be on either side there."""
    cold, hot = (np.where(wanted, taus, 1.0).view(np.int64) for taus in ends)
    while (open_ := hot - cold > 1).any():
        middle = cold + (hot - cold) // 2
        got = rows.at(np.where(open_, middle.view(np.float64), 1.0), kernel)
        before = (got < value) == rising
        cold, hot = np.where(open_ & before, middle, cold), np.where(open_ & ~before, middle, hot)
    return cold.view(np.float64), hot.view(np.float64)


def _nearer(rows: _Rows, kernel: Kernel, value: float, pair: tuple[Array, Array], wanted: Array) -> tuple[Array, Array]:
    """Of two temperatures a row the one that comes nearer, the colder if both do, and what it gives."""
    if not wanted.any():
        return np.full(len(wanted), nan), np.full(len(wanted), nan)
    cold, hot = (np.clip(taus, LEAST, LAST) for taus in pair)
    at_cold, at_hot = rows.at(cold, kernel), rows.at(hot, kernel)
    colder = abs(at_cold - value) <= abs(at_hot - value)
    taus, reached = np.where(colder, (cold, at_cold), (hot, at_hot))
    return np.where(wanted, taus, nan), np.where(wanted, reached, nan)


def _solution(rows: _Rows, row: int, value: float, measure: _Measure, turns: list[_Turn], legs: list[_Leg]) -> Solution:
    points = [(float(turn.values[row]), float(turn.taus[row])) for turn in turns]
    low, high = min(points), max(points)
    # A turning point belongs to both its legs, and is one solution.
    found = {float(leg.taus[row]): float(leg.reached[row]) for leg in legs if leg.found[row]}
    if found and low[0] == high[0]:
        return Solution((1.0,), (low[0],))
    if found:
        taus, reached = zip(*sorted(found.items()), strict=True)
        return Solution(taus, reached)
    if low[0] == high[0]:
        return Solution((), (), _why_constant(rows, row, measure, low[0]))
    if low[0] < value < high[0]:
        nearest = next(leg for leg in legs if not isnan(leg.taus[row]))
        tau, gives = _plain(nearest.taus[row]), _plain(nearest.reached[row])
        return Solution((), (), f"no float is near enough to the temperature: the nearest, {tau}, gives {gives}")
    return Solution((), (), _why_outside(rows, row, value, measure, low, high))


def _why_constant(rows: _Rows, row: int, measure: _Measure, always: float) -> str:
    ties, free = rows.ties[row], rows.free[row]
    masks = free < rows.classes
    if measure.index is not None and always == 0:
        why = "the class is masked"
    elif free == 1:
        why = "only one class is not masked" if masks else "there is only one class"
    elif ties == free:
        why = "all classes that are not masked are equal" if masks else "all classes are equal"
    else:
        why = f"{ties} classes are tied at the top"
    return f"{why}, so no temperature changes {measure.name}: it is always {measure.write(always)}"


def _why_outside(
    rows: _Rows, row: int, value: float, measure: _Measure, low: tuple[float, float], high: tuple[float, float]
) -> str:
    side, (bound, tau) = ("under", low) if value < low[0] else ("over", high)
    why = ""
    if tau == 0 and rows.ties[row] > 1:
        why = f", since {rows.ties[row]} classes are tied at the top"
    elif isinf(tau) and rows.free[row] < rows.classes:
        why = f", since {rows.free[row]} of {rows.classes} classes are not masked"
    never = f"{measure.name} is never {side} {measure.write(bound)}, which temperature {_plain(tau)} gives{why}"
    return f"{never}; it can be from {_plain(low[0])} to {_plain(high[0])}"


def _plain(number: float) -> str:
    return f"{number:.10g}"


def _share(number: float) -> str:
    count = round(1 / number) if number else 0
    return f"1/{count} = {number:.10g}" if count > 1 and number == 1 / count else _plain(number)


def _log_of_count(number: float) -> str:
    count = round(exp(number))
    return f"ln {count} = {number:.10g}" if count > 1 and number == np.log(count) else _plain(number)
