"""What a server gave of a distribution, and what that says of the whole at a temperature.

A server gives the k most probable of V classes. With p their probabilities and q those that are
missing, n = V - k of them, the probability of a given class at temperature tau is

    P_i = p_i^(1/tau) / (sum_j p_j^(1/tau) + W)        W = sum_j q_j^(1/tau)

Of q two things are known: its sum, m = 1 - sum p, and that no q_j is more than the least of the
given list, the cap. x^(1/tau) is convex below tau = 1 and concave above, so that W is
Schur-convex or Schur-concave in q (Marshall, Olkin & Arnold 2011, "Inequalities: Theory of
Majorization", proposition 3.C.1): it has its extremes where q is spread evenly over all n classes,
which every q majorizes, and where q is concentrated in floor(m / cap) classes at the cap and one
with what is left, which majorizes every q. Below tau = 1 the even spread is the least, above it is
the most; at tau = 1 both are m. Where V is not known, spread over ever more classes W goes to 0
below tau = 1 and is open above.

All of it is in logarithms and relative to the highest of p, so that nothing overflows.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.softmax import Array

# What rounding to float32 may add to a sum of k probabilities, for each of them.
ROUNDING = 2.0**-24


@dataclass(frozen=True, eq=False)
class PartialDistribution:
    """What a server gave of the distribution of one token.

    `logprobs` are the natural logarithms of the alternatives' probabilities, (k,), as the server has
    them; NaN where it does not say. `cap` is a log-probability that no missing class exceeds, inf where
    none is known. The alternative at `index` was drawn, in the `choice` of that number, which is one of
    `has_choices`, and belongs to the `text` of that number in the input. `is_sampled` says that samplers have
    changed the probabilities. `classes` is V, None where it is not known; `tau` is the temperature that
    the server had applied.
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

    @cached_property
    def unknown(self) -> Array:
        """Which alternatives have no probability: (k,) booleans."""
        return np.isnan(self.logprobs)

    @cached_property
    def mass(self) -> float:
        """The probability that the alternatives hold together."""
        return float(np.exp(self._known_logprobs).sum())

    @property
    def unlisted(self) -> int | None:
        """How many classes have no probability here, None where V is not known."""
        return None if self.classes is None else self.classes - len(self._known_logprobs)

    @property
    def is_consistent(self) -> bool:
        """Whether as many classes as are missing can hold the mass that is missing, each below the cap."""
        least = max(0.0, 1.0 - self.mass - self._rounding)
        return self.unlisted is None or least == 0 or self.unlisted * np.exp(min(self.cap, 0.0)) >= least

    @property
    def is_truncated(self) -> bool:
        """Whether the probabilities sum to 1 though the least that is listed is not near 0, which a
        sampler that removes the rest leaves behind, and hardly a softmax."""
        return abs(1.0 - self.mass) <= self._rounding and -9.0 < self.cap < 0.0 and self.unlisted != 0

    @property
    def more_probable(self) -> int:
        """How many alternatives are more probable than the drawn one."""
        chosen = self.logprobs[self.index]
        return int((self._known_logprobs > chosen).sum()) if chosen == chosen else len(self._known_logprobs)

    @property
    def rank(self) -> int | None:
        """The drawn token's place, from 1, among all classes by probability, which no temperature changes;
        None where a missing class may come before it, so that it is only known to be beyond `more_probable`."""
        chosen = self.logprobs[self.index]
        is_certain = chosen >= self.cap or np.exp(chosen) >= 1.0 - self.mass + self._rounding
        return self.more_probable + 1 if is_certain else None

    def log_bounds(self, taus: Array) -> tuple[Array, Array]:
        """Logarithms of the least and the most that the probability of each alternative can be at t
        temperatures, of all classes: (t, k) each, NaN where it is not known.

        >>> given = PartialDistribution(np.log([0.5, 0.3]), 0, np.log(0.3), classes=4)
        >>> low, high = np.exp(given.log_bounds(np.array([0.5, 1, 2])))
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
        weights = self._divide_by_tau(self.logprobs - self._known_logprobs.max(), tau)
        total = np.logaddexp.reduce(weights[:, ~self.unknown], axis=1, keepdims=True)
        among_listed = self.logprobs - np.log(max(1.0, self.mass))
        bounds = [
            np.where(tau == 1.0, among_listed, weights - np.logaddexp(total, w)) for w in self._log_weight_bounds(tau)
        ]
        # Where they meet they may be rounded past each other.
        return np.minimum(*bounds), np.maximum(*bounds)

    @cached_property
    def _known_logprobs(self) -> Array:
        return self.logprobs[~self.unknown]

    @property
    def _rounding(self) -> float:
        return len(self._known_logprobs) * ROUNDING

    def _log_weight_bounds(self, tau: Array) -> tuple[Array, Array]:
        """The logarithms of the most and the least that W can be, relative to the highest of p."""
        least = max(0.0, 1.0 - self.mass - self._rounding)
        most = max(0.0, 1.0 - self.mass) + self._rounding
        is_cold = tau < 1.0
        return (
            np.where(is_cold, self._concentrated(most, tau), self._spread(most, tau)),
            np.where(is_cold, self._spread(least, tau), self._concentrated(least, tau)),
        )

    def _spread(self, mass: float, tau: Array) -> Array:
        """log W where the mass is spread evenly over the missing classes."""
        if mass == 0.0 or self.unlisted == 0 or self.cap == -np.inf:
            return np.full_like(tau, -np.inf)
        if self.unlisted is None:
            return np.where(tau < 1.0, -np.inf, np.inf)
        log_prob = min(np.log(mass) - np.log(self.unlisted), self.cap)
        return np.asarray(np.log(self.unlisted) + self._divide_by_tau(log_prob - self._known_logprobs.max(), tau))

    def _concentrated(self, mass: float, tau: Array) -> Array:
        """log W where the mass is in as few of the missing classes as the cap allows."""
        if mass == 0.0 or self.unlisted == 0 or self.cap == -np.inf:
            return np.full_like(tau, -np.inf)
        cap = min(self.cap, float(np.log(mass)))
        with np.errstate(over="ignore", divide="ignore"):
            # How many times the cap fits into the mass: beyond 2^53 its fraction is lost, and is nothing.
            quotient = np.exp(np.log(mass) - cap)
            full = np.floor(quotient)
            log_full = np.log(full) if full < 2.0**53 else np.log(mass) - cap
            remainder = cap + np.log(quotient - full) if full < 2.0**53 else -np.inf
        if self.unlisted is not None and log_full >= np.log(self.unlisted):
            log_full, remainder = np.log(self.unlisted), -np.inf
        top = self._known_logprobs.max()
        return np.asarray(
            np.logaddexp(log_full + self._divide_by_tau(cap - top, tau), self._divide_by_tau(remainder - top, tau))
        )

    @staticmethod
    def _divide_by_tau(gaps: Array | float, tau: Array) -> Array:
        """gaps / tau, with the exact limits. A gap of -inf is a probability of 0, which stays 0."""
        gaps, tau = np.broadcast_arrays(gaps, tau)
        with np.errstate(all="ignore"):
            cold = np.where(gaps == 0.0, 0.0, gaps * np.inf)
            hot = np.where(np.isneginf(gaps), -np.inf, gaps * 0.0)
            return np.asarray(np.where(tau == 0.0, cold, np.where(tau == np.inf, hot, gaps / tau)))
