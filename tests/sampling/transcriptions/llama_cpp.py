"""llama.cpp 0c1e57098 (ggml-org/llama.cpp), src/llama-sampler.cpp; the order and the defaults from common/common.h.

The server's default chain: bias, penalties, DRY, top-n-sigma, top-k, typical-p, top-p, min-p, XTC, temperature, and a
draw (or adaptive-p, where the request names it among the samplers). With mirostat, only bias, temperature and mirostat.

Candidates are a list that samplers shorten, sort and rescale. The C++ sorts are not stable: which of several tied
classes a top-k or a top-p keeps is left to the standard library. Here the lowest ids stay.
"""

import math
from dataclasses import dataclass

import numpy as np

from sampling.transcriptions.common import (
    FLOAT,
    History,
    Ids,
    Row,
    Settings,
    adaptive_logits,
    adaptive_target,
    ascending,
    biased,
    counts,
    descending,
    entropy,
    mixture,
    require,
    running_sum,
    softmax,
)
from sampling.transcriptions.dry import Breakers, match_lengths, repetition_limit

DEFAULTS = Settings(temperature=0.8, top_k=40, top_p=0.95, min_p=0.05)
PENALTIES = "repetition_penalty presence_penalty frequency_penalty penalty_last_n"
DRY = "dry_multiplier dry_base dry_allowed_length dry_penalty_last_n dry_breakers"
CHAIN = (
    f"{PENALTIES} {DRY} logit_bias top_n_sigma top_k typical_p top_p min_p xtc_probability xtc_threshold"
    " temperature dynatemp_range dynatemp_exponent adaptive_target adaptive_decay adaptive_mean"
)
LARGEST_LOG = FLOAT(88.7228391)


@dataclass(frozen=True)
class Candidates:
    """What is left: class ids and their logits, in the order in which the samplers leave them."""

    ids: Ids
    logits: Row

    def at(self, places: Ids) -> "Candidates":
        """The candidates at these places, in this order."""
        return Candidates(self.ids[places], self.logits[places])

    def with_logits(self, logits: Row) -> "Candidates":
        """The same candidates with new logits."""
        return Candidates(self.ids, np.asarray(logits, FLOAT))

    def sorted(self) -> "Candidates":
        """Largest logit first."""
        return self.at(descending(self.logits))

    def probabilities(self, size: int) -> Row:
        """The softmax of what is left, spread over all classes."""
        out = np.zeros(size, FLOAT)
        out[self.ids] = softmax(self.logits)
        return out


def llama_cpp(logits: Row, settings: Settings, history: History) -> Row:
    """The server's default chain. Setting `adaptive_target` adds adaptive-p to it."""
    require(settings, "llama.cpp", CHAIN)
    left = Candidates(np.arange(len(logits)), penalized(biased(logits, settings.logit_bias), settings, history))
    left = truncated(left, settings)
    without = finished(left, settings).probabilities(len(logits))
    probability = settings.xtc_probability or 0
    if probability <= 0:
        return without
    shortened = xtc(left, 0.1 if settings.xtc_threshold is None else settings.xtc_threshold)
    with_xtc = finished(shortened, settings).probabilities(len(logits))
    return mixture(without, with_xtc, min(probability, 1))


def llama_cpp_mirostat_v2(logits: Row, settings: Settings, history: History) -> Row:
    """Mirostat v2: bias, temperature, then the classes whose surprisal is at most μ (2τ before the first draw)."""
    require(settings, "llama.cpp with mirostat", "logit_bias temperature mirostat_tau mirostat_eta mirostat_mu")
    left = Candidates(np.arange(len(logits)), biased(logits, settings.logit_bias))
    if settings.temperature is not None:
        left = temperature(left, settings.temperature)
    tau = 5.0 if settings.mirostat_tau is None else settings.mirostat_tau
    return mirostat_v2(left, 2 * tau if settings.mirostat_mu is None else settings.mirostat_mu).probabilities(
        len(logits)
    )


def penalized(z: Row, settings: Settings, history: History) -> Row:
    """Repetition, frequency and presence penalties, then DRY, each with its own window, 64 tokens by default."""
    window = history.last(64 if settings.penalty_last_n is None else max(settings.penalty_last_n, 0))
    z = penalties(
        z,
        window,
        settings.repetition_penalty if settings.repetition_penalty is not None else 1,
        settings.frequency_penalty or 0,
        settings.presence_penalty or 0,
    )
    if not settings.dry_multiplier:
        return z
    return dry(
        z,
        history.last(64 if settings.dry_penalty_last_n is None else max(settings.dry_penalty_last_n, 0)),
        settings.dry_multiplier,
        1.75 if settings.dry_base is None else settings.dry_base,
        2 if settings.dry_allowed_length is None else settings.dry_allowed_length,
        settings.dry_breakers or (),
    )


def truncated(left: Candidates, settings: Settings) -> Candidates:
    """The samplers that remove classes, in the default order."""
    if settings.top_n_sigma is not None:
        left = top_n_sigma(left, settings.top_n_sigma)
    if settings.top_k is not None:
        left = top_k(left, settings.top_k)
    if settings.typical_p is not None:
        left = typical(left, settings.typical_p)
    if settings.top_p is not None:
        left = top_p(left, settings.top_p)
    if settings.min_p is not None:
        left = min_p(left, settings.min_p)
    return left


def finished(left: Candidates, settings: Settings) -> Candidates:
    """The temperature, and adaptive-p where it is on."""
    if settings.dynatemp_range is not None and settings.dynatemp_range > 0:
        tau = DEFAULTS.temperature if settings.temperature is None else settings.temperature
        assert tau is not None
        left = dynamic_temperature(left, tau, settings.dynatemp_range, settings.dynatemp_exponent)
    elif settings.temperature is not None:
        left = temperature(left, settings.temperature)
    if settings.adaptive_target is not None and settings.adaptive_target >= 0:
        left = adaptive_p(left, settings.adaptive_target, settings.adaptive_mean)
    return left


def penalties(z: Row, window: tuple[int, ...], repeat: float, frequency: float, presence: float) -> Row:
    """For each token of the window: z ≤ 0 times r, else divided by r; then minus count · frequency + presence."""
    out = np.array(z, FLOAT)
    for token, count in counts(window).items():
        out[token] = out[token] * FLOAT(repeat) if out[token] <= 0 else out[token] / FLOAT(repeat)
        out[token] -= FLOAT(count) * FLOAT(frequency) + FLOAT(presence)
    return out


def dry(z: Row, window: tuple[int, ...], multiplier: float, base: float, allowed: int, breakers: Breakers) -> Row:
    """DRY; a token that is a sequence breaker by itself is exempt."""
    out = np.array(z, FLOAT)
    if base < 1 or len(window) <= allowed:
        return out
    limit = repetition_limit(window, breakers)
    if limit < allowed:
        return out
    for token, length in match_lengths(window, limit, allowed).items():
        if (token,) not in [tuple(breaker) for breaker in breakers]:
            out[token] -= dry_penalty(multiplier, base, length - allowed)
    return out


def dry_penalty(multiplier: float, base: float, exponent: int) -> np.float32:
    """multiplier · base^exponent, the exponent clamped to about the largest for which the power is within float32."""
    if FLOAT(base) > FLOAT(1.000001):
        exponent = min(exponent, int(LARGEST_LOG / np.log(FLOAT(base))))
    with np.errstate(over="ignore"):
        return FLOAT(float(FLOAT(multiplier)) * float(FLOAT(base)) ** exponent)


def top_n_sigma(left: Candidates, n: float) -> Candidates:
    """Masks what lies more than n standard deviations (of what is not masked) below the maximum; removes nothing."""
    if n <= 0 or len(left.ids) <= 1:
        return left
    finite = left.logits[left.logits != -np.inf]
    mean = FLOAT(running_sum(finite)[-1] / FLOAT(len(finite)))
    squares = FLOAT(0)
    for logit in finite:
        squares = FLOAT(float(squares) + float(FLOAT(logit - mean)) ** 2)
    deviation = FLOAT(math.sqrt(FLOAT(squares / FLOAT(len(finite)))))
    threshold = FLOAT(finite.max() - FLOAT(n) * deviation)
    return left.with_logits(np.where(left.logits < threshold, -np.inf, left.logits))


def top_k(left: Candidates, k: int) -> Candidates:
    """Exactly k, sorted; k ≤ 0 is off."""
    return left if k <= 0 else left.sorted().at(np.arange(min(k, len(left.ids))))


def typical(left: Candidates, mass: float) -> Candidates:
    """Nearest to the entropy first, until the sum exceeds `mass`; undefined once a class is masked (0 · ln 0)."""
    if mass >= 1:
        return left
    left = left.sorted()
    p = softmax(left.logits)
    nats = FLOAT(0)
    for probability in p:
        nats = FLOAT(nats - probability * np.log(probability))
    order = ascending(np.abs(-np.log(p) - nats))
    reached = np.flatnonzero(running_sum(p[order]) > FLOAT(mass))
    return left.at(order[: reached[0] + 1 if len(reached) else len(order)])


def top_p(left: Candidates, p: float) -> Candidates:
    """From the largest, until the sum is at least p, the class that reaches it included."""
    if p >= 1:
        return left
    left = left.sorted()
    reached = np.flatnonzero(running_sum(softmax(left.logits)) >= FLOAT(p))
    return left.at(np.arange(reached[0] + 1 if len(reached) else len(left.ids)))


def min_p(left: Candidates, share: float) -> Candidates:
    """Removes logits below maximum + ln(share)."""
    if share <= 0:
        return left
    return left.at(np.flatnonzero(left.logits >= left.logits.max() + np.log(FLOAT(share))))


def xtc(left: Candidates, threshold: float) -> Candidates:
    """Removes all classes of at least the threshold but the least probable of them; over 0.5 it is off."""
    if threshold > 0.5 or len(left.ids) < 2:
        return left
    left = left.sorted()
    above = int(np.cumprod(softmax(left.logits) >= FLOAT(threshold)).sum())
    return left.at(np.arange(max(above - 1, 0), len(left.ids)))


def temperature(left: Candidates, tau: float) -> Candidates:
    """Divides the logits; a temperature of 0 or less masks all but the first maximum."""
    if tau > 0:
        return left.with_logits(left.logits / FLOAT(tau))
    first = int(np.argmax(left.logits))
    return left.with_logits(np.where(np.arange(len(left.ids)) == first, left.logits, -np.inf))


def dynamic_temperature(left: Candidates, tau: float, width: float, exponent: float | None) -> Candidates:
    """A temperature between τ ± width, by the entropy over its maximum; masked classes count for the maximum."""
    if len(left.ids) <= 1:
        return left
    low, high = max(FLOAT(0), FLOAT(tau) - FLOAT(width)), FLOAT(tau) + FLOAT(width)
    left = left.sorted()
    share = entropy(softmax(left.logits)) / -np.log(FLOAT(1) / FLOAT(len(left.ids)))
    return temperature(left, float(low + (high - low) * share ** FLOAT(1 if exponent is None else exponent)))


def mirostat_v2(left: Candidates, mu: float) -> Candidates:
    """From the largest, until a class has −log₂ p > μ; at least one."""
    left = left.sorted()
    with np.errstate(divide="ignore"):
        surprising = np.flatnonzero(-np.log2(softmax(left.logits)) > FLOAT(mu))
    return left.at(np.arange(max(surprising[0], 1) if len(surprising) else len(left.ids)))


def mirostat_update(mu: float, tau: float, eta: float, drawn: float) -> float:
    """μ after a draw whose probability, renormalized over what was kept, is `drawn`."""
    return mu - eta * (-math.log2(drawn) - tau)


def adaptive_p(left: Candidates, target: float, mean: float | None) -> Candidates:
    """Adaptive-p on the probabilities of what is left; masked classes stay masked."""
    logits = adaptive_logits(softmax(left.logits), adaptive_target(target, mean))
    return left.with_logits(np.where(left.logits == -np.inf, -np.inf, logits))


def adaptive_update(weighted_sum: float, total_weight: float, decay: float, drawn: float) -> tuple[float, float]:
    """S and W after a draw, whose probability before adaptive-p changed it is `drawn`. S/W is the mean.

    Before the first draw S is t/(1 − δ), W is 1/(1 − δ), and δ is clamped to [0, 0.99].
    """
    return drawn + decay * weighted_sum, 1 + decay * total_weight
