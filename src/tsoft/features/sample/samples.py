"""Samples from the rows' distributions at each temperature."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.draw import COUNTS, DRAWS, counts, draws, generator
from tsoft.core.softmax import Array
from tsoft.options.response_notes import require_exact
from tsoft.sampling.distributions import Distributions


@dataclass(frozen=True, eq=False)
class Sample:
    """`size` draws from a row's distribution at a temperature, one by one or as counts. `probs` is (n,); `tokens`
    shows whether the labels are tokens. `key` names the row if the input does."""

    row: int
    tau: float
    engine: str | None
    labels: tuple[str, ...] | None
    probs: Array
    size: int
    seed: int
    tokens: bool = False
    key: str | int | None = None

    def draws(self) -> Iterator[Array]:
        return draws(self.probs, self.size, generator(self.seed, self.row, DRAWS))

    @cached_property
    def counts(self) -> Array:
        return counts(self.probs, self.size, generator(self.seed, self.row, COUNTS))

    @property
    def expected(self) -> Array:
        """The expected count of each class: (n,)."""
        return np.asarray(self.size * (self.probs / self.probs.sum(dtype=np.float64)))


class DrawnSample(Sample):
    """A sample whose counts are those of its draws, which takes longer."""

    @cached_property
    def counts(self) -> Array:
        return sum((np.bincount(piece, minlength=len(self.probs)) for piece in self.draws()), np.zeros(1, np.int64))


def samples(result: Distributions, size: int, seed: int, kind: type[Sample] = Sample) -> Iterator[Sample]:
    """Yield a sample of each row at each temperature, in the order of the output."""
    require_exact(result)
    tokens = result.block.partial is not None
    for r, row in enumerate(result.block.rows):
        for t, tau in enumerate(result.taus.tolist()):
            key = None if result.block.keys is None else result.block.keys[r]
            yield kind(row, tau, result.engine, result.block.labels, result.probs[t, r], size, seed, tokens, key)
