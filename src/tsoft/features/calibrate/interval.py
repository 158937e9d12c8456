"""How sure a fitted temperature is: a 95 % interval."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, exp, inf, log

import numpy as np

from tsoft.core.fit import TemperatureFit, fit_temperature
from tsoft.core.labelled_rows import CalibrationError, LabelledRows, Passes, row_slopes, widest
from tsoft.core.softmax import Array

# The normal distribution has 95 % within so many standard deviations.
NORMAL = 1.959963984540054
# So many standard errors of 1 / tau the resamples' temperatures are looked for between nodes.
AROUND = 6.0
# How many nodes there may be, and between which multiples of 1 / tau they are where that would take more.
NODES, NEAR = 128, 8.0
# A polynomial through nodes that take in this much of the slopes is as good as these.
DIGITS = 32.0
# No more numbers than this are worked at the nodes.
WORKED = 1 << 30
# Refits beyond the nodes go over no more than this in all, where one counts for as many at least.
REFITTED, LEAST = 1 << 26, 1 << 14
# So many numbers are worked at once.
PIECE = 1 << 21


class LongError(Exception):
    """A bootstrap that would take long."""


@dataclass(frozen=True)
class Interval:
    """From where to where the temperature is with 95 % confidence: by the `bootstrap` of so many `resamples`,
    of which `limits` have no minimum between 0 and inf, or by the `sandwich`."""

    low: float
    high: float
    method: str
    resamples: int = 0
    limits: int = 0


def sandwich(found: TemperatureFit) -> Interval | None:
    """The interval of the sandwich standard error in log tau, which needs no pass over the rows; None where
    there is no error.

    >>> sandwich(TemperatureFit(1.0, 0.1)).low.__round__(4)
    0.822
    """
    if found.error is None:
        return None
    reach = min(NORMAL * found.error, 700.0)
    return Interval(found.tau * exp(-reach), found.tau * exp(reach), "sandwich")


def bootstrap(passes: Passes, found: TemperatureFit, resamples: int, generator: np.random.Generator) -> Interval:
    """The percentile interval of refits to rows drawn with replacement (Efron & Tibshirani 1993, "An
    introduction to the bootstrap", section 13.3).

    Each resample is refitted in full. Its slope by beta = 1 / tau is a weighted sum of the rows' slopes, which
    are worked out once, at Chebyshev nodes of beta around the fit; between these a polynomial goes through it,
    whose zero is the resample's. Where its slope rises above 0 at beta = 0 already, it is no better than chance,
    and its temperature inf. One that lies beyond the nodes is fitted as the rows themselves were.

    passes: as for `fit`; two or more rows, gone through a few times or, for resamples beyond the nodes, often.
    found: their fit, which is no limit. Raises LongError for too many numbers, and for too many resamples beyond
    the nodes.

    >>> rows = LabelledRows(np.array([[1.0, 0.0]] * 30), np.array([0] * 20 + [1] * 10))
    >>> found = bootstrap(lambda: [rows], fit_temperature(lambda: [rows]), 200, np.random.default_rng(1))
    >>> bool(found.low < 1 / np.log(2) < found.high)
    True
    """
    assert found.error is not None
    best = found.unit / found.tau
    nodes = _nodes(best, found.error, widest(passes, found.unit))
    size = sum(examples.logits.size for examples in passes())
    if size * len(nodes.places) > WORKED:
        raise LongError("there are too many numbers to work at each temperature")
    # The ends are no nodes.
    slopes = row_slopes(passes, np.array([*nodes.betas, *nodes.ends, inf]), found.unit).T
    rows = len(slopes)
    taus = np.empty(resamples)
    step = max(1, PIECE // rows)
    left = REFITTED // max(LEAST, size)
    for first in range(0, resamples, step):
        drawn = (generator.integers(0, rows, rows) for _ in taus[first : first + step])
        counts = np.array([np.bincount(chosen, minlength=rows) for chosen in drawn])
        betas = nodes.zeros(counts.astype(np.float64) @ slopes)
        far = np.isnan(betas)
        left -= int(far.sum())
        if left < 0:
            raise LongError("too many resamples lie far from the fit to refit each of them")
        with np.errstate(divide="ignore", over="ignore"):
            part = found.unit / betas
        part[far] = [_refitted(passes, of, found.tau) for of in counts[far]]
        taus[first : first + step] = part
    # An order statistic, since a mean of inf and anything is inf.
    low, high = np.quantile(taus, [0.025, 0.975], method="inverted_cdf").tolist()
    return Interval(low, high, "bootstrap", resamples, int(np.isin(taus, (0.0, inf)).sum()))


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Chebyshev nodes between two betas, the `ends`: `places`, from -1 to 1."""

    places: Array
    ends: tuple[float, float]

    @property
    def betas(self) -> Array:
        low, high = self.ends
        return low + (high - low) * (self.places + 1) / 2

    def zeros(self, values: Array) -> Array:
        """The betas where the slopes of m resamples rise through 0, from those at the nodes, at both ends and at
        inf, (m, nodes + 3). 0 where they are above it at beta = 0 already, inf where they do not get there, and NaN
        where it is beyond the ends."""
        low, high = self.ends
        at_low, at_high, at_last = values[:, -3:].T
        found = low + (high - low) * (_zeros(self.places, values[:, :-3]) + 1) / 2
        found = np.where((at_low < 0) & (at_high > 0), found, np.nan)
        found = np.where((at_low < 0) & (at_last == 0), inf, found)
        return np.where((low == 0) & (at_low >= 0) & (at_high > 0), 0.0, found)


def _nodes(best: float, error: float, gap: float) -> _Nodes:
    """As many as it takes that a polynomial is as good as the slopes. With gaps up to `gap` these have poles in
    the complex plane, at ±i pi / gap and beyond, and each node takes the error down by a factor that grows with
    the distance of the nearest (Trefethen 2013, "Approximation theory and approximation practice", theorem
    8.2)."""
    wide = max(0.0, best * (1 - AROUND * error)), best * (1 + AROUND * error)
    narrow = max(wide[0], best / NEAR), min(wide[1], best * NEAR)
    ends = wide if _count(*wide, gap) <= NODES else narrow
    count = _count(*ends, gap)
    return _Nodes(np.cos(np.pi * (np.arange(count) + 0.5) / count), ends)


def _count(low: float, high: float, gap: float) -> int:
    pole = (2j * np.pi / gap - low - high) / (high - low)
    root = (pole * pole - 1) ** 0.5
    factor = max(abs(pole + root), abs(pole - root))
    return ceil(DIGITS / log(factor)) if factor > 1 else NODES + 1


def _refitted(passes: Passes, counts: Array, otherwise: float) -> float:
    """The temperature that fits best where each row comes so often; where each of them is all alike, any does."""
    drawn = list(_drawn(passes, counts))
    try:
        return fit_temperature(lambda: drawn).tau
    except CalibrationError:
        return otherwise


def _drawn(passes: Passes, counts: Array) -> Iterator[LabelledRows]:
    first = 0
    for examples in passes():
        of = counts[first : first + len(examples.targets)]
        first += len(of)
        if of.any():
            yield LabelledRows(examples.logits.repeat(of, axis=0), examples.targets.repeat(of))


def _zeros(nodes: Array, values: Array) -> Array:
    """Where the polynomials through `values`, (m, nodes), which are below 0 at -1 and above it at 1, rise
    through 0: (m,). They are evaluated by the barycentric formula (Berrut & Trefethen 2004, "Barycentric Lagrange
    interpolation", eq. 4.2) with the weights of Chebyshev points of the first kind (eq. 5.3).

    >>> nodes = np.cos(np.pi * np.array([1, 3, 5]) / 6)
    >>> _zeros(nodes, np.array([nodes - 0.25, nodes + 0.9])).round(12)
    array([ 0.25, -0.9 ])
    """
    weights = (-1.0) ** np.arange(len(nodes)) * np.sqrt(1 - nodes**2)
    low: Array = np.full(len(values), -1.0)
    high: Array = np.full(len(values), 1.0)
    for _ in range(60):
        middle = (low + high) / 2
        gaps = middle[:, np.newaxis] - nodes
        # On a node the formula is 0 / 0, next to it it is as good.
        terms = weights / np.where(gaps == 0, 1e-300, gaps)
        below = (terms * values).sum(1) / terms.sum(1) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
