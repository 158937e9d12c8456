"""Vector scaling: one weight and one bias per class (Guo et al. 2017, "On calibration of modern neural networks")."""

from dataclasses import dataclass

import numpy as np

from tsoft.core.softmax import Array


@dataclass(frozen=True, eq=False)
class VectorScaling:
    """The weight and the bias of each class, (n,) each: the calibrated logits are w ⊙ z + b."""

    weights: Array
    biases: Array

    def logits(self, z: Array) -> Array:
        """Return the calibrated logits of rows, (..., n). A masked class stays masked.

        >>> VectorScaling(np.array([0.5, 1.0]), np.array([0.0, -1.0])).logits(np.array([2.0, -np.inf]))
        array([  1., -inf])
        """
        is_masked = np.isneginf(z)
        return np.where(is_masked, -np.inf, np.where(is_masked, 0.0, z) * self.weights + self.biases)
