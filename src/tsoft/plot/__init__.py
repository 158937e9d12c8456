"""Draw distributions and calibrations with matplotlib: tsoft's figures for notebooks.

Each function draws onto the axes `ax`, by default onto those of a new figure of pyplot, which a notebook shows, and
returns them. Colors and fonts are those of matplotlib's settings. Labels are text: a `$` does not start a formula.
An error leaves the axes as they were.

    bars         the probabilities of the classes, as bars
    curves       the probabilities over the temperature
    heatmap      the probabilities over the temperature, as colors
    measures     the entropy or other measures over the temperature
    solve        a measure over the temperature, a target, and the temperatures that reach it
    counts       the numbers of draws of the classes, beside the expected ones
    reliability  the accuracy of a classifier against its confidence
    nll          the negative log-likelihood over the temperature, with the fitted temperature

Charts side by side have room for their labels with ``plt.subplots(2, 2, layout="constrained")``.
"""

from tsoft.plot.calibration_plots import nll, reliability
from tsoft.plot.class_plots import bars, counts, curves, heatmap
from tsoft.plot.measure_plots import measures, solve

__all__ = ["bars", "counts", "curves", "heatmap", "measures", "nll", "reliability", "solve"]
