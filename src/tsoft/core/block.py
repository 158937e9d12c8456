"""What flows from a reader through the core to a writer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tsoft.core import measures
from tsoft.core.temperature import Array, log_softmax, log_sum_exp, softmax


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that share their labels. `logits` is (rows, n); `labels`, where there are any, are n
    strings that may repeat or be empty; `first_row` counts from 0 over the whole input.
    `labels_vary` says that another block may have other labels; `quantity` is what the numbers
    were before they became logits."""

    logits: Array
    labels: tuple[str, ...] | None = None
    first_row: int = 0
    labels_vary: bool = False
    quantity: str = "logit"

    @property
    def rows(self) -> range:
        return range(self.first_row, self.first_row + len(self.logits))

    def part(self, first: int, stop: int) -> "Block":
        """Some of the block's rows, counted from its first."""
        return replace(self, logits=self.logits[first:stop], first_row=self.first_row + first)


@dataclass(frozen=True, eq=False)
class Distributions:
    """A block's distributions over a list of k temperatures. Probabilities are (k, rows, n),
    measures (k, rows), each worked out when it is first asked for."""

    block: Block
    taus: Array

    @cached_property
    def probs(self) -> Array:
        return softmax(self.block.logits, self.taus)

    @cached_property
    def log_probs(self) -> Array:
        return log_softmax(self.block.logits, self.taus)

    @cached_property
    def entropy(self) -> Array:
        return measures.entropy(self.block.logits, self.taus)

    @cached_property
    def perplexity(self) -> Array:
        return np.exp(self.entropy)

    @cached_property
    def top(self) -> Array:
        """The index of each row's most probable class: (rows,), the same at every temperature."""
        return measures.top(self.block.logits)

    @cached_property
    def top_prob(self) -> Array:
        return measures.top_prob(self.block.logits, self.taus)

    @cached_property
    def margin(self) -> Array:
        return measures.margin(self.block.logits, self.taus)

    @cached_property
    def log_sum_exp(self) -> Array:
        return log_sum_exp(self.block.logits, self.taus)


# The measures by the names that records and headers give them.
MEASURES = ("entropy", "perplexity", "top_prob", "margin", "log_sum_exp")


def unit(measure: str, bits: bool) -> float:
    """What a measure's numbers are divided by to be written: entropies are in nats, or in bits.

    >>> round(unit("entropy", bits=True), 4), unit("margin", bits=True)
    (0.6931, 1.0)
    """
    return float(np.log(2)) if measure == "entropy" and bits else 1.0


# A piece holds about so many probabilities.
PIECE = 1 << 21


def distributions(block: Block, taus: Array) -> Iterator[Distributions]:
    """The distributions of a block, row by row and each at every temperature, in pieces that fit in
    memory however many rows, classes and temperatures there are."""
    classes = block.logits.shape[1]
    step = max(1, PIECE // (classes * len(taus)))
    for first in range(0, len(block.logits), step):
        rows = block.part(first, first + step)
        at_once = len(taus) if classes * len(taus) <= PIECE else max(1, PIECE // classes)
        for t in range(0, len(taus), at_once):
            yield Distributions(rows, taus[t : t + at_once])


def class_names(labels: tuple[str, ...] | None, count: int) -> list[str]:
    """A name for each class that no other has: its label where that is its own, else with its
    index, which always names a class.

    >>> class_names(("cat", "?", "?", ""), 4)
    ['cat', '?#1', '?#2', '#3']
    >>> class_names(None, 2)
    ['#0', '#1']
    """
    if labels is None:
        return [f"#{i}" for i in range(count)]
    seen: dict[str, int] = {}
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
    own = [seen[label] == 1 and bool(label.strip()) and not _is_index(label) for label in labels]
    return [label if its_own else f"{label}#{i}" for i, (label, its_own) in enumerate(zip(labels, own, strict=True))]


def _is_index(label: str) -> bool:
    return label[:1] == "#" and label[1:].isdigit()
