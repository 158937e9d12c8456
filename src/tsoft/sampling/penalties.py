"""The samplers that change the logits of tokens in the history: penalties and DRY.

Each function takes logits, (..., n), a `History`, and the values of its sampler's parameters, and returns logits. A
token of the history that is not a class has no effect.
"""

from math import inf, log

import numpy as np

from tsoft.core.softmax import Array
from tsoft.sampling.history import History

# The largest exponent for which a power does not overflow in float32, as in llama.cpp.
_MAX_LOG = 88.7228391


def penalties(
    z: Array,
    history: History,
    repetition: float = 1.0,
    presence: float = 0.0,
    frequency: float = 0.0,
    last_n: float = inf,
) -> Array:
    """Penalize the last tokens of the history, as llama.cpp does: first by the repetition penalty.

    >>> penalties(np.array([2.0, -1.0, 1.0]), History(np.array([0, 1, 1])), repetition=2.0, frequency=0.5)
    array([ 0.5, -3. ,  1. ])
    """
    tokens = history.last(last_n)
    return subtract_counts(divide_repeated(z, tokens, repetition), tokens, presence, frequency)


def divide_repeated(z: Array, tokens: Array, repetition: float) -> Array:
    """Divide the positive logits of some tokens by the repetition penalty, and multiply the negative ones by it.

    Source: Keskar et al. 2019, "CTRL", equation 2, with the rule for negative logits that all engines use.

    >>> divide_repeated(np.array([2.0, -1.0, 1.0]), np.array([0, 1]), 2.0)
    array([ 1., -2.,  1.])
    """
    if repetition == 1:
        return z
    indices = np.unique(tokens[tokens < z.shape[-1]])
    result = z.copy()
    logits = z[..., indices]
    with np.errstate(over="ignore"):
        penalized = np.where(logits < 0, logits * repetition, logits / repetition)
    result[..., indices] = _finite(penalized, logits)
    return result


def subtract_counts(z: Array, tokens: Array, presence: float, frequency: float) -> Array:
    """Subtract presence + count · frequency from the logit of each of some tokens, by the number of times it occurs.

    Source: OpenAI, "API reference", chat completions, presence_penalty and frequency_penalty.

    >>> subtract_counts(np.array([2.0, 1.0, 0.0]), np.array([0, 0, 1]), 0.5, 0.25)
    array([1.  , 0.25, 0.  ])
    """
    if not presence and not frequency:
        return z
    indices, counts = np.unique(tokens[tokens < z.shape[-1]], return_counts=True)
    return subtracted(z, indices, counts * frequency + presence)


def subtracted(z: Array, indices: Array, amounts: Array) -> Array:
    """Return the logits with an amount subtracted from each of some classes."""
    result = z.copy()
    logits = z[..., indices]
    with np.errstate(over="ignore"):
        result[..., indices] = _finite(logits - amounts, logits)
    return result


def _finite(changed: Array, logits: Array) -> Array:
    """Return changed logits within the finite numbers, with -inf for the masked ones."""
    limits = np.finfo(logits.dtype)
    return np.asarray(np.where(logits > -inf, np.clip(changed, limits.min, limits.max), -inf), logits.dtype)


def dry(
    z: Array,
    history: History,
    multiplier: float,
    base: float = 1.75,
    allowed_length: float = 2,
    last_n: float = inf,
) -> Array:
    """Penalize the tokens that would extend a repetition of the end of the history.

    A token that followed an earlier occurrence of the last L tokens is penalized by
    multiplier · base^(L - allowed_length), if L is at least the allowed length. A sequence does not reach back beyond a
    sequence breaker, and tokens that are breakers are not penalized.

    Source: p-e-w, text-generation-webui pull request 5677, 2024, by llama.cpp's rules.

    >>> dry(np.zeros(4), History(np.array([0, 1, 2, 0, 1])), 0.8, 1.75, 2)
    array([ 0. ,  0. , -0.8,  0. ])
    """
    tokens = history.last(last_n)
    limit = _repeat_limit(history, len(tokens))
    if not multiplier or len(tokens) <= allowed_length or limit < allowed_length:
        return z
    lengths = np.minimum(suffix_lengths(tokens), limit)[:-1]
    following = tokens[1:]
    is_penalized = (lengths >= allowed_length) & (following < z.shape[-1])
    if history.is_breaker is not None:
        is_penalized &= ~history.is_breaker[len(history.tokens) - len(following) :]
    indices, positions = np.unique(following[is_penalized], return_inverse=True)
    longest = np.zeros(len(indices))
    np.maximum.at(longest, positions, lengths[is_penalized])
    exponents = longest - allowed_length
    if base > 1.000001:
        exponents = np.minimum(exponents, int(_MAX_LOG / log(base)))
    return subtracted(z, indices, multiplier * base**exponents)


def _repeat_limit(history: History, length: int) -> int:
    """Return the maximum length of a repetition, which ends at the last sequence breaker in the window."""
    if history.breaks is None:
        return length
    newest_first = history.breaks[::-1][:length]
    # A breaker of several tokens ends at its last one, which must be in the history.
    is_break = (newest_first >= 0) & (newest_first <= np.arange(len(newest_first)))
    if not is_break.any():
        return length
    place = int(is_break.argmax())
    return place - int(newest_first[place])


def suffix_lengths(tokens: Array) -> Array:
    """Return the length of the longest common suffix of all tokens and of the tokens up to each position: (m,).

    The last one is m. The others are a Z-array (Gusfield 1997, section 1.3) of the reversed tokens.

    >>> suffix_lengths(np.array([7, 1, 2, 9, 1, 2]))
    array([0, 0, 2, 0, 0, 6])
    """
    newest_first = tokens[::-1].tolist()
    count = len(newest_first)
    lengths = [count] * count
    left = right = 0
    for i in range(1, count):
        length = min(right - i, lengths[i - left]) if i < right else 0
        while i + length < count and newest_first[length] == newest_first[i + length]:
            length += 1
        lengths[i] = length
        if i + length > right:
            left, right = i, i + length
    return np.array(lengths[::-1])
