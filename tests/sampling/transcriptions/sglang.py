"""SGLang 0.5.23 (sgl-project/sglang), srt/layers/sampler.py, srt/sampling/penaltylib and sampling_params.py.

Order: the additive penalties, the repetition penalty (all over the output only), bias, temperature, softmax, then
top-k, top-p and min-p on probabilities. A temperature under 1e-6 becomes temperature 1 with top-k 1, which is argmax if
all requests of the batch are greedy.
"""

import numpy as np

from sampling.transcriptions import flashinfer
from sampling.transcriptions.common import (
    FLOAT,
    History,
    Row,
    Settings,
    biased,
    counts,
    descending,
    greedy,
    normalized,
    require,
    running_sum,
    softmax,
)

SUPPORTED = "temperature top_k top_p min_p repetition_penalty presence_penalty frequency_penalty logit_bias"


def sglang_pytorch(logits: Row, settings: Settings, history: History) -> Row:
    """The PyTorch path, also that of deterministic inference: the cumulative sum is not renormalized after top-k."""
    z = adjusted(logits, settings, history)
    if is_greedy(settings):
        return greedy(z)
    p = tempered(z, settings)
    return filtered(p, settings) if is_filtered(settings, len(p)) else p


def filtered(p: Row, settings: Settings) -> Row:
    """Top-k, top-p and min-p on the sorted probabilities (top_k_top_p_min_p_sampling_from_probs_torch)."""
    order = descending(p)
    left = p[order]
    sums = running_sum(left)
    left[np.arange(len(left)) >= top_k_of(settings, len(p))] = 0
    left[(sums - left).astype(FLOAT) > FLOAT(top_p_of(settings))] = 0
    left[left < left[0] * FLOAT(settings.min_p or 0)] = 0
    out = np.zeros(len(p), FLOAT)
    out[order] = left
    return normalized(out)


def sglang_flashinfer(logits: Row, settings: Settings, history: History) -> Row:
    """The FlashInfer path: joint top-k and top-p; with min-p a chain that renormalizes after top-k and top-p."""
    z = adjusted(logits, settings, history)
    if is_greedy(settings):
        return greedy(z)
    p = tempered(z, settings)
    if not is_filtered(settings, len(p)):
        return p
    k, limit = top_k_of(settings, len(p)), top_p_of(settings)
    if settings.min_p:
        return flashinfer.min_p(flashinfer.top_p_renorm(flashinfer.top_k_renorm(p, k), limit), settings.min_p)
    return flashinfer.joint(p, k, limit)


def adjusted(logits: Row, settings: Settings, history: History) -> Row:
    """The logits after penalties and bias (SamplingBatchInfo.apply_logits_bias)."""
    require(settings, "SGLang", SUPPORTED)
    z = np.array(logits, FLOAT)
    output = counts(history.generated)
    for token, count in output.items():
        charge = FLOAT(0)
        for _ in range(count):
            charge += FLOAT(settings.frequency_penalty or 0)
        z[token] -= FLOAT(charge + FLOAT(settings.presence_penalty or 0))
    if settings.repetition_penalty is not None:
        r = FLOAT(settings.repetition_penalty)
        for token in output:
            z[token] = z[token] * r if z[token] < 0 else z[token] / r
    return biased(z, settings.logit_bias)


def is_greedy(settings: Settings) -> bool:
    """Whether the request is greedy: top-k 1, or a temperature under 1e-6."""
    return settings.top_k == 1 or (settings.temperature is not None and 0 <= settings.temperature < 1e-6)


def is_filtered(settings: Settings, size: int) -> bool:
    """Whether the request has a top-k, a top-p or a min-p; without them, the draw is from the softmax."""
    return top_k_of(settings, size) < size or top_p_of(settings) != 1 or bool(settings.min_p)


def tempered(z: Row, settings: Settings) -> Row:
    """The softmax at the temperature."""
    return softmax(z / FLOAT(1 if settings.temperature is None else settings.temperature))


def top_k_of(settings: Settings, size: int) -> int:
    """Top-k as a number of classes; −1 is all."""
    return size if settings.top_k is None or settings.top_k == -1 else min(settings.top_k, size)


def top_p_of(settings: Settings) -> float:
    """Top-p, 1 if it is not set."""
    return 1 if settings.top_p is None else settings.top_p
