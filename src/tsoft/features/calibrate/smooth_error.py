"""The smooth ECE: the gap between accuracy and confidence after smoothing over the confidence.

With v_i = (right_i - c_i) / N at the confidence c_i of row i, and K the Gaussian kernel on [0, 1] whose tails are
reflected at 0 and 1,

    smECE(sigma) = integral from 0 to 1 of | sum_i v_i K_sigma(t, c_i) | dt

It falls as sigma rises, so that there is one sigma with smECE(sigma) = sigma, which is the smooth ECE (Blasiok &
Nakkiran 2023, "Smooth ECE: Principled reliability diagrams via kernel smoothing", section 4). In cosines, which the
reflections leave as they are, the kernel is diagonal:

    K_sigma(t, c) = 1 + 2 sum_k exp(-(pi k sigma)^2 / 2) cos(pi k t) cos(pi k c)

Confidences between two points of a grid are shared between both in proportion.
"""

from math import log2, sqrt

import numpy as np

from tsoft.core.softmax import Array
from tsoft.features.calibrate.confidence_cells import ConfidenceCells

# The powers of two of the number of points of the grid: the largest for rows; one that suits the noise for a
# simulation.
FINEST, COARSEST = 15, 9
# The points of the grid within a standard deviation of the noise.
POINTS_PER_DEVIATION = 8.0
# The relative precision of the width of rows and of simulations, and the largest number of evaluations.
TOLERANCE, SIMULATION_TOLERANCE, MAX_ITERATIONS = 1e-9, 1e-4, 60


def smooth_ece(cells: ConfidenceCells, outcomes: Array) -> Array:
    """Return the smooth ECE of each set of outcomes, (...)."""
    masses = np.atleast_2d((outcomes - cells.expected) / cells.rows)
    power, tolerance = (_suitable_power(cells), SIMULATION_TOLERANCE) if outcomes.ndim > 1 else (FINEST, TOLERANCE)
    return _fixed_points(_cosines(cells.confidence, masses, 1 << power), tolerance).reshape(outcomes.shape[:-1])


def _suitable_power(cells: ConfidenceCells) -> int:
    deviation = sqrt(float((cells.expected * (1 - cells.confidence)).sum())) / cells.rows
    power = log2(POINTS_PER_DEVIATION / deviation) if deviation > 0 else COARSEST
    return round(min(max(power, COARSEST), FINEST - 2))


def _cosines(places: Array, masses: Array, points: int) -> Array:
    """Return the sums of mass times cos(pi k c) for k = 0, …, points: (s, points + 1). masses: (s, c)."""
    scaled = places * points
    below = np.minimum(scaled.astype(np.int64), points - 1)
    shares = scaled - below
    # The noise of a simulation is far above the rounding of float32, which is faster.
    on_grid = np.zeros((len(masses), points + 1), np.float64 if len(masses) == 1 else np.float32)
    for grid, mass in zip(on_grid, masses, strict=True):
        grid += np.bincount(below, mass * (1 - shares), points + 1) + np.bincount(below + 1, mass * shares, points + 1)
    # Every point inside of [0, 1] occurs twice in the even extension.
    on_grid[:, 1:-1] /= 2
    return np.fft.rfft(np.concatenate([on_grid, on_grid[:, -2:0:-1]], axis=1)).real


def smoothed_error(cosines: Array, widths: Array) -> Array:
    """Return the error after smoothing with the width of each row of coefficients: (s,)."""
    points = cosines.shape[1] - 1
    waves = (np.pi * np.arange(points + 1)).astype(cosines.dtype)
    damped = np.multiply(waves, widths[:, np.newaxis].astype(cosines.dtype))
    np.exp(damped * damped / -2, out=damped)
    damped *= cosines
    damped[:, -1] *= 2
    gaps = abs(np.fft.irfft(damped * (2 * points), axis=1)[:, : points + 1])
    return np.asarray((gaps.sum(1) - (gaps[:, 0] + gaps[:, -1]) / 2) / points)


def _fixed_points(cosines: Array, tolerance: float) -> Array:
    """Return the width of each row of coefficients that equals its error, by regula falsi (Illinois)."""
    points = cosines.shape[1] - 1
    # At an infinite width, the error is that of all rows together. A width much below the grid has no effect.
    low = np.maximum(abs(cosines[:, 0]), 0.25 / points)
    high = smoothed_error(cosines, low)
    is_above = high > low
    excess_low, excess_high = high - low, smoothed_error(cosines, np.maximum(high, low)) - high
    result, side = high.copy(), np.zeros(len(high))
    for _ in range(MAX_ITERATIONS):
        with np.errstate(invalid="ignore", divide="ignore"):
            middle = low - excess_low * (high - low) / (excess_high - excess_low)
        middle = np.where(is_above & np.isfinite(middle), middle, result)
        excess = smoothed_error(cosines, middle) - middle
        result = np.where(is_above, middle, result)
        if (abs(excess[is_above]) <= tolerance * middle[is_above]).all():
            break
        # An end that stays a second time counts half, so that it does not stay for ever.
        new_side = np.sign(excess)
        stays = new_side == side
        excess_low = np.where(excess > 0, excess, np.where(stays, excess_low / 2, excess_low))
        excess_high = np.where(excess > 0, np.where(stays, excess_high / 2, excess_high), excess)
        low, high, side = np.where(excess > 0, middle, low), np.where(excess > 0, high, middle), new_side
    return result
