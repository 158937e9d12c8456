"""The penalties and DRY of engines, where they differ from those in `penalties`.

As there, each function takes logits, (..., n), a `History`, and the values of its sampler's parameters, and returns
logits. `engines` names the version of the source from which each rule is taken.
"""

from math import inf

import numpy as np

from tsoft.core.softmax import Array
from tsoft.sampling.history import History
from tsoft.sampling.penalties import (
    changed,
    divided,
    dry,
    extension_lengths,
    penalize_extensions,
    penalties,
    repeat_limit,
)


def repetition_only(z: Array, history: History, repetition: float) -> Array:
    """Penalize each token of the text, as transformers does."""
    return _repetition(z, history.tokens, repetition)


def presence_and_repetition(z: Array, history: History, repetition: float, presence: float, last_n: float) -> Array:
    """Apply no frequency penalty, and consider at least one token, as KoboldCpp does."""
    return penalties(z, history, repetition, presence, last_n=max(last_n, 1.0))


def output_only_after_repetition(
    z: Array, history: History, repetition: float, presence: float, frequency: float
) -> Array:
    """Apply the repetition penalty to the prompt and the output, then the other penalties to the output alone, as vLLM
    does."""
    return _presence_and_frequency(_repetition(z, history.tokens, repetition), history.generated, presence, frequency)


def output_only_before_repetition(
    z: Array, history: History, repetition: float, presence: float, frequency: float
) -> Array:
    """Penalize the output alone, first by the presence and frequency penalties, as SGLang does."""
    output = history.generated
    return _repetition(_presence_and_frequency(z, output, presence, frequency), output, repetition)


def _repetition(z: Array, tokens: Array, repetition: float) -> Array:
    return changed(z, np.unique(tokens), lambda x, _: divided(x, repetition))


def _presence_and_frequency(z: Array, tokens: Array, presence: float, frequency: float) -> Array:
    indices, counts = np.unique(tokens, return_counts=True)
    return changed(z, indices, lambda x, i: x - (counts[i] * frequency + presence))


def whole_text_at_0(
    z: Array, history: History, repetition: float, presence: float, frequency: float, last_n: float
) -> Array:
    """Consider the whole text if last_n is 0, as text-generation-webui and mlx-lm do."""
    return penalties(z, history, repetition, presence, frequency, last_n or inf)


def dry_whole_text_at_0(
    z: Array, history: History, multiplier: float, base: float, allowed_length: float, last_n: float
) -> Array:
    """Consider the whole text if last_n is 0, as ExLlamaV3 does."""
    return dry(z, history, multiplier, base, allowed_length, last_n or inf)


def dry_koboldcpp(
    z: Array, history: History, multiplier: float, base: float, allowed_length: float, last_n: float
) -> Array:
    """Penalize breakers like other tokens, but nothing if the last one is within the allowed length, as KoboldCpp does.
    With last_n 0, consider the whole text."""
    tokens = history.last(last_n or inf)
    limit = repeat_limit(history, len(tokens))
    if limit <= allowed_length:
        return z
    return penalize_extensions(z, tokens[1:], extension_lengths(tokens, limit), multiplier, base, allowed_length)


# text-generation-webui compares no more tokens than this.
_LONGEST_MATCH = 50


def dry_up_to_50(
    z: Array, history: History, multiplier: float, base: float, allowed_length: float, last_n: float
) -> Array:
    """Count repetitions of 1 to 50 tokens, as text-generation-webui does: they end at a token that is a breaker. With
    last_n 0, consider the whole text."""
    tokens = history.last(last_n or inf)
    if len(tokens) < 2:
        return z
    following, limit = tokens[1:], _LONGEST_MATCH
    if history.is_breaker is not None:
        is_breaker = history.is_breaker[len(history.tokens) - len(tokens) :]
        limit = min(limit, int(is_breaker[::-1].argmax())) if is_breaker.any() else limit
        following = np.where(is_breaker[1:], z.shape[-1], following)
    lengths = extension_lengths(tokens, limit)
    # An index beyond the classes has no effect.
    following = np.where(lengths > 0, following, z.shape[-1])
    return penalize_extensions(z, following, lengths, multiplier, base, allowed_length)
