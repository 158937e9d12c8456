"""The calibration of a classifier: whether its accuracy equals its confidence.

A row's confidence is its highest probability, and its prediction is the class with this probability. In a calibrated
model, the accuracy of the rows of any confidence equals this confidence. A perfectly calibrated model has calibration
errors above 0, too, because the absolute value of noise does not average out. So each measure has a level by chance:
that of perfectly calibrated models with the same probabilities.
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.draw import Rng, as_generator, whole_number
from tsoft.core.labeled_rows import StoredRows, validate_examples
from tsoft.core.softmax import validate_taus
from tsoft.features.calibrate.chance import Measurement
from tsoft.features.calibrate.class_bins import class_draws
from tsoft.features.calibrate.confidence_bins import Bins
from tsoft.features.calibrate.confidence_report import report_confidences
from tsoft.features.calibrate.measure_names import DEFAULT, chosen_measures
from tsoft.features.calibrate.row_scores import Scores, score_rows


@dataclass(frozen=True, eq=False)
class Report:
    """Measures of the probabilities of some rows at the temperature `tau`.

    `nll` is in nats. `brier` is the squared error of the probabilities, summed over the classes, from 0 to 2
    (Brier 1950, "Verification of forecasts expressed in terms of probability"). Each of `nll`, `brier`, `accuracy`
    and `confidence` is a mean over the rows. `measurements` are those that were requested, in display order.
    """

    tau: float
    rows: int
    nll: float
    brier: float
    accuracy: float
    confidence: float
    equal_width: Bins
    equal_mass: Bins
    measurements: Sequence[Measurement]

    def __repr__(self) -> str:
        """Return the attributes without the bins."""
        names = ("tau", "rows", "nll", "ece", "mce", "brier", "accuracy", "confidence")
        values = {name: getattr(self, name) for name in names}
        return f"Report({', '.join(f'{name}={value:.6g}' for name, value in values.items())})"

    @property
    def ece(self) -> float:
        """The expected calibration error with bins of equal width."""
        return self.equal_width.ece

    @property
    def mce(self) -> float:
        """The maximum calibration error with bins of equal width."""
        return self.equal_width.mce

    @property
    def measures(self) -> dict[str, float]:
        """The requested measures and their levels by chance, by the names of their columns."""
        return {name: value for each in self.measurements for name, value in each.columns.items()}


def reliability(
    z: ArrayLike,
    targets: ArrayLike,
    tau: float = 1.0,
    *,
    bins: int = 15,
    resamples: int = 1000,
    measures: str | Sequence[str] = DEFAULT,
    rng: Rng = None,
) -> Report:
    """Measure how well calibrated a classifier's probabilities are at a temperature.

    A row's confidence is its highest probability. The classifier is calibrated if its prediction is right in 80 % of
    the rows with a confidence of 80 %, and so on. The expected calibration error (ECE) is the average difference
    between confidence and accuracy over bins of confidence [1]_.

    Parameters
    ----------
    z : array_like, shape (..., n)
        Logits; -inf masks a class.
    targets : array_like of int, shape (...)
        The index, from 0, of each row's true class.
    tau : float, default 1
        The temperature, from 0 to inf.
    bins : int, default 15
        The number of bins of confidence.
    resamples : int, default 1000
        The number of simulations of a perfectly calibrated classifier, which determine the levels that are due to
        chance [2]_. With 0, these are NaN.
    measures : str or sequence of str, optional
        The names of the measures to compute, or ``"all"``; see Notes.
    rng : int or numpy.random.Generator, optional
        A seed, or the generator for the simulations. By default the seed comes from the operating system.

    Returns
    -------
    Report
        ``nll`` (in nats), ``brier`` (from 0 to 2), ``accuracy``, ``confidence``, ``ece`` and ``mce``, and the
        bins of a reliability diagram, ``equal_width`` and ``equal_mass``. Each has ``edges``, ``counts``,
        ``confidence``, ``accuracy``, ``ece``, ``mce`` and ``chance``: the ``mean`` ECE of a perfectly calibrated
        classifier with the same confidences, and the value ``high`` that 95 % of these stay below. ``measures``
        is a dict of the requested measures and their levels for a perfectly calibrated classifier:
        ``ece_chance_mean`` and ``ece_chance_95`` for a calibration error, ``nll_chance_mean``, ``nll_chance_low``
        and ``nll_chance_high`` for a score, between which are 95 % of these classifiers.

    Raises
    ------
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If the targets do not match the rows, if there are no rows, if a measure is unknown, or if the temperature,
        the number of bins or `resamples` is out of range.

    See Also
    --------
    fit_temperature : The temperature that calibrates the probabilities.

    Notes
    -----
    A bin contains the confidences above its lower edge up to its upper edge. The prediction is the most probable
    class. If the target ties with other classes at the top, the row counts in the accuracy as 1 divided by the
    number of these classes, as if one of them were drawn. At tau = inf, all unmasked classes tie.

    The measures, with the accuracy a_b and the mean confidence c_b of the n_b rows in bin b, N rows and K classes:

    - ``nll``: the mean of -log p of the targets. Its level is the mean entropy.
    - ``brier``: the squared error of the probabilities, summed over the classes [3]_. Its level is the mean of
      1 - sum p^2. The ranges of both levels are normal approximations.
    - ``brier_top``: the mean of (confidence - right)^2, in bins of equal mass ``brier_top_reliability`` -
      ``brier_top_resolution`` + ``brier_top_uncertainty`` + ``brier_top_within`` [4]_ [5]_.
    - ``ece``: sum_b n_b / N |a_b - c_b|, in bins of equal width; ``ece_mass``: in bins of equal mass.
    - ``classwise_ece``: the mean over the classes of the ECE of the class's probability [6]_. Its level has fewer
      simulations for more than 16777 rows.
    - ``rms_ce``: the root of sum_b n_b / N (a_b - c_b)^2 [7]_; ``mce``: the largest |a_b - c_b| [1]_.
    - ``smooth_ece``: the integral of the absolute gap after smoothing with a Gaussian kernel, at the width that
      equals the integral [8]_.
    - ``auroc``: the share of the pairs of a right and a wrong prediction in which the right one has the higher
      confidence; ties count half. NaN without such pairs.
    - ``accuracy`` and ``mean_confidence``: the means over the rows.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
       eqs. 3 and 5.
    .. [2] J. Broecker and L. A. Smith, "Increasing the Reliability of Reliability Diagrams", Weather and
       Forecasting 22, 2007.
    .. [3] G. W. Brier, "Verification of Forecasts Expressed in Terms of Probability", Monthly Weather Review 78,
       1950.
    .. [4] A. H. Murphy, "A New Vector Partition of the Probability Score", Journal of Applied Meteorology 12, 1973.
    .. [5] D. B. Stephenson, C. A. S. Coelho and I. T. Jolliffe, "Two Extra Components in the Brier Score
       Decomposition", Weather and Forecasting 23, 2008.
    .. [6] M. Kull et al., "Beyond Temperature Scaling: Obtaining Well-Calibrated Multi-Class Probabilities with
       Dirichlet Calibration", NeurIPS 2019.
    .. [7] D. Hendrycks, M. Mazeika and T. Dietterich, "Deep Anomaly Detection with Outlier Exposure", ICLR 2019.
    .. [8] J. Blasiok and P. Nakkiran, "Smooth ECE: Principled Reliability Diagrams via Kernel Smoothing", ICLR
       2024.

    Examples
    --------
    >>> import tsoft
    >>> z, targets = [[2, 0], [2, 0], [2, 0]], [0, 0, 1]
    >>> report = tsoft.reliability(z, targets, rng=0)
    >>> round(report.confidence, 4), round(report.accuracy, 4), round(report.ece, 4)
    (0.8808, 0.6667, 0.2141)
    >>> tau = tsoft.fit_temperature(z, targets).tau
    >>> round(tsoft.reliability(z, targets, tau).ece, 4)
    0.0
    >>> tsoft.reliability(z, targets, measures=["rms_ce", "auroc"], resamples=0).measures["auroc"]
    0.5
    """
    whole_number("bins", bins, low=1)
    whole_number("resamples", resamples)
    taus = validate_taus(tau)
    if taus.ndim:
        raise ValueError(f"tau must be a single number, got shape {taus.shape}")
    rows = validate_examples(z, targets)
    if not len(rows.targets):
        raise ValueError("there are no rows")
    chosen = chosen_measures([measures] if isinstance(measures, str) else measures)
    generator = as_generator(rng)
    draws = None
    if "classwise_ece" in chosen:
        draws = class_draws(len(rows.targets), rows.logits.shape[1], bins, resamples, generator)
    scores = score_rows(StoredRows([rows]), taus.reshape(1), 1, draws)
    return report(scores, 0, bins, resamples, generator, chosen)


def report(
    scores: Scores,
    t: int,
    bins: int,
    samples: int,
    generator: np.random.Generator,
    measures: Sequence[str] = DEFAULT,
) -> Report:
    """Return the report at the temperature of index t. `samples` simulations determine the levels by chance."""
    confidence_report = report_confidences(scores.confidences[t], scores.right[t], bins, samples, generator, measures)
    parts = {
        **confidence_report.measurements,
        "nll": [Measurement("nll", float(scores.nll[t]), scores.chances[t].nll)],
        "brier": [Measurement("brier", float(scores.brier[t]), scores.chances[t].brier)],
        "classwise_ece": scores.classwise[t : t + 1],
    }
    return Report(
        float(scores.taus[t]),
        scores.rows,
        float(scores.nll[t]),
        float(scores.brier[t]),
        float(scores.right[t].mean()),
        float(scores.confidences[t].mean()),
        confidence_report.equal_width,
        confidence_report.equal_mass,
        [each for name in measures for each in parts[name]],
    )
