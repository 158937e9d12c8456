"""Rows of logits with their true classes, for the tests of a fit and of what is measured at it."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tool import TESTS
from tsoft.core.labelled_rows import LabelledRows

DATA = TESTS / "data"


def reference() -> Any:
    """The fit and the measures of the digits, computed in extended precision."""
    return json.loads((DATA / "digits-reference.json").read_text())["digits"]


def digits(name: str) -> LabelledRows:
    """The logits of a classifier of handwritten digits, and the digits."""
    with np.load(DATA / f"digits-{name}.npz") as held:
        return LabelledRows(held["logits"], held["labels"])


def once(*blocks: LabelledRows) -> Callable[[], Iterable[LabelledRows]]:
    return lambda: blocks


def made(seed: int, rows: int, classes: int, tau: float = 1.0) -> LabelledRows:
    """Logits whose targets are drawn from their softmax at a temperature."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(rows, classes)) * 3
    return LabelledRows(z, (z / tau + random.gumbel(size=z.shape)).argmax(1))


def resampled(rows: LabelledRows, chosen: Any) -> LabelledRows:
    return LabelledRows(rows.logits[chosen], rows.targets[chosen])
