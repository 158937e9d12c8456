"""The order of the classes, which may differ between the rows of an input."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from tsoft.core.block import Block
from tsoft.input.class_lookup import IGNORED


def in_first_order(blocks: Iterator[Block], note: Callable[[str], None]) -> Iterator[Block]:
    """Yield the blocks of an input, with their classes in the order of the first one if they are the same. Print a note
    on the first row whose classes are in another order."""
    labels, is_noted = None, False
    for block in blocks:
        labels = labels or block.labels
        ordered = block if labels is None or block.partial else _ordered(block, labels)
        if ordered is not block and not is_noted:
            is_noted = True
            reading = "tsoft matches them by name"
            if block.targets is not None:
                reading += ", and a target that is an index counts in its row"
            note(f"{block.location}: the classes are in another order than in the first row; {reading}")
        yield ordered


def _ordered(block: Block, labels: tuple[str, ...]) -> Block:
    """Return a block with its classes in the order of `labels`, if they are the same, and each label is unique."""
    names = block.labels
    if names is None or names == labels or len(names) != len(labels):
        return block
    places = {name: i for i, name in enumerate(names)}
    if len(places) < len(names) or places.keys() != set(labels):
        return block
    order = np.array([places[label] for label in labels])
    targets = block.targets
    if targets is not None:
        targets = np.where(targets == IGNORED, IGNORED, np.argsort(order)[targets])
    return replace(block, logits=block.logits[:, order], labels=labels, targets=targets)
