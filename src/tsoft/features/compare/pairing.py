"""The rows of the two inputs in pairs."""

from collections.abc import Iterator
from itertools import chain

from tsoft.core.block import Block
from tsoft.features.compare.classes import NAMES, ClassMatcher, Pair
from tsoft.input.class_lookup import IGNORED
from tsoft.notes import note
from tsoft.options.paired_rows import checked_rows, kept_runs, noting_equal_logits, paired_rows
from tsoft.options.paired_texts import paired_texts

_ALL_POSITIONS = "pass --all-positions to compare these, too"


def pairs(
    first: Iterator[Block], second: Iterator[Block], source: str, *, all_positions: bool, copy_note: str | None
) -> Iterator[Pair]:
    """Yield the rows of both inputs in pairs. Raise InputError if their rows or their classes differ.

    source: the file of the second input, for messages. all_positions: whether to compare two responses after their
    texts differ, too. copy_note: a note to print if the logits of both inputs are the same.
    """
    a, b = next(first), next(second)
    first, second = chain([a], first), chain([b], second)
    if a.partial is not None and b.partial is not None:
        rows = paired_texts(first, second, NAMES, all_positions=all_positions, fix=_ALL_POSITIONS)
    else:
        rows = paired_rows(first, second, source, NAMES)
    if copy_note is not None:
        rows = noting_equal_logits(rows, copy_note)
    matcher = ClassMatcher()
    total = ignored = 0
    for one, other in rows:
        one = checked_rows(one, other, NAMES)
        total += len(one.logits)
        ignored += 0 if one.targets is None else int((one.targets == IGNORED).sum())
        for start, stop in kept_runs(one.targets, len(one.logits)):
            yield matcher.pair(one.part(start, stop), other.part(start, stop))
    if ignored:
        note(f"tsoft leaves out {ignored} of {total} rows, whose target is that of --ignore-index")
