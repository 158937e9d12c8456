"""The positions of two responses to one prompt, up to the first different token."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from math import nan

import numpy as np

from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array
from tsoft.errors import InputError, shortened
from tsoft.features.audit.pair_kind import LogprobPair
from tsoft.features.audit.pair_slope import median_slope
from tsoft.notes import note
from tsoft.options.paired_texts import drawn_token, paired_texts

NAMES = ("A", "B")


@dataclass(frozen=True, eq=False)
class PairPosition:
    """One position of a text in both responses.

    `row` is its row in A, `text` the number of the text in A, and `position` the number of the token in it, from 0.
    `drawn` are the tokens that A and B drew, and `labels` are those of the tokens in `pair` that both list.
    """

    row: int
    text: int
    position: int
    drawn: tuple[str, str]
    labels: tuple[str, ...]
    pair: LogprobPair

    @cached_property
    def largest(self) -> int | None:
        """The index of the token whose log-probability differs most, None without a number in both."""
        if not self.pair.is_finite.any():
            return None
        finite = np.flatnonzero(self.pair.is_finite)
        return int(finite[np.abs(self.pair.second[finite] - self.pair.first[finite]).argmax()])

    @property
    def difference(self) -> float:
        """The log-probability of this token in B minus that in A; NaN without a number in both."""
        return nan if self.largest is None else float(self.pair.second[self.largest] - self.pair.first[self.largest])

    @property
    def difference_token(self) -> str | None:
        return None if self.largest is None else self.labels[self.largest]

    @cached_property
    def slope(self) -> float:
        """The slope of B's log-probabilities against A's; NaN with fewer than two different numbers in both."""
        first, second = self.pair.finite
        return median_slope([first], [second])


def pair_positions(first: Iterable[Block], second: Iterable[Block]) -> list[PairPosition]:
    """Return the positions of two responses up to the first different token of each text.

    Print a note on what is left out. Raise InputError if an input is not an API response, or if the numbers of texts
    differ.
    """
    one_response, other_response = _checked(first, NAMES[0]), _checked(second, NAMES[1])
    positions: list[PairPosition] = []
    places = Counter[int]()
    ambiguous: tuple[int, str] | None = None
    for one, other in paired_texts(one_response, other_response, NAMES):
        assert one.partial
        repeated = [_repeated(block) for block in (one, other)]
        ambiguous = ambiguous or next(((one.first_row, min(labels)) for labels in repeated if labels), None)
        drawn = drawn_token(one), drawn_token(other)
        text = one.partial.text
        sides = [_known(block, labels) for block, labels in zip((one, other), repeated, strict=True)]
        labels, pair = _matched(*sides)
        positions.append(PairPosition(one.first_row, text, places[text], drawn, labels, pair))
        places[text] += 1
    if ambiguous:
        row, label = ambiguous
        note(f"row {row}: several tokens have the text {shortened(label)!r}; tsoft leaves such tokens out")
    return positions


def _checked(blocks: Iterable[Block], name: str) -> Iterator[Block]:
    """Yield the blocks of one row. Raise InputError for one that is not from an API response."""
    for block in chain.from_iterable(each.split_by_width() for each in blocks):
        if block.partial is None:
            problem = f"{name} has logits, not the log-probabilities of an API response"
            raise InputError(f"{block.location}: {problem}; audit needs two responses, or logits and draws")
        yield block


def _repeated(block: Block) -> set[str]:
    """Return the labels that several tokens of a position have."""
    return {label for label, count in Counter(block.labels).items() if count > 1}


@dataclass(frozen=True, eq=False)
class _KnownTokens:
    """The tokens of one position that have a known log-probability and a text of their own."""

    labels: tuple[str, ...]
    partial: PartialDistribution

    def numbers(self, labels: Iterable[str]) -> Array:
        """Return the log-probabilities of some of the tokens."""
        places = {label: i for i, label in enumerate(self.labels)}
        return np.asarray(self.partial.logprobs[np.array([places[label] for label in labels], int)])


def _known(block: Block, repeated: set[str]) -> _KnownTokens:
    assert block.partial
    assert block.labels
    is_kept = ~block.partial.unknown & np.array([label not in repeated for label in block.labels], bool)
    kept = np.flatnonzero(is_kept)
    return _KnownTokens(tuple(block.labels[i] for i in kept.tolist()), block.partial.listing(kept))


def _matched(first: _KnownTokens, second: _KnownTokens) -> tuple[tuple[str, ...], LogprobPair]:
    """Return the labels that both list, and the numbers of both."""
    known = set(first.labels), set(second.labels)
    both = tuple(label for label in first.labels if label in known[1])
    a, b = first.partial, second.partial
    return both, LogprobPair(
        first.numbers(both),
        second.numbers(both),
        (float(a.errors.max(initial=0.0)), float(b.errors.max(initial=0.0))),
        first.numbers(label for label in first.labels if label not in known[1]),
        second.numbers(label for label in second.labels if label not in known[0]),
        (a.ceiling, b.ceiling),
        (a.min_unlisted_mass, b.min_unlisted_mass),
    )
