"""What is added to the logits of some classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsoft.errors import UsageError
from tsoft.sampling.sampler_table import BIAS

if TYPE_CHECKING:
    from tsoft.core.block import Block


Biases = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Bias:
    """What is added to the logit of the class of that name. One that stands in a file may name a class
    that the input does not have."""

    name: str
    value: float
    in_file: bool = False

    def index(self, block: "Block") -> int | None:
        from tsoft.options.class_names import index_of

        try:
            return index_of(block, self.name, BIAS.option)
        except UsageError:
            if not self.in_file:
                raise
            return None


def remembered(find: "Callable[[Block], Biases]") -> "Callable[[Block], Biases]":
    """The same, which looks at a block's classes alone, with what it found last. A vocabulary's labels are one
    object in all its blocks, and to go through them takes as long as all else that a token needs. The first row
    is another case: it has to have the classes.

    >>> import numpy as np
    >>> from tsoft.core.block import Block
    >>> looked = []
    >>> find = remembered(lambda block: looked.append(block) or ((0, 1.0),))
    >>> labels = ("a", "b")
    >>> [find(Block(np.zeros((1, 2)), labels, row)) for row in (0, 1, 2)][-1], len(looked)
    (((0, 1.0),), 2)
    """
    labels: tuple[str, ...] | None = None
    others: tuple[int, bool] | None = None
    biases: Biases = ()

    def found(block: "Block") -> Biases:
        nonlocal labels, others, biases
        told = (block.logits.shape[1], block.first_row == 0)
        if block.labels is not labels or told != others:
            biases = find(block)
            labels, others = block.labels, told
        return biases

    return found
