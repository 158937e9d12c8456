"""The plots of classes: their probabilities at one temperature and over the temperature, and counts of draws."""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.chi_square import goodness_of_fit
from tsoft.core.draw import MAX_COUNT
from tsoft.core.library_arguments import plain_array
from tsoft.core.softmax import Array, Taus, softmax
from tsoft.plot.plot_arguments import most_probable, names_of, one_row, one_tau, tau_grid
from tsoft.plot.plot_axes import add_legend, drawing, fit_title, place_names, shorten_names, widen_for_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More bars, or rows of a heat map, show the rest of the classes as one.
MAX_CLASSES = 20


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
    z, temperature = one_row(logits), one_tau(tau)
    names = names_of(labels, len(z))
    with drawing(ax) as (axes, theme):
        from tsoft.charts.style import tau_text
        from tsoft.figures.class_charts import Bars, draw_bars

        probs = softmax(z, temperature)
        selection = most_probable(z, probs, MAX_CLASSES)
        shown = selection.values(probs)
        draw_bars(axes, Bars(selection.labels(names), shown, shown, tau_text(temperature)), theme)
        shorten_names(axes)
        widen_for_texts(axes)
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
    z, grid = one_row(logits), tau_grid(taus)
    names = names_of(labels, len(z))
    with drawing(ax) as (axes, theme):
        from tsoft.charts.curves import MAX_CURVES
        from tsoft.figures.axes import TauScale
        from tsoft.figures.class_charts import draw_curves

        probs = softmax(z, grid)
        selection = most_probable(z, probs.max(0), MAX_CURVES)
        shown, first = selection.labels(names, "{} more"), len(axes.lines)
        draw_curves(axes, shown, TauScale(grid), selection.values(probs).T, theme)
        place_names(axes, shown, axes.lines[first : first + len(shown)])
    return axes


def heatmap(
    logits: ArrayLike,
    taus: Taus | None = None,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the probabilities of the classes over the temperature as colors, with a color bar beside the axes.

    Of more than 20 classes, the 20 that reach the highest probabilities have a row each, and the others have one
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
        The axes to draw onto. By default those of a new figure of pyplot.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. The color bar has separate axes, which take some of their room.

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
    >>> ax = tsoft.plot.heatmap([2, 1, 0.5], [0.5, 1, 2], labels=["cat", "dog", "owl"], ax=Figure().subplots())
    >>> [name.get_text() for name in ax.get_yticklabels()]
    ['cat', 'dog', 'owl']
    >>> ax.collections[0].get_array().round(3)
    masked_array(
      data=[[0.844, 0.629, 0.481],
            [0.114, 0.231, 0.292],
            [0.042, 0.14 , 0.227]],
      mask=False,
      fill_value=1e+20)
    """
    z, grid = one_row(logits), tau_grid(taus)
    names = names_of(labels, len(z))
    with drawing(ax) as (axes, theme):
        from tsoft.figures.axes import TauScale
        from tsoft.figures.class_charts import draw_heatmap

        probs = softmax(z, grid)
        selection = most_probable(z, probs.max(0), MAX_CLASSES)
        draw_heatmap(axes, selection.labels(names), TauScale(grid), selection.values(probs).T, theme)
        shorten_names(axes)
    return axes


def counts(
    logits: ArrayLike,
    counts: ArrayLike,
    tau: float = 1.0,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often each class was drawn, beside the expected counts and two standard errors on either side.

    The title has the p-value of Pearson's test of whether the draws agree with the distribution [1]_. Of more than 20
    classes, the 20 most probable ones have a bar each, and the others have one together.

    Parameters
    ----------
    logits : array_like, shape (n,)
        Logits; -inf masks a class.
    counts : array_like of int, shape (n,)
        The number of draws of each class, such as ``tsoft.sample_counts(logits, tau)`` or
        ``numpy.bincount(draws, minlength=n)``.
    tau : float, default 1
        The temperature of the distribution that is tested, from 0 to inf.
    labels : sequence of str, optional
        The names of the classes. By default these are #0, #1, and so on.
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
        If the row contains NaN or +inf, or only masked classes.
    ValueError
        If the logits are not one row, if there is not one whole number of draws, at least 0, for each class, if there
        is no draw or more than 2**62, if the number of labels is not that of the classes, or if the temperature is out
        of range.

    See Also
    --------
    tsoft.sample_counts : Random counts.

    References
    ----------
    .. [1] K. Pearson, "On the criterion that a given system of deviations ...", Philosophical Magazine 50, 1900.

    Examples
    --------
    >>> import tsoft
    >>> from matplotlib.figure import Figure
    >>> ax = tsoft.plot.counts([2, 1, 0.5], [60, 26, 14], labels=["cat", "dog", "owl"], ax=Figure().subplots())
    >>> [int(bar.get_width()) for bar in ax.patches]
    [60, 26, 14]
    >>> print(ax.get_title())
    τ = 1, 100 draws
    p-value 0.7836
    """
    z, temperature = one_row(logits), one_tau(tau)
    names, drawn = names_of(labels, len(z)), _draws(counts, len(z))
    with drawing(ax) as (axes, theme):
        from tsoft.charts.style import prob_text, tau_text
        from tsoft.figures.counts import Counts, draw_counts, draws_text

        probs, size = softmax(z, temperature), drawn.sum(dtype=np.float64)
        selection = most_probable(z, probs, MAX_CLASSES)
        values = Counts(selection.labels(names), selection.values(drawn), size * selection.values(probs))
        draw_counts(axes, values, theme, name="count")
        p_value = _p_value(drawn, probs)
        tested = "–" if p_value is None else prob_text(p_value)
        fit_title(axes, f"{tau_text(temperature)}, {draws_text(int(size))}\np-value {tested}")
        add_legend(axes, *axes.get_legend_handles_labels())
        shorten_names(axes)
    return axes


def _draws(counts: ArrayLike, classes: int) -> Array:
    """Return the number of draws of each class, (n,). Raise ValueError if these are not whole numbers from 0."""
    drawn = plain_array("counts", counts)
    if drawn.shape != (classes,):
        raise ValueError(f"counts must have one number for each of the {classes} classes, got shape {drawn.shape}")
    if drawn.dtype.kind not in "iuf" or not np.isfinite(drawn).all() or (drawn < 0).any() or (drawn % 1).any():
        raise ValueError("counts must be whole numbers from 0")
    if not 0 < drawn.sum(dtype=np.float64) <= MAX_COUNT:
        raise ValueError(f"counts must sum to at least 1 and at most 2**62, got {drawn.sum(dtype=np.float64):g}")
    return drawn


def _p_value(drawn: Array, probs: Array) -> float | None:
    """Return the p-value of the draws, None if every number of draws agrees with the distribution."""
    if drawn[probs == 0].any():
        return 0.0
    fit = goodness_of_fit(drawn, probs)
    return None if fit is None else fit.p_value
