"""Rows of logits with their targets, for the tests of fits and of calibration measures."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tool import TESTS
from tsoft.core.labeled_rows import LabeledRows

DATA = TESTS / "data"


def reference() -> Any:
    """Return the fit and the measures of the digits, computed in extended precision."""
    return json.loads((DATA / "digits-reference.json").read_text())["digits"]


def digits(name: str) -> LabeledRows:
    """Return the logits of a classifier of handwritten digits, with the digits as targets."""
    with np.load(DATA / f"digits-{name}.npz") as arrays:
        return LabeledRows(arrays["logits"], arrays["labels"])


def once(*blocks: LabeledRows) -> Callable[[], Iterable[LabeledRows]]:
    """Return a function that returns the blocks, as a fit expects."""
    return lambda: blocks


def random_rows(seed: int, rows: int, classes: int, tau: float = 1.0) -> LabeledRows:
    """Return random logits, with targets drawn from their softmax at a temperature."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(rows, classes)) * 3
    return LabeledRows(z, (z / tau + random.gumbel(size=z.shape)).argmax(1))


def resampled(rows: LabeledRows, chosen: Any) -> LabeledRows:
    """Return the rows at the chosen indices, which may repeat."""
    return LabeledRows(rows.logits[chosen], rows.targets[chosen])
