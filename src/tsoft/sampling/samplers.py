"""The samplers as Python functions: logits in, logits out, with range checks.

A sampler that removes classes is a rule of `cutoffs`. Its row in `sampler_table` has the rule and the allowed
values, so that the function here and the option on the command line agree.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from math import inf
from operator import index as as_index
from typing import TYPE_CHECKING, Any

import numpy as np

from tsoft.core.library_arguments import require_number
from tsoft.core.measures import entropy
from tsoft.core.softmax import (
    Array,
    Taus,
    divide_by_tau,
    divide_by_taus,
    require_softmax,
    subtract_maximum,
    validate_logits,
    validate_taus,
    working_dtype,
)
from tsoft.sampling.sampler_table import SAMPLERS, SamplerParameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Logits this far apart have the same probability to the last bit.
MAX_EQUAL_GAP = 1e-20


def temperature(z: ArrayLike, tau: Taus = 1.0, dynatemp_range: float = 0.0, dynatemp_exponent: float = 1.0) -> Array:
    """Divide the logits by a temperature.

    Returns ``(z - max(z)) / tau``, whose softmax is the distribution at the temperature `tau`. A low
    temperature moves probability to the most probable classes, a high temperature spreads it evenly. The
    result is shifted so that its maximum is 0, which changes no probability.

    With `dynatemp_range`, each row has a separate temperature, between ``tau - dynatemp_range``, if one class
    has all the probability, and ``tau + dynatemp_range``, if all classes are equally probable.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tau : float or array_like, shape (k,)
        Temperatures from 0 to inf. A list of k temperatures adds a leading axis of k to the result.
    dynatemp_range : float, default 0
        Half the width of the range of the dynamic temperature, at least 0. At 0 the temperature is `tau`.
    dynatemp_exponent : float, default 1
        The exponent, at least 0, of ``H / ln(n)`` in the dynamic temperature (see Notes).

    Returns
    -------
    ndarray, shape (..., n) or (k, ..., n)
        The new logits, float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If a temperature or another parameter is out of range.

    Notes
    -----
    At tau = 0 all classes but those tied at the top become -inf. At tau = inf all unmasked classes become
    equally probable; they differ by at most 1e-20, which keeps their order for samplers that follow.

    The dynamic temperature [1]_ of a row is ``low + (high - low) * (H / ln(n)) ** dynatemp_exponent`` with
    low and high the ends of the range (low is at least 0), H the row's entropy at temperature 1 and n the
    number of unmasked classes.

    References
    ----------
    .. [1] kalomaze, "Entropy-based dynamic temperature", llama.cpp pull request 4972, 2024.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.temperature([2, 1, 0], tau=0.5)
    array([ 0., -2., -4.])
    >>> tsoft.temperature([0, 0, -50], tau=1, dynatemp_range=0.5).round(3)
    array([  0.   ,   0.   , -44.211])
    """
    z, taus = validate_logits(z), validate_taus(tau)
    _, range_parameter, exponent_parameter = SAMPLERS["temperature"].parameters
    check_value(range_parameter, "dynatemp_range", dynatemp_range)
    check_value(exponent_parameter, "dynatemp_exponent", dynatemp_exponent)
    require_softmax(z)
    if taus.ndim == 0:
        return _divided_by_tau(z, float(taus), dynatemp_range, dynatemp_exponent)
    result = np.empty((len(taus), *z.shape), z.dtype)
    for t, out in zip(taus.tolist(), result, strict=True):
        out[...] = _divided_by_tau(z, t, dynatemp_range, dynatemp_exponent)
    return result


def unshifted_temperature(z: Array, tau: float, dynatemp_range: float = 0.0, dynatemp_exponent: float = 1.0) -> Array:
    """Divide the logits by a temperature without subtracting the highest one, as engines do.

    This is for chains in which a later sampler needs the constant in the logits. Quotients far from 0 are less accurate
    than the differences that `temperature` returns.

    >>> unshifted_temperature(np.array([2.0, 1.0, -1.0]), 0.5)
    array([ 4.,  2., -2.])
    """
    if tau == inf:
        # The highest quotient is 0.
        return temperature(z, tau)
    taus, maximum = _row_taus(z, tau, dynatemp_range, dynatemp_exponent), z.max(-1, keepdims=True)
    # At lower temperatures, the quotients would overflow. The factor 2^-64 leaves room for later samplers that raise or
    # multiply them. Already at this temperature, only the classes at the top remain.
    finite = np.asarray(np.maximum(taus, abs(maximum) / (np.finfo(z.dtype).max * 2.0**-64)))
    # If the maximum is 0, its quotient is 0, also at temperature 0.
    x = _divided(z, finite, np.dtype(np.float64)) + np.divide(maximum, finite, out=0.0 * maximum, where=maximum != 0)
    return np.asarray(np.where(np.equal(taus, 0) & (z < maximum), -inf, x), z.dtype)


def _divided_by_tau(z: Array, tau: float, dynatemp_range: float, exponent: float) -> Array:
    return _divided(z, _row_taus(z, tau, dynatemp_range, exponent), working_dtype(z.dtype, tau))


def _row_taus(z: Array, tau: float, dynatemp_range: float, exponent: float) -> Any:
    """Return the temperature, or that of each row, (..., 1), if it is dynamic."""
    if not dynatemp_range or tau == inf:
        return tau
    unmasked = np.maximum((z > -inf).sum(-1, keepdims=True), 2)
    fraction = entropy(z)[..., np.newaxis] / np.log(unmasked)
    low, high = max(0.0, tau - dynatemp_range), min(tau + dynatemp_range, sys.float_info.max)
    return low + (high - low) * np.minimum(fraction, 1.0) ** exponent


def _divided(z: Array, taus: Any, dtype: np.dtype[Any]) -> Array:
    """Divide z, (..., n), by one temperature, or by one for each row, (..., 1), in the arithmetic of a dtype."""
    work = z.astype(dtype, copy=False)
    maximum, x = work.max(-1, keepdims=True), np.empty_like(work)
    with np.errstate(all="ignore"):
        scale = subtract_maximum(work, maximum, x) if z.size else None
        if np.ndim(taus) == 0 and taus == inf:
            # Samplers that follow may depend on the order of the classes.
            span = -np.where(z > -inf, x, 0.0).min(-1, keepdims=True, initial=0.0)
            np.divide(x, np.maximum(span, 1.0), out=x)
            np.multiply(x, MAX_EQUAL_GAP, out=x)
        elif np.ndim(taus) == 0:
            divide_by_tau(x, scale, taus, x)
        else:
            divide_by_taus(x, scale, taus, x)
    _clamp(x, z)
    is_cold = np.equal(taus, 0)
    if is_cold.any():
        # Here, the quotient was 0 / 0.
        x = np.where(is_cold, np.where(work == maximum, 0.0, -inf), x)
    return x.astype(z.dtype, copy=False)


def _clamp(x: Array, z: Array) -> None:
    """Raise x to at least the lowest finite number, and set it to -inf for the masked classes of z."""
    np.maximum(x, np.finfo(z.dtype).min, out=x)
    np.copyto(x, -inf, where=np.isneginf(z))


def logit_bias(z: ArrayLike, biases: Mapping[int, float] | Iterable[tuple[int, float]]) -> Array:
    """Add a number to the logits of some classes.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    biases : mapping of int to float, or iterable of (int, float)
        The number to add, by the index of the class, from 0. A bias of -inf bans the class.

    Returns
    -------
    ndarray, shape (..., n)
        The new logits, float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If a bias is NaN or +inf.
    IndexError
        If there is no class with that index.

    References
    ----------
    .. [1] OpenAI, "API reference", chat completions, ``logit_bias``.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.logit_bias([2, 1, 0], {0: -1.5, 2: 3})
    array([0.5, 1. , 3. ])
    """
    biased = validate_logits(z).copy()
    require_softmax(biased)
    for index, bias in biases.items() if isinstance(biases, Mapping) else biases:
        # A bool as an index would select every class.
        position = as_index(index)
        if not 0 <= position < biased.shape[-1]:
            raise IndexError(f"there is no class {index}; the classes are 0 to {biased.shape[-1] - 1}")
        if not bias < inf:
            raise ValueError(f"a bias must be a finite number or -inf, got {bias} for class {index}")
        with np.errstate(over="ignore"):
            # The sum may overflow, and inf is not a logit.
            biased[..., position] = np.minimum(biased[..., position] + bias, np.finfo(biased.dtype).max)
    return biased


def smoothing(z: ArrayLike, factor: float, curve: float = 1.0) -> Array:
    """Bend the logits: move those near the top closer to it and those far below further away.

    Returns ``max(z) - factor * d ** 2 * ((3 - curve) + (curve - 1) * d) / 2`` with ``d = max(z) - z``. With
    the default curve, this is ``max(z) - factor * d ** 2`` (quadratic sampling [1]_).

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    factor : float
        The factor, at least 0; 0 changes nothing.
    curve : float, default 1
        The weight of the cubic term, at least 0; at 3 there is no quadratic term (see Notes).

    Returns
    -------
    ndarray, shape (..., n)
        The new logits, float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `factor` or `curve` is out of range.

    Notes
    -----
    With a curve [2]_ from 1 to 3 the order of the classes stays the same. Above 3, classes whose distance d is
    below ``(curve - 3) / (curve - 1)`` become more probable than the top class. Below 1, those whose distance
    is above ``(3 - curve) / (1 - curve)`` do.

    References
    ----------
    .. [1] kalomaze, "Quadratic sampling", text-generation-webui pull request 5403, 2024.
    .. [2] kalomaze, "Cubic sampling", text-generation-webui pull request 5551, 2024.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.smoothing([2.0, 1.5, 0.0], factor=1)
    array([ 2.  ,  1.75, -2.  ])
    >>> tsoft.smoothing([2.0, 1.5, 0.0], factor=1, curve=3)
    array([ 2.   ,  1.875, -6.   ])
    """
    z = validate_logits(z)
    factor_parameter, curve_parameter = SAMPLERS["smoothing"].parameters
    check_value(factor_parameter, "factor", factor)
    check_value(curve_parameter, "curve", curve)
    require_softmax(z)
    if factor == 0:
        return z
    # In float32, the factor could underflow or overflow.
    work = z.astype(np.float64, copy=False)
    maximum = work.max(-1, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        gaps = np.minimum(maximum - work, np.finfo(np.float64).max)
        # This is ((3 - curve) + (curve - 1) * gaps) / 2 without large terms that cancel.
        bend = 1.0 + (curve - 1.0) / 2.0 * (gaps - 1.0)
        # Above 3 the result may be higher than the highest logit, and it may overflow.
        bent = np.minimum(maximum - factor * gaps**2 * bend, np.finfo(z.dtype).max)
        _clamp(bent, z)
        return np.asarray(bent, z.dtype)


def edt(z: ArrayLike, theta: float) -> Array:
    """Divide the logits by a temperature that falls with the entropy.

    Returns ``(z - max(z)) / 0.8 ** (theta / H)`` with H the row's entropy in nats (entropy-based dynamic
    temperature [1]_). The paper multiplies this by a base temperature, so apply `temperature`, too.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    theta : float
        The strength, at least 0; 0 changes nothing.

    Returns
    -------
    ndarray, shape (..., n)
        The new logits, float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `theta` is out of range.

    Notes
    -----
    The factor ``0.8 ** (theta / H)`` is between 0, if one class has all the probability, and
    ``0.8 ** (theta / log(n))``, if n classes are equally probable. At 0 all classes but those tied at the top
    become -inf, as at temperature 0. The paper's equation has a logarithm without a base; public
    implementations use nats.

    References
    ----------
    .. [1] S. Zhang, Y. Bao and S. Huang, "EDT: Improving Large Language Models' Generation by Entropy-based
       Dynamic Temperature Sampling", 2024.

    Examples
    --------
    >>> import tsoft
    >>> z = tsoft.edt([2, 1, 0.5, 0.1], theta=1)
    >>> z.round(3)
    array([ 0.   , -1.22 , -1.83 , -2.318])
    >>> tsoft.softmax(tsoft.temperature(z, tau=0.7)).round(3)
    array([0.778, 0.136, 0.057, 0.028])
    """
    z = validate_logits(z)
    check_value(SAMPLERS["edt"].parameters[0], "theta", theta)
    require_softmax(z)
    if theta == 0:
        return z
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        return _divided(z, edt_factor(entropy(z)[..., np.newaxis], theta), np.dtype(np.float64))


def edt_factor(entropies: Array, theta: float) -> Array:
    """Return the temperature of EDT for entropies in nats: 0.8^(theta / entropy), 0 for an entropy of 0.

    >>> edt_factor(np.array([0.5, 1.0]), 1.0).round(4)
    array([0.64, 0.8 ])
    """
    return np.asarray(np.exp(np.log(0.8) * theta / np.asarray(entropies, np.float64)))


def adaptive_temperature(z: ArrayLike) -> Array:
    """Sharpen a distribution of medium entropy: multiply the logits by a polynomial of the entropy.

    Returns ``beta * (z - max(z))``. With H the row's entropy in nats, ``beta`` is the larger of 1 and
    ``-0.037 * H**4 + 0.481 * H**3 - 2.3 * H**2 + 4.917 * H - 1.791`` if H is above 0.5, and otherwise 1
    (adaptive temperature [1]_).

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.

    Returns
    -------
    ndarray, shape (..., n)
        The new logits, float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.

    Notes
    -----
    The authors fitted the polynomial to attention heads. It is above 1 only for entropies between about 0.85
    and 5.94 nats, so other distributions do not change.

    References
    ----------
    .. [1] P. Veličković, C. Perivolaropoulos, F. Barbero and R. Pascanu, "Softmax is not Enough (for Sharp
       Size Generalisation)", 2024, figure 5.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.softmax(tsoft.adaptive_temperature([2, 1, 0.5, 0.1])).round(3)
    array([0.708, 0.166, 0.08 , 0.045])
    """
    z = validate_logits(z)
    require_softmax(z)
    return _divided(z, 1.0 / adaptive_beta(entropy(z)[..., np.newaxis]), np.dtype(np.float64))


def adaptive_beta(entropies: Array) -> Array:
    """Return the inverse of the adaptive temperature for entropies in nats.

    >>> adaptive_beta(np.array([0.5, 2.0, 9.0])).round(3)
    array([1.   , 2.099, 1.   ])
    """
    polynomial = np.polyval([-0.037, 0.481, -2.3, 4.917, -1.791], np.asarray(entropies, np.float64))
    return np.asarray(np.where(entropies > 0.5, np.maximum(polynomial, 1.0), 1.0))


def soft_cap(z: ArrayLike, cap: float) -> Array:
    """Squeeze the logits between -cap and cap.

    Returns ``cap * tanh(z / cap)``, which is nearly z for logits that are small compared to the cap.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits as the model returns them; -inf masks a class.
    cap : float
        The cap, above 0.

    Returns
    -------
    ndarray, shape (..., n)
        The new logits, float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `cap` is out of range.

    Notes
    -----
    A constant that is added to all logits changes the result. So log-probabilities, which differ from logits
    by a constant, give another distribution than the logits do. Logits far above the cap become equal.

    References
    ----------
    .. [1] Gemma Team, "Gemma 2: Improving Open Language Models at a Practical Size", 2024, section 2.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.soft_cap([60, 30, 0, -1], cap=30).round(3)
    array([28.921, 22.848,  0.   , -1.   ])
    """
    z = validate_logits(z)
    check_value(SAMPLERS["soft_cap"].parameters[0], "cap", cap)
    require_softmax(z)
    with np.errstate(over="ignore", under="ignore"):
        ratios = z.astype(np.float64, copy=False) / cap
        # Below this, tanh(x) = x to the last bit, and the quotient may have lost digits to underflow.
        capped = np.where(abs(ratios) < 1e-9, z, cap * np.tanh(ratios))
    return np.asarray(np.where(z > -inf, capped, -inf), z.dtype)


def top_n_sigma(z: ArrayLike, n: float) -> Array:
    """Keep the classes whose logit is at most n standard deviations below the highest logit.

    A temperature changes all logits and their standard deviation by the same factor, so this sampler keeps
    the same classes at every temperature.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    n : float
        The number of standard deviations, above 0.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `n` is out of range.

    Notes
    -----
    The standard deviation is that of the unmasked logits as a population, as in llama.cpp.

    References
    ----------
    .. [1] C. Tang, J. Liu, H. Xu and L. Huang, "Top-nσ: Not All Logits Are You Need", 2024.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.top_n_sigma([4, 3, 0, 0], n=1)
    array([  4.,   3., -inf, -inf])
    """
    return _truncate("top_n_sigma", z, "n", n)


def top_h(z: ArrayLike, alpha: float) -> Array:
    """Keep the most probable classes up to a share alpha of the entropy.

    The entropy is the sum of a term ``-p ln(p)`` for each class. The sampler adds up these terms, the most
    probable class first, and keeps the classes while the sum is at most alpha times the whole. It keeps the
    most probable class in any case.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    alpha : float
        The share of the entropy, above 0 and up to 1.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `alpha` is out of range.

    Notes
    -----
    Only the 100 most probable classes are considered, and the entropy is that of their distribution, as in
    the class ``TopHLogitsWarper`` of transformers. If classes tie, those with the lower indices stay.

    References
    ----------
    .. [1] E. B. Potraghloo, S. Azizi, S. Kundu and M. Pedram, "Top-H Decoding: Adapting the Creativity and
       Coherence with Bounded Entropy in Text Generation", 2025.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.top_h([0, 0, -1, -1], alpha=0.6)
    array([  0.,   0., -inf, -inf])
    """
    return _truncate("top_h", z, "alpha", alpha)


def top_k(z: ArrayLike, k: int) -> Array:
    """Keep the k most probable classes.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    k : int
        The number of classes; 0 keeps all, and so does a number of n or more.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `k` is negative or not a whole number.

    Notes
    -----
    If classes tie, those with the lower indices stay.

    References
    ----------
    .. [1] A. Fan, M. Lewis and Y. Dauphin, "Hierarchical Neural Story Generation", ACL 2018.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.top_k([1, 3, 3, 3], k=2)
    array([-inf,   3.,   3., -inf])
    """
    return _truncate("top_k", z, "k", k)


def top_p(z: ArrayLike, p: float) -> Array:
    """Keep the most probable classes that together have at least the probability p.

    The sampler keeps as few classes as possible: the most probable class, the second, and so on, including
    the one with which the sum reaches p (nucleus sampling [1]_).

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    p : float
        The probability, from 0 to 1; 1 keeps all classes, and 0 only the most probable one.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `p` is out of range.

    Notes
    -----
    The probabilities are summed from the least probable class up, and the classes whose sum is at most 1 - p
    are removed, as in the class ``TopPLogitsWarper`` of transformers. If classes tie, those with the lower
    indices stay.

    References
    ----------
    .. [1] A. Holtzman, J. Buys, L. Du, M. Forbes and Y. Choi, "The Curious Case of Neural Text Degeneration",
       ICLR 2020, section 3.

    Examples
    --------
    >>> import tsoft
    >>> z = tsoft.top_p([2, 1, 0.5, 0.1], p=0.8)
    >>> z
    array([ 2. ,  1. ,  0.5, -inf])
    >>> tsoft.softmax(z).round(3)
    array([0.629, 0.231, 0.14 , 0.   ])
    """
    return _truncate("top_p", z, "p", p)


def min_p(z: ArrayLike, p: float) -> Array:
    """Keep the classes that are at least p times as probable as the most probable one.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    p : float
        The factor, from 0 to 1; 0 keeps all classes, and 1 those tied at the top.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `p` is out of range.

    References
    ----------
    .. [1] M. Nguyen, A. Baker, C. Neo, A. Roush, A. Kirsch and R. Shwartz-Ziv, "Turning Up the Heat: Min-p
       Sampling for Creative and Coherent LLM Outputs", ICLR 2025.

    Examples
    --------
    >>> import numpy as np
    >>> import tsoft
    >>> tsoft.softmax(tsoft.min_p(np.log([0.6, 0.3, 0.1]), p=0.2)).round(3)
    array([0.667, 0.333, 0.   ])
    """
    return _truncate("min_p", z, "p", p)


def p_less(z: ArrayLike) -> Array:
    """Keep the classes that are at least as probable as two independent draws are to agree.

    The threshold is the sum of the squared probabilities: the probability that two draws give the same class. It
    is high if the distribution is certain, and low if it is not.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.

    References
    ----------
    .. [1] R. Tan, S. Wu and P. Howard, "p-less Sampling: A Robust Hyperparameter-Free Approach for LLM
       Decoding", 2025.

    Examples
    --------
    >>> import numpy as np
    >>> import tsoft
    >>> tsoft.softmax(tsoft.p_less(np.log([0.4, 0.35, 0.25]))).round(3)
    array([0.533, 0.467, 0.   ])
    """
    z = validate_logits(z)
    require_softmax(z)
    return np.asarray(SAMPLERS["p_less"].function(z.astype(np.float64, copy=False)).apply(z))


def typical(z: ArrayLike, p: float) -> Array:
    """Keep the classes whose surprise is nearest the entropy, until they have the probability p.

    The surprise of a class is ``-ln(p)``; the entropy is its average over the distribution. The sampler keeps
    as few classes as possible: the one with the surprise nearest the entropy, the next one, and so on,
    including the one with which the sum of the probabilities reaches p (locally typical sampling [1]_). It
    may remove the most probable class.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    p : float
        The probability, above 0 and up to 1; 1 keeps all classes.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `p` is out of range.

    Notes
    -----
    If classes are equally near the entropy, those with the lower indices stay.

    References
    ----------
    .. [1] C. Meister, T. Pimentel, G. Wiher and R. Cotterell, "Locally Typical Sampling", TACL 11, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> import tsoft
    >>> tsoft.softmax(tsoft.typical(np.log([0.5, 0.2, 0.15, 0.15]), p=0.2)).round(3)
    array([0., 1., 0., 0.])
    """
    return _truncate("typ_p", z, "p", p)


def epsilon_cutoff(z: ArrayLike, epsilon: float) -> Array:
    """Keep the classes with a probability of at least epsilon.

    If no class has this probability, the sampler keeps the most probable one, and those that tie with it.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    epsilon : float
        The lowest probability to keep, from 0 to 1; 0 keeps all classes.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `epsilon` is out of range.

    Notes
    -----
    The rule for ties is that of the class ``EpsilonLogitsWarper`` of transformers.

    References
    ----------
    .. [1] J. Hewitt, C. D. Manning and P. Liang, "Truncation Sampling as Language Model Desmoothing", Findings
       of EMNLP 2022, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> import tsoft
    >>> tsoft.softmax(tsoft.epsilon_cutoff(np.log([0.6, 0.3, 0.1]), epsilon=0.2)).round(3)
    array([0.667, 0.333, 0.   ])
    """
    return _truncate("epsilon_cutoff", z, "epsilon", epsilon)


def eta_cutoff(z: ArrayLike, epsilon: float) -> Array:
    """Keep the classes with a probability of at least eta, which falls as the entropy rises.

    The threshold is ``eta = min(epsilon, sqrt(epsilon) * exp(-H))`` with H the entropy in nats. If no class
    reaches it, the sampler keeps the most probable one, and those that tie with it.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    epsilon : float
        The upper limit of the threshold, from 0 to 1; 0 keeps all classes.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `epsilon` is out of range.

    Notes
    -----
    The rule for ties is that of the class ``EtaLogitsWarper`` of transformers.

    References
    ----------
    .. [1] J. Hewitt, C. D. Manning and P. Liang, "Truncation Sampling as Language Model Desmoothing", Findings
       of EMNLP 2022, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> import tsoft
    >>> tsoft.softmax(tsoft.eta_cutoff(np.log([0.4, 0.3, 0.2, 0.1]), epsilon=0.2)).round(3)
    array([0.444, 0.333, 0.222, 0.   ])
    """
    return _truncate("eta_cutoff", z, "epsilon", epsilon)


def tail_free(z: ArrayLike, share: float) -> Array:
    """Keep the most probable classes and remove the flat tail of the sorted probabilities.

    The curve of the sorted probabilities bends where the tail begins. The sampler measures its curvature,
    the sum of the absolute second differences, and keeps the classes up to the point where the sum reaches
    a share of the whole.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    share : float
        The share of the curvature, from 0 to 1; 1 keeps all classes.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `share` is out of range.

    Notes
    -----
    A second difference belongs to the middle one of its three classes, as in text-generation-webui. If classes
    tie, those with the lower indices stay. If the curve does not bend, all classes stay.

    References
    ----------
    .. [1] T. Bricken, "Tail Free Sampling", 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import tsoft
    >>> tsoft.softmax(tsoft.tail_free(np.log([0.4, 0.35, 0.15, 0.05, 0.05]), share=0.5)).round(3)
    array([0.533, 0.467, 0.   , 0.   , 0.   ])
    """
    return _truncate("tfs", z, "share", share)


def top_a(z: ArrayLike, a: float) -> Array:
    """Keep the classes with a probability of at least a times the square of the highest probability.

    The more certain the distribution, the fewer classes stay.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    a : float
        The factor, from 0 to 1; 0 keeps all classes.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `a` is out of range.

    References
    ----------
    .. [1] BlinkDL, "The top-a sampling method", README of RWKV-LM, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> import tsoft
    >>> tsoft.softmax(tsoft.top_a(np.log([0.6, 0.3, 0.1]), a=0.5)).round(3)
    array([0.667, 0.333, 0.   ])
    """
    return _truncate("top_a", z, "a", a)


def xtc(z: ArrayLike, threshold: float = 0.1) -> Array:
    """Exclude the top choices: remove all but the least probable class above a threshold.

    The top choices are the classes with a probability of at least the threshold. The sampler keeps the least
    probable of them and all classes below it. It removes nothing if there are fewer than two top choices.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    threshold : float, default 0.1
        The lowest probability of a top choice, from 0 to 1.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `threshold` is out of range.

    Notes
    -----
    Engines apply XTC at random, with a probability for each token. This function always applies it. With
    XTC at a probability of c as the last sampler, the distribution is the mixture
    ``(1 - c) * softmax(z) + c * softmax(xtc(z, threshold))``. If top choices tie, the one with the
    lowest index stays.

    References
    ----------
    .. [1] p-e-w, "Exclude Top Choices (XTC)", text-generation-webui pull request 6335, 2024.

    Examples
    --------
    >>> import numpy as np
    >>> import tsoft
    >>> tsoft.softmax(tsoft.xtc(np.log([0.5, 0.3, 0.2]), threshold=0.25)).round(3)
    array([0. , 0.6, 0.4])
    """
    return _truncate("xtc", z, "threshold", threshold)


def check_value(parameter: SamplerParameter, argument: str, value: float) -> None:
    """Raise TypeError for a value that is not a number, and ValueError if the table does not allow it."""
    require_number(argument, value)
    if not parameter.allows(value):
        raise ValueError(f"{argument} must be {parameter.range}, got {value}")


def _truncate(name: str, z: ArrayLike, argument: str, value: float) -> Array:
    """Apply the cutoff of the sampler `name`, in float64. Raise ValueError for a value that the table does not
    allow."""
    sampler = SAMPLERS[name]
    first, *others = sampler.parameters
    # If a sampler is applied at random, its first parameter is the probability of that.
    parameter = others[0] if sampler.at_random else first
    z = validate_logits(z)
    check_value(parameter, argument, value)
    require_softmax(z)
    if parameter is first and value == parameter.off:
        return z
    return np.asarray(sampler.function(z.astype(np.float64, copy=False), value).apply(z))
