"""How far two distributions over the same classes differ, and how well one drafts for the other.

Let p be the target's distribution and q the draft's. In speculative sampling, the draft proposes x ~ q and the target
accepts it with the probability min(1, p(x) / q(x)), so that accepted and replaced tokens have the distribution p
(Leviathan, Kalman & Matias 2023, "Fast Inference from Transformers via Speculative Decoding"; Chen et al. 2023,
"Accelerating Large Language Model Decoding with Speculative Sampling"). The share of accepted tokens is

    alpha = sum_i min(p_i, q_i) = 1 - TV(p, q)

(Leviathan et al., theorem 3.5 and corollary 3.6). Two simpler rules accept less. If both models sample and equal tokens
are accepted, the share is sum_i p_i q_i. If the draft proposes its most probable token, it is p of that token.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.divergence import Difference, difference
from tsoft.core.library_arguments import real_array, require_number
from tsoft.core.measures import top
from tsoft.core.softmax import (
    HIGHEST_TAU,
    LOWEST_TAU,
    Array,
    Taus,
    log_softmax,
    require_softmax,
    validate_logits,
    validate_taus,
)

# The acceptance rates: of speculative sampling, of equal samples, and of the draft's most probable class.
ACCEPTANCES = ("acceptance", "exact_match_acceptance", "greedy_acceptance")
MEASURES = ("kl", "kl_reverse", "total_variation", "same_top", "top_change", *ACCEPTANCES)
# The change of the probability of the token that was drawn, or of the row's true class.
CHOSEN = "chosen_change"


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """Measures of the difference between a target's distribution p and a draft's q, each of shape (...) or (k, ...).
    The result of `tsoft.compare`.

    Attributes
    ----------
    kl, kl_reverse : ndarray
        KL(p || q) and KL(q || p), in nats.
    total_variation : ndarray
        Half of the sum of |p - q|.
    same_top : ndarray
        1 if both have the same most probable class, else 0. Of tied classes, the first one counts; at
        inf, where all classes tie, the one with the highest logit.
    top_change : ndarray
        q - p of the target's most probable class.
    acceptance : ndarray
        The probability that speculative sampling accepts a draft: the sum of min(p, q).
    exact_match_acceptance : ndarray
        The probability that samples of both are equal: the sum of p q.
    greedy_acceptance : ndarray
        The probability that speculative sampling accepts the draft's most probable class: p of that class.
    """

    kl: Array
    kl_reverse: Array
    total_variation: Array
    same_top: Array
    top_change: Array
    acceptance: Array
    exact_match_acceptance: Array
    greedy_acceptance: Array


def compare(target: ArrayLike, draft: ArrayLike, tau: Taus = 1.0, *, draft_tau: float | None = None) -> ModelComparison:
    """Compare two distributions over the same classes, and return the acceptance rates of speculative decoding.

    Parameters
    ----------
    target : array_like, shape (..., n)
        The target's logits; -inf masks a class.
    draft : array_like, shape (..., n)
        The logits of the draft, or of any other model, for the same rows and classes.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the results.
    draft_tau : float, optional
        The draft's temperature. By default it is the target's.

    Returns
    -------
    ModelComparison
        The Kullback-Leibler divergences, the total variation, whether the most probable class is the same, and the
        acceptance rates.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If the shapes differ, or if a temperature is negative or NaN.
    TypeError
        If `draft_tau` is not a number.

    See Also
    --------
    tokens_per_step : the expected tokens per step of the target

    References
    ----------
    .. [1] Y. Leviathan, M. Kalman and Y. Matias, "Fast Inference from Transformers via Speculative Decoding", 2023.
    .. [2] C. Chen et al., "Accelerating Large Language Model Decoding with Speculative Sampling", 2023.

    Examples
    --------
    >>> import tsoft
    >>> result = tsoft.compare([2, 1, 0], [1, 1, 0], tau=[0.5, 1])
    >>> result.acceptance.round(4)
    array([0.6015, 0.7571])
    >>> result.kl.round(4)
    array([0.3493, 0.1196])
    """
    z, v = validate_logits(target), validate_logits(draft)
    if z.shape != v.shape:
        raise ValueError(f"draft must have the target's shape {z.shape}, got {v.shape}")
    require_softmax(z)
    require_softmax(v)
    taus = validate_taus(tau)
    if draft_tau is not None:
        require_number("draft_tau", draft_tau)
    draft_taus = taus if draft_tau is None else np.broadcast_to(validate_taus(draft_tau), taus.shape)
    rows = [logits.reshape(-1, z.shape[-1]).astype(np.float64) for logits in (z, v)]
    results = []
    for t, u in zip(taus.reshape(-1).tolist(), draft_taus.reshape(-1).tolist(), strict=True):
        log_p, log_q = log_softmax(rows[0], t), log_softmax(rows[1], u)
        differing = difference_at(rows[0], rows[1], t, u, log_p, log_q)
        results.append(measures(log_p, log_q, top(rows[0]), top(rows[1]), differing))
    shape = taus.shape + z.shape[:-1]
    return ModelComparison(
        **{name: np.array([result[name] for result in results]).reshape(shape)[()] for name in MEASURES}
    )


def difference_at(z: Array, v: Array, tau: float, draft_tau: float, log_p: Array, log_q: Array) -> Difference:
    """Return how p = softmax(z / tau) and q = softmax(v / draft_tau) differ. log_p, log_q: their logarithms, (rows, n).

    At 0 and inf, the limit of a divergence may not be the divergence of the limits, which is the result.
    """
    common = min((t for t in (tau, draft_tau) if 0 < t < np.inf), default=1.0)
    return difference(_logits_at(common, z, tau, log_p), _logits_at(common, v, draft_tau, log_q), common)


def _logits_at(common: float, z: Array, tau: float, log_p: Array) -> Array:
    """Return logits whose softmax at the temperature `common` is p = softmax(z / tau). A finite tau above 0 is at
    least `common`."""
    if tau == common or LOWEST_TAU <= common < tau <= HIGHEST_TAU:
        # For similar distributions, the difference of the logits has more digits than that of the rounded logarithms,
        # and a logarithm may overflow to that of a masked class.
        return np.asarray(z, np.float64) * (common / tau)
    return log_p * common


def measures(log_p: Array, log_q: Array, highest_p: Array, highest_q: Array, differing: Difference) -> dict[str, Array]:
    """Return the measures of rows by their names in MEASURES, (rows,) each.

    log_p, log_q: the logarithms of the probabilities, (rows, n) float64. highest_p, highest_q: the indices of the most
    probable classes, (rows,). differing: the difference of p and q.
    """
    p, q = np.exp(log_p), np.exp(log_q)
    rows = np.arange(len(p))
    return {
        "kl": differing.kl,
        "kl_reverse": differing.kl_reverse,
        "total_variation": abs(differing.change).sum(-1) / 2,
        "same_top": (highest_p == highest_q).astype(np.float64),
        "top_change": differing.change[rows, highest_p],
        "acceptance": np.minimum(np.minimum(p, q).sum(-1), 1.0),
        "exact_match_acceptance": np.minimum((p * q).sum(-1), 1.0),
        "greedy_acceptance": p[rows, highest_q],
    }


def tokens_per_step(acceptance: ArrayLike, draft_tokens: int) -> Array:
    """Return the expected number of tokens per step of the target in speculative decoding.

    The draft proposes a number of tokens, and the target accepts them up to the first that it rejects, which it
    replaces. It adds one more token if it accepts all.

    Parameters
    ----------
    acceptance : array_like
        The mean acceptance rate, from 0 to 1.
    draft_tokens : int
        The number of tokens that the draft proposes per step.

    Returns
    -------
    ndarray
        ``(1 - acceptance ** (draft_tokens + 1)) / (1 - acceptance)``, in the shape of `acceptance`.

    Raises
    ------
    ValueError
        If `acceptance` is not from 0 to 1, or `draft_tokens` is negative.
    TypeError
        If `draft_tokens` is not a number.

    Notes
    -----
    The formula assumes that the target accepts each token with the same probability, independently of the others. In
    a text, easy and hard tokens come in runs, so the number differs.

    References
    ----------
    .. [1] Y. Leviathan, M. Kalman and Y. Matias, "Fast Inference from Transformers via Speculative Decoding", 2023,
       eq. 1.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.tokens_per_step([0, 0.5, 1], 4)
    array([1.    , 1.9375, 5.    ])
    """
    alpha = real_array("acceptance", acceptance)
    require_number("draft_tokens", draft_tokens)
    if not draft_tokens >= 0:
        raise ValueError(f"draft_tokens must be at least 0, got {draft_tokens}")
    if not ((alpha >= 0) & (alpha <= 1)).all():
        raise ValueError("acceptance must be from 0 to 1")
    with np.errstate(divide="ignore", invalid="ignore"):
        # The difference 1 - alpha^(n + 1) would cancel near 1.
        tokens = -np.expm1((draft_tokens + 1) * np.log(alpha)) / (1.0 - alpha)
    return np.asarray(np.where(alpha == 1.0, draft_tokens + 1.0, tokens))[()]
