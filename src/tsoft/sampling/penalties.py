"""The samplers that change the logits of tokens in the history: penalties and DRY.

Each function takes logits, (..., n), a `History`, and the values of its sampler's parameters, and returns logits. A
token of the history that is not a class has no effect.
"""

from collections.abc import Callable
from math import inf, log

import numpy as np

from tsoft.core.softmax import Array
from tsoft.sampling.history import History

# The logarithm of the largest float32. llama.cpp limits exponents by it, so that a power does not overflow.
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
    indices, counts = np.unique(history.last(last_n), return_counts=True)
    return changed(z, indices, lambda x, i: divided(x, repetition) - (counts[i] * frequency + presence))


def divided(x: Array, repetition: float) -> Array:
    """Return logits after the repetition penalty, which divides the positive ones and multiplies the negative ones.

    Source: Keskar et al. 2019, "CTRL", equation 2, with the rule for negative logits that all engines use.

    >>> divided(np.array([2.0, -1.0]), 2.0)
    array([ 1., -2.])
    """
    return np.where(x < 0, x * repetition, x / repetition)


def changed(z: Array, indices: Array, change: Callable[[Array, Array], Array]) -> Array:
    """Return the logits with those of some classes changed, within the finite numbers. Masked ones stay masked.

    `change` gets the logits, and the places in `indices` of their classes. An index that is not a class is ignored.
    """
    places = np.flatnonzero(indices < z.shape[-1])
    columns = indices[places]
    result = z.copy()
    logits = z[..., columns]
    limits = np.finfo(z.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        clipped = np.clip(change(logits, places), limits.min, limits.max)
    result[..., columns] = np.where(logits > -inf, clipped, -inf)
    return result


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
    limit = repeat_limit(history, len(tokens))
    if limit < allowed_length:
        return z
    following = tokens[1:]
    if history.is_breaker is not None:
        # An index beyond the classes has no effect.
        is_exempt = history.is_breaker[len(history.tokens) - len(following) :]
        following = np.where(is_exempt, z.shape[-1], following)
    return penalize_extensions(z, following, extension_lengths(tokens, limit), multiplier, base, allowed_length)


def extension_lengths(tokens: Array, limit: int) -> Array:
    """Return the length of the repetition that each token but the first would extend, up to a limit: (m - 1,)."""
    return np.minimum(suffix_lengths(tokens), limit)[:-1]


def penalize_extensions(
    z: Array, following: Array, lengths: Array, multiplier: float, base: float, allowed_length: float
) -> Array:
    """Subtract multiplier · base^(length - allowed_length) from the logits of the tokens that would extend repetitions.

    `following` are these tokens and `lengths` the lengths of their repetitions, (m,) each. The longest one counts.

    >>> penalize_extensions(np.zeros(3), np.array([2, 0, 2]), np.array([2, 1, 3]), 1.0, 2.0, 2)
    array([ 0.,  0., -2.])
    """
    is_penalized = (lengths >= allowed_length) & (following < z.shape[-1])
    if not multiplier or not is_penalized.any():
        return z
    indices, positions = np.unique(following[is_penalized], return_inverse=True)
    longest = np.zeros(len(indices))
    np.maximum.at(longest, positions, lengths[is_penalized])
    exponents = longest - allowed_length
    if base > 1.000001:
        exponents = np.minimum(exponents, int(_MAX_LOG / log(base)))
    return changed(z, indices, lambda x, i: x - multiplier * base ** exponents[i])


def repeat_limit(history: History, length: int) -> int:
    """Return the maximum length of a repetition in the last `length` tokens: it ends at the last sequence breaker."""
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

    The last one is m. The others are the Z-array of the reversed tokens (Gusfield 1997, "Algorithms on Strings, Trees,
    and Sequences", section 1.3).

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
