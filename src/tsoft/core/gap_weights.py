"""The relative probabilities of classes by their gaps to the most probable class."""

import numpy as np

from tsoft.core.softmax import Array


def gap_weights(gaps: Array, tau: Array | float) -> Array:
    """Return exp(-gap / tau), with the exact limits at temperatures 0 and inf. A gap of inf is a masked class.

    >>> gap_weights(np.array([0.0, 1.0, np.inf]), 0.0), gap_weights(np.array([0.0, 1.0, np.inf]), np.inf)
    (array([1., 0., 0.]), array([1., 1., 0.]))
    """
    with np.errstate(all="ignore"):
        weights = np.asarray(np.exp(np.divide(gaps, -np.asarray(tau))))
    np.copyto(weights, 1.0, where=gaps == 0.0)
    np.copyto(weights, 0.0, where=gaps == np.inf)
    return weights
