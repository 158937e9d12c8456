"""The likelihood of a temperature at which classes were drawn, even if a sampler removed some classes.

The draws from logits z at a temperature tau are an exponential family in beta = 1 / tau (Wainwright & Jordan 2008,
"Graphical Models, Exponential Families, and Variational Inference", proposition 3.1). A sampler such as top-k, top-p or
min-p keeps a set K of the most probable classes, and divides by its probability. Given that a draw is in a smaller set
S of most probable classes, its distribution is the softmax over S, whatever else is in K. The likelihood of such draws
is a conditional likelihood (Andersen 1970, "Asymptotic properties of conditional maximum-likelihood estimators",
JRSS B 32), in which K does not occur.

A class that was drawn is in K, and so is each more probable class. So each draw may have its own S: the classes at
least as probable as the least probable one that was drawn before. The product of the conditional probabilities is a
partial likelihood (Cox 1975, "Partial likelihood", Biometrika 62):

    ln L(beta) = sum over draws of - beta g - ln sum_S exp(-beta g_S)

with the gaps g = (highest logit) - z. A draw outside its S adds nothing to L, and makes the next S larger. ln L is
concave. Its slope is E(beta) - D, where D is the sum of the gaps of the draws and E that of the expected gaps, so its
maximum is at a finite beta above 0 if 0 < D < E(0).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import erfc, exp, inf, log

import numpy as np

from tsoft.core.softmax import Array

# The largest |ln beta|, in units of the gaps, and the number of bisections, after which the relative error of beta is
# below 1e-10.
_MAX_LOG, _STEPS = 700.0, 44


@dataclass(frozen=True)
class TauInterval:
    """A temperature with the ends of its confidence interval.

    `tau` is 0 if each draw is at the top, and inf if the gaps are no smaller than those of uniform draws. The interval
    is then one-sided. If no draw carries information, it is from 0 to inf, and `tau` is 1.
    """

    tau: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class ConditionalDraws:
    """Draws from sets of the most probable classes of several rows.

    `gaps` are the differences of the logits of each row from their maximum, in ascending order, (rows, m), padded with
    inf. `sizes`, (rows, m), are the numbers of draws whose set has the 1, 2, ... most probable classes. `counts`,
    (rows, m), are the numbers of these draws by class.
    """

    gaps: Array
    sizes: Array
    counts: Array

    @property
    def informative(self) -> int:
        """The number of draws from sets of more than one class."""
        return int(self.sizes[:, 1:].sum())

    def row(self, r: int) -> "ConditionalDraws":
        """Return the draws of one row."""
        return ConditionalDraws(self.gaps[r : r + 1], self.sizes[r : r + 1], self.counts[r : r + 1])


class TauLikelihood:
    """The likelihood of each temperature, and the test of whether a temperature is the true one."""

    def __init__(self, draws: ConditionalDraws):
        self._is_inside = draws.gaps < inf
        finite = np.where(self._is_inside, draws.gaps, 0.0)
        # In units of the largest gap, beta is far from the limits of a float.
        self._unit = float(finite.max(initial=0.0)) or 1.0
        self._gaps, self._sizes = finite / self._unit, draws.sizes
        self._drawn = float((draws.counts * self._gaps).sum())
        self._has_draws = draws.sizes > 0
        # Only a draw from a set whose classes differ in their logits carries information.
        self.is_informative = bool((self._has_draws & (self._gaps > 0)).any())

    @property
    def best(self) -> float:
        """The temperature with the highest likelihood: 0 or inf at a limit, 1 if no draw carries information."""
        return self._tau(self._best_beta) if self.is_informative else 1.0

    def interval(self, level: float) -> TauInterval:
        """Return the best temperature, and the range of temperatures that a test at the level 1 - `level` accepts.

        >>> draws = ConditionalDraws(np.array([[0.0, 1.0]]), np.array([[0, 1000]]), np.array([[731, 269]]))
        >>> interval = TauLikelihood(draws).interval(0.95)
        >>> round(interval.tau, 3), round(interval.low, 3), round(interval.high, 3)
        (1.0, 0.876, 1.161)
        """
        if not self.is_informative:
            return TauInterval(1.0, 0.0, inf)
        best, rejected = self._best_beta, 1.0 - level
        low, high = 0.0, inf
        if self._p_value(0.0) < rejected:
            low = _crossing(lambda beta: self._p_value(beta) < rejected, 0.0, best)
        if self._p_value(inf) < rejected:
            high = _crossing(lambda beta: self._p_value(beta) >= rejected, best, inf)
        return TauInterval(self.best, self._tau(high), self._tau(low))

    def p_value(self, tau: float) -> float:
        """Return the probability of evidence at least as strong against a temperature if it is the true one.

        This is the test of the likelihood ratio (Wilks 1938, "The large-sample distribution of the likelihood ratio for
        testing composite hypotheses"). If each draw is at the top, it is twice the probability of that.
        """
        return self._p_value(inf if tau == 0 else self._unit / tau) if self.is_informative else 1.0

    @cached_property
    def _best_beta(self) -> float:
        if self._drawn == 0:
            return inf
        if self._drawn >= self._expected(0.0):
            return 0.0
        return _crossing(lambda beta: self._expected(beta) > self._drawn, 0.0, inf)

    def _p_value(self, beta: float) -> float:
        if beta == self._best_beta:
            return 1.0
        difference = max(0.0, self._log(self._best_beta) - self._log(beta))
        return min(1.0, 2.0 * exp(-difference)) if self._best_beta == inf else erfc(difference**0.5)

    def _weights(self, beta: float) -> Array:
        weights = np.exp(-beta * self._gaps) if beta < inf else (self._gaps == 0).astype(np.float64)
        return np.where(self._is_inside, weights, 0.0)

    def _expected(self, beta: float) -> float:
        """Return E, the sum of the expected gaps of all draws."""
        weights = self._weights(beta)
        means = (weights * self._gaps).cumsum(-1) / weights.cumsum(-1)
        return float((means * self._sizes).sum())

    def _log(self, beta: float) -> float:
        """Return ln L, with its limit at inf."""
        if beta == inf and self._drawn:
            return -inf
        logs = np.log(self._weights(beta).cumsum(-1)[self._has_draws])
        return float(-(beta * self._drawn if self._drawn else 0.0) - logs @ self._sizes[self._has_draws])

    def _tau(self, beta: float) -> float:
        """Return the temperature of a beta in units of the gaps."""
        return inf if beta == 0 else 0.0 if beta == inf else self._unit / beta


def _crossing(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """Return the highest beta at which a condition holds, by bisection of ln beta between two limits."""
    left = log(low) if low > 0 else -_MAX_LOG
    right = log(high) if high < inf else _MAX_LOG
    for _ in range(_STEPS):
        middle = (left + right) / 2
        left, right = (middle, right) if is_below(exp(middle)) else (left, middle)
    return exp((left + right) / 2)
