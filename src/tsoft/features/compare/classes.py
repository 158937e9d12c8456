"""The classes of the two inputs that belong together."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.errors import InputError, joined, shortened
from tsoft.features.compare.bounds import Match, Places
from tsoft.notes import note
from tsoft.options.paired_rows import order_note

# The names of the inputs in messages.
NAMES = ("A", "B")
# An error lists this many labels.
_MAX_LISTED = 3


@dataclass(frozen=True, eq=False)
class Pair:
    """The same rows of both inputs. Of two whole distributions, the classes are in the same order. Otherwise the blocks
    have one row, `match` are the classes that belong together, and `chosen` are the places of the token that the first
    server drew, if they are known. `drawn` is its text.
    """

    first: Block
    second: Block
    match: Match | None = None
    chosen: Places | None = None
    drawn: str | None = None


@dataclass(frozen=True, eq=False)
class _Labels:
    """The labels of a block, the index of each label that only one class has, and the labels of several classes."""

    labels: tuple[str, ...]

    @cached_property
    def repeated(self) -> set[str]:
        return {label for label, count in Counter(self.labels).items() if count > 1}

    @cached_property
    def places(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels) if label not in self.repeated}


class ClassMatcher:
    """Finds the classes that belong together: by label if both inputs have labels, else by index. Blocks of one input
    usually share their labels, so those of the last blocks are kept. Each kind of note is printed once."""

    def __init__(self) -> None:
        self._last: list[_Labels | None] = [None, None]
        self._order: tuple[_Labels, _Labels, Array] | None = None
        self._noted: set[str] = set()

    def pair(self, first: Block, second: Block) -> Pair:
        """Return a pair of blocks with the same rows. Raise InputError if their classes differ."""
        if first.partial is None and second.partial is None:
            return Pair(first, self._ordered(first, second))
        for block, name in zip((first, second), NAMES, strict=True):
            if block.labels is None:
                raise InputError(f"{block.location}: {name} does not name its classes; pass --labels @FILE")
        return self._matched(first, second)

    def _note(self, kind: str, message: str) -> None:
        if kind not in self._noted:
            self._noted.add(kind)
            note(message)

    def _labels(self, block: Block, side: int) -> _Labels:
        assert block.labels is not None
        last = self._last[side]
        if last is None or last.labels is not block.labels:
            last = self._last[side] = _Labels(block.labels)
        return last

    def _ordered(self, first: Block, second: Block) -> Block:
        """Return the second block with its classes in the order of the first."""
        if not first.labels or not second.labels:
            count, expected = second.logits.shape[1], first.logits.shape[1]
            if count != expected:
                classes = f"{count} class{'es' * (count != 1)}, but {NAMES[0]} has {expected}"
                place = f"{second.location}: {NAMES[1]}"
                raise InputError(f"{place} has {classes} in row {second.first_row}; both need the same classes")
            if order := order_note(first, second, NAMES):
                self._note("order", order)
            return second
        labels, others = self._labels(first, 0), self._labels(second, 1)
        if self._order is None or self._order[0] is not labels or self._order[1] is not others:
            self._order = labels, others, _order(labels, others, second.location)
        if first.labels == second.labels:
            return second
        return replace(second, logits=second.logits[:, self._order[2]], labels=first.labels)

    def _matched(self, first: Block, second: Block) -> Pair:
        """Return a pair of which at least one distribution is partial."""
        blocks, other_labels = [first, second], [self._labels(second, 1), self._labels(first, 0)]
        classes = next((block.logits.shape[1] for block in blocks if block.partial is None), None)
        for i, block in enumerate(blocks):
            if block.partial is not None:
                # Several classes of a whole distribution may be this token.
                ambiguous = set() if blocks[1 - i].partial else other_labels[i].repeated
                blocks[i] = _of_classes(self._listing_known(block, ambiguous), classes, NAMES[i])
        places = [self._labels(block, side).places for side, block in enumerate(blocks)]
        both = [label for label in places[0] if label in places[1]]
        indices = [np.array([table[label] for label in both], int) for table in places]
        only = [np.delete(np.arange(block.logits.shape[1]), some) for block, some in zip(blocks, indices, strict=True)]
        for i, block in enumerate(blocks):
            if block.partial is None and len(only[1 - i]):
                labels = blocks[1 - i].labels
                assert labels
                label = repr(shortened(labels[only[1 - i][0]]))
                raise InputError(f"row {first.first_row}: {NAMES[i]} has no class {label}, which {NAMES[1 - i]} lists")
        match = Match(indices[0], indices[1], only[0], only[1], _neither(blocks, len(both) + sum(map(len, only))))
        drawn = _drawn(first)
        is_ambiguous = blocks[1].partial is None and drawn in other_labels[0].repeated
        chosen = None if drawn is None or is_ambiguous else (places[0].get(drawn), places[1].get(drawn))
        return Pair(blocks[0], blocks[1], match, chosen, drawn)

    def _listing_known(self, block: Block, ambiguous: set[str]) -> Block:
        """Return a block of a response that lists only tokens with a known probability that their text identifies. The
        others count as unlisted."""
        assert block.partial
        assert block.labels
        repeated = {label for label, count in Counter(block.labels).items() if count > 1}
        unclear = repeated | ambiguous.intersection(block.labels)
        if unclear:
            problem = f"several tokens have the text {shortened(min(unclear))!r}"
            self._note("unclear", f"row {block.first_row}: {problem}; tsoft treats such tokens as unlisted")
        is_kept = ~block.partial.unknown & [label not in unclear for label in block.labels]
        return block if is_kept.all() else _listing(block, np.flatnonzero(is_kept))


def _drawn(block: Block) -> str | None:
    """Return the token that a server drew, or the label of the true class of a whole distribution, if it has one."""
    assert block.labels
    if block.partial is not None:
        return block.labels[block.partial.index]
    if block.targets is None or block.targets[0] < 0:
        return None
    return block.labels[int(block.targets[0])]


def _order(labels: _Labels, others: _Labels, place: str) -> Array:
    """Return the indices that bring the second labels into the order of the first. Raise InputError if they differ."""
    counts, other_counts = Counter(labels.labels), Counter(others.labels)
    if counts != other_counts:
        extra = zip(NAMES, (counts - other_counts, other_counts - counts), strict=True)
        differences = joined([f"only {name} has {_listed(more)}" for name, more in extra if more])
        raise InputError(f"{place}: the classes differ: {differences}; both need the same classes")
    if labels.repeated and labels.labels != others.labels:
        repeated = min(labels.repeated)
        problem = f"{counts[repeated]} classes have the label {shortened(repeated)!r}, and the orders differ"
        raise InputError(f"{place}: {problem}, so tsoft cannot match them; give each class its own label")
    return np.array([others.places.get(label, 0) for label in labels.labels])


def _listed(labels: Counter[str]) -> str:
    names = [repr(shortened(label)) for label in labels]
    return ", ".join(names[:_MAX_LISTED]) + f" and {len(names) - _MAX_LISTED} more" * (len(names) > _MAX_LISTED)


def _listing(block: Block, kept: Array) -> Block:
    """Return a block of a response that lists only some of its tokens."""
    assert block.partial
    assert block.labels
    labels = tuple(block.labels[i] for i in kept)
    return replace(block, logits=block.logits[:, kept], labels=labels, partial=block.partial.listing(kept))


def _of_classes(block: Block, classes: int | None, name: str) -> Block:
    """Return a block of a response with this number of classes, if it is known. Raise InputError if the others cannot
    have the unlisted probability."""
    assert block.partial
    if classes is None or block.partial.classes is not None:
        return block
    partial = replace(block.partial, classes=classes)
    if partial.unlisted is not None and partial.unlisted >= 0 and partial.is_consistent:
        return replace(block, partial=partial)
    raise InputError(f"row {block.first_row}: {_excess(partial, name)}; A and B have different classes")


def _excess(partial: PartialDistribution, name: str) -> str:
    """Return why a response that lists some of the classes cannot have only these."""
    assert partial.unlisted is not None
    if partial.unlisted < 0:
        return f"{name} lists more than {partial.classes} classes"
    if partial.unlisted == 0:
        return f"{name} lists all {partial.classes} classes, but not all of the probability"
    classes = "class" if partial.unlisted == 1 else f"{partial.unlisted} classes"
    return f"the {classes} that {name} does not list cannot have the rest of the probability"


def _neither(blocks: list[Block], listed: int) -> int | None:
    """Return the number of classes that no block lists; None if it is unknown."""
    counts = [block.logits.shape[1] if block.partial is None else block.partial.classes for block in blocks]
    known = [count for count in counts if count is not None]
    return max(0, min(known) - listed) if known else None
