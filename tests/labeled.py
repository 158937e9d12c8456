"""Rows of logits with their targets, for the tests of fits and of calibration measures."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from tool import TESTS
from tsoft.core.labeled_rows import LabeledRows, StoredRows

T = TypeVar("T")

DATA = TESTS / "data"


def reference() -> Any:
    """Return the fit and the measures of the digits, computed in extended precision."""
    return json.loads((DATA / "digits-reference.json").read_text())["digits"]


def digits(name: str) -> LabeledRows:
    """Return the logits of a classifier of handwritten digits, with the digits as targets."""
    with np.load(DATA / f"digits-{name}.npz") as arrays:
        return LabeledRows(arrays["logits"], arrays["labels"])


def once(*blocks: LabeledRows) -> StoredRows:
    """Return all rows, as a fit expects them."""
    return StoredRows(blocks)


class CountedPasses:
    """Rows that count the passes over them."""

    def __init__(self, *blocks: LabeledRows):
        self._rows, self.passes = StoredRows(blocks), 0

    def __iter__(self) -> Iterator[LabeledRows]:
        self.passes += 1
        return iter(self._rows)

    def map(self, function: Callable[[LabeledRows], T]) -> Iterator[T]:
        return map(function, self)


def random_rows(seed: int, rows: int, classes: int, tau: float = 1.0) -> LabeledRows:
    """Return random logits, with targets drawn from their softmax at a temperature."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(rows, classes)) * 3
    return LabeledRows(z, (z / tau + random.gumbel(size=z.shape)).argmax(1))


def resampled(rows: LabeledRows, chosen: Any) -> LabeledRows:
    """Return the rows at the chosen indices, which may repeat."""
    return LabeledRows(rows.logits[chosen], rows.targets[chosen])
