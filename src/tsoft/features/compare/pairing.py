"""The rows of the two inputs in pairs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from tsoft.core.block import Block
from tsoft.errors import InputError, joined, shortened
from tsoft.features.compare.classes import NAMES, ClassMatcher, Pair
from tsoft.input.class_lookup import IGNORED
from tsoft.notes import note
from tsoft.options.paired_rows import kept_runs, paired_rows


def pairs(first: Iterator[Block], second: Iterator[Block], source: str, *, all_positions: bool) -> Iterator[Pair]:
    """Yield the rows of both inputs in pairs. Raise InputError if their rows or their classes differ.

    source: the file of the second input, for messages. all_positions: whether to compare two responses after their
    texts differ, too.
    """
    a, b = next(first), next(second)
    first, second = chain([a], first), chain([b], second)
    if a.partial is not None and b.partial is not None:
        rows = paired_texts(first, second, all_positions=all_positions)
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


# Responses


def paired_texts(
    first: Iterable[Block], second: Iterable[Block], *, all_positions: bool
) -> Iterator[tuple[Block, Block]]:
    """Yield the tokens of two responses in pairs, text by text, up to the position at which the texts differ: after
    different texts, the distributions are not comparable. Print a note on the positions that are left out.

    Raise InputError if the numbers of texts differ.
    """
    texts = [_texts(blocks) for blocks in (first, second)]
    if len(texts[0]) != len(texts[1]):
        counts = joined([f"{name} has {len(some)}" for name, some in zip(NAMES, texts, strict=True)])
        raise InputError(f"the numbers of texts differ: {counts}; both need the same texts")
    for one, other in zip(*texts, strict=True):
        count = min(len(one), len(other))
        same = next((i for i in range(count) if _drawn(one[i]) != _drawn(other[i])), count)
        compared = count if all_positions else min(same + 1, count)
        _note_difference(one, other, same, compared)
        yield from zip(one[:compared], other[:compared], strict=True)


def _texts(blocks: Iterable[Block]) -> list[list[Block]]:
    """Return the tokens of each text, in the order in which the texts begin."""
    texts: dict[int, list[Block]] = {}
    for block in blocks:
        assert block.partial
        texts.setdefault(block.partial.text, []).append(block)
    return list(texts.values())


def _drawn(block: Block) -> str:
    assert block.partial
    assert block.labels
    return block.labels[block.partial.index]


def _note_difference(first: Sequence[Block], second: Sequence[Block], same: int, compared: int) -> None:
    """Print a note if not all tokens of a text are compared, or if they follow different texts."""
    if same + 1 < min(len(first), len(second)):
        row, tokens = first[same].first_row, joined([repr(shortened(_drawn(text[same]))) for text in (first, second)])
        drawn = f"row {row}: the texts differ after {same} token{'s' * (same != 1)}: A and B drew {tokens}"
        if compared == same + 1:
            rest = max(len(first), len(second)) - compared
            note(f"{drawn}; tsoft leaves out the {rest} tokens after them; pass --all-positions to compare these, too")
        else:
            note(f"{drawn}; the distributions after them depend on different texts")
    elif len(first) != len(second) and compared == min(len(first), len(second)):
        counts = joined([f"{name} has {len(text)}" for name, text in zip(NAMES, (first, second), strict=True)])
        lengths = f"the texts differ in length: {counts} tokens"
        note(f"row {first[0].first_row}: {lengths}; tsoft compares the first {compared}")
