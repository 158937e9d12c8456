"""Rows of an evaluation of a language model: the log-likelihoods of the answers to each question."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.errors import InputError, UsageError

NOT_SAMPLING = "so τ calibrates the choice between them; it is no temperature at which to sample text"


def joined_answers(
    blocks: Iterator[Block], source: str, note: Callable[[str], None], *, per_character: bool
) -> Iterator[Block]:
    """Return the blocks. Those of an evaluation, which have one row each, are joined into one block.

    Questions with fewer answers have masked classes at the end. per_character: whether the log-likelihoods were to be
    divided by the lengths of the answers, which is an error for other input.
    """
    first = next(blocks, None)
    if first is None:
        return iter([])
    if first.origin.target is None or first.partial is not None:
        if per_character:
            raise UsageError("--acc-norm has no effect without samples of lm-evaluation-harness; remove --acc-norm")
        return itertools.chain([first], blocks)
    rows = list(itertools.chain([first], blocks))
    other = next((row for row in rows if row.targets is None), None)
    if other is not None:
        raise InputError(f"{other.location}: not a sample of an evaluation, as those before it; remove it")
    counts = [row.logits.shape[1] for row in rows]
    classes = max(counts)
    z = np.full((len(rows), classes), -np.inf)
    for line, row, count in zip(z, rows, counts, strict=True):
        line[:count] = row.logits[0]
    note(f"{source}: the classes are the answers to each question, {NOT_SAMPLING}")
    if min(counts) < classes:
        note(f"{source}: the questions have {min(counts)} to {classes} answers; tsoft masks the classes without one")
    targets = np.array([row.targets[0] for row in rows if row.targets is not None])
    origin = Origin(source=first.origin.source, target=first.origin.target)
    return iter([Block(z, None, first.first_row, origin, targets=targets)])
