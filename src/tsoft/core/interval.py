"""How sure a fitted temperature is: a 95 % interval."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, inf

import numpy as np

from tsoft.core.calibration import Fit, fit
from tsoft.core.examples import CalibrationError, Examples, Passes, row_slopes
from tsoft.core.temperature import Array

# The normal distribution has 95 % within so many standard deviations.
NORMAL = 1.959963984540054
# So many standard errors of log tau the resamples' temperatures are looked for between nodes, but no farther.
AROUND, FARTHEST = 6.0, 0.75
# So many numbers are worked at once.
PIECE = 1 << 21


@dataclass(frozen=True)
class Interval:
    """From where to where the temperature is with 95 % confidence: by the `bootstrap` of so many `resamples`,
    of which `limits` have no minimum between 0 and inf, or by the `sandwich`."""

    low: float
    high: float
    method: str
    resamples: int = 0
    limits: int = 0


def sandwich(found: Fit) -> Interval | None:
    """The interval of the sandwich standard error in log tau, which needs no pass over the rows; None where
    there is no error.

    >>> sandwich(Fit(1.0, 0.1)).low.__round__(4)
    0.822
    """
    if found.error is None:
        return None
    reach = min(NORMAL * found.error, 700.0)
    return Interval(found.tau * exp(-reach), found.tau * exp(reach), "sandwich")


def bootstrap(passes: Passes, found: Fit, resamples: int, generator: np.random.Generator) -> Interval:
    """The percentile interval of refits to rows drawn with replacement (Efron & Tibshirani 1993, "An
    introduction to the bootstrap", section 13.3).

    Each resample is refitted in full. Its slope is a weighted sum of the rows' slopes, which are worked out
    once, at Chebyshev nodes of log tau around the fit; between these a polynomial goes through it, whose zero
    is the resample's temperature. One that lies beyond the nodes is fitted as the rows themselves were.

    passes: as for `fit`; two or more rows, gone through twice or, for few of them, often. found: their fit,
    which is no limit.

    >>> rows = Examples(np.array([[1.0, 0.0]] * 30), np.array([0] * 20 + [1] * 10))
    >>> found = bootstrap(lambda: [rows], fit(lambda: [rows]), 200, np.random.default_rng(1))
    >>> bool(found.low < 1 / np.log(2) < found.high)
    True
    """
    assert found.error is not None
    reach = min(AROUND * found.error, FARTHEST)
    # The wider, the more nodes it takes.
    count = int(8 + 32 * reach / FARTHEST)
    nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    slopes = row_slopes(passes, found.tau * np.exp(reach * nodes)).T
    rows = len(slopes)
    taus = np.empty(resamples)
    step = max(1, PIECE // rows)
    for first in range(0, resamples, step):
        drawn = (generator.integers(0, rows, rows) for _ in taus[first : first + step])
        counts = np.array([np.bincount(chosen, minlength=rows) for chosen in drawn])
        places = _zeros(nodes, counts.astype(np.float64) @ slopes)
        taus[first : first + step] = [
            found.tau * exp(reach * place) if place == place else _refitted(passes, of, found.tau)
            for place, of in zip(places.tolist(), counts, strict=True)
        ]
    # An order statistic, since a mean of inf and anything is inf.
    low, high = np.quantile(taus, [0.025, 0.975], method="inverted_cdf").tolist()
    return Interval(low, high, "bootstrap", resamples, int(np.isin(taus, (0.0, inf)).sum()))


def _refitted(passes: Passes, counts: Array, otherwise: float) -> float:
    """The temperature that fits best where each row comes so often; where each of them is all alike, any does."""
    drawn = list(_drawn(passes, counts))
    try:
        return fit(lambda: drawn).tau
    except CalibrationError:
        return otherwise


def _drawn(passes: Passes, counts: Array) -> Iterator[Examples]:
    first = 0
    for examples in passes():
        of = counts[first : first + len(examples.targets)]
        first += len(of)
        if of.any():
            yield Examples(examples.logits.repeat(of, axis=0), examples.targets.repeat(of))


def _zeros(nodes: Array, values: Array) -> Array:
    """Where the polynomials through `values`, (m, nodes), rise through 0 between -1 and 1, NaN where they do
    not: (m,). They are evaluated by the barycentric formula (Berrut & Trefethen 2004, "Barycentric Lagrange
    interpolation", eq. 4.2) with the weights of Chebyshev points of the first kind (eq. 5.3).

    >>> nodes = np.cos(np.pi * np.array([1, 3, 5]) / 6)
    >>> _zeros(nodes, np.array([nodes - 0.25, nodes + 2])).round(12)
    array([0.25,  nan])
    """
    weights = (-1.0) ** np.arange(len(nodes)) * np.sqrt(1 - nodes**2)
    low, high = np.full(len(values), nodes.min()), np.full(len(values), nodes.max())
    inside = (values[:, nodes.argmin()] < 0) & (values[:, nodes.argmax()] > 0)
    for _ in range(60):
        middle = (low + high) / 2
        gaps = middle[:, np.newaxis] - nodes
        # On a node the formula is 0 / 0, next to it it is as good.
        terms = weights / np.where(gaps == 0, 1e-300, gaps)
        below = (terms * values).sum(1) / terms.sum(1) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(inside, (low + high) / 2, np.nan)
