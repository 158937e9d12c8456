"""The plots of a classifier's calibration: its reliability, and the NLL over the temperature."""

# Signatures in help() show the names of the types.
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.draw import Rng
from tsoft.core.labeled_rows import StoredRows, summarize, validate_examples
from tsoft.core.temperature_scaling import fit_temperature
from tsoft.features.calibrate.reliability import reliability as measure_reliability
from tsoft.features.calibrate.row_scores import score_rows
from tsoft.plot.plot_axes import add_legend, drawing, fit_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def reliability(
    logits: ArrayLike,
    targets: ArrayLike,
    tau: float = 1.0,
    ax: Axes | None = None,
    *,
    bins: int = 15,
    resamples: int = 1000,
    rng: Rng = 0,
) -> Axes:
    """Draw the reliability diagram of a classifier: its accuracy against its confidence.

    Each bin of confidence has a bar for its accuracy, the 95 % interval of the accuracy [1]_, and the gap between the
    accuracy and the mean confidence. In a calibrated classifier, the bars end near the diagonal. Below them, thin bars
    show the number of rows of each bin. The title has the expected calibration error (ECE), and the ECE that is due to
    chance. Axes that are too small for a legend have none.

    Parameters
    ----------
    logits : array_like, shape (..., n)
        Logits; -inf masks a class.
    targets : array_like of int, shape (...)
        The index, from 0, of each row's true class.
    tau : float, default 1
        The temperature, from 0 to inf.
    ax : matplotlib.axes.Axes, optional
        The axes to draw onto. By default those of a new figure of pyplot.
    bins : int, default 15
        The number of bins of confidence, all of the same width.
    resamples : int, default 1000
        The number of simulations of a perfectly calibrated classifier, which determine the ECE by chance. With 0, the
        title does not have it.
    rng : int or numpy.random.Generator, default 0
        A seed, or the generator for the simulations.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If the targets do not match the rows, if there are no rows, or if the temperature, the number of bins or
        `resamples` is out of range.

    See Also
    --------
    tsoft.reliability : The numbers of the diagram.

    References
    ----------
    .. [1] E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927.

    Examples
    --------
    >>> import tsoft
    >>> from matplotlib.figure import Figure
    >>> z, targets = [[2, 0], [2, 0], [2, 0]], [0, 0, 1]
    >>> ax = tsoft.plot.reliability(z, targets, ax=Figure().subplots(), bins=5)
    >>> print(ax.get_title())
    τ = 1: NLL 0.794
    ECE 0.214, by chance 0.165
    """
    report = measure_reliability(logits, targets, tau, bins=bins, resamples=resamples, rng=rng)
    with drawing(ax) as (axes, theme):
        from tsoft.features.calibrate.figure import reliability_bars, report_title
        from tsoft.figures.calibration_diagrams import MARKS, draw_reliability, inset_bin_counts
        from tsoft.figures.figure_legend import marks

        bars = reliability_bars(report.equal_width)
        draw_reliability(axes, bars, theme)
        below = inset_bin_counts(axes, bars, theme)
        fit_title(axes, report_title(report))
        handles, names = marks([axes, below], MARKS)
        add_legend(axes, handles, list(map(_short, names)))
    return axes


def nll(logits: ArrayLike, targets: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw the negative log-likelihood (NLL) of the targets over the temperature.

    The temperature with the least NLL calibrates the classifier. A dot marks it, a band is its 95 % interval, and the
    title has both. A dashed line marks the temperature 1.

    Parameters
    ----------
    logits : array_like, shape (..., n)
        The logits of rows that the classifier was not trained on; -inf masks a class.
    targets : array_like of int, shape (...)
        The index, from 0, of each row's true class.
    ax : matplotlib.axes.Axes, optional
        The axes to draw onto. By default those of a new figure of pyplot.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    LogitsError
        If a row contains NaN or +inf, or only masked classes.
    ValueError
        If the targets do not match the rows or are masked; if there are no rows; if all logits of each row
        are equal; or if every row looks like probabilities.

    See Also
    --------
    tsoft.fit_temperature : The fitted temperature and its interval as numbers.

    Examples
    --------
    >>> import tsoft
    >>> from matplotlib.figure import Figure
    >>> z, targets = [[2, 0], [2, 0], [2, 0]], [0, 0, 1]
    >>> ax = tsoft.plot.nll(z, targets, ax=Figure().subplots())
    >>> ax.get_title().splitlines()[0]
    'fitted τ = 2.885'
    """
    fit, rows = fit_temperature(logits, targets), validate_examples(logits, targets)
    with drawing(ax) as (axes, theme):
        from tsoft.features.calibrate.figure import nll_title
        from tsoft.features.calibrate.nll_curve import FIGURE_POINTS, curve_taus
        from tsoft.figures.calibration_diagrams import MARKS, NllCurve, draw_nll
        from tsoft.figures.figure_legend import marks

        grid = np.sort(curve_taus(fit.tau, summarize(StoredRows([rows])), FIGURE_POINTS))
        values = score_rows(StoredRows([rows]), grid, 1).nll
        curve = NllCurve(grid, values, fit.tau, fit.tau_low, fit.tau_high)
        draw_nll(axes, curve, theme)
        fit_title(axes, nll_title(curve))
        if not fit.reason:
            handles, names = marks([axes], MARKS)
            add_legend(axes, handles, list(map(_short, names)))
    return axes


def _short(name: str) -> str:
    """Return the name of a mark for a legend inside of the axes.

    >>> _short("its 95 % interval (Wilson)")
    '95 % interval'
    """
    return name.removeprefix("its ").removesuffix(" (Wilson)")
