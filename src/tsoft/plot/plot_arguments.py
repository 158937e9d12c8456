"""The arguments that several functions of tsoft.plot take: one row of logits, its labels, and temperatures."""

# Signatures in help() show the names of the types.
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.block import class_names
from tsoft.core.softmax import Array, Taus, require_softmax, validate_logits, validate_taus
from tsoft.sampling.distributions import descending_order

if TYPE_CHECKING:
    from tsoft.charts.view import ClassSelection

# The temperatures of curves: the lowest, the highest, and their number.
LOWEST_TAU, HIGHEST_TAU, TAUS = 0.1, 10.0, 101


def one_row(logits: ArrayLike) -> Array:
    """Return the logits of one row, (n,). Raise LogitsError for a row without a softmax, ValueError for another
    shape."""
    z = validate_logits(logits)
    if z.ndim != 1:
        raise ValueError(f"logits must be one row of shape (n,), got shape {z.shape}")
    require_softmax(z)
    return z


def names_of(labels: Sequence[str] | None, count: int) -> list[str]:
    """Return the names of the classes. Raise ValueError unless there is one label for each."""
    if labels is not None and len(labels) != count:
        raise ValueError(f"labels must have one name for each of the {count} classes, got {len(labels)}")
    return class_names(None if labels is None else tuple(map(str, labels)), count)


def one_tau(tau: float) -> float:
    """Return a temperature. Raise ValueError for a list, or for a number out of range."""
    taus = validate_taus(tau)
    if taus.ndim:
        raise ValueError(f"tau must be a single number, got shape {taus.shape}")
    return float(taus)


def tau_grid(taus: Taus | None) -> Array:
    """Return temperatures in ascending order, (k,). Raise ValueError for those that a logarithmic axis lacks."""
    grid = np.geomspace(LOWEST_TAU, HIGHEST_TAU, TAUS) if taus is None else np.unique(validate_taus(taus))
    if not grid.size or grid[0] == 0 or np.isinf(grid[-1]):
        raise ValueError("taus must be one or more finite numbers above 0, because the axis is logarithmic")
    return np.asarray(grid)


def most_probable(z: Array, probs: Array, count: int) -> ClassSelection:
    """Return the most probable classes and the rest; all classes in their order if there are no more than `count`."""
    from tsoft.charts.view import ClassSelection

    if len(z) <= count:
        return ClassSelection(np.arange(len(z)), np.arange(0))
    order = descending_order(z, probs)
    return ClassSelection(order[:count], order[count:])
