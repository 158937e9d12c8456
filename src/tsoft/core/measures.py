"""Measures of a distribution at a temperature: entropy, perplexity, top class, margin, varentropy.

Each function takes logits and a temperature, not probabilities: the rounding of probabilities would
lose the digits of a measure near its limit.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.softmax import (
    Array,
    Taus,
    normalizer,
    over_rows,
    per_row,
    require_softmax,
    validate_logits,
)
from tsoft.core.sums import add_up, exact_sum

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def entropy(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Return the entropy of the distribution at a temperature, in nats.

    The entropy is ``-sum(p * log(p))``, from 0, if one class has all the probability, to ``log(n)``, if n
    classes share it evenly.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.

    Returns
    -------
    ndarray, shape (...) or (k, ...)
        The entropy of each row, in nats.
        A scalar for a single row. float32 and float16 input gives float32, all other input float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If there are no classes, or if a temperature is negative or NaN.
    TypeError
        If `z` does not contain real numbers.

    Notes
    -----
    Computed as ``log(S) + sum(-x * exp(x)) / S`` with ``x = (z - max(z)) / tau`` and ``S = sum(exp(x))``. No
    term is negative, so nothing cancels. Divide by ``log(2)`` for bits.

    References
    ----------
    .. [1] C. E. Shannon, "A Mathematical Theory of Communication", 1948, section 6.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.entropy([0, 0, 0, 0])
    np.float64(1.3862943611198906)
    >>> tsoft.entropy([2, 1, 0.5, 0.1], tau=[0, 1]).round(4)
    array([0.    , 1.1211])
    """
    return over_rows(_entropy, z, tau)


def perplexity(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Return the perplexity: the effective number of classes, ``exp(entropy(z, tau))``.

    It is 1 if one class has all the probability, and n if n classes share it evenly.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.

    Returns
    -------
    ndarray, shape (...) or (k, ...)
        The perplexity of each row.
        A scalar for a single row. float32 and float16 input gives float32, all other input float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If there are no classes, or if a temperature is negative or NaN.
    TypeError
        If `z` does not contain real numbers.

    References
    ----------
    .. [1] F. Jelinek, R. L. Mercer, L. R. Bahl and J. K. Baker, "Perplexity: a measure of the difficulty of
       speech recognition tasks", Journal of the Acoustical Society of America 62, 1977.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.perplexity([5, 5, -1e9]).round(4)
    np.float64(2.0)
    """
    return np.exp(entropy(z, tau))


def top(z: ArrayLike) -> Array:
    """Return the index of the most probable class.

    It is the same at every temperature. If classes tie, it is the one with the lowest index.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.

    Returns
    -------
    ndarray of int64, shape (...)
        The index of each row's highest logit. A scalar for a single row.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If there are no classes.
    TypeError
        If `z` does not contain real numbers.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.top([[0, 3, 3], [1, 0, 0]])
    array([1, 0])
    """
    z = validate_logits(z)
    require_softmax(z)
    return np.asarray(z.argmax(-1))[()]


def most_probable(logits: Array, z: Array) -> Array:
    """Return the index of the class with the highest of some logits, (..., n): (...). If classes tie, it is
    the one that is highest in the original logits z, and so the most probable at any other temperature."""
    tied = logits == logits.max(-1, keepdims=True)
    return np.asarray(np.where(tied, z, -np.inf).argmax(-1))


def top_prob(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Return the probability of the most probable class at a temperature.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.

    Returns
    -------
    ndarray, shape (...) or (k, ...)
        The highest probability of each row.
        A scalar for a single row. float32 and float16 input gives float32, all other input float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If there are no classes, or if a temperature is negative or NaN.
    TypeError
        If `z` does not contain real numbers.

    Notes
    -----
    Computed as ``1 / sum(exp((z - max(z)) / tau))``.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.top_prob([2, 1, 0.5, 0.1], tau=0.5).round(4)
    np.float64(0.8282)
    """
    return over_rows(_top_prob, z, tau)


def margin(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Return the difference between the two highest probabilities at a temperature.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.

    Returns
    -------
    ndarray, shape (...) or (k, ...)
        The margin of each row; NaN if there is only one class.
        A scalar for a single row. float32 and float16 input gives float32, all other input float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If there are no classes, or if a temperature is negative or NaN.
    TypeError
        If `z` does not contain real numbers.

    Notes
    -----
    Computed as ``p1 * (1 - exp(-gap / tau))`` with the highest probability p1 and the difference `gap`
    between the two highest logits, so that a small margin keeps its precision.

    References
    ----------
    .. [1] T. Scheffer, C. Decomain and S. Wrobel, "Active Hidden Markov Models for Information Extraction",
       2001, section 4.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.margin([1e-20, 0])
    np.float64(5e-21)
    """
    return over_rows(_margin, z, tau)


def varentropy(z: ArrayLike, tau: Taus = 1.0) -> Array:
    """Return the varentropy of the distribution at a temperature: the variance of the surprise, in nats squared.

    The surprise of a class is ``-log(p)``, and its mean is the entropy H. The varentropy is
    ``sum(p * (-log(p) - H) ** 2)``. It is 0 if all classes with nonzero probability are equally
    probable.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.

    Returns
    -------
    ndarray, shape (...) or (k, ...)
        The varentropy of each row, in nats squared.
        A scalar for a single row. float32 and float16 input gives float32, all other input float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If there are no classes, or if a temperature is negative or NaN.
    TypeError
        If `z` does not contain real numbers.

    Notes
    -----
    Computed as the variance of ``x = (z - max(z)) / tau``, which differs from ``log(p)`` by a constant. No term
    is negative, so nothing cancels. Divide by ``log(2) ** 2`` for bits squared.

    With energies -z, x is -E / kT plus a constant, so the varentropy is the heat capacity in units of k:
    ``C / k = (mean(E ** 2) - mean(E) ** 2) / kT ** 2``. It is also ``tau`` times the slope of the entropy.

    References
    ----------
    .. [1] I. Kontoyiannis and S. Verdú, "Optimal Lossless Compression: Source Varentropy and Dispersion", IEEE
       International Symposium on Information Theory, 2013.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.varentropy([2, 1, 0.5, 0.1], tau=[0, 1, float("inf")]).round(4)
    array([0.    , 0.4886, 0.    ])
    >>> tsoft.thermodynamics([-2, -1, -0.5, -0.1]).heat_capacity.round(4)
    np.float64(0.4886)
    """
    return over_rows(_varentropy, z, tau)


def total_variation(p: ArrayLike, q: ArrayLike) -> Array:
    """Return half the sum of |p - q| along the last axis: the largest difference between two distributions
    in the probability of a set of classes. p, q: probabilities, (..., n). Source: Levin, Peres & Wilmer
    2009, "Markov Chains and Mixing Times", proposition 4.2.

    >>> total_variation([0.5, 0.5, 0.0], [0.5, 0.0, 0.5])
    np.float64(0.5)
    """
    return np.asarray(abs(np.asarray(p) - np.asarray(q)).sum(-1) / 2)[()]


def _entropy(x: Array, tops: Any, out: Array) -> None:
    x.ravel()[tops] = -np.inf
    rest = exact_sum(_times_exp, x)
    # Now, x contains x * exp(x).
    out[...] = np.log1p(rest) - add_up(x) / (1.0 + rest)


# exp(x) is 0 well above this. Clipping x prevents inf * 0 for a masked class. With arrays without axes, an operation
# takes less time than with numbers.
_LOWEST_X = {np.dtype(t): np.array(-1e4, t) for t in (np.float32, np.float64)}


def _times_exp(x: Array) -> Array:
    """Return exp(x), and multiply x by it."""
    exp = np.exp(x)
    np.multiply(np.maximum(x, _LOWEST_X[x.dtype], out=x), exp, x)
    return exp


def _varentropy(x: Array, tops: Any, out: Array) -> None:
    exp = np.exp(x)
    x = np.maximum(x, _LOWEST_X[x.dtype], out=x)
    total, terms = normalizer(exp, tops), np.multiply(x, exp)
    mean = (add_up(terms) / total).astype(x.dtype)
    deviation = np.subtract(x, per_row(mean), out=x)
    squares = np.multiply(np.multiply(deviation, exp, out=terms), deviation, out=terms)
    out[...] = add_up(squares) / total


def _top_prob(x: Array, tops: Any, out: Array) -> None:
    out[...] = 1.0 / normalizer(np.exp(x, x), tops)


def _margin(x: Array, tops: Any, out: Array) -> None:
    if x.shape[-1] == 1:
        out[...] = np.nan
        return
    # The second highest x is 0 if classes tie at the maximum. np.partition of a long row would take far longer.
    flat = x.ravel()
    flat[tops] = -np.inf
    second = np.asarray(x.max(-1))
    flat[tops] = 0.0
    # At tau = inf the difference would be -0.
    out[...] = abs(np.expm1(second)) / normalizer(np.exp(x, x), tops)


# The names of the measures in records and headers.
MEASURES = ("entropy", "perplexity", "top_prob", "margin", "varentropy", "log_sum_exp")
