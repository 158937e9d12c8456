"""The rows of the two inputs in pairs."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from tsoft.core.block import Block
from tsoft.errors import InputError, shortened
from tsoft.features.compare.classes import NAMES, ClassMatcher, Pair
from tsoft.input.class_lookup import IGNORED
from tsoft.notes import note
from tsoft.options.paired_rows import kept_runs, paired_rows
from tsoft.options.paired_texts import paired_texts

_ALL_POSITIONS = "pass --all-positions to compare these, too"


def pairs(first: Iterator[Block], second: Iterator[Block], source: str, *, all_positions: bool) -> Iterator[Pair]:
    """Yield the rows of both inputs in pairs. Raise InputError if their rows or their classes differ.

    source: the file of the second input, for messages. all_positions: whether to compare two responses after their
    texts differ, too.
    """
    a, b = next(first), next(second)
    first, second = chain([a], first), chain([b], second)
    if a.partial is not None and b.partial is not None:
        rows = paired_texts(first, second, NAMES, all_positions=all_positions, fix=_ALL_POSITIONS)
    else:
        rows = paired_rows(first, second, source, NAMES)
    matcher = ClassMatcher()
    total = ignored = 0
    for one, other in rows:
        _check_keys(one, other)
        _check_targets(one, other)
        one = _with_targets(one, other)
        total += len(one.logits)
        ignored += 0 if one.targets is None else int((one.targets == IGNORED).sum())
        for start, stop in kept_runs(one.targets, len(one.logits)):
            yield matcher.pair(one.part(start, stop), other.part(start, stop))
    if ignored:
        note(f"tsoft leaves out {ignored} of {total} rows, whose target is that of --ignore-index")


def _check_keys(first: Block, second: Block) -> None:
    """Raise InputError if the rows have different keys."""
    if first.keys is None or second.keys is None or list(first.keys) == list(second.keys):
        return
    rows = zip(first.rows, first.keys, second.keys, strict=True)
    row, key, other = next((row, a, b) for row, a, b in rows if a != b)
    keys = f"{shortened(str(key))!r} in {NAMES[0]} and {shortened(str(other))!r} in {NAMES[1]}"
    raise InputError(f"row {row}: the key is {keys}; put the rows of both in the same order")


def _check_targets(first: Block, second: Block) -> None:
    """Raise InputError if the rows have different true classes, because they are then different rows.

    If only one block names its classes, these are in the order of the other one's.
    """
    if first.targets is None or second.targets is None:
        return
    are_named = first.labels is not None and second.labels is not None
    names = [
        [block.labels[index] if are_named and block.labels and index >= 0 else index for index in targets.tolist()]
        for block, targets in ((first, first.targets), (second, second.targets))
    ]
    differing = next((i for i, (a, b) in enumerate(zip(*names, strict=True)) if a != b), None)
    if differing is not None:
        a, b = (repr(some[differing]) for some in names)
        problem = f"the true class, or the next token, is {a} in {NAMES[0]} and {b} in {NAMES[1]}"
        raise InputError(f"row {first.rows[differing]}: {problem}; both need the same rows")


def _with_targets(block: Block, other: Block) -> Block:
    """Return a block with the true classes of another one with the same rows, if only that one has them."""
    if block.targets is not None or other.targets is None or block.partial is not None:
        return block
    targets = other.targets
    if block.labels is not None and other.labels is not None:
        # Different classes are an error later.
        places = {label: index for index, label in enumerate(block.labels)}
        labels = other.labels
        targets = np.array([places.get(labels[i], i) if i >= 0 else i for i in targets.tolist()], np.int64)
    return replace(block, targets=targets)
