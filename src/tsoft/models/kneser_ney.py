"""An interpolated n-gram model of a text, by modified Kneser–Ney smoothing.

After a history h of k - 1 tokens, h' being h without its first, the probability of a token w is

    p_k(w | h) = max(c_k(h w) - D_k(c_k(h w)), 0) / c_k(h •) + left_k(h) p_{k-1}(w | h')
    left_k(h)  = sum_w D_k(c_k(h w)) / c_k(h •)        p_0(w) = 1 / V

so that what the discounts D take off the counts is left to the shorter history, and in the end to all V tokens
alike: none has the probability 0. A history that the text does not have leaves all to the shorter one. At the
highest order c is how often the text has the n-gram. Below it, it is after how many different tokens the text
has it, its beginning being one of them (Kneser & Ney 1995, "Improved backing-off for m-gram language
modeling"): a token that often follows a few others only is no likely one after an unknown one.

There are three discounts an order, for counts of 1, of 2 and of more (Chen & Goodman 1999, "An empirical study
of smoothing techniques for language modeling", Computer Speech & Language 13, section 3, "Modified Kneser–Ney
smoothing"), from the numbers n_1 to n_4 of its n-grams that are counted so often:

    Y = n_1 / (n_1 + 2 n_2)    D(1) = 1 - 2 Y n_2 / n_1    D(2) = 2 - 3 Y n_3 / n_2    D(3+) = 3 - 4 Y n_4 / n_3

Where a text is too short for these, its discount is Y for every count (Ney, Essen & Kneser 1994, "On
structuring probabilistic dependences in stochastic language modelling"), or 1/2 where that is not between 0
and 1 either.

What counts as the same token in a history need not be the same token as what comes next: a text's words may be
told apart there by the blanks before them, and in the history not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.softmax import Array


@dataclass(frozen=True, eq=False)
class Level:
    """One order's n-grams, by their histories. `keys`, (h,), tell the histories apart, in ascending order: the
    number of the history without its first token, times the number of different tokens and one, plus that
    token. After history i come the `tokens`, (n,), from `starts[i]` to `starts[i + 1]`, in ascending order,
    with their `shares`, (n,): the discounted counts' part of the probability. What the discounts `left`,
    (h,), goes to the shorter history."""

    keys: Array
    starts: Array
    tokens: Array
    shares: Array
    left: Array

    def find(self, key: int) -> int | None:
        """The number of a history."""
        place = int(self.keys.searchsorted(key))
        return place if place < len(self.keys) and self.keys[place] == key else None


@dataclass(frozen=True, eq=False)
class Ngrams:
    """A model of `size` tokens, which a history tells apart as numbers below `words`. The `levels` are those of
    the orders from 1."""

    levels: tuple[Level, ...]
    size: int
    words: int

    @property
    def order(self) -> int:
        return len(self.levels)

    @cached_property
    def _shortest(self) -> tuple[Array, Array]:
        """The probabilities after no history, and their logarithms."""
        level = self.levels[0]
        probs = np.full(self.size, level.left[0] / self.size)
        probs[level.tokens] += level.shares
        return probs, np.log(probs)

    def logprobs(self, history: Sequence[int]) -> Array:
        """The log-probability of each token, (V,), after a history of any length, of which the last `order` - 1
        count. One that the text does not have is the number `words`, or any above it.

        >>> model = ngrams(np.array([0, 1, 0, 2]), np.arange(3), 2)
        >>> np.array_equal(model.logprobs([2, 7, 0]), model.logprobs([0]))
        True
        """
        found = self._found(history)
        probs, logs = self._shortest
        if not found:
            return logs.copy()
        # What follows a history follows its end, too: beyond the tokens of the shortest, all is what is left.
        level, at = found[0]
        tokens = level.tokens[level.starts[at] : level.starts[at + 1]]
        seen, left = probs[tokens], 1.0
        for level, at in found:
            part = slice(level.starts[at], level.starts[at + 1])
            seen *= level.left[at]
            left *= level.left[at]
            seen[tokens.searchsorted(level.tokens[part])] += level.shares[part]
        result = logs + np.log(left)
        result[tokens] = np.log(seen)
        return np.asarray(result)

    def _found(self, history: Sequence[int]) -> list[tuple[Level, int]]:
        """The ends of a history that the text has, from one token on, each by its level and number."""
        found: list[tuple[Level, int]] = []
        number = 0
        for level, word in zip(self.levels[1:], reversed(history), strict=False):
            at = level.find(number * (self.words + 1) + word) if word < self.words else None
            if at is None:
                break
            found.append((level, at))
            number = at
        return found


def ngrams(tokens: Array, word_of: Array, order: int) -> Ngrams:
    """The model of a text. Its `tokens`, (N,), N > 0, are integers from 0 to V - 1, each of which it has; a
    history knows the token i as `word_of[i]`, (V,), integers from 0. `order` is at least 1.

    Of the text "a b a c" and order 2, all is counted once but "a" by itself, which stands after the beginning
    and after "b". With n_2 = 0 for pairs the discount is 1/2: after "a" it leaves (1/2 + 1/2) / 2, so that
    p(b | a) = 1/4 + 1/2 p(b). For single tokens n_1 = 2 and n_2 = 1, so that Y = 1/2, and p(b) = (1 - 1/2) / 4 +
    3/8 · 1/3 = 1/4, where p(a) = (2 - 1/2) / 4 + 3/8 · 1/3 = 1/2.

    >>> model = ngrams(np.array([0, 1, 0, 2]), np.arange(3), 2)
    >>> np.exp(model.logprobs([])), np.exp(model.logprobs([0]))
    (array([0.5 , 0.25, 0.25]), array([0.25 , 0.375, 0.375]))
    """
    size, words = len(word_of), int(word_of.max()) + 1
    windows = _windows(tokens, word_of, order, words)
    rows, counts = _distinct(windows, [words + 1] * (order - 1) + [size])
    *history, following = (column[rows] for column in windows)
    depths, at = _depths(history, len(rows), words)
    levels = []
    for depth in reversed(depths):
        levels.append(_level(depth, at, following, counts))
        # Below, what counts is how many histories there are with one token more.
        pairs, counts = np.unique(depth.parents[at] * size + following, return_counts=True)
        at, following = pairs // size, (pairs % size).astype(tokens.dtype)
    return Ngrams(tuple(reversed(levels)), size, words)


def _windows(tokens: Array, word_of: Array, order: int, beginning: int) -> list[Array]:
    """The tokens before each, (N,), the last one first, and the token itself. Before the text stands its
    `beginning`."""
    before = np.concatenate([np.full(order - 1, beginning), word_of[tokens]])
    return [before[order - 1 - back :][: len(tokens)] for back in range(1, order)] + [tokens]


def _distinct(columns: list[Array], sizes: list[int]) -> tuple[Array, Array]:
    """Which rows of the columns differ, in ascending order by the columns in turn, and how often there is each.
    A column's numbers are from 0 and below its size."""
    # A number of 64 bits holds several columns, and so there is less to sort by.
    keys: list[Array] = []
    room = 0
    for column, size in zip(columns, sizes, strict=True):
        if size > room:
            keys.append(np.zeros(len(column), np.int64))
            room = 1 << 63
        keys[-1] *= size
        keys[-1] += column
        room //= size
    order = np.lexsort(keys[::-1])
    first = np.flatnonzero(np.any([np.diff(key[order], prepend=-1) for key in keys], axis=0))
    return order[first], np.diff(first, append=len(order))


@dataclass(frozen=True, eq=False)
class _Depth:
    """The histories of one length, (h,), in the order of the rows: the `parents` are the numbers of those
    without the first token. `inside` are those that begin in the text, which alone have `keys`."""

    parents: Array
    inside: Array
    keys: Array


def _depths(history: list[Array], rows: int, beginning: int) -> tuple[list[_Depth], Array]:
    """The histories of each length from 0 of sorted rows, and the number of the longest in each row."""
    zero = np.zeros(1, np.int64)
    depths = [_Depth(zero, np.ones(1, bool), zero)]
    at, places = np.zeros(rows, np.int64), zero
    differs = np.zeros(rows, bool)
    differs[0] = True
    for column in history:
        differs[1:] |= column[1:] != column[:-1]
        first = np.flatnonzero(differs)
        parents, words = at[first], column[first]
        inside = words != beginning
        keys = places[parents[inside]] * (beginning + 1) + words[inside]
        depths.append(_Depth(parents, inside, keys))
        at, places = differs.cumsum() - 1, inside.cumsum() - 1
    return depths, at


def _level(depth: _Depth, at: Array, tokens: Array, counts: Array) -> Level:
    """The n-grams of an order: what follows the histories with the numbers `at`, (n,), and how often. They are
    sorted by history and token."""
    inside = depth.inside[at]
    at, tokens, counts = (depth.inside.cumsum() - 1)[at[inside]], tokens[inside], counts[inside]
    histories = len(depth.keys)
    taken = discounts(counts)[np.minimum(counts, 3)]
    totals = np.bincount(at, counts, histories)
    shares = (counts - taken) / totals[at]
    left = np.bincount(at, taken, histories) / totals
    return Level(depth.keys, at.searchsorted(np.arange(histories + 1)), tokens, shares, left)


def discounts(counts: Array) -> Array:
    """What is taken off a count of 0, of 1, of 2 and of more, (4,): 0 of the first, and of each other more than
    0 and less than it. `counts`, (n,), are those of all n-grams of an order, integers from 1.

    Source: Chen & Goodman 1999, section 3; Ney, Essen & Kneser 1994.

    >>> discounts(np.array([1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4]))
    array([0. , 0.5, 1. , 2. ])
    >>> discounts(np.array([1, 1, 2, 5])), discounts(np.array([1, 1, 1]))
    (array([0. , 0.5, 0.5, 0.5]), array([0. , 0.5, 0.5, 0.5]))
    """
    of = np.bincount(np.minimum(counts, 5), minlength=6)[1:5]
    if not of[:2].all():
        return np.array([0.0, 0.5, 0.5, 0.5])
    # Whole numbers up to the division: what is 0 is not taken for more.
    below = of[0] + 2 * of[1]
    if of.all():
        count = np.arange(1, 4)
        above = count * below * of[:-1] - (count + 1) * of[0] * of[1:]
        if (above > 0).all():
            return np.array([0.0, *above / (below * of[:-1])])
    single = of[0] / below
    return np.array([0.0, single, single, single])
