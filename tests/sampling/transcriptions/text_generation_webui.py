"""text-generation-webui 1dcde41 (oobabooga/text-generation-webui), modules/sampler_hijack.py, the transformers loader.

The order is `sampler_priority` of modules/presets.py, by which the web interface and the API sort the warpers:
penalties, DRY, top-n-sigma, temperature, dynamic temperature, quadratic sampling, top-k, top-p, typical-p, epsilon,
eta, TFS, top-a, min-p, adaptive-p, mirostat, XTC. (The default in sampler_hijack.py has top-n-sigma after smoothing.)
Processors without a place in it, such as a bias, come first. The penalties and DRY share one range, of 1024 tokens by
default, 0 for all. XTC's exemption of newlines and the end token is left out.
"""

import math

import numpy as np

from sampling.transcriptions import transformers
from sampling.transcriptions.common import (
    FLOAT,
    History,
    Row,
    Settings,
    adaptive_logits,
    adaptive_target,
    biased,
    counts,
    descending,
    entropy,
    masked,
    mixture,
    quadratic,
    require,
    running_sum,
    softmax,
    total,
)

SUPPORTED = (
    "logit_bias repetition_penalty presence_penalty frequency_penalty penalty_last_n dry_multiplier dry_base"
    " dry_allowed_length dry_breakers top_n_sigma temperature temperature_last dynatemp_low dynatemp_high"
    " dynatemp_exponent smoothing_factor smoothing_curve top_k top_p typical_p epsilon_cutoff eta_cutoff tfs top_a"
    " min_p adaptive_target adaptive_decay adaptive_mean mirostat_tau mirostat_eta mirostat_mu xtc_probability"
    " xtc_threshold"
)
LONGEST_MATCH = 50


def text_generation_webui(logits: Row, settings: Settings, history: History) -> Row:
    """The default priority. `temperature_last` moves the temperature, fixed and dynamic, and smoothing to the end."""
    require(settings, "text-generation-webui", SUPPORTED)
    z = penalized(biased(logits, settings.logit_bias), settings, history)
    if settings.top_n_sigma:
        z = top_n_sigma(z, settings.top_n_sigma)
    if not settings.temperature_last:
        z = scaled(z, settings)
    z = drawn(removed(z, settings), settings)
    without, shortened = z, z
    if settings.xtc_probability:
        shortened = xtc(z, 0.1 if settings.xtc_threshold is None else settings.xtc_threshold)
    if settings.temperature_last:
        without, shortened = scaled(without, settings), scaled(shortened, settings)
    return mixture(softmax(without), softmax(shortened), settings.xtc_probability or 0)


def penalized(z: Row, settings: Settings, history: History) -> Row:
    """Repetition, presence and frequency penalties and DRY over one range."""
    last = 1024 if settings.penalty_last_n is None else settings.penalty_last_n
    window = history.last(last or -1)
    if settings.repetition_penalty is not None:
        z = transformers.repetition(z, settings.repetition_penalty, window)
    z = np.array(z, FLOAT)
    for token, count in counts(window).items():
        z[token] -= FLOAT(settings.presence_penalty or 0)
        z[token] -= FLOAT(count) * FLOAT(settings.frequency_penalty or 0)
    return dry(z, settings, window) if (settings.dry_multiplier or 0) > 0 else z


def dry(z: Row, settings: Settings, window: tuple[int, ...]) -> Row:
    """DRY with breakers of one token: none after one, none on one; a match ends before one, or at 50 tokens."""
    breakers = {breaker[-1] for breaker in settings.dry_breakers or ()}
    allowed = 2 if settings.dry_allowed_length is None else settings.dry_allowed_length
    out = np.array(z, FLOAT)
    if not window or window[-1] in breakers:
        return out
    lengths: dict[int, int] = {}
    for end in range(len(window) - 1):
        follower = window[end + 1]
        if window[end] != window[-1] or follower in breakers:
            continue
        length = 1
        while length < LONGEST_MATCH and length <= end:
            token = window[-1 - length]
            if window[end - length] != token or token in breakers:
                break
            length += 1
        lengths[follower] = max(length, lengths.get(follower, 0))
    base = 1.75 if settings.dry_base is None else settings.dry_base
    for token, length in lengths.items():
        if length >= allowed:
            out[token] -= FLOAT((settings.dry_multiplier or 0) * base ** (length - allowed))
    return out


def top_n_sigma(z: Row, n: float) -> Row:
    """Removes what lies more than n sample deviations below the maximum; a masked class counts as a logit of 0."""
    finite = np.where(np.isfinite(z), z, FLOAT(0)).astype(FLOAT)
    return masked(z, z < FLOAT(z.max() - FLOAT(n) * FLOAT(np.std(finite.astype(float), ddof=1))))


def scaled(z: Row, settings: Settings) -> Row:
    """Temperature, dynamic temperature, smoothing."""
    if settings.temperature is not None:
        z = transformers.temperature(z, settings.temperature)
    if settings.dynatemp_high is not None:
        low = 1 if settings.dynatemp_low is None else settings.dynatemp_low
        number = int((z > -np.inf).sum())
        share = FLOAT(max(entropy(softmax(z)), FLOAT(1e-10)) / (math.log(number) if number > 1 else 1e-10))
        exponent = FLOAT(1 if settings.dynatemp_exponent is None else settings.dynatemp_exponent)
        z = (z / FLOAT(FLOAT(low) + FLOAT(settings.dynatemp_high - low) * share**exponent)).astype(FLOAT)
    if (settings.smoothing_factor or 0) > 0:
        assert settings.smoothing_factor is not None
        z = quadratic(z, settings.smoothing_factor, 1 if settings.smoothing_curve is None else settings.smoothing_curve)
    return z


def removed(z: Row, settings: Settings) -> Row:
    """The warpers of transformers in this order, with TFS and top-a before min-p."""
    if settings.top_k:
        z = transformers.top_k(z, settings.top_k)
    if settings.top_p is not None and settings.top_p < 1:
        z = transformers.top_p(z, settings.top_p)
    if settings.typical_p is not None and settings.typical_p < 1:
        z = transformers.typical(z, settings.typical_p)
    if settings.epsilon_cutoff:
        z = transformers.epsilon(z, settings.epsilon_cutoff)
    if settings.eta_cutoff:
        z = transformers.eta(z, settings.eta_cutoff)
    if settings.tfs is not None and 0 <= settings.tfs < 1:
        z = tail_free(z, settings.tfs)
    if settings.top_a is not None and 0 < settings.top_a <= 1:
        p = softmax(z)
        z = masked(z, p < p.max() * p.max() * FLOAT(settings.top_a))
    return transformers.min_p(z, settings.min_p or 0)


def tail_free(z: Row, share: float) -> Row:
    """Keeps the first and those after second differences whose cumulative share is at most `share`; not the last."""
    order = descending(z)
    p = softmax(z[order])
    bends = np.abs(np.diff(np.diff(p))).astype(FLOAT)
    with np.errstate(divide="ignore", invalid="ignore"):
        gone = running_sum(bends / total(bends)) > FLOAT(share) if len(bends) else np.zeros(0, bool)
    removed_places = np.concatenate([[False], gone, [True]])
    out = np.zeros(len(z), bool)
    out[order] = removed_places[: len(z)]
    return masked(z, out)


def drawn(z: Row, settings: Settings) -> Row:
    """Adaptive-p, then mirostat v2; each draws in the source, which XTC and the final draw cannot change any more."""
    if settings.adaptive_target is not None and settings.adaptive_target > 0:
        logits = adaptive_logits(softmax(z), adaptive_target(settings.adaptive_target, settings.adaptive_mean))
        z = np.where(np.isfinite(z), logits, z).astype(FLOAT)
        if settings.mirostat_tau is not None or settings.xtc_probability:
            raise NotImplementedError("a class drawn by adaptive-p leaves nothing for mirostat or XTC")
    if settings.mirostat_tau is not None:
        if settings.xtc_probability:
            raise NotImplementedError("a class drawn by mirostat leaves nothing for XTC")
        mu = 2 * settings.mirostat_tau if settings.mirostat_mu is None else settings.mirostat_mu
        z = mirostat_v2(z, mu)
    return z


def mirostat_v2(z: Row, mu: float) -> Row:
    """From the largest, until a class has −log₂ p > μ; at least one."""
    order = descending(z)
    p = softmax(z[order])
    surprising = [i for i, value in enumerate(p) if value > 0 and -math.log2(value) > mu]
    out = np.zeros(len(z), bool)
    if surprising:
        out[order[max(surprising[0], 1) :]] = True
    return masked(z, out)


def xtc(z: Row, threshold: float) -> Row:
    """Sorted, removes a class if the next one has at least the threshold."""
    order = descending(z)
    gone = np.append(softmax(z[order])[1:] >= FLOAT(threshold), False)
    out = np.zeros(len(z), bool)
    out[order] = gone
    return masked(z, out)
