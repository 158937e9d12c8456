"""KoboldCpp (LostRuins/koboldcpp), gpttype_adapter.cpp, SampleLogits: a version of 2026 whose commit is not known.

Order: bias, DRY, the 3000 largest, then by default repetition and presence penalty, top-k, top-a, TFS, typical-p,
top-p and min-p, temperature (fixed or dynamic) with smoothing and then top-n-sigma, XTC, adaptive-p. With mirostat:
penalties, temperature, mirostat. XTC lowers logits by 999 instead of removing classes: their probability is 0, but
adaptive-p, which gives each candidate a new logit, brings them back.
"""

import math

import numpy as np

from sampling.transcriptions import llama_cpp
from sampling.transcriptions.common import (
    FLOAT,
    History,
    Row,
    Settings,
    adaptive_logits,
    adaptive_target,
    ascending,
    biased,
    entropy,
    mixture,
    quadratic,
    require,
    running_sum,
    softmax,
    total,
)
from sampling.transcriptions.dry import match_lengths, repetition_limit
from sampling.transcriptions.llama_cpp import Candidates

DEFAULTS = Settings(temperature=0.75, top_k=100, top_p=0.92)
SHARED = (
    "logit_bias temperature smoothing_factor smoothing_curve repetition_penalty repetition_slope presence_penalty"
    " penalty_last_n dry_multiplier dry_base dry_allowed_length dry_penalty_last_n dry_breakers"
)
CHAIN = (
    f"{SHARED} top_k top_a tfs typical_p top_p min_p dynatemp_range dynatemp_exponent top_n_sigma xtc_probability"
    " xtc_threshold adaptive_target adaptive_decay adaptive_mean"
)


def koboldcpp(logits: Row, settings: Settings, history: History) -> Row:
    """The default order."""
    require(settings, "KoboldCpp", CHAIN)
    left = cooled(removed(start(logits, settings, history), settings), settings)
    without = drawn(left, settings).probabilities(len(logits))
    if not settings.xtc_probability or settings.xtc_probability < 0:
        return without
    # koboldcpp.py sets the defaults of a request.
    threshold = 0.2 if settings.xtc_threshold is None else settings.xtc_threshold
    with_xtc = drawn(xtc(left, threshold), settings).probabilities(len(logits))
    return mixture(without, with_xtc, min(settings.xtc_probability, 1))


def koboldcpp_mirostat_v2(logits: Row, settings: Settings, history: History) -> Row:
    """Mirostat 2 after the penalties and the temperature."""
    require(settings, "KoboldCpp with mirostat", f"{SHARED} mirostat_tau mirostat_eta mirostat_mu")
    left = temperature(start(logits, settings, history), settings)
    tau = 5.0 if settings.mirostat_tau is None else settings.mirostat_tau
    mu = 2 * tau if settings.mirostat_mu is None else settings.mirostat_mu
    return llama_cpp.mirostat_v2(left, mu).probabilities(len(logits))


def start(logits: Row, settings: Settings, history: History) -> Candidates:
    """Bias, DRY, the 3000 largest, then repetition and presence penalty."""
    z = dry(biased(logits, settings.logit_bias), settings, history)
    left = llama_cpp.top_k(Candidates(np.arange(len(z)), z), 3000)
    out = np.array(left.logits, FLOAT)
    full, reduced = repetition(settings)
    window = history.last(320 if settings.penalty_last_n is None else max(settings.penalty_last_n, 1))
    near, far = set(window[len(window) // 2 :]), set(window[: len(window) // 2])
    for place, token in enumerate(left.ids):
        if token in near or token in far:
            penalty = full if token in near else reduced
            out[place] = out[place] * penalty if out[place] <= 0 else out[place] / penalty
            out[place] -= FLOAT(settings.presence_penalty or 0)
    return left.with_logits(out)


def repetition(settings: Settings) -> tuple[np.float32, np.float32]:
    """The penalty of the newer half of the window, and 1 + (r − 1) · slope, that of the older half."""
    full = FLOAT(1 if settings.repetition_penalty is None else settings.repetition_penalty)
    slope = FLOAT(1 if settings.repetition_slope is None else settings.repetition_slope)
    return full, FLOAT(FLOAT(1) + (full - FLOAT(1)) * slope) if full > 1 else full


def dry(z: Row, settings: Settings, history: History) -> Row:
    """DRY over the whole context (or its last tokens): off unless the limit exceeds the allowed length; none exempt."""
    multiplier, base = settings.dry_multiplier or 0, 1.75 if settings.dry_base is None else settings.dry_base
    allowed = 2 if settings.dry_allowed_length is None else settings.dry_allowed_length
    last = 320 if settings.dry_penalty_last_n is None else settings.dry_penalty_last_n
    window = history.last(last if last > 0 else -1)
    out = np.array(z, FLOAT)
    if multiplier <= 0 or base <= 0 or len(window) <= allowed:
        return out
    limit = repetition_limit(window, settings.dry_breakers or ())
    if limit <= allowed:
        return out
    for token, length in match_lengths(window, limit, allowed).items():
        out[token] -= llama_cpp.dry_penalty(multiplier, base, length - allowed)
    return out


def removed(left: Candidates, settings: Settings) -> Candidates:
    """Top-k, top-a, TFS, typical-p, top-p and min-p."""
    left = llama_cpp.top_k(left, settings.top_k or 0)
    if settings.top_a is not None and settings.top_a > 0:
        left = top_a(left, settings.top_a)
    if settings.tfs is not None:
        left = tail_free(left, settings.tfs)
    if settings.typical_p is not None:
        left = typical(left, settings.typical_p)
    if settings.top_p is not None:
        left = llama_cpp.top_p(left, settings.top_p)
    return llama_cpp.min_p(left, settings.min_p or 0)


def top_a(left: Candidates, a: float) -> Candidates:
    """Removes what is below a · max²; the first stays."""
    left = left.sorted()
    p = softmax(left.logits)
    below = np.flatnonzero(p < FLOAT(a) * p[0] * p[0])
    below = below[below >= 1]
    return left.at(np.arange(below[0] if len(below) else len(p)))


def tail_free(left: Candidates, z: float) -> Candidates:
    """Keeps as many classes as second differences whose cumulative share is at most z; all if it never exceeds z."""
    if z >= 1 or len(left.ids) <= 2:
        return left
    left = left.sorted()
    p = softmax(left.logits)
    bends = np.abs((p[:-2] - p[1:-1]) - (p[1:-1] - p[2:])).astype(FLOAT)
    share = bends / total(bends) if total(bends) > FLOAT(1e-6) else np.full(len(bends), 1 / len(bends), FLOAT)
    over = np.flatnonzero(running_sum(share) > FLOAT(z))
    over = over[over >= 1]
    return left.at(np.arange(over[0] if len(over) else len(p)))


def typical(left: Candidates, mass: float) -> Candidates:
    """As in llama.cpp, but a class with probability 0 does not make the entropy undefined."""
    if mass >= 1:
        return left
    left = left.sorted()
    p = softmax(left.logits)
    with np.errstate(divide="ignore"):
        order = ascending(np.abs(-np.log(p) - entropy(p)))
    reached = np.flatnonzero(running_sum(p[order]) > FLOAT(mass))
    return left.at(order[: reached[0] + 1 if len(reached) else len(order)])


def cooled(left: Candidates, settings: Settings) -> Candidates:
    """The temperature, fixed or dynamic, with smoothing, and then top-n-sigma, which removes what it cuts."""
    left = dynamic_temperature(left, settings) if settings.dynatemp_range else temperature(left, settings)
    if settings.top_n_sigma is not None and settings.top_n_sigma > 0:
        left = llama_cpp.top_n_sigma(left, settings.top_n_sigma)
        left = left.at(np.flatnonzero(left.logits > -np.inf))
    return left


def temperature(left: Candidates, settings: Settings) -> Candidates:
    """Divides the logits and smooths them; at 0 and below, the first maximum only."""
    tau = 1 if settings.temperature is None else settings.temperature
    return llama_cpp.top_k(left, 1) if tau <= 0 else smoothed(left.with_logits(left.logits / FLOAT(tau)), settings)


def dynamic_temperature(left: Candidates, settings: Settings) -> Candidates:
    """A temperature between τ ± range, not below 0, by the entropy over ln(number of candidates); then smoothing."""
    if len(left.ids) <= 1:
        return left
    tau, width = 1 if settings.temperature is None else settings.temperature, settings.dynatemp_range or 0
    low, high = FLOAT(max(tau - width, 0)), FLOAT(max(tau + width, 0))
    left = left.sorted()
    share = entropy(softmax(left.logits)) / -np.log(FLOAT(1) / FLOAT(len(left.ids)))
    exponent = FLOAT(1 if settings.dynatemp_exponent is None else max(settings.dynatemp_exponent, 0))
    return smoothed(left.with_logits(left.logits / FLOAT(low + (high - low) * share**exponent)), settings)


def smoothed(left: Candidates, settings: Settings) -> Candidates:
    """Smoothing, after the temperature."""
    if not settings.smoothing_factor or settings.smoothing_factor < 0 or len(left.ids) <= 1:
        return left
    curve = 1 if settings.smoothing_curve is None else settings.smoothing_curve
    return left.with_logits(quadratic(left.logits, settings.smoothing_factor, curve))


def xtc(left: Candidates, threshold: float) -> Candidates:
    """Lowers all classes of at least the threshold but the least probable of them by 999."""
    if threshold > 0.5 or len(left.ids) <= 1:
        return left
    left = left.sorted()
    above = int(np.cumprod(softmax(left.logits) >= FLOAT(threshold)).sum())
    return left.with_logits(np.where(np.arange(len(left.ids)) < above - 1, left.logits - FLOAT(999), left.logits))


def drawn(left: Candidates, settings: Settings) -> Candidates:
    """Adaptive-p, if its target is above 0, for all candidates, those lowered by XTC included."""
    target = settings.adaptive_target
    if target is None or target <= 0:
        return left
    mean = math.nan if settings.adaptive_mean is None else settings.adaptive_mean
    wanted = adaptive_target(target, target if math.isnan(mean) else mean)
    return left.with_logits(adaptive_logits(softmax(left.logits), wanted))
