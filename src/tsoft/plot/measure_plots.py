"""The plots of measures over the temperature, and of the temperature at which a measure reaches a target."""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core import measures as core
from tsoft.core import solve as solvers
from tsoft.core.softmax import Taus, softmax
from tsoft.plot.plot_arguments import one_row, tau_grid
from tsoft.plot.plot_axes import drawing, fit_title, place_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The quantities of the measures. Measures with the same quantity can share axes.
QUANTITIES = {
    "entropy": "entropy (nats)",
    "perplexity": "perplexity (classes)",
    "top_prob": "probability",
    "margin": "probability",
    "varentropy": "varentropy (nats²)",
}


def measures(
    logits: ArrayLike,
    names: str | Sequence[str] = "entropy",
    taus: Taus | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the entropy, or other measures of a distribution, as curves over the temperature.

    Parameters
    ----------
    logits : array_like, shape (n,)
        Logits; -inf masks a class.
    names : str or sequence of str, default "entropy"
        The measures: "entropy" in nats, "perplexity" in classes, "varentropy" in nats squared, "top_prob" or "margin".
        The last two are both probabilities, and can share axes.
    taus : float or array_like of float, optional
        The temperatures, above 0 and finite. By default 101 temperatures from 0.1 to 10.
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
        If the logits are not one row; if a measure is unknown, or measures have different units; or if a temperature
        is 0, inf or out of range.

    See Also
    --------
    tsoft.entropy, tsoft.perplexity, tsoft.varentropy, tsoft.top_prob, tsoft.margin : The measures as numbers.

    Examples
    --------
    >>> import tsoft
    >>> from matplotlib.figure import Figure
    >>> ax = tsoft.plot.measures([2, 1, 0.5], taus=[0.5, 1, 2], ax=Figure().subplots())
    >>> ax.get_ylabel(), ax.lines[0].get_ydata().round(3)
    ('entropy (nats)', array([0.524, 0.906, 1.048]))
    >>> ax = tsoft.plot.measures([2, 1, 0.5], ["top_prob", "margin"], ax=Figure().subplots())
    >>> [curve.get_label() for curve in ax.lines[:2]]
    ['top-prob', 'margin']
    """
    z, grid = one_row(logits), tau_grid(taus)
    chosen = _known([names] if isinstance(names, str) else list(names))
    quantities = {QUANTITIES[name] for name in chosen}
    if len(quantities) > 1:
        raise ValueError(f"{' and '.join(chosen)} have different units; draw each of them onto its own axes")
    values = np.stack([getattr(core, name)(z, grid) for name in chosen])
    with drawing(ax) as (axes, theme):
        from tsoft.figures.axes import TauScale
        from tsoft.figures.class_charts import draw_curves

        quantity, first = quantities.pop(), len(axes.lines)
        shown = [name.replace("_", "-") for name in chosen]
        if len(chosen) == 1 and quantity == "probability":
            quantity = shown[0]
        draw_curves(axes, shown, TauScale(grid), values, theme, quantity=quantity)
        place_names(axes, shown, axes.lines[first : first + len(shown)])
    return axes


def solve(
    logits: ArrayLike,
    ax: Axes | None = None,
    *,
    top_prob: float | None = None,
    entropy: float | None = None,
    perplexity: float | None = None,
    margin: float | None = None,
    prob: float | None = None,
    index: int | None = None,
) -> Axes:
    """Draw a measure over the temperature, its target, and the temperatures at which it reaches the target.

    Pass exactly one target. The title has the solutions. Without one, the curve surrounds τ = 1, and the title has the
    reason.

    Parameters
    ----------
    logits : array_like, shape (n,)
        Logits; -inf masks a class.
    ax : matplotlib.axes.Axes, optional
        The axes to draw onto. By default those of a new figure of pyplot.
    top_prob : float, optional
        The probability of the most probable class.
    entropy : float, optional
        The entropy in nats.
    perplexity : float, optional
        The perplexity: the effective number of classes, exp(entropy).
    margin : float, optional
        The first minus the second probability.
    prob : float, optional
        The probability of the class `index`.
    index : int, optional
        The index, from 0, of the class with the probability `prob`.

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
        If the logits are not one row, if there is not exactly one target, or if the target is negative or NaN.
    IndexError
        If there is no class `index`.

    See Also
    --------
    tsoft.solve : The solutions as numbers.

    Examples
    --------
    >>> import tsoft
    >>> from matplotlib.figure import Figure
    >>> ax = tsoft.plot.solve([2, 1, 0.5, 0.1], top_prob=0.73, ax=Figure().subplots())
    >>> ax.get_title()
    'top-prob = 0.73 at τ = 0.6517'
    """
    z = one_row(logits)
    targets = {"top_prob": top_prob, "entropy": entropy, "perplexity": perplexity, "margin": margin, "prob": prob}
    solutions = solvers.solve(z, **targets, index=index)
    [(measure, target)] = [(name, value) for name, value in targets.items() if value is not None]
    taus = solutions.taus[~np.isnan(solutions.taus)]
    with drawing(ax) as (axes, theme):
        from tsoft.charts.curves import surrounding_taus
        from tsoft.charts.style import short_tau_text
        from tsoft.features.solve.chart import POINTS, REACH
        from tsoft.figures.axes import TauScale
        from tsoft.figures.class_charts import draw_curves
        from tsoft.figures.overlays import draw_marks, draw_target, solution_marks

        name = measure.replace("_", "-") if index is None else f"probability of class {index}"
        grid = surrounding_taus(taus, REACH, POINTS)
        values = softmax(z, grid)[:, index] if measure == "prob" else getattr(core, measure)(z, grid)
        quantity = QUANTITIES[measure] if measure in ("entropy", "perplexity") else name
        draw_curves(axes, [name], TauScale(grid), values[np.newaxis], theme, quantity=quantity)
        draw_marks(axes, solution_marks(grid, values, taus, target, short_tau_text), theme)
        first = len(axes.lines)
        draw_target(axes, target, f"target {target:g}", theme)
        place_names(axes, [f"target {target:g}"], axes.lines[first:])
        answer = " and ".join(map(short_tau_text, taus.tolist())) or f"no τ\n{solutions.reason}"
        fit_title(axes, f"{name} = {target:g} at {answer}")
    return axes


def _known(names: list[str]) -> list[str]:
    """Return the names of measures. Raise ValueError for an unknown one, or without any."""
    unknown = [name for name in names if name not in QUANTITIES]
    if unknown or not names:
        got = f", got {unknown[0]!r}" if unknown else ""
        raise ValueError(f"names must be one or more of {', '.join(QUANTITIES)}{got}")
    return names
