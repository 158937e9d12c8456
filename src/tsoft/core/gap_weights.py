"""The relative probabilities of classes by their gaps to the most probable class."""

import numpy as np

from tsoft.core.softmax import Array


def gap_weights(gaps: Array, tau: Array | float) -> Array:
    """Return exp(-gap / tau), with the exact limits at temperatures 0 and inf. A gap of inf is a masked class.

    >>> gap_weights(np.array([0.0, 1.0, np.inf]), 0.0), gap_weights(np.array([0.0, 1.0, np.inf]), np.inf)
    (array([1., 0., 0.]), array([1., 1., 0.]))
    """
    gaps, tau = np.broadcast_arrays(gaps, tau)
    with np.errstate(all="ignore"):
        weights = np.exp(-gaps / tau)
    return np.select([gaps == 0.0, gaps == np.inf], [1.0, 0.0], weights)
