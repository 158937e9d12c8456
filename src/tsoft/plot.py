"""Draw distributions and calibrations with matplotlib: tsoft's figures for notebooks.

Each function draws onto the axes `ax`, by default the current ones of pyplot, and returns them. Colors and fonts are
those of matplotlib's settings.

    bars         the probabilities of the classes, as bars
    curves       the probabilities over the temperature
    reliability  the accuracy of a classifier against its confidence
    nll          the negative log-likelihood over the temperature, with the fitted temperature
"""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.block import class_names
from tsoft.core.draw import Rng
from tsoft.core.labeled_rows import summarize, validate_examples
from tsoft.core.softmax import Array, Taus, require_softmax, softmax, validate_logits, validate_taus
from tsoft.core.temperature_scaling import fit_temperature
from tsoft.features.calibrate.reliability import reliability as measure_reliability
from tsoft.features.calibrate.reliability import score_rows
from tsoft.sampling.distributions import descending_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tsoft.charts.view import ClassSelection
    from tsoft.figures.figure_theme import Theme

__all__ = ["bars", "curves", "nll", "reliability"]

# More bars show the rest of the classes as one bar.
MAX_BARS = 20
# The temperatures of curves: the lowest, the highest, and their number.
LOWEST_TAU, HIGHEST_TAU, TAUS = 0.1, 10.0, 101


def bars(logits: ArrayLike, tau: float = 1.0, labels: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Draw the probabilities of the classes as horizontal bars.

    Of more than 20 classes, the 20 most probable ones have a bar each, and the others have one together.

    Parameters
    ----------
    logits : array_like, shape (n,)
        Logits; -inf masks a class.
    tau : float, default 1
        The temperature, from 0 to inf.
    labels : sequence of str, optional
        The names of the classes. By default these are #0, #1, and so on.
    ax : matplotlib.axes.Axes, optional
        The axes to draw onto. By default the current axes of pyplot.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    LogitsError
        If the row contains NaN or +inf, or only masked classes.
    ValueError
        If the logits are not one row, the number of labels is not that of the classes, or the temperature is out of
        range.

    Examples
    --------
    >>> import tsoft
    >>> from matplotlib.figure import Figure
    >>> ax = tsoft.plot.bars([2, 1, 0.5], labels=["cat", "dog", "owl"], ax=Figure().subplots())
    >>> [name.get_text() for name in ax.get_yticklabels()]
    ['cat', 'dog', 'owl']
    >>> [f"{bar.get_width():.3f}" for bar in ax.patches]
    ['0.629', '0.231', '0.140']
    """
    z, names = _row(logits, labels)
    temperature = _single(tau)
    with _drawing(ax) as (axes, theme):
        from tsoft.charts.style import tau_text
        from tsoft.figures.class_charts import Bars, draw_bars

        probs = softmax(z, temperature)
        selection = _selection(z, probs, MAX_BARS)
        shown = selection.values(probs)
        draw_bars(axes, Bars(selection.labels(names), shown, shown, tau_text(temperature)), theme)
        # These already existed before.
        for name in axes.get_yticklabels():
            name.set_parse_math(False)
    return axes


def curves(
    logits: ArrayLike,
    taus: Taus | None = None,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the probabilities of the classes as curves over the temperature.

    Of more than 8 classes, the 8 that reach the highest probabilities have a curve each, and the others have one
    together.

    Parameters
    ----------
    logits : array_like, shape (n,)
        Logits; -inf masks a class.
    taus : float or array_like of float, optional
        The temperatures, above 0 and finite. By default 101 temperatures from 0.1 to 10.
    labels : sequence of str, optional
        The names of the classes. By default these are #0, #1, and so on.
    ax : matplotlib.axes.Axes, optional
        The axes to draw onto. By default the current axes of pyplot.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    LogitsError
        If the row contains NaN or +inf, or only masked classes.
    ValueError
        If the logits are not one row, the number of labels is not that of the classes, or a temperature is 0, inf or
        out of range.

    Examples
    --------
    >>> import tsoft
    >>> from matplotlib.figure import Figure
    >>> ax = tsoft.plot.curves([2, 1, 0.5], [0.5, 1, 2], labels=["cat", "dog", "owl"], ax=Figure().subplots())
    >>> ax.lines[0].get_label(), ax.lines[0].get_ydata().round(3)
    ('cat', array([0.844, 0.629, 0.481]))
    """
    z, names = _row(logits, labels)
    grid = np.geomspace(LOWEST_TAU, HIGHEST_TAU, TAUS) if taus is None else np.unique(validate_taus(taus))
    if not grid.size or grid[0] == 0 or np.isinf(grid[-1]):
        raise ValueError("taus must be one or more finite numbers above 0, because the axis is logarithmic")
    with _drawing(ax) as (axes, theme):
        from tsoft.charts.curves import MAX_CURVES
        from tsoft.figures.class_charts import draw_curves

        probs = softmax(z, grid)
        selection = _selection(z, probs.max(0), MAX_CURVES)
        draw_curves(axes, selection.labels(names, "{} more"), grid, selection.values(probs).T, theme, log=True)
    return axes


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
    accuracy and the mean confidence. In a calibrated classifier, the bars end near the diagonal. The title has the
    expected calibration error (ECE), and the ECE that is due to chance.

    Parameters
    ----------
    logits : array_like, shape (..., n)
        Logits; -inf masks a class.
    targets : array_like of int, shape (...)
        The index, from 0, of each row's true class.
    tau : float, default 1
        The temperature, from 0 to inf.
    ax : matplotlib.axes.Axes, optional
        The axes to draw onto. By default the current axes of pyplot.
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
    with _drawing(ax) as (axes, theme):
        from tsoft.features.calibrate.figure import reliability_bars, report_title
        from tsoft.figures.calibration_diagrams import MARKS, draw_reliability
        from tsoft.figures.chart_grid import marks

        draw_reliability(axes, reliability_bars(report.equal_width), theme)
        axes.set_title(report_title(report))
        axes.legend(*marks([axes], MARKS), loc="upper left", fontsize="small")
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
        The axes to draw onto. By default the current axes of pyplot.

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
    with _drawing(ax) as (axes, theme):
        from tsoft.features.calibrate.figure import fit_title
        from tsoft.features.calibrate.nll_curve import FIGURE_POINTS, curve_taus
        from tsoft.figures.calibration_diagrams import MARKS, NllCurve, draw_nll
        from tsoft.figures.chart_grid import marks

        grid = np.sort(curve_taus(fit.tau, summarize(lambda: [rows]), FIGURE_POINTS))
        values = score_rows(lambda: [rows], grid, 1).nll
        curve = NllCurve(grid, values, fit.tau, fit.tau_low, fit.tau_high)
        draw_nll(axes, curve, theme)
        axes.set_title(fit_title(curve))
        if not fit.reason:
            axes.legend(*marks([axes], MARKS), loc="upper left", fontsize="small")
    return axes


@contextmanager
def _drawing(ax: Axes | None) -> Iterator[tuple[Axes, Theme]]:
    """Yield the axes and their theme. Inside, a $ in a label is text, not the start of a formula.

    Raise ImportError without matplotlib.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise ImportError("tsoft.plot needs matplotlib; run pip install 'tsoft[figures]'") from None
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.gca()
    with matplotlib.rc_context({"text.parse_math": False}):
        yield ax, _theme()


def _theme() -> Theme:
    """Return the colors of matplotlib's settings."""
    from matplotlib import rcParams

    from tsoft.figures.figure_theme import Theme

    cycle = rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    return Theme(rcParams["axes.facecolor"], rcParams["text.color"], "gray", tuple(cycle), rcParams["font.size"])


def _row(logits: ArrayLike, labels: Sequence[str] | None) -> tuple[Array, list[str]]:
    """Return the logits of one row, and the names of its classes."""
    z = validate_logits(logits)
    if z.ndim != 1:
        raise ValueError(f"logits must be one row of shape (n,), got shape {z.shape}")
    require_softmax(z)
    if labels is not None and len(labels) != len(z):
        raise ValueError(f"labels must have one name for each of the {len(z)} classes, got {len(labels)}")
    return z, class_names(None if labels is None else tuple(map(str, labels)), len(z))


def _single(tau: float) -> float:
    taus = validate_taus(tau)
    if taus.ndim:
        raise ValueError(f"tau must be a single number, got shape {taus.shape}")
    return float(taus)


def _selection(z: Array, probs: Array, count: int) -> ClassSelection:
    """Return the most probable classes and the rest; all classes in their order if there are no more than `count`."""
    from tsoft.charts.view import ClassSelection

    if len(z) <= count:
        return ClassSelection(np.arange(len(z)), np.arange(0))
    order = descending_order(z, probs)
    return ClassSelection(order[:count], order[count:])
