"""The calibration of confidences that need not be those of a classifier."""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.draw import Rng, as_generator, whole_number
from tsoft.core.library_arguments import plain_array
from tsoft.core.softmax import Array
from tsoft.features.calibrate.confidence_report import report_confidences
from tsoft.features.calibrate.measure_names import ALL, chosen_measures

# The measures that need the probabilities of all classes.
CLASS_MEASURES = ("nll", "brier", "classwise_ece")
CONFIDENCE_NAMES = tuple(name for name in ALL if name not in CLASS_MEASURES)


def confidence_measures(
    confidence: ArrayLike,
    right: ArrayLike,
    *,
    bins: int = 15,
    resamples: int = 1000,
    measures: str | Sequence[str] = CONFIDENCE_NAMES,
    rng: Rng = None,
) -> dict[str, float]:
    """Measure how well calibrated confidences are, such as those that a language model states with its answers.

    The confidences are calibrated if 80 % of the answers with a confidence of 80 % are right, and so on.

    Parameters
    ----------
    confidence : array_like, shape (n,)
        The confidence of each answer, from 0 to 1.
    right : array_like of bool, shape (n,)
        Whether the answer is right, or the probability, from 0 to 1, that it is; see Notes.
    bins : int, default 15
        The number of bins of confidence.
    resamples : int, default 1000
        The number of simulations of perfectly calibrated confidences, which determine the levels that are due to
        chance. With 0, these are NaN.
    measures : str or sequence of str, optional
        The names of the measures. By default all of those that `reliability` has, except for ``nll``, ``brier``
        and ``classwise_ece``, which need the probabilities of all classes.
    rng : int or numpy.random.Generator, optional
        A seed, or the generator for the simulations. By default the seed comes from the operating system.

    Returns
    -------
    dict
        The measures and their levels, by name: ``ece``, ``ece_chance_mean``, ``ece_chance_95``, … They are
        explained at `reliability`.

    Raises
    ------
    ValueError
        If the two arrays do not match, are empty, or have a number that is not from 0 to 1; if a measure is unknown
        or needs the probabilities of all classes; or if the number of bins or `resamples` is out of range.

    See Also
    --------
    reliability : The same for logits, at a temperature.

    Notes
    -----
    A number in `right` between 0 and 1 is the probability that the answer is right, such as the share of judges who
    accept it. The Brier score is then the expected one: for a confidence of 0.5 in an answer that is right with a
    probability of 0.5, it is 0.25, not 0.

    Examples
    --------
    >>> import tsoft
    >>> measures = tsoft.confidence_measures([0.6, 0.7, 0.9, 1.0], [False, True, True, True], rng=0)
    >>> measures["auroc"], round(measures["ece"], 4), round(measures["brier_top"], 4)
    (1.0, 0.25, 0.115)
    """
    whole_number("bins", bins, low=1)
    whole_number("resamples", resamples)
    chosen = chosen_measures([measures] if isinstance(measures, str) else measures)
    if measures == "all":
        chosen = CONFIDENCE_NAMES
    if wrong := [name for name in chosen if name in CLASS_MEASURES]:
        raise ValueError(f"{wrong[0]} needs the probabilities of all classes; use reliability")
    confidences, shares = _shares("confidence", confidence), _shares("right", right)
    if confidences.shape != shares.shape:
        raise ValueError(f"right must have shape {confidences.shape}, as confidence has; got {shares.shape}")
    report = report_confidences(confidences, shares, bins, resamples, as_generator(rng), chosen)
    return {
        column: value
        for name in chosen
        for measurement in report.measurements[name]
        for column, value in measurement.columns.items()
    }


def _shares(name: str, values: ArrayLike) -> Array:
    """Return numbers from 0 to 1 as an array of one axis. Raise ValueError for others."""
    shares = plain_array(name, values)
    if shares.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numbers from 0 to 1, got an array of {shares.dtype}")
    if shares.ndim != 1:
        raise ValueError(f"{name} must have one axis, got shape {shares.shape}")
    if not shares.size:
        raise ValueError(f"{name} is empty")
    outside = shares[~((shares >= 0) & (shares <= 1))]
    if outside.size:
        raise ValueError(f"{name} must be numbers from 0 to 1, got {outside[0]}")
    return shares.astype(np.float64)
