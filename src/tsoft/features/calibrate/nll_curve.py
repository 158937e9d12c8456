"""The temperatures at which the NLL is drawn."""

from math import inf, ulp
from sys import float_info

import numpy as np

from tsoft.core.labeled_rows import RowSummary
from tsoft.core.softmax import Array

# The curve extends by this factor on either side of the fit, and has this many points in a table and in a figure.
FACTOR, CHART_POINTS, FIGURE_POINTS = 4.0, 16, 40
# It extends beyond τ = 1, too, if the fit is at most by this factor away from 1.
LARGEST_FACTOR, BEYOND_ONE = 100.0, 1.25


def curve_taus(tau: float, summary: RowSummary, points: int) -> Array:
    """Return the temperatures around the fitted `tau`, with `tau` itself at the end unless it is 0 or inf."""
    is_limit = tau in (0, inf)
    center = summary.spread * summary.unit if is_limit else tau
    # Keeps both ends of the curve positive and finite, even if they are rounded.
    center = max(center, ulp(0.0) * FACTOR)
    low, high = center / FACTOR, min(center, float_info.max / FACTOR / 2) * FACTOR
    if 1 / LARGEST_FACTOR <= center <= LARGEST_FACTOR:
        low, high = min(low, 1 / BEYOND_ONE), max(high, BEYOND_ONE)
    return np.append(np.geomspace(low, high, points), [center] * (not is_limit))
