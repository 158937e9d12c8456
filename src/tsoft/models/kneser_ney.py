"""An interpolated n-gram model of a text, with modified Kneser–Ney smoothing.

Let h be a history of k - 1 tokens, and h' the same without its first token. After h, the probability of a token w is

    p_k(w | h) = max(c_k(h w) - D_k(c_k(h w)), 0) / c_k(h •) + backoff_k(h) p_{k-1}(w | h')
    backoff_k(h)  = sum_w D_k(c_k(h w)) / c_k(h •)        p_0(w) = 1 / V

The discounts D subtract probability from the counts. That probability goes to the shorter history, and in the end
equally to all V tokens, so that no token has probability 0. A history that does not occur in the text passes all
probability to the shorter one. At the highest order, c counts the n-gram in the text. At lower orders, it counts the
different tokens before the n-gram, including the beginning of the text (Kneser & Ney 1995, "Improved backing-off for
m-gram language modeling"): a token that follows only a few others, even if often, is unlikely after an unknown one.

Each order has three discounts, for counts of 1, of 2 and of more (Chen & Goodman 1999, "An empirical study of smoothing
techniques for language modeling", Computer Speech & Language 13, section 3, "Modified Kneser–Ney smoothing"). They
depend on the numbers n_1 to n_4 of the order's n-grams with counts 1 to 4:

    Y = n_1 / (n_1 + 2 n_2)    D(1) = 1 - 2 Y n_2 / n_1    D(2) = 2 - 3 Y n_3 / n_2    D(3+) = 3 - 4 Y n_4 / n_3

If a text is too short for these, the discount is Y for every count (Ney, Essen & Kneser 1994, "On structuring
probabilistic dependences in stochastic language modelling"), or 1/2 if Y is not between 0 and 1 either.

Tokens that differ as the next token may be the same in a history: words with different blanks before them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsoft.core.softmax import Array


@dataclass(frozen=True, eq=False)
class NgramLevel:
    """The n-grams of one order, by their histories.

    `keys`, (h,), identify the histories, in ascending order. A key is the number of the history without its first
    token, times the number of different tokens plus one, plus that first token. The tokens after history i are
    `tokens`, (n,), from `starts[i]` to `starts[i + 1]`, in ascending order, with their `shares`, (n,): the part of the
    probability that the discounted counts contribute. `backoff`, (h,), is the weight of the shorter history.
    """

    keys: Array
    starts: Array
    tokens: Array
    shares: Array
    backoff: Array


@dataclass(frozen=True, eq=False)
class Ngrams:
    """A model of `size` tokens, which are numbers below `words` in a history. `levels` are the orders from 1."""

    levels: tuple[NgramLevel, ...]
    size: int
    words: int

    @property
    def order(self) -> int:
        return len(self.levels)

    @cached_property
    def _shortest(self) -> tuple[Array, Array]:
        """The probabilities after an empty history, and their logarithms."""
        level = self.levels[0]
        probs = np.full(self.size, level.backoff[0] / self.size)
        probs[level.tokens] += level.shares
        return probs, np.log(probs)

    def logprobs(self, history: Sequence[int]) -> Array:
        """Return the log-probability of each token, (V,), after a history of any length.

        Only the last `order` - 1 tokens count. A token that does not occur in the text has the number `words` or a
        larger one.

        >>> model = ngrams(np.array([0, 1, 0, 2]), np.arange(3), 2)
        >>> np.array_equal(model.logprobs([2, 7, 0]), model.logprobs([0]))
        True
        """
        matches = self._matches(history)
        probs, logs = self._shortest
        if not matches:
            return logs.copy()
        # A token that follows a history also follows each of its suffixes. So only tokens that follow the shortest
        # match have counts; all others have only the probability of the backoff.
        level, number = matches[0]
        tokens = level.tokens[level.starts[number] : level.starts[number + 1]]
        seen_probs, backoff = probs[tokens], 1.0
        for level, number in matches:
            span = slice(level.starts[number], level.starts[number + 1])
            seen_probs *= level.backoff[number]
            backoff *= level.backoff[number]
            seen_probs[tokens.searchsorted(level.tokens[span])] += level.shares[span]
        result = logs + np.log(backoff)
        result[tokens] = np.log(seen_probs)
        return np.asarray(result)

    def _matches(self, history: Sequence[int]) -> list[tuple[NgramLevel, int]]:
        """Return the ends of a history that occur in the text, the shortest first, each as its level and number."""
        matches: list[tuple[NgramLevel, int]] = []
        previous = 0
        for level, word in zip(self.levels[1:], reversed(history), strict=False):
            key = previous * (self.words + 1) + word
            number = int(level.keys.searchsorted(key))
            if word >= self.words or number == len(level.keys) or level.keys[number] != key:
                break
            matches.append((level, number))
            previous = number
        return matches


def ngrams(tokens: Array, word_of: Array, order: int) -> Ngrams:
    """Return the model of a text.

    `tokens`, (N,), N > 0, are integers from 0 to V - 1, which all occur. In a history, token i is `word_of[i]`,
    (V,), integers from 0. `order` is at least 1.

    In the text "a b a c" with order 2, every count is 1 except that of "a" by itself, which follows the beginning and
    "b". With n_2 = 0 for pairs, the discount is 1/2. After "a", the discounts sum to (1/2 + 1/2) / 2, so that p(b | a)
    = 1/4 + 1/2 p(b). For single tokens, n_1 = 2 and n_2 = 1, so that Y = 1/2, p(b) = (1 - 1/2) / 4 + 3/8 · 1/3 = 1/4,
    and p(a) = (2 - 1/2) / 4 + 3/8 · 1/3 = 1/2.

    >>> model = ngrams(np.array([0, 1, 0, 2]), np.arange(3), 2)
    >>> np.exp(model.logprobs([])), np.exp(model.logprobs([0]))
    (array([0.5 , 0.25, 0.25]), array([0.25 , 0.375, 0.375]))
    """
    size, words = len(word_of), int(word_of.max()) + 1
    windows = _windows(tokens, word_of, order, words)
    rows, counts = _distinct(windows, [words + 1] * (order - 1) + [size])
    *history, following = (column[rows] for column in windows)
    by_length, numbers = _histories_by_length(history, len(rows), words)
    levels = []
    for histories in reversed(by_length):
        levels.append(_level(histories, numbers, following, counts))
        # A lower order counts the histories that are one token longer.
        pairs, counts = np.unique(histories.parents[numbers] * size + following, return_counts=True)
        numbers, following = pairs // size, (pairs % size).astype(tokens.dtype)
    return Ngrams(tuple(reversed(levels)), size, words)


def _windows(tokens: Array, word_of: Array, order: int, beginning: int) -> list[Array]:
    """Return the tokens before each token, (N,), the last one first, and the token itself.

    The number `beginning` represents the position before the text.
    """
    before = np.concatenate([np.full(order - 1, beginning), word_of[tokens]])
    return [before[order - 1 - back :][: len(tokens)] for back in range(1, order)] + [tokens]


def _distinct(columns: list[Array], sizes: list[int]) -> tuple[Array, Array]:
    """Return the indices of the distinct rows of the columns, in ascending order of the rows, and their counts.

    A column contains numbers from 0 to its size - 1.
    """
    # Pack several columns into one 64-bit number, to sort by fewer keys.
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
class _Histories:
    """The histories of one length, (h,), in the order of the rows.

    `parents` are the numbers of the histories without their first token. `inside` marks the histories that begin in the
    text; only these have `keys`.
    """

    parents: Array
    inside: Array
    keys: Array


def _histories_by_length(history: list[Array], rows: int, beginning: int) -> tuple[list[_Histories], Array]:
    """Return the histories of sorted rows by length, from 0, and the number of the longest history in each row."""
    zero = np.zeros(1, np.int64)
    by_length = [_Histories(zero, np.ones(1, bool), zero)]
    numbers, places = np.zeros(rows, np.int64), zero
    differs = np.zeros(rows, bool)
    differs[0] = True
    for column in history:
        differs[1:] |= column[1:] != column[:-1]
        first = np.flatnonzero(differs)
        parents, words = numbers[first], column[first]
        inside = words != beginning
        keys = places[parents[inside]] * (beginning + 1) + words[inside]
        by_length.append(_Histories(parents, inside, keys))
        numbers, places = differs.cumsum() - 1, inside.cumsum() - 1
    return by_length, numbers


def _level(histories: _Histories, numbers: Array, tokens: Array, counts: Array) -> NgramLevel:
    """Return the n-grams of an order.

    `tokens` follow the histories with these `numbers`, (n,), `counts` times. They are sorted by history and token.
    """
    inside = histories.inside[numbers]
    numbers, tokens, counts = (histories.inside.cumsum() - 1)[numbers[inside]], tokens[inside], counts[inside]
    size = len(histories.keys)
    subtracted = discounts(counts)[np.minimum(counts, 3)]
    totals = np.bincount(numbers, counts, size)
    shares = (counts - subtracted) / totals[numbers]
    backoff = np.bincount(numbers, subtracted, size) / totals
    return NgramLevel(histories.keys, numbers.searchsorted(np.arange(size + 1)), tokens, shares, backoff)


def discounts(counts: Array) -> Array:
    """Return the discounts of the counts 0, 1, 2 and more, (4,).

    The first is 0, and the others are between 0 and the count. `counts`, (n,), are those of all n-grams of an order,
    integers from 1.

    Source: Chen & Goodman 1999, section 3; Ney, Essen & Kneser 1994.

    >>> discounts(np.array([1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4]))
    array([0. , 0.5, 1. , 2. ])
    >>> discounts(np.array([1, 1, 2, 5])), discounts(np.array([1, 1, 1]))
    (array([0. , 0.5, 0.5, 0.5]), array([0. , 0.5, 0.5, 0.5]))
    """
    frequencies = np.bincount(np.minimum(counts, 5), minlength=6)[1:5]
    if not frequencies[:2].all():
        return np.array([0.0, 0.5, 0.5, 0.5])
    # Integers up to the division, so that a zero is exact.
    divisor = frequencies[0] + 2 * frequencies[1]
    if frequencies.all():
        count = np.arange(1, 4)
        numerators = count * divisor * frequencies[:-1] - (count + 1) * frequencies[0] * frequencies[1:]
        if (numerators > 0).all():
            return np.array([0.0, *numerators / (divisor * frequencies[:-1])])
    single = frequencies[0] / divisor
    return np.array([0.0, single, single, single])
