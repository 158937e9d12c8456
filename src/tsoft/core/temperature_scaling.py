"""Temperature scaling for Python users: the fit and its interval on arrays."""

# Signatures in help() show the names of the types.
from __future__ import annotations

from dataclasses import dataclass
from math import nan

from numpy.typing import ArrayLike

from tsoft.core.draw import Rng, as_generator, whole_number
from tsoft.core.fit import fit_rows
from tsoft.core.interval import confidence_interval
from tsoft.core.labeled_rows import CalibrationError, StoredRows, summarize, validate_examples


@dataclass(frozen=True)
class FittedTemperature:
    """The temperature that best fits labeled rows. The result of `tsoft.fit_temperature`.

    Attributes
    ----------
    tau : float
        The temperature with the least NLL. It is above 1 for an overconfident model. It is 0 or inf if the
        NLL falls all the way to that limit.
    tau_low, tau_high : float
        The ends of the 95 % confidence interval of `tau`; NaN at a limit and for a single row.
    interval : str or None
        How the interval was computed: "sandwich", "bootstrap" or None.
    log_tau_error : float
        The standard error of log(tau); NaN at a limit and for a single row.
    reason : str or None
        Why `tau` is 0 or inf; None if it is not.
    """

    tau: float
    tau_low: float
    tau_high: float
    interval: str | None
    log_tau_error: float
    reason: str | None = None


def fit_temperature(z: ArrayLike, targets: ArrayLike, *, resamples: int = 0, rng: Rng = None) -> FittedTemperature:
    """Fit the temperature at which a classifier's probabilities best match the true classes.

    This is temperature scaling [1]_: with the fitted temperature, ``softmax(z, tau)`` has the least negative
    log-likelihood (NLL) of the targets. It changes how confident the classifier is, but no prediction.

    Parameters
    ----------
    z : array_like, shape (..., n)
        The logits of rows that the classifier was not trained on; -inf masks a class.
    targets : array_like of int, shape (...)
        The index, from 0, of each row's true class.
    resamples : int, default 0
        The number of bootstrap resamples [3]_ for the confidence interval. With 0, the interval is the sandwich
        estimate, which takes almost no time. `tsoft calibrate` uses 1000.
    rng : int or numpy.random.Generator, optional
        A seed, or the generator for the resamples. By default the seed comes from the operating system.

    Returns
    -------
    FittedTemperature
        ``tau``, the ends ``tau_low`` and ``tau_high`` of its 95 % confidence interval, ``log_tau_error``, and
        ``reason`` if `tau` is 0 or inf.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If the targets do not match the rows or are masked; if there are no rows; if all logits of each row
        are equal; or if every row looks like probabilities.

    See Also
    --------
    reliability : How well calibrated the probabilities are, before and after.

    Notes
    -----
    The NLL is convex in 1 / tau, so the minimum is unique. Newton's method finds it to full precision. The
    sandwich estimate is valid even if the model's probabilities are not the true ones [2]_.

    A binary classifier with a single logit s per row has the two logits 0 and s:
    ``np.stack([np.zeros_like(s), s], axis=-1)``.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML
       2017, section 4.2.
    .. [2] H. White, "Maximum Likelihood Estimation of Misspecified Models", Econometrica 50, 1982, theorem 3.2.
    .. [3] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3.

    Examples
    --------
    The classifier gives each row the probability 0.88, but is right in only 2 of 3 rows:

    >>> import tsoft
    >>> fit = tsoft.fit_temperature([[2, 0], [2, 0], [2, 0]], targets=[0, 0, 1])
    >>> round(fit.tau, 4)
    2.8854
    >>> tsoft.softmax([2, 0], fit.tau).round(4)
    array([0.6667, 0.3333])
    """
    whole_number("resamples", resamples)
    rows = StoredRows([validate_examples(z, targets)])
    summary = summarize(rows)
    if summary.are_probabilities:
        raise CalibrationError("every row looks like probabilities, not logits; pass np.log(probs)")
    if summary.are_percentages:
        raise CalibrationError("every row looks like percentages, not logits; pass np.log(percentages)")
    fit = fit_rows(rows, summary)
    interval = confidence_interval(rows, fit, summary.rows, resamples, as_generator(rng))
    return FittedTemperature(
        fit.tau,
        nan if interval is None else interval.low,
        nan if interval is None else interval.high,
        None if interval is None else interval.method,
        nan if fit.error is None else fit.error,
        fit.reason and f"{fit.reason} to τ = {fit.tau:g}",
    )
