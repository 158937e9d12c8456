"""The least probable spans of a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter


@dataclass(frozen=True)
class Span:
    """The tokens of a text from `start` up to, but without, `stop`. The `excess` is by how many nats their surprise,
    −ln of their probability, exceeds that of as many average tokens."""

    start: int
    stop: int
    excess: float


def least_probable(surprises: Sequence[float], mean: float) -> list[Span]:
    """Return the spans whose excess over the mean no longer or shorter span exceeds, the largest first. They do
    not overlap.

    Source: Ruzzo & Tompa 1999, "A linear time algorithm for finding all maximal scoring subsequences", ISMB.

    >>> [(span.start, span.stop) for span in least_probable([0, 5, 1, 4, 0, 0, 0, 3, 0], 1.5)]
    [(1, 4), (7, 8)]
    """
    candidates: list[_Candidate] = []
    total = 0.0
    for place, surprise in enumerate(surprises):
        before, total = total, total + surprise - mean
        if surprise <= mean:
            continue
        start, left = place, before
        lower = _lower(candidates, left)
        while lower >= 0 and candidates[lower].right < total:
            start, left = candidates[lower].start, candidates[lower].left
            del candidates[lower:]
            lower = _lower(candidates, left)
        candidates.append(_Candidate(start, place + 1, left, total, lower))
    spans = [Span(each.start, each.stop, each.right - each.left) for each in candidates]
    return sorted(spans, key=attrgetter("excess"), reverse=True)


@dataclass(frozen=True)
class _Candidate:
    """A span, the sums of the excesses up to its start and up to its stop, and the index of the last candidate with
    a `lower` left sum, -1 for none."""

    start: int
    stop: int
    left: float
    right: float
    lower: int


def _lower(candidates: list[_Candidate], left: float) -> int:
    """Return the index of the last candidate whose left sum is below this one; -1 for none. Those between a candidate
    and its `lower` are no lower than the candidate, so the search skips them."""
    index = len(candidates) - 1
    while index >= 0 and candidates[index].left >= left:
        index = candidates[index].lower
    return index
