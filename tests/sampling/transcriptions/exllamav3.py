"""ExLlamaV3 (turboderp-org/exllamav3): the release 1.6.5, and commit 4f8ad01, whose version is 1.4.1.

generator/sampler/presets.py (ComboSampler), custom.py (the steps) and exllamav3_ext/generator: rep_pen.cu, dry.cu,
sampling_extra.cu (adaptive-p), sampling_fused.cu. ComboSampler: bias, repetition penalty, presence and frequency
penalties, DRY (1.6.5), then temperature, min-p, top-k, top-p, the temperature if it is last, and a draw or adaptive-p.
It has no XTC, which is a step for stacks that are put together by hand, as TabbyAPI does.

A stack [temperature] [min-p] [top-k] [top-p] [temperature] and a draw runs as one fused kernel. Other stacks run step
by step, with a sort that is not stable; here the lowest ids come first.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from sampling.transcriptions.common import (
    FLOAT,
    History,
    Ids,
    Row,
    Settings,
    adaptive_logits,
    adaptive_target,
    biased,
    counts,
    descending,
    greedy,
    normalized,
    require,
    running_sum,
    softmax,
    total,
)
from sampling.transcriptions.dry import match_lengths, repetition_limit

COMBO = (
    "temperature temperature_last min_p top_k top_p repetition_penalty presence_penalty frequency_penalty"
    " penalty_last_n adaptive_target adaptive_decay adaptive_mean logit_bias"
)
DRY = "dry_multiplier dry_base dry_allowed_length dry_penalty_last_n dry_breakers"
BUCKETS = 1024
DEPTH = FLOAT(32)
MASS = 2.0**40
Bin = tuple[int, int]


@dataclass(frozen=True)
class Sorted:
    """Class ids by descending probability, and their weights, of which a step may have removed some."""

    ids: Ids
    weights: Row

    def normalized(self) -> "Sorted":
        """The weights divided by their sum."""
        return replace(self, weights=normalized(self.weights))

    def spread(self) -> Row:
        """The probabilities of all classes."""
        out = np.zeros(len(self.ids), FLOAT)
        out[self.ids] = normalized(self.weights)
        return out


def exllamav3_1_6_5(logits: Row, settings: Settings, history: History) -> Row:
    """ComboSampler of 1.6.5: top-p keeps the class that crosses p."""
    require(settings, "exllamav3", f"{COMBO} {DRY}")
    return combo(dry(penalized(logits, settings, history), settings, history), settings, crossing=True)


def exllamav3_1_4_1(logits: Row, settings: Settings, history: History) -> Row:
    """ComboSampler of 1.4.1: top-p removes the class that crosses p, and there is no DRY."""
    require(settings, "exllamav3", COMBO)
    return combo(penalized(logits, settings, history), settings, crossing=False)


def combo(z: Row, settings: Settings, crossing: bool) -> Row:
    """ComboSampler after the penalties; `crossing` says whether top-p keeps the class that crosses p."""
    if settings.temperature == 0 or settings.top_k == 1:
        return greedy(z)
    if is_set(settings.adaptive_target, 1):
        return stepwise(z, settings, ("min_p", "top_k", "top_p"), crossing)
    return fused(z, settings, crossing)


def is_set(value: float | None, neutral: float) -> bool:
    """Whether a parameter has an effect."""
    return value is not None and value != neutral


def penalized(logits: Row, settings: Settings, history: History) -> Row:
    """Bias (0 and +inf ignored), repetition once per token (z > 0 divided by r, else times r), presence, frequency."""
    bias = {token: value for token, value in (settings.logit_bias or {}).items() if value < math.inf}
    z = biased(logits, bias)
    window = counts(history.last(-1 if settings.penalty_last_n is None else settings.penalty_last_n))
    for token, count in window.items():
        r = FLOAT(1 if settings.repetition_penalty is None else settings.repetition_penalty)
        z[token] = z[token] / r if z[token] > 0 else z[token] * r
        charge = FLOAT(0)
        for _ in range(count):
            charge += FLOAT(settings.frequency_penalty or 0)
        z[token] -= charge
        z[token] -= FLOAT(settings.presence_penalty or 0)
    return z


def dry(z: Row, settings: Settings, history: History) -> Row:
    """DRY as in llama.cpp, over the whole context by default; breakers are single tokens. Computed in double."""
    base = float(FLOAT(1.75 if settings.dry_base is None else settings.dry_base))
    if not settings.dry_multiplier or base < 1:
        return z
    allowed = 2 if settings.dry_allowed_length is None else settings.dry_allowed_length
    window = history.last(settings.dry_penalty_last_n or -1)
    breakers = settings.dry_breakers or ()
    if any(len(breaker) != 1 for breaker in breakers):
        raise NotImplementedError("ExLlamaV3 has only sequence breakers of one token")
    limit = repetition_limit(window, breakers)
    if len(window) <= allowed or limit < allowed:
        return z
    out = np.array(z, FLOAT)
    clamp = int(FLOAT(88.7228391) / np.log(FLOAT(base))) if FLOAT(base) > FLOAT(1.000001) else 2048 - allowed
    for token, length in match_lengths(window, limit, allowed).items():
        if (token,) not in [tuple(breaker) for breaker in breakers]:
            out[token] -= FLOAT(float(FLOAT(settings.dry_multiplier)) * base ** min(length - allowed, clamp))
    return out


def stepwise(z: Row, settings: Settings, filters: tuple[str, ...], crossing: bool) -> Row:
    """The steps one by one, in the given order of the filters: SS_MinP, SS_TopK, SS_TopP, SS_XTC, SS_AdaptiveP."""
    tau = FLOAT(1 if settings.temperature is None else settings.temperature)
    last = settings.temperature_last
    p = softmax(z if last else z / tau)
    left = Sorted(descending(p), p[descending(p)])
    for name in filters:
        left = filtered(left, name, settings, crossing)
    if last and tau != 1:
        left = replace(left, weights=left.weights ** FLOAT(1 / tau))
    if settings.xtc_probability:
        left = xtc(left.normalized(), settings.xtc_probability, settings.xtc_threshold)
    if is_set(settings.adaptive_target, 1):
        assert settings.adaptive_target is not None
        left = adaptive_p(left.normalized(), settings.adaptive_target, settings.adaptive_mean)
    return left.spread()


def filtered(left: Sorted, name: str, settings: Settings, crossing: bool) -> Sorted:
    """One of the filters, if the request sets it."""
    if name == "min_p" and settings.min_p:
        left = left.normalized()
        keep = left.weights >= left.weights[0] * FLOAT(settings.min_p)
    elif name == "top_k" and settings.top_k is not None and settings.top_k >= 1:
        keep = np.arange(len(left.ids)) < settings.top_k
    elif name == "top_p" and settings.top_p is not None and settings.top_p != 1:
        left = left.normalized()
        sums = running_sum(left.weights)
        below = (sums - left.weights).astype(FLOAT) < FLOAT(settings.top_p)
        keep = below if crossing else sums <= FLOAT(settings.top_p)
        keep[0] = True
    else:
        return left
    return replace(left, weights=np.where(keep, left.weights, FLOAT(0)))


def xtc(left: Sorted, probability: float, threshold: float | None) -> Sorted:
    """The average of both outcomes: all of at least the threshold but the least probable are excluded.

    Averaged, an excluded class keeps 1 − q of its part, and the others gain 1 + q·m/(1 − m), m the excluded mass.
    """
    limit = 0.1 if threshold is None else threshold
    if limit > 0.5:
        return left
    above = int((left.weights >= FLOAT(limit)).sum())
    excluded = np.arange(len(left.ids)) < above - 1
    mass = total(np.where(excluded, left.weights, FLOAT(0)))
    scale = FLOAT(1 - probability) / (FLOAT(1) + FLOAT(probability) * mass / (FLOAT(1) - mass))
    return replace(left, weights=np.where(excluded, left.weights * scale, left.weights))


def adaptive_p(left: Sorted, target: float, mean: float | None) -> Sorted:
    """Adaptive-p; a class under 1e-8 goes."""
    logits = adaptive_logits(left.weights, adaptive_target(target, mean))
    return replace(left, weights=softmax(np.where(left.weights < FLOAT(1e-8), -np.inf, logits)))


def fused(z: Row, settings: Settings, crossing: bool) -> Row:
    """The fused kernel: min-p in logits, top-k and top-p by a histogram of depths below the maximum.

    Ties at the k-th place stay. A crossing bin of n ties stays in 1.6.5, each with k/n of its weight if the sum needs k
    of them; 1.4.1 removes the whole bin.
    """
    tau = 1 if settings.temperature is None else settings.temperature
    inverse = FLOAT(1 / tau)
    depth = FLOAT(1) if settings.temperature_last else inverse
    if settings.top_p == 0:
        return greedy(z)
    top = z.max()
    eligible = z > -np.inf
    if settings.min_p:
        log_share = (1 if settings.temperature_last else tau) * math.log(settings.min_p)
        eligible &= z >= top + FLOAT(log_share)
    bins = {int(i): bin_of(z[i], top, depth) for i in np.flatnonzero(eligible)}
    mass = {i: int(float(np.exp((z[i] - top) * depth)) * MASS + 0.5) for i in bins}
    shares = dict.fromkeys(bins, 1.0)
    if settings.top_k is not None and settings.top_k >= 1:
        shares = fused_top_k(bins, settings.top_k, crossing)
    if settings.top_p is not None and settings.top_p != 1:
        shares = fused_top_p({i: bins[i] for i in shares}, mass, settings.top_p, crossing)
    weights = np.zeros(len(z), FLOAT)
    for i, share in shares.items():
        weights[i] = FLOAT(np.exp((z[i] - top) * inverse) * FLOAT(share))
    return normalized(weights)


def bin_of(logit: np.float32, top: np.float32, depth: np.float32) -> Bin:
    """The bucket (1/32 nat below the maximum at the filters' temperature) and its sub-bucket (1/32768 nat)."""
    place = FLOAT(FLOAT(top - logit) * FLOAT(FLOAT(BUCKETS) / DEPTH * depth))
    bucket = min(int(place), BUCKETS - 1)
    return bucket, min(max(int((place - FLOAT(bucket)) * FLOAT(BUCKETS)), 0), BUCKETS - 1)


def fused_top_k(bins: dict[int, Bin], k: int, drop_tail: bool) -> dict[int, float]:
    """The k nearest to the maximum and the ties of the last; from 32 nats on, nothing is ordered.

    A cutoff in that tail removes it in 1.6.5, and in 1.4.1 keeps everything from the last bucket on.
    """
    if len(bins) <= k:
        return dict.fromkeys(bins, 1.0)
    bound: Bin = sorted(bins.values())[k - 1]
    if drop_tail and bound == (BUCKETS - 1, BUCKETS - 1):
        bound = (BUCKETS - 1, BUCKETS - 2)
    elif not drop_tail and bound[0] == BUCKETS - 1:
        bound = (BUCKETS - 1, BUCKETS - 1)
    return {i: 1.0 for i, place in bins.items() if place <= bound}


def fused_top_p(bins: dict[int, Bin], mass: dict[int, int], p: float, crossing: bool) -> dict[int, float]:
    """The bins before the one in which the mass crosses p of the total; in 1.6.5, what the sum needs of it as well."""
    target = int(float(FLOAT(p)) * sum(mass[i] for i in bins))
    shares: dict[int, float] = {}
    running = 0
    for place in sorted(set(bins.values())):
        members = [i for i, at in bins.items() if at == place]
        amount = sum(mass[i] for i in members)
        if running + amount > target:
            needed = target - running
            if not shares and (needed == 0 or not crossing):
                return dict.fromkeys(members, 1.0)
            if needed > 0 and crossing:
                count = min(max(math.ceil(needed * len(members) / amount), 1), len(members))
                shares |= dict.fromkeys(members, count / len(members))
            return shares
        shares |= dict.fromkeys(members, 1.0)
        running += amount
    return shares
