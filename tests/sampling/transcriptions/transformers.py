"""transformers 5.24.0 (huggingface/transformers), generation/logits_process.py and generation/utils.py.

`_get_logits_processor` fixes the order: sequence bias, repetition penalty, then, when sampling, temperature, top-h,
top-k, top-p, min-p, typical-p, epsilon cutoff and eta cutoff. Each warper takes a new softmax of what the one before
it has left.
"""

import numpy as np

from sampling.transcriptions.common import (
    FLOAT,
    History,
    Row,
    Settings,
    ascending,
    biased,
    descending,
    masked,
    require,
    running_sum,
    softmax,
    total,
)

SUPPORTED = "temperature top_h top_k top_p min_p typical_p epsilon_cutoff eta_cutoff repetition_penalty logit_bias"


def transformers(logits: Row, settings: Settings, history: History) -> Row:
    """`generate(do_sample=True)` with one beam. Raises ValueError for a temperature that is not above 0."""
    require(settings, "transformers", SUPPORTED)
    z = biased(logits, settings.logit_bias)
    if settings.repetition_penalty is not None:
        z = repetition(z, settings.repetition_penalty, history.tokens)
    if settings.temperature is not None:
        z = temperature(z, settings.temperature)
    if settings.top_h is not None:
        z = top_h(z, settings.top_h)
    if settings.top_k:
        z = top_k(z, settings.top_k)
    if settings.top_p is not None and settings.top_p < 1:
        z = top_p(z, settings.top_p)
    if settings.min_p is not None:
        z = min_p(z, settings.min_p)
    if settings.typical_p is not None and settings.typical_p < 1:
        z = typical(z, settings.typical_p)
    if settings.epsilon_cutoff is not None and 0 < settings.epsilon_cutoff < 1:
        z = epsilon(z, settings.epsilon_cutoff)
    if settings.eta_cutoff is not None and 0 < settings.eta_cutoff < 1:
        z = eta(z, settings.eta_cutoff)
    return softmax(z)


def repetition(z: Row, penalty: float, tokens: tuple[int, ...]) -> Row:
    """Once for each token of the prompt and the output: a negative logit times the penalty, others divided by it."""
    out = np.array(z, FLOAT)
    for token in set(tokens):
        out[token] = out[token] * FLOAT(penalty) if out[token] < 0 else out[token] / FLOAT(penalty)
    return out


def temperature(z: Row, tau: float) -> Row:
    """All logits divided by the temperature."""
    if not tau > 0:
        raise ValueError(f"transformers refuses temperature {tau}")
    return (z / FLOAT(tau)).astype(FLOAT)


def top_h(z: Row, share: float) -> Row:
    """Of the 100 largest, those up to which the sum of −p·ln p stays within `share` of their entropy; the first always.

    The term of a class with p = 0 is not a number, which ends the set.
    """
    order = descending(z)[:100]
    p = softmax(z[order])
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = -p * np.log(p)
    limit = FLOAT(np.nansum(terms, dtype=FLOAT)) * FLOAT(share)
    removed = np.ones(len(z), bool)
    removed[order[running_sum(terms) <= limit]] = False
    removed[order[0]] = False
    return masked(z, removed)


def top_k(z: Row, k: int) -> Row:
    """Removes what is smaller than the k-th largest, so ties with it stay."""
    return masked(z, z < np.sort(z)[-min(k, len(z))])


def top_p(z: Row, p: float) -> Row:
    """Sorted ascending, removes those whose cumulative sum is at most 1 − p (in double, then rounded); not the last."""
    order = ascending(z)
    out_of_nucleus = running_sum(softmax(z[order])) <= FLOAT(1 - p)
    out_of_nucleus[-1] = False
    removed = np.zeros(len(z), bool)
    removed[order] = out_of_nucleus
    return masked(z, removed)


def min_p(z: Row, share: float) -> Row:
    """Removes what is less probable than `share` of the largest probability."""
    p = softmax(z)
    return masked(z, p < FLOAT(share) * p.max())


def typical(z: Row, mass: float) -> Row:
    """Keeps classes whose surprisal is nearest to the entropy, up to `mass`, and those as near as the last of them."""
    top = z.max()
    log_p = (z - top - np.log(total(np.exp(z - top)))).astype(FLOAT)
    with np.errstate(invalid="ignore"):
        shift = np.abs(-log_p + FLOAT(np.nansum(log_p * np.exp(log_p), dtype=FLOAT)))
    order = ascending(shift)
    last = min(int((running_sum(softmax(z[order])) < FLOAT(mass)).sum()), len(z) - 1)
    removed = shift > shift[order[last]]
    removed[order[0]] = False
    return masked(z, removed)


def epsilon(z: Row, cutoff: float) -> Row:
    """Removes what is less probable than the cutoff, but not a class with the largest logit."""
    return masked(z, (softmax(z) < FLOAT(cutoff)) & (z < z.max()))


def eta(z: Row, cutoff: float) -> Row:
    """As epsilon, with the cutoff min(ε, √ε · exp(−entropy))."""
    p = softmax(z)
    with np.errstate(divide="ignore", invalid="ignore"):
        nats = -FLOAT(np.nansum(p * np.log(p), dtype=FLOAT))
    threshold = min(FLOAT(cutoff), np.sqrt(FLOAT(cutoff)) * np.exp(-nats))
    return masked(z, (p < threshold) & (z < z.max()))
