"""The examples that the explorer shows without logits."""

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.explorer.explorer_rows import ExplorerRows

# The most probable next tokens of SmolLM2-135M-Instruct after "The capital of France is" and after "Once upon a
# time, there was a". The logits are relative to the highest.
PEAKED = {
    " Paris": 0.00, " the": -2.51, " London": -4.04, " New": -4.33, " Le": -4.38, " La": -4.47, " ": -4.48,
    " Mon": -4.78, " not": -4.89, " a": -5.26, " capital": -5.29, " L": -5.40, " France": -5.56, " also": -5.78,
    " St": -5.81, " The": -5.90, " Capital": -5.93, " E": -5.95, " Mont": -5.95, " Notre": -5.96, " B": -6.09,
    " Ch": -6.26, " City": -6.26, " Saint": -6.34,
}  # fmt: skip
FLAT = {
    " small": 0.00, " town": -0.04, " young": -0.30, " woman": -0.33, " great": -0.53, " place": -0.60,
    " company": -0.65, " time": -0.67, " man": -0.80, " group": -1.12, " world": -1.19, " person": -1.30,
    " village": -1.40, " famous": -1.58, " magical": -1.59, " local": -1.65, " city": -1.73, " law": -1.82,
    " legendary": -1.89, " mysterious": -1.94, " movie": -2.01, " ": -2.05, " medieval": -2.06,
    " planet": -2.13, " brilliant": -2.14, " beautiful": -2.16, " king": -2.26, " large": -2.38, " game": -2.41,
    " little": -2.41, " film": -2.48, " blacksmith": -2.57, " powerful": -2.62, " country": -2.64,
    " high": -2.70, " band": -2.71, " renowned": -2.76, " female": -2.77, " very": -2.81, " big": -2.81,
}  # fmt: skip
# The logits of a small network for an image of an 8 from scikit-learn's digits.
DIGITS = {
    "0": -5.41, "1": -4.11, "2": -1.87, "3": 2.19, "4": -4.37, "5": -1.82, "6": 0.00, "7": -3.43, "8": 2.02, "9": 0.71,
}  # fmt: skip


def examples() -> ExplorerRows:
    """Return a few distributions on which temperature has different effects."""
    named = {
        "four classes": {"A": 2.0, "B": 1.0, "C": 0.5, "D": 0.1},
        "a peaked next token": PEAKED,
        "a flat next token": FLAT,
        "an 8 that looks like a 3": DIGITS,
        "two levels": {"ground": 0.0, "excited": -1.0},
    }
    blocks = [
        Block(np.array([list(logits.values())]), tuple(logits), number, Origin(labels_vary=True))
        for number, logits in enumerate(named.values())
    ]
    return ExplorerRows(blocks, tuple(named))
