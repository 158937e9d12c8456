"""mlx-lm (ml-explore/mlx-lm), sample_utils.py: the release 0.32.2, and commit d78bf58, whose version is 0.32.0.

`generate_step` applies the logits processors (bias, then the repetition, presence and frequency penalties) and gives
log-probabilities to the sampler: top-p, min-p, XTC, top-k, temperature. Only top-p differs between the two.
"""

import math

import numpy as np

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
    mixture,
    require,
    running_sum,
    softmax,
    total,
)

SUPPORTED = (
    "temperature top_k top_p min_p xtc_probability xtc_threshold repetition_penalty presence_penalty"
    " frequency_penalty penalty_last_n logit_bias"
)
# Without a temperature, an mlx-lm sampler is greedy.
DEFAULTS = Settings(temperature=0.0)


def mlx_lm_0_32_2(logits: Row, settings: Settings, history: History) -> Row:
    """mlx-lm 0.32.2: top-p keeps a class if the mass strictly above it is less than p of the total, and its ties."""
    require(settings, "mlx-lm", SUPPORTED)
    log_p = logprobs(logits, settings, history)
    if settings.top_p is not None and 0 < settings.top_p < 1 and settings.temperature != 0:
        log_p = top_p(log_p, settings.top_p)
    return rest(log_p, settings)


def mlx_lm_d78bf58(logits: Row, settings: Settings, history: History) -> Row:
    """mlx-lm d78bf58: top-p drops ascending sums up to 1 − p, the last class too. All zero if it drops everything."""
    require(settings, "mlx-lm", SUPPORTED)
    log_p = logprobs(logits, settings, history)
    if settings.top_p is not None and 0 < settings.top_p < 1 and settings.temperature != 0:
        log_p = old_top_p(log_p, settings.top_p)
        if log_p.max() == -np.inf:
            return np.zeros(len(logits), FLOAT)
    return rest(log_p, settings)


def logprobs(logits: Row, settings: Settings, history: History) -> Row:
    """Bias, penalties over the last 20 tokens (prompt included), then log-softmax.

    The presence penalty counts a token once, the frequency penalty each time. A penalty of 0 is off.
    """
    z = biased(logits, settings.logit_bias)
    # tokens[-0:] are all tokens.
    window = counts(history.last(20 if settings.penalty_last_n is None else settings.penalty_last_n or -1))
    for token in window if settings.repetition_penalty else ():
        r = FLOAT(settings.repetition_penalty)
        z[token] = z[token] * r if z[token] < 0 else z[token] / r
    for token in window if settings.presence_penalty else ():
        z[token] -= FLOAT(settings.presence_penalty)
    for token, count in window.items() if settings.frequency_penalty else ():
        for _ in range(count):
            z[token] -= FLOAT(settings.frequency_penalty)
    top = z.max()
    return np.asarray(z - (top + np.log(total(np.exp(z - top)))), FLOAT)


def rest(log_p: Row, settings: Settings) -> Row:
    """Min-p, XTC, top-k and temperature; at temperature 0, the first maximum before all samplers."""
    if settings.temperature == 0:
        return greedy(log_p)
    if settings.min_p:
        log_p = masked(log_p, log_p < log_p.max() + FLOAT(math.log(settings.min_p)))
    if not settings.xtc_probability:
        return drawn(log_p, settings)
    threshold = 0.1 if settings.xtc_threshold is None else settings.xtc_threshold
    return mixture(drawn(log_p, settings), drawn(xtc(log_p, threshold), settings), settings.xtc_probability)


def top_p(log_p: Row, p: float) -> Row:
    """Drops classes below the first, in descending order, before which the mass has reached p of the total."""
    order = ascending(log_p)
    values = np.exp(log_p[order])
    above = np.append(running_sum(values[::-1])[:-1][::-1], FLOAT(0)).astype(FLOAT)
    dropped = int((above >= FLOAT(p) * FLOAT(above[0] + values[0])).sum())
    return masked(log_p, log_p < log_p[order[dropped]])


def old_top_p(log_p: Row, p: float) -> Row:
    """Drops classes whose ascending cumulative sum is at most 1 − p."""
    order = ascending(log_p)
    removed = np.zeros(len(log_p), bool)
    removed[order] = running_sum(np.exp(log_p[order])) <= FLOAT(1 - p)
    return masked(log_p, removed)


def xtc(log_p: Row, threshold: float) -> Row:
    """Removes what is more probable than the least probable class over the threshold (strictly over, and with ties)."""
    p = softmax(log_p)
    over = p[p > FLOAT(threshold)]
    return masked(log_p, p > over.min()) if len(over) else log_p


def drawn(log_p: Row, settings: Settings) -> Row:
    """Exactly k classes, of tied ones any; then the draw at the temperature."""
    if settings.top_k is not None and settings.top_k > 0:
        if settings.top_k >= len(log_p):
            raise ValueError(f"mlx-lm refuses top_k {settings.top_k} for {len(log_p)} classes")
        removed = np.ones(len(log_p), bool)
        removed[descending(log_p)[: settings.top_k]] = False
        log_p = masked(log_p, removed)
    return softmax(log_p * FLOAT(1 / (1 if settings.temperature is None else settings.temperature)))
