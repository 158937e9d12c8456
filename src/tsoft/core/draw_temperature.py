"""The temperature at which classes were drawn, for Python users."""

# Signatures in help() show the names of the types.
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.draw_likelihood import TauLikelihood
from tsoft.core.kept_sets import DrawnClasses, draws_from_kept_sets
from tsoft.core.library_arguments import plain_array, require_number
from tsoft.core.softmax import Array, require_softmax, validate_logits


@dataclass(frozen=True)
class EstimatedTemperature:
    """The temperature at which classes were drawn. The result of `tsoft.estimate_temperature`.

    Attributes
    ----------
    tau : float
        The temperature with the highest likelihood: 0 if every draw that counts is the most probable class of its set,
        and inf if the logits of these draws are, on average, no higher than those of uniform draws. If no draw carries
        information, it is 1, and the interval is from 0 to inf.
    tau_low, tau_high : float
        The ends of the confidence interval. It is one-sided if `tau` is 0 or inf.
    draws : int
        The number of draws that count: those from a set of two or more classes that no sampler removed.
    total : int
        The number of all draws.
    """

    tau: float
    tau_low: float
    tau_high: float
    draws: int
    total: int


def estimate_temperature(z: ArrayLike, draws: ArrayLike, *, level: float = 0.95) -> EstimatedTemperature:
    """Estimate the temperature at which classes were drawn from known logits.

    The estimate is valid even if samplers such as top-k, top-p or min-p removed some classes, whichever these are. Each
    draw has a set of classes that earlier draws show to be kept: those at least as probable as one that was drawn
    before in its row, and those that top-k, top-p and min-p must keep because of what was drawn in earlier rows. The
    set grows with the draws. A draw in its set has the probabilities of the softmax over the set, at the temperature to
    estimate [1]_. The product of these probabilities is a partial likelihood [2]_, which does not
    depend on the classes outside the sets. A draw outside its set does not count.

    The draws of each row are first put into a random order, which is always the same, because they may be sorted.

    Parameters
    ----------
    z : array_like, shape (..., n)
        The logits at temperature 1; -inf masks a class.
    draws : array_like of int, shape (..., m)
        The draws of each row, as indices of classes, from 0.
    level : float, default 0.95
        The probability with which the interval contains the true temperature, between 0 and 1.

    Returns
    -------
    EstimatedTemperature
        ``tau``, the ends ``tau_low`` and ``tau_high`` of its interval, and the numbers of ``draws`` that count and in
        ``total``.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If the draws do not match the rows, are not whole numbers, or include a masked class.
    IndexError
        If a draw is not a class.

    See Also
    --------
    fit_temperature : The temperature that calibrates a classifier.

    Notes
    -----
    The interval is that of the likelihood ratio. If each draw that counts is the most probable class of its set, the
    end of the interval is the temperature at which the probability of that is half of 1 - `level`. The estimate is
    wrong if the draws come from a mixture of several distributions, as with XTC, or from logits that depend on the
    text, as with penalties.

    References
    ----------
    .. [1] M. J. Wainwright and M. I. Jordan, "Graphical Models, Exponential Families, and Variational Inference", 2008,
       proposition 3.1.
    .. [2] D. R. Cox, "Partial likelihood", Biometrika 62, 1975.

    Examples
    --------
    A server draws at a temperature of 1.4 from the 40 most probable of 1000 classes:

    >>> import numpy as np
    >>> import tsoft
    >>> z = np.random.default_rng(1).normal(0, 2, 300)
    >>> draws = tsoft.sample(tsoft.top_k(z, 40), tau=1.4, size=500, rng=2)
    >>> estimate = tsoft.estimate_temperature(z, draws)
    >>> estimate.tau_low < 1.4 < estimate.tau_high
    True

    The temperature that fits all draws, as if no classes were removed, is far too low:

    >>> round(tsoft.fit_temperature(np.tile(z, (500, 1)), draws).tau, 1)
    1.0
    """
    require_number("level", level)
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    logits = validate_logits(z)
    require_softmax(logits)
    rows = logits.reshape(-1, logits.shape[-1]).astype(np.float64, copy=False)
    indices = validated_draws(draws, logits)
    indices = indices.reshape(len(rows), indices.shape[-1])
    draws_in_sets = draws_from_kept_sets([DrawnClasses(*row) for row in zip(rows, indices, strict=True)])
    interval = TauLikelihood(draws_in_sets).interval(level)
    return EstimatedTemperature(interval.tau, interval.low, interval.high, draws_in_sets.informative, indices.size)


def validated_draws(draws: ArrayLike, logits: Array) -> Array:
    """Return the draws as int64 indices, (..., m), for logits of the shape (..., n). Raise ValueError if they do not
    match the rows, are not whole numbers or include a masked class, and IndexError if one is not a class."""
    indices = plain_array("draws", draws)
    if indices.size and indices.dtype.kind not in "iu":
        raise ValueError("draws must be whole numbers")
    if indices.ndim == 0 or indices.shape[:-1] != logits.shape[:-1]:
        shape = (*logits.shape[:-1], "m")
        raise ValueError(f"draws must have the shape ({', '.join(map(str, shape))}), got {indices.shape}")
    classes = logits.shape[-1]
    if indices.size and not 0 <= indices.min() <= indices.max() < classes:
        raise IndexError(f"a draw is not a class; the classes are 0 to {classes - 1}")
    indices = indices.astype(np.int64)
    if np.isneginf(np.take_along_axis(logits, indices, -1)).any():
        raise ValueError("a draw is a masked class")
    return indices
