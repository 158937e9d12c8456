"""Bounds on the measures of two distributions of which a response lists only a part.

At a temperature, the probability of a listed class is a_i (1 - m), where a are the probabilities among the listed
classes and m is the probability of the unlisted ones together. m is in a range (see `core.partial_distribution`), and
no unlisted class exceeds c (1 - m), for a known c. A wide range is cut into pieces: in each piece every probability is
in a narrow interval, and the bounds are the lowest and the highest over the pieces. A class that is listed on one side
only is unlisted on the other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tsoft.core.partial_distribution import PartialDistribution
from tsoft.core.softmax import Array, log_softmax

# A wider range of the unlisted probability is cut into this number of pieces.
WIDE, PIECES = 1e-3, 8
# Sums of probabilities have a smaller rounding error.
ROUNDING = 1e-13

Bounds = tuple[float, float]
# The index of a class on each side, None where it is not listed.
Places = tuple[int | None, int | None]
_NONE = np.array([], np.int64)


@dataclass(frozen=True, eq=False)
class Side:
    """What is known of one distribution at a temperature.

    `log_among` are the logarithms of the probabilities among the listed classes alone, (k,). `mass` are the lowest and
    the highest probability of the unlisted classes together, and `cap` is the highest probability of one of them
    relative to that of all listed classes. `tied` are the indices of the most probable classes, (m,), none if an
    unlisted class may be more probable. With `may_tie`, an unlisted class may be as probable.
    """

    log_among: Array
    mass: Bounds = (0.0, 0.0)
    cap: float = 0.0
    tied: Array = field(default_factory=lambda: _NONE)
    may_tie: bool = False

    @cached_property
    def pieces(self) -> Array:
        """The ends of the pieces of the range of the unlisted probability: (pieces + 1,)."""
        low, high = self.mass
        return np.linspace(low, high, PIECES + 1 if high - low > WIDE else 2)

    def most_of_one(self, low: Array, high: Array) -> Array:
        """Return the highest probability of one unlisted class, if that of all is from `low` to `high`."""
        return np.asarray(np.minimum(high, self.cap * (1.0 - low)) if self.cap < np.inf else high)

    def interval(self, index: int | None) -> Bounds:
        """Return the bounds on the probability of a listed class, or of an unlisted one for None."""
        listed = 1.0 - self.mass[1], 1.0 - self.mass[0]
        if index is None:
            return 0.0, float(self.most_of_one(*map(np.asarray, self.mass)))
        prob = float(np.exp(self.log_among[index]))
        return prob * listed[0], prob * listed[1]


def partial_side(partial: PartialDistribution, tau: float) -> Side:
    """Return what a response shows of a distribution at a temperature. All its listed probabilities are known.

    >>> side = partial_side(PartialDistribution(np.log([0.5, 0.3]), 0, np.log(0.3)), 1.0)
    >>> np.exp(side.log_among).round(3), np.round(side.mass, 3), round(side.cap, 3), side.tied
    (array([0.625, 0.375]), array([0.2, 0.2]), 0.25, array([0]))
    """
    if not len(partial.logprobs):
        return Side(partial.logprobs, (1.0, 1.0), np.inf)
    scale = np.asarray(tau / partial.tau)
    best = int(partial.logprobs.argmax())
    reference = float(partial.logprobs[best])
    log_total = float(np.logaddexp.reduce(_divided(partial.logprobs - reference, scale)))
    weights = [float(weight) for weight in partial.log_unlisted_weights(scale, reference)]
    # The logarithm of the probability is -log(1 + listed / unlisted).
    low, high = (
        float(np.exp(-np.logaddexp(0.0, log_total - weight))) if weight < np.inf else 1.0 for weight in weights
    )
    with np.errstate(over="ignore"):
        cap = float(np.exp(_divided(np.asarray(partial.ceiling - reference), scale) - log_total))
    log_among = log_softmax(partial.logprobs, float(scale))
    tied = np.flatnonzero(partial.logprobs == reference) if partial.rank_of(best) == 1 else _NONE
    return Side(log_among, (low, high), cap, tied, partial.ceiling >= reference)


def _divided(gaps: Array, tau: Array) -> Array:
    """Return gaps / tau for gaps from a maximum, with the exact limits."""
    with np.errstate(all="ignore"):
        limit = np.where(tau == 0, np.where(gaps == 0, 0.0, gaps * np.inf), np.where(np.isneginf(gaps), gaps, 0.0))
        return np.asarray(np.where((tau == 0) | (tau == np.inf), limit, gaps / tau))


@dataclass(frozen=True, eq=False)
class Match:
    """The classes that both sides list, as indices on each side, (both,) each, and those that only one side lists.
    `neither` is the number of classes that no side lists, None if unknown."""

    first: Array
    second: Array
    only_first: Array
    only_second: Array
    neither: int | None

    @property
    def swapped(self) -> "Match":
        """The same with the sides exchanged."""
        return Match(self.second, self.first, self.only_second, self.only_first, self.neither)

    def places(self, index: int) -> Places:
        """Return the places of a class that the first side lists."""
        indices = np.flatnonzero(self.first == index)
        return index, int(self.second[indices[0]]) if len(indices) else None


@dataclass(frozen=True, eq=False)
class _Pieces:
    """One side in each piece: (b, ...) arrays of lower and upper bounds."""

    both: tuple[Array, Array]
    only: tuple[Array, Array]
    mass: tuple[Array, Array]
    cap: Array


def bounds(first: Side, second: Side, match: Match, chosen: Places | None) -> dict[str, Bounds]:
    """Return a lower and an upper bound on each measure of `tsoft.features.compare.model_comparison`, by its name.

    chosen: the index of the drawn class on each side, None if it is unlisted there; None if nothing is known of it.
    """
    p, q = _pieces(first, second, match)
    acceptance = float(_acceptance_low(p, q, match).min()), float(_acceptance_high(p, q).max())
    match_low, match_high = _exact_match(p, q, match)
    tops = top_places(first, second, match)
    pairs = {
        "kl": _divergence_bounds(p, q, match),
        "kl_reverse": _divergence_bounds(q, p, match.swapped),
        "total_variation": (1.0 - acceptance[1], 1.0 - acceptance[0]),
        "same_top": _same_top(tops, match),
        "top_change": _change(first, second, None if tops[0] is None else match.places(tops[0])),
        "acceptance": acceptance,
        "exact_match_acceptance": (float(match_low.min()), float(match_high.max())),
        "greedy_acceptance": _greedy(first, second, tops[1], match),
        "chosen_change": _change(first, second, chosen),
    }
    # Rounding may reverse the order of equal bounds.
    return {name: (min(pair), max(pair)) for name, pair in pairs.items()}


def _pieces(first: Side, second: Side, match: Match) -> tuple[_Pieces, _Pieces]:
    """Return both sides in every combination of their pieces."""
    count_first, count_second = len(first.pieces) - 1, len(second.pieces) - 1
    places = np.divmod(np.arange(count_first * count_second), count_second)
    sides = []
    for side, place, both, only in (
        (first, places[0], match.first, match.only_first),
        (second, places[1], match.second, match.only_second),
    ):
        low, high = side.pieces[place], side.pieces[place + 1]
        among = np.exp(side.log_among)
        listed = (1.0 - high)[:, np.newaxis], (1.0 - low)[:, np.newaxis]
        sides.append(
            _Pieces(
                (among[both] * listed[0], among[both] * listed[1]),
                (among[only] * listed[0], among[only] * listed[1]),
                (low, high),
                side.most_of_one(low, high),
            )
        )
    return sides[0], sides[1]


def _acceptance_high(p: _Pieces, q: _Pieces) -> Array:
    """Return the highest sum of min(p, q) in each piece: as much unlisted probability as possible is where the other
    side has probability, too."""
    common = np.minimum(p.both[1], q.both[1]).sum(1)
    on_first = np.minimum(np.minimum(p.only[1], q.cap[:, np.newaxis]).sum(1), q.mass[1])
    on_second = np.minimum(np.minimum(q.only[1], p.cap[:, np.newaxis]).sum(1), p.mass[1])
    high = common + np.minimum(p.mass[1] + on_first, q.mass[1] + on_second)
    # A sum of 1 is rounded, and 1 - high must not be above the total variation.
    return np.where(high > 1.0 - ROUNDING, 1.0, high)


def _acceptance_low(p: _Pieces, q: _Pieces, match: Match) -> Array:
    """Return the lowest sum of min(p, q) in each piece: as little unlisted probability as possible is where the other
    side has probability, too."""
    common = np.minimum(p.both[0], q.both[0]).sum(1)
    forced = _forced(p, q.only[0], match, np.minimum) + _forced(q, p.only[0], match, np.minimum)
    return np.asarray(np.minimum(common + forced, 1.0))


def _exact_match(p: _Pieces, q: _Pieces, match: Match) -> tuple[Array, Array]:
    """Return the lowest and the highest sum of p q in each piece."""
    low = (p.both[0] * q.both[0]).sum(1)
    low = low + _forced(p, q.only[0], match, np.multiply) + _forced(q, p.only[0], match, np.multiply)
    high = (p.both[1] * q.both[1]).sum(1) + _filled(p, q.only[1]) + _filled(q, p.only[1])
    if match.neither != 0:
        high += np.minimum(p.mass[1] * q.cap, q.mass[1] * p.cap)
    return low, np.minimum(high, 1.0)


def _forced(side: _Pieces, known: Array, match: Match, term: Callable[..., Array]) -> Array:
    """Return the least sum of term(x, known) over the unlisted classes of a side in each piece: (b,).

    known: the other side's probabilities of the classes that only it lists, (b, m). The term does not decrease in
    either argument and is concave in x, so its sum is least if as few classes as the cap allows have all the mass:
    those with the least known probabilities. For the classes that neither side lists, these may be 0.
    """
    result = np.zeros(len(known))
    if match.neither is None or not known.shape[1]:
        return result
    order = known[0].argsort()
    for b, (mass, cap) in enumerate(zip(side.mass[0], side.cap, strict=True)):
        full, rest = _division(mass, cap)
        full -= match.neither
        if full >= 0:
            values = known[b, order]
            result[b] = term(cap, values[:full]).sum() + term(rest, values[full : full + 1]).sum()
    return result


def _filled(side: _Pieces, known: Array) -> Array:
    """Return the largest sum of x times `known` over the unlisted classes of a side in each piece: (b,)."""
    result = np.zeros(len(known))
    order = known[0].argsort()[::-1]
    for b, (mass, cap) in enumerate(zip(side.mass[1], side.cap, strict=True)):
        full, rest = _division(mass, cap)
        values = known[b, order]
        result[b] = cap * values[:full].sum() + rest * values[full : full + 1].sum()
    return result


def _division(mass: float, cap: float) -> tuple[int, float]:
    """Return the number of classes at the cap that share a mass, and the remainder."""
    if mass <= 0 or cap <= 0:
        return 0, 0.0
    full = int(min(mass / cap, 2.0**53))
    return full, max(0.0, mass - full * cap)


def _divergence_bounds(p: _Pieces, q: _Pieces, match: Match) -> Bounds:
    """Return bounds on KL(p || q)."""
    return max(0.0, float(_divergence_low(p, q).min())), max(0.0, float(_divergence_high(p, q, match).max()))


def _divergence_low(p: _Pieces, q: _Pieces) -> Array:
    """Return a lower bound on KL(p || q) in each piece. Classes that are added up do not increase it (the log-sum
    inequality: Cover & Thomas 2006, "Elements of Information Theory", theorem 2.7.1), so the unlisted ones count as one
    class. Of the two ways to add up the classes that only p lists, the better one counts."""
    common = _least_terms(*p.both, q.both[1]).sum(1)
    rest = q.mass[1] + q.only[1].sum(1)
    as_one = _least_terms(p.mass[0] + p.only[0].sum(1), p.mass[1] + p.only[1].sum(1), rest)
    one_by_one = _least_terms(*p.only, q.cap[:, np.newaxis]).sum(1) + _least_terms(*p.mass, rest)
    return np.asarray(common + np.maximum(as_one, one_by_one))


def _least_terms(low: Array, high: Array, q: Array) -> Array:
    """Return the least x log(x / q) for x from low to high. It has its minimum at q / e."""
    return _terms(np.clip(q / np.e, low, high), q)


def _terms(x: Array, q: Array) -> Array:
    """Return x log(x / q), which is 0 for x = 0, and else inf for q = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x == 0, 0.0, x * (np.log(x) - np.log(q)))


def _divergence_high(p: _Pieces, q: _Pieces, match: Match) -> Array:
    """Return an upper bound on KL(p || q) in each piece. It is inf if p may have a class that q does not list."""
    common = np.maximum(_terms(p.both[0], q.both[0]), _terms(p.both[1], q.both[0])).sum(1)
    is_outside = (p.only[1] > 0).any(1) | ((p.mass[1] > 0) & (match.neither != 0))
    return np.where(is_outside, np.inf, common + _concentrated_terms(p, q.only[0]))


def _concentrated_terms(p: _Pieces, known: Array) -> Array:
    """Return the largest sum of x log(x / q) over the unlisted classes of p, whose q are known: (b,).

    It is convex in x, so it is largest if as few classes as the cap allows have all the mass: those with the least q.
    """
    result = np.zeros(len(known))
    order = known[0].argsort()
    for b, (low, high, cap) in enumerate(zip(*p.mass, p.cap, strict=True)):
        if high <= 0 or cap <= 0:
            continue
        q = known[b, order]
        sums = np.concatenate([[0.0], _terms(np.full_like(q, cap), q).cumsum()])
        ends = [_division(mass, cap) for mass in (low, high)]
        at_ends = (sums[min(full, len(q))] + _terms(np.asarray(rest), q[full : full + 1]).sum() for full, rest in ends)
        # Between the ends, the sum is largest where a further class adds nothing.
        between = sums[ends[0][0] + 1 : ends[1][0] + 1]
        result[b] = max(*at_ends, between.max(initial=-np.inf))
    return result


def top_places(first: Side, second: Side, match: Match) -> Places:
    """Return the index of the most probable class on each side, None if it is unknown.

    Of tied classes, the first one counts on both sides: in the order of the first side, followed by the classes that it
    does not list.
    """
    top = int(first.tied[0]) if len(first.tied) else None
    if not len(second.tied):
        return top, None
    order = np.full(len(second.log_among), len(first.log_among))
    order[match.second] = match.first
    second_top = int(second.tied[order[second.tied].argmin()])
    is_first = not (second.may_tie and (match.only_first < order[second_top]).any())
    return top, second_top if is_first else None


def _same_top(tops: Places, match: Match) -> Bounds:
    if tops[0] is None or tops[1] is None:
        return 0.0, 1.0
    is_same = float(match.places(tops[0])[1] == tops[1])
    return is_same, is_same


def _greedy(first: Side, second: Side, second_top: int | None, match: Match) -> Bounds:
    """Return bounds on p of the class that is most probable under q."""
    if second_top is not None:
        return first.interval(match.swapped.places(second_top)[1])
    highest = np.exp(first.log_among).max(initial=0.0) * (1.0 - first.mass[0])
    return 0.0, max(float(highest), first.interval(None)[1])


def _change(first: Side, second: Side, places: Places | None) -> Bounds:
    """Return bounds on q - p of a class."""
    if places is None:
        return -1.0, 1.0
    p, q = first.interval(places[0]), second.interval(places[1])
    return q[0] - p[1], q[1] - p[0]
