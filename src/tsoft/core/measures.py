"""Measures of a distribution at a temperature: entropy, perplexity, top class, margin.

Each takes logits and a temperature, not probabilities, since the rounding of probabilities loses
the digits that a measure near its limit consists of. Arguments, shapes and errors are `softmax`'s,
without the axis of classes.
"""

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.softmax import Array, ScaledRows, Taus, add_up, over_rows, sums, validate_logits


def entropy(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Shannon entropy in nats, H = log S + sum(-x_i exp(x_i)) / S with x and S as in `softmax`:
    no term is negative, so nothing cancels. Source: Shannon 1948, "A Mathematical Theory of
    Communication", section 6.

    >>> import tsoft
    >>> tsoft.entropy([0, 0, 0, 0]) == np.log(4)
    np.True_
    >>> tsoft.entropy([2, 1, 0.5, 0.1], tau=[0, 1]).round(4)
    array([0.    , 1.1211])
    """
    return over_rows(_entropy, z, tau)


def perplexity(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """exp(entropy): the effective number of classes, from 1 to n. Source: Jelinek, Mercer, Bahl &
    Baker 1977, "Perplexity: a measure of the difficulty of speech recognition tasks".

    >>> import tsoft
    >>> tsoft.perplexity([5, 5, -1e9]).round(4)
    np.float64(2.0)
    """
    return np.exp(entropy(z, tau))


def top(z: ArrayLike) -> Array:
    """Index of the most probable class, the lowest of those tied. No temperature changes it; at
    tau = inf, where all are equal, it is the one that is most probable just below.

    >>> import tsoft
    >>> tsoft.top([[0, 3, 3], [1, 0, 0]])
    array([1, 0])
    """
    return np.asarray(validate_logits(z).argmax(-1))[()]


def most_probable(logits: Array, z: Array) -> Array:
    """The index of the class with the highest of some logits, (..., n): (...). Among tied classes it is
    the one that is highest in the original logits z, and so most probable at any other temperature."""
    tied = logits == logits.max(-1, keepdims=True)
    return np.asarray(np.where(tied, z, -np.inf).argmax(-1))


def top_prob(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Probability of the most probable class: 1 / S.

    >>> import tsoft
    >>> tsoft.top_prob([2, 1, 0.5, 0.1], tau=0.5).round(4)
    np.float64(0.8282)
    """
    return over_rows(_top_prob, z, tau)


def margin(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """First minus second probability, as p_1 (1 - exp(-gap / tau)) so that a small difference is
    not lost; NaN if there is only one class. Source: Scheffer, Decomain & Wrobel 2001, "Active
    Hidden Markov Models for Information Extraction", section 4.

    >>> import tsoft
    >>> tsoft.margin([1e-20, 0])
    np.float64(5e-21)
    """
    return over_rows(_margin, z, tau)


def total_variation(p: ArrayLike, q: ArrayLike) -> Array:
    """Half the sum of |p - q| along the last axis: the most by which two distributions differ in the
    probability of any set of classes. p, q: probabilities, (..., n). Source: Levin, Peres & Wilmer
    2009, "Markov Chains and Mixing Times", proposition 4.2.

    >>> total_variation([0.5, 0.5, 0.0], [0.5, 0.0, 0.5])
    np.float64(0.5)
    """
    return np.asarray(abs(np.asarray(p) - np.asarray(q)).sum(-1) / 2)[()]


def _entropy(block: ScaledRows, out: Array) -> None:
    exp = np.exp(block.x, out=block.scratch)
    # exp(x) is 0 long before the clip; a masked class would be inf * 0.
    surprise = np.multiply(np.maximum(block.x, -1e4, out=block.x), exp, out=block.x)
    parts = sums(block, exp, exp)
    total = parts.log - add_up(surprise, block.axis, surprise) / parts.total
    out[...] = total.squeeze(block.axis)


def _top_prob(block: ScaledRows, out: Array) -> None:
    exp = np.exp(block.x, out=block.scratch)
    out[...] = 1.0 / sums(block, exp, exp).total.squeeze(block.axis)


def _margin(block: ScaledRows, out: Array) -> None:
    if block.x.shape[block.axis] == 1:
        out[...] = np.nan
        return
    second = _second_highest(block)
    exp = np.exp(block.x, out=block.scratch)
    # At tau = inf the difference would be -0.
    out[...] = abs(np.expm1(second)) / sums(block, exp, exp).total.squeeze(block.axis)


def _second_highest(block: ScaledRows) -> Array:
    """Each row's second highest x, which is 0 if classes tie at the maximum."""
    if block.argmax is None:
        return np.asarray(np.partition(block.x, -2, 0)[-2])
    # A partition of a long row takes far longer, above all where most of it is masked.
    block.x[block.argmax] = -np.inf
    second = block.x.max(1)
    block.x[block.argmax] = 0.0
    return np.asarray(second)


# The measures by their names in records and headers.
MEASURES = ("entropy", "perplexity", "top_prob", "margin", "log_sum_exp")
