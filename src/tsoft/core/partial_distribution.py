"""The partial distribution of one token that an API returns, and bounds on it at another temperature.

A server lists the k most probable of V classes. With p their probabilities and q those of the unlisted
classes, n = V - k of them, the probability of a listed class at temperature tau is

    P_i = p_i^(1/tau) / (sum_j p_j^(1/tau) + W)        W = sum_j q_j^(1/tau)

The response determines the sum of q, m = 1 - sum p, and a cap that no q_j exceeds: the smallest listed
probability. Both are known up to the rounding of the printed numbers. x^(1/tau) is convex below tau = 1 and
concave above, so W is Schur-convex or Schur-concave in q (Marshall, Olkin & Arnold 2011, "Inequalities:
Theory of Majorization", proposition 3.C.1). Its extremes are at the even spread over all n classes, which
every q majorizes, and at the concentration of q in floor(m / cap) classes at the cap and one with the
remainder, which majorizes every q. Below tau = 1 the even spread is the minimum, above tau = 1 it is the
maximum; at tau = 1 both extremes are m. If V is unknown, the even spread over more and more classes makes W
approach 0 below tau = 1 and grow without bound above.

All numbers are logarithms relative to a reference, such as the highest of p, so that nothing overflows.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import log

import numpy as np

from tsoft.core.softmax import Array

# The error that rounding to float32 may cause in each probability of a sum, and relative to a log-probability.
ROUNDING = 2.0**-24
# No vocabulary has more tokens.
LARGEST_VOCABULARY = 10**12
# Log-probabilities that all have at most this number of decimals were rounded to it. A float32 needs more. Numbers
# with a single decimal are typed by hand, and exact.
MIN_DECIMALS, MAX_DECIMALS = 2, 6
# With a larger error, a sum of 1 is no evidence that all probabilities are listed.
_LARGEST_ROUNDING = 1e-3


@dataclass(frozen=True, eq=False)
class PartialDistribution:
    """A server's list of alternatives for one token.

    `logprobs` are the natural logarithms of the alternatives' probabilities, (k,), NaN for one that the server
    does not return. `cap` is a log-probability that no unlisted class exceeds, inf if unknown. The alternative at
    `index` was drawn; without `is_listed`, it is not one of the server's alternatives. The token belongs to the choice
    numbered `choice` (one of several if `has_choices`) of the text numbered `text` in the input. With `is_sampled`,
    samplers have changed the probabilities. `classes` is V, None if unknown. `tau` is the temperature that the server
    applied.
    """

    logprobs: Array
    index: int
    cap: float
    choice: int = 0
    has_choices: bool = False
    text: int = 0
    is_sampled: bool = False
    classes: int | None = None
    tau: float = 1.0
    is_listed: bool = True

    @cached_property
    def unknown(self) -> Array:
        """A mask of the alternatives without a known probability: (k,) booleans."""
        return np.isnan(self.logprobs)

    @cached_property
    def errors(self) -> Array:
        """The largest error that rounding may have caused in each log-probability: (k,), NaN if it is unknown.

        >>> PartialDistribution(np.array([-0.2331, -1.5768]), 0, -1.5768).errors
        array([5.e-05, 5.e-05])
        """
        decimals = _decimals(self._known_logprobs)
        is_rounded = ~self.unknown & (decimals is not None)
        errors = np.where(is_rounded, 0.5 * 10.0 ** -(decimals or 0), ROUNDING * np.maximum(1.0, abs(self.logprobs)))
        return np.where(np.isneginf(self.logprobs), 0.0, errors)

    @cached_property
    def mass(self) -> float:
        """The total probability of the alternatives."""
        return float(np.exp(self._known_logprobs).sum())

    @cached_property
    def min_unlisted_mass(self) -> float:
        """The lowest possible sum of the unlisted probabilities."""
        return max(0.0, 1.0 - self.mass - self._rounding)

    @cached_property
    def max_unlisted_mass(self) -> float:
        """The highest possible sum of the unlisted probabilities."""
        return max(0.0, 1.0 - self.mass) + self._rounding

    @cached_property
    def ceiling(self) -> float:
        """A log-probability that no unlisted class exceeds, with the rounding of the numbers, -inf if there is no
        unlisted class with a probability above 0."""
        if self.unlisted == 0 or (self.cap == -np.inf and self.min_unlisted_mass == 0.0):
            return -np.inf
        return min(self._cap, float(np.log(self.max_unlisted_mass)))

    @property
    def unlisted(self) -> int | None:
        """The number of classes whose probability is not listed, None if V is unknown."""
        return None if self.classes is None else self.classes - len(self._known_logprobs)

    @property
    def is_consistent(self) -> bool:
        """Whether the unlisted classes can have the remaining probability, each at most the cap."""
        min_mass = self.min_unlisted_mass
        return self.unlisted is None or min_mass == 0 or self.unlisted * np.exp(min(self.cap, 0.0)) >= min_mass

    @property
    def lowest_logprob(self) -> float:
        """The lowest known log-probability, that of the drawn token included; inf if all are unknown."""
        return float(self._known_logprobs.min(initial=np.inf))

    @property
    def is_truncated(self) -> bool:
        """Whether the probabilities sum to 1 although the smallest is not near 0, which suggests a sampler that
        removes classes rather than a softmax. Another class, even a rare one, must not fit into the rounding."""
        is_complete = abs(1.0 - self.mass) <= self._rounding and self.max_unlisted_mass < _LARGEST_ROUNDING
        is_cut = -9.0 < self.lowest_logprob < 0.0 and self.max_unlisted_mass < 0.1 * np.exp(self.lowest_logprob)
        return bool(is_complete and is_cut) and self.cap < 0.0 and self.unlisted != 0

    @property
    def more_probable(self) -> int:
        """The number of alternatives that are more probable than the drawn one."""
        return self.more_probable_than(self.index)

    @property
    def rank(self) -> int | None:
        """The drawn token's rank; see `rank_of`."""
        return self.rank_of(self.index)

    def more_probable_than(self, index: int) -> int:
        """Return the number of alternatives that are certainly more probable than one of them. Those with a known
        probability are more probable than a drawn token that is unknown and not listed."""
        logprob = self.logprobs[index]
        if logprob == logprob:
            return int((self._known_logprobs > logprob).sum())
        return len(self._known_logprobs) if index == self.index and not self.is_listed and self.cap < np.inf else 0

    def rank_of(self, index: int) -> int | None:
        """Return an alternative's rank, from 1, among all classes by probability, which temperature does not change.

        None if an unlisted class may be more probable: the rank is then above `more_probable_than`, but unknown.
        """
        logprob = self.logprobs[index]
        is_certain = logprob >= self.cap or np.exp(logprob) >= 1.0 - self.mass + self._rounding
        return self.more_probable_than(index) + 1 if is_certain else None

    def log_bounds(self, taus: Array) -> tuple[Array, Array]:
        """Return the logarithms of a lower and an upper bound on the probability of each alternative among all
        classes at t temperatures: (t, k) each, NaN for an unknown probability.

        >>> partial = PartialDistribution(np.log([0.5, 0.3]), 0, np.log(0.3), classes=4)
        >>> low, high = np.exp(partial.log_bounds(np.array([0.5, 1, 2])))
        >>> low.round(3)
        array([[0.658, 0.237],
               [0.5  , 0.3  ],
               [0.375, 0.29 ]])
        >>> high.round(3)
        array([[0.694, 0.25 ],
               [0.5  , 0.3  ],
               [0.415, 0.322]])
        """
        tau = np.asarray(taus, np.float64)[:, np.newaxis] / self.tau
        if self.unknown.all():
            unknown = np.full((len(tau), len(self.logprobs)), np.nan)
            return unknown, unknown
        top = float(self._known_logprobs.max())
        weights = self._divide_by_tau(self.logprobs - top, tau)
        total = np.logaddexp.reduce(weights[:, ~self.unknown], axis=1, keepdims=True)
        bounds = [
            np.where(tau == 1.0, np.minimum(self.logprobs, 0.0), weights - np.logaddexp(total, w))
            for w in self.log_unlisted_weights(tau, top)
        ]
        # Rounding may reverse the order of equal bounds.
        return np.minimum(*bounds), np.maximum(*bounds)

    def log_unlisted_weights(self, tau: Array, reference: float) -> tuple[Array, Array]:
        """Return the logarithms of the smallest and the largest possible sum of (q_j / e^reference)^(1/tau) over the
        unlisted classes, in the shape of `tau`.

        >>> partial = PartialDistribution(np.log([0.5, 0.3]), 0, np.log(0.3), classes=4)
        >>> np.exp(partial.log_unlisted_weights(np.array([0.5]), 0.0)).round(6)
        array([[0.02],
               [0.04]])
        """
        spread, concentrated = self._spread, self._concentrated
        is_cold = tau < 1.0
        return (
            np.where(
                is_cold,
                spread(self.min_unlisted_mass, tau, reference),
                concentrated(self.min_unlisted_mass, tau, reference),
            ),
            np.where(
                is_cold,
                concentrated(self.max_unlisted_mass, tau, reference),
                spread(self.max_unlisted_mass, tau, reference),
            ),
        )

    def of_listed(self) -> "PartialDistribution":
        """Return the distribution among the listed alternatives, as if there were no other classes."""
        known = self._known_logprobs
        if not len(known):
            return self
        log_sum = np.logaddexp.reduce(known)
        return replace(self, logprobs=self.logprobs - log_sum, cap=self.cap - log_sum, classes=len(known))

    def listing(self, kept: Array) -> "PartialDistribution":
        """Return the same distribution with only the alternatives at some indices listed; the others count as unlisted.
        If the drawn one is not among them, the index is -1.

        >>> partial = PartialDistribution(np.log([0.5, 0.3, 0.1]), 2, np.log(0.1)).listing(np.array([0, 2]))
        >>> np.exp(partial.logprobs).round(3), partial.index, float(np.exp(partial.cap).round(3))
        (array([0.5, 0.1]), 1, 0.3)
        """
        removed = np.delete(self.logprobs, kept)
        cap = max([self.cap, *removed[~np.isnan(removed)].tolist()])
        places = np.flatnonzero(kept == self.index)
        index = int(places[0]) if len(places) else -1
        return replace(self, logprobs=self.logprobs[kept], index=index, cap=cap)

    @cached_property
    def _known_logprobs(self) -> Array:
        return self.logprobs[~self.unknown]

    @cached_property
    def _rounding(self) -> float:
        """The error that rounding may have caused in the sum of the probabilities."""
        known = self._known_logprobs
        return max(len(known) * ROUNDING, float(np.exp(known) @ self.errors[~self.unknown]))

    def _spread(self, mass: float, tau: Array, reference: float) -> Array:
        """Return log W if the mass is spread evenly over the unlisted classes."""
        if mass == 0.0 or self.ceiling == -np.inf:
            return np.full_like(tau, -np.inf)
        if self.unlisted is None:
            return np.select([tau < 1.0, tau == 1.0], [-np.inf, np.log(mass) - reference], np.inf)
        log_prob = min(np.log(mass) - log(self.unlisted), self._cap)
        return np.asarray(log(self.unlisted) + self._divide_by_tau(log_prob - reference, tau))

    def _concentrated(self, mass: float, tau: Array, reference: float) -> Array:
        """Return log W if as few unlisted classes as the cap allows have all the mass."""
        if mass == 0.0 or self.ceiling == -np.inf:
            return np.full_like(tau, -np.inf)
        cap = min(self._cap, float(np.log(mass)))
        with np.errstate(over="ignore", divide="ignore"):
            # The number of classes at the cap. Above 2^53, its fractional part is negligible.
            quotient = np.exp(np.log(mass) - cap)
            full = np.floor(quotient)
            log_full = np.log(full) if full < 2.0**53 else np.log(mass) - cap
            remainder = cap + np.log(quotient - full) if full < 2.0**53 else -np.inf
        if self.unlisted is not None and log_full >= log(self.unlisted):
            log_full, remainder = log(self.unlisted), -np.inf
        return np.asarray(
            np.logaddexp(
                log_full + self._divide_by_tau(cap - reference, tau), self._divide_by_tau(remainder - reference, tau)
            )
        )

    @cached_property
    def _cap(self) -> float:
        """The cap with the rounding of the numbers; inf if the numbers contradict a cap of -inf."""
        return self.cap + float(self.errors[~self.unknown].max(initial=0.0)) if self.cap > -np.inf else np.inf

    @staticmethod
    def _divide_by_tau(gaps: Array | float, tau: Array) -> Array:
        """Return gaps / tau, with the exact limits. A gap of -inf is a probability of 0, which stays 0."""
        with np.errstate(all="ignore"):
            quotients = gaps / tau
        # 0 / 0 and -inf / inf are NaN.
        return np.where(np.isnan(quotients), gaps, quotients)


def _decimals(logprobs: Array) -> int | None:
    """Return the number of decimals to which a server has rounded; None if it has not.

    >>> _decimals(np.array([-0.25, -1.5768])), _decimals(np.array([-0.5])), _decimals(np.log([0.5, 0.25]))
    (4, None, None)
    """
    finite = logprobs[np.isfinite(logprobs)]
    if (finite == np.round(finite, MIN_DECIMALS - 1)).all():
        return None
    return next((d for d in range(MIN_DECIMALS, MAX_DECIMALS + 1) if (finite == np.round(finite, d)).all()), None)
