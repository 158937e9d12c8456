"""The sampler adaptive-p, which prefers classes with a probability near a target."""

from math import inf

import numpy as np

from tsoft.core.softmax import Array, softmax
from tsoft.sampling.states import initial_mean

_WIDTH, _PEAK, _SHARPNESS = 0.3, 5.0, 10.0


def adaptive_p(z: Array, target: float, decay: float = 0.9, mean: float | None = None) -> Array:
    """Return logits that are highest at a probability of 2·target - mean, clipped to 0 to 1.

    `mean` is the mean of the drawn probabilities, which the target replaces before the first token. The `decay` only
    changes the mean after the draw.

    Source: llama.cpp pull request 17927, 2025.

    >>> adaptive_p(np.log([0.5, 0.3, 0.2]), 0.3).round(2)
    array([2.33, 5.  , 4.17])
    """
    preferred = min(max(2 * target - initial_mean(target, mean), 0.0), 1.0)
    distance = abs((softmax(z) - preferred) / _WIDTH)
    return np.asarray(np.where(z > -inf, _PEAK - _SHARPNESS * distance**2 / (1 + distance), -inf), z.dtype)
