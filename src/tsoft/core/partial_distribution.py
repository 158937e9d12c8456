"""The partial distribution of one token that an API returns, and bounds on it at another temperature.

A server lists the k most probable of V classes. With p their probabilities and q those of the unlisted
classes, n = V - k of them, the probability of a listed class at temperature tau is

    P_i = p_i^(1/tau) / (sum_j p_j^(1/tau) + W)        W = sum_j q_j^(1/tau)

The response determines the sum of q, m = 1 - sum p, and a cap that no q_j exceeds: the smallest listed
probability. x^(1/tau) is convex below tau = 1 and concave above, so W is Schur-convex or Schur-concave in q
(Marshall, Olkin & Arnold 2011, "Inequalities: Theory of Majorization", proposition 3.C.1). Its extremes are
at the even spread over all n classes, which every q majorizes, and at the concentration of q in
floor(m / cap) classes at the cap and one with the remainder, which majorizes every q. Below tau = 1 the even
spread is the minimum, above tau = 1 it is the maximum; at tau = 1 both extremes are m. If V is unknown, the
even spread over more and more classes makes W approach 0 below tau = 1 and grow without bound above.

All numbers are logarithms relative to the highest of p, so that nothing overflows.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.softmax import Array

# The error that rounding to float32 may cause in each probability of a sum.
ROUNDING = 2.0**-24


@dataclass(frozen=True, eq=False)
class PartialDistribution:
    """A server's list of alternatives for one token.

    `logprobs` are the natural logarithms of the alternatives' probabilities, (k,), NaN for one that the server
    does not return. `cap` is a log-probability that no unlisted class exceeds, inf if unknown. The alternative at
    `index` was drawn. The token belongs to the choice numbered `choice` (one of several if `has_choices`) of the
    text numbered `text` in the input. With `is_sampled`, samplers have changed the probabilities. `classes` is V,
    None if unknown. `tau` is the temperature that the server applied.
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
        """A mask of the alternatives without a known probability: (k,) booleans."""
        return np.isnan(self.logprobs)

    @cached_property
    def mass(self) -> float:
        """The total probability of the alternatives."""
        return float(np.exp(self._known_logprobs).sum())

    @property
    def unlisted(self) -> int | None:
        """The number of classes whose probability is not listed, None if V is unknown."""
        return None if self.classes is None else self.classes - len(self._known_logprobs)

    @property
    def is_consistent(self) -> bool:
        """Whether the unlisted classes can have the remaining probability, each at most the cap."""
        min_mass = max(0.0, 1.0 - self.mass - self._rounding)
        return self.unlisted is None or min_mass == 0 or self.unlisted * np.exp(min(self.cap, 0.0)) >= min_mass

    @property
    def is_truncated(self) -> bool:
        """Whether the probabilities sum to 1 although the smallest is not near 0, which suggests a sampler that
        removes classes rather than a softmax."""
        return abs(1.0 - self.mass) <= self._rounding and -9.0 < self.cap < 0.0 and self.unlisted != 0

    @property
    def more_probable(self) -> int:
        """The number of alternatives that are more probable than the drawn one."""
        chosen = self.logprobs[self.index]
        return int((self._known_logprobs > chosen).sum()) if chosen == chosen else len(self._known_logprobs)

    @property
    def rank(self) -> int | None:
        """The drawn token's rank, from 1, among all classes by probability, which temperature does not change.
        None if an unlisted class may be more probable: the rank is then above `more_probable`, but unknown."""
        chosen = self.logprobs[self.index]
        is_certain = chosen >= self.cap or np.exp(chosen) >= 1.0 - self.mass + self._rounding
        return self.more_probable + 1 if is_certain else None

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
        weights = self._divide_by_tau(self.logprobs - self._known_logprobs.max(), tau)
        total = np.logaddexp.reduce(weights[:, ~self.unknown], axis=1, keepdims=True)
        among_listed = self.logprobs - np.log(max(1.0, self.mass))
        bounds = [
            np.where(tau == 1.0, among_listed, weights - np.logaddexp(total, w)) for w in self._log_weight_bounds(tau)
        ]
        # Rounding may reverse the order of equal bounds.
        return np.minimum(*bounds), np.maximum(*bounds)

    @cached_property
    def _known_logprobs(self) -> Array:
        return self.logprobs[~self.unknown]

    @property
    def _rounding(self) -> float:
        return len(self._known_logprobs) * ROUNDING

    def _log_weight_bounds(self, tau: Array) -> tuple[Array, Array]:
        """Return the logarithms of the largest and the smallest possible W, relative to the highest of p."""
        min_mass = max(0.0, 1.0 - self.mass - self._rounding)
        max_mass = max(0.0, 1.0 - self.mass) + self._rounding
        is_cold = tau < 1.0
        return (
            np.where(is_cold, self._concentrated(max_mass, tau), self._spread(max_mass, tau)),
            np.where(is_cold, self._spread(min_mass, tau), self._concentrated(min_mass, tau)),
        )

    def _spread(self, mass: float, tau: Array) -> Array:
        """Return log W if the mass is spread evenly over the unlisted classes."""
        if mass == 0.0 or self.unlisted == 0 or self.cap == -np.inf:
            return np.full_like(tau, -np.inf)
        if self.unlisted is None:
            return np.where(tau < 1.0, -np.inf, np.inf)
        log_prob = min(np.log(mass) - np.log(self.unlisted), self.cap)
        return np.asarray(np.log(self.unlisted) + self._divide_by_tau(log_prob - self._known_logprobs.max(), tau))

    def _concentrated(self, mass: float, tau: Array) -> Array:
        """Return log W if as few unlisted classes as the cap allows have all the mass."""
        if mass == 0.0 or self.unlisted == 0 or self.cap == -np.inf:
            return np.full_like(tau, -np.inf)
        cap = min(self.cap, float(np.log(mass)))
        with np.errstate(over="ignore", divide="ignore"):
            # The number of classes at the cap. Above 2^53, its fractional part is negligible.
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
        """Return gaps / tau, with the exact limits. A gap of -inf is a probability of 0, which stays 0."""
        gaps, tau = np.broadcast_arrays(gaps, tau)
        with np.errstate(all="ignore"):
            cold = np.where(gaps == 0.0, 0.0, gaps * np.inf)
            hot = np.where(np.isneginf(gaps), -np.inf, gaps * 0.0)
            return np.asarray(np.where(tau == 0.0, cold, np.where(tau == np.inf, hot, gaps / tau)))
