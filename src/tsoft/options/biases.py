"""Biases: numbers that are added to the logits of classes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tsoft.errors import UsageError
from tsoft.frozen import frozen
from tsoft.options.class_names import class_index
from tsoft.sampling.sampler_table import BIAS

if TYPE_CHECKING:
    from tsoft.core.block import Block

T = TypeVar("T")

# Pairs of a class's index and the number to add to its logit.
Biases = tuple[tuple[int, float], ...]


@frozen
class Bias:
    """A number to add to the logit of the class `name`. A bias from a file can name a class that is not in the
    input."""

    name: str
    value: float
    in_file: bool = False

    def index(self, block: "Block") -> int | None:
        """Return the index of the class, or None if the block does not have it.

        Raise UsageError for a bias from the command line whose class is ambiguous, or missing in the first row.
        """
        try:
            return class_index(block, self.name, BIAS.option)
        except UsageError:
            if not self.in_file:
                raise
            return None


def missing_names(biases: tuple[Bias, ...], block: "Block") -> list[str]:
    """Return the names of biases that no class of a block has. Raise UsageError as `Bias.index` does."""
    return [bias.name for bias in biases if bias.index(block) is None]


def remembered(function: "Callable[[Block], T]") -> "Callable[[Block], T]":
    """Return the same function with a cache of its last result, which it returns until the classes change.

    All blocks of a vocabulary share one labels object. Searching it for every token would double the time per token.
    The first row is looked up separately, because a missing class is an error there.

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
    result: T

    def remember(block: "Block") -> T:
        nonlocal labels, key, result
        new_key = (block.logits.shape[1], block.first_row == 0)
        if block.labels is not labels or new_key != key:
            result = function(block)
            labels, key = block.labels, new_key
        return result

    return remember
