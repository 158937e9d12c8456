"""vLLM 0.33.0 (vllm-project/vllm): the three implementations of top-k and top-p, and what comes before them.

sampling_params.py: a temperature between 0 and 0.01 becomes 0.01 when the request is parsed, before the test for
greedy sampling (under 1e-5), so that only temperature 0 is greedy. v1/sample/sampler.py and v1/worker/gpu/sample: bias,
penalties, temperature, min-p, top-k and top-p. The newer runner (worker/gpu) takes min-p on logits, the older one on
probabilities; here the Triton and FlashInfer paths do what the newer runner does, the PyTorch path what the older does.

The paths: v1/sample/ops/topk_topp_sampler.py (apply_top_k_top_p_pytorch, flashinfer_sample) and
v1/sample/ops/topk_topp_triton.py, whose kernels are in `vllm_triton_kernels`.
"""

import numpy as np

from sampling.transcriptions import flashinfer, vllm_triton_kernels
from sampling.transcriptions.common import (
    FLOAT,
    History,
    Row,
    Settings,
    ascending,
    biased,
    counts,
    descending,
    greedy,
    masked,
    normalized,
    require,
    running_sum,
    softmax,
)

SUPPORTED = "temperature top_k top_p min_p repetition_penalty presence_penalty frequency_penalty logit_bias"


def vllm_pytorch(logits: Row, settings: Settings, history: History) -> Row:
    """Without Triton, as on a CPU: ascending sums up to 1 − p go (1 − p in float32), and ties with the k-th stay."""
    z = penalized(logits, settings, history)
    if is_greedy(settings):
        return greedy(z)
    z = tempered(z, settings)
    if settings.min_p:
        p = softmax(z)
        z = masked(z, p < p.max() * FLOAT(settings.min_p))
    order = ascending(z)
    left = z[order]
    left = masked(left, left < left[-top_k_of(settings, len(z))])
    if top_p_of(settings) < 1:
        removed = running_sum(softmax(left)) <= FLOAT(FLOAT(1) - FLOAT(top_p_of(settings)))
        removed[-1] = False
        left = masked(left, removed)
    out = np.empty(len(z), FLOAT)
    out[order] = left
    return softmax(out)


def vllm_flashinfer(logits: Row, settings: Settings, history: History) -> Row:
    """With FlashInfer: top-k with its ties, a new softmax, then top-p with its ties. Not FlashInfer's joint order.

    flashinfer_sample calls top_k_top_p_sampling_from_logits without `filter_apply_order`, whose default is
    "top_k_first". A request without top-k and top-p takes the native path.
    """
    z = penalized(logits, settings, history)
    if is_greedy(settings):
        return greedy(z)
    z = min_p_of_logits(tempered(z, settings), settings)
    p = softmax(flashinfer.top_k_mask_logits(z, top_k_of(settings, len(z))))
    if top_p_of(settings) == 1:
        return p
    return normalized(np.where(flashinfer.top_p_keeps(p, top_p_of(settings)), p, FLOAT(0)))


def vllm_triton(logits: Row, settings: Settings, history: History) -> Row:
    """With Triton, in a batch of at most 64 rows: what the kernels' searches return, for small vocabularies as well."""
    z = penalized(logits, settings, history)
    if is_greedy(settings):
        return greedy(z)
    z = min_p_of_logits(tempered(z, settings), settings)
    k, p = top_k_of(settings, len(z)), top_p_of(settings)
    if k < len(z):
        z = vllm_triton_kernels.monolithic(z, k, p)
    elif p < 1:
        z = vllm_triton_kernels.split_top_p(z, p)
    return softmax(z)


def vllm_triton_rule(logits: Row, settings: Settings, history: History) -> Row:
    """What the Triton kernels search: the k largest, then the fewest whose mass reaches p; of ties the lowest ids.

    With a real vocabulary they find it, but for ties. With a small one, they cannot cut a row in which all logits are
    equal, and top-k with top-p and a single top-k lose classes tied with the smallest logit: see `vllm_triton`.
    """
    z = penalized(logits, settings, history)
    if is_greedy(settings):
        return greedy(z)
    z = min_p_of_logits(tempered(z, settings), settings)
    removed = np.ones(len(z), bool)
    removed[descending(z)[: top_k_of(settings, len(z))]] = False
    z = masked(z, removed)
    p = softmax(z)
    order = descending(p)
    before = np.append(FLOAT(0), running_sum(p[order])[:-1])
    removed[order] |= before >= FLOAT(top_p_of(settings))
    return softmax(masked(z, removed))


def penalized(logits: Row, settings: Settings, history: History) -> Row:
    """Bias; repetition over the whole history (z > 0 times 1/r, else r); frequency and presence over the output."""
    require(settings, "vLLM", SUPPORTED)
    z = biased(logits, settings.logit_bias)
    r = FLOAT(1 if settings.repetition_penalty is None else settings.repetition_penalty)
    for token in set(history.tokens):
        z[token] *= FLOAT(FLOAT(1) / r) if z[token] > 0 else r
    for token, count in counts(history.generated).items():
        z[token] -= FLOAT(settings.frequency_penalty or 0) * FLOAT(count)
        z[token] -= FLOAT(settings.presence_penalty or 0)
    return z


def is_greedy(settings: Settings) -> bool:
    """Whether the request is greedy, which also turns off top-k, top-p and min-p."""
    return settings.temperature == 0


def tempered(z: Row, settings: Settings) -> Row:
    """The logits divided by the temperature, which is at least 0.01."""
    return (z / FLOAT(1 if settings.temperature is None else max(settings.temperature, 0.01))).astype(FLOAT)


def min_p_of_logits(z: Row, settings: Settings) -> Row:
    """Min-p of the newer runner: removes what is below maximum + ln(min-p)."""
    return masked(z, z < z.max() + np.log(FLOAT(settings.min_p))) if settings.min_p else z


def top_k_of(settings: Settings, size: int) -> int:
    """Top-k as a number of classes; 0, −1 or more than there are is all."""
    return size if settings.top_k is None or not 0 < settings.top_k <= size else settings.top_k


def top_p_of(settings: Settings) -> float:
    """Top-p, 1 if it is not set."""
    return 1 if settings.top_p is None else settings.top_p
