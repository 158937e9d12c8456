"""The samplers that depend on the tokens before a distribution, as Python functions with range checks."""

# Signatures in help() show the names of the types.
from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np

from tsoft.core.library_arguments import plain_array
from tsoft.core.softmax import Array, require_softmax, validate_logits
from tsoft.sampling import adaptive, cutoffs
from tsoft.sampling import penalties as rules
from tsoft.sampling.history import History
from tsoft.sampling.sampler_table import SAMPLERS
from tsoft.sampling.samplers import check_value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def penalties(
    z: ArrayLike,
    tokens: ArrayLike,
    repetition: float = 1.0,
    presence: float = 0.0,
    frequency: float = 0.0,
    last_n: float = inf,
) -> Array:
    """Lower the logits of the tokens that a text already contains.

    The logit of each token in the text is first divided by `repetition` if it is positive, or multiplied by it if it is
    negative [1]_. Then ``presence + count * frequency`` is subtracted [2]_, where `count` is the number of times that
    the token occurs.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Raw logits; -inf masks a class. A constant that is added to all logits changes the effect of `repetition`.
    tokens : array_like, shape (m,)
        The text, as indices of classes, from 0; the newest token is the last.
    repetition : float, default 1
        The repetition penalty, above 0; 1 changes nothing, and a number below 1 favors repetition.
    presence : float, default 0
        The presence penalty; a negative one favors repetition.
    frequency : float, default 0
        The frequency penalty; a negative one favors repetition.
    last_n : int, default inf
        The number of tokens to consider, the newest ones; all by default.

    Returns
    -------
    ndarray, shape (..., n)
        The new logits, float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If a parameter is out of range, or `tokens` is not a list of whole numbers.
    IndexError
        If a token is not a class.

    Notes
    -----
    The order is that of llama.cpp. Engines differ in the tokens to which they apply each penalty.

    References
    ----------
    .. [1] N. S. Keskar, B. McCann, L. R. Varshney, C. Xiong and R. Socher, "CTRL: A Conditional Transformer Language
       Model for Controllable Generation", 2019, equation 2.
    .. [2] OpenAI, "API reference", chat completions, ``presence_penalty`` and ``frequency_penalty``.

    Examples
    --------
    >>> import tsoft
    >>> tsoft.penalties([2, -1, 1], [0, 1, 1], repetition=2, frequency=0.5)
    array([ 0.5, -3. ,  1. ])
    """
    values = {"repetition": repetition, "presence": presence, "frequency": frequency, "last_n": last_n}
    _check("penalties", values)
    z = validate_logits(z)
    require_softmax(z)
    return rules.penalties(z, History(_indices(z, tokens, "tokens")), *values.values())


def dry(
    z: ArrayLike,
    tokens: ArrayLike,
    multiplier: float,
    base: float = 1.75,
    allowed_length: int = 2,
    last_n: float = inf,
    breakers: ArrayLike = (),
) -> Array:
    """Lower the logits of the tokens that would extend a repeated sequence ("don't repeat yourself").

    If the last L tokens of the text occur earlier in it, too, the token that followed them there would extend the
    repetition. Its logit falls by ``multiplier * base ** (L - allowed_length)`` if L is at least `allowed_length`
    [1]_. The longest repetition counts.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    tokens : array_like, shape (m,)
        The text, as indices of classes, from 0; the newest token is the last.
    multiplier : float
        The penalty for extending a sequence of the allowed length, at least 0; 0 changes nothing.
    base : float, default 1.75
        The factor for each further token of the sequence, at least 1.
    allowed_length : int, default 2
        The length of the shortest sequence whose extension is penalized.
    last_n : int, default inf
        The number of tokens to consider, the newest ones; all by default.
    breakers : array_like, shape (b,), default ()
        The tokens, as indices of classes, at which a sequence begins anew. They are not penalized.

    Returns
    -------
    ndarray, shape (..., n)
        The new logits, float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If a parameter is out of range, or `tokens` or `breakers` is not a list of whole numbers.
    IndexError
        If a token or a breaker is not a class.

    References
    ----------
    .. [1] p-e-w, "DRY: A modern repetition penalty that reliably prevents looping", text-generation-webui pull request
       5677, 2024. The edge cases are those of llama.cpp.

    Examples
    --------
    After "0 1 2 0 1", the token 2 would extend the repetition of "0 1".

    >>> import tsoft
    >>> tsoft.dry([0, 0, 0, 0], [0, 1, 2, 0, 1], multiplier=0.8)
    array([ 0. ,  0. , -0.8,  0. ])
    """
    values = {"multiplier": multiplier, "base": base, "allowed_length": allowed_length, "last_n": last_n}
    _check("dry", values)
    z = validate_logits(z)
    require_softmax(z)
    indices = _indices(z, tokens, "tokens")
    is_breaker = np.isin(indices, _indices(z, breakers, "breakers"))
    history = History(indices, 0, np.where(is_breaker, 0, -1), is_breaker)
    return rules.dry(z, history, *values.values())


def mirostat(z: ArrayLike, mu: float) -> Array:
    """Keep the classes whose surprise is at most mu bits: the cutoff of mirostat 2.

    The surprise of a class is ``-log2(p)``. The most probable class always stays. After each draw, mirostat lowers
    or raises mu, so that the mean surprise of the drawn classes approaches a target [1]_: see Notes.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    mu : float
        The highest surprise, in bits.

    Returns
    -------
    ndarray, shape (..., n)
        The logits, with -inf for each removed class; float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If `mu` is not finite.

    Notes
    -----
    mu begins at twice the target. After a draw it becomes ``mu - eta * (s - target)`` with the surprise s of the drawn
    class among those that stay, as in llama.cpp, and a rate eta such as 0.1.

    References
    ----------
    .. [1] S. Basu, G. S. Ramachandran, N. S. Keskar and L. R. Varshney, "Mirostat: A Neural Text Decoding Algorithm
       that Directly Controls Perplexity", ICLR 2021, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> import tsoft
    >>> tsoft.softmax(tsoft.mirostat(np.log([0.5, 0.3, 0.2]), mu=2)).round(3)
    array([0.625, 0.375, 0.   ])
    """
    check_value(SAMPLERS["mirostat"].parameters[2], "mu", mu)
    z = validate_logits(z)
    require_softmax(z)
    return cutoffs.mirostat(z.astype(np.float64, copy=False), 1.0, 0.0, mu).apply(z)


def adaptive_p(z: ArrayLike, target: float, mean: float | None = None) -> Array:
    """Prefer the classes with a probability near a target: adaptive-p.

    The new logits are highest at a probability of ``2 * target - mean``, clipped to the range from 0 to 1, and fall
    with the distance from it. `mean` is the mean probability of the tokens drawn so far. If it is below the target,
    the preferred probability is above it, and vice versa [1]_.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    target : float
        The probability to approach, from 0 to 1.
    mean : float, optional
        The mean probability, before this sampler, of the tokens drawn so far, from 0 to 1; the target by default, as
        before the first token.

    Returns
    -------
    ndarray, shape (..., n)
        The new logits, float32 for float32 and float16 input, else float64.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If a parameter is out of range.

    Notes
    -----
    With the distance ``d = abs(p - preferred) / 0.3``, the logit is ``5 - 10 * d**2 / (1 + d)``. After a draw, the mean
    becomes ``decay * mean + (1 - decay) * p`` with the probability p of the drawn class before this sampler.

    References
    ----------
    .. [1] MrJackSpade and contributors, "Adaptive-p sampler", llama.cpp pull request 17927, 2025.

    Examples
    --------
    >>> import numpy as np
    >>> import tsoft
    >>> tsoft.softmax(tsoft.adaptive_p(np.log([0.6, 0.3, 0.1]), target=0.3)).round(3)
    array([0.006, 0.929, 0.065])
    """
    check_value(SAMPLERS["adaptive_p"].parameters[0], "target", target)
    if mean is not None:
        check_value(SAMPLERS["adaptive_p"].parameters[2], "mean", mean)
    z = validate_logits(z)
    require_softmax(z)
    return adaptive.adaptive_p(z, target, mean=mean)


def _check(name: str, values: dict[str, float]) -> None:
    """Raise ValueError if the table does not allow one of the values of all parameters of a sampler."""
    for parameter, (argument, value) in zip(SAMPLERS[name].parameters, values.items(), strict=True):
        check_value(parameter, argument, value)


def _indices(z: Array, tokens: ArrayLike, argument: str) -> Array:
    """Return tokens as an array of indices, (m,).

    Raise ValueError if they are not a list of whole numbers, and IndexError for one that is not a class. The error
    names the `argument`.
    """
    indices = plain_array(argument, tokens)
    if indices.ndim != 1 or (indices.size and indices.dtype.kind not in "iu"):
        raise ValueError(f"{argument} must be a list of whole numbers")
    if indices.size and not 0 <= indices.min() <= indices.max() < z.shape[-1]:
        raise IndexError(f"{argument} must be classes, from 0 to {z.shape[-1] - 1}")
    return indices.astype(np.int64)
