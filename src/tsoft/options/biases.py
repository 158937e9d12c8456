"""Biases: numbers that are added to the logits of some classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsoft.errors import UsageError
from tsoft.options.class_names import class_index
from tsoft.sampling.sampler_table import BIAS

if TYPE_CHECKING:
    from tsoft.core.block import Block

# Each an index and a number.
Biases = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Bias:
    """A number that is added to the logit of the class of that name. One from a file may name a class that the
    input does not have."""

    name: str
    value: float
    in_file: bool = False

    def index(self, block: "Block") -> int | None:
        try:
            return class_index(block, self.name, BIAS.option)
        except UsageError:
            if not self.in_file:
                raise
            return None


def remembered(biases_of: "Callable[[Block], Biases]") -> "Callable[[Block], Biases]":
    """The same function, which is called again only where the classes differ from those of the last call: a
    vocabulary's labels are one object in all its blocks, and to search them takes as long as all else that a token
    needs. The first row is a case of its own, since it must have the classes.

    >>> import numpy as np
    >>> from tsoft.core.block import Block
    >>> calls = []
    >>> biases_of = remembered(lambda block: calls.append(block) or ((0, 1.0),))
    >>> labels = ("a", "b")
    >>> [biases_of(Block(np.zeros((1, 2)), labels, row)) for row in (0, 1, 2)][-1], len(calls)
    (((0, 1.0),), 2)
    """
    labels: tuple[str, ...] | None = None
    key: tuple[int, bool] | None = None
    biases: Biases = ()

    def remember(block: "Block") -> Biases:
        nonlocal labels, key, biases
        new_key = (block.logits.shape[1], block.first_row == 0)
        if block.labels is not labels or new_key != key:
            biases = biases_of(block)
            labels, key = block.labels, new_key
        return biases

    return remember
